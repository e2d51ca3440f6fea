"""After a cut: the connection to the login node, tried until it carries again."""

from __future__ import annotations

import contextlib

from setup_wizard.errors import MachineBlocks, NetworkTrouble
from setup_wizard.far import SOON, Far
from setup_wizard.world import Progress, Report, silent

AWAY = "The network to {host} is away: trying again"  # reported: one line that changes
HANGS = 1.0  # seconds of silence that make a new log-in quicker than patience
PAUSE, LONGEST_PAUSE = 0.2, 1.0  # seconds between two tries


def log_in(far: Far, report: Report = silent) -> None:
    """Until the connection carries again: this one, or a new one where that costs nobody a word.

    MachineBlocks when the host wants to be answered, and nobody is there, or the answer was wrong.
    """
    pause = PAUSE
    while not far.answers(HANGS):
        report(Progress(AWAY.format(host=far.host)))
        with contextlib.suppress(NetworkTrouble):
            if far.alone:
                far.close()
            if not far.is_open():
                _open(far, report)
                return
        far.world.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 1.5)


def _open(far: Far, report: Report) -> None:
    """Log in anew, with what ssh knows by itself, else with what the person answers who is there."""
    try:
        far.open(batch=True, patience=SOON)
    except MachineBlocks:
        if not far.world.on_terminal:
            raise
        report(Progress(""))  # ssh asks
        far.open(batch=False)
