"""The distributions of an environment as Python sees them, and those that pip has put there.

conda's records know nothing of what pip, or uv, does. Where it has put its own over a package of conda, that
is what is wanted there: no damage, and nobody's to be replaced unasked.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from setup_wizard.conda import contents

if TYPE_CHECKING:
    from setup_wizard.conda import damage, twin

    Record = damage.Record | twin.Record

SITE = "lib/python3*/site-packages"
INFO = re.compile(r"([^/]+\.dist-info)/([^/]+)$")


class Dist(NamedTuple):
    """An installed distribution: its name as all spell it, its version, its dist-info folder."""

    name: str
    version: str
    folder: Path


class _Folder(msgspec.Struct, frozen=True):
    """Of a distribution from a folder: whether Python reads it there."""

    editable: bool = False


class _CameFrom(msgspec.Struct, frozen=True):
    """Where pip had a distribution from."""

    dir_info: _Folder = _Folder()


def every(prefix: Path) -> list[Dist]:
    """All of them, whoever has put them there."""
    found = []
    for folder in sorted(prefix.glob(f"{SITE}/*.dist-info")):
        name, _, version = folder.name.removesuffix(".dist-info").partition("-")
        found.append(Dist(plain(name), version, folder))
    return found


def plain(name: str) -> str:
    """A name as all spell it: "Typing_Extensions" is "typing-extensions"."""
    return re.sub(r"[-_.]+", "-", name).lower()


def by_pip(prefix: Path, records: Iterable[Record]) -> list[Dist]:
    """Those that no package of conda has brought, or that pip has brought once more: INSTALLER says so."""
    brought = {info: size for r in records for info, size in _infos(r).items()}
    return [d for d in every(prefix) if _installer(d) != brought.get(d.folder.name)]


def over(prefix: Path, records: Iterable[Record], dists: Sequence[Dist]) -> dict[str, Dist]:
    """The packages of conda in whose place one of the distributions is there, by their names."""
    found: dict[str, Dist] = {}
    site = contents.site_packages(prefix) if dists else ""
    for record in records if dists else ():
        paths = [contents.placed(entry.path, site) for entry in record.paths_data.paths]
        for dist in same(prefix, record.name, paths, dists):
            found[record.name] = dist
    return found


def same(prefix: Path, name: str, paths: Collection[str], dists: Sequence[Dist]) -> list[Dist]:
    """Those of the distributions that are the package of this name, which has these files.

    Of a package that has no dist-info, only the name tells: graphviz of conda is another than pip's, so it
    counts where they have a file in common.
    """
    infos = (INFO.search(path) for path in paths if ".dist-info/" in path)
    if names := {plain(info[1].partition("-")[0]) for info in infos if info}:
        return [dist for dist in dists if dist.name in names]
    return [dist for dist in dists if dist.name == plain(name) and _touches(prefix, dist, set(paths))]


def files(prefix: Path, dist: Dist) -> Iterator[str]:
    """What its RECORD lists, relative to the prefix; nothing where there is none."""
    site = os.path.relpath(dist.folder.parent, prefix)
    try:
        with (dist.folder / "RECORD").open(newline="", encoding="utf-8", errors="surrogateescape") as f:
            for row in csv.reader(f):
                path = os.path.normpath(os.path.join(site, row[0])) if row else ".."
                if not path.startswith(("..", "/")):
                    yield path
    except (OSError, csv.Error):
        return


def modules(prefix: Path, dists: Iterable[Dist]) -> set[str]:
    """What they list of site-packages; not of those that only lead to sources, which somebody works on."""
    return {p for d in dists if not _is_editable(d) for p in files(prefix, d) if "/site-packages/" in p}


def _is_editable(dist: Dist) -> bool:
    """Whether it says so of itself (PEP 610)."""
    try:
        came_from = msgspec.json.decode((dist.folder / "direct_url.json").read_bytes(), type=_CameFrom)
    except (OSError, msgspec.MsgspecError):
        return False
    return came_from.dir_info.editable


def _infos(record: Record) -> dict[str, int]:
    """The dist-info folders that a package brings, with the size of the INSTALLER in them; -1: none."""
    found: dict[str, int] = {}
    for entry in record.paths_data.paths:
        if ".dist-info/" in entry.path and (m := INFO.search(entry.path)):
            size = entry.size_in_bytes if m[2] == "INSTALLER" else None
            found[m[1]] = found.get(m[1], -1) if size is None else size
    return found


def _installer(dist: Dist) -> int:
    """The size of its INSTALLER, which tells pip's from conda's; -1: none."""
    try:
        return (dist.folder / "INSTALLER").stat().st_size
    except OSError:
        return -1


def _touches(prefix: Path, dist: Dist, paths: Collection[str]) -> bool:
    """Whether it has one of these files, as far as it says which are its own."""
    listed = list(files(prefix, dist))
    return not listed or any(path in paths for path in listed)
