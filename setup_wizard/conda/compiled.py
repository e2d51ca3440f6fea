"""The room of byte code in environments, as package caches tell it: no environment is walked for it.

What an environment may be linked to, the records of its packages say; how much that is, the cache says, once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from setup_wizard.conda import byte_code, contents
from setup_wizard.conda.room import BLOCK

TESTS = ("/test/", "/tests/")
Size = tuple[int, int]  # bytes on disk, and files
Sizes = dict[str, Size]  # by the folder in the cache: "cpython-312/pip-24.0-pyh_0-0123456789abcdef"


class Package(contents.FileList, frozen=True):
    """A package with its files, and what names its byte code."""

    url: str = ""
    sha256: str = ""


class Portion(msgspec.Struct, frozen=True, array_like=True):
    """Byte code that a package can have: its folder in the cache, a file of it, how many folders it fills."""

    folder: str
    witness: str
    folders: int


def portion(stem: str, package: Package) -> Portion | None:
    """None for a package that has none of ours: no sources, or byte code of its own."""
    entries = package.paths_data.paths
    if any(entry.path.endswith(".pyc") for entry in entries):
        return None
    sources = [e for e in entries if e.path.endswith(".py") and not any(t in e.path for t in TESTS)]
    witness = next(filter(None, map(byte_code.target_of, sources)), "")
    if not witness:
        return None
    tag = witness.rsplit(".", 2)[1]
    folder = f"{tag}/{byte_code.called(stem, package.sha256, package.url)}"
    return Portion(folder, witness, len({e.path.rpartition("/")[0] for e in sources}))


def sizes(pkgs: Path, known: Sizes) -> Sizes:
    """What lies in a cache by now; what is `known` is not looked at again: a folder is made whole."""
    store = f"{pkgs}/{byte_code.FOLDER}"
    names = (f"{tag}/{name}" for tag in _listed(store) for name in _listed(f"{store}/{tag}"))
    return {name: known.get(name) or _weighed(f"{store}/{name}") for name in names}


def _weighed(folder: str) -> Size:
    try:
        with os.scandir(folder) as entries:
            each = [-(-entry.stat(follow_symlinks=False).st_size // BLOCK) * BLOCK for entry in entries]
    except OSError:
        return 0, 0
    return sum(each), len(each)


def _listed(folder: str) -> Iterator[str]:
    try:
        return (name for name in os.listdir(folder) if name[0] != ".")
    except OSError:
        return iter(())
