"""An environment packed into one file: what its note says, and the file opened.

The note is the first member of an archive and lies behind a squashed image, so that a look at it reads a few
kilobytes. All else is the files of the environment, as they are: those that name its prefix are named in the
note.
"""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

import msgspec

from setup_wizard.conda import tail
from setup_wizard.conda.contents import Whole
from setup_wizard.conda.lock import here as platform_of
from setup_wizard.conda.spec import EnvSpec
from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.world import World

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Format = Literal["tar.zst", "tar.gz", "squashfs"]
FORMATS: tuple[Format, ...] = ("tar.zst", "tar.gz")  # archives
IMAGE: Format = "squashfs"  # which can be mounted as well
NOTE = "conda-meta/hpc-jupyter-setup.pack"
VERSION = 1
BLOCK = 1 << 20  # bytes read at a time
SIP = 1 << 15  # bytes that tarfile holds: with each entry it copies all of them
LEVELS = {"tar.gz": 5, "tar.zst": 3}  # higher ones cost minutes, and save a few percent
HANDS = 2  # threads of zstd: on a login node others work too
MAGIC = {b"\x28\xb5\x2f\xfd": "tar.zst", b"\x1f\x8b": "tar.gz", b"hsqs": IMAGE}
_LONGEST_NOTE = 64 << 20  # bytes


class Naming(msgspec.Struct, frozen=True):
    """A file that names the prefix: a text, or a program with `room` bytes for it each time.

    Of one that is not `sure`, nobody has promised that room; it stays as it is where the new one is longer.
    """

    path: str
    binary: bool = False
    room: int = 0
    sure: bool = True


class Packed(msgspec.Struct, frozen=True):
    """What is packed: the environment of that name and prefix, made for that platform, with so much in it.

    `glibc` is the least that it needs ("": none known), `bytes` and `files` are what it takes when unpacked.
    `stamp` says how the environment stood, see `pack.stamp`. `folders` are those of an image in which a
    file finds others by where it lies itself, or by the prefix: see `linked`.
    """

    name: str
    prefix: Path
    platform: str
    glibc: str
    bytes: int
    files: int
    spec: EnvSpec
    whole: Whole
    naming: tuple[Naming, ...] = ()
    stamp: str = ""
    version: int = VERSION
    folders: tuple[str, ...] = ()


def encode(note: Packed) -> bytes:
    """The note as the archive holds it."""
    return msgspec.json.encode(note, enc_hook=str)


def look(path: Path) -> Packed:
    """The note of a packed environment. Raises BadInput for a file that is none."""
    if is_image(path):
        return _decode(tail.read(path), path)
    with reading(path) as archive:
        return note_of(archive, path)


def is_image(path: Path) -> bool:
    """Whether it is a squashed image, and not an archive. Raises BadInput for what cannot be read."""
    try:
        with path.open("rb") as raw:
            return _form(raw.read(4)) == IMAGE
    except OSError as e:
        raise _not_read(path, e) from e


def note_of(archive: tarfile.TarFile, path: Path) -> Packed:
    """The note, which is the next member of an archive just opened. Raises BadInput."""
    first = archive.next()
    content = archive.extractfile(first) if first and first.name == NOTE else None
    if not first or not content or first.size > _LONGEST_NOTE:
        raise not_packed(path)
    return _decode(content.read(), path)


def _decode(data: bytes, path: Path) -> Packed:
    if not data:
        raise not_packed(path)
    try:
        if msgspec.json.decode(data)["version"] > VERSION:
            raise BadInput(
                f"{path} was packed by a newer version of this program.",
                fix="pip install --upgrade hpc-jupyter-setup",
            )
        return msgspec.json.decode(data, type=Packed, dec_hook=lambda kind, value: kind(value))
    except (msgspec.MsgspecError, KeyError, TypeError) as e:
        raise damaged(path, e) from e


