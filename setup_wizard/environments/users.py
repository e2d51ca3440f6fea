"""Who runs from an environment: sessions, by their Jupyter or a kernel, and other processes here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from setup_wizard import running, session
from setup_wizard.conda import byte_code
from setup_wizard.jupyter.nook import Nook
from setup_wizard.session import End, Place, Session, Used
from setup_wizard.world import World

MOST = 3  # processes that are named


class Users(msgspec.Struct, frozen=True):
    """The names of the sessions, and the other processes of this user here: number and program."""

    sessions: tuple[str, ...] = ()
    processes: tuple[tuple[int, str], ...] = ()

    def said(self, what: object) -> str:
        """That they run from `what`, as a sentence without its stop; "" where nobody does."""
        names = [f"{name} {pid}" for pid, name in self.processes[:MOST]]
        more = ["…"] if len(self.processes) > MOST else []
        who = [f"session {', '.join(self.sessions)}"] if self.sessions else []
        who += [f"what you have started here ({', '.join([*names, *more])})"] if names else []
        told = " and ".join(who)
        return f"{told[0].upper()}{told[1:]} runs from {what}" if told else ""

    @property
    def facts(self) -> dict[str, object]:
        """The same for JSON."""
        return {
            "sessions": self.sessions,
            "processes": [{"pid": pid, "program": name} for pid, name in self.processes],
        }

    @property
    def ending(self) -> str:
        """The command that ends them."""
        stop = [f"hpc-jupyter-setup stop {self.sessions[0]}"] if self.sessions else []
        kill = [f"kill {' '.join(str(pid) for pid, _ in self.processes)}"] if self.processes else []
        return "; ".join([*stop, *kill])


def of(world: World, prefix: Path) -> Users:
    """Who runs, or may run, from the environment. Other nodes are known by what their sessions have noted."""
    real = Path(os.path.realpath(prefix))
    below = {pid: exe.name for pid, exe in world.programs().items() if exe.is_relative_to(real)}
    for path in {prefix, real}:
        for pid, _ in world.marked(f"{byte_code.MARK}={path}"):  # which lets itself be ended
            below.pop(pid, None)
    mine = dict(_sessions(world, real, set(below)))
    alive = {row.id for row in running.sessions(world) if row.alive} if mine else set()
    kernels = {pid for pids in mine.values() for pid in pids}
    others = tuple((pid, name) for pid, name in below.items() if pid not in kernels)
    return Users(tuple(name for name in mine if name in alive), others)


def _sessions(world: World, real: Path, below: set[int]) -> Iterator[tuple[str, set[int]]]:
    """The sessions that have not ended and run from there, each with its processes there."""
    for s in session.every(world):
        if not isinstance(s, Session) or session.read(s.folder, End):
            continue
        place, used = session.read(s.folder, Place), session.read(s.folder, Used) or Used()
        here = place and place.serve.host == world.hostname
        pids = {pid for pid, _ in world.marked(Nook(place.folder).mark)} & below if place and here else set()
        if pids or real in used.prefixes or os.path.realpath(s.job.prefix) == str(real):
            yield s.id, pids
