"""What is said of kernels: which there are, what was offered, what was taken away."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from setup_wizard.ui.figures import tilde
from setup_wizard.ui.pages import BAD, GOOD
from setup_wizard.ui.plan_page import remedy
from setup_wizard.ui.result_pages import nothing_to_do
from setup_wizard.ui.sheet import GAP, Page, Words, grid, line, title, whole

if TYPE_CHECKING:
    from setup_wizard.kernels import Kernelspec
    from setup_wizard.steps import Kernel


SPARE = (4, 2)  # columns that can be done without, where the paper is narrow


def listing(specs: Sequence[Kernelspec], home: Path) -> Page:
    """Those that every Jupyter shows, those of single environments, and what is wrong with some."""
    if not specs:
        create = whole("hpc-jupyter-setup env create jupyterlab", indent=2)
        return [line("There are no kernels yet. Make an environment with one:"), create]
    everywhere = [s for s in specs if s.seen == "everywhere"]
    inside = [s for s in specs if s.seen == "inside"]
    page: Page = []
    if everywhere:
        page += [
            title("In every Jupyter of yours"),
            *grid([_row(s, home) for s in everywhere], 1, spare=SPARE),
        ]
    if inside:
        page += [GAP] if page else []
        page += [
            title("Only in the Jupyter of their environment"),
            *grid([_row(s, home) for s in inside], 1, spare=SPARE),
        ]
    for spec in (s for s in specs if s.problem):
        page += [GAP, line((spec.name, "strong"), f": {tilde(spec.problem, home)}.", mark=BAD)]
        page += remedy(tilde(spec.fix, home), indent=2)
    return page


def _row(spec: Kernelspec, home: Path) -> tuple[Words, ...]:
    place = spec.prefix or spec.program or spec.folder
    whose: Words = ("by this setup", "dim") if spec.ours else ""
    return (BAD if spec.problem else GOOD, (spec.name, "strong"), spec.display, tilde(place, home), whose)


def added(steps: Sequence[Kernel], made: Sequence[str]) -> Page:
    """What Jupyter offers now."""
    page = [] if made else nothing_to_do()
    return [*page, GAP, *(line(f"In Jupyter: {s.shown}  ", (f"({s.name})", "dim")) for s in steps)]


def to_go(specs: Sequence[Kernelspec], home: Path) -> Page:
    """What will be removed, and how each comes back."""
    page: Page = [title("To be removed")]
    for spec in specs:
        back = (
            f"hpc-jupyter-setup kernel add {tilde(spec.prefix, home)}"
            if spec.ours
            else "hpc-jupyter-setup undo"
        )
        page.append(line((spec.name, "strong"), f"  {spec.display}", mark=(" •", "key")))
        page.append(line((f"{tilde(spec.folder, home)} goes; it comes back with: {back}", "dim"), indent=3))
    return [*page, line("The environment stays as it is.")]


def removed(specs: Sequence[Kernelspec]) -> Page:
    """What is gone."""
    return [line(f"{spec.name}: Jupyter offers it no longer", mark=GOOD) for spec in specs]
