"""Processes that go on without us, or in our place; and which ones there are."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

FAREWELL = 3.0  # seconds between the request to end and the end


class Started:
    """A program that goes on without us, until we say that it is to end. Its birth need not be known."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child

    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._child.poll() is None

    def end(self) -> None:
        """End it, and wait until it has; safe twice."""
        if self.runs():
            self._child.terminate()
            try:
                self._child.wait(FAREWELL)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()

    def __del__(self) -> None:
        self._child.returncode = 0  # whoever lets go of it leaves it alone


def start(argv: Sequence[str], *, log: Path, env: Mapping[str, str], cwd: Path | None) -> Started:
    """Start a program that outlives us, its output in `log` (0600)."""
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as out:
        return Started(
            subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        )


def born(pid: int) -> str:
    """When process `pid` started, as the kernel counts; "" when there is none (or only a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def signalled(pid: int, birth: str, number: int) -> bool:
    """Send a signal to the process of that birth; False when it is gone."""
    if not birth or born(pid) != birth:
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def detach(log: Path) -> int:
    """Go on as a process that belongs to no terminal and no caller, with what it prints in `log` (0600).

    Gives that process's id to the caller, when nothing can take it along any more, and 0 to itself.
    """
    ready, done = os.pipe()
    if pid := os.fork():
        os.close(done)
        os.read(ready, 1)
        os.close(ready)
        return pid
    os.setsid()
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for fd, target in ((os.open(os.devnull, os.O_RDONLY), 0), (out, 1), (out, 2)):
        os.dup2(fd, target)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):  # the folder that was just listed
                os.close(int(name))  # the caller's pipes and locks, and the end of `done`
    return 0


def marked(mark: str) -> list[tuple[int, str]]:
    """Pid and birth of each other process of this user that has `mark` ("NAME=value") in its environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):  # gone meanwhile, or somebody else's
                if f"\0{mark}\0".encode() in b"\0" + (entry / "environ").read_bytes() + b"\0":
                    found.append((int(entry.name), born(int(entry.name))))
    return [(pid, birth) for pid, birth in found if birth]


def programs() -> dict[int, Path]:
    """The program of each process of this user, by its id, but for us and whom we come from."""
    found, us = {}, _line()
    with contextlib.suppress(OSError):  # a system without /proc
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) not in us:
                with contextlib.suppress(OSError):  # gone meanwhile, or somebody else's
                    if entry.stat().st_uid == os.getuid():
                        found[int(entry.name)] = Path(os.readlink(entry / "exe"))
    return found


def _line() -> set[int]:
    """We, who has started us, and so on."""
    line, pid = set(), os.getpid()
    while pid and pid not in line:
        line.add(pid)
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
    return line


def become(program: Path, argv: Sequence[str], env: Mapping[str, str]) -> NoReturn:
    """Be another program from now on, with our process id, standard input, output and error.

    Signals that Python ignores get their meaning back. A text that names no program to run it is a script of
    a shell. Raises OSError.
    """
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execve(program, list(argv), env)
    except OSError as e:
        if e.errno != errno.ENOEXEC:
            raise
    os.execve("/bin/sh", ["sh", str(program), *argv[1:]], env)
