"""The ways in, explained: how each goes, and who can read what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from setup_wizard.ui.pages import GOOD, WARN
from setup_wizard.ui.prompt import Option
from setup_wizard.ui.sheet import GAP, Page, Words, grid, line, title, whole

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
        "the site's reverse proxy: a public https address, a new one for each session; nothing to run on "
        "the laptop",
        "browser ==https==> proxy ---http---> node",
    ),
    Explained(
        "tunnel",
        "an ssh from the laptop: Jupyter is open to nobody but you on the node itself",
        "browser -> ssh ===login node=======> node",
    ),
    Explained(
        "direct",
        "plain HTTP to the node: only where nothing else goes, and only if you say that you know",
        "browser -----------http-----------> node",
    ),
)

# Who, and what they can read on each way, in the order of WAYS.
READERS = (
    ("your own network, your provider", "nothing", "nothing", "everything"),
    ("the network of the cluster", "all between proxy and node", "nothing (1)", "everything"),
    ("who runs the proxy", "everything", "not on the way", "not on the way"),
    ("other users, without the token", "the log-in page", "nothing (2)", "the log-in page"),
    ("who has the whole address", "works as you", "nothing without your ssh", "works as you"),
    ("the administrators of the node", "everything", "everything", "everything"),
)
NOTES = (
    "(1) Where a site lets ssh neither to the node nor through the job, the last part goes over the "
    "cluster's network, and can be read there; the launch says so.",
    "(2) Users of the same node reach its loopback, and see the log-in page.",
)
WHICH = (
    "A launch takes rps where the site has one, else tunnel. From the laptop, "
    "`hpc-jupyter-setup connect USER@HOST` launches, opens the tunnel and the browser."
)


def explained() -> Page:
    """The screen: a drawing for each way, then the table."""
    page: Page = [title("Three ways from your browser to your Jupyter"), GAP]
    for way in WAYS:
        page += [line((way.name, "strong"), f"  {way.what}"), whole(way.drawing, "plain", indent=4), GAP]
    head = ("who can read what", *(way.name for way in WAYS))
    rows: list[tuple[Words, ...]] = [tuple((cell, "strong") for cell in head)]
    rows += [(who, *map(_role, cells)) for who, *cells in READERS]
    page += [line("=== encrypted   --- readable by who listens there"), GAP, *grid(rows), GAP]
    return [*page, *(line((note, "dim")) for note in NOTES), GAP, line(WHICH)]


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
        "relay": "The tunnel goes through steps of your job: no program but ours can use it.",
        "address": f"From {host} to {what.seen.node} it goes as plain HTTP over the cluster's network.",
    }
    page: Page = [
        line("Jupyter is ready, and a cell has run through this address on ", what.seen.node, mark=GOOD),
        GAP,
        whole(what.url, indent=2),
        GAP,
    ]
    return [*page, line(means[what.tunnel.kind])] if what.tunnel else page


def ended(session: str, detail: str) -> Page:
    """The session is over, and the tunnel with it."""
    return [line(f"{session} has ended: {detail}")]


def left(session: str, host: str, stays: bool) -> Page:
    """The tunnel is closed; what the person chose for the session."""
    if not stays:
        return [line(f"{session} was stopped.", mark=GOOD)]
    again = f"hpc-jupyter-setup connect {host} --session {session}"
    return [line(f"{session} goes on. Come back to it: ", (again, "command"))]


def _role(cell: str) -> Words:
    if cell.startswith(("nothing", "not")):
        return cell, "good"
    return cell, "bad" if cell in ("everything", "works as you") else "warn"
