"""Asks the scheduler what the user has. Whatever does not answer in time stays unknown; nothing fails."""

from __future__ import annotations

import contextlib
import pwd
from collections.abc import Sequence
from pathlib import Path

import msgspec

from setup_wizard import files
from setup_wizard.discovery import pbs, slurm
from setup_wizard.discovery.offer import Offer, Partition
from setup_wizard.errors import MachineBlocks
from setup_wizard.sites import Site
from setup_wizard.world import World, make_private

TAKES = 6  # seconds at most for each command; a controller that is down is noticed after some four
FRESH = 4 * 3600  # seconds for which an answer is taken for true
BENDING = ("SINFO_", "SLURM_CLUSTERS")  # variables that would have Slurm tell something else
WRAPPER_CODE = 153  # Slurm's qstat prints its table of queues, and ends with this


class Kept(msgspec.Struct, frozen=True):
    """An offer as it was told at a time (seconds since 1970) to a user."""

    offer: Offer
    user: str
    at: float


def look(world: World, site: Site) -> Offer:
    """What the user has on this site, asked now and kept for `remembered`."""
    if site.scheduler not in ("slurm", "torque", "pbs"):
        return Offer()
    found = _slurm(world) if site.scheduler == "slurm" else _pbs(world)
    if found != Offer():
        _keep(world, site, found)
    return found


def remembered(world: World, site: Site) -> Offer | None:
    """What was told not long ago; None when nothing was. Before refusing anything by it, ask again."""
    try:
        kept = msgspec.json.decode((_folder(world) / f"{site.name}.json").read_bytes(), type=Kept)
    except (OSError, msgspec.DecodeError):
        return None
    old = not 0 <= world.now() - kept.at < FRESH
    return None if old or kept.user != user_name(world) else kept.offer


def _keep(world: World, site: Site, found: Offer) -> None:
    if not world.cache.is_dir():  # who only looks changes nothing
        return
    kept = msgspec.json.encode(Kept(found, user_name(world), world.now()))
    with contextlib.suppress(MachineBlocks, OSError):
        make_private(_folder(world))
        files.write(_folder(world) / f"{site.name}.json", kept, mode=0o600)


def user_name(world: World) -> str:
    """The user's name on this machine."""
    try:
        return pwd.getpwuid(world.uid).pw_name
    except KeyError:  # some centres have their users elsewhere
        return world.env.get("USER", "")


def _slurm(world: World) -> Offer:
    return Offer(
        accounts=slurm.accounts(_answer(world, slurm.sacctmgr(user_name(world)))),
        partitions=slurm.partitions(_answer(world, slurm.SINFO)),
        reservations=slurm.reservations(_answer(world, slurm.SCONTROL)),
    )


def _pbs(world: World) -> Offer:
    """Torque and PBS Pro by qstat. Behind Slurm's wrappers Slurm itself knows more."""
    if world.which("sinfo") and world.which("scontrol"):
        return _slurm(world)
    found = pbs.queues(_answer(world, pbs.FULL)) or pbs.short_queues(_answer(world, pbs.SHORT))
    partitions: tuple[Partition, ...] | None = pbs.with_default(found, _answer(world, pbs.SERVER))
    return Offer(partitions=partitions)


def _answer(world: World, argv: Sequence[str]) -> str:
    """Standard output of a command that went well, else ""."""
    if not world.which(argv[0]):
        return ""
    env = {k: v for k, v in world.env.items() if not k.startswith(BENDING)}
    output = world.run(argv, timeout=TAKES, env={**env, "LC_ALL": "C", "SLURM_TIME_FORMAT": "standard"})
    return output.out if output.code in (0, WRAPPER_CODE) else ""


def _folder(world: World) -> Path:
    return world.cache / "offers"
