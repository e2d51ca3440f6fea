"""What it costs to look at many environments, and to work inside of one of them."""

from __future__ import annotations

import sys
from pathlib import Path

from figures import Figure, ms
from stopwatch import US, Bench, account, quiet, report

from setup_wizard.apply import apply
from setup_wizard.conda.environment import solve
from setup_wizard.conda.spec import EnvSpec
from setup_wizard.journal import Journal
from setup_wizard.plan import Plan
from setup_wizard.steps import CondaEnv, Kernel
from setup_wizard.world import Progress, World

MANY = 50


def listing(bench: Bench, spec: EnvSpec) -> list[Figure]:
    """`env list` of fifty environments of ours, each of about a hundred packages; and `env run` in one."""
    home = bench.home()
    made(account(home), home / ".conda/envs", spec)
    listed = quiet(*US, "env", "list", home=home)
    memory = home / ".cache/hpc-jupyter-setup/environments.json"

    def anew() -> None:
        memory.unlink(missing_ok=True)
        listed()

    bare = quiet(sys.executable, "-I", "-c", "pass")
    first, again, inside, floor = bench.in_turn(
        2 * bench.runs + 1, anew, listed, quiet(*US, "env", "run", "e7", "--", "true", home=home), bare
    )
    over = f"`python -c pass` {ms(floor)}"
    return [
        Figure(f"`env list` with {MANY}", ms(again), over, f"{again / floor:.1f}", "≤ 300 ms", again <= 0.3),
        Figure("the same for the first time", ms(first), over, f"{first / floor:.1f}"),
        Figure(
            "`env run NAME -- true`", ms(inside), over, f"{inside / floor:.1f}", "≤ 150 ms", inside <= 0.15
        ),
    ]


def made(world: World, folder: Path, spec: EnvSpec) -> None:
    """All of them, with kernels and lines in the journal: the first is installed, the others are linked."""
    packages = solve(world, folder / "e0", spec).packages
    steps = [
        step
        for n in range(MANY)
        for step in (CondaEnv(f"e{n}", folder / f"e{n}", spec, packages), Kernel(f"e{n}", folder / f"e{n}"))
    ]
    with Journal(world) as journal:
        for n, _ in enumerate(apply(Plan(tuple(steps)), world, journal, lambda _: None)):
            report(Progress("Making environments", n // 2, MANY))
