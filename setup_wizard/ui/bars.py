"""Progress on a terminal: the step with its seconds, and below it a line for each thing under way.

The core only changes what is to be shown; a thread draws it ten times a second. So Ctrl-C finds the core at
its work, not in the middle of a drawing.
"""

from __future__ import annotations

from collections import deque

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from setup_wizard.ui import paper
from setup_wizard.ui.figures import duration, size
from setup_wizard.ui.progress import figures, heading
from setup_wizard.ui.sheet import Page
from setup_wizard.world import Progress, interrupts

ROWS = 3  # lines at once
WIDE = 80  # columns from which the bar may be long
WINDOW = 5.0  # seconds over which the speed is taken
WHEEL = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
PLAIN_WHEEL = "|/-\\"


class Row:
    """One thing under way: when it began, how far it is, and how far it was lately."""

    def __init__(self, now: float) -> None:
        self.began = now
        self.progress = Progress("")
        self._lately: deque[tuple[float, float]] = deque([(now, 0.0)])

    def move(self, progress: Progress, now: float) -> None:
        """It is that far now."""
        self.progress = progress
        self._lately.append((now, progress.done))
        while now - self._lately[0][0] > WINDOW and len(self._lately) > 2:
            self._lately.popleft()

    @property
    def speed(self) -> float:
        """Units a second, lately."""
        (began, before), (now, done) = self._lately[0], self._lately[-1]
        return (done - before) / (now - began) if now > began else 0.0


class Bars:
    """The lines at the bottom of the screen while work is under way."""

    def __init__(self, on: Console) -> None:
        self._on = on
        self._rows: dict[str, Row] = {}
        utf = on.encoding.lower().startswith("utf")
        self._wheel = WHEEL if utf else PLAIN_WHEEL
        self._live = Live(console=on, get_renderable=self._draw, transient=True, refresh_per_second=10)

    def report(self, progress: Progress) -> None:
        """Show where the work is; what began first stays, of the others the oldest goes."""
        if not self._live.is_started:  # not before: whoever made us has us now, and will close us
            with interrupts.held():  # half begun, they could not be taken away
                self._live.start()
        now, name = self._on.get_time(), heading(progress.title)
        if name not in self._rows:
            rows = list(self._rows.items())
            self._rows = {**dict(rows if len(rows) < ROWS else rows[:1] + rows[2:]), name: Row(now)}
        self._rows[name].move(progress, now)

    def put(self, page: Page) -> None:
        """Draw a page above the lines."""
        paper.put(page, self._on)

    def clear(self) -> None:
        """Take all lines away."""
        self._rows = {}
        self._live.refresh()  # else the next page would carry the old lines along once more

    def close(self) -> None:
        """Leave the screen as if there had been no lines."""
        self._rows = {}
        with interrupts.held():
            self._live.stop()

    def _draw(self) -> RenderableType:
        """The step has a line for itself; what is under way for it shares its columns."""
        now, rows = self._on.get_time(), list(self._rows.values())
        wheel = self._wheel[int(10 * now) % len(self._wheel)]
        return Group(self._table(wheel, rows[:1], now), self._table(" ", rows[1:], now))

    def _table(self, mark: str, rows: list[Row], now: float) -> RenderableType:
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, justify="right")
        for row in rows:
            title = Text(paper.showable(row.progress.title, self._on.encoding))
            table.add_row(
                Text(mark, "cyan"), title, self._bar(row.progress), Text(self._figures(row, now), "dim")
            )
        return table

    def _bar(self, p: Progress) -> RenderableType:
        """A bar where the end is known."""
        if not p.total:
            return ""
        width = 20 if self._on.width >= WIDE else 8
        return ProgressBar(p.total, min(p.done, p.total), width, complete_style="cyan", finished_style="cyan")

    def _figures(self, row: Row, now: float) -> str:
        """How far and how fast; or how long it takes already, where nobody knows how far it is."""
        shown = figures(row.progress)
        if row.progress.unit == "B" and row.speed:
            return f"{shown}  {size(row.speed)}/s"
        return shown or duration(now - row.began)
