"""What speaks against a job before it is submitted: each objection names the flag, and what would do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from setup_wizard import walltime
from setup_wizard.discovery import policy, slurm
from setup_wizard.discovery.fitting import that_would_do
from setup_wizard.discovery.offer import Offer, Partition
from setup_wizard.discovery.policy import one_of
from setup_wizard.discovery.proposal import gpus
from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.schedulers import Resources
from setup_wizard.sites import Site, on_login_node
from setup_wizard.world import World

UNITS = {"": 1, "K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}


def objections(wanted: Resources, site: Site, offer: Offer) -> None:
    """Raise BadInput for the first thing that this site, or what this user has on it, does not allow.

    What is not known forbids nothing: then the scheduler decides.
    """
    _launchable(site)
    _sensible(wanted)
    _partition(wanted, offer)
    _needs_account(wanted, site, offer)
    policy.account(wanted, offer)
    policy.qos(wanted, offer)
    _reservation(wanted, offer)
    _constraint(wanted, site, offer)
    _time(wanted, site, offer)
    _gpus(wanted, offer)
    _nodes(wanted, site, offer)
    policy.limits(wanted, offer)


def refuse_login_node(world: World, site: Site) -> None:
    """Raise MachineBlocks where Jupyter would run on a login node."""
    if on_login_node(world, site):
        policy = f" {site.login_policy}" if site.login_policy else ""
        raise MachineBlocks(
            f"{world.hostname} is a login node of {site.title}, which all its users share: "
            f"Jupyter does not run here.{policy}",
            fix="Let it run on a compute node: hpc-jupyter-setup launch",
        )


def megabytes(text: str) -> int:
    """Memory as schedulers write it ("8G", "500mb", "4000": megabytes). Raises BadInput."""
    match = re.fullmatch(r"(\d{1,9})([KMGT]?)B?", text.strip().upper(), re.ASCII)
    if not match or int(match[1]) == 0:
        raise BadInput(f"--memory: «{text}» is no amount of memory.", fix="Write for example: --memory 16G")
    return max(int(int(match[1]) * UNITS[match[2]]), 1)


def _launchable(site: Site) -> None:
    if site.instead:
        raise BadInput(
            f"{site.title} has no batch system that this program could start Jupyter with.", fix=site.instead
        )


def _sensible(wanted: Resources) -> None:
    for flag, value in (("--nodes", wanted.nodes), ("--cpus", wanted.cpus), ("--gpus", wanted.gpus)):
        if value < 0:
            raise BadInput(
                f"{flag}: {value} is less than nothing.", fix=f"Write a number from 1 on: {flag} 1"
            )
    if not 0 <= wanted.time_limit <= walltime.LONGEST:
        raise BadInput(
            f"--time-limit: {wanted.time_limit} seconds is no time that a job can have.",
            fix=f"Write {walltime.FORMS}.",
        )
    if wanted.memory:
        megabytes(wanted.memory)


def _partition(wanted: Resources, offer: Offer) -> None:
    names = [p.name for p in offer.partitions or ()]
    for name in wanted.partition.split(",") if wanted.partition and names else ():
        one_of("--partition", "partition", name, names)
    targets = offer.targets(wanted.partition)
    if targets and not any(p.open for p in targets):
        there = [p.name for p in offer.partitions or () if p.open]
        raise BadInput(
            f"--partition: «{targets[0].name}» takes no jobs now ({targets[0].state or 'closed'}).",
            fix=f"Choose one that does: {', '.join(there)}" if there else "Ask your centre when it will.",
        )


def _needs_account(wanted: Resources, site: Site, offer: Offer) -> None:
    names = offer.account_names
    if site.account == "required" and not wanted.account:
        hint = f" It looks like {site.account_hint}." if site.account_hint and not names else ""
        raise BadInput(
            f"{site.title} wants to know the account that the job is charged to.{hint}",
            fix=f"Choose one of yours: --account {' | '.join(names)}" if names else "Add: --account NAME",
        )


def _reservation(wanted: Resources, offer: Offer) -> None:
    if not wanted.reservation or offer.reservations is None:
        return
    if not offer.reservations:
        raise BadInput(
            f"--reservation: there is no reservation «{wanted.reservation}», nor any other one.",
            fix="Leave it out, or ask who told you the name whether it has begun, or is over.",
        )
    names = [r.name for r in offer.reservations]
    for name in wanted.reservation.split(","):
        one_of("--reservation", "reservation", name, names)


def _constraint(wanted: Resources, site: Site, offer: Offer) -> None:
    if site.constraint and not wanted.constraint:
        raise BadInput(
            f"{site.title} wants to know the kind of node.",
            fix=f"Add: --constraint {' | '.join(site.constraint)}",
        )
    known = {f for p in offer.targets(wanted.partition) for f in p.features or ()}
    if known and re.fullmatch(r"[\w.-]+", wanted.constraint):
        one_of("--constraint", "kind of node", wanted.constraint, sorted(known))


def _time(wanted: Resources, site: Site, offer: Offer) -> None:
    if policy.frees_from_time(wanted, offer):
        return
    named = wanted.partition or (offer.default.name if offer.default else "")
    limits = [(name, limit_of(name, site, offer)) for name in named.split(",") if name]
    if not limits or any(limit is None or limit == 0 or wanted.time_limit <= limit for _, limit in limits):
        return
    name, most = max(limits, key=lambda pair: pair[1] or 0)
    others = that_would_do(wanted, site, offer)
    does = f", or a partition that allows it: --partition {' | '.join(others)}" if others else ""
    raise BadInput(
        f"--time-limit: {walltime.written(wanted.time_limit)} is more than the partition {name} allows: "
        f"{walltime.written(most or 0)}.",
        fix=f"Ask for --time-limit {walltime.written(most or 0)}{does}",
    )


def limit_of(name: str, site: Site, offer: Offer) -> int | None:
    """The longest time in a partition: what the scheduler says, else what is known of the site."""
    there, told = offer.partition(name), site.partition(name)
    if there and there.limit is not None:
        return there.limit
    return told.seconds if told else None


def _gpus(wanted: Resources, offer: Offer) -> None:
    count, targets = gpus(wanted), offer.targets(wanted.partition)
    if not count or not targets or any(p.gpus is None or p.gpus >= count for p in targets):
        _gpu_type(wanted, targets)
        return
    names = " and ".join(p.name for p in targets)
    most = max(p.gpus or 0 for p in targets)
    has = f"has at most {most} on a node" if most else "has none"
    others = [p.name for p in offer.partitions or () if p.open and (p.gpus or 0) >= count]
    raise BadInput(
        f"{_gpu_flag(wanted)}: {count} GPU{'s' * (count > 1)} on a node, and the partition {names} {has}.",
        fix=f"Choose one that has: --partition {' | '.join(others)}"
        if others
        else (f"Ask for at most {most}." if most else "No partition here has so many. Leave it out."),
    )


def _gpu_flag(wanted: Resources) -> str:
    return "--gpus" if wanted.gpus else "--gres"


def _gpu_type(wanted: Resources, targets: Iterable[Partition]) -> None:
    known = sorted({t for p in targets for t in p.gpu_types})
    for kind in slurm.gpus(wanted.gres):
        if kind and known:
            one_of("--gres", "kind of GPU", kind, known)


def _nodes(wanted: Resources, site: Site, offer: Offer) -> None:
    """Nodes, and cores and memory of one node."""
    if wanted.memory and not site.memory_option:
        raise BadInput(
            f"--memory: {site.title} gives whole nodes, and refuses jobs that ask for memory.",
            fix="Leave --memory out.",
        )
    targets = offer.targets(wanted.partition)
    memory = megabytes(wanted.memory) if wanted.memory else 0
    _most("--nodes", wanted.nodes, [p.nodes for p in targets], "nodes in")
    _most("--cpus", wanted.cpus, [p.cores for p in targets], "cores on a node of")
    _most("--memory", memory, [p.memory for p in targets], "of memory on a node of", " MB")


def _most(flag: str, asked: int, there: Sequence[int | None], what: str, unit: str = "") -> None:
    known = [n for n in there if n is not None]
    if asked and known and len(known) == len(there) and asked > max(known):
        raise BadInput(
            f"{flag}: {asked}{unit} is more than there is: {max(known)}{unit} {what} this partition.",
            fix=f"Ask for at most {flag} {max(known)}{unit[1:2]}, or choose another --partition.",
        )
