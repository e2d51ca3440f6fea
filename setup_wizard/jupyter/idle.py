"""Whether anybody or anything still works in a session."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from setup_wizard.errors import NetworkTrouble
from setup_wizard.jupyter import addition
from setup_wizard.jupyter.nook import Nook
from setup_wizard.world import Ask, World

TTY, LEADER = 4, 3  # in /proc/PID/stat, counted behind the program's name: the terminal, the session's leader


def idle_for(world: World, base: str, token: str, nook: Nook) -> float:
    """Seconds since anything was done in the Jupyter at `base`; 0 while something is at work.

    At work is a kernel that computes, or a program that runs on a terminal. Done is what a kernel or a
    terminal has heard or said, and what changes something, as saving does. A page that is only open does
    nothing. No answer counts as at work: a Jupyter that is too busy to answer is not idle.
    """
    try:
        kernels = _get(world, f"{base}api/kernels?no_track_activity=1", token)
        terminals = _get(world, f"{base}api/terminals?no_track_activity=1", token)
        if any(k["execution_state"] == "busy" for k in kernels) or program_on_terminal(world, nook):
            return 0.0
        changed = addition.changed(nook) or _seconds(_get(world, f"{base}api/status", token)["last_activity"])
        done = [changed, *(_seconds(each["last_activity"]) for each in (*kernels, *terminals))]
        return max(0.0, world.now() - max(done))
    except (NetworkTrouble, ValueError, KeyError, TypeError):
        return 0.0


def program_on_terminal(world: World, nook: Nook) -> bool:
    """Whether a terminal of the session has more to do than its own shell."""
    return any(_has_terminal(pid) for pid, _ in world.marked(nook.mark))


def _has_terminal(pid: int) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[TTY] != "0" and fields[LEADER] != str(pid)


def _get(world: World, url: str, token: str) -> Any:
    reply = world.call(Ask(url, headers={"Authorization": f"token {token}"}))
    return json.loads(reply.body) if reply.status != 404 else []  # a server may be without terminals


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()
