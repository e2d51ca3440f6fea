"""Who runs from an environment, and is named before its files change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import session_parts as parts

from setup_wizard import launch, session
from setup_wizard.cli.work import How, mind_sessions
from setup_wizard.conda import byte_code
from setup_wizard.environments import users
from setup_wizard.errors import Busy
from setup_wizard.session import Used
from setup_wizard.world import World


class Elsewhere(World):
    """Another node of the same cluster, with the same home."""

    hostname = "c9"

    def programs(self) -> dict[int, Path]:
        return {}


def an_environment(folder: Path) -> Path:
    """An environment, as far as conda's folder makes one, with a program that runs."""
    (folder / "conda-meta").mkdir(parents=True)
    (folder / "bin").mkdir()
    sleep = shutil.which("sleep")
    assert sleep
    shutil.copy(sleep, folder / "bin/sleeper")
    return folder


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An environment, known by a link as well."""
    real = an_environment(tmp_path / "real/other")
    (tmp_path / "link").symlink_to(real.parent)
    return tmp_path / "link/other"


@pytest.fixture
def sleeper(prefix: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program of the user that runs from it."""
    with subprocess.Popen([prefix / "bin/sleeper", "60"]) as running:
        yield running
        running.kill()


def test_a_program_of_the_user_is_named(
    world: World, prefix: Path, sleeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """By its name and number, with the command that ends it; nobody runs from the environment beside it."""
    parts.until(lambda: users.of(world, prefix).processes)
    with pytest.raises(Busy, match=f"sleeper {sleeper.pid}") as told:
        mind_sessions(world, "other", prefix, How(yes=True))
    assert f"kill {sleeper.pid}" in told.value.fix
    mind_sessions(world, "beside", an_environment(tmp_path / "real/beside"), How(yes=True))
    sleeper.kill()
    sleeper.wait()
    mind_sessions(world, "other", prefix, How(yes=True))


def test_what_compiles_for_an_environment_is_no_hindrance(world: World, prefix: Path) -> None:
    """It works in the background, and ends when the environment is to change."""
    marked = {**os.environ, byte_code.MARK: str(prefix)}
    with subprocess.Popen([prefix / "bin/sleeper", "60"], env=marked) as running:
        parts.until(lambda: running.pid in world.programs() and world.marked(f"{byte_code.MARK}={prefix}"))
        assert users.of(world, prefix) == users.Users()
        running.kill()


@pytest.mark.real
def test_a_session_is_named_whose_kernel_runs_from_it(
    jupyter_prefix: Path, prefix: Path, tmp_path: Path
) -> None:
    """Its Jupyter is of another environment; it is known on its node at once, and then on every other."""
    world = parts.machine(tmp_path)
    spec = world.home / ".local/share/jupyter/kernels/other/kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [str(prefix / "bin/sleeper"), "60"]  # no kernel, and a program that Jupyter runs as one
    spec.write_text(json.dumps({"argv": argv, "display_name": "Other", "language": "python"}))
    mine, _ = parts.begun(world, parts.job(world, jupyter_prefix, idle_minutes=0.4))
    assert parts.ask(world, mine, "api/kernels", "POST", b'{"name": "other"}').status == 201
    found = users.of(world, prefix)
    assert (found.sessions, found.processes) == ((mine.id,), ())
    assert users.of(world, jupyter_prefix).sessions == (mine.id,)
    parts.until(lambda: session.read(mine.folder, Used))
    with pytest.raises(Busy, match=f"Session {mine.id} runs from") as told:
        mind_sessions(Elsewhere(world.home, world.env), "other", prefix, How(yes=True))
    assert f"hpc-jupyter-setup stop {mine.id}" in told.value.fix
    assert launch.stop(world, mine)
    assert users.of(world, prefix) == users.Users()
