"""What to ask for where the user leaves it open."""

from __future__ import annotations

import msgspec

from setup_wizard.discovery import slurm
from setup_wizard.discovery.offer import Offer
from setup_wizard.schedulers import Resources
from setup_wizard.sites import Site


def proposal(wanted: Resources, site: Site, offer: Offer) -> Resources:
    """`wanted` with the partition, account, QOS and constraint that the site proposes or the user has, and
    for whole nodes where it gives no others.

    Only what is certain is filled in: the only account, a partition that is really there. The rest stays
    with the scheduler.
    """
    partition = wanted.partition or _partition(wanted, site, offer)
    accounts = offer.account_names
    only = accounts[0] if len(accounts) == 1 and site.account != "optional" else ""
    return msgspec.structs.replace(
        wanted,
        partition=partition,
        account=wanted.account or only,
        qos=wanted.qos or (partition if site.qos_like_partition else ""),
        constraint=wanted.constraint or _constraint(wanted, site),
        exclusive=site.exclusive,
    )


def gpus(wanted: Resources) -> int:
    """The GPUs of a job on each node, asked for in either way."""
    return wanted.gpus or sum(slurm.gpus(wanted.gres).values())


def _partition(wanted: Resources, site: Site, offer: Offer) -> str:
    if not gpus(wanted):
        default = site.default_partition
        return default if offer.partitions is None or offer.partition(default) else ""
    known = [p.name for p in site.partitions if p.gpu and not p.debug]
    if offer.partitions is None:
        return next(iter(known), "")
    there = [p.name for p in offer.partitions if p.open and (p.gpus or 0) >= gpus(wanted)]
    if offer.default and offer.default.name in there:
        return ""
    return next((name for name in [*known, *there] if name in there), "")


def _constraint(wanted: Resources, site: Site) -> str:
    kind = "gpu" if gpus(wanted) else "cpu"
    return kind if kind in site.constraint else ""
