"""The weaker level of the cluster, for machines that allow no namespaces: plain daemons on loopback.

    with Plain() as plain:
        plain.run("sbatch", "--wrap", "hostname")

munged, slurmctld and a slurmd for each of c1 and c2 are the caller's own processes, on ports that were free.
Weaker, since all nodes are this very machine: one network, one /tmp, one user, one host name, by which Slurm
knows none of them. A real Slurm takes, runs and ends what we hand over; who may read what is not shown.
"""

from __future__ import annotations

import getpass
import os
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from tests.cluster.config import fill
from tests.cluster.machine import need, program, until

PACKAGE_OF = {"munged": "munge", "slurmctld": "slurm-wlm", "slurmd": "slurm-wlm", "sshd": "openssh-server"}
NODES = ("c1", "c2")


class Plain:
    """Slurm on loopback; `env` is what leads its commands here. CannotStart where it is not installed."""

    def __init__(self) -> None:
        need(PACKAGE_OF)
        self.folder = tempfile.TemporaryDirectory(prefix="hjs-plain-")  # short of path, for a socket
        self.base = Path(self.folder.name)
        self.env = {"SLURM_CONF": str(self.base / "slurm.conf")}
        self.daemons: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Plain:
        for folder in ("log", "state", *(f"spool/{node}" for node in NODES)):
            (self.base / folder).mkdir(parents=True)
        (self.base / "munge.key").touch(0o600)
        (self.base / "munge.key").write_bytes(os.urandom(1024))
        names = {"base": str(self.base), "host": socket.gethostname(), "user": getpass.getuser()}
        ports = dict(zip(("controller", *NODES), _free_ports(1 + len(NODES)), strict=True))
        (self.base / "slurm.conf").write_text(fill("plain.conf", {**names, **ports}))
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        files = {
            "socket": "munge.socket",
            "key-file": "munge.key",
            "pid-file": "munge.pid",
            "seed-file": "seed",
        }
        munge = [f"--{name}={self.base / file}" for name, file in files.items()]
        self._daemon("munged", "--foreground", "--force", *munge)
        until((self.base / "munge.socket").exists)
        self._daemon("slurmctld", "-D")
        for node in NODES:
            self._daemon("slurmd", "-D", "-N", node)
        until(lambda: self.run("sinfo", "-h", "-N", "-p", "compute", "-o", "%t").split() == ["idle"] * 2)

    def _daemon(self, name: str, *words: str) -> None:
        with (self.base / f"log/{name}.out").open("ab") as log:
            env = {**os.environ, **self.env}
            argv = [program(name), *words]
            self.daemons.append(
                subprocess.Popen(argv, stdout=log, stderr=log, env=env, start_new_session=True)
            )

    def run(self, *argv: str) -> str:
        """What one of Slurm's commands prints; "" when it fails."""
        env = {**os.environ, **self.env}
        return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=30).stdout

    def __exit__(self, *_: object) -> None:
        """End it all, the last first."""
        for daemon in reversed(self.daemons):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self.folder.cleanup()


def _free_ports(number: int) -> list[str]:
    """Ports of loopback that nobody has, all different ones."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    try:
        return [str(each.getsockname()[1]) for each in held]
    finally:
        for each in held:
            each.close()
