"""Plain HTTP to the node: only for who says to know what it means, and never where everybody works."""

from __future__ import annotations

from typing import Any

import pytest

from setup_wizard import access, connect, orders, session
from setup_wizard.access import Spot, Ticket, Way
from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.way_in import WayIn
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


def test_not_in_a_job_that_has_come_to_lie_on_a_login_node(world: World) -> None:
    """The site knows its login hosts by name: whoever started it there, it is refused with the policy."""
    folder = world.home / ".config/hpc-jupyter-setup/sites"
    folder.mkdir(parents=True)
    name = world.hostname
    text = f"name: hut\ntitle: A hut\nscheduler: slurm\nlogin: [{name}]\nlogin_policy: Editing only.\n"
    (folder / "hut.yml").write_text(text)
    job = session.Job(world.home, world.home, site="hut", scheduler="slurm", access="direct")
    mine = session.reserve(world, job, session.this_process(world))
    session.write(mine.folder, Ticket(login="another-login-node"))
    with pytest.raises(MachineBlocks, match=r"login node of A hut.*Editing only\."):
        WayIn(world, mine, lambda said: None).address()


def wish(world: World, **more: Any) -> orders.Wish:
    """Jupyter of some environment in the home."""
    return orders.Wish(prefix=world.home, folder=world.home, **more)


@pytest.mark.parametrize("readable", [False, True])
def test_never_on_the_machine_where_one_is(world: World, readable: bool) -> None:
    """Refused before anything is begun, whatever is said, on a login node and on a workstation."""
    for here in (False, True):
        asked = wish(world, site="workstation", access="direct", here=here, readable=readable)
        with pytest.raises(BadInput, match="for jobs alone") as e:
            orders.order(world, asked)
        assert "--access tunnel" in e.value.fix


@pytest.mark.parametrize(("ways", "taken"), [("[direct]", "tunnel"), ("[direct, tunnel]", "tunnel")])
def test_it_is_never_taken_by_itself(world: World, ways: str, taken: str) -> None:
    """Whatever a site file puts first: plain HTTP is for who writes --access direct."""
    folder = world.home / ".config/hpc-jupyter-setup/sites"
    folder.mkdir(parents=True)
    text = f"name: hut\ntitle: A hut\nscheduler: slurm\naccess: {ways}\n"
    (folder / "hut.yml").write_text(text)
    assert orders.order(world, wish(world, site="hut", scheduler="torque")).job.access == taken
    asked = wish(world, site="hut", scheduler="torque", access="direct")
    assert orders.order(world, asked).job.access == "direct"


@pytest.mark.parametrize("words", [["-p", "gpu", "--access", "direct"], ["--access=direct"]])
def test_not_from_the_laptop(words: list[str]) -> None:
    """`connect` comes through ssh: what would be readable is refused before anybody logs in."""
    with pytest.raises(BadInput, match="no need of plain HTTP"):
        connect.check(words)
    for allowed in (["--access", "rps", "-d", "direct"], ["--access"], ["direct"], []):
        connect.check(allowed)


def test_the_address_is_the_nodes_own(world: World) -> None:
    """On a node it is one address, not all of them; the URL names it, and says again what it means."""
    assert direct.address(world, Ticket(login="127.0.0.1")) == "127.0.0.1"
    route = direct.route(Ticket(login="x"), Spot("10.1.2.3", 8123))
    assert (route.url, route.command) == ("http://10.1.2.3:8123/", "")
    assert "not encrypted" in route.note
