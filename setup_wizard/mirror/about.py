"""What a mirror says of itself, in its mirror.json."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

FORMAT = 1
CHANNEL = "conda-forge"  # the folder of the conda channel


class Repository(msgspec.Struct, frozen=True):
    """A repository that the mirror offers, in git/NAME.git; `bytes` is what a clone holds."""

    name: str
    title: str
    licence: str
    bytes: int


class About(msgspec.Struct, frozen=True):
    """When a mirror was made (ISO 8601), of what (a hash), and which repositories it offers."""

    format: int
    made: str
    inputs: str
    repositories: tuple[Repository, ...]


@dataclass(frozen=True)
class Mirror:
    """A mirror that is whole, and where it is."""

    path: Path
    about: About


def read(folder: Path) -> Mirror | None:
    """The mirror in that folder; None when there is none of our format."""
    try:
        about = msgspec.json.decode((folder / "mirror.json").read_bytes(), type=About)
    except (OSError, msgspec.DecodeError):
        return None
    return Mirror(folder, about) if about.format == FORMAT else None


def write(folder: Path, about: About) -> None:
    """Say that the mirror in that folder is whole: the last file of a mirror to be written."""
    (folder / "mirror.json").write_bytes(msgspec.json.format(msgspec.json.encode(about)))
