"""Measuring: fresh paths, works that take turns, and accounts of which nothing is known but their home."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median

from setup_wizard.world import Progress, World

US = [sys.executable, "-I", "-m", "setup_wizard"]


@dataclass(frozen=True)
class Bench:
    """Where to measure and how often: an empty folder, and the number of runs of what takes seconds."""

    folder: Path
    runs: int
    numbers: Iterator[int] = field(default_factory=count)

    def fresh(self) -> Path:
        """A path that never was."""
        return self.folder / f"{next(self.numbers)}"

    def home(self) -> Path:
        """A home as the system makes it for a new account."""
        home = self.fresh()
        skel = Path("/etc/skel")
        shutil.copytree(skel, home) if skel.is_dir() else home.mkdir()
        return home

    def in_turn(self, runs: int, *works: Callable[[], object]) -> list[float]:
        """The median of seconds that each work takes, run in turns."""
        times = [[seconds(work) for work in works] for _ in range(runs)]
        return [median(column) for column in zip(*times, strict=True)]


def seconds(work: Callable[[], object]) -> float:
    """How long that takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def quiet(*argv: str | Path, home: Path | None = None) -> Callable[[], object]:
    """Something that runs a program to its good end, unheard."""
    env = account(home).env if home else None

    def run() -> None:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, env=env)
        if done.returncode:
            sys.exit(f"{argv} ended with {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}")

    return run


def account(home: Path) -> World:
    """An account of which nothing is known but its home."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "TMPDIR", "TERM")}
    return World(home, {**kept, "HOME": str(home), "SHELL": "/bin/bash"})


def report(progress: Progress) -> None:
    """Show what is going on, on a line of its own that is written over."""
    if sys.stderr.isatty():
        done = f" {progress.done:.0f}/{progress.total:.0f}" if progress.total else ""
        print(f"\r\033[K{progress.title}{done}", end="\r", file=sys.stderr, flush=True)
