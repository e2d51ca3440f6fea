"""Machines that are no Linux. Neither is here: each is simulated by what it lacks, and named so."""

from __future__ import annotations

import subprocess
import sys

import pytest

from setup_wizard.errors import MachineBlocks

# What Windows lacks, taken away before anything of ours is read; Python's own parts are those of Linux.
WINDOWS = """
import signal, subprocess, sys, typer, rich.console
for name in ("pwd", "grp", "resource", "fcntl", "termios", "pty", "tty"):
    sys.modules[name] = None
for name in ("SIGHUP", "SIGKILL", "SIGALRM", "SIGPIPE", "SIGXFSZ", "pthread_sigmask"):
    delattr(signal, name)
sys.platform = "win32"
from setup_wizard.cli import main
main()
"""


def on_windows(*words: str) -> subprocess.CompletedProcess[str]:
    """The program where all is missing that Windows does not have."""
    argv = [sys.executable, "-c", WINDOWS, *words]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("words", [("--version",), ("--help",), ("connect", "--help"), ("launch", "-h")])
def test_on_windows_it_can_be_read_about(words: tuple[str, ...]) -> None:
    """The help of each command, its flags and all."""
    done = on_windows(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        (("connect", "alice@login"), "hpc-jupyter-setup launch --access tunnel"),
        (("launch",), "Log in to the cluster"),
        (("setup", "--yes"), "Log in to the cluster"),
        ((), "Log in to the cluster"),
    ],
)
def test_on_windows_the_rest_is_refused_with_what_to_do(words: tuple[str, ...], instead: str) -> None:
    """In words, and before anything is tried; no traceback of a module that is missing."""
    done = on_windows(*words)
    assert done.returncode == MachineBlocks.code
    assert "does not run on Windows" in done.stderr
    assert instead in done.stderr
    assert "Traceback" not in done.stderr
