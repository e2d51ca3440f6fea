"""What a screen is, before anybody draws it: lines and grids of words with roles. Plain data.

A page is a list of blocks. Words are a string, or a string with its role: «good», «bad», «path»…; which
colour a role has, and whether there are colours at all, is for `paper` to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

Role = Literal[
    "plain", "title", "strong", "dim", "good", "warn", "bad", "path", "command", "key", "added", "removed"
]
Words = str | tuple[str, Role]


class Line(msgspec.Struct, frozen=True):
    """A paragraph, `indent` columns in; `mark` stands before it, and what is folded aligns behind the mark.

    Between the mark and the words are `gap` columns.
    A `whole` line is never broken by us: what is to be copied (a command, an address) stays in one piece.
    """

    words: tuple[Words, ...] = ()
    indent: int = 0
    mark: Words = ""
    whole: bool = False
    gap: int = 1


class Grid(msgspec.Struct, frozen=True):
    """Rows with aligned columns; the columns of `right` are set to the right, long cells are folded.

    Where the paper is too narrow, those of `spare` are left out, the first of them first.
    """

    rows: tuple[tuple[Words, ...], ...]
    indent: int = 0
    right: tuple[int, ...] = ()
    spare: tuple[int, ...] = ()


Block = Line | Grid
Page = list[Block]

GAP = Line()


def line(*words: Words, indent: int = 0, mark: Words = "") -> Line:
    """A paragraph of these words."""
    return Line(words, indent, mark)


def title(text: str) -> Line:
    """The headline of a screen or of a part of it."""
    return Line(((text, "title"),))


def whole(text: str, role: Role = "command", indent: int = 0) -> Line:
    """Something to be copied, in one piece."""
    return Line(((text, role),), indent, whole=True)


def lines(text: str, indent: int = 0, role: Role = "plain") -> Page:
    """Each line of a longer text as a paragraph."""
    return [Line(((part, role),), indent) for part in text.splitlines()]


def grid(
    rows: Iterable[Sequence[Words]],
    indent: int = 0,
    right: tuple[int, ...] = (),
    spare: tuple[int, ...] = (),
) -> Page:
    """Rows with aligned columns; nothing when there are none."""
    made = tuple(tuple(row) for row in rows)
    return [Grid(made, indent, right, spare)] if made else []
