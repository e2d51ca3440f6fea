"""What this user really has here, and what of it a job may not ask for.

offer = discovery.look(world, site)                 # to offer choices
resources = discovery.checked(wanted, site, world)  # complete, or BadInput before anything is submitted
"""

from __future__ import annotations

from setup_wizard.discovery.ask import look, remembered, user_name
from setup_wizard.discovery.checking import checked
from setup_wizard.discovery.objections import limit_of, objections, refuse_login_node
from setup_wizard.discovery.offer import Account, Limits, Offer, Partition, Qos, Reservation
from setup_wizard.discovery.policy import qos_for
from setup_wizard.discovery.proposal import proposal

__all__ = [
    "Account",
    "Limits",
    "Offer",
    "Partition",
    "Qos",
    "Reservation",
    "checked",
    "limit_of",
    "look",
    "objections",
    "proposal",
    "qos_for",
    "refuse_login_node",
    "remembered",
    "user_name",
]
