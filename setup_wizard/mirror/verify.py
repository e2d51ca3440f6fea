"""Is a mirror what it says? Every file against its listing, and git's own check of the repositories."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from setup_wizard.mirror.about import CHANNEL, read
from setup_wizard.mirror.repositories import git_env
from setup_wizard.mirror.stand_in import FAMILIES
from setup_wizard.world import World, sha256_of


def verify(world: World, folder: Path) -> list[str]:
    """What is wrong with the mirror, a line each; nothing when it is whole."""
    mirror = read(folder)
    if mirror is None:
        return [f"{folder / 'mirror.json'} is missing, or of another format"]
    return [
        *_channel(folder / CHANNEL),
        *(problem for family in FAMILIES for problem in _installers(folder / family.folder)),
        *(
            problem
            for r in mirror.about.repositories
            for problem in _repository(world, folder / "git" / f"{r.name}.git")
        ),
    ]


def _channel(channel: Path) -> Iterator[str]:
    listings = sorted(channel.glob("*/repodata.json"))
    if not listings:
        yield f"{channel} has no repodata.json"
    for listing in listings:
        listed = _read(listing).get("packages.conda", {})
        yield from _files(listing.parent, listed)
        for path in sorted(listing.parent.glob("*.conda")):
            if path.name not in listed:
                yield f"{path} is not listed"


def _installers(folder: Path) -> Iterator[str]:
    listed = _read(folder / ".files.json")
    if not listed:
        yield f"{folder} lists no installer"
    yield from _files(folder, listed)


def _files(folder: Path, listed: dict[str, dict[str, Any]]) -> Iterator[str]:
    for name, entry in sorted(listed.items()):
        path = folder / name
        if not path.is_file():
            yield f"{path} is missing"
        elif path.stat().st_size != entry["size"]:
            yield f"{path} has {path.stat().st_size} bytes, not {entry['size']}"
        elif sha256_of(path) != entry["sha256"] or _md5(path) != entry["md5"]:
            yield f"{path} has changed: its hash is another one"


def _read(listing: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(listing.read_bytes()))
    except (OSError, ValueError):
        return {}


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _repository(world: World, path: Path) -> Iterator[str]:
    """Git's check, and that there is something to clone."""
    for words in (["fsck", "--full", "--strict"], ["rev-parse", "--verify", "HEAD"]):
        output = world.run(["git", "-C", path, "-c", "safe.directory=*", *words], env=git_env(world))
        if output.code:
            said = (output.err.strip() or output.out.strip()).splitlines()
            yield f"{path}: {said[0] if said else f'git {words[0]} answered {output.code}'}"
