"""The screens of the example notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from setup_wizard.git.update import Updated
from setup_wizard.notebook_catalogue import Repository
from setup_wizard.ui.figures import count, size, tilde
from setup_wizard.ui.pages import GOOD, WARN
from setup_wizard.ui.sheet import Page, Words, grid, line


def catalogue(known: Sequence[Repository]) -> Page:
    """What can be fetched, a row each."""
    rows: list[Sequence[Words]] = []
    for r in known:
        about = f"moved to {r.moved_to}" if r.moved_to else r.title
        rows.append(((r.name, "strong"), about, r.licence, size(r.bytes) if r.bytes else ""))
    return grid(rows, right=(3,))


def updated(told: Mapping[str, Updated], where: Mapping[str, Path], home: Path) -> Page:
    """What an update brought, and what it put beside the user's own versions."""
    if not told:
        return [line("No notebooks were fetched. See: ", ("hpc-jupyter-setup notebooks list", "command"))]
    page: Page = []
    for name, news in told.items():
        number = len(news.written) + len(news.removed)
        text = f"{name}: {count(number, 'files')} changed" if number else f"{name}: nothing new"
        page.append(line(text, mark=GOOD))
        for path in news.beside:
            page.append(
                line("yours stays, the new one is ", tilde(where[name] / path, home), mark=WARN, indent=2)
            )
    return page
