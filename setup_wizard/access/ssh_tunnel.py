"""A tunnel over ssh: Jupyter stays on the node's loopback, and one command on the laptop leads there.

Which command depends on how far the site lets a user's ssh go: to the node itself, or to the login node only.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from setup_wizard.access import TRIES, Route, Spot, State, Ticket, Way
from setup_wizard.world import World

LOOPBACK = "127.0.0.1"
# One login; an end when the port is taken or the network is gone, in place of a tunnel that only seems open.
KEEP = "-o ExitOnForwardFailure=yes -o ServerAliveInterval=15 -o ServerAliveCountMax=3"
TAKEN = (
    "If ssh says «Address already in use», write another number in place of the first {port} behind -L, and "
    "in the address. "
)
READABLE = (
    "From the login node to {host} it goes as plain HTTP over the cluster's own network: who administers it, "
    "or listens there, can read along."
)
# Who hears what Slurm carries between its own programs.
HEARD = (
    "which Slurm as a rule does not encrypt: who administers the cluster, or listens on its network, can "
    "read along, the token too."
)
STEPS = "From the login node to {host} it goes through steps of your job, {heard}"
NO_STEP = (
    "launch again with --i-understand-http-is-readable: then the last part goes over the cluster's own "
    "network, and can be read there."
)


class Tunnel:
    """Through ssh, from the laptop."""

    def address(self, world: World, ticket: Ticket) -> str:
        """Loopback, unless the last part of the way is the cluster's own network."""
        return (
            world.our_address(f"http://{ticket.inside or ticket.login}")
            if ticket.nodes == "address"
            else LOOPBACK
        )

    def reserve(self, world: World, way: Way) -> Ticket:
        here = login_node(world)
        return Ticket(
            login=reached_as(here, way.logins),
            inside=here,
            user=world.env.get("USER") or world.env.get("LOGNAME") or "",
            nodes=way.nodes,
            relay=shlex.join(world.own_python("setup_wizard.relay")) if way.steps else "",
            sockets=str(world.cache / "relay"),
        )

    def attach(self, world: World, ticket: Ticket, job_id: str) -> None:
        return None

    def redeem(self, world: World, ticket: Ticket, spot: Spot) -> bool:
        return True

    def state(self, world: World, ticket: Ticket, sign: tuple[str, str]) -> State:
        return "live"

    def renew(self, world: World, ticket: Ticket) -> Ticket:
        return ticket

    def route(self, ticket: Ticket, spot: Spot) -> Route:
        """The same port at both ends: it was free on the node, and the note is for who has it taken."""
        url, taken = f"http://{LOOPBACK}:{spot.port}/", TAKEN.format(port=spot.port)
        if ticket.nodes == "relay":
            note = taken + STEPS.format(host=spot.host, heard=HEARD)
            return Route(url, through_the_job(ticket, spot), note, anywhere=False)
        if ticket.nodes == "address":
            note = taken + READABLE.format(host=spot.host)
            return Route(url, through_the_network(ticket, spot), note, anywhere=False)
        steps = f"go through steps of the job, {HEARD} The command: {through_the_job(ticket, spot)}"
        instead = steps if ticket.relay else NO_STEP
        note = f"{taken}If {spot.host} does not let you in, {instead}"
        return Route(url, to_the_node(ticket, spot), note, anywhere=False)

    def warning(self, seconds: float) -> str:
        return ""

    def release(self, world: World, ticket: Ticket, *, tries: int = TRIES) -> None:
        return None


def to_the_node(ticket: Ticket, spot: Spot) -> str:
    """The command that goes to the node itself, through the login node."""
    to = f"{LOOPBACK}:{spot.port}"
    return f"ssh -N {KEEP} -L {to}:{to} -J {_at(ticket, ticket.login)} {_at(ticket, spot.host)}"


def through_the_job(ticket: Ticket, spot: Spot) -> str:
    """The command that goes to the login node, and from there through steps of the job."""
    to = f"{LOOPBACK}:{spot.port}:{ticket.sockets}/{spot.session}"
    return f"ssh {KEEP} -L {to} {_at(ticket, ticket.login)} {ticket.relay} {spot.session}"


def through_the_network(ticket: Ticket, spot: Spot) -> str:
    """The command that goes to the login node, and from there over the cluster's network."""
    to = f"{LOOPBACK}:{spot.port}:{spot.address}:{spot.port}"
    return f"ssh -N {KEEP} -L {to} {_at(ticket, ticket.login)}"


def login_node(world: World) -> str:
    """The login node that we are on, or in a job that it was submitted from, by its own name."""
    mine = full_name(world)
    of_job = world.env.get("SLURM_SUBMIT_HOST") or world.env.get("PBS_O_HOST") or mine
    return mine if of_job.split(".")[0] == mine.split(".")[0] else of_job


def reached_as(name: str, logins: Sequence[str]) -> str:
    """The name by which a laptop comes to that login node, or to any of its site, with these addresses.

    Its own, so that the same node is reached, where that is in the domain of one of them; one that is only
    known inside of the cluster leads nowhere, and is the first of them.
    """
    domains = {domain for login in logins for domain in (login, login.partition(".")[2]) if domain}
    fits = not logins or name in logins or name.partition(".")[2] in domains
    return name if fits else logins[0]


def full_name(world: World) -> str:
    """The full name of this very machine, where it has one."""
    said = world.run(["hostname", "-f"], timeout=3).out.strip()
    return said if "." in said and " " not in said and not said.startswith("localhost") else world.hostname


def _at(ticket: Ticket, host: str) -> str:
    return f"{ticket.user}@{host}" if ticket.user else host
