"""The screens about environments that are there: `env list`, `env activate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from setup_wizard.ui.figures import count, size, tilde
from setup_wizard.ui.pages import BAD, GOOD
from setup_wizard.ui.sheet import GAP, Line, Page, Role, Words, grid, line, title, whole

if TYPE_CHECKING:
    from setup_wizard.environments.activating import Activating
    from setup_wizard.environments.inventory import Glance

HEAD = ("", "", "Python", "packages", "own", "shared", "files", "kernel", "used")
RIGHT, SPARE = (3, 4, 5, 6), (6, 3, 7)
DAY = 86400.0
SPANS = ((730, 365, "years"), (60, 30, "months"), (14, 7, "weeks"), (2, 1, "days"))  # from, of, in days


def listed(seen: Sequence[Glance], now: float, home: Path) -> Page:
    """A row each, below the folder that they lie in; what is wrong with one comes after."""
    if not seen:
        return [
            line("There is no environment yet. Make one:"),
            whole("hpc-jupyter-setup env create jupyterlab", indent=2),
        ]
    rows = [_row(g, now) for g in seen]
    widths = [max(len(row[n]) for row in (HEAD, *rows)) for n in range(len(HEAD))]
    folders: dict[Path, list[Sequence[Words]]] = {}
    for g, row in zip(seen, rows, strict=True):
        folder = g.prefix if g.name == "base" else g.prefix.parent
        folders.setdefault(folder, [_cells(HEAD, widths, "dim")]).append(_marked(g, _cells(row, widths)))
    page: Page = []
    for folder, members in folders.items():
        page += [title(tilde(folder, home)), *grid(members, right=RIGHT, spare=SPARE), GAP]
    page.append(_sum(seen))
    for g in seen:
        if g.problem:
            page.append(line((f"{_called(g)}: ", "strong"), tilde(g.problem, home), mark=BAD))
    return page


def activating(way: Activating, home: Path) -> Page:
    """What to type, and why it takes more than one line, where it does."""
    rc = tilde(way.rc, home)
    if way.ready:
        why = [line((f"New terminals know conda by {rc}.", "dim"))]
    elif way.conda:
        why = [
            line((f"The first line makes conda known in this terminal: {rc} does not.", "dim")),
            line(("For all terminals: ", "dim"), ("hpc-jupyter-setup setup", "command")),
        ]
    else:
        why = [line(("There is no conda; this starts a shell inside, which `exit` leaves.", "dim"))]
    once = f"hpc-jupyter-setup env run {way.name} -- COMMAND"
    return [
        *(whole(text) for text in way.lines),
        GAP,
        *why,
        line(("A single command without it:", "dim")),
        whole(once, indent=2),
    ]


def ago(seconds: float) -> str:
    """How long that is, in words: «today», «3 weeks ago»."""
    days = int(seconds // DAY)
    for least, each, what in SPANS:
        if days >= least:
            return f"{days // each} {what} ago"
    return "yesterday" if days == 1 else "today"


def _row(g: Glance, now: float) -> tuple[str, ...]:
    room, there = g.room, g.packages > 0
    kernel = "yes" if g.kernels == (g.name.lower(),) else ", ".join(g.kernels)
    return (
        " ",
        _called(g),
        g.python or "–",
        str(g.packages),
        size(room.own) if there else "",
        size(room.shared) if there else "",
        f"{room.files:,}" if there else "",
        kernel or "–",
        ago(now - g.used) if g.used else "",
    )


def _called(g: Glance) -> str:
    """Its name; where its folder has another one, that too, so that the path can be seen."""
    folder = g.prefix.name
    return g.name if g.name in (folder, "base") else f"{g.name} ({folder})" if g.name else folder


def _cells(row: Sequence[str], widths: Sequence[int], role: Role = "plain") -> list[Words]:
    """The row as wide as those of the other folders."""
    return [
        (text.rjust(wide) if n in RIGHT else text.ljust(wide), role)
        for n, (text, wide) in enumerate(zip(row, widths, strict=True))
    ]


def _marked(g: Glance, cells: list[Words]) -> list[Words]:
    name = cells[1][0]
    return [BAD if g.problem else GOOD, (name, "strong" if g.ours else "plain"), *cells[2:]]


def _sum(seen: Sequence[Glance]) -> Line:
    own = size(sum(g.room.own for g in seen))
    whose = "its" if len(seen) == 1 else "their"
    text = f"{count(len(seen), 'environments')} with {own} of {whose} own; shared are links to packages."
    return line((text, "dim"))
