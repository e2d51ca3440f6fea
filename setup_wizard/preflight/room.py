"""Room: the home, the places that are proposed, the prefix that was given, the temporary folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from setup_wizard import trees
from setup_wizard.conda import prefix as prefixes
from setup_wizard.places import Place, place, places
from setup_wizard.preflight.finding import Finding, Questions, from_error
from setup_wizard.quota import Quota
from setup_wizard.world import World

NETWORK = {"nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph", "cifs", "smb3", "afs", "panfs", "fuse.sshfs"}


def findings(world: World, asked: Questions) -> Iterator[Finding]:
    """The home first, then where things go."""
    yield _home(world)
    if asked.prefix:
        yield from _prefix(world, asked, asked.prefix)
        yield _fits(place(world, asked.prefix, "the prefix"), asked, "bad")
    else:
        found = places(world)
        some = any(p.has(asked.room, asked.files) for p in found)
        yield from (_fits(p, asked, "warn" if some else "bad") for p in found)
    yield _temporary(world)


def _home(world: World) -> Finding:
    home = world.home
    if not home.is_dir() or not os.access(home, os.W_OK | os.X_OK):
        what = "is not writable" if home.is_dir() else "is not there"
        return Finding(
            f"Home {home}",
            "bad",
            f"{home} {what}, and everything begins there.",
            f"See what it is (ls -ld {home}; df -h {home}) and ask your administrators; or set HOME.",
        )
    kind = world.mount(home).kind
    if kind not in NETWORK:
        return Finding(f"Home {home}", detail=kind)
    return Finding(
        f"Home {home}",
        detail=f"{kind}, a network file system: environments start more slowly there; what Jupyter writes "
        "while it runs goes to the node's own disk",
    )


def _prefix(world: World, asked: Questions, prefix: Path) -> Iterator[Finding]:
    if trouble := prefixes.trouble(world, prefix, asked.environments):
        yield from_error(f"Prefix {prefix}", trouble)
    ours = trees.is_open(world, prefix) or trees.is_sealed(world, prefix)
    if asked.families and os.path.lexists(prefix) and not ours:
        yield Finding(
            f"Prefix {prefix}",
            "bad",
            "It exists already and is not ours; it stays as it is.",
            "Choose another place (--prefix), or use the conda that is in it (--distribution PREFIX).",
        )
    if not str(prefix).isascii():
        yield Finding(
            f"Prefix {prefix}",
            "warn",
            "It has letters outside ASCII, which some packages cannot bear.",
            f"Choose a plain one: --prefix {world.home / 'miniconda3'}",
        )


def _fits(there: Place, asked: Questions, otherwise: str) -> Finding:
    title = f"{_bytes(there.free_bytes)} and {_files(there.free_files)} free in {there.path} ({there.why})"
    if there.has(asked.room, asked.files):
        return Finding(title, detail=_by_quota(there))
    return Finding(
        title,
        "bad" if otherwise == "bad" else "warn",
        f"Needed are about {_bytes(asked.room)} and {_files(asked.files)}. {_by_quota(there)}".strip(),
        f"See what takes the room (du -xsh {prefixes.existing(there.path)}/* | sort -h), or choose another "
        "place: --prefix /a/larger/file/system/miniconda3",
    )


def _by_quota(there: Place) -> str:
    return " ".join(_said(quota) for quota in there.quotas)


def _said(quota: Quota) -> str:
    parts = []
    if quota.limit_bytes is not None:
        parts.append(f"{_bytes(quota.used_bytes)} of {_bytes(quota.limit_bytes)}")
    if quota.limit_files is not None:
        parts.append(f"{quota.used_files:,} of {quota.limit_files:,} files")
    whose = f"The quota of the {quota.whose}" if quota.whose else "Your quota"
    return f"{whose} there: {' and '.join(parts)} used."


def _bytes(n: int) -> str:
    return f"{n / 1e9:.1f} GB"


def _files(n: int | None) -> str:
    return "any number of files" if n is None else f"{n:,} files"


def _temporary(world: World) -> Finding:
    given = world.env.get("TMPDIR", "")
    folder = Path(given or "/tmp")
    title = f"Temporary folder {folder}"
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return Finding(
            title,
            "bad",
            "It is not there, or not writable.",
            "unset TMPDIR" if given else "mkdir -p ~/tmp; export TMPDIR=~/tmp",
        )
    if world.disk(folder).noexec:
        return Finding(
            title,
            "warn",
            "Programs may not be run from it (noexec). The installer gets another; pip may need one too.",
            "mkdir -p ~/tmp; export TMPDIR=~/tmp",
        )
    return Finding(title)
