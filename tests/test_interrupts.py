"""Ctrl-C at the worst moments."""

from __future__ import annotations

import subprocess
import sys

from tests.program import ROOT

AT_THE_FORK = """
import os, signal
from setup_wizard.world import World
os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGINT))
try:
    World.here().run(["sleep", "60"])
    print("lost")
except KeyboardInterrupt:
    print("heard")
"""


def test_ctrl_c_while_a_program_is_started_is_not_lost() -> None:
    """What Python runs around a fork swallows it; it is heard all the same, and the program ended."""
    argv = [sys.executable, "-c", AT_THE_FORK]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.returncode) == ("heard\n", 0), done.stderr
