"""The distributions of an environment as Python sees them, and those that pip has put there.

conda's records know nothing of what pip, or uv, does. Where it has put its own over a package of conda, that
is what is wanted there: no damage, and nobody's to be replaced unasked.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from setup_wizard.conda import contents

if TYPE_CHECKING:
    from setup_wizard.conda.damage import Record

SITE = "lib/python3*/site-packages"
INFO = re.compile(r"([^/]+\.dist-info)/([^/]+)$")


class Dist(NamedTuple):
    """An installed distribution: its name as all spell it, its version, its dist-info folder."""

    name: str
    version: str
    folder: Path


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


def by_pip(prefix: Path, records: Iterable[Record], flawed: Collection[str] = ()) -> list[Dist]:
    """Those that no package of conda has brought, or that pip has brought once more.

    The latter is seen in packages that are `flawed`: their INSTALLER is another one.
    """
    brought = {info: (size, r.name in flawed) for r in records for info, size in _infos(r).items()}
    return [
        dist
        for dist in every(prefix)
        if dist.folder.name not in brought or _once_more(dist, *brought[dist.folder.name])
    ]


def over(prefix: Path, records: Iterable[Record], dists: Iterable[Dist]) -> dict[str, Dist]:
    """The packages of conda in whose place one of the distributions is there, by their names."""
    by_name = {dist.name: dist for dist in dists}
    found = {}
    for record in records if by_name else ():
        names = {plain(info.partition("-")[0]) for info in _infos(record)} or {plain(record.name)}
        for dist in (by_name[name] for name in names & by_name.keys()):
            if _touches(prefix, dist, record):
                found[record.name] = dist
    return found


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


def _infos(record: Record) -> dict[str, int]:
    """The dist-info folders that a package brings, with the size of the INSTALLER in them; -1: none."""
    found: dict[str, int] = {}
    for entry in record.paths_data.paths:
        if ".dist-info/" in entry.path and (m := INFO.search(entry.path)):
            size = entry.size_in_bytes if m[2] == "INSTALLER" else None
            found[m[1]] = found.get(m[1], -1) if size is None else size
    return found


def _once_more(dist: Dist, size: int, flawed: bool) -> bool:
    """Whether somebody else than the package has written down who installed it."""
    try:
        return flawed and (dist.folder / "INSTALLER").stat().st_size != size
    except OSError:
        return False


def _touches(prefix: Path, dist: Dist, record: Record) -> bool:
    """Whether it has files of the package, as far as it says: graphviz of conda is another than pip's."""
    listed, site = set(files(prefix, dist)), os.path.relpath(dist.folder.parent, prefix)
    paths = (contents.placed(entry.path, site) for entry in record.paths_data.paths)
    return not listed or any(path in listed for path in paths)
