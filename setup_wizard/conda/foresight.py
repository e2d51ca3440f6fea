"""What a change will meet in an environment, as far as that is known: damage, what is pip's or the user's.

The files of a package that is still to be fetched are not known; what they meet is told when it has made way.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from setup_wizard import trees
from setup_wizard.conda import aside, change, contents, damage, dists, packages, program
from setup_wizard.conda.change import Difference
from setup_wizard.conda.dists import Dist
from setup_wizard.conda.environment import Solution
from setup_wizard.conda.prefix import existing
from setup_wizard.conda.talk import Package
from setup_wizard.world import World


def foreseen(
    world: World, prefix: Path, wanted: Sequence[Package], again: tuple[str, ...] | None = None
) -> Difference:
    """How the packages differ from what is installed there, and all that is known of what makes way for them.

    `again` are the damaged ones that stay; None: all files are looked at.
    """
    there = set(contents.stems(prefix))
    if again is None:
        flaws = damage.look(prefix, packages_only=True).flaws
        again = tuple(sorted(p.name for p in wanted if p.stem in there and p.name in flaws))
    records, here = damage.readable(prefix), contents.site_packages(prefix)
    pips = dists.by_pip(prefix, records)
    over = dists.over(prefix, records, pips)
    new, site = [p for p in wanted if p.stem not in there], _site(prefix, wanted)
    paths = {p.name: aside.brought(folder, site) for p, folder in _unpacked(world, prefix, new)}
    goes = {contents.name_of(stem) for stem in there - {p.stem for p in wanted}}
    leave = {dist for name, dist in over.items() if name in goes}
    leave |= {dist for p in new for dist in _replaced(prefix, p, paths.get(p.name), pips)}
    owned = {path for record in records for path in damage.placed(record, here)}
    owned |= {path for dist in leave for path in dists.files(prefix, dist)}
    met = [path for listed in paths.values() for path in aside.in_the_way(prefix, listed, owned)]
    return msgspec.structs.replace(
        change.difference(prefix, wanted, again),
        of_pip=tuple(sorted(f"{dist.name} {dist.version}" for dist in leave)),
        aside=tuple(sorted(trees.theirs(world, prefix, among=met))),
    )


def kept(world: World, engine: Path, prefix: Path, new: Solution) -> tuple[Path, int, int] | None:
    """The cache of the user's own program, where it is on another file system; the bytes and files for it.

    From there nothing can be linked: the environment gets copies.
    """
    caches = (c for c in program.caches(world, engine) if os.access(existing(c), os.W_OK | os.X_OK))
    cache = next(caches, prefix)
    if packages.device(cache) == packages.device(prefix):
        return None
    archives = sum(p.size for p in new.to_download)
    return cache, new.bytes_on_disk + archives, Solution(new.to_download).files


def _unpacked(world: World, prefix: Path, new: Sequence[Package]) -> Iterator[tuple[Package, Path]]:
    """Those that are in the package cache already, and where."""
    pkgs = packages.folder(world, prefix)
    return ((p, pkgs / p.stem) for p in new if (pkgs / p.stem / "info").is_dir())


def _site(prefix: Path, wanted: Sequence[Package]) -> str:
    """Where Python will look for packages."""
    python = next((p for p in wanted if p.name == "python"), None)
    stays = python is None or python.stem in contents.stems(prefix)
    return contents.site_packages(prefix) if stays or python is None else contents.site_of(python.version)


def _replaced(
    prefix: Path, new: Package, paths: Sequence[str] | None, pips: Sequence[Dist]
) -> Sequence[Dist]:
    """What pip has installed under the name of a package that comes."""
    if paths is not None:
        return dists.same(prefix, new.name, paths, pips)
    of_python = any(needed.split()[0] == "python" for needed in new.depends)
    return [dist for dist in pips if of_python and dist.name == dists.plain(new.name)]
