"""Environments packed into a file: which one, where to, with how much room; and the plan to unpack one."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from setup_wizard import environments, files, trees
from setup_wizard.conda import byte_code, pack, packed, squashed
from setup_wizard.conda.packed import Format, Packed
from setup_wizard.conda.spec import check_name
from setup_wizard.errors import BadInput, MachineBlocks, SetupError
from setup_wizard.journal import Journal, Receipt
from setup_wizard.places import place, places
from setup_wizard.plan import Plan
from setup_wizard.steps import CondaEnv, Kernel
from setup_wizard.world import Report, World

SLACK = 1.15  # how far a forecast of the packed size may be out


class Packing(msgspec.Struct, frozen=True):
    """An environment about to be packed: what is in it, the file, its format and about its size."""

    survey: pack.Survey
    file: Path
    form: Format
    forecast: int
    free: int


def survey(journal: Journal, name: str) -> pack.Survey:
    """What would be packed. Raises BadInput, MachineBlocks."""
    world, receipt = journal.world, journal.receipt
    prefix = environments.pick(name, receipt, world)
    ours = _step(receipt, prefix)
    if ours and trees.is_open(world, prefix):
        raise MachineBlocks(
            f"{prefix} was not finished, or is just being changed.",
            fix="Run again what has begun it; see: hpc-jupyter-setup status",
        )
    return pack.survey(world, prefix, ours.name if ours else prefix.name, ours.spec if ours else None)


def prepare(journal: Journal, name: str, output: Path | None, form: str) -> Packing:
    """All that packing needs to know; nothing is written. Raises BadInput, MachineBlocks."""
    chosen = packed.form_of(output or Path(), form)
    if chosen == packed.IMAGE:
        squashed.needs(journal.world)
    found = survey(journal, name)
    file = output or Path(f"{found.note.name}.{chosen}")
    if file.is_dir():
        file = file / f"{found.note.name}.{chosen}"
    file = file.expanduser().absolute()
    _refuse_others(file)
    size = int(found.note.bytes * pack.RATIO[chosen])
    room = place(journal.world, file.parent)
    if room.free_bytes < size * SLACK:
        roomy = [f"-o {p.path / file.name}" for p in places(journal.world) if p.has(int(size * SLACK), 1)]
        raise MachineBlocks(
            f"{file} will take about {size / 1e6:.0f} MB; free there are {room.free_bytes / 1e6:.0f} MB.",
            fix="\n".join(roomy) or f"Make room: du -xsh {journal.world.home}/* | sort -h",
        )
    return Packing(found, file, chosen, size, room.free_bytes)


def write(world: World, what: Packing, report: Report) -> int:
    """Write the file, whole or not at all; its size in bytes."""
    if what.form == packed.IMAGE:
        return squashed.write(world, what.file, what.survey, report)
    return pack.write(what.file, what.form, what.survey, report)


def kept(journal: Journal, name: str, report: Report) -> Path:
    """The packed file of an environment in our cache, for sessions; made anew when it has changed."""
    world = journal.world
    prefix = environments.pick(name, journal.receipt, world)
    file = kept_at(world, prefix)
    with _alone(file.parent):
        try:
            if packed.look(file).stamp == pack.stamp(prefix):
                return file
        except SetupError:  # none yet, or a damaged one
            file.unlink(missing_ok=True)
        compiling = world.marked(f"{byte_code.MARK}={prefix}")
        wanted = prepare(journal, str(prefix), file, "")
        what = wanted.survey
        if compiling:  # next time with all of its byte code
            what = msgspec.structs.replace(what, note=msgspec.structs.replace(what.note, stamp=""))
        pack.write(file, wanted.form, what, report)
    return file


def kept_at(world: World, prefix: Path) -> Path:
    """Where that file is, or would be."""
    digest = hashlib.sha256(str(prefix).encode()).hexdigest()[:8]
    return world.cache / "packed" / f"{prefix.name}-{digest}.tar.zst"


def plan(world: World, receipt: Receipt, file: Path, name: str | None, prefix: Path | None) -> Plan:
    """The plan to unpack a file. Raises BadInput, MachineBlocks for what cannot live here."""
    file = file.expanduser().absolute()
    note = packed.look(file)
    packed.fits(world, note, file)
    if packed.is_image(file):
        squashed.takes_out(world)
    called = check_name(name, "--name") if name else prefix.name if prefix else note.name
    where = environments.spelled(prefix or environments.folder(receipt, world) / called, receipt)
    return Plan((_unpacked(note, file, called, where), Kernel(called, where)))


def _unpacked(note: Packed, file: Path, name: str, prefix: Path) -> CondaEnv:
    return CondaEnv(
        name=name,
        prefix=prefix,
        spec=note.spec,
        update=note.whole.update,
        packed=file,
        bytes=note.bytes,
        files=note.files,
    )


def _step(receipt: Receipt, prefix: Path) -> CondaEnv | None:
    entry = receipt.get(f"conda_env:{prefix}")
    return entry.step if entry and isinstance(entry.step, CondaEnv) else None


def _refuse_others(file: Path) -> None:
    """Raise BadInput where a file is there that is no environment packed by us."""
    if not os.path.lexists(file):
        return
    try:
        packed.look(file)
    except SetupError:
        raise BadInput(
            f"{file} is there already, is not a packed environment, and stays.",
            fix="Give another file: -o FILE",
        ) from None


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One of us at a time packs into the cache; the next finds what it has made."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / ".lock").open("a")
    except OSError as e:
        raise files.cannot_write(folder, e) from e
    with lock:
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
