"""A kernel of another language that an environment brings: the real R, with its real IRkernel.

The R is Debian's, since conda's is not to be had: the environment has its starter, which finds the rest by
a link, and IRkernel's own kernelspec.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from setup_wizard import kernels
from setup_wizard.conda import registry
from setup_wizard.journal import Journal
from setup_wizard.kernels import changes, checks
from setup_wizard.kernels.changes import Wish
from setup_wizard.selftest import Check
from setup_wizard.trees import picture
from setup_wizard.world import World, silent

HOME, KERNELSPEC = Path("/usr/lib/R"), Path("/usr/share/jupyter/kernels/ir")

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not HOME.is_dir() or not KERNELSPEC.is_dir(), reason="r-cran-irkernel is not installed"
    ),
]


@pytest.fixture
def prefix(world: World, jupyter_prefix: Path) -> Path:
    """An environment with R, its kernel, and an activation script; without a Python."""
    prefix = world.home / "envs/stats"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "lib").mkdir()
    (prefix / "lib/R").symlink_to(HOME)
    starter = (HOME / "bin/R").read_text().replace(f"R_HOME_DIR={HOME}", f"R_HOME_DIR={prefix}/lib/R")
    (prefix / "bin/R").write_text(starter)
    (prefix / "bin/R").chmod(0o755)
    (prefix / "conda-meta").mkdir()
    shutil.copytree(KERNELSPEC, prefix / "share/jupyter/kernels/ir")
    (prefix / "etc/conda/activate.d").mkdir(parents=True)
    (prefix / "etc/conda/activate.d/fruit.sh").write_text("export FRUIT=apple\n")
    registry.register(world, prefix)
    world.env["PATH"] = f"{jupyter_prefix}/bin:{world.env['PATH']}"  # something that starts kernels
    return prefix


def offered(world: World, prefix: Path) -> None:
    """What `kernel add` does."""
    for step in changes.adding(prefix, Wish(), {}, world):
        step.apply(world, silent)


def checked(world: World, name: str) -> Check:
    """What `kernel check` says of it."""
    spec = kernels.pick(name, kernels.every(Journal(world).receipt, world))
    (check,) = checks.checks([spec], {}, world, 60, silent)
    return check


def test_a_cell_of_r_runs(world: World, prefix: Path) -> None:
    """Offered by the name of its environment, shown with its language, started there; a cell is answered."""
    offered(world, prefix)
    (spec,) = [k for k in kernels.every({}, world) if k.name == "stats-ir"]
    assert (spec.display, spec.language, spec.prefix, spec.problem) == ("R (stats)", "R", prefix, "")
    before = picture(world.home)
    check = checked(world, "stats-ir")
    assert check.ok, check
    assert check.detail.startswith("R 4")
    assert check.detail.endswith(f" in {prefix}")
    assert picture(world.home) == before


def test_where_r_runs(world: World, prefix: Path) -> None:
    """R itself is asked where it is: the machine's is the machine's, whatever its kernelspec says."""
    offered(world, prefix)
    check = checked(world, "ir")
    assert check.ok, check
    assert check.detail.endswith(" in /usr")
    file = world.home / ".local/share/jupyter/kernels/stats-ir/kernel.json"
    file.write_text(file.read_text().replace(f'"{prefix}/bin/R"', '"/usr/bin/R"'))
    check = checked(world, "stats-ir")
    assert (check.ok, check.detail) == (False, f"It runs in /usr, not in {prefix}.")


def test_the_reason_that_r_gives(world: World, prefix: Path) -> None:
    """An R without IRkernel, and one that ends with an error, once activated, are told in R's words."""
    offered(world, prefix)
    file = world.home / ".local/share/jupyter/kernels/stats-ir/kernel.json"
    text = file.read_text()

    def of(r: str) -> Check:
        file.write_text(text.replace("IRkernel::main()", r))
        check = checked(world, "stats-ir")
        assert not check.ok
        return check

    lacks = of("NoKernel::main()")
    assert lacks.detail == "It does not start: its R has no package NoKernel."
    assert lacks.fix == f"hpc-jupyter-setup env install {prefix} r-nokernel"
    assert (
        of("dyn.load('/none/lib.so.5')").detail == "It does not start: the library /none/lib.so.5 is missing."
    )
    assert of("stop(Sys.getenv('FRUIT'))").detail == "It does not start: it ends with Error: apple."
    assert of("(function() stop('fig'))()").detail == "It does not start: it ends with fig."
    long = "a fig that is so long that R breaks the line before it tells of it, as it likes to do"
    assert of(f"(function() stop('{long}'))()").detail == f"It does not start: it ends with {long}."
