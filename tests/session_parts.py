"""What the tests of sessions share: a machine, a way to ask Jupyter, and a look at what is left behind."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from setup_wizard import launch, session
from setup_wizard.conda import environment, pack, packed
from setup_wizard.conda.spec import named, read_spec
from setup_wizard.environments import packs
from setup_wizard.jupyter import nook
from setup_wizard.jupyter.nook import Nook
from setup_wizard.mirror import build, server
from setup_wizard.session import Address, Job, Place, Session
from setup_wizard.world import Ask, Disk, Reply, World, silent
from tests import images
from tests.conftest import CACHE


class Node(World):
    """A node whose disks are what a test says."""

    def __init__(self, home: Path, env: dict[str, str]) -> None:
        super().__init__(home, env)
        self.disks: dict[Path, Disk] = {}

    def disk(self, path: Path) -> Disk:
        return self.disks.get(Path(path)) or super().disk(path)


def a_nook(node: Node) -> Nook:
    """A session's nook on it."""
    made = nook.make(node)
    node.disks[made.path.parent] = node.disk(made.path.parent)
    return made


def machine(folder: Path) -> World:
    """A machine with an empty home in `folder` and nothing of the caller's account."""
    home = folder / "home"
    home.mkdir()
    env = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG")}
    return World(home, {**env, "HOME": str(home), "SHELL": "/bin/bash", "USER": "student"})


def job(world: World, prefix: Path, **more: Any) -> Job:
    """Jupyter of `prefix` in a folder of the home."""
    folder = world.home / "work"
    folder.mkdir(exist_ok=True)
    return Job(prefix, folder, **more)


def packed_lab(folder: Path, form: packed.Format = "tar.zst") -> tuple[Path, Path]:
    """A real conda environment with JupyterLab below the folder, and the file in which it is packed."""
    world, prefix, file = World(folder, dict(os.environ)), folder / "envs/lab", folder / f"lab.{form}"
    made = build.build(World.here(), CACHE / "mirror")
    with server.serve(made.path) as url:
        asked = msgspec.structs.replace(read_spec(named("jupyterlab")), channels=(f"{url}/conda-forge",))
        environment.create(world, prefix, asked)
    what = packs.Packing(pack.survey(world, prefix, "lab"), file, form, 0, 0)
    packs.write(world, what, silent)
    return prefix, file


def begun(world: World, wanted: Job) -> tuple[Session, Address]:
    """A session that answers, without the proof."""
    mine = launch.submit(world, wanted)
    return mine, launch.follow(world, mine)


def ask(
    world: World, mine: Session, path: str, method: str = "GET", body: bytes = b"", **headers: str
) -> Reply:
    """What Jupyter answers to somebody who has the token."""
    address = session.read(mine.folder, Address)
    assert address
    token = session.secret(mine, "token")
    all_headers = {"Authorization": f"token {token}", **headers}
    return world.call(Ask(address.url + path, method, all_headers, body, timeout=30))


def start_kernel(world: World, mine: Session) -> str:
    """The id of a new kernel."""
    return str(json.loads(ask(world, mine, "api/kernels", "POST", b"{}").body)["id"])


def nook_of(mine: Session) -> Nook:
    """The session's folder on the node's own disk."""
    place = session.read(mine.folder, Place)
    assert place
    return Nook(place.folder)


def serve_of(mine: Session) -> session.Process:
    """The process that serves the session."""
    place = session.read(mine.folder, Place)
    assert place
    return place.serve


def jupyter_of(world: World, mine: Session) -> int:
    """The process id of its Jupyter."""
    return next(
        pid
        for pid, _ in world.marked(nook_of(mine).mark)
        if b"--config=" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )


def assert_nothing_left(world: World, mine: Session) -> None:
    """No process, no folder on the node, no secret."""
    place = session.read(mine.folder, Place)
    if place:
        left = Nook(place.folder)
        assert world.marked(left.mark) == []
        assert not images.is_mounted(left.image)
        assert not os.path.lexists(left.path)
        until(lambda: world.born(place.serve.pid) != place.serve.born)
    assert [p.name for p in mine.folder.iterdir() if p.name in session.SECRETS] == []


def until(holds: Callable[[], Any], seconds: float = 30) -> None:
    """Wait for something that is about to happen; fail when it does not."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def jupyter_is_up(world: World, mine: Session) -> bool:
    """Whether its process is there."""
    return bool(world.marked(nook_of(mine).mark))
