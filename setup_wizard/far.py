"""A login node, over one ssh connection that everything else goes through, and the tunnels in it.

The connection is a master of ssh's own (ControlMaster): who logged in once, with a second factor perhaps, is
not asked again. A host whose key is not the one that is known is never spoken to.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from setup_wizard.access import Nodes, Ticket
from setup_wizard.errors import MachineBlocks, NetworkTrouble, SetupError
from setup_wizard.jupyter.start import shows
from setup_wizard.world import Output, World, laptop

TOOL = "hpc-jupyter-setup"
INSTALL = "python3 -m pip install --user hpc-jupyter-setup"
# A cut is noticed within seconds, a short one survived.
KEEP = ("ServerAliveInterval=4", "ServerAliveCountMax=3", "ExitOnForwardFailure=yes", "ConnectTimeout=10")
SOON = "ConnectTimeout=2"
REMOTE = 120.0  # seconds for a command there
LOCAL = 20.0  # seconds for a word with our own master
SHOWN = 10.0  # seconds for a tunnel to lead to Jupyter
LOOK = 0.1
FIND = (
    f'for p in "$(command -v {TOOL})" "$HOME/.local/bin/{TOOL}" '
    f'"$("$SHELL" -lc "command -v {TOOL}" | tail -n 1)"; '
    'do if [ -x "$p" ]; then echo "tool $p"; exit 0; fi; done'
)
WAYS: tuple[Nodes, ...] = ("ssh", "relay", "address")
T = TypeVar("T")


@dataclass
class Far:
    """The login node `host` ("user@name"); `folder` is short of path and holds the sockets, 0700.

    `config` is another configuration for ssh than the usual one, "" for that.
    """

    world: World
    host: str
    folder: Path
    config: str = ""
    _tool: str = ""

    def ssh(self, *words: str) -> list[str]:
        """The start of an ssh command, with our configuration."""
        return ["ssh", *(("-F", self.config) if self.config else ()), *words]

    @property
    def socket(self) -> str:
        """Where the master listens."""
        return str(self.folder / "m")

    def open(self, *, batch: bool) -> None:
        """Log in; with `batch` without asking anybody. A SetupError says why not."""
        Path(self.socket).unlink(missing_ok=True)  # one that was killed left it behind
        log = self.folder / "log"
        log.write_text("")
        keep = (*((SOON,) if batch else ()), *KEEP)
        words = [f"-oBatchMode={'yes' if batch else 'no'}", *(f"-o{k}" for k in keep)]
        argv = self.ssh("-M", "-S", self.socket, "-f", "-N", "-T", "-E", str(log), *words, self.host)
        code = self.world.run(argv, timeout=60).code if batch else self._ask(argv)
        if code != 0:
            raise refused(self.host, log.read_text())

    def _ask(self, argv: list[str]) -> int:
        return self.world.lend_terminal(argv, env=self.world.env, cwd=self.world.home)

    def is_open(self) -> bool:
        """Whether the connection still stands."""
        return self._control("check").code == 0

    def close(self) -> None:
        """End the connection, and all that goes through it."""
        self._control("exit")

    def run(self, *words: str, timeout: float = REMOTE) -> Output:
        """Run a command there. 255 is ssh's own trouble, and NetworkTrouble."""
        argv = self.ssh(
            "-S", self.socket, "-oControlMaster=no", "-oBatchMode=yes", f"-o{SOON}", "-T", self.host
        )
        output = self.world.run([*argv, shlex.join(words)], timeout=timeout)
        if output.code in (255, -9):
            raise NetworkTrouble(f"The connection to {self.host} is gone.", fix="Connect again.")
        return output

    def told(self, words: Sequence[str], kind: type[T]) -> T:
        """What our program there answers, as JSON; its errors are raised here as they are there."""
        output = self.run(self.tool(), *words)
        line = next((x for x in reversed(output.out.splitlines()) if x.startswith("{")), "")
        text = line if line and output.out.rstrip().endswith(line) else output.out[output.out.find("{") :]
        try:
            said = json.loads(text)
            if not said.get("ok", True) and "error" in said:
                raise SetupError(f"{self.host}: {said['error']['problem']}", fix=said["error"]["fix"])
            return msgspec.convert(said, kind)
        except (ValueError, AttributeError, KeyError, msgspec.ValidationError) as e:
            last = (output.err.strip() or output.out.strip() or "nothing").splitlines()[-1]
            raise MachineBlocks(
                f"«{TOOL} {words[0]}» on {self.host} answered: {last[:300]}",
                fix=f"Try it there: ssh {self.host} {shlex.join([TOOL, *words])}",
            ) from e

    def tool(self) -> str:
        """Our program there."""
        if not self._tool:
            said = self.run("sh", "-c", FIND).out.splitlines()
            self._tool = next((line[5:] for line in said if line.startswith("tool /")), "")
        if not self._tool:
            raise MachineBlocks(f"{TOOL} is not installed on {self.host}.", fix=f"ssh {self.host} {INSTALL}")
        return self._tool

    def read(self, path: str) -> str:
        """The text of a file there; it comes encrypted, and is in no command line."""
        output = self.run("cat", path)
        if output.code != 0:
            raise MachineBlocks(
                f"{self.host}: {output.err.strip()}", fix="The session has ended; connect again."
            )
        return output.out

    def forward(self, spec: str) -> bool:
        """Lead a local port there; False when it is taken."""
        return self._control("forward", "-L", spec).code == 0

    def cancel(self, spec: str) -> None:
        """Lead it there no longer."""
        self._control("cancel", "-L", spec)

    def _control(self, word: str, *more: str) -> Output:
        argv = self.ssh("-S", self.socket, "-O", word, *more, self.host)
        return self.world.run(argv, timeout=LOCAL)


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

    @classmethod
    def to(cls, far: Far, node: str, port: int, sign: tuple[str, str]) -> Tunnel:
        """A tunnel that is not open yet; the same port here, when it is free."""
        return cls(far, node, port, laptop.free_port(port), sign)

    @property
    def base(self) -> str:
        """Jupyter's address on this machine."""
        return f"http://127.0.0.1:{self.local}/"

    def open(self, ticket: Ticket, session: str) -> None:
        """Try the ways to the node, the safest first, until one shows that it leads to our Jupyter."""
        self.ticket, self.session = ticket, session
        for self.kind in WAYS:
            if self._try():
                return
        raise MachineBlocks(
            f"No tunnel leads to {self.node}: it lets in neither ssh nor a step of the job.",
            fix=f"ssh {self.far.host} {TOOL} sessions; then ask your centre how to reach its nodes",
        )

    def again(self) -> None:
        """The same way and the same port, after a cut; NetworkTrouble when it does not lead there yet."""
        if not self._try():
            raise NetworkTrouble(f"The tunnel to {self.node} does not open yet.", fix="Connect again.")

    def is_open(self) -> bool:
        """Whether what carries it still stands."""
        if self.kind == "ssh":
            return self.far.world.run([*self._node_ssh(), "-O", "check", self._at], timeout=LOCAL).code == 0
        return self.far.is_open()

    def _try(self) -> bool:
        opened = {"ssh": self._to_node, "relay": self._relay, "address": self._network}[self.kind]()
        if opened and self._leads_there():
            return True
        self.shut()
        return False

    def shut(self) -> None:
        """Close it; the connection to the login node stays."""
        if self.kind == "ssh":
            self.far.world.run([*self._node_ssh(), "-O", "exit", self._at], timeout=LOCAL)
        else:
            self.far.cancel(self._spec())

    # --- the ways -----------------------------------------------------------------------------------------

    def _to_node(self) -> bool:
        """A second ssh inside the first, to the node itself; nobody is asked anything."""
        through = shlex.join(
            self.far.ssh("-S", self.far.socket, "-oBatchMode=yes", "-W", "%h:%p", self.far.host)
        )
        known = f"{self.far.folder}/known ~/.ssh/known_hosts"  # a new node is remembered for this time only
        words = [f"-o{k}" for k in ("BatchMode=yes", "StrictHostKeyChecking=accept-new", *KEEP)]
        words += [f"-oProxyCommand={through}", f"-oUserKnownHostsFile={known}"]
        words += ["-M", "-N", "-T", "-L", self._spec(), self._at]
        (self.far.folder / "n").unlink(missing_ok=True)
        world, log = self.far.world, self.far.folder / "log-node"
        # It cannot go to the background by itself: what carries it would be left behind, and ended with us.
        pid = world.start([*self._node_ssh(), *words], log=log, env=world.env, cwd=world.home)
        born, deadline = world.born(pid), world.now() + LOCAL
        while born and world.born(pid) == born and world.now() < deadline:
            if self.is_open():
                return True
            world.sleep(LOOK)
        return False

    def _relay(self) -> bool:
        """Our relay on the login node, which goes through steps of the job."""
        if not self.ticket.relay:
            return False
        argv = self.far.ssh("-S", self.far.socket, "-oControlMaster=no", "-oBatchMode=yes", "-f", "-T")
        argv += [self.far.host, f"{self.ticket.relay} {shlex.quote(self.session)}"]
        self.far.world.start(argv, log=self.far.folder / "log-relay", env=self.far.world.env)
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

    def _node_ssh(self) -> list[str]:
        return self.far.ssh("-S", str(self.far.folder / "n"))

    @property
    def _at(self) -> str:
        user, at, _ = self.far.host.rpartition("@")
        return f"{user}{at}{self.node}"

    def _leads_there(self) -> bool:
        """Whether our own Jupyter is at the other end."""
        world = self.far.world
        deadline = world.now() + SHOWN
        while world.now() < deadline:
            if shows(world, self.base, self.sign):
                return True
            if self.kind == "ssh" and not self.is_open():
                return False
            world.sleep(LOOK)
        return False


def refused(host: str, log: str) -> SetupError:
    """What ssh's own words mean when it did not log in."""
    last = (log.strip().splitlines() or ["it said nothing"])[-1]
    if "IDENTIFICATION HAS CHANGED" in log:
        name = host.rpartition("@")[2]
        return MachineBlocks(
            f"The key of {host} is not the one that this machine knows. Somebody may stand between you "
            "and it, so nothing was sent.",
            fix=f"Ask your centre whether the key was changed; only if they say so: ssh-keygen -R {name}",
        )
    if "Host key verification failed" in log:
        return MachineBlocks(
            f"This machine does not know {host} yet.",
            fix=f"Log in once by hand, and compare the key with what your centre tells: ssh {host}",
        )
    if "Permission denied" in log or "Too many authentication failures" in log:
        return MachineBlocks(f"{host} does not let you in: {last}", fix=f"See why: ssh -v {host}")
    return NetworkTrouble(
        f"{host} could not be reached: {last}", fix=f"See whether you come there: ssh {host}"
    )
