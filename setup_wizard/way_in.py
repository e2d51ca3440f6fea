"""The way in, as the job sees it: opened, looked at, replaced when somebody has taken it, given back."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from setup_wizard import access, proof, running, session, sites
from setup_wizard.access import Spot, State
from setup_wizard.discovery import refuse_login_node
from setup_wizard.errors import NetworkTrouble, SetupError
from setup_wizard.jupyter import addition, start, words
from setup_wizard.jupyter.nook import Nook
from setup_wizard.session import Address, Place, Proven, Session
from setup_wizard.world import World


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
        self.asked, self.told, self.changed, self.trouble = False, False, 0.0, ""

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

    def guard(self) -> None:
        """A look while the session lives; the list shows another address, or that there is none just now."""
        try:
            state = self.look()
            if state == "live" and not self.told:
                self.tell()
            trouble = self.trouble
        except SetupError as e:  # no reason to end what computes
            self.say(e.problem)
            trouble = e.problem
        if not self.told:
            self._tell_of_none(trouble)

    def prove(self) -> None:
        """Run a cell from here where the user's address answers only elsewhere."""
        if self.access.route(self.ticket, self.spot).anywhere:
            return
        token, job = session.secret(self.session, "token"), self.session.job
        url = f"{self.base}{start.PAGES[job.interface]}?token={token}"
        target = proof.Target(url, token, session.sign(self.session), running.prefix_of(self.session))
        seen = proof.prove(self.world, target)
        session.write(self.session.folder, Proven(seen.kernel_prefix, seen.answer, seen.via))

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
        self.told = True

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
