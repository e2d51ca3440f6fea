"""An environment in a few figures: its Python, how many packages, and the room that it takes on disk.

The room is reckoned from the packages' records; whether a package is shared with a package cache, one file of
it tells. That misses byte code, and what pip and the user have added: they are seen when each file is looked
at (`measure`).
Both are remembered, as long as nothing was installed or removed.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from setup_wizard import files
from setup_wizard.conda import contents
from setup_wizard.errors import SetupError
from setup_wizard.world import World

BLOCK = 4096  # bytes in which file systems give room away; a folder takes one
Moment = tuple[int, int]


class Room(msgspec.Struct, frozen=True):
    """Bytes and files on disk: its own, and those that are hard links to a package cache or to another.

    Folders count as files, as they do for quotas. `measured`: each file was looked at.
    """

    own: int = 0
    shared: int = 0
    files_own: int = 0
    files_shared: int = 0
    measured: bool = False

    @property
    def files(self) -> int:
        """All of its files and folders."""
        return self.files_own + self.files_shared


class Known(msgspec.Struct, frozen=True):
    """A room, since when it is so, and a file of it that was shared then, or was not."""

    room: Room
    moment: Moment
    witness: str = ""
    linked: bool = False


class Summary(msgspec.Struct, frozen=True):
    """The names of its records, its Python's version ("" for none), and its room."""

    stems: tuple[str, ...]
    python: str
    room: Room


class Memory:
    """What is known of the room that environments take, kept in our cache; forgotten where there is none."""

    def __init__(self, world: World) -> None:
        self._path = world.cache / "environments.json"
        self._may_write = world.cache.is_dir()
        self._known = _read(self._path)
        self._changed = False

    def summary(self, prefix: Path, measure: bool = False) -> Summary:
        """The figures of an environment; `measure` looks at each of its files anew."""
        stems = contents.stems(prefix)
        python = version_of("python", stems)
        moment, known = _moment(prefix, python), self._known.get(str(prefix))
        if (
            measure
            or known is None
            or known.moment != moment
            or _links(prefix, known.witness) != known.linked
        ):
            known = _measured(prefix, moment) if measure else _reckoned(prefix, moment)
            self._known[str(prefix)], self._changed = known, True
        return Summary(stems, python, known.room)

    def keep(self) -> None:
        """Write down what was found, where we have a cache; that it cannot be written harms nobody."""
        if self._changed and self._may_write:
            there = {prefix: known for prefix, known in self._known.items() if os.path.isdir(prefix)}
            with contextlib.suppress(OSError, SetupError):
                files.write(self._path, msgspec.json.encode(there), mode=0o600)


def version_of(package: str, stems: Iterable[str]) -> str:
    """The version of a package among records: "3.12.4"; "" where it is not there."""
    return next((s.rsplit("-", 2)[1] for s in stems if contents.name_of(s) == package), "")


def library(prefix: Path, python: str) -> Path:
    """The folder of that Python's own modules, which it reads whenever it starts."""
    return prefix / "lib" / f"python{'.'.join(python.split('.')[:2])}"


def _read(path: Path) -> dict[str, Known]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Known])
    except (OSError, msgspec.MsgspecError):
        return {}


def _moment(prefix: Path, python: str) -> Moment:
    """When packages, and those of pip, were installed last."""
    return _changed(f"{prefix}/conda-meta"), _changed(f"{library(prefix, python)}/site-packages")


def _changed(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0


def _links(prefix: Path, path: str) -> bool:
    """Whether a file is one of several hard links."""
    try:
        return os.lstat(f"{prefix}/{path}").st_nlink > 1
    except OSError:
        return False


class _Tally:
    """Adds up a room, file by file."""

    def __init__(self) -> None:
        self.own = self.shared = self.files_own = self.files_shared = 0
        self.witness, self.linked = "", False

    def add(self, size: int, linked: bool = False) -> None:
        """Count a file of so many bytes on disk."""
        if linked:
            self.shared, self.files_shared = self.shared + size, self.files_shared + 1
        else:
            self.own, self.files_own = self.own + size, self.files_own + 1

    def hear(self, path: str, linked: bool) -> None:
        """Take the first file that may be shared for a witness of the others."""
        if path and not self.witness:
            self.witness, self.linked = path, linked

    def known(self, moment: Moment, measured: bool = False) -> Known:
        """What is to be remembered."""
        room = Room(self.own, self.shared, self.files_own, self.files_shared, measured)
        return Known(room, moment, self.witness, self.linked)


# --- reckoned, from the records ---------------------------------------------------------------------------


def _reckoned(prefix: Path, moment: Moment) -> Known:
    tally, folders = _Tally(), {"conda-meta", ""}
    for package in _file_lists(prefix):
        entries = package.paths_data.paths
        sample = next((e.path for e in entries if _is_plain(e) and e.size_in_bytes), "")
        linked = bool(sample) and _links(prefix, sample)
        tally.hear(sample, linked)
        for entry in entries:
            folder = entry.path
            while (folder := folder.rpartition("/")[0]) not in folders:
                folders.add(folder)
            tally.add(_blocks(entry.size_in_bytes or 0), linked and _is_plain(entry))
    for _, info in _entries(f"{prefix}/conda-meta"):
        tally.add(_blocks(info.st_size))
    for _ in folders:
        tally.add(BLOCK)
    return tally.known(moment)


def _file_lists(prefix: Path) -> Iterator[contents.FileList]:
    """The files of each package whose record can be read."""
    decode = msgspec.json.Decoder(contents.FileList).decode
    for stem in contents.stems(prefix):
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            yield decode((prefix / "conda-meta" / f"{stem}.json").read_bytes())


def _is_plain(entry: contents.PathEntry) -> bool:
    """Whether it is just as in the archive, so that it can be a link to it."""
    return entry.path_type == "hardlink" and entry.prefix_placeholder is None


def _blocks(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


# --- measured ---------------------------------------------------------------------------------------------


def _measured(prefix: Path, moment: Moment) -> Known:
    tally, todo = _Tally(), [""]
    while todo:
        folder = todo.pop()
        tally.add(BLOCK)
        for name, info in _entries(f"{prefix}/{folder}"):
            if stat.S_ISDIR(info.st_mode):
                todo.append(f"{folder}{name}/")
            else:
                linked = info.st_nlink > 1
                tally.add(info.st_blocks * 512, linked)
                tally.hear(f"{folder}{name}" if linked else "", linked)
    return tally.known(moment, measured=True)


def _entries(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """What is in a folder. That we look does not count as reading it, for that tells who uses it."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOATIME)
    except OSError:  # not ours, or no such folder
        fd = -1
    try:
        with os.scandir(folder if fd < 0 else fd) as entries:
            for entry in entries:
                yield entry.name, entry.stat(follow_symlinks=False)
    except OSError:
        return
    finally:
        if fd >= 0:
            os.close(fd)
