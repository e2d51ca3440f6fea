"""Figures and paths as people read them: one rule for sizes, counts, times, and ~ for the home directory."""

from __future__ import annotations

import re
from pathlib import Path

UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def size(count: float) -> str:
    """A number of bytes, decimal, with about two digits: «870 B», «5.6 MB», «157 MB», «1.2 GB»."""
    unit = 0
    while count >= 999.5 and unit < len(UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.1f} {UNITS[unit]}" if unit and count < 9.95 else f"{count:.0f} {UNITS[unit]}"


def part(done: float, total: float) -> str:
    """How much of a number of bytes, in the unit of the whole: «98 of 157 MB»."""
    whole, unit = size(total).split(" ")
    scaled = done / 1000 ** UNITS.index(unit)
    return f"{scaled:.1f} of {whole} {unit}" if "." in whole else f"{scaled:.0f} of {whole} {unit}"


def count(number: int, what: str = "") -> str:
    """How many: «31,000 files», «1.2 million files»."""
    text = f"{number:,}" if number < 1_000_000 else f"{number / 1e6:.1f} million"
    return f"{text} {what}".rstrip() if number != 1 else f"1 {what.removesuffix('s')}".rstrip()


def duration(seconds: float) -> str:
    """A time: «0.4 s», «12 s», «2 min 05 s», «3 h 20 min»."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def tilde(text: object, home: Path) -> str:
    """The text with ~ for the home directory, wherever it is the start of a path."""
    if home == Path("/"):
        return str(text)
    return re.sub(rf"(?<![\w./~-]){re.escape(str(home))}(?![\w.-])", "~", str(text))
