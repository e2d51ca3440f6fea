"""An environment packed into one file: what its note says, and the file opened.

The note is the first member of the archive, so that a look at it reads a few kilobytes. The other members are
the files of the environment, as they are: those that name its prefix are named in the note.
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
FORMATS: tuple[Format, ...] = ("tar.zst", "tar.gz")  # from which an environment can be made
IMAGE: Format = "squashfs"  # which is mounted as it is
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
    `stamp` says how the environment stood, see `pack.stamp`.
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


def encode(note: Packed) -> bytes:
    """The note as the archive holds it."""
    return msgspec.json.encode(note, enc_hook=str)


def look(path: Path) -> Packed:
    """The note of a packed environment. Raises BadInput for a file that is none."""
    with reading(path) as archive:
        return note_of(archive, path)


def note_of(archive: tarfile.TarFile, path: Path) -> Packed:
    """The note, which is the next member of an archive just opened. Raises BadInput."""
    first = archive.next()
    content = archive.extractfile(first) if first and first.name == NOTE else None
    if not first or not content or first.size > _LONGEST_NOTE:
        raise not_packed(path)
    data = content.read()
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
            raise BadInput(f"{path} cannot be read: {e.strerror}.", fix=f"ls -l {path}") from e
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


def _unpacking(raw: IO[bytes], path: Path) -> io.BufferedIOBase:
    head = raw.read(4)
    raw.seek(0)
    form = next((form for magic, form in MAGIC.items() if head.startswith(magic)), "")
    if form == IMAGE:
        raise BadInput(
            f"{path} is a squashed image: it is mounted in the place of its environment, not unpacked.",
            fix="Pack one that can be unpacked: hpc-jupyter-setup env pack NAME --format tar.zst",
        )
    if not form:
        raise not_packed(path)
    return gzip.GzipFile(fileobj=raw) if form == "tar.gz" else zstd.ZstdFile(raw)


def number(version: str) -> tuple[int, ...]:
    """A version as numbers, to be compared."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())
