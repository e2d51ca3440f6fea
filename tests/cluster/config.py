"""What the cluster's daemons read: written into its folder from the templates in etc/, before they start."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from tests.cluster.nodes import User
from tests.cluster.rps import DOMAIN

TEMPLATES = Path(__file__).with_name("etc")
ADDRESS = {
    "laptop": "10.77.9.1",
    "rps": "10.77.5.1",
    "login": "10.77.0.1",
    "c1": "10.77.0.11",
    "c2": "10.77.0.12",
}
MASK = "10.77.0.0/24"  # the cluster; the laptop and the proxy are not in it
SLURM = ("login", "c1", "c2")
# Whom else a node reaches: there is no way between the laptop and the compute nodes.
WAYS = {
    "laptop": [ADDRESS["login"], ADDRESS["rps"]],
    "rps": [MASK, ADDRESS["laptop"]],
    "login": [ADDRESS["laptop"], ADDRESS["rps"]],
    "c1": [ADDRESS["rps"]],
    "c2": [ADDRESS["rps"]],
}
NO_ACCOUNTING = "AccountingStorageType=accounting_storage/none\nJobSubmitPlugins=lua"
ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=login
AccountingStorageEnforce=associations,limits,qos
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment,job_env,job_script"""
FOLDERS = ("etc/slurm", "log", "state", "spool/c1", "spool/c2", "ssh")


def write(base: Path, users: Sequence[User], enforce: str, accounts: bool) -> None:
    """All of it; the first user is the one who has keys."""
    for folder in FOLDERS:
        (base / folder).mkdir(parents=True)
    (base / "munge.key").touch(0o600)
    (base / "munge.key").write_bytes(os.urandom(1024))
    write_slurm(base, users[0], enforce, accounts)
    write_names(base / "etc", users)
    write_ssh(base)


def fill(template: str, gaps: Mapping[str, str]) -> str:
    """The text of a template with its gaps filled."""
    return Template((TEMPLATES / template).read_text()).substitute(gaps)


def write_slurm(base: Path, user: User, enforce: str, accounts: bool) -> None:
    """Slurm's; a number to start with keeps the jobs of one cluster from being taken for another's."""
    owner = "root" if os.geteuid() == 0 else user.name
    gaps = {
        "base": str(base),
        "owner": owner,
        "first_job": str(random.randrange(1000, 30000)),
        "enforce": enforce,
        "accounting": ACCOUNTING if accounts else NO_ACCOUNTING,
    }
    more = ("slurmdbd.conf", "accounts") if accounts else ("job_submit.lua",)
    for name in ("slurm.conf", "gres.conf", *more):
        path = base / "etc/slurm" / name
        path.touch(0o600 if name == "slurmdbd.conf" else 0o644)
        path.write_text(fill(name, gaps))
    # With it jobs have PBS_JOBID and the like.
    torque = next(Path("/usr/lib").glob("*/slurm-wlm/spank_pbs.so"), None)
    (base / "etc/slurm/plugstack.conf").write_text(f"optional {torque}\n" if torque else "")


def write_names(etc: Path, users: Sequence[User]) -> None:
    """Who and what is where: users, hosts, addresses and routes."""
    people = "".join(f"{u.name}:*:{u.uid}:{u.gid}::{u.home}:/bin/bash\n" for u in users)
    groups = "".join(f"{u.name}:x:{u.gid}:\n" for u in users)
    names = {u.name for u in users}
    (etc / "passwd").write_text(others("passwd", names, {str(u.uid) for u in users}) + people)
    (etc / "group").write_text(others("group", names, {str(u.gid) for u in users}) + groups)
    hosts = "".join(f"{address} {name}\n" for name, address in ADDRESS.items())
    (etc / "hosts").write_text(f"127.0.0.1 localhost\n{hosts}{ADDRESS['rps']} manage.{DOMAIN}\n")
    (etc / "resolv.conf").write_text("# No other names, and nobody to ask.\nnameserver 127.0.0.1\n")
    for name, address in ADDRESS.items():
        width = 24 if name in SLURM else 32
        mine = ["link set lo up", f"addr add {address}/{width} dev eth0", "link set eth0 up"]
        # Slurm sends a message in two pieces; to oneself the second would wait for the answer to the first.
        mine += [f"route change table local local {address} dev eth0 proto kernel scope host quickack 1"]
        ways = [f"route add {way} dev eth0" for way in WAYS[name]]
        (etc / f"net-{name}").write_text("\n".join([*mine, *ways, ""]))


def others(name: str, names: set[str], numbers: set[str]) -> str:
    """The machine's own users or groups, without any that has a name or number of the cluster's."""
    lines = [line.split(":") for line in Path("/etc", name).read_text().splitlines()]
    kept = [line for line in lines if line[0] not in names and not numbers & set(line[2:3])]
    return "".join(":".join(line) + "\n" for line in kept)


def write_ssh(base: Path) -> None:
    """Keys: the laptop's opens all nodes, and the laptop knows all hosts."""
    shared, laptop = (base / "new" / home / ".ssh" for home in ("home", "laptop"))
    for folder in (shared, laptop):
        folder.mkdir(0o700, parents=True)
    make_key(laptop / "id_ed25519", "alice@laptop")
    shutil.copy(laptop / "id_ed25519.pub", shared / "authorized_keys")
    known = ""
    for name in SLURM:
        make_key(base / f"ssh/host_{name}", name)
        key = " ".join((base / f"ssh/host_{name}.pub").read_text().split()[:2])
        known += f"{name},{ADDRESS[name]} {key}\n"
        (base / f"ssh/sshd_{name}.conf").write_text(fill("sshd.conf", {"base": str(base), "node": name}))
    for folder in (shared, laptop):
        (folder / "known_hosts").write_text(known)


def make_key(path: Path, comment: str) -> None:
    """A key pair without a passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path], check=True)


def new_homes(base: Path, users: Sequence[User]) -> None:
    """The users' home folders as at first: home (alice's, shared), laptop (hers there), others' by name."""
    owners = {"home": users[0], "laptop": users[0], **{u.name: u for u in users[1:]}}
    for name, user in owners.items():
        home = base / name
        home.mkdir(exist_ok=True)
        for path in home.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        if (base / "new" / name).is_dir():
            shutil.copytree(base / "new" / name, home, dirs_exist_ok=True)
        home.chmod(0o750)
        for path in [home, *home.rglob("*")]:
            os.chown(path, user.uid, user.gid)
