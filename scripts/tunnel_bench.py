"""How soon a tunnel is back when the laptop's network is: each way to the node, cuts short and long."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from figures import Figure, ms
from stopwatch import Bench, report, seconds

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from setup_wizard.world import Progress  # noqa: E402
from tests.cluster.cluster import Cluster  # noqa: E402
from tests.cluster.lab import PROGRAM, Lab  # noqa: E402
from tests.cluster.nodes import CannotStart  # noqa: E402
from tests.conftest import jupyter_prefix  # noqa: E402

CUTS = (2.0, 4.0, 7.0, 20.0)  # seconds: too short to be noticed, noticed by the tunnel, and long
BUDGET = 2.0
READABLE = "--i-understand-http-is-readable"
WAYS: dict[str, tuple[str, ...]] = {"to the node": (), "through the job": (), "over the network": (READABLE,)}
# A browser that asks again and again: «cut» when it is not answered, «back» when it is, with the moment.
BROWSER = """
import http.client, sys, time
was, end = "", time.time() + 90
while time.time() < end:
    asked, link = time.time(), http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=0.5)
    try:
        link.request("GET", "/api")
        now = "back" if b"version" in link.getresponse().read() else "cut"
    except OSError:
        now = "cut"
    link.close()
    if now != was:
        print(now, time.time(), flush=True)
    was = now
    time.sleep(max(0, 0.02 - time.time() + asked))
"""


def tunnel(bench: Bench) -> list[Figure]:
    """The longest time until Jupyter answers again through each way, of all cuts; the floor is a log-in."""
    prefix = jupyter_prefix.__wrapped__()  # type: ignore[attr-defined]
    try:
        made = Cluster()
    except CannotStart as e:
        print(f"No figures of the tunnel: {e}", file=sys.stderr)
        return []
    figures = []
    with made as cluster:
        lab = Lab(cluster, prefix)
        floor = median(seconds(lambda: logged_in(lab)) for _ in range(2 * bench.runs + 1))
        over = f"`ssh -J login node true` {ms(floor)}"
        for name, words in WAYS.items():
            with connected(lab, words) as port:
                worst = max(back_after(lab, name, port, cut) for cut in CUTS)
            ratio, holds = f"{worst / floor:.1f}", worst <= BUDGET
            what = f"tunnel back after a cut, {name}"
            figures.append(Figure(what, f"{worst:.2f} s", over, ratio, f"≤ {BUDGET:.0f} s", holds))
            cluster.refuse_ssh("c1")  # for the other ways
    return figures


def logged_in(lab: Lab) -> None:
    """A log-in to the node: what no tunnel can do without."""
    lab.cluster.laptop.run(["ssh", "-J", "login", "c1", "true"], check=True)


@contextmanager
def connected(lab: Lab, words: tuple[str, ...]) -> Iterator[int]:
    """The port of `connect` on the laptop, for as long as the block."""
    argv = [*PROGRAM, "connect", "login", "--json", "--no-browser", *lab.words, *words]
    with lab.cluster.laptop.spawn(argv, env=lab.env, stdout=subprocess.PIPE) as child:
        assert child.stdout
        text = ""
        while not text.endswith("\n}\n"):
            line = child.stdout.readline()
            assert line, text
            text += line
        made = json.loads(text)
        yield urlsplit(made["url"]).port or 0
        lab.run("stop", made["session"])
        child.wait(60)
    lab.cluster.wait_idle()


def back_after(lab: Lab, name: str, port: int, cut: float) -> float:
    """Seconds from the network's return, after so many without it, until Jupyter answers again."""
    report(Progress(f"The laptop's network is away for {cut:.0f} s ({name})"))
    argv = [sys.executable, "-c", BROWSER, str(port)]
    with lab.cluster.laptop.spawn(argv, stdout=subprocess.PIPE) as browser:
        answers = (line.split() for line in browser.stdout or ())
        assert next(answers)[0] == "back"
        lab.cluster.laptop.unplug()
        time.sleep(cut)  # this is what is measured
        lab.cluster.laptop.plug()
        began = time.time()
        moment = next(float(when) for what, when in answers if what == "back")
        browser.send_signal(signal.SIGKILL)
    took = max(0.0, moment - began)
    print(f"{name}, {cut:.0f} s away: back after {took:.2f} s", file=sys.stderr)
    return took
