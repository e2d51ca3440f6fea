"""The environments that ship with us, made for real from a channel of about 105 packages."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from packaging.version import Version

from setup_wizard.conda import contents, damage, environment
from setup_wizard.conda.spec import EnvSpec, named, read_spec
from setup_wizard.mirror import build, server
from setup_wizard.steps.conda_env import CondaEnv
from setup_wizard.steps.kernel import Kernel
from setup_wizard.trees import NoTree, picture
from setup_wizard.world import World, silent
from tests.conftest import CACHE

pytestmark = pytest.mark.real

CELL = """\
import os, sys
print(sys.prefix, os.environ["CONDA_PREFIX"], os.environ["PRICE"], sys.flags.no_user_site)
"""


@pytest.fixture(scope="module")
def channel() -> Iterator[str]:
    """The rehearsal's channel, served on loopback."""
    made = build.build(World.here(), CACHE / "mirror")
    with server.serve(made.path) as url:
        yield f"{url}/conda-forge"


def spec_of(name: str, channel: str, **more: object) -> EnvSpec:
    return msgspec.structs.replace(read_spec(named(name)), channels=(channel,), **more)


@pytest.mark.parametrize("name", ["jupyter", "jupyterlab"])
def test_our_environments_can_be_had_from_the_mirror(world: World, channel: str, name: str) -> None:
    """They solve, with a server that is not below the safe floor."""
    solution = environment.solve(world, world.home / "envs" / name, spec_of(name, channel))
    versions = {p.name: Version(p.version) for p in solution.packages}
    assert versions["jupyter_server"] >= Version("2.20")
    assert versions["notebook"] >= Version("7.2")


def test_a_kernel_of_a_real_environment(world: World, channel: str) -> None:
    """Made, proved with a cell that runs in it, whole in every file, and taken back to the byte."""
    before = picture(world.home)
    step = CondaEnv("lab", world.home / "envs/lab", spec_of("jupyterlab", channel, variables={"PRICE": "$5"}))
    step.apply(world, silent)
    assert damage.look(step.prefix).flaws == {}
    kernel = Kernel("lab", step.prefix)
    offered = kernel.check(world)
    kernel.apply(world, silent)

    code = [CELL, "!which python", "import numpy, pandas, matplotlib; print(numpy.arange(3).sum())"]
    said = run_cells(world, step.prefix, code)
    assert said[0].split() == [str(step.prefix), str(step.prefix), "$5", "1"]
    assert said[1:] == [f"{step.prefix}/bin/python", "3"]

    assert kernel.undo(offered.before, world) == []  # type: ignore[union-attr]
    absent = (step.prefix.parent, world.home / ".conda/environments.txt", world.home / ".conda")
    kept = step.undo(NoTree(step.prefix, absent), world)
    assert kept == []
    mine = (".local", ".cache", ".ipython", ".jupyter", ".config", "n.ipynb")  # what Jupyter itself made
    assert {p: w for p, w in picture(world.home).items() if not p.startswith(mine)} == before


def run_cells(world: World, prefix: Path, code: list[str]) -> list[str]:
    """Run cells with the kernel «lab» in a Jupyter of the environment; what each printed."""
    cell: dict[str, object] = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [{**cell, "id": str(i), "source": source} for i, source in enumerate(code)]
    notebook = world.home / "n.ipynb"
    notebook.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    argv = [str(prefix / "bin/jupyter"), "execute", "--inplace", "--kernel_name=lab", str(notebook)]
    ran = subprocess.run(argv, env=world.env, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    done = json.loads(notebook.read_text())["cells"]
    return ["".join(c["outputs"][0]["text"]).strip() for c in done]


@pytest.mark.parametrize("seconds", [0.3, 0.6, 0.9, 1.3, 1.8])
def test_killed_after_some_time_it_goes_on(world: World, channel: str, seconds: float) -> None:
    """SIGKILL while real packages are downloaded, unpacked and linked; the next run completes it."""
    step = CondaEnv("lab", world.home / "envs/lab", spec_of("jupyterlab", channel))
    victim = multiprocessing.get_context("fork").Process(target=step.apply, args=(world, silent))
    victim.start()
    victim.join(seconds)
    if victim.exitcode is None:
        os.kill(victim.pid or 0, signal.SIGKILL)
    victim.join()
    step.apply(world, silent)
    assert damage.look(step.prefix).flaws == {}
    python = [str(step.prefix / "bin/python"), "-c", "import jupyterlab, numpy, pandas, matplotlib"]
    subprocess.run(python, check=True, env=world.env)
    left = [p.name for p in (world.cache / "pkgs").iterdir() if p.name.startswith(".") and p.is_dir()]
    assert left == []


def test_a_login_node_that_allows_little_memory(world: World, channel: str) -> None:
    """Solved and installed with 1 GiB of addresses, as some centres limit each process."""
    world.own_python = lambda module: [  # type: ignore[method-assign]
        *("/bin/sh", "-c", 'ulimit -v 1048576; exec "$@"', "sh", sys.executable, "-m", module)
    ]
    environment.create(world, world.home / "envs/lab", spec_of("jupyterlab", channel))
    assert damage.look(world.home / "envs/lab").flaws == {}


def test_a_second_environment_is_quick_and_small(world: World, channel: str) -> None:
    """Linked from the cache: no downloads, the same inodes, and nothing to do costs milliseconds."""
    spec = spec_of("jupyterlab", channel)
    one, two = world.home / "envs/one", world.home / "envs/two"
    environment.create(world, one, spec)
    environment.create(world, two, spec)
    shared = [p for p in contents.own_paths(two) if (two / p).lstat().st_nlink > 1]
    assert len(shared) > 0.95 * len(contents.own_paths(two))
    step = CondaEnv("two", two, spec)
    began = time.perf_counter()
    step.check(world)
    assert time.perf_counter() - began < 0.05
