"""Marked blocks in a shell's start file: ours, put in and taken out to the byte; those of others, found.

Pure: text in, text out. Lines end at a newline and nowhere else, so that a carriage return, a form feed or a
byte that is not UTF-8 (see `files.read_text`) stays where it is, and line numbers are those of an editor.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

NAME = "hpc-jupyter-setup"
OURS: Mapping[str, str] = {f"# >>> {NAME} >>>": f"# <<< {NAME} <<<"}
THEIRS: Mapping[str, str] = {
    "# >>> conda initialize >>>": "# <<< conda initialize <<<",
    "# >>> mamba initialize >>>": "# <<< mamba initialize <<<",
}
OFF = f"#(off by {NAME}) "  # stands before each line of a block that was switched off


@dataclass(frozen=True)
class Block:
    """A marked block: whose it is, its first and last line (from 1; `last` is 0 without an end mark)."""

    owner: str
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.owner}, " + (
            f"lines {self.first} to {self.last}" if self.last else f"line {self.first}, without an end mark"
        )


@dataclass(frozen=True)
class Stray:
    """A single line (number from 1) outside of any block that puts a Python or conda in the user's way."""

    line: int
    text: str


# --- ours -------------------------------------------------------------------------------------------------


def insert(text: str, body: str) -> str:
    """Our block with `body` at the end of the text, or in the place where it is already.

    A file without a last newline gets one, and a last line that ends in a backslash gets an empty line after
    it, for else it would swallow our first one. How many of these newlines are ours is noted in the block.
    """
    if not any(b.last for b in ours(text)):
        glue = _glue(text)
        return text + "\n" * glue + _block(body, glue)
    lines = _lines(text)
    for block in _closed(text):
        glue = _noted(lines, block)
        lines[block.first - 1 : block.last] = [_block(body, glue)]
    return "".join(lines)


def remove(text: str) -> str:
    """The text without our block, to the byte as it was before `insert`."""
    lines = _lines(text)
    for block in _closed(text):
        at_end, glue = block.last == len(lines), _noted(lines, block)
        del lines[block.first - 1 : block.last]
        if at_end and glue:  # with something behind the block these newlines hold the user's lines apart
            rest = "".join(lines)
            lines = [rest[: len(rest) - min(glue, _newlines_at_end(rest))]]
    return "".join(lines)


def ours(text: str) -> list[Block]:
    """Our blocks, an unfinished one too."""
    return _scan(_lines(text), OURS)


def _closed(text: str) -> list[Block]:
    """Our whole blocks, the last first, so that line numbers hold while the text is changed."""
    return [b for b in reversed(ours(text)) if b.last]


def _block(body: str, glue: int) -> str:
    ((start, end),) = OURS.items()
    note = f"# (undo: {glue} newline{'s' * (glue > 1)} before this block)\n" if glue else ""
    return f"{start}\n{note}{body.rstrip()}\n{end}\n"


def _noted(lines: list[str], block: Block) -> int:
    note = re.match(r"# \(undo: (\d) newline", lines[block.first])
    return int(note[1]) if note else 0


def _glue(text: str) -> int:
    """How many newlines have to stand between the text and our block."""
    last = text[: -1 if text.endswith("\n") else None]
    continues = (len(last) - len(last.rstrip("\\"))) % 2
    return (bool(text) and not text.endswith("\n")) + continues


def _newlines_at_end(text: str) -> int:
    return len(text) - len(text.rstrip("\n"))


# --- those of others --------------------------------------------------------------------------------------


def foreign(text: str) -> list[Block]:
    """The blocks that `conda init`, `mamba shell init` and `micromamba shell init` have left in the text."""
    lines = _lines(text)
    found = _scan(lines, {**THEIRS, **OURS})
    return [Block(_owner(b, lines), b.first, b.last) for b in found if b.owner != NAME]


def switch_off(text: str) -> str:
    """The text with each line of each whole foreign block commented out, and no other line changed."""
    lines = _lines(text)
    for block in foreign(text):
        for i in range(block.first - 1, block.last):
            lines[i] = OFF + lines[i]
    return "".join(lines)


def switch_on(text: str) -> str:
    """Takes back `switch_off`, wherever those lines are now."""
    return "".join(line.removeprefix(OFF) for line in _lines(text))


def stray_lines(text: str) -> list[Stray]:
    """Lines outside of blocks that put a conda in PATH, activate something or stand in for `conda`."""
    lines = _lines(text)
    inside = {n for b in [*foreign(text), *ours(text)] for n in range(b.first, b.last + 1)}
    return [
        Stray(number, line.strip())
        for number, line in enumerate(lines, 1)
        if number not in inside and _STRAY.match(line)
    ]


_CONDA = r"[^\s:;]*(?:conda|forge|mamba)[^\s:;]*"
_STRAY = re.compile(
    rf"""\s*(?:
        (?:export\s+|declare\s+-x\s+)?PATH=.*{_CONDA}/(?:bin|condabin)\b
      | (?:source|\\?\.)\s+\S*/(?:bin/activate|etc/profile\.d/(?:conda|mamba)\.sh)\b
      | (?:conda|mamba|micromamba)\s+activate\b
      | eval\s+.*(?:conda|mamba)\S*\s+shell
      | alias\s+(?:conda|mamba)=
      | (?:function\s+)?(?:conda|mamba)\s*\(\)
      | function\s+(?:conda|mamba)\b
    )""",
    re.VERBOSE,
)


def _owner(block: Block, lines: list[str]) -> str:
    body = "".join(lines[block.first - 1 : block.last])
    return "micromamba" if block.owner == "mamba" and "micromamba" in body else block.owner


# --- lines ------------------------------------------------------------------------------------------------


def _lines(text: str) -> list[str]:
    """The lines with their newlines."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _scan(lines: list[str], marks: Mapping[str, str]) -> list[Block]:
    """The blocks between these marks. One without an end, or with another start before it, is unfinished."""
    found, after = [], 0
    for i, line in enumerate(lines):
        start = _mark(line)
        if i < after or start not in marks:
            continue
        last = _end(lines, i + 1, start, marks)
        found.append(Block(start.split()[2], i + 1, last))
        after = max(after, last)
    return found


def _end(lines: list[str], begin: int, start: str, marks: Mapping[str, str]) -> int:
    for i in range(begin, len(lines)):
        mark = _mark(lines[i])
        if mark == marks[start]:
            return i + 1
        if mark == start or mark in OURS:
            return 0
    return 0


def _mark(line: str) -> str:
    return line.strip().lstrip("\ufeff")
