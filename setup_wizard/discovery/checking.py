"""The one call before a submission: complete what was asked for, and refuse what cannot be had."""

from __future__ import annotations

from setup_wizard.discovery.ask import look, remembered
from setup_wizard.discovery.objections import objections
from setup_wizard.discovery.offer import Offer
from setup_wizard.discovery.proposal import proposal
from setup_wizard.errors import BadInput
from setup_wizard.schedulers import Resources
from setup_wizard.sites import Site
from setup_wizard.world import World


def checked(wanted: Resources, site: Site, world: World) -> Resources:
    """`wanted`, with what the site proposes where it is left open. Raises BadInput for what cannot be had.

    What the scheduler said not long ago is enough to agree, so that a launch need not ask it again; to
    refuse, it is asked anew.
    """
    known = remembered(world, site)
    if known is not None:
        try:
            return _agreed(wanted, site, known)
        except BadInput:
            pass  # the partition, account or reservation may be new
    return _agreed(wanted, site, look(world, site))


def _agreed(wanted: Resources, site: Site, offer: Offer) -> Resources:
    complete = proposal(wanted, site, offer)
    objections(complete, site, offer)
    return complete
