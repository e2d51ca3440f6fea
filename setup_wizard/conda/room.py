"""Room on disk: what is a place's own, and what it shares by hard links."""

from __future__ import annotations

import msgspec

BLOCK = 4096  # bytes in which file systems give room away; a folder takes one


class Room(msgspec.Struct, frozen=True):
    """Bytes and files on disk: its own, and those that are hard links to a package cache or to another.

    Folders count as files, as they do for quotas. `measured`: each file was looked at.
    """

    own: int = 0
    shared: int = 0
    files_own: int = 0
    files_shared: int = 0
    measured: bool = False

    @property
    def files(self) -> int:
        """All of its files and folders."""
        return self.files_own + self.files_shared


class Tally:
    """Adds up a room, file by file."""

    def __init__(self, before: Room | None = None) -> None:
        room = before or Room()
        self.own, self.shared = room.own, room.shared
        self.files_own, self.files_shared = room.files_own, room.files_shared
        self.witness, self.linked = "", False

    def add(self, size: int, linked: bool = False, files: int = 1) -> None:
        """Count so many files, of so many bytes on disk together."""
        if linked:
            self.shared, self.files_shared = self.shared + size, self.files_shared + files
        else:
            self.own, self.files_own = self.own + size, self.files_own + files

    def hear(self, path: str, linked: bool) -> None:
        """Take the first file that may be shared for a witness of the others."""
        if path and not self.witness:
            self.witness, self.linked = path, linked

    def room(self, measured: bool = False) -> Room:
        """What it comes to."""
        return Room(self.own, self.shared, self.files_own, self.files_shared, measured)
