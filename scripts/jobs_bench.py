"""What many sessions cost on a cluster: handing one over, listing fifty, and following fifty at once."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median

from figures import Figure, ms
from stopwatch import Bench, report, seconds

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from setup_wizard.world import Progress  # noqa: E402
from tests.cluster.cluster import Cluster  # noqa: E402
from tests.cluster.lab import PROGRAM, Lab  # noqa: E402
from tests.conftest import jupyter_prefix  # noqa: E402

MANY = 50
SETTLED, COUNTED = 60, 60  # seconds until followers ask as seldom as they ever do, and of counting then
FOLLOW = """
import contextlib, sys, threading
from setup_wizard import session
from setup_wizard.errors import SetupError
from setup_wizard.following import follow
from setup_wizard.session import Session
from setup_wizard.world import World
def watch(mine):
    with contextlib.suppress(SetupError):
        follow(World.here(), mine, patience=float(sys.argv[1]))
mine = [s for s in session.every(World.here()) if isinstance(s, Session)]
watchers = [threading.Thread(target=watch, args=(s,)) for s in mine]
for w in watchers: w.start()
for w in watchers: w.join()
print(len(mine))
"""


def jobs(bench: Bench) -> list[Figure]:
    """Fifty sessions in the queue: handed over one by one, listed, and followed all at once."""
    prefix = jupyter_prefix.__wrapped__()  # type: ignore[attr-defined]
    with Cluster() as cluster:
        lab = Lab(cluster, prefix)
        cluster.login.sh("scontrol update nodename=c1,c2 state=drain reason=bench", user="root")
        typed = median(handed_over(lab, n) for n in range(MANY))
        bare = [*PROGRAM[:1], "-c", "pass"]
        argv = [*PROGRAM, "sessions"]
        node, env = cluster.login, lab.env
        listed, floor = bench.in_turn(
            2 * bench.runs,
            lambda: node.run(argv, env=env, check=True),
            lambda: node.run(bare, env=env, check=True),
        )
        asked = questions(lab)
    over = f"`python -c pass` {ms(floor)}"
    return [
        Figure("typed to submitted", ms(typed), over, f"{typed / floor:.1f}", "≤ 600 ms", typed <= 0.6),
        Figure(f"`sessions` with {MANY}", ms(listed), over, f"{listed / floor:.1f}", "≤ 1 s", listed <= 1),
        Figure(f"questions a minute, {MANY} followed", f"{asked:.0f}", "", "", "≤ 4", asked <= 4),
    ]


def handed_over(lab: Lab, number: int) -> float:
    """Seconds from the command to the job in the queue."""
    report(Progress("Sessions into the queue", number, MANY))
    return seconds(lambda: lab.run("launch", *lab.words, "--access", "tunnel", "--detach"))


def questions(lab: Lab) -> float:
    """How often squeue was called in a minute while all sessions are followed."""
    report(Progress(f"Following {MANY} sessions for {SETTLED + COUNTED} s"))
    login = lab.cluster.login
    squeue = login.sh("command -v squeue").strip()
    counting = f'#!/bin/sh\ndate +%s.%N >> ~/asked\nexec {squeue} "$@"\n'
    login.sh("mkdir ~/counting; cat > ~/counting/squeue; chmod +x ~/counting/squeue", input=counting)
    path = f"{login.sh('echo ~').strip()}/counting:{login.sh('echo $PATH').strip()}"
    began = time.time()
    argv = [sys.executable, "-c", FOLLOW, str(SETTLED + COUNTED)]
    said = login.run(argv, env={**lab.env, "PATH": path}, timeout=SETTLED + COUNTED + 60, check=True)
    assert said.stdout.split() == [str(MANY)], said
    moments = [float(line) - began for line in login.sh("cat ~/asked").split()]
    return 60 / COUNTED * sum(SETTLED <= m < SETTLED + COUNTED for m in moments)
