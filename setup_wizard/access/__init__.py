"""One file a way to reach a session.

A ticket is taken before the job starts, tied to the job, made good by the job once its Jupyter answers, and
given back at the end, whatever the end was.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from setup_wizard.errors import BadInput
from setup_wizard.hints import did_you_mean
from setup_wizard.world import World


class Ticket(msgspec.Struct, frozen=True):
    """The right to a way in. `name` is what the proxy knows it by ("" for none), and a secret.

    `origin` is the one foreign origin that Jupyter must accept, as https://name.domain without a slash;
    "" when the browser speaks to Jupyter under its own address.
    """

    name: str = ""
    origin: str = ""


class Route(msgspec.Struct, frozen=True):
    """How to get there: the address for the browser, and the command to run first ("" for none)."""

    url: str
    command: str = ""


class Access(Protocol):
    """A way in."""

    def address(self, world: World) -> str:
        """In the job: the one IP address that Jupyter is to listen on."""

    def reserve(self, world: World) -> Ticket:
        """Before the job is submitted."""

    def attach(self, world: World, ticket: Ticket, job_id: str) -> None:
        """When the job has an id."""

    def redeem(self, world: World, ticket: Ticket, port: int) -> None:
        """In the job, when what answers at the port has proven to be ours."""

    def route(self, ticket: Ticket, host: str, port: int) -> Route:
        """The way to a Jupyter that listens on `host`."""

    def release(self, world: World, ticket: Ticket) -> None:
        """Give it back; safe twice."""


def find(name: str) -> Access:
    """The way in of that name; BadInput for an unknown one."""
    from setup_wizard.access.local import Local

    known: dict[str, type[Access]] = {"local": Local}
    if name not in known:
        raise BadInput(
            f"There is no way in called «{name}».{did_you_mean(name, known)}",
            fix=f"Choose one of: {', '.join(known)}",
        )
    return known[name]()
