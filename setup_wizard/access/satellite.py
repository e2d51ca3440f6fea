"""The reverse proxy of the site (RPS): a public https address under a name of its own for each session.

The name is taken on the login node, which shows before the submission that there is a way. The job redeems
it from the address that Jupyter listens on; minutes later at most, the proxy leads there. The proxy forgets a
name after a while, and others may take or destroy it: then the job takes another one.
"""

from __future__ import annotations

import contextlib
import hmac
import json

import msgspec

from setup_wizard.access import TRIES, Route, Spot, State, Ticket, Way
from setup_wizard.access.control import Control
from setup_wizard.errors import MachineBlocks, NetworkTrouble, SetupError
from setup_wizard.world import Ask, World

LOOK = 10.0  # seconds for an answer through the public address
SELDOM = 5.0  # seconds between two questions to the control service; a look at the address costs it nothing
AGAIN = 1.0  # seconds before a stranger's answer is asked for again
LONGEST = 49  # hours after which the proxy forgets a name by itself


class Satellite:
    """Through the proxy at `domain`."""

    def __init__(self) -> None:
        self.asked = 0.0  # when the control service last told how the name is

    def address(self, world: World, ticket: Ticket) -> str:
        """The one that the proxy will see, as it maps to where the call comes from."""
        return world.our_address(_control(world, ticket).url)

    def reserve(self, world: World, way: Way) -> Ticket:
        return Ticket(Control(world, way.domain, way.ca).take(), way.domain, ca=way.ca)

    def attach(self, world: World, ticket: Ticket, job_id: str) -> None:
        _control(world, ticket).link(ticket.name, job_id)

    def redeem(self, world: World, ticket: Ticket, spot: Spot) -> bool:
        return _control(world, ticket).redeem(ticket.name, spot.port)

    def state(self, world: World, ticket: Ticket, sign: tuple[str, str]) -> State:
        control = _control(world, ticket)
        try:
            seen = _look(world, ticket, sign)
            if seen == "lost":  # one odd answer is none: a proxy that reads its settings again gives such
                world.sleep(AGAIN)
                seen = _look(world, ticket, sign)
            if seen != "pending" or world.now() - self.asked < SELDOM:
                return seen
            known = control.state(ticket.name) or control.state(ticket.name)
            self.asked = world.now()
            return "pending" if known else "lost"
        except SetupError:
            return "unknown"

    def renew(self, world: World, ticket: Ticket) -> Ticket:
        control, old = _control(world, ticket), ticket.old
        name = control.take(tries=1)  # who looks next asks again
        try:
            control.destroy(ticket.name)  # it leads here, if it was redeemed unheard
        except NetworkTrouble:
            old = (*old, ticket.name)
        except SetupError:
            pass  # another host has it, and leads it to itself
        return msgspec.structs.replace(ticket, name=name, old=old)

    def route(self, ticket: Ticket, spot: Spot) -> Route:
        return Route(f"{ticket.origin}/")

    def warning(self, seconds: float) -> str:
        if seconds <= LONGEST * 3600:
            return ""
        return (
            f"The proxy forgets each address after {LONGEST} hours: the session then gets another one, which "
            "hpc-jupyter-setup sessions shows, and its kernels go on."
        )

    def release(self, world: World, ticket: Ticket, *, tries: int = TRIES) -> None:
        trouble: SetupError | None = None
        for name in filter(None, (ticket.name, *ticket.old)):
            try:
                _control(world, ticket).destroy(name, tries)
            except SetupError as e:
                trouble = e
            if isinstance(trouble, NetworkTrouble):
                break  # the other names would not be heard either
        if trouble:
            kind = NetworkTrouble if isinstance(trouble, NetworkTrouble) else MachineBlocks
            raise kind(
                f"{trouble.problem} Until it is told, the address of this session may lead to whatever "
                f"listens on that port of the node; after {LONGEST} hours it forgets it by itself.",
                fix="It is tried again with: hpc-jupyter-setup sessions. Do not open the old address.",
            )


def _control(world: World, ticket: Ticket) -> Control:
    return Control(world, ticket.domain, ticket.ca)


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
