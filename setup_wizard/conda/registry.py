"""`~/.conda/environments.txt`: the file in which conda looks up which environments there are.

One prefix a line, nothing else. Our line goes to the top, so that taking it out again gives back the bytes
that were there, a missing last newline included.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from setup_wizard import files
from setup_wizard.errors import SetupError
from setup_wizard.world import Progress, Report, World, make_private, silent


def path(world: World) -> Path:
    """Where the file is, or would be."""
    return world.home / ".conda" / "environments.txt"


def listed(world: World) -> list[Path]:
    """The prefixes that conda has been told of; some of them may be gone."""
    with suppress(OSError):  # not to be read, or no folder: nobody knows of any
        return [Path(line) for line in files.read_text(path(world)).splitlines() if line.startswith("/")]
    return []


def register(world: World, prefix: Path, report: Report = silent) -> None:
    """Tell conda of an environment; nothing changes when it knows already.

    It works without: where the file cannot be written, that is a warning.
    """
    try:
        with _alone(world):
            files.sweep(path(world))
            text = files.read_text(path(world))
            if str(prefix) not in text.splitlines():
                files.write_text(path(world), f"{prefix}\n{text}")
    except (SetupError, OSError) as e:
        trouble = files.cannot_write(path(world), e) if isinstance(e, OSError) else e
        report(Progress(f"conda env list may not show {prefix}: {trouble.problem.rstrip('.')}", unit="!"))


def unregister(world: World, prefix: Path) -> None:
    """Let conda forget an environment; the file stays, empty perhaps, for who knows whether it was there.

    Where it cannot be written, the line stays: conda overlooks what is gone.
    """
    with suppress(SetupError, OSError), _alone(world):
        files.sweep(path(world))
        text = files.read_text(path(world))
        rest = "".join(line for line in text.splitlines(True) if line.rstrip("\r\n") != str(prefix))
        if rest != text:
            files.write_text(path(world), rest)


@contextmanager
def _alone(world: World) -> Iterator[None]:
    """One of us at a time; conda itself takes no lock."""
    make_private(world.state)
    with (world.state / "environments.lock").open("a") as lock:
        with suppress(OSError):  # a file system without locks: the lock of the whole run must do
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
