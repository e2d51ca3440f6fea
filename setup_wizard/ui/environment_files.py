"""What is said of environments as files: what was written, and what `env lint` has found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from setup_wizard.ui import figures
from setup_wizard.ui.pages import BAD, GOOD, WARN
from setup_wizard.ui.sheet import GAP, Page, grid, line, whole

if TYPE_CHECKING:
    from setup_wizard.conda.lint import Remark
    from setup_wizard.conda.locked import Locked


def written(path: Path, *, changed: bool) -> Page:
    """Where the file is, and how an environment is made from it."""
    return [
        line("Written: ", (str(path), "path")) if changed else line((str(path), "path"), " is as it was."),
        line("An environment from it:"),
        whole(f"hpc-jupyter-setup env create {path} -n NAME", indent=2),
    ]


def locked(platforms: Sequence[Locked], notes: Sequence[str], *, anew: bool) -> Page:
    """How many packages a lock has for each platform; where there was one before, what becomes of them."""
    page: Page = list(
        grid(
            [
                (p.platform, figures.count(p.packages, "packages"), figures.size(p.bytes) + " to download")
                for p in platforms
            ]
        )
    )
    for p in platforms if anew else ():
        page.append(
            line(f"{p.platform} since the last lock:" if p.difference else f"{p.platform} is as it was.")
        )
        page += [line(change, indent=2) for change in p.difference.lines]
    page += [line(note, mark=WARN) for note in notes]
    return [*page, GAP]


def remarks(file: Path, found: Sequence[Remark]) -> Page:
    """Mistakes and advice, each with what to do."""
    if not found:
        return [line(f"{file} is well.", mark=GOOD)]
    page: Page = []
    for remark in found:
        mark = BAD if remark.kind == "mistake" else WARN
        text, *more = remark.text.split("\n")
        page.append(line(f"{file}:{remark.line}:{remark.column}: {text}", mark=mark))
        page += [line(rest, indent=4) for rest in (*more, remark.fix)]
    return page
