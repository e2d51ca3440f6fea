"""A sign of life from the login node, once a second, for as long as a session goes on there.

Silence is a cut, noticed within seconds on every way in; the end is heard as soon as it is noted there.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from setup_wizard.far import Far
from setup_wizard.session import END
from setup_wizard.world import Started

SILENCE = 3.0  # seconds
OVER = "over"
# The list is read anew each time: a network file system would go on saying that a new file is not there. It
# ends with the connection, as nobody hears it then.
BEATS = (
    f'while test -d "$0"; do if ls "$0" | grep -qx {END}; then break; fi; echo; sleep 1; done; echo {OVER}'
)


class Pulse:
    """The pulse of the session that has this folder there."""

    def __init__(self, far: Far, folder: str) -> None:
        self.far, self.folder = far, folder
        self.log = far.folder / "log-pulse"
        self._carrier: Started | None = None
        self._size, self._heard = 0, 0.0

    def start(self) -> None:
        """Hear it, through the connection as it is now."""
        self.stop()
        self.log.unlink(missing_ok=True)
        world = self.far.world
        there = shlex.join(("sh", "-c", BEATS, self.folder))
        self._carrier = world.start(self.far.through(there), log=self.log, env=world.env, cwd=world.home)
        self._size, self._heard = 0, world.now()

    def stop(self) -> None:
        """Hear it no longer."""
        if self._carrier:
            self._carrier.end()

    def is_silent(self) -> bool:
        """Whether it was heard, and is not any more."""
        size, now = self._written(), self.far.world.now()
        if size != self._size:
            self._size, self._heard = size, now
        return size > 0 and now - self._heard > SILENCE and not self.is_over()

    def is_over(self) -> bool:
        """Whether the end of the session was noted there."""
        return self._written() > 0 and self.log.read_text().endswith(f"{OVER}\n")

    def _written(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0


@contextmanager
def heard(far: Far, folder: str) -> Iterator[Pulse]:
    """The pulse of a session, heard while the block runs."""
    pulse = Pulse(far, folder)
    pulse.start()
    try:
        yield pulse
    finally:
        pulse.stop()
