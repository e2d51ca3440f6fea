"""The figures of the project, as ratios within one run on one machine: ours over the least that it could be.

    scripts/bench [PART…] [--runs N] [--in FOLDER] [--record]

Medians of several runs; ours and the floor take turns, so that what else the machine does meets both. Every
environment goes to a path that never was: a file system that has just lost 17,000 files hesitates to give
their inodes away again, which says nothing about us. So all is deleted at the very end.
"""

from __future__ import annotations

import argparse
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import unquote, urlsplit

from figures import Figure, machine, mb, ms, over, record, table
from index_bench import index
from jobs_bench import jobs
from listing_bench import listing
from making import ENVIRONMENT, created, linked, the_mirror, the_spec
from ready_bench import again, many, ready
from rps_bench import rps
from stopwatch import US, Bench, account, quiet, report, seconds
from tunnel_bench import tunnel

from setup_wizard.conda.environment import Solution, solve
from setup_wizard.conda.spec import EnvSpec
from setup_wizard.journal import Journal
from setup_wizard.mirror import server
from setup_wizard.steps.login_file import reads_rc
from setup_wizard.world import Progress, World

UNPACK = 'unzip -p "$1" "pkg-*" | zstd -dc | tar -xf - -C "$2"'


# --- starting -------------------------------------------------------------------------------------------


def startup(bench: Bench) -> list[Figure]:
    """What a command costs before it does anything."""
    bare = quiet(sys.executable, "-I", "-c", "pass")
    version, help_, floor = bench.in_turn(8 * bench.runs, quiet(*US, "--version"), quiet(*US, "--help"), bare)
    python = f"`python -c pass` {ms(floor)}"
    return [
        Figure("`--version`", ms(version), python, f"{version / floor:.1f}"),
        Figure("`--help`", ms(help_), python, f"{help_ / floor:.1f}", "≤ 100 ms", help_ <= 0.1),
    ]


# --- setup ----------------------------------------------------------------------------------------------


def setup(bench: Bench) -> list[Figure]:
    """A second `setup` finds all as it should be; its checks look at the disk and ask bash."""
    with account_set_up(bench) as (home, words):
        again, bare = bench.in_turn(
            2 * bench.runs + 1, quiet(*US, *words, home=home), quiet(sys.executable, "-I", "-c", "pass")
        )
        checks = median(seconds(lambda: check_all(account(home))) for _ in range(bench.runs))
    ours = f"{ms(again)}, its checks {ms(checks)}"
    floor = f"`python -c pass` {ms(bare)}"
    budget, holds = "≤ 150 ms + its checks", again - checks <= 0.15
    return [Figure("second `setup`, nothing to do", ours, floor, f"{again / bare:.1f}", budget, holds)]


@contextmanager
def account_set_up(bench: Bench) -> Iterator[tuple[Path, list[str]]]:
    """A home in which `setup` has run from the mirror, and the words that run it again."""
    home = bench.home()
    with server.serve(the_mirror()) as url:
        words = ["setup", "--yes", "--mirror", url, "--accept-licence", "miniconda"]
        words += ["--distribution", "miniconda", "--environments", ENVIRONMENT]
        report(Progress("Setting up an account"))
        quiet(*US, *words, home=home)()
        yield home, words


def check_all(world: World) -> None:
    """Every check that a second setup makes: of its steps, and whether a login shell reads the rc file."""
    reads_rc(world)
    for entry in Journal(world).receipt.values():
        entry.step.check(world)


# --- shell ----------------------------------------------------------------------------------------------


def shell(bench: Bench) -> list[Figure]:
    """A login shell that reads our block, over one of the same account that has none."""
    bare = bench.home()
    with account_set_up(bench) as (home, _):
        bash = [shutil.which("bash") or "bash", "-l", "-i", "-c", "exit 0"]
        ours, floor = bench.in_turn(10 * bench.runs, quiet(*bash, home=home), quiet(*bash, home=bare))
    more = f"{(ours - floor) * 1000:+.0f} ms"
    budget, holds = "≤ 10 ms more", ours - floor <= 0.01
    return [Figure("login shell with our block", ms(ours), f"without {ms(floor)}", more, budget, holds)]


# --- environment ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Round:
    """Seconds to make an environment cold and warm, and of their floors; bytes of memory; the second one."""

    cold: float
    unpack: float
    known: float  # again, with its solution known
    warm: float
    link: float
    memory: int
    second: Path


