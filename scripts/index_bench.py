"""What it takes to solve with an index as large as conda-forge's: seconds, and the peak of memory."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import big_index
from figures import Figure, mb
from making import apart, peak
from msgspec.structs import replace
from stopwatch import Bench, account, report, seconds

from setup_wizard.conda.environment import solve
from setup_wizard.conda.spec import EnvSpec, named, read_spec
from setup_wizard.mirror import server
from setup_wizard.world import Progress, World

ENVIRONMENT = "notebooks"
MOST = 250e6  # bytes


def index(bench: Bench) -> list[Figure]:
    """The solution of our largest environment, from the index in shards, and from the whole of it."""
    asked = read_spec(named(ENVIRONMENT))
    folder = bench.fresh()
    report(Progress("Making up an index of 1,000,000 records"))
    apart(big_index.write, folder, asked.dependencies)
    with server.serve(folder) as url:
        return [_figure(bench, replace(asked, channels=(f"{url}/{kind}",)), kind) for kind in KINDS]


KINDS = {"sharded": "in shards", "plain": "as one file"}


def _figure(bench: Bench, spec: EnvSpec, kind: str) -> Figure:
    report(Progress(f"Solving with the index {KINDS[kind]}"))
    rounds = [apart(_solved, account(home := bench.home()), home / "env", spec) for _ in range(bench.runs)]
    took, memory = median(r[0] for r in rounds), max(r[1] for r in rounds)
    budget, holds = ("≤ 250 MB", memory <= MOST) if kind == "sharded" else ("", None)
    what = f"solve of `{ENVIRONMENT}`, index {KINDS[kind]}"
    of = f"{big_index.RECORDS:,} records, {big_index.NAMES:,} names; {rounds[0][2]} packages"
    return Figure(what, f"{took:.2f} s, {mb(memory)}", of, "", budget, holds)


def _solved(world: World, prefix: Path, spec: EnvSpec) -> tuple[float, int, int]:
    packages: list[object] = []
    took = seconds(lambda: packages.extend(solve(world, prefix, spec).packages))
    return took, peak(), len(packages)
