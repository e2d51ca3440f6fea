"""A tunnel from a port of this machine to Jupyter on a node, inside the connection to the login node."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field

from setup_wizard.access import Nodes, Ticket
from setup_wizard.errors import MachineBlocks, NetworkTrouble
from setup_wizard.far import LOCAL, NO_OTHERS, TOOL, Far
from setup_wizard.jupyter.start import shows
from setup_wizard.world import Started, laptop

# It notices a cut within seconds: who has it come back asks nobody.
KEEP = ("ServerAliveInterval=1", "ServerAliveCountMax=3", "ConnectTimeout=10", NO_OTHERS)
SHOWN, SHOWN_AGAIN = 10.0, 3.0  # seconds for a tunnel to lead to Jupyter, at first and after a cut
ANSWER = 5.0  # seconds for the login node to say something, before it is believed that no way leads on
LOOK = 0.1
READABLE = "--i-understand-http-is-readable"
CENTRE = "Ask your centre how ssh may reach the nodes of your own jobs."


class NoWay(MachineBlocks):
    """Nothing that may be used reaches the node: ssh, a step of the job, or the network with consent."""


@dataclass
class Tunnel:
    """A local port that leads to the port of Jupyter on a node. `kind` is how, once it is known."""

    far: Far
    node: str
    remote: int
    local: int
    sign: tuple[str, str]
    kind: Nodes = "ssh"
    ticket: Ticket = field(default_factory=Ticket)
    session: str = ""
    _carrier: Started | None = None  # the ssh to the node, or that of our relay

    @classmethod
    def to(cls, far: Far, node: str, port: int, sign: tuple[str, str]) -> Tunnel:
        """A tunnel that is not open yet; the same port here, when it is free."""
        return cls(far, node, port, laptop.free_port(port), sign)

    @property
    def base(self) -> str:
        """Jupyter's address on this machine."""
        return f"http://127.0.0.1:{self.local}/"

    def open(self, ticket: Ticket, session: str, tell: Callable[[], object] = bool) -> None:
        """Try the ways to the node, the safest first, until one shows that it leads to our Jupyter.

        `tell` is called before it goes through steps of the job, where others can read along.
        NoWay when none does, NetworkTrouble when that cannot be known.
        """
        self.ticket, self.session = ticket, session
        ways: tuple[Nodes, ...] = ("address",) if ticket.nodes == "address" else ("ssh", "relay")
        for self.kind in ways:
            if self.kind == "relay" and ticket.relay:
                tell()
            if self._try(SHOWN):
                return
        if not self.far.answers(ANSWER):
            raise NetworkTrouble(f"The connection to {self.far.host} is gone.", fix="Connect again.")
        if ticket.nodes == "address":
            raise NoWay(f"{self.node} does not answer over the cluster's network either.", fix=CENTRE)
        raise NoWay(
            f"No tunnel leads to {self.node}: it lets in neither ssh nor a step of the job. Over the "
            "cluster's own network there may be a way; who administers it, or listens there, can read along.",
            fix=f"If you accept that: {TOOL} connect {self.far.host} {READABLE} …",
        )

    def again(self) -> None:
        """The same way and the same port, after a cut; NetworkTrouble when it does not lead there yet."""
        if not self._try(SHOWN_AGAIN):
            raise NetworkTrouble(f"The tunnel to {self.node} does not open yet.", fix="Connect again.")

    def is_open(self) -> bool:
        """Whether what carries it still stands."""
        return self._is_carried() and (self.kind == "ssh" or self.far.is_open())

    def _is_carried(self) -> bool:
        return self.kind == "address" or (self._carrier is not None and self._carrier.runs())

    def _try(self, seconds: float) -> bool:
        opened = {"ssh": self._to_node, "relay": self._relay, "address": self._network}[self.kind]()
        if opened and self._leads_there(seconds):
            return True
        self.shut()
        return False

    def shut(self) -> None:
        """Close it; the connection to the login node stays."""
        if self.kind != "ssh":
            self.far.cancel(self._spec())
        if self._carrier:
            self._carrier.end()

    # --- the ways -----------------------------------------------------------------------------------------

    def _to_node(self) -> bool:
        """A second ssh inside the first, to the node itself; nobody is asked anything."""
        through = shlex.join(
            self.far.ssh("-S", self.far.socket, "-oBatchMode=yes", "-W", "%h:%p", self.far.host)
        )
        known = f"{self.far.folder}/known ~/.ssh/known_hosts"  # a new node is remembered for this time only
        words = [f"-o{k}" for k in ("BatchMode=yes", "StrictHostKeyChecking=accept-new", *KEEP)]
        words += [f"-oProxyCommand={through}", f"-oUserKnownHostsFile={known}"]
        words += ["-M", "-S", str(self.far.folder / "n"), "-N", "-T", self._at]
        (self.far.folder / "n").unlink(missing_ok=True)
        world, log = self.far.world, self.far.folder / "log-node"
        # It cannot go to the background by itself: what carries it would be left behind, and ended with us.
        self._carrier = world.start(self.far.ssh(*words), log=log, env=world.env, cwd=world.home)
        deadline = world.now() + LOCAL
        while self._carrier.runs() and world.now() < deadline:
            if self.far.control("n", "check"):
                return self.far.control("n", "forward", "-L", self._spec())
            world.sleep(LOOK)
        return False

    def _relay(self) -> bool:
        """Our relay on the login node, which goes through steps of the job."""
        if not self.ticket.relay:
            return False
        world, argv = self.far.world, self.far.through(f"{self.ticket.relay} {shlex.quote(self.session)}")
        self._carrier = world.start(argv, log=self.far.folder / "log-relay", env=world.env)
        return self.far.forward(self._spec())

    def _network(self) -> bool:
        """Over the cluster's own network, where Jupyter listens to it."""
        return self.far.forward(self._spec())

    def _spec(self) -> str:
        where = {
            "ssh": f"127.0.0.1:{self.remote}",
            "relay": f"{self.ticket.sockets}/{self.session}",
            "address": f"{self.node}:{self.remote}",
        }
        return f"127.0.0.1:{self.local}:{where[self.kind]}"

    @property
    def _at(self) -> str:
        user, at, _ = self.far.host.rpartition("@")
        return f"{user}{at}{self.node}"

    def _leads_there(self, seconds: float) -> bool:
        """Whether our own Jupyter is at the other end."""
        world = self.far.world
        deadline = world.now() + seconds
        while world.now() < deadline:
            if shows(world, self.base, self.sign):
                return True
            if not self._is_carried():
                return False  # it has said why in its log
            world.sleep(LOOK)
        return False
