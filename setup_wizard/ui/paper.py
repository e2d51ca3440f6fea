"""Draws pages with rich: on the terminal, as plain text, or as a picture (SVG). The only place with colours.

Colours only on a terminal; NO_COLOR and FORCE_COLOR are honoured, and a terminal that knows only ASCII or
Latin letters gets marks that it can show.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterable, Mapping
from typing import IO, TYPE_CHECKING

from setup_wizard.ui.sheet import GAP, Block, Grid, Line, Page, Words

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

COLOURS = {
    "plain": "",
    "title": "bold cyan",
    "strong": "bold",
    "dim": "dim",
    "good": "green",
    "warn": "yellow",
    "bad": "bold red",
    "path": "",
    "command": "cyan",
    "key": "bold",
    "added": "green",
    "removed": "red",
}
WIDEST = 100  # columns beyond which lines are tiring to read
PIPED = 1000  # columns when nobody says how wide the paper is: logs are not folded
ASCII = str.maketrans(
    {"✔": "+", "✘": "x", "•": "-", "…": "...", "«": '"', "»": '"', "–": "-", "─": "-", "·": "-"}
)


def console(
    env: Mapping[str, str] | None, *, err: bool = False, file: IO[str] | None = None, width: int | None = None
) -> Console:
    """A console on standard output (or error, or `file`) as the environment wishes it.

    None stands for the environment of the process: an error may tell that there is no world to take one from.
    """
    from rich.console import Console

    env = Console()._environ if env is None else env
    file = file or (sys.stderr if err else sys.stdout)
    colours = has_colours(env, file)
    made = Console(
        file=file,
        force_terminal=colours or None if file.isatty() else colours,
        no_color=not colours,
        color_system="auto" if colours else None,
        highlight=False,
        emoji=False,
        markup=False,
        legacy_windows=False,
        _environ=env,
    )
    made.width = width or _width(made, env, file)
    return made


def has_colours(env: Mapping[str, str], file: IO[str]) -> bool:
    """NO_COLOR wins, then FORCE_COLOR, then whether it is a terminal that knows colours."""
    if env.get("NO_COLOR"):
        return False
    if env.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return file.isatty() and env.get("TERM", "dumb") not in ("dumb", "unknown")


def _width(made: Console, env: Mapping[str, str], file: IO[str]) -> int:
    known = file.isatty() or env.get("COLUMNS", "").isdigit()
    return max(min(made.width, WIDEST), 20) if known else PIPED


def put(page: Iterable[Block], on: Console) -> None:
    """Draw a page."""
    for block in page:
        if isinstance(block, Line) and block.whole:
            on.print(_text(" " * block.indent, *block.words, on=on), soft_wrap=True)
        else:
            _print_trimmed(_drawn(block, on), on)


def _print_trimmed(drawn: RenderableType, on: Console) -> None:
    """Print without the blanks at the ends of lines, which are in the way where the text is copied."""
    from rich.segment import Segment, Segments

    for parts in on.render_lines(drawn, pad=False):
        while parts and not parts[-1].text.strip():
            parts.pop()
        if parts:
            parts[-1] = Segment(parts[-1].text.rstrip(), parts[-1].style)
        on.print(Segments([*parts, Segment.line()]))


def text(page: Page, width: int = PIPED) -> str:
    """A page as plain text."""
    file = io.StringIO()
    put(page, console({}, file=file, width=width))
    return file.getvalue()


def svg(pages: Iterable[Page], title: str, width: int = 84) -> str:
    """Pages as a picture of a terminal, which needs no fonts from elsewhere.

    The same pages give the same picture.
    """
    from rich._export_format import CONSOLE_SVG_FORMAT
    from rich.console import Console

    on = Console(
        record=True,
        width=width,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
        emoji=False,
        markup=False,
        _environ={},
    )
    for number, page in enumerate(pages):
        put([GAP, *page] if number else page, on)
    without_fonts = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    return on.export_svg(title=title, unique_id="wizard", code_format=without_fonts)


def _drawn(block: Block, on: Console) -> RenderableType:
    from rich.padding import Padding

    inner = _grid(block, on) if isinstance(block, Grid) else _line(block, on)
    return Padding(inner, (0, 0, 0, block.indent), expand=False) if block.indent else inner


def _line(block: Line, on: Console) -> RenderableType:
    from rich.table import Table

    body = _text(*block.words, on=on)
    if not block.mark:
        return body
    row = Table.grid(padding=(0, block.gap))
    row.add_column(no_wrap=True)
    row.add_column(overflow="fold")
    row.add_row(_text(block.mark, on=on), body)
    return row


def _grid(block: Grid, on: Console) -> RenderableType:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    columns = _fitting(block, on)
    for column in columns:
        right = column in block.right
        table.add_column(justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in block.rows:
        table.add_row(*(_text(row[n], on=on) for n in columns if n < len(row)))
    return table


def _fitting(block: Grid, on: Console) -> list[int]:
    """The columns that say something, and for which there is room.

    For an empty one rich would take a column from another, and fold what stands there.
    """
    most = range(max(len(row) for row in block.rows))
    wide = {n: max(len(_plain(row[n])) for row in block.rows if n < len(row)) for n in most}
    columns = [n for n in most if wide[n]]
    for spare in (n for n in block.spare if n in columns):
        if sum(wide[n] + 2 for n in columns) - 2 > on.width - block.indent:
            columns.remove(spare)
    return columns


def _plain(words: Words) -> str:
    return words if isinstance(words, str) else words[0]


def _text(*words: Words, on: Console) -> Text:
    """Words with their colours; brackets in them mean nothing, control characters are made harmless."""
    from rich.text import Text

    parts = [(w, "") if isinstance(w, str) else (w[0], COLOURS[w[1]]) for w in words]
    return Text.assemble(*((showable(t, on.encoding), style) for t, style in parts), overflow="fold")


def showable(text: str, encoding: str) -> str:
    """The text as this terminal can show it: no control characters, and no letters that it does not know."""
    text = "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
    if encoding.lower().replace("-", "").startswith("utf"):
        return text
    return text.translate(ASCII).encode(encoding, "replace").decode(encoding)
