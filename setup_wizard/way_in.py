"""The way in, as the job sees it: opened, looked at, replaced when somebody has taken it, given back."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from setup_wizard import access, proof, running, session, sites
from setup_wizard.access import Spot, State
from setup_wizard.discovery import refuse_login_node
from setup_wizard.errors import NetworkTrouble, NotProven, SetupError
from setup_wizard.jupyter import addition, start, words
from setup_wizard.jupyter.nook import Nook
from setup_wizard.session import Address, Place, Proven, Session
from setup_wizard.world import World
from setup_wizard.world.beside import beside

DYING = 12.0  # seconds for a Jupyter that answers no more to be gone


class WayIn:
    """How the browser reaches one session. The ticket on disk is always the one in use.

    `trouble` is what went wrong on the network when the way was last asked for, "" for nothing.
    """

    def __init__(self, world: World, mine: Session, say: Callable[[str], None]) -> None:
        self.world, self.session, self.say = world, mine, say
        self.access = access.find(mine.job.access)
        self.ticket = session.read(mine.folder, access.Ticket) or access.Ticket()
        self.spot = Spot("", 0)
        self.nook: Nook
        self.asked, self.told, self.proven = False, False, False
        self.changed, self.trouble = 0.0, ""

    def address(self) -> str:
        """The one IP address of this node that Jupyter is to listen on."""
        if self.session.job.access == "direct":  # open to the network: a job may come to lie on a login node
            refuse_login_node(self.world, sites.find(self.session.job.site, self.world))
        return self.access.address(self.world, self.ticket)

    @property
    def origin(self) -> str:
        """A pattern of exactly the foreign origin that Jupyter must accept; "" for none."""
        return access.exactly(self.ticket.origin) if self.ticket.origin else ""

    def open(self, nook: Nook, here: str, port: int) -> None:
        """Ask for the way to this address, which nobody else can take any more; `look` asks again."""
        self.nook = nook
        self.spot = Spot(here, port, self.world.hostname, self.session.job_id, self.session.id)
        self._ask()

    def look(self) -> State:
        """Whether it leads to our Jupyter; a lost one is asked for again, under another name if need be."""
        if not self.asked:
            self._ask()
        if not self.asked:
            return "unknown"
        if self.world.now() - self.changed < addition.HEARD:
            return "pending"
        state = self.access.state(self.world, self.ticket, session.sign(self.session))
        if state == "lost":
            self.say("the way in was taken, destroyed or forgotten; asks for another")
            self.asked = self.told = False
        return state

    def guard(self, wait: Callable[[], object]) -> None:
        """A look while the session lives; the list shows another address, or that there is none just now.

        Another address is proven as the first one was; where that fails, the next look tries again.
        """
        try:
            state = self.look()
            if state == "live" and not self.told:
                self.tell()
            if state == "live" and not self.proven:
                self.prove(wait)
            trouble = self.trouble
        except SetupError as e:  # no reason to end what computes
            self.say(e.problem)
            trouble = e.problem
        if not self.told:
            self._tell_of_none(trouble)

    def prove(self, wait: Callable[[], object]) -> None:
        """Run a cell through the user's address, or ours where that one answers only elsewhere; NotProven.

        `wait` is called again and again meanwhile: what it raises ends this, and the session is no slower to
        hear of its end.
        """
        route, token = self.access.route(self.ticket, self.spot), session.secret(self.session, "token")
        page = f"{start.PAGES[self.session.job.interface]}?token={token}"
        sign, prefix = session.sign(self.session), running.prefix_of(self.session)
        base = route.url if route.anywhere else self.base
        target = proof.Target(f"{base}{page}", token, sign, prefix, ca=self.ticket.ca)
        try:
            seen = beside(lambda: proof.prove(self.world, target), wait)
        except NotProven:
            until = self.world.now() + DYING
            while self.world.now() < until and not start.shows(self.world, self.base, sign):
                wait()  # the death of a Jupyter tells more
            raise
        session.write(self.session.folder, Proven(route.url, seen.kernel_prefix, seen.answer, seen.via))
        self.proven = True

    def tell(self) -> None:
        """Write down the address that the user is to open."""
        route = self.access.route(self.ticket, self.spot)
        version = start.version(self.world, self.base)
        known = Address(route.url, self.spot.host, self.spot.port, self.world.now(), version)
        place = session.read(self.session.folder, Place)
        long = self.access.warning(self.session.job.resources.time_limit)
        warning = " ".join(filter(None, [words.warning(version), place.note if place else "", long]))
        more = {"warning": warning, "command": route.command, "note": route.note}
        session.write(self.session.folder, msgspec.structs.replace(known, **more))
        self.told, self.proven = True, False

    @property
    def base(self) -> str:
        """The address on this node."""
        return f"http://{self.spot.address}:{self.spot.port}/"

    def release(self) -> None:
        """Give it back; safe twice. A SetupError says what is left of it."""
        self.access.release(self.world, self.ticket)

    def _ask(self) -> None:
        """Ask for the way, and for another name where this one cannot be had: that is for the next time."""
        try:
            self.asked = self.access.redeem(self.world, self.ticket, self.spot)
            if not self.asked:
                self._take(self.access.renew(self.world, self.ticket))
            self.trouble = ""
        except NetworkTrouble as e:
            self._trouble(e)

    def _tell_of_none(self, trouble: str) -> None:
        """Write down that the address is lost, and why there is no other one yet."""
        warning = f"Its address was lost, and another one is being prepared. {trouble}".rstrip()
        lost = Address("", self.spot.host, self.spot.port, self.world.now(), warning=warning)
        known = session.read(self.session.folder, Address)
        if not known or (known.url, known.warning) != ("", warning):
            session.write(self.session.folder, lost)

    def _trouble(self, e: NetworkTrouble) -> None:
        self.trouble = e.problem
        self.say(e.problem)

    def _take(self, ticket: access.Ticket) -> None:
        self.ticket, self.changed = ticket, self.world.now()
        session.write(self.session.folder, ticket)
        addition.allow(self.nook, self.origin)
