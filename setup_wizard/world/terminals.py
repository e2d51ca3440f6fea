"""A program on a terminal of its own: it believes that a person sits there, and what it says is kept."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import pty
import signal
import subprocess
import termios
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from setup_wizard.errors import MachineBlocks
from setup_wizard.world.programs import hear_again, unheard

BLOCK = 4096
INTERRUPT = "\x03"  # what Ctrl-C types


class Terminal:
    """It is hung up when `close` is called, and by the kernel when we die, however we die."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path) -> None:
        self.log = log
        self._ours, its = pty.openpty()
        os.set_inheritable(self._ours, False)
        try:
            with unheard() as mask:
                self._child = subprocess.Popen(
                    argv,
                    stdin=its,
                    stdout=its,
                    stderr=its,
                    env=dict(env),
                    cwd=cwd,
                    start_new_session=True,
                    preexec_fn=functools.partial(_take_terminal, mask),
                )
        except OSError as e:
            os.close(self._ours)
            raise MachineBlocks(f"{argv[0]} cannot be started: {e.strerror}.", fix=f"which {argv[0]}") from e
        finally:
            os.close(its)
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    @property
    def code(self) -> int | None:
        """The exit code; None as long as it runs."""
        return self._child.poll()

    @property
    def said(self) -> str:
        """All that it has printed so far."""
        return self.log.read_text(errors="replace").replace("\r", "")

    def type(self, text: str) -> None:
        """Type something; into the wind when it has ended."""
        with contextlib.suppress(OSError):
            os.write(self._ours, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C there."""
        self.type(INTERRUPT)

    def close(self) -> None:
        """Hang up, and wait until it has ended; safe twice."""
        if self._child.poll() is None:
            os.killpg(self._child.pid, signal.SIGHUP)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(5)
        if self._child.poll() is None:
            os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()
        self._keeper.join(1)
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1

    def _keep(self) -> None:
        """Keep what it says; it would stop when nobody read."""
        with contextlib.suppress(OSError), self.log.open("ab", buffering=0) as log:  # EIO: it has ended
            while block := os.read(self._ours, BLOCK):
                log.write(block)


def _take_terminal(mask: set[signal.Signals]) -> None:
    hear_again(mask)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
