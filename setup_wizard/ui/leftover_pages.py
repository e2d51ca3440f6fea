"""What can go, what it gives back, and that it is gone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setup_wizard.ui.figures import count, size, tilde
from setup_wizard.ui.pages import GOOD
from setup_wizard.ui.sheet import GAP, Page, Words, grid, line, title

if TYPE_CHECKING:
    from setup_wizard.environments.leftovers import Leftover

GROUPS = {
    "trash": "environments in the trash",
    "packages": "packages that no environment uses",
    "downloads": "downloads that are kept",
    "unfinished": "folders that were left unfinished",
    "torn": "files that a crash has left",
    "foreign": "of other programs: packages that nothing uses, downloads",
}
NAMED = 4  # of a group, in the short form


def leftovers(found: Sequence[Leftover], home: Path, *, long: bool = False) -> Page:
    """Each group with what it gives back; the long form has every path."""
    if not found:
        return [GAP, line("There is nothing to clean.", mark=GOOD)]
    page: Page = [GAP, title("Can go")]
    for kind, text in GROUPS.items():
        group = [left for left in found if left.kind == kind]
        if group:
            page += [
                GAP,
                line((text, "strong"), f"  {_figures(group)}", indent=1),
                *_named(group, home, long),
            ]
    return [*page, GAP, line(("Altogether ", "strong"), _figures(found))]


def given_back(found: Sequence[Leftover]) -> Page:
    """What has become free."""
    return [GAP, line(f"Given back: {_figures(found)}.", mark=GOOD)]


def told(found: Sequence[Leftover]) -> dict[str, Any]:
    """The same for programs."""
    things = [
        {"kind": x.kind, "name": x.name, "path": x.path, "bytes": x.weight.bytes, "files": x.weight.files}
        for x in found
    ]
    return {
        "bytes": sum(x.weight.bytes for x in found),
        "files": sum(x.weight.files for x in found),
        "things": things,
    }


def _figures(group: Sequence[Leftover]) -> str:
    files = sum(left.weight.files for left in group)
    return f"{size(sum(left.weight.bytes for left in group))}, {count(files, 'files')}"


def _named(group: Sequence[Leftover], home: Path, long: bool) -> Page:
    if long:
        rows: list[tuple[Words, ...]] = [
            (size(left.weight.bytes), (tilde(left.path, home), "dim")) for left in group
        ]
        return grid(rows, indent=4, right=(0,))
    largest = sorted(group, key=lambda left: -left.weight.bytes)
    names = ", ".join(left.name for left in largest[:NAMED])
    more = f" and {len(group) - NAMED} more" if len(group) > NAMED else ""
    return [line((names + more, "dim"), indent=4)]
