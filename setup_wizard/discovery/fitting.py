"""Which partitions would do for a job that does not fit where it was wanted."""

from __future__ import annotations

from setup_wizard.discovery.offer import Offer
from setup_wizard.discovery.proposal import gpus
from setup_wizard.schedulers import Resources
from setup_wizard.sites import Site

MOST = 3  # names at most


def that_would_do(wanted: Resources, site: Site, offer: Offer) -> list[str]:
    """Partitions that allow the time, the nearest limit first; those for GPUs if wanted, or if no other does.

    By what the scheduler says; where it says nothing, by what is known of the site.
    """
    found = sorted(_fitting(wanted, site, offer))
    plain = [name for _, name, for_gpus in found if not for_gpus or gpus(wanted)]
    return (plain or [name for _, name, _ in found])[:MOST]


def _fitting(wanted: Resources, site: Site, offer: Offer) -> list[tuple[float, str, bool]]:
    """Limit, name, and whether it is for who wants GPUs: the default is for everybody."""
    if offer.partitions is None:
        told = [(p.seconds or 0, p.name, p.gpu) for p in site.partitions if p.gpu or not gpus(wanted)]
        return [row for row in told if row[0] >= wanted.time_limit]
    found = []
    for p in offer.partitions:
        limit = float("inf") if p.limit == 0 else p.limit or 0
        if p.open and limit >= wanted.time_limit and (p.gpus or 0) >= gpus(wanted):
            found.append((limit, p.name, bool(p.gpus) and not p.default))
    return found
