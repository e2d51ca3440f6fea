"""An environment in a few figures: its Python, how many packages, and the room that it takes on disk.

The room is reckoned from the packages' records; whether a package is shared with a package cache, one file of
it tells, and of environments that share it only one record is read. Byte code is added as the cache has it by
now. What pip and the user have put there is seen when each file is looked at (`measure`).
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
from setup_wizard.conda import compiled, contents, packages
from setup_wizard.conda.compiled import Portion, Sizes
from setup_wizard.conda.room import BLOCK, Room, Tally
from setup_wizard.errors import SetupError
from setup_wizard.world import World

Moment = tuple[int, int]
Inode = tuple[int, int, int]  # device, number, and how many links there are
NO_INODE = (0, 0, 0)


class Known(msgspec.Struct, frozen=True):
    """A room, since when it is so, and a file of it that was shared then, or was not.

    `code` is the byte code that it can have beside.
    """

    room: Room
    moment: Moment
    witness: str = ""
    linked: bool = False
    code: tuple[Portion, ...] = ()


class Remembered(msgspec.Struct):
    """What is known of environments by their prefixes, and of byte code by the package cache."""

    environments: dict[str, Known] = {}
    byte_code: dict[str, Sizes] = {}


class Summary(msgspec.Struct, frozen=True):
    """The names of its records, its Python's version ("" for none), and its room."""

    stems: tuple[str, ...]
    python: str
    room: Room


class Memory:
    """What is known of the room that environments take, kept in our cache; forgotten where there is none."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._path = world.cache / "environments.json"
        self._may_write = world.cache.is_dir()
        self._kept = _read(self._path)
        self._known = self._kept.environments
        self._sizes: dict[Path, Sizes] = {}
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
        return Summary(stems, python, self._with_byte_code(prefix, known) if known.code else known.room)

    def _with_byte_code(self, prefix: Path, known: Known) -> Room:
        """The room with the byte code that is in the cache, if the environment has any of it."""
        there = self._sizes_in(packages.folder(self._world, prefix))
        code = [portion for portion in known.code if portion.folder in there]
        links = _inode(prefix, code[0].witness)[2] if code else 0
        if not links:
            return known.room
        tally = Tally(known.room)
        for portion in code:
            size, files = there[portion.folder]
            tally.add(size, links > 1, files)
            tally.add(portion.folders * BLOCK, files=portion.folders)
        return tally.room()

    def _sizes_in(self, cache: Path) -> Sizes:
        if cache not in self._sizes:
            before = self._kept.byte_code.get(str(cache), {})
            self._sizes[cache] = self._kept.byte_code[str(cache)] = compiled.sizes(cache, before)
            self._changed |= self._sizes[cache] != before
        return self._sizes[cache]

    def keep(self) -> None:
        """Write down what was found, where we have a cache; that it cannot be written harms nobody."""
        if self._changed and self._may_write:
            there = {prefix: known for prefix, known in self._known.items() if os.path.isdir(prefix)}
            caches = {cache: sizes for cache, sizes in self._kept.byte_code.items() if os.path.isdir(cache)}
            with contextlib.suppress(OSError, SetupError):
                files.write(self._path, msgspec.json.encode(Remembered(there, caches)), mode=0o600)


def version_of(package: str, stems: Iterable[str]) -> str:
    """The version of a package among records: "3.12.4"; "" where it is not there."""
    return next((s.rsplit("-", 2)[1] for s in stems if contents.name_of(s) == package), "")


def library(prefix: Path, python: str) -> Path:
    """The folder of that Python's own modules, which it reads whenever it starts."""
    return prefix / "lib" / f"python{'.'.join(python.split('.')[:2])}"


def _read(path: Path) -> Remembered:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Remembered)
    except (OSError, msgspec.MsgspecError):
        return Remembered()


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


# --- reckoned, from the records ---------------------------------------------------------------------------


class _Part(msgspec.Struct, frozen=True):
    """What a package takes in an environment.

    `plain` are the bytes of those of its files that are just as in the archive, so that they can be links to
    it; `sample` is one of them, and `inode` the file that it is. `code` is the byte code that it can have.
    """

    plain: int
    others: int
    plain_files: int
    other_files: int
    folders: frozenset[str]
    sample: str
    inode: Inode
    code: Portion | None

    @property
    def linked(self) -> bool:
        """Whether its plain files are links."""
        return self.inode[2] > 1


def _reckoned(prefix: Path, moment: Moment, seen: dict[str, _Part]) -> Known:
    """The room by the records; of a package that is linked from the same files as in `seen`, by that."""
    tally, folders = Tally(), {"conda-meta", ""}
    code: list[Portion] = []
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
        code += [part.code] if part.code else []
    for _, info in _entries(f"{prefix}/conda-meta"):
        tally.add(_blocks(info.st_size))
    tally.add(BLOCK * len(folders), files=len(folders))
    return Known(tally.room(), moment, tally.witness, tally.linked, tuple(code))


def _part(prefix: Path, stem: str) -> _Part | None:
    """What the record of a package says; None where it cannot be read."""
    try:
        data = (prefix / "conda-meta" / f"{stem}.json").read_bytes()
        package = msgspec.json.decode(data, type=compiled.Package)
    except (OSError, msgspec.MsgspecError):
        return None
    entries = package.paths_data.paths
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
        compiled.portion(stem, package),
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
    tally, todo = Tally(), [""]
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
    return Known(tally.room(measured=True), moment, tally.witness, tally.linked)


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
