"""Straight to the node over plain HTTP: everybody on the way can read along, the token included.

It is here for those who have nothing else and know what it means; it is offered to nobody.
"""

from __future__ import annotations

from setup_wizard.access import TRIES, Route, Spot, State, Ticket, Way
from setup_wizard.access.ssh_tunnel import full_name
from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.world import World

MEANS = (
    "Plain HTTP is not encrypted: whoever shares the network between your browser and the node can read the "
    "token, and with it run programs as you on the cluster."
)


class Direct:
    """To the node's own address, unencrypted."""

    def address(self, world: World, ticket: Ticket) -> str:
        if world.hostname.split(".")[0] == ticket.login.split(".")[0]:
            raise MachineBlocks(
                f"{world.hostname} is where you launched from, a login node most likely; "
                "Jupyter is not opened to the network there.",
                fix="Launch it as a job, or through ssh: --access tunnel",
            )
        return world.our_address(f"http://{ticket.login}")

    def reserve(self, world: World, way: Way) -> Ticket:
        if not way.readable:
            raise BadInput(
                MEANS,
                fix="Use --access tunnel. If you accept it all the same: --i-understand-http-is-readable",
            )
        return Ticket(login=full_name(world))

    def attach(self, world: World, ticket: Ticket, job_id: str) -> None:
        return None

    def redeem(self, world: World, ticket: Ticket, spot: Spot) -> bool:
        return True

    def state(self, world: World, ticket: Ticket, sign: tuple[str, str]) -> State:
        return "live"

    def renew(self, world: World, ticket: Ticket) -> Ticket:
        return ticket

    def route(self, ticket: Ticket, spot: Spot) -> Route:
        return Route(f"http://{spot.address}:{spot.port}/", note=MEANS)

    def warning(self, seconds: float) -> str:
        return ""

    def release(self, world: World, ticket: Ticket, *, tries: int = TRIES) -> None:
        return None
