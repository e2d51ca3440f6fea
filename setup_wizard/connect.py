"""From the laptop: launch on a cluster over one ssh connection, and lead a tunnel to it.

    log in once -> launch there -> follow -> tunnel -> prove -> watch (in `watching`)

From the launch on, a network that goes away is waited for. Needs nothing on the laptop but Python and ssh.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec

from setup_wizard import comeback, errand, proof
from setup_wizard.access import Ticket
from setup_wizard.comeback import HANGS
from setup_wizard.errors import BadInput, MachineBlocks, NetworkTrouble, SetupError
from setup_wizard.far import TOOL, Far
from setup_wizard.proof import Proof, Target
from setup_wizard.tunnel import Tunnel
from setup_wizard.world import Progress, Report, World, interrupts, laptop, nooks, silent

LOOK, LONGEST_LOOK = 0.5, 10.0  # seconds between two looks at how the session is, at first and at most
FRESH = 20  # seconds that an answer of the scheduler may be old; all who follow a session there share it
QUEUE = 3 * 86400.0  # seconds to wait in a queue
SHOWN, MARKS = 70, " …✔•"  # of a line of the launch there: characters that are shown, and those that are not

# What is reported: one line that changes.
LOG_IN = "Logging in to {host}"
LAUNCH = "Launching on {host}"
FOLLOW = "{session}: {state}"
OPEN = "Opening the tunnel"
PROVE = "Running a cell through the tunnel"


class Seen(msgspec.Struct, frozen=True):
    """A session as the cluster tells of it; more fields than these are nothing to us."""

    id: str
    state: str
    folder: str = ""
    environment: str = ""
    node: str = ""
    url: str = ""
    detail: str = ""
    fix: str = ""


class Connected(msgspec.Struct, frozen=True):
    """A session that answers on the laptop: its URL here, the proof, the tunnel (None: none is needed)."""

    seen: Seen
    url: str
    proof: Proof
    tunnel: Tunnel | None


class _Launched(msgspec.Struct, frozen=True):
    session: str


class _Sessions(msgspec.Struct, frozen=True):
    sessions: tuple[Seen, ...]


@contextlib.contextmanager
def logged_in(world: World, host: str, config: str = "", report: Report = silent) -> Iterator[Far]:
    """One connection to the login node, asked for once; it and its tunnels end with the block, or with us.

    `config` is another configuration for ssh than the usual one. Raises MachineBlocks without ssh, or when
    the host does not let us in or has another key than it had; NetworkTrouble when it is not there.
    """
    if not world.which("ssh"):
        raise MachineBlocks("There is no ssh on this machine.", fix="sudo apt install openssh-client")
    report(Progress(LOG_IN.format(host=host)))
    nooks.sweep(world)
    with nooks.nook(world) as nook:
        far = Far(world, host, nook, config)
        far.open(batch=not world.on_terminal)
        try:
            yield far
        finally:
            far.close()


class Ended(MachineBlocks):
    """The session has ended, and there is nothing to come back to."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while this session was launched there."""

    def __init__(self, session: str) -> None:
        super().__init__()
        self.session = session


def launch(
    far: Far, words: Sequence[str], report: Report = silent, pressed: Callable[[], object] = bool
) -> str:
    """Launch there, with the words of a launch; give the session's name, be the network cut meanwhile or not.

    On a first Ctrl-C `pressed` is called, and Interrupted raised when it is known what was launched: it goes
    on there whether we hear of it or not. A second one does not wait.
    """

    def hear(line: str) -> None:
        told = (LAUNCH.format(host=far.host), line.strip(MARKS)[:SHOWN])
        report(Progress(": ".join(filter(None, told))))

    hear("")
    way = () if _access(words) else ("--access", "tunnel")
    call = ("launch", "--detach", "--json", *way, *words)
    with interrupts.patient(pressed) as interrupted:
        said = errand.run(far, (far.tool(), *call), hear, report)
        name = far.understood(said, _Launched, (TOOL, *call)).session
    if interrupted:
        raise Interrupted(name)
    return name


def check(words: Sequence[str]) -> None:
    """Before anybody logs in: BadInput for words of a launch that make no sense from the laptop."""
    if _access(words) == "direct":
        raise BadInput(
            "`connect` comes through ssh: it has no need of plain HTTP.", fix="Leave out --access direct."
        )


