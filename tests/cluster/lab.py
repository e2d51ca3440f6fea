"""The program on the cluster, as a user of the site calls it; and the secrets that it must keep."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pexpect

from setup_wizard.access import Ticket
from tests.cluster import secrets_search
from tests.cluster.cluster import CHECKOUT, Cluster
from tests.cluster.machine import hear_ctrl_c, until

PROGRAM = [sys.executable, "-m", "setup_wizard"]
SESSIONS = "~/.local/state/hpc-jupyter-setup/sessions"
SITE = """
name: lab
title: The cluster of the tests
scheduler: slurm
login: [login]
access: [rps, tunnel]
rps: rps.test
rps_ca: {ca}
ssh_to_compute: "{ssh}"
"""
# A cell through the URL that stands on standard input, as `connect` has it run.
CELL = """
import json, sys
from pathlib import Path
from setup_wizard import proof
from setup_wizard.world import World
url, token, sign, ca = json.load(sys.stdin)
print(proof.prove(World.here(), proof.Target(url, token, tuple(sign), Path(), ca, here=False)).answer)
"""
# Where a secret lies while its session lives, for its owner alone: in the session's folder, and what Jupyter
# itself writes down on the node.
ITS_PLACE = re.compile(
    r"home/\.local/state/hpc-jupyter-setup/sessions/[^/]+/(token|ticket\.json|address\.json|proven\.json)"
    r"|c\d: /tmp/hjs-[^/]+/run/jpserver-\d+(\.json|-open\.html)"
)


class Lab:
    """The program on the cluster and on the laptop."""

    def __init__(self, cluster: Cluster, prefix: Path) -> None:
        self.cluster = cluster
        self.words = ["--site", "lab", "-e", str(prefix), "-p", "debug", "-t", "10"]
        self.env = {"PYTHONPATH": str(CHECKOUT)}
        self.secrets: set[str] = set()
        tool = "~/.local/bin/hpc-jupyter-setup"
        run = f'#!/bin/sh\nexec env PYTHONPATH={CHECKOUT} {shlex.join(PROGRAM)} "$@"\n'
        cluster.login.sh(f"mkdir -p ~/.local/bin; printf %s {shlex.quote(run)} > {tool}; chmod +x {tool}")
        self.site()

    def site(self, *, ssh: str = "yes", ca: str = "") -> None:
        """Tell the program of the cluster."""
        text = SITE.format(ssh=ssh, ca=ca or self.cluster.rps.ca)
        folder = "~/.config/hpc-jupyter-setup/sites"
        self.cluster.login.sh(f"mkdir -p {folder}; printf %s {shlex.quote(text)} > {folder}/lab.yml")

    def call(self, *words: str) -> Any:
        """What a command on the login node answers, be it an error."""
        argv = [*PROGRAM, *words, "--json"]
        return json.loads(self.cluster.login.run(argv, env=self.env, timeout=180).stdout)

    def run(self, *words: str) -> Any:
        """What a command on the login node answers; it must go well."""
        said = self.call(*words)
        assert said["ok"], said
        return said

    def launch(self, *words: str) -> Any:
        """A session that is ready, or handed over; its secrets are where they belong and nowhere else."""
        made = self.run("launch", *self.words, *words)
        self.know(made["session"], made.get("url", ""))
        return made

    def both(self, *words: str) -> tuple[Any, Any]:
        """Two sessions that start side by side: one behind the proxy, one behind a tunnel."""
        begun = [
            self.run("launch", *self.words, "--access", way, "--detach", *words) for way in ("rps", "tunnel")
        ]
        first, second = (self.run("url", made["session"]) for made in begun)
        for made in (first, second):
            self.know(made["session"], made["url"])
        return first, second

    def ended(self, state: str, *made: Any, seconds: float = 60) -> list[Any]:
        """Wait until all those sessions are in that state, and give their rows."""
        names = {one["session"] for one in made}
        found: list[Any] = []

        def so_it_is() -> bool:
            found[:] = [row for row in self.run("sessions")["sessions"] if row["id"] in names]
            return all(row["state"] == state for row in found)

        until(so_it_is, seconds, pause=0.5)
        return found

    @contextlib.contextmanager
    def tunnel(self, made: Any) -> Iterator[None]:
        """The command that was printed, run on the laptop until Jupyter answers there."""
        base = made["url"].partition("lab?")[0]
        child = self.cluster.laptop.spawn(shlex.split(made["command"]), stdin=subprocess.PIPE)
        with child:
            try:
                until(lambda: '"version"' in self.get("laptop", f"{base}api"), 30)
                yield
            finally:
                child.terminate()

    def cell(self, made: Any) -> str:
        """What a cell answers that the laptop runs through the session's address."""
        name, _, content = self.cluster.login.sh(f"cat {SESSIONS}/{made['session']}/identity").partition(" ")
        url, ca = made["url"], self.ticket(made["session"]).ca
        given = json.dumps([url, url.partition("token=")[2], [f"static/{name}", content], ca])
        argv = [sys.executable, "-c", CELL]
        done = self.cluster.laptop.run(argv, env=self.env, input=given, timeout=120)
        return done.stdout.strip() or done.stderr

    def know(self, session: str, url: str = "") -> None:
        """Remember the secrets of a session, and see that they are where they belong and nowhere else."""
        ticket = self.ticket(session)
        self.secrets |= {s for s in (ticket.name, *ticket.old, url.partition("token=")[2]) if s}
        astray = [place for place in self.where() if not ITS_PLACE.fullmatch(place)]
        assert not astray, astray

    def where(self) -> list[str]:
        """Where a secret of a session that was ever launched is, also where only its owner can read it."""
        return secrets_search.where(self.cluster, *self.secrets, hidden=True) if self.secrets else []

    def clean(self) -> None:
        """See that nothing of a session is left: no job, no mapping, no secret, nothing on the nodes."""
        until(lambda: not self.cluster.login.sh("squeue -h -n jupyter"), 60)
        assert self.where() == []
        assert [name for name, known in self.cluster.rps.tokens().items() if known["target"]] == []
        for node in (self.cluster.node(name) for name in ("c1", "c2")):
            assert not node.process or node.sh("ls /tmp/hjs-*/owner 2>/dev/null || true") == ""

    def row(self, session: str) -> Any:
        """The session in the list."""
        return next(row for row in self.run("sessions")["sessions"] if row["id"] == session)

    def ticket(self, session: str) -> Ticket:
        """The session's ticket."""
        return msgspec.json.decode(
            self.cluster.login.sh(f"cat {SESSIONS}/{session}/ticket.json"), type=Ticket
        )

    def connect(self, *words: str, term: str = "xterm") -> pexpect.spawn[str]:
        """`connect` on a terminal of the laptop."""
        laptop = self.cluster.laptop
        first, *rest = laptop.argv([*PROGRAM, "connect", "login", "--no-browser", *(words or self.words)])
        env = laptop.env({**self.env, "TERM": term})
        return pexpect.spawn(
            first,
            rest,
            env=env,
            encoding="utf-8",
            timeout=60,
            dimensions=(40, 160),
            preexec_fn=hear_ctrl_c,
        )

    def get(self, node: str, url: str) -> str:
        """What a node gets from a URL."""
        curl = ["curl", "-sS", "-m", "10", "--cacert", str(self.cluster.rps.ca), url]
        return self.cluster.node(node).run(curl).stdout
