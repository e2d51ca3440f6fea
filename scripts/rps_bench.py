"""What the way in through a proxy costs: a job on the tests' cluster, over the same Jupyter started bare."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from statistics import median

from figures import Figure
from stopwatch import Bench, report

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from setup_wizard.world import Progress  # noqa: E402
from tests.cluster.cluster import Cluster  # noqa: E402
from tests.cluster.lab import SESSIONS, Lab  # noqa: E402
from tests.cluster.nodes import CannotStart  # noqa: E402
from tests.conftest import jupyter_prefix  # noqa: E402

BARE = """
import contextlib, json, subprocess, sys, time
from pathlib import Path
from setup_wizard.errors import NetworkTrouble
from setup_wizard.proof import Target, _open_page, _run_cell, _start_kernel
from setup_wizard.world import Ask, World
prefix, base = Path(sys.argv[1]), "http://127.0.0.1:8888/"
began = time.time()
words = ["jupyterlab", "--no-browser", "--port=8888", "--IdentityProvider.token=bare"]
argv = [f"{prefix}/bin/python", "-m", *words]
with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as jupyter:
    world, target = World.here(), Target(f"{base}lab?token=bare", "bare", ("", ""), prefix)
    while True:
        with contextlib.suppress(NetworkTrouble):
            world.call(Ask(f"{base}api"))
            break
        time.sleep(0.05)
    cookies = _open_page(world, target)
    assert _run_cell(target, cookies, _start_kernel(world, target, cookies), 60).startswith("42")
    print(time.time() - began)
    jupyter.terminate()
"""


def rps(bench: Bench) -> list[Figure]:
    """From the start of the job to a cell through the public address; mapped within 2 s, and within 60 s."""
    prefix = jupyter_prefix.__wrapped__()  # type: ignore[attr-defined]
    try:
        made = Cluster()
    except CannotStart as e:
        print(f"No figures of the proxy: {e}", file=sys.stderr)
        return []
    with made as cluster:
        lab, rounds = Lab(cluster, prefix), []
        for number in range(bench.runs):
            report(Progress("Jobs through the proxy", number, bench.runs))
            rounds.append((through_the_proxy(lab, 2.0), bare(lab, prefix)))
        report(Progress("A job through a proxy that maps once a minute"))
        minute = through_the_proxy(lab, 60.0, late=True)
    ours, floor = (median(column) for column in zip(*rounds, strict=True))
    what, bare_start = "job start to a cell through the proxy", f"bare start to a cell {floor:.2f} s"
    ratio = ours / floor
    return [
        Figure(f"{what}, 2 s", f"{ours:.2f} s", bare_start, f"{ratio:.2f}", "≤ 1.25", ratio <= 1.25),
        Figure(f"{what}, 60 s", f"{minute:.2f} s", "", "", "≤ 61 s", minute <= 61),
    ]


def through_the_proxy(lab: Lab, period: float, *, late: bool = False) -> float:
    """Seconds from the job's start until a cell has run; `late`: the period begins with the submission."""
    lab.cluster.rps.set(period=0.05 if late else period, lag=0.15)
    made = lab.run("launch", *lab.words, *(["--detach"] if late else []))
    if late:
        lab.cluster.rps.set(period=period)
        lab.run("url", made["session"])
    took = time.time() - started(lab, made["session"])
    lab.run("stop", made["session"])
    lab.cluster.wait_idle()
    return took


def started(lab: Lab, session: str) -> float:
    """When the job's first process began; the kernel counts that from the machine's own start."""
    place = json.loads(lab.cluster.login.sh(f"cat {SESSIONS}/{session}/place.json"))
    ticks = int(place["serve"]["born"].split()[-1])
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")


def bare(lab: Lab, prefix: Path) -> float:
    """Seconds that the same Jupyter takes there until a cell has run, with nothing of ours around it."""
    argv = [sys.executable, "-c", BARE, str(prefix)]
    return float(lab.cluster.node("c1").run(argv, env=lab.env, check=True).stdout.split()[-1])
