"""What is said of environments as files: what was written, and what `env lint` has found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from setup_wizard.ui.sheet import Page, line, whole

if TYPE_CHECKING:
    from setup_wizard.conda.lint import Remark


def written(path: Path) -> Page:
    """Where the file is, and how an environment is made from it."""
    return [
        line("Written: ", (str(path), "path")),
        line("An environment from it:"),
        whole(f"hpc-jupyter-setup env create {path} -n NAME", indent=2),
    ]


def remarks(file: Path, found: Sequence[Remark]) -> Page:
    """Mistakes and advice, each with what to do."""
    if not found:
        return [line(f"{file} is well.", mark=("✓", "good"))]
    page: Page = []
    for remark in found:
        page.append(line(remark.text, mark=("✗", "bad") if remark.kind == "mistake" else ("!", "warn")))
        page.append(line((remark.fix, "dim"), indent=4))
    return page
