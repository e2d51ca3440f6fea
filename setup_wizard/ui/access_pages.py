"""The ways in, explained: how each goes, and who can read what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from setup_wizard.access.ssh_tunnel import HEARD
from setup_wizard.ui.pages import GOOD, WARN
from setup_wizard.ui.prompt import Option
from setup_wizard.ui.sheet import GAP, Line, Page, Words, grid, line, title, whole

if TYPE_CHECKING:
    from setup_wizard.connect import Connected


class Explained(msgspec.Struct, frozen=True):
    """A way in: what to write behind --access, what it is, and the parts of the way as they are drawn."""

    name: str
    what: str
    drawing: str


WAYS = (
    Explained(
        "rps",
        "The site's proxy gives each session an https address of its own; nothing runs on the laptop.",
        "laptop ====https====> proxy ------http-----> node",
    ),
    Explained(
        "tunnel",
        "One ssh from the laptop, through the login node; Jupyter answers on the node's loopback only.",
        "laptop =====ssh====( login node )==========> node",
    ),
    Explained(
        "direct",
        "Plain HTTP to the node's address, for who has nothing else; you are asked first.",
        "laptop ----------------http----------------> node",
    ),
)

# Who, and what they can read on each way, in the order of WAYS.
READERS = (
    ("your own network, your provider", "nothing", "nothing", "everything"),
    ("who runs the proxy", "everything", "not on the way", "not on the way"),
    ("the network of the cluster", "all between proxy and node", "nothing by ssh (1)", "everything"),
    ("the cluster's administrators", "everything", "everything", "everything"),
    ("other users of the cluster", "the log-in page", "the log-in page (2)", "the log-in page"),
    ("who gets the address with its token", "works as you", "nothing without your ssh", "works as you"),
)
NOTES = (
    "(1) Where a site lets no ssh to its nodes, the tunnel goes on from the login node through steps of your "
    f"job, {HEARD} `connect` says so before it does. Where that is not allowed either, it goes on as plain "
    "HTTP; you are asked first.",
    "(2) Only users who are on the same node.",
)
ROOM = 8  # columns for the names of the ways
WHICH = (
    "A launch takes rps where the site has one, else tunnel; --access NAME takes another. From the laptop, "
    "`hpc-jupyter-setup connect USER@HOST` launches, opens the tunnel and the browser."
)


def explained() -> Page:
    """The screen: a drawing for each way, then the table."""
    page: Page = [title("Three ways from your browser to your Jupyter"), GAP]
    page += [line("=== encrypted   --- readable by who listens there"), GAP]
    for way in WAYS:
        name: Words = (f"{way.name:<{ROOM}}", "strong")
        page += [Line((name, way.drawing), whole=True), line(way.what, indent=ROOM), GAP]
    head = ("who can read what", *(way.name for way in WAYS))
    rows: list[tuple[Words, ...]] = [tuple((cell, "strong") for cell in head)]
    rows += [(who, *map(_role, cells)) for who, *cells in READERS]
    return [*page, *grid(rows), GAP, *(line((note, "dim")) for note in NOTES), GAP, line(WHICH)]


LEAVE = "The tunnel is closed. And {session} on the cluster?"
LEAVE_OR_STOP = (
    Option("leave", "leave", "it goes on; connect again to come back", key="l"),
    Option("stop", "stop", "end Jupyter and its job", key="s"),
)
INSTALL = "{host} has no hpc-jupyter-setup. Install it there?"
UPDATE = "{host} has hpc-jupyter-setup {theirs}, and here is {ours}. Update it there?"
DIRECT = "Open Jupyter to the network over plain HTTP all the same?"
DIRECT_OR_NOT = {
    "no": "nothing is submitted; --access tunnel is the encrypted way",
    "yes": "I know that others can read along",
}
NETWORK = "Start it again, so that the last part goes over the cluster's network?"
NETWORK_OR_NOT = {"no": "the session is not started again", "yes": "I know that others can read along"}


def readable(means: str) -> Page:
    """Before the person is asked whether others may read along: what that means."""
    return [GAP, line(means, mark=WARN)]


def logging_in(host: str) -> Page:
    """Before ssh may ask for a password or a second factor."""
    return [line(f"Logging in to {host}; ssh asks for what it needs, once.")]


def under_way(host: str) -> Page:
    """Ctrl-C while it is launched there."""
    return [line(f"{host} is launching it right now; what came of it will be known in a moment.")]


def through_steps(node: str) -> Page:
    """Before a tunnel takes the way on which others can read along, as ssh to the node is refused."""
    told = f"{node} lets in no ssh: the tunnel goes through steps of your job, {HEARD} Ctrl-C closes it."
    return [line(told, mark=WARN)]


def launched(session: str, host: str) -> Page:
    """It has a name from now on, whatever becomes of this connection."""
    return [line(f"{session} was launched on {host}.", mark=GOOD)]


def unheard(host: str) -> Page:
    """Ctrl-C again, before it was known."""
    see = f"ssh {host} hpc-jupyter-setup sessions"
    return [line("Whether a session was launched is not known. See: ", (see, "command"))]


def delivered(host: str) -> Page:
    """What an installation there has made, and how it is taken back."""
    where = "rm -r ~/.local/share/hpc-jupyter-setup ~/.local/bin/hpc-jupyter-setup"
    said = f"hpc-jupyter-setup is installed on {host}. To remove it there: "
    return [line(said, (where, "command"), mark=GOOD)]


def connected(what: Connected, host: str) -> Page:
    """A session on a cluster that answers on the laptop."""
    means = {
        "ssh": f"The tunnel goes to {what.seen.node} itself, encrypted all the way.",
        "relay": f"The tunnel goes through steps of your job, {HEARD}",
        "address": f"From {host} to {what.seen.node} it goes as plain HTTP over the cluster's network.",
    }
    page: Page = [
        line("Jupyter is ready, and a cell has run through this address on ", what.seen.node, mark=GOOD),
        GAP,
        whole(what.url, indent=2),
        GAP,
    ]
    return [*page, line(means[what.tunnel.kind])] if what.tunnel else page


def opened(found: bool) -> Page:
    """Whether a browser was found; one may be kept from reading what it was given."""
    if found:
        return [line("It opens in your browser; should that show nothing, open the address above there.")]
    return [line("No browser could be opened from here: open the address above in one.")]


def ended(session: str, detail: str) -> Page:
    """The session is over, and the tunnel with it."""
    return [line(f"{session} has ended: {detail}")]


def left(session: str, again: str, stays: bool) -> Page:
    """The tunnel is closed; what the person chose for the session, and the command that comes back."""
    if not stays:
        return [line(f"{session} was stopped.", mark=GOOD)]
    return [line(f"{session} goes on. Come back to it: ", (again, "command"))]


def _role(cell: str) -> Words:
    if cell.startswith(("nothing", "not")):
        return cell, "good"
    return cell, "bad" if cell in ("everything", "works as you") else "warn"
