"""What `env check` has to say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from setup_wizard.ui.figures import count, tilde
from setup_wizard.ui.pages import BAD, GOOD, WARN
from setup_wizard.ui.plan_page import remedy
from setup_wizard.ui.sheet import GAP, Page, Words, line, whole

if TYPE_CHECKING:
    from setup_wizard.checkup import Checkup, Remark

MOST = 8  # remarks of one kind that are told one by one
MOST_PATHS = 3
NOTE: Words = ("•", "dim")
MARKS: dict[str, Words] = {"bad": BAD, "warn": WARN, "note": NOTE}


def checked(seen: Sequence[Checkup], home: Path) -> Page:
    """Each environment, and below it what is wrong with it, with the way to mend it."""
    if not seen:
        create = whole("hpc-jupyter-setup env create jupyterlab", indent=2)
        return [line("There is no environment of this setup yet. Make one:"), create]
    page: Page = []
    for one in seen:
        page += [GAP] if page else []
        page += _environment(one, home)
    return page


def _environment(one: Checkup, home: Path) -> Page:
    place = f"{tilde(one.prefix, home)}, {count(one.files, 'files')}"
    said = "" if one.remarks else "  is as it should be"
    mark = GOOD if one.healthy else BAD
    page: Page = [line((one.name, "strong"), said, (f"  {place}", "dim"), mark=mark)]
    told: dict[str, int] = {}
    fixes: list[str] = []
    for remark in one.remarks:
        told[remark.kind] = told.get(remark.kind, 0) + 1
        if told[remark.kind] <= MOST:
            page += _remark(remark, home)
        if remark.fix and not remark.mends:
            page += remedy(tilde(remark.fix, home), indent=4) if told[remark.kind] <= MOST else []
        elif remark.fix:
            fixes.append(remark.fix)
    page += [
        line((f"… and {number - MOST} more like the last of «{kind}»", "dim"), indent=4)
        for kind, number in told.items()
        if number > MOST
    ]
    for fix in dict.fromkeys(fixes):
        page += [line("Mend it:", indent=2), whole(tilde(fix, home), indent=4)]
    return page


def _remark(remark: Remark, home: Path) -> Page:
    page: Page = [line(tilde(_sentence(remark.text), home), indent=2, mark=MARKS[remark.level])]
    for path in remark.paths[:MOST_PATHS]:
        page.append(line((path, "dim"), indent=4))
    if len(remark.paths) > MOST_PATHS:
        page.append(line((f"… and {count(len(remark.paths) - MOST_PATHS, 'more')}", "dim"), indent=4))
    return page


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "." if text[:4] in ("its ", "it i", "a ch", "the ") else f"{text}."
