"""The way in, as the job sees it: opened, looked at, replaced when somebody has taken it, given back."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from setup_wizard import access, proof, running, session
from setup_wizard.access import Spot, State
from setup_wizard.errors import NetworkTrouble
from setup_wizard.jupyter import start, words
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
        self.asked, self.trouble = False, ""

    def address(self) -> str:
        """The one IP address of this node that Jupyter is to listen on."""
        return self.access.address(self.world, self.ticket)

    @property
    def origins(self) -> str:
        """A pattern of exactly the foreign origins that Jupyter must accept; "" for none."""
        return access.exactly(self.ticket.origins) if self.ticket.origins else ""

    def open(self, here: str, port: int) -> None:
        """Ask for the way to this address, which nobody else can take any more; `look` asks again."""
        self.spot = Spot(here, port, self.world.hostname, self.session.job_id, self.session.id)
        try:
            self._take(self.access.redeem(self.world, self.ticket, self.spot))
            self.asked, self.trouble = True, ""
        except NetworkTrouble as e:
            self._take(msgspec.structs.replace(self.ticket, unheard=True))
            self._trouble(e)

    def look(self) -> State:
        """Whether it leads to our Jupyter; a lost one is replaced here, and is lost all the same."""
        if not self.asked:
            self.open(self.spot.address, self.spot.port)
        if not self.asked:
            return "unknown"
        state = self.access.state(self.world, self.ticket, session.sign(self.session))
        if state == "lost":
            self.say("the way in was taken or destroyed by somebody else; takes another")
            self._renew()
        return state

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
        warning = " ".join(filter(None, [words.warning(version), place.note if place else ""]))
        more = {"warning": warning, "command": route.command, "note": route.note}
        session.write(self.session.folder, msgspec.structs.replace(known, **more))

    @property
    def base(self) -> str:
        """The address on this node."""
        return f"http://{self.spot.address}:{self.spot.port}/"

    def release(self) -> None:
        """Give it back; safe twice. A SetupError says what is left of it."""
        self.access.release(self.world, self.ticket)

    def _renew(self) -> None:
        try:
            self._take(self.access.renew(self.world, self.ticket, self.spot))
        except NetworkTrouble as e:  # the next look finds it lost again
            self._trouble(e)

    def _trouble(self, e: NetworkTrouble) -> None:
        self.trouble = e.problem
        self.say(e.problem)

    def _take(self, ticket: access.Ticket) -> None:
        if ticket != self.ticket:
            self.ticket = ticket
            session.write(self.session.folder, ticket)
