"""A program beside us that we watch and end, and the port that it is to have; it does not outlive us."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1  # prctl(2): the kernel tells the child when we die, however we die


def start(argv: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start it, with what it prints at the end of `log`. It hears the signals that we have blocked."""
    with log.open("ab") as out:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
            preexec_fn=_ends_with_us(),
        )


def hold(address: str) -> tuple[socket.socket, int]:
    """A port that is nobody else's. A child may still listen on it, as this socket never does."""
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((address, 0))
    return held, int(held.getsockname()[1])


def _ends_with_us() -> Callable[[], None]:
    libc, us = ctypes.CDLL(None), os.getpid()  # looked up before the fork: after it, little is safe

    def in_the_child() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != us:
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    return in_the_child
