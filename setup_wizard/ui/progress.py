"""What is going on: bars and spinners on a terminal, else a plain line for each step.

with show.live(world) as live:
    for outcome in apply(plan, world, journal, live.report):
        live.finished(outcome)
"""

from __future__ import annotations

import re
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from setup_wizard.ui import pages, paper
from setup_wizard.ui.figures import count, duration, part, size, tilde
from setup_wizard.ui.sheet import Page, line
from setup_wizard.world import Progress, World

if TYPE_CHECKING:
    from rich.console import Console

    from setup_wizard.apply import Outcome

PAUSE = 10.0  # seconds between two lines of progress where there is no terminal


class Screen(Protocol):
    """Where progress is shown."""

    def report(self, progress: Progress) -> None: ...
    def put(self, page: Page) -> None: ...
    def clear(self) -> None: ...
    def close(self) -> None: ...


class Live:
    """A context that shows the progress of a work, and a line for each step that is finished.

    one: a single line that changes, and goes with Ctrl-C; for what is waited for, not made.
    """

    def __init__(self, world: World, *, err: bool = False, quiet: bool = False, one: bool = False) -> None:
        self.world = world
        self._one = one
        self._err = err
        self._quiet = quiet
        self._screen: Screen = Silence()
        self._lent = False  # whether another program has the terminal
        self._began = world.now()
        self._title = ""

    def __enter__(self) -> Live:
        self._screen = self._choose()
        self._began = self.world.now()
        return self

    def _choose(self) -> Screen:
        if self._quiet:
            return Silence()
        on = paper.console(self.world.env, err=self._err)
        file = sys.stderr if self._err else sys.stdout
        if file.isatty() and self.world.env.get("TERM", "dumb") not in ("dumb", "unknown"):
            from setup_wizard.ui.bars import Bars

            return Bars(on)
        return Plain(on, self.world)

    def report(self, progress: Progress) -> None:
        """Show where the work is; a `Report` for the core."""
        if self._lent or not progress.title:
            self._lend(not progress.title)
        if self._lent:
            return
        title = tilde(progress.title, self.world.home)
        if progress.unit == "!":
            self._screen.put([line(title, mark=pages.WARN, indent=1)])
            return
        if self._one and heading(title) != heading(self._title):
            self._screen.clear()
            self._title = ""
        if not self._title:
            self._title, self._began = title, self.world.now()
        self._screen.report(Progress(title, progress.done, progress.total, progress.unit))

    def _lend(self, lent: bool) -> None:
        """Leave the terminal to a program that asks something there, or take it back."""
        self._screen.clear()
        self._screen.close()
        self._screen = Silence() if lent else self._choose()
        self._lent, self._title = lent, ""

    def finished(self, outcome: Outcome) -> None:
        """A step is done: its line stays, what was under way for it goes."""
        took = self.world.now() - self._began
        self._screen.clear()
        self._screen.put(pages.outcome(outcome, took, self.world.home))
        self._title, self._began = "", self.world.now()

    def put(self, page: Page) -> None:
        """Show a page above what is under way."""
        self._screen.clear()
        self._screen.put(page)
        self._title = ""

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave a clean line, whatever happened; a step that was under way is named."""
        self._screen.clear()
        if e is not None and self._title and (not self._one or isinstance(e, Exception)):
            took = duration(self.world.now() - self._began)
            how = "stopped" if isinstance(e, KeyboardInterrupt) else "not done"
            self._screen.put([line(self._title, (f"  {how} after {took}", "dim"), mark=pages.BAD)])
        self._screen.close()


class Silence:
    """Shows nothing."""

    def report(self, progress: Progress) -> None: ...
    def put(self, page: Page) -> None: ...
    def clear(self) -> None: ...
    def close(self) -> None: ...


class Plain:
    """For logs and pipes: a line for each step, and one of progress now and then."""

    def __init__(self, on: Console, world: World) -> None:
        self._on = on
        self._now = world.now
        self._said = world.now()

    def report(self, progress: Progress) -> None:
        if self._now() - self._said >= PAUSE:
            told = figures(progress)
            self.put([line(f"  … {progress.title}{': ' if told else ''}{told}")])

    def put(self, page: Page) -> None:
        paper.put(page, self._on)
        self._on.file.flush()
        self._said = self._now()

    def clear(self) -> None: ...
    def close(self) -> None: ...


def figures(p: Progress) -> str:
    """How far it is: «98 of 157 MB», «34 of 105 packages», «45 %», or ""."""
    if p.unit == "B":
        return part(p.done, p.total) if p.total else size(p.done) if p.done else ""
    if p.unit == "%":
        return f"{p.done:.0f} %"
    if p.unit:
        whole = f" of {count(int(p.total))}" if p.total else ""
        return f"{count(int(p.done))}{whole} {p.unit}" if p.done or p.total else ""
    return f"{100 * p.done / p.total:.0f} %" if p.total else ""


def heading(title: str) -> str:
    """What stays of a title while its details change: «Link: numpy» is one with «Link»."""
    return re.split(r": ", title, maxsplit=1)[0]
