"""Ways in that sessions could not give back as they ended: tried again, and in the end forgotten.

A proxy that does not answer is asked once and then left alone a while, however much there is to give back.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from setup_wizard import access, files, session
from setup_wizard.access import Ticket
from setup_wizard.access.satellite import LONGEST
from setup_wizard.errors import NetworkTrouble, SetupError
from setup_wizard.session import End, Session
from setup_wizard.world import World

AWAY = 60.0  # seconds for which a proxy that did not answer is left alone


def give_back(world: World) -> None:
    """Try again what earlier sessions could not give back; from a node, what only that node can."""
    for s in session.every(world):
        if isinstance(s, Session) and (end := session.read(s.folder, End)):
            of_session(world, s, end)


def of_session(world: World, s: Session, end: End | None = None) -> str:
    """Try again to give back the way in of a session that ended so; what is left of it, "" for nothing."""
    ticket = session.read(s.folder, Ticket)
    if not ticket:
        return ""
    note = session.home(world) / f".{ticket.domain}.{world.hostname}.away"
    try:
        if end and world.now() - end.at > LONGEST * 3600:
            pass  # nothing has used it since, and nobody knows it any more
        elif ticket.domain and _is_fresh(world, note):
            return files.read_text(note)
        else:
            access.find(s.job.access).release(world, ticket, tries=1)
        session.forget_secrets(s.folder)
    except NetworkTrouble as e:
        with contextlib.suppress(SetupError):
            files.write_text(note, e.problem, mode=0o600)
        return e.problem
    except SetupError as e:
        return e.problem
    note.unlink(missing_ok=True)
    return ""


def _is_fresh(world: World, note: Path) -> bool:
    with contextlib.suppress(OSError):
        return world.now() - note.stat().st_mtime < AWAY
    return False
