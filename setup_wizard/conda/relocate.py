"""The prefix inside files: what names the old place of an environment, made to name the new one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from setup_wizard.errors import MachineBlocks

if TYPE_CHECKING:
    from setup_wizard.conda.packed import Naming

SHEBANG = 127  # bytes that every Linux reads of a first line; a longer one starts something else, or nothing
ENDS = rb"(?![\w+-]|\.\w)"  # behind a prefix: /envs/work is not named by /envs/work-2 or /envs/work.old
ELF = b"\x7fELF"  # how programs and libraries begin
MOST = 5  # files that are named


class Unfit(Exception):
    """The file cannot be made to name the other prefix; it has to be installed there."""


class Stays(Exception):
    """The file names the prefix and stays as it is: nobody knows what else would have to change in it."""


def is_program(data: bytes) -> bool:
    """Whether a file that no package lists is a program or a library; False: a text.

    Raises Stays for all else: a pickle or a database also holds how long its texts are.
    """
    if data.startswith(ELF):
        return True
    if b"\0" not in data and (data.startswith(b"#!") or _is_utf8(data)):
        return False
    raise Stays


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def staying(paths: Sequence[str], prefix: Path) -> list[str]:
    """What is to be said of files that stay as they are, though they name the prefix."""
    if not paths:
        return []
    more = f" and {len(paths) - MOST} more" if len(paths) > MOST else ""
    return [f"stays as it is, though it names {prefix}: {', '.join(sorted(paths)[:MOST])}{more}"]


def names(data: bytes, old: str, new: str = "") -> bool:
    """Whether the old prefix stands there, elsewhere than in the new one."""
    return old.encode() in data and bool(_pattern(old, new).search(data))


def in_text(data: bytes, old: str, new: str) -> bytes:
    """The text with the new prefix wherever the old one stood. Raises Unfit when its `#!` gets too long."""
    is_now = new.encode()
    moved = _pattern(old, new).sub(lambda _: is_now, data)
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
        text, times = _pattern(old, new).subn(lambda _: is_now, found[1])
        filled = len(found[2])
        spare = filled + times * (len(was) - len(is_now))
        if filled < times * (room - len(was)):
            raise Unfit("a string without the room that the package promises")
        return text + b"\0" * spare

    return re.sub(rb"(%s[^\0]*)(\0*)" % _pattern(old, new).pattern, moved, data)


@cache
def _pattern(old: str, new: str) -> re.Pattern[bytes]:
    """The old prefix, but not where it is a part of the new one: /scratch/home/me may come of /home/me."""
    was = old.encode()
    before = {new.encode()[: found.start()] for found in re.finditer(re.escape(was) + ENDS, new.encode())}
    parts = b"".join(b"(?<!%s)" % re.escape(head) for head in sorted(before) if head)
    return re.compile(parts + re.escape(was) + ENDS)


def in_packed(data: bytes, naming: Naming, old: Path, new: Path) -> bytes:
    """The same for a file of a packed environment. Raises MachineBlocks where it must be, and cannot."""
    if naming.binary and not naming.sure and not data.startswith(ELF):
        return data  # older versions have named data, too
    try:
        if naming.binary:
            return in_binary(data, str(old), str(new), naming.room)
        return in_text(data, str(old), str(new))
    except Unfit as e:
        if not naming.sure:
            return data
        raise MachineBlocks(
            f"{naming.path} cannot be made to name {new}: {e}.", fix="Choose a shorter place: --prefix"
        ) from e


def link(leads: str, old: Path, new: Path) -> str:
    """Where a link of an environment leads in another prefix."""
    inside = leads == str(old) or leads.startswith(f"{old}/")
    return f"{new}{leads[len(str(old)) :]}" if inside else leads
