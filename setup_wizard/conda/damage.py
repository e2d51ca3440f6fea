"""The files of an environment held against its packages' records: what is gone, what was changed.

A look by size and time opens next to no file: one that is younger than our note is read, since a mere touch
is no damage. A look at every byte reads them all. Nor is it damage where pip has put its own: `dists`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import msgspec

from setup_wizard import trees
from setup_wizard.conda import byte_code, contents, dists
from setup_wizard.conda.dists import Dist

HANDS = 4  # threads that read: the hash is made without the interpreter's lock
BLOCK = 1 << 20  # bytes
MADE_HERE = "unix_python_entry_point"  # a script that installing writes; its hash is that of what was written
AS_THEY_COME = ("pyc_file", "directory")  # byte code may be lost or made again at any time
# What conda and mamba leave where a file was in use: foo.so.c~, foo.conda_trash_1, foo.mamba_trash.
# What a killed write of ours leaves: .foo.hpc-jupyter-setup-x1.
ASIDE = ".c~"  # so an editor may have kept a foo.c, too
LEFT = re.compile(r"\.c~$|\.(?:conda|mamba)_trash(?:_\d+)?$|(?:^|/)\.[^/]+\.hpc-jupyter-setup-[^/]+$")
# Byte code, which Python reads only where the source is: lib/python3.12/x/__pycache__/y.cpython-312.pyc.
COMPILED = re.compile(r"(lib/py.*/)__pycache__/([^/.]+)\.[^/]*\.pyc")

How = Literal["gone", "changed"]


class Flaw(msgspec.Struct, frozen=True):
    """A file that is not as its package has it."""

    path: str
    how: How


class Entry(msgspec.Struct, frozen=True, rename={"path": "_path"}):
    """A file of a package: its size and hash in the archive, and its hash with the prefix written into it."""

    path: str
    path_type: str = "hardlink"
    size_in_bytes: int | None = None
    sha256: str | None = None
    sha256_in_prefix: str | None = None
    prefix_placeholder: str | None = None

    @property
    def rewritten(self) -> bool:
        return self.prefix_placeholder is not None or self.path_type == MADE_HERE

    @property
    def digest(self) -> str:
        """The hash that the file should have, "" where nobody knows."""
        known = self.sha256 if not self.rewritten or self.path_type == MADE_HERE else None
        return self.sha256_in_prefix or known or ""


class Entries(msgspec.Struct, frozen=True):
    """The part of a record that lists files."""

    paths: tuple[Entry, ...] = ()


class Record(msgspec.Struct, frozen=True):
    """An installed package and its files."""

    name: str
    version: str = ""
    build: str = ""
    channel: str = ""
    url: str = ""
    size: int = 0
    sha256: str = ""
    noarch: str | None = None
    paths_data: Entries = Entries()

    @property
    def stem(self) -> str:
        return f"{self.name}-{self.version}-{self.build}"


class Look(msgspec.Struct, frozen=True):
    """What was seen: how many files, flaws by package, records that cannot be read, what others left over.

    `over` are the packages in whose place pip has put its own: what they lack is no flaw. `stray` is byte
    code of sources that are gone.
    """

    files: int
    flaws: dict[str, tuple[Flaw, ...]]
    unreadable: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    records: tuple[Record, ...] = ()
    over: dict[str, Dist] = {}
    stray: tuple[str, ...] = ()


def look(
    prefix: Path,
    *,
    every_byte: bool = False,
    packages_only: bool = False,
    among: Collection[str] | None = None,
) -> Look:
    """Hold every file against its record; changes nothing. `packages_only`: not what lies about.

    `among` are the packages whose files are looked at, by their stems; None: all.
    """
    records, unreadable = _records(prefix)
    owners = _owners(prefix, records)
    if among is not None:
        names = {record.name for record in records if record.stem in among}
        owners = {path: them for path, them in owners.items() if any(name in names for name, _ in them)}
    since = _moment(prefix)
    with ThreadPoolExecutor(HANDS if every_byte else 1) as pool:
        parts = pool.map(
            lambda part: _seen(prefix, part, since, every_byte), _parts(owners, pool._max_workers)
        )
        flaws = [flaw for part in parts for flaw in part]
    by_package: dict[str, list[Flaw]] = {}
    for flaw in sorted(flaws, key=lambda f: f.path):
        for name, _ in owners[flaw.path]:
            by_package.setdefault(name, []).append(flaw)
    pips = dists.by_pip(prefix, records)
    over = dists.over(prefix, records, pips)
    return Look(
        len(owners),
        dict(sorted(_but_for(prefix, pips, by_package, over).items())),
        tuple(unreadable),
        () if packages_only else tuple(leftovers(prefix)),
        tuple(records),
        over,
        () if packages_only else tuple(stray(prefix)),
    )


Owners = Mapping[str, list[tuple[str, Entry]]]


def _but_for(
    prefix: Path, pips: Iterable[Dist], flaws: Mapping[str, list[Flaw]], over: Mapping[str, Dist]
) -> dict[str, tuple[Flaw, ...]]:
    """The flaws without what pip has done: packages that it has replaced, and single files of others."""
    left = {name: them for name, them in flaws.items() if name not in over}
    its = {path for dist in pips for path in dists.files(prefix, dist)} if left else set()
    found = {name: tuple(f for f in them if f.path not in its) for name, them in left.items()}
    return {name: them for name, them in found.items() if them}


def leftovers(prefix: Path) -> Iterator[str]:
    """What nobody needs: files that conda or mamba put aside, and torn ones, relative to the prefix.

    Of what ends in `.c~` only what is called as the file of a package, but for that.
    """
    found = [path for path in trees.walk(prefix) if LEFT.search(path)]
    aside = {path for path in found if path.endswith(ASIDE)}
    brought = _owners(prefix, readable(prefix)) if aside else {}
    backups = {
        p for p in aside if p.removesuffix(ASIDE) not in brought or os.path.lexists(f"{prefix}/{p[:-1]}")
    }
    return (path for path in found if path not in backups)


def stray(prefix: Path) -> Iterator[str]:
    """Byte code of sources that are gone, relative to the prefix: conda does not know of ours."""
    for path in trees.walk(prefix):
        found = COMPILED.fullmatch(path)
        if found and not os.path.exists(f"{prefix}/{found[1]}{found[2]}.py"):
            yield path


def records(prefix: Path) -> list[Record] | None:
    """The records of the packages; None where one of them cannot be read."""
    found, unreadable = _records(prefix)
    return None if unreadable else found


def readable(prefix: Path) -> list[Record]:
    """The records of the packages that can be read."""
    return _records(prefix)[0]


def placed(record: Record, site: str) -> Iterator[str]:
    """Where the files of a package lie; `site` is where Python's packages are."""
    return (contents.placed(entry.path, site) for entry in record.paths_data.paths)


