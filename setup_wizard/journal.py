"""The journal: append-only JSON lines, on disk before we go on. Folded, it is the receipt.

A torn last line did not happen.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from setup_wizard import __version__, files
from setup_wizard.errors import BadJournal, Busy, SetupError
from setup_wizard.receipt import (
    Began,
    Entry,
    Event,
    Made,
    Opened,
    Planned,
    Receipt,
    Restored,
    Undone,
    fold,
)
from setup_wizard.world import World

__all__ = [
    "Began",
    "Entry",
    "Event",
    "Journal",
    "Made",
    "Opened",
    "Planned",
    "Receipt",
    "Restored",
    "Undone",
    "fold",
    "read",
]

FORMAT = 1
PATIENCE = 20.0  # seconds for the programs of a run that was killed to end


class Journal:
    """The journal of one account, locked for this process while it is used as a context."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.path = world.state / "journal.jsonl"
        self.events: list[Event] = read(self.path)
        self._lock: int | None = None
        self._depth = 0

    @property
    def receipt(self) -> Receipt:
        """What is ours now, oldest first, by the key of its step."""
        return {key: entry for key, entry in self.everything.items() if not entry.aside}

    @property
    def everything(self) -> Receipt:
        """The same with what was set aside: all that an undo has to look at."""
        return fold(self.events)

    def __enter__(self) -> Journal:
        if not self._depth:
            self._open()
        self._depth += 1
        return self

    @property
    def is_there(self) -> bool:
        """Whether anything of ours is, even if a crash came before the first line."""
        return self.world.state.exists() or self._note.exists()

    @property
    def _note(self) -> Path:
        """Says which folders were absent, as long as the journal cannot: at its very beginning and end."""
        return self.world.home / ".hpc-jupyter-setup-begun"

    def _absent(self) -> tuple[Path, ...]:
        """The folders that were absent before ours, as noted when our making them began."""
        try:
            return msgspec.json.decode(self._note.read_bytes(), type=tuple[Path, ...], dec_hook=_decode)
        except (FileNotFoundError, msgspec.DecodeError):  # none, or torn: nothing was made yet
            absent = files.absent(self.world.state) + files.absent(self.world.cache)
        self._note_down(absent)
        return absent

    def _note_down(self, absent: tuple[Path, ...]) -> None:
        with open(os.open(self._note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as note:
            note.write(msgspec.json.encode(absent, enc_hook=_encode))
            note.flush()
            os.fsync(note.fileno())

    def _open(self) -> None:
        try:
            absent = self._absent() if not self.events else ()
            for folder in (self.world.state, self.world.cache):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(self.world.state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as e:
            raise files.cannot_write(self.world.state, e) from e
        self._take_lock()
        _drop_torn_line(self.path)
        self.events = read(self.path)
        if not self.events:
            self.append(Opened(FORMAT, __version__, absent))
        self._note.unlink(missing_ok=True)

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._lock is not None and not self._depth:
            self.world.inherit.remove(self._lock)
            self._held.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    @property
    def _held(self) -> Path:
        """The lock where the file system has none (some of Lustre, old NFS): who makes it, holds it."""
        return self.world.state / "held"

    def _take_lock(self) -> None:
        """Hold the lock; the programs that we start hold it too, so that none of them is ever left behind."""
        assert self._lock is not None
        deadline = self.world.now() + PATIENCE
        while not _locked(self._lock, self._held):
            holder = os.pread(self._lock, 100, 0).decode(errors="replace").strip()
            if self._is_alive(holder) or self.world.now() > deadline:
                os.close(self._lock)
                self._lock = None
                raise _busy(holder)
            self._held.unlink(missing_ok=True)  # the holder is no more
            self.world.sleep(0.05)
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()} on {self.world.hostname}\n".encode(), 0)
        self.world.inherit.append(self._lock)

    def _is_alive(self, holder: str) -> bool:
        """Whether the run that holds the lock is at work; of one on another host we cannot know."""
        pid, _, host = holder.partition(" on ")
        return host != self.world.hostname or not pid.isdigit() or bool(self.world.born(int(pid)))

    def append(self, event: Event) -> None:
        """Write one event, and return when it is on the disk."""
        line = msgspec.json.encode(event, enc_hook=_encode) + b"\n"
        try:
            fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                _write_all(fd, line)
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as e:
            raise files.cannot_write(self.path, e) from e
        if not self.events:
            files.sync_folder(self.path.parent)
        self.events.append(event)

    def forget(self) -> None:
        """Remove our own folders: journal, backups, downloads and packages. The last act of an undo."""
        absent = next((e.absent for e in self.events if isinstance(e, Opened)), ())
        self._note_down(absent)
        shutil.rmtree(self.world.cache, ignore_errors=True)
        shutil.rmtree(self.world.state, ignore_errors=True)
        files.remove_absent(absent)
        self._note.unlink()
        self.events = []


def read(path: Path) -> list[Event]:
    """The events of a journal file; none when there is no file. Raises BadJournal."""
    return list(_events(path))


def _events(path: Path) -> Iterator[Event]:
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    except OSError as e:
        raise BadJournal(f"{path} could not be read: {e.strerror}.", fix=f"ls -l {path}") from e
    for number, line in enumerate(lines[:-1], 1):  # what stands after the last newline is torn
        try:
            event = _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as e:
            raise _unreadable(path, number, line, e) from e
        if isinstance(event, Opened) and event.format > FORMAT:
            raise _too_new(path, event.version)
        yield event


def _locked(fd: int, instead: Path) -> bool:
    """Whether we hold the lock now; where there are no locks, by having made the file `instead`."""
    with contextlib.suppress(BlockingIOError, FileExistsError):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            instead.touch(0o600, exist_ok=False)
        return True
    return False


def _busy(holder: str) -> Busy:
    return Busy(
        f"Another run is at work on this account (process {holder or 'unknown'}).",
        fix=f"Wait until it has finished, then run again. To see it: ps -f {holder.split(' ')[0]}",
    )


def _unreadable(path: Path, number: int, line: bytes, e: Exception) -> SetupError:
    if isinstance(e, msgspec.ValidationError) and number > 1:
        return _too_new(path, f"one that writes: {e}")
    return BadJournal(
        f"{path}:{number}: this line of the journal is damaged ({e}).",
        fix=f"Nothing was changed. Keep a copy (cp {path} ~), delete line {number} with an editor, "
        "and look at `hpc-jupyter-setup status`: what only that line knew will not be undone.",
    )


def _too_new(path: Path, version: str) -> BadJournal:
    return BadJournal(
        f"{path} was written by a newer version of hpc-jupyter-setup ({version}); this is {__version__}.",
        fix="pip install --upgrade hpc-jupyter-setup",
    )


def _drop_torn_line(path: Path) -> None:
    """Cut off what a crash left of a line that did not happen."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    if data and not data.endswith(b"\n"):
        os.truncate(path, data.rfind(b"\n") + 1)


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _encode(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(type(value))


def _decode(kind: type, value: object) -> object:
    if kind is Path or issubclass(kind, Path):
        return Path(str(value))
    raise TypeError(kind)


_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event, dec_hook=_decode)
