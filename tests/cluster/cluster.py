"""A small cluster for the tests: a login node, two compute nodes and a laptop, with Slurm and sshd, all real.

    with Cluster() as cluster:
        cluster.login.run(["sbatch", "--wrap", "hostname"])

    laptop  10.77.9.1    reaches the login node and the proxy, and no compute node
    login   10.77.0.1    munge, slurmctld, sshd
    c1, c2  10.77.0.11…  munge, slurmd, sshd; c2 has two graphics cards
    alice                the one user; her home is shared by the cluster, and another one on the laptop

Called by root, alice has a number of her own; called by anybody else, she is the caller, in a user namespace.
The nodes see the machine's own programs, and this checkout with its .venv at their usual places, read-only,
also where those lie in a home folder that nobody else may enter: the rest of that folder is hidden.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Any

from tests.cluster.nodes import SBIN, CannotStart, Fabric, Node, User

CHECKOUT = Path(__file__).resolve().parent.parent.parent
TEMPLATES = Path(__file__).with_name("etc")
ADDRESS = {"laptop": "10.77.9.1", "login": "10.77.0.1", "c1": "10.77.0.11", "c2": "10.77.0.12"}
COMPUTE = ("c1", "c2")
SSH = ("login", *COMPUTE)
HOMES = ("home", "laptop")  # the folder that the cluster shares, and the laptop's own
MASK = "10.77.0.0/24"  # the cluster; the laptop is not in it
PACKAGE_OF = {
    "unshare": "util-linux",
    "ip": "iproute2",
    "munged": "munge",
    "slurmctld": "slurm-wlm",
    "slurmd": "slurm-wlm",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
}


class Cluster:
    """The cluster: up when made, and gone without a trace after `down`.

    enforce: Slurm's EnforcePartLimits; with «NO» a job over a limit is accepted and waits for ever.
    keep: more files and folders that the nodes are to see at their usual places.
    """

    def __init__(self, *, enforce: str = "ALL", keep: Sequence[Path] = ()) -> None:
        need(PACKAGE_OF)
        sweep()
        self.user = User("alice", os.getuid() or 20001, os.getgid() or 20001)
        self.base = Path(tempfile.mkdtemp(prefix="hjs-cluster-", dir="/tmp"))
        self.lock = lock(self.base)
        self.home = self.base / "home"
        self.nodes: dict[str, Node] = {}
        self.refusing: set[str] = set()  # the nodes that refuse alice's ssh
        self.keep = visible([CHECKOUT, Path(sys.prefix), Path(sys.base_prefix), *keep])
        try:
            self.fabric = Fabric()
            self._write(enforce)
            self._start()
        except BaseException:
            self.down()
            raise

    # --- what the tests use

    def node(self, name: str) -> Node:
        """login, c1, c2 or laptop."""
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
        self._ssh_again(name, "-o", "DenyUsers=alice")

    def allow_ssh(self, name: str) -> None:
        """Let alice log in to that node again."""
        self.refusing.discard(name)
        self._ssh_again(name)

    def _ssh_again(self, name: str, *options: str) -> None:
        node = self.nodes[name]
        node.sh("kill $(cat /run/sshd.pid); while [ -e /run/sshd.pid ]; do sleep 0.01; done", user="root")
        node.run([*self._sshd(name), *options], user="root", check=True)

    def start_sshd(self, name: str) -> None:
        """Start the listener again after it was killed."""
        self.nodes[name].run(self._sshd(name), user="root", check=True)

    def start_controller(self) -> None:
        """Start slurmctld again, with the jobs that it knew."""
        self.login.run(["slurmctld"], user="root", check=True)

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
            if name in SSH and node.kill_all("sshd", 0) == 0:
                self.start_sshd(name)
        if self.login.kill_all("slurmctld", 0) == 0:
            self.start_controller()
        self.login.run(["scancel", "-u", self.user.name], user="root")
        until(lambda: not self.login.sh("squeue -h").strip(), 60)
        for node in self.nodes.values():
            node.clear()
        self._homes()
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
        for name, address in ADDRESS.items():
            self.nodes[name] = Node(name, address, self.user, self.fabric, self._plan(name))
            self.nodes[name].begin()
        self.fabric.ip(*[command for node in self.nodes.values() for command in node.links])
        for node in self.nodes.values():
            node.go()
        for node in self.nodes.values():
            node.wait()
        self.wait_idle()
        for name, users, where in (("exam", "root", "c1"), ("course", self.user.name, "c2")):
            reservation = (
                f"reservationname={name} users={users} starttime=now+10days duration=60 nodes={where}"
            )
            self.login.run(["scontrol", "create", *reservation.split()], user="root", check=True)

    def _plan(self, name: str) -> dict[str, Any]:
        """What inside.py makes of a node."""
        base, home = str(self.base), self.base / ("laptop" if name == "laptop" else "home")
        hidden = {"/home": "0755", "/run": "0755", "/tmp": "1777", "/var/tmp": "1777", "/dev/shm": "1777"}
        hidden |= {path: "0755" for path in closed(self.keep, self.user.uid) if path not in hidden}
        etc = [(f"{base}/etc/{f}", f"/etc/{f}") for f in ("passwd", "group", "hosts", "resolv.conf", "slurm")]
        return {
            "name": name,
            "cover": hidden,
            "keep": [base, *map(str, self.keep)],
            "write": [base],
            "folders": ["/run/munge", "/run/sshd", "/run/lock", self.user.home],
            "bind": [(str(home), self.user.home), *etc],
            "start": list(self._daemons(name)),
            "log": f"{base}/log/boot-{name}.log",
        }

    def _daemons(self, name: str) -> Iterator[list[str]]:
        yield ["ip", "-batch", f"{self.base}/etc/net-{name}"]
        if os.geteuid() != 0:
            yield ["sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start"]
        if name == "laptop":
            return
        munge = (
            "--socket=/run/munge/munge.socket.2 --pid-file=/run/munge/munged.pid --seed-file=/run/munge/seed"
        )
        key, log = f"--key-file={self.base}/munge.key", f"--log-file={self.base}/log/munged-{name}.log"
        yield ["munged", "--force", *munge.split(), key, log]
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

    def _write(self, enforce: str) -> None:
        """All that the daemons read."""
        base = self.base
        base.chmod(0o755)
        for folder in ("etc/slurm", "log", "state", "spool/c1", "spool/c2", "ssh", *HOMES):
            (base / folder).mkdir(parents=True)
        (base / "munge.key").touch(0o600)
        (base / "munge.key").write_bytes(os.urandom(1024))
        for name in ("slurm.conf", "gres.conf", "job_submit.lua"):
            (base / "etc/slurm" / name).write_text(self._filled(name, enforce=enforce))
        torque = next(Path("/usr/lib").glob("*/slurm-wlm/spank_pbs.so"), None)
        (base / "etc/slurm/plugstack.conf").write_text(f"optional {torque}\n" if torque else "")
        self._write_names()
        self._write_ssh()
        self._homes()

    def _filled(self, template: str, **more: str) -> str:
        """The text of a template with its gaps filled."""
        owner = "root" if os.geteuid() == 0 else self.user.name
        known = {"base": str(self.base), "owner": owner, "first_job": str(random.randrange(1000, 30000))}
        return Template((TEMPLATES / template).read_text()).substitute({**known, **more})

    def _write_names(self) -> None:
        """Who and what is where: users, hosts, addresses and routes."""
        etc, user = self.base / "etc", self.user
        etc.joinpath("passwd").write_text(
            f"{others('passwd', user)}{user.name}:*:{user.uid}:{user.gid}::{user.home}:/bin/bash\n"
        )
        etc.joinpath("group").write_text(f"{others('group', user)}{user.name}:x:{user.gid}:\n")
        hosts = "".join(f"{address} {name}\n" for name, address in ADDRESS.items())
        etc.joinpath("hosts").write_text(f"127.0.0.1 localhost\n{hosts}")
        etc.joinpath("resolv.conf").write_text("# No other names, and nobody to ask.\nnameserver 127.0.0.1\n")
        for name, address in ADDRESS.items():
            wide = "/32" if name == "laptop" else "/24"
            mine = ["link set lo up", f"addr add {address}{wide} dev eth0", "link set eth0 up"]
            ways = {"laptop": [ADDRESS["login"]], "login": [ADDRESS["laptop"]]}.get(name, [])
            etc.joinpath(f"net-{name}").write_text(
                "\n".join([*mine, *(f"route add {a} dev eth0" for a in ways), ""])
            )

    def _write_ssh(self) -> None:
        """Keys: the laptop's opens all nodes, and the laptop knows all hosts."""
        base = self.base
        homes = [base / "new" / home / ".ssh" for home in HOMES]
        for home in homes:
            home.mkdir(0o700, parents=True)
        make_key(homes[1] / "id_ed25519", "alice@laptop")
        shutil.copy(homes[1] / "id_ed25519.pub", homes[0] / "authorized_keys")
        known = ""
        for name in SSH:
            make_key(base / f"ssh/host_{name}", name)
            key = " ".join((base / f"ssh/host_{name}.pub").read_text().split()[:2])
            known += f"{name},{ADDRESS[name]} {key}\n"
            (base / f"ssh/sshd_{name}.conf").write_text(self._filled("sshd.conf", node=name))
        for home in homes:
            (home / "known_hosts").write_text(known)

    def _homes(self) -> None:
        """Alice's two home folders, as new."""
        for name in HOMES:
            home = self.base / name
            for path in home.iterdir():
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            shutil.copytree(self.base / "new" / name, home, dirs_exist_ok=True)
            home.chmod(0o750)
            for path in [home, *home.rglob("*")]:
                os.chown(path, self.user.uid, self.user.gid)