def unpacked_at(prefix: Path, stem: str) -> str:
    """Where the package was unpacked from which conda has linked it; "" where its record does not say."""
    try:
        record = msgspec.json.decode((prefix / "conda-meta" / f"{stem}.json").read_bytes())
        return str(record.get("extracted_package_dir") or "")
    except (OSError, msgspec.MsgspecError, AttributeError):
        return ""


def sweep(prefix: Path) -> None:
    """Remove what was left over, and byte code of what is gone."""
    for path in list(leftovers(prefix)):
        (prefix / path).unlink(missing_ok=True)
    byte_code.sweep(prefix)


def _records(prefix: Path) -> tuple[list[Record], list[str]]:
    decode = msgspec.json.Decoder(Record).decode
    records, unreadable = [], []
    for stem in contents.stems(prefix):
        try:
            records.append(decode((prefix / "conda-meta" / f"{stem}.json").read_bytes()))
        except (OSError, msgspec.MsgspecError):
            unreadable.append(stem)
    return records, unreadable


def _owners(prefix: Path, records: Iterable[Record]) -> Owners:
    """Each path with the packages that bring it: it may be as any of them has it."""
    inside = contents.site_packages(prefix)
    owners: dict[str, list[tuple[str, Entry]]] = {}
    for record in records:
        for entry in record.paths_data.paths:
            if entry.path_type not in AS_THEY_COME:
                any_python = inside and record.noarch == "python"
                path = contents.placed(entry.path, inside) if any_python else entry.path
                owners.setdefault(path, []).append((record.name, entry))
    return owners


def _moment(prefix: Path) -> int:
    """Since when a change is somebody else's (ns); of an environment of others nobody knows."""
    try:
        return (prefix / contents.WHOLE).stat().st_mtime_ns
    except OSError:
        return 2**63


def _parts(owners: Owners, number: int) -> list[list[tuple[str, list[tuple[str, Entry]]]]]:
    every = list(owners.items())
    return [every[n::number] for n in range(number)]


def _seen(
    prefix: Path, them: Iterable[tuple[str, list[tuple[str, Entry]]]], since: int, every_byte: bool
) -> list[Flaw]:
    flaws = []
    for path, owned in them:
        entries = [entry for _, entry in owned]
        try:
            info = os.lstat(f"{prefix}/{path}")
        except OSError:
            flaws.append(Flaw(path, "gone"))
            continue
        if any(entry.path_type == "softlink" for entry in entries):
            continue
        sizes = {None if e.rewritten else e.size_in_bytes for e in entries}
        doubtful = every_byte or info.st_mtime_ns > since
        if (None not in sizes and info.st_size not in sizes) or (
            doubtful and not _is_one_of(f"{prefix}/{path}", entries)
        ):
            flaws.append(Flaw(path, "changed"))
    return flaws


def _is_one_of(path: str, entries: Iterable[Entry]) -> bool:
    """Whether the file has the bytes that one of the packages has for it."""
    digests = {entry.digest for entry in entries}
    if "" in digests:
        return True
    try:
        with open(path, "rb") as f:
            seen = hashlib.sha256()
            while block := f.read(BLOCK):
                seen.update(block)
    except OSError:
        return False
    return seen.hexdigest() in digests
