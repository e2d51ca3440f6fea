"""An interactive session on the node that one has already."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import session_parts as parts

from setup_wizard import holding
from setup_wizard.access import Way


@pytest.mark.real
def test_the_terminal_comes_back_when_the_session_is_killed(jupyter_prefix: Path, tmp_path: Path) -> None:
    """What watches Jupyter is killed so hard that it writes no end: said, and nothing of it is left."""
    world = parts.machine(tmp_path)
    job = parts.job(world, jupyter_prefix, interactive=True)
    with holding.held(world, job, Way()) as held:
        mine, _ = held.answering(60)
        os.kill(parts.serve_of(mine).pid, signal.SIGKILL)
        end = held.until_it_ends()
    assert (end.how, "ended from outside" in end.problem) == ("died", True)
    parts.assert_nothing_left(world, mine)