def _access(words: Sequence[str]) -> str:
    """The way in that the words of a launch ask for; "" for none."""
    for word, after in zip(words, (*words[1:], ""), strict=False):
        name, sign, value = word.partition("=")
        if name == "--access":
            return value if sign else after
    return ""


def reach(far: Far, name: str, report: Report = silent, tell: Callable[[str], object] = bool) -> Connected:
    """Wait until the session answers, and lead a tunnel to it; from the start again after a cut.

    `tell` is called with the node that lets in no ssh, before others can read along on the way to it.
    """
    while True:
        try:
            return connect(far, follow(far, name, report), report, tell)
        except SetupError:
            if far.answers(HANGS):
                raise
            comeback.log_in(far, report)


def follow(far: Far, name: str, report: Report = silent) -> Seen:
    """Wait until the session answers, through cuts of the network; Ended when it never will."""
    world, pause = far.world, LOOK
    deadline = world.now() + QUEUE
    while world.now() < deadline:
        try:
            seen = look(far, name)
            if seen.state == "ready":
                return seen
            if seen.state in ("ended", "died", "damaged"):
                raise Ended(f"{far.host}: {seen.detail}", fix=seen.fix or "Connect again.")
            told = FOLLOW.format(session=name, state=seen.state)
            report(Progress(", ".join(filter(None, (told, seen.detail)))))
        except NetworkTrouble:
            comeback.log_in(far, report)
            pause = LOOK
        world.sleep(pause)
        pause = min(LONGEST_LOOK, pause * 1.2)
    raise MachineBlocks(
        f"{name} has waited for {QUEUE / 86400:.0f} days.",
        fix=f"ssh {far.host} hpc-jupyter-setup stop {name}",
    )


def goes_on(far: Far, name: str, trouble: SetupError) -> None:
    """Let the trouble's fix tell how to come back to the session, unless that has ended."""
    if not isinstance(trouble, Ended):
        trouble.fix = f"{trouble.fix}\n{name} goes on. Come back to it:\n{far.back_to(name)}"


def look(far: Far, name: str) -> Seen:
    """How the session is now."""
    rows = far.told(("sessions", "--json", "--fresh", str(FRESH)), _Sessions).sessions
    gone = Seen(
        name,
        "ended",
        detail=f"there is no session {name} (any more)",
        fix=f"See which there are: ssh {far.host} hpc-jupyter-setup sessions",
    )
    return next((row for row in rows if row.id == name), gone)


def connect(far: Far, seen: Seen, report: Report = silent, tell: Callable[[str], object] = bool) -> Connected:
    """Lead a tunnel to a session that answers there, and run a cell through it; `tell` as in `reach`."""
    url = urlsplit(seen.url)
    name, _, content = far.read(f"{seen.folder}/identity").partition(" ")
    sign = (f"static/{name}", content)
    ticket = msgspec.json.decode(far.read(f"{seen.folder}/ticket.json"), type=Ticket)
    tunnel = None
    if url.scheme == "http":
        report(Progress(OPEN))
        tunnel = Tunnel.to(far, seen.node, url.port or 0, sign)
        tunnel.open(ticket, seen.id, lambda: tell(seen.node))
        url = url._replace(netloc=f"127.0.0.1:{tunnel.local}")
    report(Progress(PROVE))
    token = parse_qs(url.query).get("token", [""])[0]
    ca = _brought(far, ticket.ca) if ticket.ca else ""
    target = Target(url.geturl(), token, sign, Path(seen.environment), ca, here=False)
    try:
        return Connected(seen, target.url, proof.prove(far.world, target), tunnel)
    except SetupError:
        if tunnel:
            tunnel.shut()
        raise


def _brought(far: Far, authority: str) -> str:
    """The authority that the site trusts at its proxy: a file there, as a file here."""
    here = far.folder / "authority.pem"
    here.write_text(far.read(authority))
    return str(here)


def stop(far: Far, name: str) -> None:
    """End the session there."""
    far.told(("stop", name, "--json"), dict[str, object])


def open_browser(far: Far, what: Connected) -> bool:
    """Show it in the user's browser; False when there is none."""
    return laptop.browse(what.url, far.nook.pages)
