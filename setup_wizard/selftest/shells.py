"""A new login shell, and a shell as sshd starts it for scp: do they know conda, and are they quiet?

Each is compared with one in a home that differs in one thing only: our blocks are not in its start files.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from setup_wizard import blocks, files
from setup_wizard.selftest.data import Check, Subject
from setup_wizard.world import APP, World

TIMES = 3  # of which the quickest counts
PATIENCE = 30.0  # seconds for all of them
MARK = f"__{APP}_ready__"
ASK = f'echo {MARK}; command -v conda; echo "exe=$CONDA_EXE"; conda --version'
MARKED = "HPC_JUPYTER_SETUP_PROBE"  # in the environment of all that our shells start
SETUP = f"{APP} setup"
GUARD = "case $- in *i*) ;; *) return ;; esac"

KNOWS = "A new login shell knows conda"
QUIET = "A new login shell prints nothing extra"
SILENT = "A shell as scp, sftp and rsync use it prints nothing"


class Heard(msgspec.Struct, frozen=True):
    """What a shell said, how many bytes that was, and how long it took, in seconds."""

    said: str
    bytes: int
    seconds: float


def shell_checks(world: World, subject: Subject) -> Iterator[Check]:
    """The login shell finds conda and is as quiet as before; the one of sshd says nothing."""
    program = _program(world, subject.shell)
    if not program:
        yield Check("The login shell starts", False, f"There is no {subject.shell} in PATH.", "Check PATH.")
        return
    with _shells(world, program) as shells:
        if subject.conda:
            yield from _login(shells, subject.conda)
        yield _sshd(shells)


def _login(shells: Shells, conda: Path) -> Iterator[Check]:
    heard = shells.log_in(ASK)
    if not heard:
        yield shells.never_ready(KNOWS)
        return
    yield _finds_conda(heard[0], conda)
    with_us = shells.log_in(f"echo {MARK}", times=TIMES)
    without = shells.log_in(f"echo {MARK}", plain=True, times=TIMES)
    yield _nothing_extra(with_us, without) if with_us and without else shells.never_ready(QUIET)


def _finds_conda(heard: Heard, conda: Path) -> Check:
    answer = heard.said.partition(MARK)[2].splitlines()
    exe = next((line[4:] for line in answer if line.startswith("exe=")), "")
    version = next((line for line in answer if line.startswith("conda ")), "")
    if exe and version and os.path.realpath(exe) == os.path.realpath(conda / "bin/conda"):
        return Check(KNOWS, True, f"{version} in {conda}", seconds=heard.seconds)
    seen = f"It finds {exe}" if exe else "It does not find it"
    fix = f"See what stands in the way: {APP} doctor; then: {SETUP}"
    return Check(KNOWS, False, f"{seen}, not the one in {conda}.", fix, heard.seconds)


def _nothing_extra(with_us: list[Heard], without: list[Heard]) -> Check:
    quick, plain_quick = (min(h.seconds for h in heard) for heard in (with_us, without))
    if extra := _extra(with_us[0].said, without[0].said):
        return Check(QUIET, False, f"It prints: {extra}", f"{APP} undo, then {SETUP}", quick)
    times = f"ready after {quick * 1000:.0f} ms, {plain_quick * 1000:.0f} ms without our lines"
    return Check(QUIET, True, times, seconds=quick)


def _extra(said: str, plain: str) -> str:
    """What is said before the mark and not in the plain shell; numbers (times, process ids) may differ."""
    usual = {_without_numbers(line) for line in plain.partition(MARK)[0].splitlines()}
    lines = said.partition(MARK)[0].splitlines()
    return "\n".join(line for line in lines if _without_numbers(line) not in usual)


def _without_numbers(line: str) -> str:
    return re.sub(r"\d+", "0", line)


def _sshd(shells: Shells) -> Check:
    heard = shells.as_sshd()
    if not heard:
        return shells.never_ready(SILENT)
    said, seconds = heard[0].said, heard[0].seconds
    if not said:
        return Check(SILENT, True, "0 bytes", seconds=seconds)
    before = any(h.said for h in shells.as_sshd(plain=True))
    whose = "and did so before us" if before else "and did not before us"
    detail = f"{heard[0].bytes} bytes, {whose}: {said[:200].strip()!r}"
    fix = f"Put this line at the top of the start file of {Path(shells.program).name} that prints: {GUARD}"
    return Check(SILENT, False, detail, fix, seconds)


# --- shells -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shells:
    """New shells in the user's home, or in the one at `plain`, which has no lines of ours."""

    world: World
    program: str
    plain: Path

    def log_in(self, command: str, *, plain: bool = False, times: int = 1) -> list[Heard]:
        """What the shell says on a terminal; only those shells count that got as far as the command."""
        flags = (
            "-c" if self.program.endswith("csh") else "-lic"
        )  # csh reads its file anyway, and knows no other
        heard = self._listen(["terminal", str(times), self.program, flags, command], plain)
        return [h for h in heard if MARK in h.said]

    def as_sshd(self, *, plain: bool = False) -> list[Heard]:
        """What the shell says for sshd without a terminal."""
        return self._listen(["sshd", "1", self.program, "-c", ":"], plain)

    def never_ready(self, title: str) -> Check:
        return Check(
            title,
            False,
            f"{Path(self.program).name} was not ready within {PATIENCE:.0f} s.",
            "See whether one of its start files waits for an answer or starts another program.",
            PATIENCE,
        )

    def end_what_they_left(self) -> None:
        """End the programs that start files have left running: ours were no real logins."""
        for pid, born in self.world.marked(f"{MARKED}={self.plain.name}"):
            self.world.signal(pid, born)

    def _listen(self, words: list[str], plain: bool) -> list[Heard]:
        home = self.plain if plain else self.world.home
        probe = Path(__file__).with_name("shell_probe.py")
        argv = [sys.executable, "-I", "-B", str(probe), *words]
        output = self.world.run(argv, env=self._fresh(home), cwd=home, timeout=PATIENCE)
        heard = [msgspec.json.decode(line, type=Heard) for line in output.out.splitlines()]
        at_home = str(self.world.home)
        return [msgspec.structs.replace(h, said=h.said.replace(str(self.plain), at_home)) for h in heard]

    def _fresh(self, home: Path) -> dict[str, str]:
        """The environment that sshd gives to a new shell: nothing of ours but the mark."""
        env = self.world.env
        user = env.get("USER") or env.get("LOGNAME") or "user"
        return {
            **{k: v for k, v in env.items() if k == "LANG" or k.startswith("LC_")},
            **{"HOME": str(home), "USER": user, "LOGNAME": user, "SHELL": self.program},
            **{"PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "xterm"},
            "SSH_CLIENT": "127.0.0.1 50022 22",
            "SSH_CONNECTION": "127.0.0.1 50022 127.0.0.1 22",
            "PYTHONDONTWRITEBYTECODE": "1",
            MARKED: self.plain.name,
        }


def _program(world: World, shell: str) -> str:
    own = world.env.get("SHELL", "")
    found = own if Path(own).name == shell and os.access(own, os.X_OK) else world.which(shell)
    return str(found or "")


@contextmanager
def _shells(world: World, program: str) -> Iterator[Shells]:
    with tempfile.TemporaryDirectory(prefix=f"{APP}-") as folder:
        shells = Shells(world, program, Path(folder))
        _mirror_home(world.home, shells.plain)
        try:
            yield shells
        finally:
            shells.end_what_they_left()


def _mirror_home(home: Path, plain: Path) -> None:
    """A home like the user's, all of it links, but for start files with blocks of ours: copies without."""
    for path in home.iterdir():
        if path.name.startswith(".") and _holds_our_block(path):
            files.write_text(plain / path.name, blocks.remove(files.read_text(path)))
        else:
            (plain / path.name).symlink_to(path)


def _holds_our_block(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size < 1 << 20 and bool(blocks.ours(files.read_text(path)))
    except OSError:
        return False