def environment(bench: Bench) -> list[Figure]:
    """Making an environment: with nothing in the cache, and again beside it."""
    spec = the_spec()
    home = bench.home()
    wanted = solve(account(home), home / "env", spec)
    archives = [Path(unquote(urlsplit(p.url).path)) for p in wanted.packages]
    rounds = [one_round(bench, spec, archives, wanted) for _ in range(bench.runs)]
    way = f"{len(archives)} archives, {'unzip, zstd, tar' if has_programs() else 'unpacked by Python'}"
    memory = max(r.memory for r in rounds)
    return [
        over("environment, cold", median(r.cold for r in rounds), way, median(r.unpack for r in rounds)),
        over(
            "environment, warm", median(r.known for r in rounds), "`cp -al`", median(r.link for r in rounds)
        ),
        over(
            "environment, warm, solved anew",
            median(r.warm for r in rounds),
            "`cp -al`",
            median(r.link for r in rounds),
            most=None,
        ),
        Figure("peak memory, engine and parent", mb(memory), "", "", "≤ 200 MB", memory <= 200e6),
        second_on_disk(rounds[-1].second),
    ]


def one_round(bench: Bench, spec: EnvSpec, archives: list[Path], wanted: Solution) -> Round:
    """Everything once, each at a path of its own; a round after the other, so that they take turns."""
    home = bench.home()
    first, second = home / "envs/first", home / "envs/second"
    first.parent.mkdir()
    cold, memory = created(account(home), first, spec)
    unpack = unpacked(archives, bench.fresh())
    link_before = linked(first, bench.fresh())
    known, _ = created(account(home), home / "envs/third", spec, wanted.packages)
    warm, memory_warm = created(account(home), second, spec)
    link = (link_before + linked(first, bench.fresh())) / 2
    return Round(cold, unpack, known, warm, link, max(memory, memory_warm), second)


def unpacked(archives: list[Path], folder: Path) -> float:
    """Seconds to unpack the archives side by side, as many at a time as there are processors."""
    places = [folder / archive.stem for archive in archives]
    for p in places:
        p.mkdir(parents=True)
    os.sync()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return seconds(lambda: list(pool.map(unpack_one, archives, places)))


def unpack_one(archive: Path, folder: Path) -> None:
    """Unpack a .conda archive with the programs for it, or in Python where they are missing."""
    if has_programs():
        quiet("sh", "-c", UNPACK, "sh", archive, folder)()
    else:
        from conda_package_streaming.extract import extract

        extract(archive, folder)


def has_programs() -> bool:
    """Whether the programs are there that unpack a .conda archive."""
    return all(shutil.which(program) for program in ("unzip", "zstd", "tar"))


def second_on_disk(prefix: Path) -> Figure:
    """What a second environment takes: all that it does not share with the package cache."""
    stats = [p.lstat() for p in (prefix, *prefix.rglob("*"))]
    own = [s for s in stats if s.st_nlink == 1 or stat.S_ISDIR(s.st_mode)]
    mine, whole = (sum(s.st_blocks for s in some) * 512 for some in (own, stats))
    ours, all_of_it = f"{mb(mine)}, {len(own):,} inodes", f"whole {mb(whole)}, {len(stats):,}"
    return Figure("a second environment on disk", ours, all_of_it, f"{mine / whole:.2f}")


# --- table ----------------------------------------------------------------------------------------------


PARTS: dict[str, Callable[[Bench], list[Figure]]] = {
    "startup": startup,
    "setup": setup,
    "environment": environment,
    "ready": ready,
    "again": again,
    "many": many,
    "index": index,
    "shell": shell,
    "jobs": jobs,
    "rps": rps,
    "tunnel": tunnel,
    "list": lambda bench: listing(bench, the_spec()),
}


def arguments() -> Any:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--runs", type=int, default=3, help="runs of what takes seconds (default: 3)")
    parser.add_argument("--in", dest="folder", type=Path, help="a folder on the file system to measure")
    parser.add_argument("--record", action="store_true", help="write the table into docs/benchmarks.md")
    given = parser.parse_args()
    for unknown in set(given.parts) - set(PARTS):
        parser.error(f"there is no part «{unknown}»; choose from {', '.join(PARTS)}")
    return given


def main() -> int:
    """Measure, print the table, record it; 1 when something is over its budget."""
    given = arguments()
    folder = Path(tempfile.mkdtemp(prefix="hpc-jupyter-bench-", dir=given.folder))
    try:
        bench = Bench(folder, max(1, given.runs))
        figures = [figure for part in given.parts or PARTS for figure in PARTS[part](bench)]
        text = f"{machine(folder)}; medians of {bench.runs} runs and more.\n\n{table(figures)}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(text)
    if given.record:
        record(text)
    return 1 if any(figure.holds is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
