"""A second environment like one that is there: its files linked, and the prefix in them rewritten.

Only from a twin that is ours, whole, and as we left it: the same was asked for, the same packages answer to
it, and no file was changed or lost since. Whatever speaks against it raises Unlike, and the engine installs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from setup_wizard import trees
from setup_wizard.conda import contents, registry, relocate
from setup_wizard.conda.spec import EnvSpec, digest
from setup_wizard.conda.talk import Package
from setup_wizard.world import World

HANDS = 2  # threads: more would only wait for each other
TAG = "CACHEDIR.TAG"
ENTRY_POINT = "unix_python_entry_point"  # a script that installing writes: no package holds it


T = TypeVar("T")


class Unlike(Exception):
    """The environment is no twin, or cannot be copied to the other place."""


class File(msgspec.Struct, frozen=True, rename={"path": "_path"}):
    """A file of a package: how it was in the archive, and how installing changed it."""

    path: str
    path_type: str = "hardlink"
    size_in_bytes: int | None = None
    sha256: str = ""
    sha256_in_prefix: str | None = None
    file_mode: str = ""
    prefix_placeholder: str | None = None

    @property
    def rewritten(self) -> bool:
        """Whether the prefix is written in it."""
        return self.prefix_placeholder is not None or self.path_type == ENTRY_POINT


class Files(msgspec.Struct, frozen=True):
    """The part of a record that lists files."""

    paths: tuple[File, ...] = ()


class Record(msgspec.Struct, frozen=True):
    """An installed package: what it is, where it came from, and its files."""

    name: str
    version: str
    build: str
    url: str = ""
    sha256: str = ""
    noarch: str | None = None
    paths_data: Files = Files()


def find(world: World, prefix: Path, spec: EnvSpec) -> Path | None:
    """An environment of ours on the same file system that came of the same request; None: there is none."""
    if spec.pip:
        return None  # what pip has put there is in no record
    device = os.stat(_existing(prefix)).st_dev
    return next((p for p in registry.listed(world) if p != prefix and _may_be(world, p, spec, device)), None)


def copy(twin: Path, building: Path, prefix: Path, wanted: Iterable[Package]) -> None:
    """Put into `building`, which will be renamed to `prefix`, what the twin holds. Raises Unlike, OSError.

    `wanted` is the solution; it has to be just what the twin holds. What the user, pip or conda has added
    to the twin stays there.
    """
    note = _moment(twin)
    records = records_of(twin)
    if {_identity(r) for r in records.values()} != {_identity(p) for p in wanted}:
        raise Unlike(f"{twin} holds other packages")
    try:
        _link(twin, building, prefix, (f for r in records.values() for f in r.paths_data.paths), note)
        for stem, record in records.items():
            write_record(twin, building, stem, record)
    except relocate.Unfit as e:
        raise Unlike(str(e)) from e
    except FileNotFoundError as e:
        raise Unlike(f"{e.filename} is gone") from e
    if (twin / TAG).exists():
        shutil.copy2(twin / TAG, building / TAG)
    (building / "conda-meta" / "history").touch()
    if _moment(twin) != note:
        raise Unlike(f"{twin} was changed while it was copied")


def _may_be(world: World, prefix: Path, spec: EnvSpec, device: int) -> bool:
    note = contents.whole(prefix)
    if note is None or note.pip or note.spec != digest(spec) or trees.is_open(world, prefix):
        return False
    scripts = any(prefix.glob("bin/.*-link.sh"))  # what they did is in no record
    return not scripts and os.stat(prefix).st_dev == device and note.records == contents.stems(prefix)


def _moment(twin: Path) -> int:
    """Since when a change in it is somebody else's; the note goes before we change anything ourselves."""
    try:
        return (twin / contents.WHOLE).stat().st_mtime_ns
    except OSError:
        raise Unlike(f"{twin} is not whole") from None