@contextmanager
def reading(path: Path) -> Iterator[tarfile.TarFile]:
    """The archive, to be read from its beginning to its end. Raises BadInput when it is damaged or none."""
    try:
        with (
            path.open("rb") as raw,
            _unpacking(raw, path) as plain,
            tarfile.open(fileobj=plain, mode="r|", bufsize=SIP) as archive,
        ):
            yield archive
    except (tarfile.TarError, EOFError, zstd.ZstdError, zlib.error, gzip.BadGzipFile) as e:
        raise damaged(path, e) from e
    except OSError as e:
        if e.filename and Path(e.filename) == path:
            raise _not_read(path, e) from e
        raise


def rest(archive: tarfile.TarFile) -> None:
    """Read to the very end, so that the checksum over all of it is compared."""
    plain = archive.fileobj
    while plain and plain.read(BLOCK):
        pass


def writing(raw: IO[bytes], form: Format) -> IO[bytes]:
    """A file whose bytes go compressed into another: the same bytes every time."""
    if form == "tar.gz":
        return gzip.GzipFile("", "wb", LEVELS[form], raw, mtime=0)  # type: ignore[return-value]
    choose = zstd.CompressionParameter
    options: dict[int, int] = {
        choose.compression_level: LEVELS[form],
        choose.checksum_flag: 1,
        choose.nb_workers: min(HANDS, choose.nb_workers.bounds()[1]),
    }
    return zstd.ZstdFile(raw, "wb", options=options)  # type: ignore[return-value]


def form_of(path: Path, wanted: str = "") -> Format:
    """The format that was asked for, or goes with the file's name. Raises BadInput."""
    every = (*FORMATS, IMAGE)
    named = next((form for form in every if path.name.endswith(f".{form}")), None)
    asked = next((form for form in every if form == wanted), None)
    if wanted and not asked:
        raise BadInput(f"There is no format «{wanted}».", fix=f"--format {' | '.join(every)}")
    if asked and named and asked != named:
        raise BadInput(
            f"{path.name} is no name for a {asked}.", fix=f"Leave out --format {asked}, or rename."
        )
    return asked or named or FORMATS[0]


def fits(world: World, note: Packed, path: Path) -> None:
    """Nothing where it can run on this machine. Raises BadInput, MachineBlocks."""
    here = platform_of(world)
    if note.platform != here:
        raise BadInput(
            f"{path} holds an environment for {note.platform}; this machine is {here}.",
            fix=f"Make it here from its packages: hpc-jupyter-setup env create FILE -n {note.name}",
        )
    if note.glibc and number(note.glibc) > number(world.glibc):
        raise MachineBlocks(
            f"{path} needs glibc {note.glibc}; this machine has {world.glibc or 'none'}.",
            fix=f"Make it here from its packages: hpc-jupyter-setup env create FILE -n {note.name}",
        )


def not_packed(path: Path) -> BadInput:
    """The error for a file that is something else."""
    return BadInput(
        f"{path} is not an environment packed by this program.",
        fix="Pack one: hpc-jupyter-setup env pack NAME",
    )


def damaged(path: Path, why: object) -> BadInput:
    """The error for a file that has suffered."""
    return BadInput(
        f"{path} is damaged: {why}.",
        fix="Copy it again from where it came, or pack again: hpc-jupyter-setup env pack NAME",
    )


def untrusted(path: Path, entry: str, why: str) -> BadInput:
    """The error for a file with an entry that nobody may make."""
    return BadInput(
        f"{path} is not to be trusted: its entry «{entry}» {why}.",
        fix="Do not use this file. Pack the environment anew: hpc-jupyter-setup env pack NAME",
    )


def _not_read(path: Path, e: OSError) -> BadInput:
    return BadInput(f"{path} cannot be read: {e.strerror}.", fix=f"ls -l {path}")


def _form(head: bytes) -> str:
    return next((form for magic, form in MAGIC.items() if head.startswith(magic)), "")


def _unpacking(raw: IO[bytes], path: Path) -> io.BufferedIOBase:
    form = _form(raw.read(4))
    raw.seek(0)
    if form not in FORMATS:
        raise not_packed(path)
    return gzip.GzipFile(fileobj=raw) if form == "tar.gz" else zstd.ZstdFile(raw)


def number(version: str) -> tuple[int, ...]:
    """A version as numbers, to be compared."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())
