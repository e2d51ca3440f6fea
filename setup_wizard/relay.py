"""Runs on the login node, at the end of an ssh: leads a tunnel through steps of the job to its Jupyter.

    python -m setup_wizard.relay SESSION        listens on a socket that only the user can reach
    python -m setup_wizard.relay --pipe PORT    one connection, in a step of the job

For sites that let nobody log in to a compute node. It ends with the ssh that it was started by.
"""

from __future__ import annotations

import os
import select
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

LOOPBACK = "127.0.0.1"
BLOCK = 1 << 16
LONGEST = 107  # bytes of a Unix socket's path, less the NUL
LOOK = 1000  # milliseconds between two looks at the connections that have ended


def listen(path: Path, step: list[str]) -> None:
    """Carry each connection to the socket at `path` through a `step` of its own, until nobody hears us."""
    path.unlink(missing_ok=True)
    running: list[subprocess.Popen[bytes]] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(str(path))
        door.listen(64)
        ours = path.stat().st_ino
        print("The tunnel is open. It closes with this command.", flush=True)
        looks = select.poll()
        looks.register(door, select.POLLIN)
        looks.register(sys.stdout.fileno(), 0)  # only errors and the other side's end are told then
        try:
            # After a cut this side learns of nothing: who comes back takes the socket over, and we go.
            while sys.stdout.fileno() not in (seen := dict(looks.poll(LOOK))) and _is(path, ours):
                running = [child for child in running if child.poll() is None]
                if seen:
                    link, _ = door.accept()
                    with link:
                        both = link.fileno()
                        running.append(subprocess.Popen(step, stdin=both, stdout=both))
        finally:
            if _is(path, ours):
                path.unlink()
            for child in running:
                child.terminate()


def _is(path: Path, inode: int) -> bool:
    """Whether the socket there is still that one."""
    return path.exists() and path.stat().st_ino == inode


def pipe(port: int) -> None:
    """Carry our input to the port and what comes back to our output, until the port has said all."""
    with socket.create_connection((LOOPBACK, port)) as link:
        hear = [0, link.fileno()]
        while link.fileno() in hear:
            for fd in select.select(hear, [], [])[0]:
                block = os.read(fd, BLOCK)
                if not block:
                    hear.remove(fd)
                    if fd == 0:
                        link.shutdown(socket.SHUT_WR)
                elif fd == 0:
                    link.sendall(block)
                else:
                    _write(block)


def _write(block: bytes) -> None:
    while block:
        block = block[os.write(1, block) :]


def step_of(name: str) -> tuple[Path, list[str]]:
    """Where a session's socket is, and the command that makes a step of its job to carry a connection."""
    from setup_wizard import session
    from setup_wizard.errors import BadInput, MachineBlocks
    from setup_wizard.schedulers import STEPS
    from setup_wizard.world import World, make_private

    world = World.here()
    mine = session.find(world, name)
    address = session.read(mine.folder, session.Address)
    if not address:
        raise MachineBlocks(
            f"The session {mine.id} does not answer (yet).", fix="hpc-jupyter-setup sessions tells how it is"
        )
    if mine.job.scheduler not in STEPS:
        raise BadInput(
            f"A job of {mine.job.scheduler} cannot be entered from the login node.",
            fix="Go straight to the node: hpc-jupyter-setup explain access",
        )
    folder = world.cache / "relay"
    if len(bytes(folder / mine.id)) > LONGEST:
        raise MachineBlocks(
            f"{folder} is too long a path for a socket.", fix="export XDG_CACHE_HOME=/short/path, then launch"
        )
    make_private(folder)
    node = address.host.split(".")[0]
    enter = ["srun", f"--jobid={mine.job_id}", "--overlap", "-N1", "-n1", "-w", node, "--unbuffered", "-Q"]
    carry = [*world.own_python("setup_wizard.relay"), "--pipe", str(address.port)]
    return folder / mine.id, [*(enter if mine.job.scheduler == "slurm" else []), *carry]


def _find(program: str, argv: list[str]) -> None:
    """Where a program comes by a profile, be ourselves once more, as after a log-in."""
    from setup_wizard.login_shell import CALL, LOGIN
    from setup_wizard.world import World

    world = World.here()
    if not world.which(program) and CALL not in world.env:
        words = [*world.own_python("setup_wizard.relay"), *argv]
        os.execve("/bin/sh", ["sh", "-c", LOGIN, f"exec {shlex.join(words)}"], world.env)


def main(argv: list[str]) -> int:
    """One of the two commands of this module."""
    if argv[:1] == ["--pipe"]:
        pipe(int(argv[1]))
        return 0
    from setup_wizard.errors import SetupError

    os.umask(0o077)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        door, step = step_of(argv[0])
        _find(step[0], argv)
        listen(door, step)
    except SetupError as e:
        print(f"{e.problem}\n{e.fix}", file=sys.stderr)
        return e.code
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