def records_of(twin: Path) -> dict[str, Record]:
    """The installed packages with their files, by the names of their records. Raises Unlike."""
    decode = msgspec.json.Decoder(Record).decode
    try:
        return {s: decode((twin / "conda-meta" / f"{s}.json").read_bytes()) for s in contents.stems(twin)}
    except (OSError, msgspec.MsgspecError) as e:
        raise Unlike(f"{twin}: {e}") from e


def files_of(record: Record, site: str) -> Iterator[File]:
    """The files of a package where they lie; `site` is where Python's packages are."""
    any_python = site and record.noarch == "python"
    for file in record.paths_data.paths:
        path = contents.placed(file.path, site) if any_python else file.path
        yield file if path == file.path else msgspec.structs.replace(file, path=path)


def _identity(package: Package | Record) -> tuple[str, ...]:
    return (package.name, package.version, package.build, package.url, package.sha256)


def _link(twin: Path, building: Path, prefix: Path, them: Iterable[File], note: int) -> None:
    """Folders first, then a link for each file; the few that hold the prefix are written anew."""
    once = {f.path: f for f in them}  # two packages may bring the same file; the twin holds one of them
    for folder in _folders(once):
        os.mkdir(f"{building}/{folder}")
    files = list(once.items())
    with ThreadPoolExecutor(HANDS) as pool:  # the kernel does the work, so that threads share it
        parts = [pool.submit(_link_these, some, twin, building, prefix, note) for some in _shares(files)]
    for part in parts:
        part.result()


def _shares(files: list[T]) -> list[list[T]]:
    """As many runs of neighbours as there are hands: two that fill the same folder would wait in turn."""
    size = -(-len(files) // HANDS)
    return [files[n * size : (n + 1) * size] for n in range(HANDS)]


def _link_these(
    them: Iterable[tuple[str, File]], twin: Path, building: Path, prefix: Path, note: int
) -> None:
    source, target = f"{twin}/", f"{building}/"
    for path, file in them:
        info = os.lstat(source + path)
        if info.st_mtime_ns > note:
            raise Unlike(f"{source}{path} was changed")
        if file.path_type == "softlink":
            os.symlink(os.readlink(source + path), target + path)
        elif file.rewritten:
            _write(source + path, target + path, _moved(Path(source + path), file, twin, prefix))
        elif file.size_in_bytes is not None and info.st_size != file.size_in_bytes:
            raise Unlike(f"{source}{path} has another size")
        else:
            _link_one(source + path, target + path)


def _folders(paths: Iterable[str]) -> list[str]:
    """The folders of these paths, each of them before those in it; that of the records is there already."""
    found = {"conda-meta", ""}
    for path in paths:
        while (path := path.rpartition("/")[0]) not in found:
            found.add(path)
    return sorted(found - {"conda-meta", ""})


def _link_one(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as e:
        if isinstance(e, (FileNotFoundError, FileExistsError)):
            raise
        shutil.copy2(source, target, follow_symlinks=False)  # a file can have only so many links


def _moved(path: Path, file: File, twin: Path, prefix: Path) -> bytes:
    data = path.read_bytes()
    known = file.sha256_in_prefix or (file.sha256 if file.path_type == ENTRY_POINT else "")
    if known and hashlib.sha256(data).hexdigest() != known:
        raise Unlike(f"{path} was changed")
    if file.file_mode == "binary":
        return relocate.in_binary(data, str(twin), str(prefix), len(file.prefix_placeholder or ""))
    return relocate.in_text(data, str(twin), str(prefix))


def _write(source: str, target: str, data: bytes) -> None:
    Path(target).write_bytes(data)
    shutil.copymode(source, target)


def write_record(twin: Path, building: Path, stem: str, record: Record) -> None:
    """The record as it is there, with the hashes of those files that were written anew."""
    name = f"conda-meta/{stem}.json"
    data = (twin / name).read_bytes()
    for file in record.paths_data.paths:
        was = file.sha256_in_prefix or file.sha256
        if file.rewritten and was:
            is_now = hashlib.sha256((building / file.path).read_bytes()).hexdigest()
            data = data.replace(was.encode(), is_now.encode())
    (building / name).write_bytes(data)


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)