# --- this machine -----------------------------------------------------------------------------------------


def program(name: str) -> str:
    """The full path of a program, also where an ordinary user has no sbin in PATH; "" when there is none."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SBIN}") or ""


def need(packages: dict[str, str]) -> None:
    """Raise CannotStart that names the Debian packages of the programs that are missing."""
    missing = sorted({package for name, package in packages.items() if not program(name)})
    if missing:
        raise CannotStart(f"apt-get install --no-install-recommends {' '.join(missing)}")


def visible(paths: Sequence[Path]) -> list[Path]:
    """What the nodes must be shown, without what lies in something else that they are shown."""
    found = sorted({p.resolve() for p in paths if p.exists() and p.resolve().parts[1:2] != ("usr",)})
    return [p for p in found if not any(q in p.parents for q in found)]


def closed(paths: Sequence[Path], uid: int) -> list[str]:
    """The outermost folders around those paths that the user may not pass."""
    if os.getuid() == uid:
        return []
    shut = set()
    for path in paths:
        outer = [p for p in reversed(path.parents) if not p.stat().st_mode & 0o001]
        shut |= {str(p) for p in outer[:1]}
    return sorted(shut)


def others(name: str, user: User) -> str:
    """The machine's own users or groups, without any that has alice's name or number."""
    number = user.uid if name == "passwd" else user.gid
    lines = Path("/etc", name).read_text().splitlines()
    kept = [
        line for line in lines if line.split(":")[0] != user.name and line.split(":")[2:3] != [str(number)]
    ]
    return "".join(f"{line}\n" for line in kept)


def make_key(path: Path, comment: str) -> None:
    """A key pair without a passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path], check=True)


def lock(base: Path) -> int:
    """Show that a cluster's folder is in use, as long as this process lives."""
    handle = os.open(base / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


def sweep() -> None:
    """Remove the folders of our earlier clusters whose process was killed."""
    for base in Path("/tmp").glob("hjs-cluster-*"):
        with contextlib.suppress(OSError):
            if base.stat().st_uid == os.geteuid():
                os.close(lock(base))
                shutil.rmtree(base)


def until(true: Any, seconds: float = 30, pause: float = 0.02) -> None:
    """Ask again and again until it is true; AssertionError after so many seconds."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not true within {seconds} s"
        time.sleep(pause)
