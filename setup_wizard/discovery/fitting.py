"""Which partitions would do for a job that does not fit where it was wanted."""

from __future__ import annotations

from setup_wizard.discovery.offer import Offer
from setup_wizard.discovery.proposal import gpus
from setup_wizard.schedulers import Resources
from setup_wizard.sites import Site

MOST = 3  # names at most


def that_would_do(wanted: Resources, site: Site, offer: Offer) -> list[str]:
    """Partitions that allow the time, with GPUs only for who wants some; the nearest limit first.

    By what the scheduler says; where it says nothing, by what is known of the site.
    """
    return [name for _, name in sorted(_fitting(wanted, site, offer))][:MOST]


def _fitting(wanted: Resources, site: Site, offer: Offer) -> list[tuple[float, str]]:
    if offer.partitions is None:
        told = [(p.seconds or 0, p.name) for p in site.partitions if p.gpu == bool(gpus(wanted))]
        return [(limit, name) for limit, name in told if limit >= wanted.time_limit]
    found = []
    for p in offer.partitions:
        limit = float("inf") if p.limit == 0 else p.limit or 0
        enough = (p.gpus or 0) >= gpus(wanted) if gpus(wanted) else not p.gpus
        if p.open and limit >= wanted.time_limit and enough:
            found.append((limit, p.name))
    return found
