"""The reverse proxy of the site (RPS): a public https address under a name of its own for each session.

The name is taken on the login node, so that Jupyter knows its foreign origin when it starts. The job redeems
it from the address that Jupyter listens on; minutes later at most, the proxy leads there.
"""

from __future__ import annotations

import contextlib
import hmac
import json

import msgspec

from setup_wizard.access import Route, Spot, State, Ticket, Way
from setup_wizard.access.control import Control
from setup_wizard.errors import MachineBlocks, NetworkTrouble, SetupError
from setup_wizard.world import Ask, World

LOOK = 10.0  # seconds for an answer through the public address
SELDOM = 5.0  # seconds between two questions to the control service; a look at the address costs it nothing
LONGEST = 49  # hours after which the proxy forgets a name by itself


class Satellite:
    """Through the proxy at `domain`."""

    def __init__(self) -> None:
        self.asked = 0.0  # when the control service last told how the name is

    def address(self, world: World, ticket: Ticket) -> str:
        """The one that the proxy will see, as it maps to where the call comes from."""
        return world.our_address(_control(world, ticket).url)

    def reserve(self, world: World, way: Way) -> Ticket:
        control = Control(world, way.domain, way.ca)
        ticket = Ticket(control.take(), way.domain, ca=way.ca)
        with contextlib.suppress(SetupError):  # a session without a spare is a session
            ticket = msgspec.structs.replace(ticket, spares=(control.take(tries=1),))
        return ticket

    def attach(self, world: World, ticket: Ticket, job_id: str) -> None:
        with contextlib.suppress(SetupError):
            _control(world, ticket).link(ticket.name, job_id)

    def redeem(self, world: World, ticket: Ticket, spot: Spot) -> Ticket:
        control = _control(world, ticket)
        while not control.redeem(ticket.name, spot.port, ticket.unheard):
            ticket = _next(ticket)
        return ticket

    def state(self, world: World, ticket: Ticket, sign: tuple[str, str]) -> State:
        control = _control(world, ticket)
        try:
            seen = _look(world, ticket, sign)
            if seen != "pending" or world.now() - self.asked < SELDOM:
                return seen
            known = control.state(ticket.name) or control.state(ticket.name)
            self.asked = world.now()
            return "pending" if known else "lost"
        except SetupError:
            return "unknown"

    def renew(self, world: World, ticket: Ticket, spot: Spot) -> Ticket:
        fresh = _next(ticket)
        with contextlib.suppress(SetupError):  # somebody else has done so, most likely
            _control(world, ticket).destroy(ticket.name)
        return self.redeem(world, fresh, spot)

    def route(self, ticket: Ticket, spot: Spot) -> Route:
        return Route(f"{ticket.origin}/")

    def release(self, world: World, ticket: Ticket) -> None:
        trouble: SetupError | None = None
        for name in filter(None, (ticket.name, *ticket.spares)):
            try:
                _control(world, ticket).destroy(name)
            except SetupError as e:
                trouble = e
            if isinstance(trouble, NetworkTrouble):
                break  # the other names would not be heard either
        if trouble:
            raise MachineBlocks(
                f"{trouble.problem} Until it is told, the address of this session may lead to whatever "
                f"listens on that port of the node; after {LONGEST} hours it forgets it by itself.",
                fix="It is tried again with: hpc-jupyter-setup sessions. Do not open the old address.",
            )


def _control(world: World, ticket: Ticket) -> Control:
    return Control(world, ticket.domain, ticket.ca)


def _next(ticket: Ticket) -> Ticket:
    """The ticket under its next name."""
    if not ticket.spares:
        raise MachineBlocks(
            f"Somebody else took or destroyed the address of this session at {ticket.domain}, "
            "and no spare one is left.",
            fix="Launch again, and tell your centre; or choose another way in: --access tunnel",
        )
    first, *rest = ticket.spares
    return msgspec.structs.replace(ticket, name=first, spares=tuple(rest), unheard=False)


def _look(world: World, ticket: Ticket, sign: tuple[str, str]) -> State:
    """Whether the public address leads to the Jupyter that shows our sign; the token is never sent."""
    reply = world.call(Ask(f"{ticket.origin}/api", timeout=LOOK, ca=ticket.ca))
    if reply.status != 200 or not _is_jupyter(reply.body):
        return "pending"
    place, content = sign
    shown = world.call(Ask(f"{ticket.origin}/{place}", timeout=LOOK, ca=ticket.ca))
    if shown.status >= 500:
        return "pending"
    ours = shown.status == 200 and hmac.compare_digest(shown.body, content.encode())
    return "live" if ours else "lost"


def _is_jupyter(body: bytes) -> bool:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return bool(json.loads(body)["version"])
    return False
