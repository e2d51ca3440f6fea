"""A note behind a squashed image: who mounts the image does not see it, and no program is needed to read it.

An image says itself how long it is, so that bytes behind it are nobody's: they are our note, its length, and
our sign.
"""

from __future__ import annotations

import os
from pathlib import Path

SIGN = b"\nhpc-jupyter-setup note\n"
NUMBER = 8  # bytes of a length, the lowest first
LENGTH = 40  # where an image says how long it is: a number
MADE = 8  # where it says when it was made: four bytes, in seconds since 1970
_LONGEST = 64 << 20  # bytes


def write(path: Path, note: bytes) -> None:
    """Put the note behind an image that has none, and let the image say no more when it was made."""
    with path.open("r+b") as image:
        image.seek(MADE)
        image.write(
            bytes(4)
        )  # the same environment, the same bytes; old versions of mksquashfs cannot be told
        image.seek(0, os.SEEK_END)
        image.write(note + len(note).to_bytes(NUMBER, "little") + SIGN)
        image.flush()
        os.fsync(image.fileno())


def read(path: Path) -> bytes:
    """The note behind an image; nothing where there is none, or the image is cut short. Raises OSError."""
    with path.open("rb") as image:
        image.seek(LENGTH)
        begin, size = int.from_bytes(image.read(NUMBER), "little"), os.fstat(image.fileno()).st_size
        end = size - NUMBER - len(SIGN)
        if end < begin:
            return b""
        image.seek(end)
        length, sign = int.from_bytes(image.read(NUMBER), "little"), image.read()
        if sign != SIGN or not 0 < length <= min(_LONGEST, end - begin):
            return b""
        image.seek(end - length)
        return image.read(length)
