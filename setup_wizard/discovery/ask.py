"""Asks the scheduler what the user has. Whatever does not answer in time stays unknown; nothing fails."""

from __future__ import annotations

import contextlib
import pwd
import shlex
from collections.abc import Sequence
from pathlib import Path

import msgspec

from setup_wizard import files
from setup_wizard.discovery import pbs, slurm
from setup_wizard.discovery.offer import Offer, Partition
from setup_wizard.errors import MachineBlocks
from setup_wizard.sites import Site, cluster_name
from setup_wizard.world import World, make_private

TAKES = 6  # seconds at most for each command; a controller that is down is noticed after some four
FRESH = 4 * 3600  # seconds for which an answer is taken for true
BENDING = ("SINFO_", "SLURM_CLUSTERS", "BASH_ENV")  # variables that would have it told otherwise
WRAPPER_CODE = 153  # Slurm's qstat prints its table of queues, and ends with this
FIRST = 3  # the file descriptor of the first command; below are those that everybody has
# Side by side: a controller that takes a second to answer takes one for all. Each answer ends with its code.
TOGETHER = "exec {}; for fd in {}; do IFS= read -r -d '' -t {} -u $fd said; printf '%s\\0' \"$said\"; done"


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
    told, services, rows, doors, kept = _answers(
        world,
        slurm.associations(user_name(world)),
        slurm.SERVICES,
        slurm.SINFO,
        slurm.DOORS,
        slurm.RESERVATIONS,
    )
    # one database may serve several clusters
    here = cluster_name(world) if len(slurm.clusters(told)) > 1 else ""
    offer = Offer(slurm.accounts(told, here), slurm.partitions(rows, doors), slurm.reservations(kept))
    own_ones = {*offer.qos_names, *(p.own_qos for p in offer.partitions or ())}
    return msgspec.structs.replace(offer, qos=slurm.services(services, own_ones))


def _pbs(world: World) -> Offer:
    """Torque and PBS Pro by qstat. Behind Slurm's wrappers Slurm itself knows more."""
    if world.which("sinfo") and world.which("scontrol"):
        return _slurm(world)
    found = pbs.queues(_answer(world, pbs.FULL)) or pbs.short_queues(_answer(world, pbs.SHORT))
    partitions: tuple[Partition, ...] | None = pbs.with_default(found, _answer(world, pbs.SERVER))
    return Offer(partitions=partitions)


def _answer(world: World, argv: Sequence[str]) -> str:
    """Standard output of a command that went well, else ""."""
    return _answers(world, argv)[0]


def _answers(world: World, *argvs: Sequence[str]) -> list[str]:
    """Standard output of each command, asked at the same time, or "" for one that did not go well."""
    fds = range(FIRST, FIRST + len(argvs))
    opened = (f"{fd}< <({shlex.join(argv)}; printf '\\n%s' $?)" for fd, argv in zip(fds, argvs, strict=True))
    script = TOGETHER.format(" ".join(opened), " ".join(map(str, fds)), TAKES)
    env = {k: v for k, v in world.env.items() if not k.startswith(BENDING)}
    output = world.run(
        ["bash", "--noprofile", "--norc", "-c", script],
        env={**env, "LC_ALL": "C", "SLURM_TIME_FORMAT": "standard"},
        timeout=TAKES * len(argvs) + 1,
    )
    said = [part.rpartition("\n") for part in output.out.split("\0")]
    told = [text if code in ("0", str(WRAPPER_CODE)) else "" for text, _, code in said]
    return [*told, *("" for _ in argvs)][: len(argvs)]


def _folder(world: World) -> Path:
    return world.cache / "offers"
