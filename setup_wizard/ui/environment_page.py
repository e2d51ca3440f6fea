"""The screen of one environment: `env show`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from setup_wizard.conda.spec import package_name
from setup_wizard.ui.environment_pages import ago
from setup_wizard.ui.figures import count, size, tilde
from setup_wizard.ui.pages import BAD, WARN
from setup_wizard.ui.sheet import GAP, Page, Words, grid, line, title

if TYPE_CHECKING:
    from setup_wizard.conda.history import Revision
    from setup_wizard.environments.particulars import Installed, Particulars

LAST = 5  # revisions that are shown
NAMED = 4  # packages of a revision that are named


def particulars(seen: Particulars, everything: bool, now: float, home: Path) -> Page:
    """What it is, what was asked for, in what it differs from its file, and its changes."""
    glance = seen.glance
    page: Page = [title(glance.name or tilde(glance.prefix, home))]
    page += grid([((what, "dim"), said) for what, said in _facts(seen, now, home) if said], indent=2)
    if glance.problem:
        page.append(line(tilde(glance.problem, home), mark=BAD))
    page += [GAP, title("Packages" if everything else "Asked for"), *_packages(seen, everything)]
    if seen.differs:
        page += [GAP, title("Unlike its file"), *(line(text, mark=WARN) for text in seen.differs)]
        page += [
            line(("To make them one: ", "dim"), (f"hpc-jupyter-setup env create {seen.file}", "command"))
        ]
    if seen.revisions:
        page += [GAP, title("Changes"), *_changes(seen.revisions)]
    return page


def _facts(seen: Particulars, now: float, home: Path) -> list[tuple[str, str]]:
    g, room = seen.glance, seen.glance.room
    how = "" if room.measured else "; as far as its packages say"
    kernels = [f"{', '.join(g.kernels)} in your Jupyter"] if g.kernels else []
    kernels += [f"{', '.join(seen.offers)} of its own"] if seen.offers else []
    variables = [f"{k}={v}" for k, v in seen.variables.items()] + [f"{k} (hidden)" for k in seen.secret]
    return [
        ("where", tilde(g.prefix, home)),
        ("made by", "this program" if g.ours else "another program"),
        ("file", tilde(seen.file, home) if seen.file else ""),
        ("Python", g.python),
        ("on disk", f"{size(room.own)} of its own, {size(room.shared)} shared, {room.files:,} files{how}"),
        ("channels", ", ".join(seen.channels)),
        ("kernels", "; ".join(kernels)),
        ("variables", ", ".join(variables)),
        ("pinned", ", ".join(seen.pins)),
        ("frozen", "yes: conda-meta/frozen" if g.frozen else ""),
        ("last used", ago(now - g.used) if g.used else ""),
    ]


def _packages(seen: Particulars, everything: bool) -> Page:
    """Those that were asked for and those of pip; or all of them."""
    wanted = {package_name(text): text for text in seen.asked}
    shown = [p for p in seen.packages if everything or p.name in wanted or p.channel == "pip"]
    page = grid([_package(p, wanted.get(p.name, ""), everything) for p in shown], indent=2)
    if rest := len(seen.packages) - len(shown):
        text = f"and {count(rest, 'packages')} that these need: "
        page.append(line((text, "dim"), ("--packages", "command"), indent=2))
    return page


def _package(p: Installed, wanted: str, everything: bool) -> Sequence[Words]:
    about = "by pip" if p.channel == "pip" else wanted if wanted != p.name else ""
    build: tuple[Words, ...] = ((p.build, "dim"),) if everything else ()
    return ((p.name, "strong"), p.version, *build, (about, "dim"))


def _changes(revisions: Sequence[Revision]) -> Page:
    """The last ones, newest first."""
    rows: list[Sequence[Words]] = [
        ((str(r.number), "dim"), r.at[:16], _summary(r)) for r in reversed(revisions[-LAST:])
    ]
    earlier = len(revisions) - LAST
    return [
        *grid(rows, indent=2, right=(0,)),
        *([line((f"and {count(earlier, 'earlier ones')}", "dim"), indent=2)] if earlier > 0 else []),
    ]


def _summary(r: Revision) -> str:
    """What came and went: in names where they are few."""
    names = {text.split(" ")[0] for text in r.removed}
    parts = (
        ("added", [text for text in r.added if text.split(" ")[0] not in names]),
        ("changed", [text for text in r.added if text.split(" ")[0] in names]),
        ("removed", [t for t in r.removed if t.split(" ")[0] not in {a.split(" ")[0] for a in r.added}]),
    )
    told = [f"{what} {', '.join(them) if len(them) <= NAMED else len(them)}" for what, them in parts if them]
    return "; ".join(told) or "nothing came or went"
