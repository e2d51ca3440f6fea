"""Computers made of namespaces: each has its own processes, network, host name, /run, /tmp and /dev/shm.

Their network is a bridge in a namespace of its own; nothing of it can be seen from the machine. Everything is
held by pipes of this process, so that nothing outlives it; see inside.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

INSIDE = [sys.executable, "-E", "-s", "-S", str(Path(__file__).with_name("inside.py"))]
PATH = "/usr/local/bin:/usr/bin:/bin"
DAEMONS = {"munged", "slurmctld", "slurmscriptd", "slurmd", "sshd", "apache2", "rps"}
SBIN = f"/usr/local/sbin:/usr/sbin:/sbin:{PATH}"


class CannotStart(Exception):
    """This machine cannot hold the cluster; the text says what is missing."""


@dataclass(frozen=True)
class User:
    """An ordinary user of the cluster, as the nodes' /etc/passwd has it."""

    name: str
    uid: int
    gid: int

    @property
    def home(self) -> str:
        """The home folder as the nodes see it."""
        return f"/home/{self.name}"

    @property
    def who(self) -> str:
        """How inside.py is told to become this user."""
        return f"{self.uid}:{self.gid}:{self.home}"


class Fabric:
    """The network that the nodes hang on, and for an ordinary caller the user namespace around it all."""

    def __init__(self) -> None:
        rights = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
        argv = ["unshare", *rights, "--net", "sh", "-c", "echo here && exec cat"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
        assert self.process.stdout
        assert self.process.stderr
        if self.process.stdout.readline() != b"here\n":
            said = self.process.stderr.read().decode()
            raise CannotStart(f"no network namespace may be made here: {said.strip()}")
        self.ip("link set lo up", "link add cluster type bridge", "link set cluster up")

    @property
    def argv(self) -> list[str]:
        """What to put before a command so that it runs in the fabric."""
        return [*INSIDE, "enter", str(self.process.pid), "root", "--"]

    def ip(self, *commands: str) -> None:
        """Run commands of ip(8) in the fabric."""
        done = subprocess.run(
            [*self.argv, "ip", "-batch", "-"],
            input="\n".join(commands),
            text=True,
            env={"PATH": SBIN},
            capture_output=True,
        )
        if done.returncode != 0:
            raise CannotStart(f"ip: {done.stderr.strip()}")

    def end(self) -> None:
        """Take the network away."""
        self.process.kill()
        self.process.communicate()


@dataclass
class Node:
    """One computer of the cluster; `plan` is what inside.py is told at boot."""

    name: str
    address: str
    users: Sequence[User]
    fabric: Fabric
    plan: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    first: int = 0  # the id of its first process, as this machine counts
    plugged: bool = True

    # --- its life

    def begin(self) -> None:
        """Have its namespaces made; then comes `appear`, the link, and `go`. Does not wait."""
        argv = [*self.fabric.argv, *INSIDE, "boot"] if os.geteuid() else [*INSIDE, "boot"]
        pipe = subprocess.PIPE
        clean = {"PATH": SBIN, "LANG": "C.UTF-8"}
        # A session of its own: Ctrl-C is for the tests, which then take the cluster down.
        self.process = subprocess.Popen(
            argv, stdin=pipe, stdout=pipe, text=True, env=clean, start_new_session=True
        )
        assert self.process.stdin
        self.process.stdin.write(json.dumps(self.plan) + "\n")
        self.process.stdin.flush()

    def appear(self) -> None:
        """Wait until its namespaces are there, and learn its first process."""
        said = self._hear()
        if not said.isdigit():
            raise CannotStart(said)
        self.first = int(said)

    def go(self) -> None:
        """The link is there: let the node configure it and start its daemons; does not wait."""
        assert self.process
        assert self.process.stdin
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def wait(self) -> None:
        """Wait until all daemons have been started."""
        said = self._hear()
        if said != "up":
            raise CannotStart(said) if said.startswith("cannot") else RuntimeError(said)

    def _hear(self) -> str:
        assert self.process
        assert self.process.stdout
        said = self.process.stdout.readline().strip()
        if not said:
            raise RuntimeError(f"{self.name} ended while it was started (code {self.process.wait()})")
        return said

    @property
    def links(self) -> list[str]:
        """The ip(8) commands that connect this node."""
        return [
            f"link add {self.name} type veth peer name eth0 netns {self.first}",
            f"link set {self.name} master cluster up",
        ]

    def boot(self) -> None:
        """Start the node again after `kill`."""
        self.begin()
        self.appear()
        self.plugged = True
        self.fabric.ip(*self.links)
        self.go()
        self.wait()

    def kill(self) -> None:
        """Crash: from one moment to the next nothing of the node is left."""
        if self.process is None:
            return
        if self.first and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.first, signal.SIGKILL)
        self.process.communicate()
        self.process, self.first = None, 0

    def unplug(self) -> None:
        """Take its network cable out."""
        self.plugged = False
        self.fabric.ip(f"link set {self.name} down")

    def plug(self) -> None:
        """Put its network cable back."""
        self.fabric.ip(f"link set {self.name} up")
        self.plugged = True

    # --- what runs on it

    def person(self, name: str | None) -> User:
        """The user of that name; alice when none is said."""
        return next(user for user in self.users if name in (user.name, None))

    def argv(self, argv: Sequence[str | Path], *, user: str | None = None) -> list[str]:
        """What to start on this machine so that the command runs on the node (for pexpect and the like)."""
        who = "root" if user == "root" else self.person(user).who
        return [*INSIDE, "enter", str(self.first), who, "--", *map(str, argv)]

    def env(self, more: Mapping[str, str] | None = None, *, user: str | None = None) -> dict[str, str]:
        """The whole environment of a command on the node: nothing of ours."""
        if user == "root":
            return {"PATH": SBIN, "LANG": "C.UTF-8", "HOME": "/root", **(more or {})}
        who = self.person(user)
        mine = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": who.home, "USER": who.name, "LOGNAME": who.name}
        return {**mine, "SHELL": "/bin/bash", **(more or {})}

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        user: str | None = None,
        env: Mapping[str, str] | None = None,
        input: str = "",
        timeout: float = 60,
        check: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the node to its end, in the home folder of `user`: alice, bob or root."""
        return subprocess.run(
            self.argv(argv, user=user),
            env=self.env(env, user=user),
            input=input,
            timeout=timeout,
            check=check,
            capture_output=True,
            text=True,
        )

    def spawn(
        self,
        argv: Sequence[str | Path],
        *,
        user: str | None = None,
        env: Mapping[str, str] | None = None,
        **more: Any,
    ) -> subprocess.Popen[str]:
        """Start a command on the node; signals sent to it arrive there, and its end is the command's end."""
        return subprocess.Popen(self.argv(argv, user=user), env=self.env(env, user=user), text=True, **more)

    def sh(self, script: str, **more: Any) -> str:
        """What a line of bash prints on the node; CalledProcessError when it fails."""
        return self.run(["bash", "-c", script], check=True, **more).stdout

    def processes(self) -> list[int]:
        """The ids, as this machine counts, of all processes on the node."""
        space = os.readlink(f"/proc/{self.first}/ns/pid")
        return [p for p in map(int, filter(str.isdigit, os.listdir("/proc"))) if pid_space(p) == space]

    def kill_all(self, program: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to all processes on the node whose program has that name; how many there were."""
        hit = [p for p in self.processes() if program_of(p) == program]
        for pid in hit:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return len(hit)

    def clear(self) -> None:
        """End all that users have running on the node; what the node needs goes on."""
        numbers = {user.uid for user in self.users}
        for pid in self.processes():
            daemon = os.geteuid() != 0 and program_of(pid) in DAEMONS  # then all is alice's
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                if pid != self.first and not daemon and os.stat(f"/proc/{pid}").st_uid in numbers:
                    os.kill(pid, signal.SIGKILL)


def pid_space(pid: int) -> str:
    """The namespace of a process's id; "" when it has gone."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


def program_of(pid: int) -> str:
    """The short name of a process's program; "" when it has gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().rstrip("\n")
    except OSError:
        return ""
