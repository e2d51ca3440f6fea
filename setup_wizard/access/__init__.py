"""One file a way to reach a session.

A ticket is taken before the job starts, tied to the job, made good by the job as soon as it holds its port,
looked at while the session lives, and given back at the end, whatever the end was.
"""

from __future__ import annotations

import re
from typing import Literal, Protocol

import msgspec

from setup_wizard.errors import BadInput
from setup_wizard.hints import did_you_mean
from setup_wizard.world import World

# How a tunnel comes from the login node to the node: straight by ssh, through a step of the job, or over
# the cluster's own network to an address of the node.
TRIES = 3  # how often somebody is asked who does not answer
Nodes = Literal["ssh", "relay", "address"]
State = Literal["pending", "live", "lost", "unknown"]


class Way(msgspec.Struct, frozen=True):
    """What a site says of its ways in.

    `domain` is that of its proxy ("" for none), `ca` a file of certificates to trust there ("" for the
    usual ones), `logins` the addresses to log in to, as far as they are known. `steps` tells whether a job
    can be entered from there. `readable` is the user's own word: that others may read along is understood.
    """

    domain: str = ""
    ca: str = ""
    logins: tuple[str, ...] = ()
    nodes: Nodes = "ssh"
    steps: bool = True
    readable: bool = False


class Ticket(msgspec.Struct, frozen=True):
    """The right to a way in, and all that is needed to use it and to give it back.

    `name` is what the proxy knows it by ("" for none), and a secret; so are the `old` ones, which may still
    lead here, as nobody heard whether they were given back. `login` is the login node as a laptop reaches it,
    `inside` as the nodes of the cluster do ("" for the same), `user` who has launched, `relay` the command
    there that carries a tunnel through the job ("" where none can), and `sockets` the folder in which it
    listens.
    """

    name: str = ""
    domain: str = ""
    old: tuple[str, ...] = ()
    ca: str = ""
    login: str = ""
    inside: str = ""
    user: str = ""
    nodes: Nodes = "ssh"
    relay: str = ""
    sockets: str = ""

    @property
    def origin(self) -> str:
        """The foreign origin that a browser has, without a slash at its end; "" for Jupyter's own address."""
        return f"https://{self.name}.{self.domain}" if self.name else ""


class Spot(msgspec.Struct, frozen=True):
    """Where a Jupyter listens: its IP address and port, the node's name, its job and its session."""

    address: str
    port: int
    host: str = ""
    job: str = ""
    session: str = ""


class Route(msgspec.Struct, frozen=True):
    """How to get there: the address for the browser, and the command to run first ("" for none).

    `note` is what the user should know about it; `anywhere` tells whether the address answers here too, and
    not only where the command runs.
    """

    url: str
    command: str = ""
    note: str = ""
    anywhere: bool = True


class Access(Protocol):
    """A way in."""

    def address(self, world: World, ticket: Ticket) -> str:
        """In the job: the one IP address that Jupyter is to listen on."""

    def reserve(self, world: World, way: Way) -> Ticket:
        """Before the job is submitted, on the login node."""

    def attach(self, world: World, ticket: Ticket, job_id: str) -> None:
        """When the job has an id. Nobody depends on it: its trouble is for the log alone."""

    def redeem(self, world: World, ticket: Ticket, spot: Spot) -> bool:
        """In the job, once its port is held: whether the way leads here from now on.

        It does not where its name was taken, destroyed or forgotten: then it is to be renewed. After
        NetworkTrouble it may be tried again; what was done unheard is then taken for somebody else's doing.
        """

    def state(self, world: World, ticket: Ticket, sign: tuple[str, str]) -> State:
        """One look, in the job: whether the way leads to the Jupyter that shows `sign`.

        "lost" is a way that somebody has destroyed or taken, or that was forgotten; on "unknown" nothing is
        to be done.
        """

    def renew(self, world: World, ticket: Ticket) -> Ticket:
        """In the job: another one in place of a lost one, to be redeemed; a SetupError when there is none."""

    def route(self, ticket: Ticket, spot: Spot) -> Route:
        """The way to a Jupyter that listens there."""

    def warning(self, seconds: float) -> str:
        """What to know of it in a session that may last so long, "" for nothing."""

    def release(self, world: World, ticket: Ticket, *, tries: int = TRIES) -> None:
        """Give it back, from the node that redeemed it, after Jupyter has ended; safe twice.

        A SetupError says what is left, and until when; after NetworkTrouble it may be tried again.
        """


def exactly(origin: str) -> str:
    """The pattern that this origin matches, and nothing else does."""
    return rf"\A{re.escape(origin)}\Z"


def find(name: str) -> Access:
    """The way in of that name; BadInput for an unknown one."""
    from setup_wizard.access.direct import Direct
    from setup_wizard.access.local import Local
    from setup_wizard.access.satellite import Satellite
    from setup_wizard.access.ssh_tunnel import Tunnel

    known: dict[str, type[Access]] = {"local": Local, "rps": Satellite, "tunnel": Tunnel, "direct": Direct}
    if name not in known:
        raise BadInput(
            f"There is no way in called «{name}».{did_you_mean(name, known)}",
            fix=f"Choose one of: {', '.join(known)}",
        )
    return known[name]()
