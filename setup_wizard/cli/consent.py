"""Consent to a way in on which others can read along: asked at a terminal, where Enter says no."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from setup_wizard.access.direct import MEANS
from setup_wizard.errors import Declined
from setup_wizard.tunnel import CENTRE, READABLE
from setup_wizard.ui import access_pages

if TYPE_CHECKING:
    from setup_wizard.far import Far
    from setup_wizard.orders import Order
    from setup_wizard.tunnel import NoWay
    from setup_wizard.world import World


def to_direct(world: World, wanted: Order, *, asks: bool) -> Order:
    """The order, with the person's word that plain HTTP to the node can be read, where it lacks that.

    Where nobody can be asked, the way in itself refuses, and names the flag.
    """
    if wanted.job.access != "direct" or wanted.way.readable or not (asks and world.on_terminal):
        return wanted
    if not _given(world, MEANS, access_pages.DIRECT, access_pages.DIRECT_OR_NOT):
        raise Declined("You said no; nothing was submitted.", fix="Use --access tunnel.")
    return msgspec.structs.replace(wanted, way=msgspec.structs.replace(wanted.way, readable=True))


def to_network(far: Far, refused: NoWay, words: Sequence[str], json: bool) -> tuple[str, ...]:
    """The words of a launch, with the person's that the last part of the tunnel can be read.

    `refused` is raised where nobody can be asked, and where that way was taken already.
    """
    if READABLE in words or json or not far.world.on_terminal:
        raise refused
    if not _given(far.world, refused.problem, access_pages.NETWORK, access_pages.NETWORK_OR_NOT):
        raise Declined("You said no; the session was stopped.", fix=CENTRE)
    return (READABLE, *words)


def _given(world: World, means: str, question: str, answers: Mapping[str, str]) -> bool:
    from setup_wizard.ui import ask, show

    show.put(access_pages.readable(means), world)
    return ask.consent(question, answers, world)
