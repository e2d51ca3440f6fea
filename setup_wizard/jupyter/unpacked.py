"""A packed environment on a node, for as long as its session lasts: mounted, or on the node's own disk.

A squashed image is mounted, and what cannot be used as it is in there lies beside it; where that cannot be,
and of an archive always, all of it goes to a disk of the node. In place of thousands of small files one large
one is read from the file system that all nodes share. Where neither can be, the environment is used as it is,
and a sentence says why.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from setup_wizard.errors import MachineBlocks, SetupError
from setup_wizard.files import cannot_write
from setup_wizard.jupyter import mounted
from setup_wizard.jupyter.nook import FAR, MEMORY, PREFIX, Nook, filled, remove_copy
from setup_wizard.world import Progress, Report, World

if TYPE_CHECKING:
    from setup_wizard.conda.packed import Packed

ROOM = 1.1  # times what it holds: blocks are larger than the ends of files
PATIENCE = 120.0  # seconds to unpack, where it can run as it is: who follows the session waits for 600
VARIABLES = ("SLURM_TMPDIR", "TMPDIR")


class Source(msgspec.Struct, frozen=True):
    """What is packed in `file`, and where it may go; `prefix` is the environment as it is."""

    file: Path
    prefix: Path
    folders: tuple[str, ...] = ()


class Copy(NamedTuple):
    """The prefix to start from, what to tell the user if it is the environment as it is, and for the log."""

    prefix: Path
    note: str
    said: str


def make(world: World, nook: Nook, source: Source, report: Report) -> Copy:
    """The copy, which goes with the nook; or the environment as it is.

    Raises MachineBlocks when neither can be had. Whatever `report` raises ends it.
    """
    from setup_wizard.conda import packed  # most sessions need none of it

    said = ""
    try:
        note, prefix = packed.look(source.file), None
        if packed.is_image(source.file):
            prefix, said = _mounted(world, nook, source, note, report)
        prefix = prefix or _unpacked(world, nook, source, note, report)
        _offer_kernels(world, note.prefix, prefix)
        return Copy(prefix, "", f"{said}{source.file} is used in {prefix}.")
    except SetupError as e:
        remove_copy(world, nook)
        if not _runs(source):
            raise
        told = f"It runs from {source.prefix}, and not from a disk of the node: {e.problem}"
        return Copy(source.prefix, told, f"{said}{told}")


def _mounted(
    world: World, nook: Nook, source: Source, note: Packed, report: Report
) -> tuple[Path | None, str]:
    """The prefix that reads from the mounted image; or why there is none."""
    from setup_wizard.conda import linked, packed

    try:
        packed.fits(world, note, source.file)
        mounted.mount(world, source.file, nook.image, lambda: report(Progress(f"Mount {note.name}")))
        with _written(nook.copy):
            linking = linked.look(source.file, nook.image, note)
            prefix = Path(os.path.realpath(_folder(world, nook, source, linking.takes)))
            linking.make(prefix, report)
    except SetupError as e:
        remove_copy(world, nook)
        return None, f"{e.problem} "
    return prefix, ""


def _unpacked(world: World, nook: Nook, source: Source, note: Packed, report: Report) -> Path:
    """The prefix on a disk of the node, with all that is packed."""
    from setup_wizard.conda import unpack

    prefix = Path(os.path.realpath(_folder(world, nook, source, note)))
    with _written(prefix):
        unpack.into(world, source.file, prefix, prefix, _in_time(world, source, report))
    return prefix


@contextlib.contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise cannot_write(path, e) from e


def _in_time(world: World, source: Source, report: Report) -> Report:
    """The report, which ends what takes too long where there is another way."""
    deadline = world.now() + PATIENCE if _runs(source) else float("inf")

    def watched(progress: Progress) -> None:
        report(progress)
        if world.now() > deadline:
            raise MachineBlocks(f"Unpacking takes more than {PATIENCE:.0f} s.", fix="Add: --no-packed")

    return watched


def _runs(source: Source) -> bool:
    return os.access(source.prefix / "bin/python3", os.X_OK)


def _folder(world: World, nook: Nook, source: Source, note: Packed) -> Path:
    """A new folder for it, on the first disk that has the room: in the nook, or linked from there."""
    tried = []
    for base in sorted(_bases(world, nook, source), key=lambda b: world.disk(b).kind in MEMORY):
        if lacking := _lacks(world, base, note):
            tried.append(f"{base} {lacking}")
            continue
        if base.stat().st_dev == nook.path.stat().st_dev:
            nook.copy.mkdir(0o700)
        else:
            there = base / f"{PREFIX}{secrets.token_hex(4)}"
            nook.copy.symlink_to(there)  # first: so that whoever clears away the nook finds it
            there.mkdir(0o700)
        return nook.copy
    raise MachineBlocks(
        f"It takes {note.bytes / 1e6:.0f} MB and {note.files:,} files, and {'; '.join(tried)}.",
        fix="Name a folder on a disk of the node: --scratch-dir '/scratch/$USER/job_$SLURM_JOB_ID'",
    )


def _bases(world: World, nook: Nook, source: Source) -> Iterator[Path]:
    """The folders to be tried, each once: what the site names, the job's own, where the nook is."""
    named = []
    for text in source.folders:
        try:
            named.append(filled(world, text))
        except MachineBlocks:  # a variable that this job does not have
            continue
    known = [world.env.get(name, "") for name in VARIABLES]
    for base in dict.fromkeys([*named, *filter(None, known), str(nook.path.parent)]):
        if base.startswith("/") and os.access(base, os.W_OK | os.X_OK):
            yield Path(base)


def _lacks(world: World, base: Path, note: Packed) -> str:
    disk = world.disk(base)
    if disk.kind.startswith(FAR):
        return f"is on a network ({disk.kind})"
    if disk.noexec or disk.read_only:
        return "may hold no programs"
    if disk.free_bytes < note.bytes * ROOM:
        return f"has {disk.free_bytes / 1e6:.0f} MB"
    if disk.free_files is not None and disk.free_files < note.files * ROOM:
        return f"has room for {disk.free_files:,} files"
    return ""


def _offer_kernels(world: World, old: Path, prefix: Path) -> None:
    """The user's own kernels of this environment, started from the copy: Jupyter finds these first."""
    for spec in sorted((world.jupyter_data / "kernels").glob("*/kernel.json")):
        text, target = spec.read_text("utf-8", "replace"), prefix / "share/jupyter/kernels" / spec.parent.name
        if f"{old}/" in text and not target.exists():
            shutil.copytree(spec.parent, target)
            new = text.replace(f"{old}/", f"{prefix}/").replace(f'"{old}"', f'"{prefix}"')
            (target / "kernel.json").write_text(new, "utf-8")
