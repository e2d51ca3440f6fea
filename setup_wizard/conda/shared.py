"""Files that several packages bring, each with other bytes: one of them has to do with another's."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec

from setup_wizard.conda import contents
from setup_wizard.conda.damage import AS_THEY_COME


class _Entry(msgspec.Struct, frozen=True, rename={"path": "_path"}):
    """A file of a package; one that had to make way for another's says where it would be."""

    path: str
    path_type: str = "hardlink"
    sha256: str | None = None
    sha256_in_prefix: str | None = None
    original_path: str | None = None


class _Entries(msgspec.Struct, frozen=True):
    paths: tuple[_Entry, ...] = ()


class _Record(msgspec.Struct, frozen=True):
    """An installed package and its files."""

    name: str
    noarch: str | None = None
    paths_data: _Entries = _Entries()


def told(prefix: Path, new: Collection[str]) -> Iterator[str]:
    """Of packages that have just come, by the names of their records: what they share, in words."""
    names = {contents.name_of(stem) for stem in new}
    groups: dict[tuple[str, ...], list[str]] = {}
    for path, entries in _shared(prefix).items():
        if entries.keys() & names and len({entry.sha256 for entry in entries.values()}) > 1:
            of_whom = _whose(prefix / path, entries)
            groups.setdefault((*sorted(entries), of_whom), []).append(path)
    for (*packages, of_whom), paths in groups.items():
        what = f"{paths[0]} and {len(paths) - 1} more files" if len(paths) > 1 else paths[0]
        yield f"{' and '.join(packages)} bring {what}, and not the same: there is that of {of_whom}."


def _shared(prefix: Path) -> dict[str, dict[str, _Entry]]:
    """The files that more than one package brings, with what each of them says of it."""
    first, site = dict[str, tuple[str, _Entry]](), contents.site_packages(prefix)
    found: dict[str, dict[str, _Entry]] = {}
    for record in contents.decoded(prefix, _Record):
        for entry in record.paths_data.paths:
            path = entry.original_path or entry.path
            path = contents.placed(path, site) if record.noarch == "python" and site else path
            name, other = first.setdefault(path, (record.name, entry))
            if other is not entry and entry.path_type not in AS_THEY_COME:
                found.setdefault(path, {name: other})[record.name] = entry
    return found


def _whose(path: Path, entries: dict[str, _Entry]) -> str:
    """Whose file is there: whose did not have to make way, else whose bytes it has."""
    if len(there := [name for name, entry in entries.items() if not entry.original_path]) == 1:
        return there[0]
    try:
        seen = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "nobody"
    its = (n for n, entry in entries.items() if seen in (entry.sha256, entry.sha256_in_prefix))
    return next(its, "one of them")
