"""Our side of the engine: start it, hear it, end it when its servers are stuck, and say what went wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from setup_wizard.conda.channels import filled
from setup_wizard.conda.spec import EnvSpec
from setup_wizard.conda.talk import (
    Beat,
    Failed,
    Installed,
    Locked,
    Moved,
    Package,
    Request,
    Seen,
    Solved,
    Warned,
    WasRead,
    event,
)
from setup_wizard.conda.trouble import error_of, is_full, no_room_for_index, too_many_reasons
from setup_wizard.errors import CommandFailed, NetworkTrouble
from setup_wizard.world import Progress, Report, World

TITLES = {
    "index": "Look up packages",
    "download": "Download packages",
    "link": "Install packages",
}


# A login node may allow a process 1 GiB of addresses, and has many cores: without these, each of as many
# threads would set aside 64 MB of them. Those of rayon link, and mostly wait: each record goes to the disk.
MODEST = {"MALLOC_ARENA_MAX": "2", "TOKIO_WORKER_THREADS": "4", "RAYON_NUM_THREADS": "16"}
NO_MEMORY = "memory allocation of"  # what the engine says when it may not have more


@dataclass
class Answer:
    """What the engine said: the solution, the lock or what there is; how long installing took; warnings."""

    packages: tuple[Package, ...] = ()
    seconds: float = 0.0
    lock: str = ""
    unreadable: tuple[Failed, ...] = ()
    seen: Seen | None = None
    warnings: list[str] = field(default_factory=list)


HANGS = 120.0  # seconds without a beat, of two a second: a shared file system may stand still for a while


def ask(world: World, request: Request, spec: EnvSpec, report: Report) -> Answer:
    """Let the engine do what the request says.

    Raises BadInput, PackagesQuarrel, NetworkTrouble or MachineBlocks, with the place in the spec's file where
    one is to blame. Whatever happens, the engine has ended when this returns.
    """
    listener = _Listener(world, request, report)
    request = msgspec.structs.replace(request, logins=filled(spec.logins, world.env))
    output = world.run(
        world.own_python("setup_wizard.conda.engine"),
        stdin=msgspec.json.encode(request).decode(),
        on_line=listener.hear,
        silence=HANGS,
        env={**world.env, "HOME": str(world.home), **world.own_python_env(), **MODEST},
    )
    if listener.failed and not request.prefix and not world.offline and is_full(listener.failed):
        raise no_room_for_index(listener.failed, Path(request.repodata).parent)
    if listener.failed:
        raise error_of(listener.failed, spec)
    if not listener.ended and NO_MEMORY in output.err:
        raise too_many_reasons(spec)
    if not listener.ended:
        said = output.err[-2000:].strip()
        raise CommandFailed(
            f"The engine that installs packages ended early (code {output.code}). {said}".rstrip(),
            fix="Run again; it goes on where it stopped. Was the memory enough? (ulimit -v; free -m)",
        )
    return listener.answer


class _Listener:
    """Hears the engine's events, and minds the clock while it waits for servers."""

    def __init__(self, world: World, request: Request, report: Report) -> None:
        self._world = world
        self._report = report
        self._hosts = ", ".join(dict.fromkeys(urlsplit(c).hostname or c for c in request.channels))
        self._installs = bool(request.prefix)
        self.answer = Answer()
        self.failed: Failed | None = None
        self.ended = False
        self._bytes = self._window_bytes = 0
        self._moved_at = self._window_began = world.now()

    def hear(self, line: str) -> None:
        said = event(line)
        if isinstance(said, Moved):
            self._report(Progress(TITLES[said.title], said.done, said.total, said.unit))
        elif isinstance(said, Beat):
            self._mind(said)
        elif isinstance(said, Warned):
            self.answer.warnings.append(said.text)
        elif isinstance(said, Solved):
            self.answer.packages = said.packages
            self.ended = not self._installs
        elif isinstance(said, Locked):
            self.answer.lock = said.text
            self.ended = True
        elif isinstance(said, WasRead):
            self.answer.unreadable = said.unreadable
            self.ended = True
        elif isinstance(said, Seen):
            self.answer.seen = said
            self.ended = True
        elif isinstance(said, Installed):
            self.answer.seconds = said.seconds
            self.ended = True
        else:
            self.failed = said

    def _mind(self, beat: Beat) -> None:
        """End it when servers say nothing, or next to nothing, for longer than the world's patience."""
        now, patience = self._world.now(), self._world.patience
        if not beat.waiting:
            self._moved_at = self._window_began = now
            self._bytes = self._window_bytes = beat.bytes
            return
        if beat.bytes != self._bytes:
            self._moved_at, self._bytes = now, beat.bytes
        if now - self._moved_at > patience.silence:
            raise self._stuck(f"sent nothing for {patience.silence:.0f} seconds")
        took = now - self._window_began
        if took > patience.slow_for:
            if 0 < (beat.bytes - self._window_bytes) < patience.slowest * took:
                raise self._stuck(f"sent less than {patience.slowest} bytes a second for {took:.0f} seconds")
            self._window_began, self._window_bytes = now, beat.bytes

    def _stuck(self, what: str) -> NetworkTrouble:
        return NetworkTrouble(
            f"{self._hosts} {what}, so the work was stopped.",
            fix="Run again: what was downloaded is kept. If it stays so, check the network and the proxy "
            "(https_proxy), or use a mirror: --mirror URL",
        )
