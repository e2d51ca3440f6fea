"""Watch a session from the laptop until it ends, and bring its tunnel back after a cut."""

from __future__ import annotations

import contextlib

from setup_wizard import comeback, pulse
from setup_wizard.comeback import AWAY, PAUSE
from setup_wizard.connect import Connected, Seen, look
from setup_wizard.errors import NetworkTrouble, SetupError
from setup_wizard.far import Far
from setup_wizard.world import Progress, Report, laptop, silent

WATCH = 0.5  # seconds between two looks whether the tunnel is open
ASK = 30.0  # seconds between two questions whether a session runs that may have died without a note
UP = "The tunnel to {node} is open; Ctrl-C ends it"
WATCHED = "Watching {session} on {node}; Ctrl-C ends this"


def watch(far: Far, what: Connected, report: Report = silent) -> Seen:
    """Keep the tunnel up until the session has ended; give how it ended. Ctrl-C leaves it as it is."""
    world = far.world
    asked = world.now()
    up = (UP if what.tunnel else WATCHED).format(node=what.seen.node, session=what.seen.id)
    report(Progress(up))
    with pulse.heard(far, what.seen.folder) as beat:
        while True:
            if beat.is_silent() or (what.tunnel and not what.tunnel.is_open()):
                report(Progress(AWAY.format(host=far.host)))
                if (seen := _come_back(far, what, report)).state != "ready":
                    return seen
                beat.start()
                report(Progress(up))
            if beat.is_over() or world.now() - asked > ASK:
                asked = world.now()
                with contextlib.suppress(SetupError):  # the next look at the tunnel tells
                    if (seen := look(far, what.seen.id)).state in ("ended", "died"):
                        return seen
            world.sleep(WATCH)


def _come_back(far: Far, what: Connected, report: Report) -> Seen:
    """Log in again, and open the same tunnel; give how the session is then.

    Meanwhile the port here answers, and says what is going on: nobody else can take it.
    """
    tunnel = what.tunnel
    if not tunnel:
        comeback.log_in(far, report)
        return what.seen
    while True:
        tunnel.shut()
        with laptop.notice(tunnel.local, AWAY.format(host=far.host)):
            comeback.log_in(far, report)
        with contextlib.suppress(NetworkTrouble):
            tunnel.again()
            return what.seen
        with contextlib.suppress(NetworkTrouble):
            if (seen := look(far, what.seen.id)).state != "ready":
                return seen
        far.world.sleep(PAUSE)
