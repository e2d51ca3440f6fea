"""Plain HTTP to the node: only for who says to know what it means, and never where everybody works."""

from __future__ import annotations

import pytest

from setup_wizard import access
from setup_wizard.access import Spot, Ticket, Way
from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.world import World

direct = access.find("direct")


def test_it_must_be_understood(world: World) -> None:
    """Without the user's word for it there is no ticket, but an explanation, and the better way."""
    with pytest.raises(BadInput, match="can read the token") as e:
        direct.reserve(world, Way())
    assert "--access tunnel" in e.value.fix
    assert "--i-understand-http-is-readable" in e.value.fix


def test_never_where_the_launch_was(world: World) -> None:
    """Whatever ran the launch is not opened to the network."""
    ticket = direct.reserve(world, Way(readable=True))
    with pytest.raises(MachineBlocks, match="login node"):
        direct.address(world, ticket)


def test_the_address_is_the_nodes_own(world: World) -> None:
    """On a node it is one address, not all of them; the URL names it, and says again what it means."""
    assert direct.address(world, Ticket(login="127.0.0.1")) == "127.0.0.1"
    route = direct.route(Ticket(login="x"), Spot("10.1.2.3", 8123))
    assert (route.url, route.command) == ("http://10.1.2.3:8123/", "")
    assert "not encrypted" in route.note
