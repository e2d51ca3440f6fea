"""An environment in a few figures: its Python, how many packages, and the room that it takes on disk.

The room is reckoned from the packages' records; whether a package is shared with a package cache, one file of
it tells, and of environments that share it only one record is read. That misses byte code, and what pip and
the user have added: they are seen when each file is looked at (`measure`).
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
Inode = tuple[int, int, int]  # device, number, and how many links there are
NO_INODE = (0, 0, 0)


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
        self._seen: dict[str, dict[str, _Part]] = {}  # by their Python: where files lie depends on it
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
            or (_inode(prefix, known.witness)[2] > 1) != known.linked
        ):
            seen = self._seen.setdefault(python, {})
            known = _measured(prefix, moment) if measure else _reckoned(prefix, moment, seen)
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


def _inode(prefix: Path, path: str) -> Inode:
    """Which file on the disk it is."""
    try:
        info = os.lstat(f"{prefix}/{path}")
    except OSError:
        return NO_INODE
    return info.st_dev, info.st_ino, info.st_nlink


class _Tally:
    """Adds up a room, file by file."""

    def __init__(self) -> None:
        self.own = self.shared = self.files_own = self.files_shared = 0
        self.witness, self.linked = "", False

    def add(self, size: int, linked: bool = False, files: int = 1) -> None:
        """Count so many files, of so many bytes on disk together."""
        if linked:
            self.shared, self.files_shared = self.shared + size, self.files_shared + files
        else:
            self.own, self.files_own = self.own + size, self.files_own + files

    def hear(self, path: str, linked: bool) -> None:
        """Take the first file that may be shared for a witness of the others."""
        if path and not self.witness:
            self.witness, self.linked = path, linked

    def known(self, moment: Moment, measured: bool = False) -> Known:
        """What is to be remembered."""
        room = Room(self.own, self.shared, self.files_own, self.files_shared, measured)
        return Known(room, moment, self.witness, self.linked)


# --- reckoned, from the records ---------------------------------------------------------------------------


class _Part(msgspec.Struct, frozen=True):
    """What a package takes in an environment.

    `plain` are the bytes of those of its files that are just as in the archive, so that they can be links to
    it; `sample` is one of them, and `inode` the file that it is.
    """

    plain: int
    others: int
    plain_files: int
    other_files: int
    folders: frozenset[str]
    sample: str
    inode: Inode

    @property
    def linked(self) -> bool:
        """Whether its plain files are links."""
        return self.inode[2] > 1


def _reckoned(prefix: Path, moment: Moment, seen: dict[str, _Part]) -> Known:
    """The room by the records; of a package that is linked from the same files as in `seen`, by that."""
    tally, folders = _Tally(), {"conda-meta", ""}
    for stem in contents.stems(prefix):
        part = seen.get(stem)
        if part is None or not part.linked or _inode(prefix, part.sample)[:2] != part.inode[:2]:
            if (part := _part(prefix, stem)) is None:
                continue
            seen[stem] = part
        tally.hear(part.sample, part.linked)
        tally.add(part.plain, part.linked, part.plain_files)
        tally.add(part.others, files=part.other_files)
        folders |= part.folders
    for _, info in _entries(f"{prefix}/conda-meta"):
        tally.add(_blocks(info.st_size))
    tally.add(BLOCK * len(folders), files=len(folders))
    return tally.known(moment)


def _part(prefix: Path, stem: str) -> _Part | None:
    """What the record of a package says; None where it cannot be read."""
    try:
        data = (prefix / "conda-meta" / f"{stem}.json").read_bytes()
        entries = msgspec.json.decode(data, type=contents.FileList).paths_data.paths
    except (OSError, msgspec.MsgspecError):
        return None
    plain = [e for e in entries if e.path_type == "hardlink" and e.prefix_placeholder is None]
    sample = next((e.path for e in plain if e.size_in_bytes), "")
    bytes_plain, bytes_all = (sum(_blocks(e.size_in_bytes or 0) for e in some) for some in (plain, entries))
    return _Part(
        bytes_plain,
        bytes_all - bytes_plain,
        len(plain),
        len(entries) - len(plain),
        _folders(e.path for e in entries),
        sample,
        _inode(prefix, sample) if sample else NO_INODE,
    )


def _folders(paths: Iterable[str]) -> frozenset[str]:
    """The folders that hold them, but for the environment's own."""
    found = {""}
    for path in paths:
        while (path := path.rpartition("/")[0]) not in found:
            found.add(path)
    return frozenset(found)


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
