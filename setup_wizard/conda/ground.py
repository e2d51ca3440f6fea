"""An environment while its packages change: what in it is conda's, and how the rest makes way for what comes.

It is asked package by package, just before one goes or comes, when all that it brings has been fetched.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from setup_wizard.conda import aside, contents, damage, dists
from setup_wizard.conda.aside import Aside
from setup_wizard.conda.dists import Dist


class Ground:
    """The environment at a prefix.

    `unpacked` are the packages that it will hold, by their names: the folder of each in the package cache,
    there or not yet. `site` is where its Python will look for packages, `theirs` is what was the user's
    before the change began; None: all that no package has brought.
    """

    def __init__(
        self, prefix: Path, unpacked: Mapping[str, Path], site: str, theirs: Collection[str] | None = None
    ) -> None:
        self._prefix, self._unpacked, self._site, self._theirs = prefix, unpacked, site, theirs
        records, here = damage.readable(prefix), contents.site_packages(prefix)
        self._pips = dists.by_pip(prefix, records)
        self._over = dists.over(prefix, records, self._pips)
        self._owners: dict[str, set[str]] = {}
        for record in records:
            self._claim(record.name, damage.placed(record, here))

    def goes(self, name: str) -> None:
        """A package is about to be removed, for good or for another version of it."""
        if dist := self._over.get(name):
            self._remove(dist, name)

    def comes(self, name: str) -> None:
        """A package is about to be put there."""
        paths = aside.brought(self._unpacked[name], self._site)
        for dist in dists.same(self._prefix, name, paths, self._pips):
            self._remove(dist, name)
        for path in list(aside.in_the_way(self._prefix, paths, self._owners, self._theirs)):
            now = aside.beside(self._prefix, path)
            said = f"{path} was yours, and {name} brings its own: yours is now {now}."
            aside.note(self._prefix, Aside(path, now, said))
            os.rename(self._prefix / path, self._prefix / now)
        self._claim(name, paths)

    def _claim(self, name: str, paths: Iterable[str]) -> None:
        for path in paths:
            self._owners.setdefault(path, set()).add(name)

    def _remove(self, dist: Dist, name: str) -> None:
        """Remove what pip has installed, but for the files of other packages; its own list goes last."""
        listed = [p for p in dists.files(self._prefix, dist) if not self._owners.get(p, {name}) - {name}]
        if not listed:
            return  # nobody knows what it has
        said = f"{dist.name} {dist.version}, which pip had installed, has made way for {name} of conda."
        aside.note(self._prefix, Aside(str(dist.folder.relative_to(self._prefix)), "", said))
        contents.ask_pip_again(self._prefix)
        for path in sorted(listed, key=lambda path: path.endswith(".dist-info/RECORD")):
            (self._prefix / path).unlink(missing_ok=True)
            _remove_byte_code(self._prefix / path)
            _remove_empty((self._prefix / path).parent, self._prefix)


def _remove_byte_code(source: Path) -> None:
    if source.suffix == ".py":
        for compiled in source.parent.glob(f"__pycache__/{source.stem}.*.pyc"):
            compiled.unlink(missing_ok=True)
        with suppress(OSError):
            (source.parent / "__pycache__").rmdir()


def _remove_empty(folder: Path, until: Path) -> None:
    with suppress(OSError):
        while folder != until:
            folder.rmdir()
            folder = folder.parent
