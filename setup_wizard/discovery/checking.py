"""The one call before a submission: complete what was asked for, and refuse what cannot be had."""

from __future__ import annotations

import msgspec

from setup_wizard import walltime
from setup_wizard.discovery.ask import look, remembered
from setup_wizard.discovery.objections import objections
from setup_wizard.discovery.offer import Offer
from setup_wizard.discovery.proposal import proposal
from setup_wizard.errors import BadInput
from setup_wizard.schedulers import Resources
from setup_wizard.schedulers.slurm import OWN_DEFAULTS
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
            return _agreed(wanted, site, known, world)
        except BadInput:
            pass  # the partition, account or reservation may be new
    return _agreed(wanted, site, look(world, site), world)


def _agreed(wanted: Resources, site: Site, offer: Offer, world: World) -> Resources:
    complete = proposal(wanted, site, offer)
    objections(_with_own_defaults(complete, site, world), site, offer)
    return complete


def _with_own_defaults(wanted: Resources, site: Site, world: World) -> Resources:
    """As Slurm will see it: with what the user has set for all jobs, where nothing else is asked for."""
    if site.scheduler != "slurm":
        return wanted
    own = {
        field: walltime.printed_by_slurm(value) or 0 if field == "time_limit" else value
        for name, field in OWN_DEFAULTS.items()
        if (value := world.env.get(name)) and not getattr(wanted, field)
    }
    return msgspec.structs.replace(wanted, **own)
