"""The prefix inside files: what names the old place of an environment, made to name the new one."""

from __future__ import annotations

import re

SHEBANG = 127  # bytes that every Linux reads of a first line; a longer one starts something else, or nothing


class Unfit(Exception):
    """The file cannot be made to name the other prefix; it has to be installed there."""


def in_text(data: bytes, old: str, new: str) -> bytes:
    """The text with the new prefix wherever the old one stood. Raises Unfit when its `#!` gets too long."""
    moved = data.replace(old.encode(), new.encode())
    if moved.startswith(b"#!") and moved != data and len(moved.split(b"\n", 1)[0]) > SHEBANG:
        raise Unfit(moved.split(b"\n", 1)[0].decode(errors="replace"))
    return moved


def in_binary(data: bytes, old: str, new: str, room: int) -> bytes:
    """The same for strings of C, which end with a NUL: nothing behind them moves.

    `room` is how many bytes the package has set aside for a prefix, each time that it names one; what a
    prefix leaves of that is filled with NULs at the end of its string. Raises Unfit where that is not so.
    """
    was, is_now = old.encode(), new.encode()
    if len(is_now) > room or len(was) > room:
        raise Unfit(f"{new} is longer than {room} bytes")

    def moved(found: re.Match[bytes]) -> bytes:
        times, filled = found[1].count(was), len(found[2])
        spare = filled + times * (len(was) - len(is_now))
        if filled < times * (room - len(was)):
            raise Unfit("a string without the room that the package promises")
        return found[1].replace(was, is_now) + b"\0" * spare

    return re.sub(rb"(%s[^\0]*)(\0*)" % re.escape(was), moved, data)
