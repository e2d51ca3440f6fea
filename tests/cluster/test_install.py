"""`connect --install` on the real cluster, interrupted wherever it is, and called again."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import subprocess
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.cluster.lab import Lab
from tests.cluster.machine import until
from tests.conftest import CACHE

pytestmark = pytest.mark.real
PLACE, LINK = ".local/share/hpc-jupyter-setup", ".local/bin/hpc-jupyter-setup"
# How far it has come, as its files tell: begun, or pip is at work and has most of it before it.
BEGUN, FILLING = "program-*", "program-*/lib/python*/site-packages/mdurl"


@pytest.fixture(scope="session")
def wheels() -> Path:
    """What the program needs, as files: the cluster reaches no index. Made once and kept."""
    needs = importlib.metadata.requires("hpc-jupyter-setup") or []
    key = hashlib.sha256("\n".join([sys.version, *needs]).encode()).hexdigest()[:12]
    folder = CACHE / f"wheels-{key}"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            pip = [sys.executable, "-m", "pip", "download", "-q", "--only-binary", ":all:"]
            subprocess.run([*pip, "-d", folder, *needs], check=True)
            (folder / "complete").touch()
    return folder


class Laptop:
    """A laptop, and an account on the cluster that has nothing of ours yet."""

    def __init__(self, lab: Lab, wheels: Path) -> None:
        self.lab, self.cluster = lab, lab.cluster
        pip = f"[install]\nno-index = true\nno-compile = true\nfind-links = {wheels}\n"
        python = Path(sys.base_prefix, "bin/python3")
        self.cluster.login.sh(
            f"rm ~/.local/bin/hpc-jupyter-setup; mkdir -p ~/bin ~/.config/pip; ln -s {python} ~/bin/python3; "
            "echo 'PATH=~/bin:$PATH' >~/.bash_profile; cat >~/.config/pip/pip.conf",
            input=pip,
        )

    def connect(self, *flags: str) -> Any:
        """`connect` on a terminal."""
        return self.lab.connect(*flags, *self.lab.words, term="dumb")

    def until(self, moment: str) -> None:
        """Wait until the installation there has come so far."""
        until(lambda: list((self.cluster.home / PLACE).glob(moment)), 60, pause=0.001)

    def until_quiet(self) -> None:
        """Wait until nothing of it runs any more, here or there."""
        until(lambda: not self.cluster.laptop.run(["pgrep", "ssh"]).stdout, 60)
        its = ["pgrep", "-f", f"python3 -$|{PLACE}"]
        until(lambda: not self.cluster.login.run(its).stdout, 120)

    @property
    def programs(self) -> list[Path]:
        """The programs there; what was begun is one, too."""
        return list((self.cluster.home / PLACE).glob("*"))

    def is_whole(self) -> bool:
        """Whether there is one program, finished and linked; if not, there is nothing at all."""
        link = self.cluster.home / LINK
        assert [path.name for path in link.parent.glob(".*")] == []
        if not link.is_symlink():
            assert self.programs == []
            return False
        (program,) = self.programs
        assert (program / "whole").exists()
        return self.cluster.login.run([f"{self.cluster.user.home}/{LINK}", "--version"]).returncode == 0


@pytest.fixture
def laptop(lab: Lab, wheels: Path) -> Laptop:
    """Alice's laptop, and her account."""
    return Laptop(lab, wheels)


def test_nothing_is_installed_unasked(laptop: Laptop) -> None:
    """Without the flag it asks; «no» is told what it needs, and leaves the account as it is."""
    terminal = laptop.connect()
    terminal.expect("Install it there")
    terminal.sendline("n")
    terminal.expect("connect login --install")
    assert ended(terminal) == 3
    assert not laptop.is_whole()


def test_interrupted_and_called_again(laptop: Laptop) -> None:
    """Ctrl-C, or the connection is cut: whole or nothing is there; called again, it goes on, to a proof."""
    terminal = laptop.connect("--install")
    laptop.until(FILLING)
    terminal.sendintr()
    assert ended(terminal) == 130
    laptop.until_quiet()
    assert not laptop.is_whole()
    terminal = laptop.connect("--install")
    laptop.until(BEGUN)
    laptop.cluster.login.kill_all("sshd")
    terminal.expect("Connect again")
    assert ended(terminal) == 4
    laptop.cluster.start_sshd("login")
    laptop.until_quiet()
    laptop.is_whole()  # or there is nothing: it went on to its next word, which nobody heard, or to its end
    ready(laptop.connect("--install"), laptop.lab)


def ended(terminal: Any) -> int:
    """The exit code of a program on a terminal."""
    terminal.expect(pexpect.EOF)
    terminal.close()
    return int(terminal.exitstatus)


def ready(terminal: Any, lab: Lab) -> None:
    """It connects; stopped, nothing is left of the session."""
    terminal.expect(r"lab.token=(\w+)", timeout=120)
    lab.secrets.add(str(terminal.match[1]))
    terminal.expect("The tunnel goes")
    terminal.sendintr()
    terminal.expect("Which one")
    terminal.sendline("s")
    terminal.expect("was stopped")
    assert ended(terminal) == 0
