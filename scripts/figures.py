"""The table of `scripts/bench`: its lines, what it was measured on, and where it is kept."""

from __future__ import annotations

import os
import platform
import re
import time
from dataclasses import dataclass
from pathlib import Path

from setup_wizard import __version__
from setup_wizard.world import World

RECORD = Path(__file__).resolve().parent.parent / "docs/benchmarks.md"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


@dataclass(frozen=True)
class Figure:
    """One line of the table; `holds` is None where there is no budget."""

    what: str
    ours: str
    floor: str
    ratio: str
    budget: str = ""
    holds: bool | None = None

    def row(self) -> str:
        """The line as Markdown."""
        verdict = {True: "yes", False: "**no**", None: ""}[self.holds]
        return f"| {self.what} | {self.ours} | {self.floor} | {self.ratio} | {self.budget} | {verdict} |"


def over(what: str, ours: float, way: str, floor: float, most: float | None = 1.2) -> Figure:
    """Ours over the floor, at most so many times (None: recorded as it is)."""
    ratio = ours / floor
    budget, holds = (f"≤ {most}", ratio <= most) if most else ("", None)
    return Figure(what, f"{ours:.2f} s", f"{way} {floor:.2f} s", f"{ratio:.2f}", budget, holds)


def ms(duration: float) -> str:
    """Seconds as milliseconds."""
    return f"{duration * 1000:.0f} ms"


def mb(size: float) -> str:
    """Bytes as megabytes."""
    return f"{size / 1e6:.0f} MB"


def table(figures: list[Figure]) -> str:
    """All figures as a Markdown table."""
    head = "| what | ours | over | ratio | budget | holds |\n|---|---|---|---|---|---|\n"
    return head + "\n".join(figure.row() for figure in figures)


def machine(folder: Path) -> str:
    """What the figures were measured on."""
    info = Path("/proc/cpuinfo").read_text()
    cpu = re.search(r"model name\s*: (.*)", info)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"hpc-jupyter-setup {__version__}, Python {platform.python_version()}, {os.cpu_count()} × "
        f"{cpu[1] if cpu else platform.machine()}, {memory:.0f} GiB, {World.here().disk(folder).kind}, "
        f"Linux {platform.release().split('-')[0]}, {time.strftime('%Y-%m-%d', time.gmtime())}"
    )


def record(text: str) -> None:
    """Put the text between the marks in docs/benchmarks.md."""
    page = RECORD.read_text()
    before, after = page[: page.index(BEGIN) + len(BEGIN)], page[page.index(END) :]
    RECORD.write_text(f"{before}\n{text}\n{after}")
