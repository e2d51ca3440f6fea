"""What only the laptop has: ports that somebody may hold, a browser, and a nook for the connection."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import pytest

from setup_wizard.world import World, laptop, nooks
from tests.program import ROOT
from tests.session_parts import until

HOLDS = """
import sys, time
from pathlib import Path
from setup_wizard.world import World, laptop, nooks
with nooks.nook(World.here()) as nook:
    laptop.browse("http://127.0.0.1:1/lab?token=secret", nook.pages)
    print(nook.folder, nook.pages, flush=True)
    sys.stdin.read()
"""


class Holder:
    """Another process that holds a nook with a page in it."""

    def __init__(self, world: World) -> None:
        env = {**world.env, "PYTHONPATH": str(ROOT), "BROWSER": "true %s"}
        argv, pipe = [sys.executable, "-c", HOLDS], subprocess.PIPE
        self.process = subprocess.Popen(argv, env=env, stdin=pipe, stdout=pipe, text=True)
        assert self.process.stdout
        self.folder, self.pages = map(Path, self.process.stdout.readline().split())

    def heirs(self) -> list[int]:
        """The processes that wait for its end."""
        return [pid for pid in processes() if str(self.folder).encode() in command_line(pid)]

    def kill(self, *, heirs: bool = False) -> None:
        """Kill it as hard as can be, with its heirs or without."""
        for pid in self.heirs() if heirs else []:
            os.killpg(pid, signal.SIGKILL)
        self.process.kill()
        self.process.communicate()


def processes() -> list[int]:
    """The ids of all processes."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def command_line(pid: int) -> bytes:
    """Its words; none when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def holder(world: World) -> Iterator[Holder]:
    """A process with a nook; gone in the end."""
    made = Holder(world)
    yield made
    made.kill()
    until(lambda: not made.folder.exists())


def test_the_wanted_port_when_it_is_free() -> None:
    """The same port at both ends is one less to remember."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = int(s.getsockname()[1])
    assert laptop.free_port(port) == port


def test_another_port_when_somebody_holds_it() -> None:
    """One of the laptop's own programs has it: the tunnel takes a free one, and takes nothing away."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        held = int(s.getsockname()[1])
        port = laptop.free_port(held)
        assert port != held
        with socket.create_server(("127.0.0.1", port)):
            pass


@pytest.mark.parametrize("port", [-1, 0, 70000])
def test_a_port_that_is_none(port: int) -> None:
    """A free one in its place."""
    assert 0 < laptop.free_port(port) < 65536


def test_a_nook_is_for_its_owner_and_goes_with_the_block(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0700, with a path that leaves room for ssh's sockets; page and folder are gone afterwards."""
    monkeypatch.setattr(webbrowser, "open", lambda _: True)  # on this machine nobody looks
    with nooks.nook(world) as nook:
        assert nook.folder.stat().st_mode & 0o777 == 0o700
        assert len(str(nook.folder)) < 40
        laptop.browse("http://127.0.0.1:1/lab?token=x", nook.pages)
        (page,) = nook.pages.iterdir()
        assert page.stat().st_mode & 0o777 == 0o600
        assert nook.pages.stat().st_mode & 0o777 == 0o700
        assert "token=x" in page.read_text()
    assert not nook.folder.exists()
    assert not nook.pages.parent.exists()


@pytest.mark.parametrize("snap", [False, True])
def test_the_page_is_where_a_browser_can_read_it(world: World, snap: bool) -> None:
    """Below the home; where there are snaps, which read nothing hidden, in a folder that is none."""
    if snap:
        (world.home / "snap").mkdir()
    with nooks.nook(world) as nook:
        inside = nook.pages.relative_to(world.home)
        assert any(part.startswith(".") for part in inside.parts) is not snap


def test_who_is_killed_leaves_nothing(holder: Holder) -> None:
    """SIGKILL: the folder and the page with the token go all the same."""
    assert "secret" in next(holder.pages.iterdir()).read_text()
    holder.kill()
    until(lambda: not holder.folder.exists())
    until(lambda: not holder.pages.exists())
    until(lambda: not holder.heirs())


def test_the_next_one_sweeps_what_even_the_heir_has_left(world: World, holder: Holder) -> None:
    """Both were killed: another call removes it, and leaves that of a process that lives."""
    alive = Holder(world)
    try:
        holder.kill(heirs=True)
        assert holder.pages.exists()
        nooks.sweep(world)
        assert not holder.folder.exists()
        assert not holder.pages.exists()
        assert alive.folder.exists()
        assert alive.pages.exists()
    finally:
        alive.kill()


def test_pages_that_a_restart_has_outlived_are_swept(world: World) -> None:
    """/tmp is empty again, and the page with the token still there; one of another machine stays."""
    with nooks.nook(world) as nook:
        base = nook.pages.parent
        mine = base / f"{nooks.PREFIX}old.{world.hostname}"
        other = base / f"{nooks.PREFIX}old.another"
        for folder in (mine, other):
            folder.mkdir(parents=True)
        nooks.sweep(world)
        assert (mine.exists(), other.exists()) == (False, True)
