"""A small cluster for the tests: a login node, two compute nodes and a laptop, with Slurm and sshd, all real.

    with Cluster() as cluster:
        cluster.login.run(["sbatch", "--wrap", "hostname"])

    laptop  10.77.9.1    reaches the login node and the proxy, and no compute node
    rps     10.77.5.1    Apache with a certificate for *.rps.test, and the service that gives names
    login   10.77.0.1    munge, slurmctld, sshd
    c1, c2  10.77.0.11…  munge, slurmd, sshd; c2 has two graphics cards
    alice                the user; her home is shared by the cluster, and another one on the laptop
    bob                  another user, on the same nodes (when root has called)

Called by root, alice has a number of her own; called by anybody else, she is the caller, in a user namespace.
The nodes see the machine's own programs, and this checkout with its .venv at their usual places, read-only,
also where those lie in a home folder that nobody else may enter: the rest of that folder is hidden.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.cluster import accounting, config, machine
from tests.cluster.machine import program, until
from tests.cluster.nodes import Fabric, Node, User
from tests.cluster.rps import Rps

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PACKAGE_OF = {
    "unshare": "util-linux",
    "ip": "iproute2",
    "munged": "munge",
    "slurmctld": "slurm-wlm",
    "slurmd": "slurm-wlm",
    "qsub": "slurm-wlm-torque",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "apache2": "apache2-bin",
    "openssl": "openssl",
    "curl": "curl",
}

RUN = ("/run/munge", "/run/sshd", "/run/lock", accounting.FOLDER)


class Cluster:
    """The cluster: up when made, and gone without a trace after `down`.

    enforce: Slurm's EnforcePartLimits; with «NO» a job over a limit is accepted and waits for ever.
    accounts: with slurmdbd and what is in its database, see accounting.py.
    keep: more files and folders that the nodes are to see at their usual places.
    """

    def __init__(self, *, enforce: str = "ALL", accounts: bool = False, keep: Sequence[Path] = ()) -> None:
        machine.need({**PACKAGE_OF, **(accounting.PACKAGE_OF if accounts else {})})
        machine.sweep()
        self.user = User("alice", os.getuid() or 20001, os.getgid() or 20001)
        self.users = [self.user, *([User("bob", 20002, 20002)] if os.getuid() == 0 else [])]
        self.base, self.lock = machine.new_base()
        self.home = self.base / "home"
        self.nodes: dict[str, Node] = {}
        self.refusing: set[str] = set()  # the nodes that refuse alice's ssh
        self.accounts = accounts
        mine = [CHECKOUT, Path(sys.prefix), Path(sys.base_prefix), machine.CACHE]
        self.keep = machine.visible([*mine, *keep])
        try:
            self.fabric = Fabric()
            config.write(self.base, self.users, enforce, accounts)
            config.new_homes(self.base, self.users)
            self.fuse = machine.fuse(self.base)
            self._start()
        except BaseException:
            self.down()
            raise

    # --- what the tests use

    def node(self, name: str) -> Node:
        """login, c1, c2, rps or laptop."""
        return self.nodes[name]

    @property
    def login(self) -> Node:
        """Where users submit."""
        return self.nodes["login"]

    @property
    def laptop(self) -> Node:
        """Where the user sits; outside the cluster."""
        return self.nodes["laptop"]

    def boot(self, name: str) -> None:
        """Start a node again that was killed."""
        self.nodes[name].boot()

    def kill(self, name: str) -> None:
        """Crash a node."""
        self.nodes[name].kill()

    def refuse_ssh(self, name: str) -> None:
        """Let alice no longer log in to that node; what is open stays open."""
        self.refusing.add(name)
        self.ssh_with(name, "-o", "DenyUsers=alice")

    def allow_ssh(self, name: str) -> None:
        """Let alice log in to that node again."""
        self.refusing.discard(name)
        self.ssh_with(name)

    def ssh_with(self, name: str, *options: str) -> None:
        """Start a node's sshd again with these options; what is open stays open."""
        node = self.nodes[name]
        node.sh("kill $(cat /run/sshd.pid); while [ -e /run/sshd.pid ]; do sleep 0.01; done", user="root")
        node.run([*self._sshd(name), *options], user="root", check=True)

    def start_sshd(self, name: str) -> None:
        """Start the listener again after it was killed."""
        self.nodes[name].run(self._sshd(name), user="root", check=True)

    def start_controller(self) -> None:
        """Start slurmctld again, with the jobs that it knew."""
        self.login.run(["slurmctld"], user="root", check=True)

    def settle(self) -> None:
        """Wait until slurmctld has written down all jobs, which a change of theirs makes it do.

        Killed sooner, it forgets one that goes on, gives its number out again, and drains the node for it.
        """
        saved, since = self.base / "state/job_state", time.time()
        for job in self.login.sh("squeue -h -o %i").split():
            self.login.sh(f"scontrol update jobid={job} comment=known", user="root")
        until(lambda: saved.exists() and saved.stat().st_mtime > since, 60)

    def wait_idle(self, seconds: float = 30) -> None:
        """Wait until both compute nodes take jobs and have none."""
        until(
            lambda: (
                self.login.run(["sinfo", "-h", "-N", "-p", "compute", "-o", "%t"]).stdout.split()
                == ["idle"] * 2
            ),
            seconds,
        )

    def tidy(self) -> None:
        """As at first: no jobs, no process of alice's, her homes empty but for the keys, all nodes up."""
        for name, node in self.nodes.items():
            if node.process is None:
                self.boot(name)
            if not node.plugged:
                node.plug()
            if name in self.refusing:
                self.allow_ssh(name)
            if name in config.SLURM and node.kill_all("sshd", 0) == 0:
                self.start_sshd(name)
        if self.login.kill_all("slurmctld", 0) == 0:
            self.start_controller()
        self.login.run(["scancel", "-u", self.user.name], user="root")
        until(lambda: not self.login.sh("squeue -h").strip(), 60)
        for node in self.nodes.values():
            node.clear()
        self.rps.tidy()
        config.new_homes(self.base, self.users)
        if "drain" in self.login.sh("sinfo -h -o %t"):  # by a test that failed: the next ones shall not
            self.login.sh("scontrol update nodename=c1,c2 state=resume", user="root")
        self.wait_idle(60)

    def down(self) -> None:
        """Stop everything and remove every file."""
        for node in self.nodes.values():
            node.kill()
        if hasattr(self, "fabric"):
            self.fabric.end()
        shutil.rmtree(self.base)
        os.close(self.lock)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    # --- making it

    def _start(self) -> None:
        """Make all nodes at once, connect them, and wait until Slurm takes jobs."""
        for name, address in config.ADDRESS.items():
            self.nodes[name] = Node(name, address, self.users, self.fabric)
        self.rps = Rps(self.nodes["rps"], self.base)
        self.rps.write(config.TEMPLATES / "apache.conf")
        for name, node in self.nodes.items():
            node.plan = self._plan(name)
            node.begin()
        for node in self.nodes.values():
            node.appear()
        self.fabric.ip(*[command for node in self.nodes.values() for command in node.links])
        for node in self.nodes.values():
            node.go()
        for node in self.nodes.values():
            node.wait()
        self.wait_idle()
        reservation = "scontrol create reservationname={} users={} starttime=now+10days duration=60 nodes={}"
        exam, course = ("exam", "root", "c1"), ("course", self.user.name, "c2")
        self.login.sh(f"{reservation.format(*exam)} && {reservation.format(*course)}", user="root")

    def _plan(self, name: str) -> dict[str, Any]:
        """What inside.py makes of a node."""
        base, home = str(self.base), self.base / ("laptop" if name == "laptop" else "home")
        hidden = {"/home": "0755", "/run": "0755", "/tmp": "1777", "/var/tmp": "1777", "/dev/shm": "1777"}
        hidden |= {
            path: "0755"
            for path in machine.closed([self.base, *self.keep], self.user.uid)
            if path not in hidden
        }
        more = [(f"{base}/{user.name}", user.home) for user in self.users[1:]]
        etc = [(f"{base}/etc/{f}", f"/etc/{f}") for f in ("passwd", "group", "hosts", "resolv.conf", "slurm")]
        return {
            "name": name,
            "cover": hidden,
            "keep": [base, *map(str, self.keep)],
            "write": [base],
            "folders": [*RUN, *(user.home for user in self.users)],
            "bind": [(str(home), self.user.home), *more, *etc, *self.fuse],
            "start": list(self._daemons(name)),
            "log": f"{base}/log/boot-{name}.log",
        }

    def _daemons(self, name: str) -> Iterator[list[str]]:
        yield ["ip", "-batch", f"{self.base}/etc/net-{name}"]
        if os.geteuid() != 0:
            yield ["sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start"]
        if name == "rps":
            yield from self.rps.daemons(config.MASK)
        if name not in config.SLURM:
            return
        munge = (
            "--socket=/run/munge/munge.socket.2 --pid-file=/run/munge/munged.pid --seed-file=/run/munge/seed"
        )
        key, log = f"--key-file={self.base}/munge.key", f"--log-file={self.base}/log/munged-{name}.log"
        yield ["munged", "--force", *munge.split(), key, log]
        if name == "login" and self.accounts:
            yield from accounting.daemons(self.user)
        yield ["slurmctld"] if name == "login" else ["slurmd", "-N", name]
        yield self._sshd(name)

    def _sshd(self, name: str) -> list[str]:
        """sshd wants to be called by its full path."""
        return [
            program("sshd"),
            "-f",
            f"{self.base}/ssh/sshd_{name}.conf",
            "-E",
            f"{self.base}/log/sshd-{name}.log",
        ]
