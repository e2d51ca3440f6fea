"""A command on the login node that outlasts the connection; a real sshd on loopback is the network."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from setup_wizard import errand
from setup_wizard.connect import logged_in
from setup_wizard.errors import MachineBlocks
from setup_wizard.far import Far
from setup_wizard.world import Output, Progress
from tests import session_parts
from tests.session_parts import until
from tests.ssh_server import SshServer

# Counts its calls, says that it is at work, and goes on when it may.
WORK = "echo >>~/calls; echo at work >&2; until [ -e ~/go ]; do sleep 0.02; done; echo done; exit 3"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home on the login node."""
    return session_parts.machine(tmp_path).home


@pytest.fixture
def sshd(tmp_path: Path, home: Path) -> Iterator[SshServer]:
    """The login node."""
    with SshServer(tmp_path, {"HOME": str(home)}) as server:
        yield server


@pytest.fixture
def far(sshd: SshServer, tmp_path: Path) -> Iterator[Far]:
    """The laptop, logged in."""
    (tmp_path / "laptop").mkdir()
    with logged_in(session_parts.machine(tmp_path / "laptop"), "login", str(sshd.config)) as there:
        yield there


class Hearing:
    """An errand that runs meanwhile: what is heard and reported of it, and what comes of it."""

    def __init__(self, far: Far, script: str = WORK) -> None:
        self.lines: list[str] = []
        self.told: list[str] = []
        self.output: list[Output] = []
        self.trouble: list[MachineBlocks] = []
        self._thread = threading.Thread(target=self._run, args=(far, script))
        self._thread.start()

    def _run(self, far: Far, script: str) -> None:
        try:
            self.output.append(errand.run(far, ("sh", "-c", script), self.lines.append, self._hear))
        except MachineBlocks as e:
            self.trouble.append(e)

    def _hear(self, progress: Progress) -> None:
        self.told.append(progress.title)

    def end(self) -> None:
        """Wait for it."""
        self._thread.join(60)
        assert not self._thread.is_alive()


def left(home: Path) -> list[Path]:
    """What is left of errands on the login node."""
    return list((home / ".cache/hpc-jupyter-setup/errands").iterdir())


def test_it_is_heard_and_its_end_fetched(far: Far, home: Path) -> None:
    """What it says meanwhile, its exit code, its answer apart from the rest; and nothing is left there."""
    hearing = Hearing(far)
    until(lambda: "at work" in hearing.lines)
    (folder,) = left(home)
    assert folder.stat().st_mode & 0o777 == 0o700
    (home / "go").touch()
    hearing.end()
    assert hearing.output == [Output(3, "done\n", "at work\n")]
    assert left(home) == []


def test_a_cut_does_not_begin_it_again(far: Far, home: Path, sshd: SshServer) -> None:
    """The network goes away and comes back: the same command is heard to its end."""
    hearing = Hearing(far)
    until(lambda: "at work" in hearing.lines)
    sshd.stop()
    until(lambda: any("is away" in line for line in hearing.told))
    (home / "go").touch()
    sshd.start()
    hearing.end()
    assert hearing.output[0].out == "done\n"
    assert (home / "calls").read_text() == "\n"
    assert left(home) == []


def test_called_twice_it_begins_once(far: Far, home: Path) -> None:
    """The answer to the first call was lost: the second one begins nothing."""
    for _ in range(2):
        assert far.run("sh", "-c", errand.BEGIN, "name", "sh", "-c", "echo >>~/calls").code == 0
    until(lambda: (home / ".cache/hpc-jupyter-setup/errands/name/over").exists())
    assert (home / "calls").read_text() == "\n"


def test_one_that_was_killed_there_is_told(far: Far, home: Path) -> None:
    """It is not waited for, and the fix is the look at what came of it."""
    hearing = Hearing(far)
    until(lambda: "at work" in hearing.lines)
    (folder,) = left(home)
    far.run("kill", "-9", (folder / "who").read_text().split()[0])
    hearing.end()
    (home / "go").touch()
    assert "was ended from outside" in hearing.trouble[0].problem
    assert hearing.trouble[0].fix.endswith("ssh login hpc-jupyter-setup sessions")


def test_silence_has_an_end(far: Far, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What says nothing for too long is not waited for; it is not known what came of it."""
    monkeypatch.setattr(errand, "SILENT", 0.5)
    hearing = Hearing(far)
    hearing.end()
    (home / "go").touch()
    assert "has said nothing" in hearing.trouble[0].problem


def test_without_room_for_it_nothing_is_begun(far: Far, home: Path) -> None:
    """What the login node says is what the person reads."""
    (home / ".cache").mkdir()
    (home / ".cache/hpc-jupyter-setup").touch()
    with pytest.raises(MachineBlocks, match=r"hpc-jupyter-setup.*(Not a directory|File exists)"):
        errand.run(far, ("touch", str(home / "calls")), lambda _: None)
    assert not (home / "calls").exists()


def test_what_nobody_fetched_goes_in_time(far: Far, home: Path) -> None:
    """The laptop never came back: a week later the next errand clears it away, and nothing younger."""
    folder = home / ".cache/hpc-jupyter-setup/errands"
    for name, day in (("old", 9), ("young", 1)):
        (folder / name).mkdir(parents=True)
        far.run("touch", "-d", f"-{day} days", str(folder / name))
    errand.run(far, ("true",), lambda _: None)
    assert [path.name for path in left(home)] == ["young"]
