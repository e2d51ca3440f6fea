"""A whole environment once more at another place: packages, what pip brought, and the user's own files.

Nothing is asked and nothing downloaded. On one file system the files of packages are linked; those that name
the prefix are written anew, and so is what no package lists: it is the user's, who may edit it in place.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from stat import S_ISDIR, S_ISLNK, S_ISREG

import msgspec

from setup_wizard import files, trees
from setup_wizard.conda import contents, dists, relocate
from setup_wizard.conda.build import BUILDING, begin_anew, building_of, remove_building
from setup_wizard.conda.twin import File, Unlike, files_of, records_of
from setup_wizard.errors import CommandFailed, MachineBlocks
from setup_wizard.world import Progress, Report, World

SCANNED = 4_000_000  # bytes: what nobody has listed may name the prefix; larger files are data
BLOCK = 512  # bytes: the unit of st_blocks
Inode = tuple[int, int]
NOTES = {contents.WHOLE, contents.WAS_WHOLE, BUILDING}


class Cost(msgspec.Struct, frozen=True):
    """Bytes and inodes that a copy takes, and the bytes that it shares with what it was copied from."""

    bytes: int = 0
    files: int = 0
    shared: int = 0


class Source:
    """An environment to be copied; `everything` may be linked when it goes away afterwards.

    Of some files the `stock` has another one, where the copy goes.
    """

    def __init__(self, prefix: Path, stock: Mapping[Inode, str] | None = None, *, everything: bool) -> None:
        self.prefix = prefix
        self.stock = stock or {}
        self._everything = everything
        records, site = records_of(prefix).values(), contents.site_packages(prefix)
        self.listed = {f.path: f for record in records for f in files_of(record, site)}
        self._by_pip = dists.modules(prefix, dists.by_pip(prefix, records))

    def paths(self) -> Iterator[tuple[str, os.stat_result]]:
        """All that is in it, relative, each folder before what is in it; without our notes."""
        for folder, folders, names in os.walk(self.prefix):
            for name in sorted([*folders, *names]):
                path = os.path.join(folder, name)
                relative = os.path.relpath(path, self.prefix)
                if relative not in NOTES:
                    yield relative, os.lstat(path)

    def may_link(self, path: str) -> bool:
        """Whether the file is one that programs replace, byte code too, and nobody writes into."""
        brought = path in self.listed or path in self._by_pip or path.endswith(".pyc")
        return self._everything or (brought and not path.endswith((".pth", ".egg-link")))


def cost(prefix: Path, target: Path, stocked: Collection[Inode] = (), *, everything: bool) -> Cost:
    """What a copy will take, about: what nobody has listed is not looked into.

    Of files that are `stocked`, there is another one to be linked, where the copy goes.
    """
    source, links = Source(prefix, everything=everything), _disk(prefix) == _disk(target)
    taken = number = shared = 0
    for path, info in source.paths():
        file = source.listed.get(path)
        can = links or (info.st_dev, info.st_ino) in stocked
        if can and S_ISREG(info.st_mode) and source.may_link(path) and not (file and file.rewritten):
            shared += info.st_blocks * BLOCK
        else:
            taken, number = taken + info.st_blocks * BLOCK, number + 1
    return Cost(taken, number, shared)


def clone(source: Source, target: Path, report: Report, note: contents.Whole | None) -> None:
    """Build the copy beside its place, and rename it. An error leaves nothing there.

    `note` says that it is whole; None: that of the source stays, with its time. Raises MachineBlocks.
    """
    prefix = source.prefix
    try:
        building = building_of(target)
        begin_anew(building, "copy")
        _mend_records(building, _copy(source, building, target, report))
        _compare(source, building)
        if note:
            contents.say_whole(building, note)
        else:
            shutil.copy2(prefix / contents.WHOLE, building / contents.WHOLE)
            files.sync_disk(building)  # the source goes afterwards
        os.rename(building, target)
        files.sync_folder(target.parent)
    except (relocate.Unfit, Unlike) as e:
        raise MachineBlocks(
            f"{prefix} cannot be copied to {target}: {e}.",
            fix="Choose a shorter place, or make it anew there: hpc-jupyter-setup env create",
        ) from e
    except OSError as e:
        raise files.cannot_write(target, e) from e
    finally:
        remove_building(target)


def prove(world: World, prefix: Path) -> None:
    """Nothing when the Python of the copy starts and finds itself there. Raises CommandFailed."""
    (prefix / BUILDING).unlink(missing_ok=True)
    python = prefix / "bin/python"
    if python.exists():
        said = world.run(
            [python, "-c", "import sys; print(sys.prefix)"], env=world.clean_env(PYTHONDONTWRITEBYTECODE="1")
        )
        if said.code or said.out.strip() != str(prefix):
            raise CommandFailed(
                f"The copy's Python does not work: {(said.err or said.out).strip()[-300:]}",
                fix=f"The environment that was copied is as it was. Try: {python} -c 'import sys'",
            )


def _copy(source: Source, building: Path, target: Path, report: Report) -> dict[str, str]:
    """Everything, each file in its way; the hashes of those written anew, by what they were."""
    changed: dict[str, str] = {}
    stay: list[str] = []
    there = list(source.paths())
    for number, (path, info) in enumerate(there):
        if number % 500 == 0:
            report(Progress("Copy files", number, len(there), "files"))
        new = building / path
        if S_ISDIR(info.st_mode):
            new.mkdir(exist_ok=True)
            shutil.copymode(source.prefix / path, new)
        elif S_ISLNK(info.st_mode):
            new.symlink_to(moved_link(os.readlink(source.prefix / path), source.prefix, target))
            os.utime(new, ns=(info.st_atime_ns, info.st_mtime_ns), follow_symlinks=False)
        elif S_ISREG(info.st_mode):
            with suppress(FileNotFoundError):  # gone since; whether that matters is seen at the end
                try:
                    changed.update(_copy_file(source, path, info, new, target))
                except relocate.Stays:
                    stay.append(path)
                    shutil.copy2(source.prefix / path, new)
    for text in relocate.staying(stay, source.prefix):
        report(Progress(text, unit="!"))
    return changed


def _copy_file(source: Source, path: str, info: os.stat_result, new: Path, target: Path) -> dict[str, str]:
    old, file = source.prefix / path, source.listed.get(path)
    data = moved(old, file, info, source.prefix, target)
    if data is not None:
        new.write_bytes(data)
        shutil.copystat(old, new)
        was = (file.sha256_in_prefix or file.sha256) if file else ""
        return {was: hashlib.sha256(data).hexdigest()} if was else {}
    for there in (old, source.stock.get((info.st_dev, info.st_ino))) if source.may_link(path) else ():
        with suppress(OSError):  # another file system, or too many links
            if there:
                os.link(there, new)
                return {}
    shutil.copy2(old, new)
    return {}


def moved(old: Path, file: File | None, info: os.stat_result, prefix: Path, target: Path) -> bytes | None:
    """The file at `old` with the prefix `target` in it; None where it does not name the prefix before.

    Raises Unfit, and Stays for what nobody has listed.
    """
    if file and not file.rewritten:
        return None
    if not file and (info.st_size > SCANNED or old.suffix == ".pyc"):
        return None  # Python mends what is in its byte code
    data = old.read_bytes()
    if not relocate.names(data, str(prefix), str(target)):
        return None
    if not file:
        return _moved_unlisted(data, prefix, target)
    if file.file_mode == "binary":
        return relocate.in_binary(data, str(prefix), str(target), len(file.prefix_placeholder or ""))
    return relocate.in_text(data, str(prefix), str(target))


def _moved_unlisted(data: bytes, prefix: Path, target: Path) -> bytes:
    if not relocate.is_program(data):
        return relocate.in_text(data, str(prefix), str(target))
    try:
        return relocate.in_binary(data, str(prefix), str(target), len(os.fsencode(prefix)))
    except relocate.Unfit as e:  # built here, without room for a longer one
        raise relocate.Stays from e


def moved_link(leads: str, prefix: Path, target: Path) -> str:
    """Where a link in the environment is to lead."""
    return leads.replace(f"{prefix}/", f"{target}/", 1) if leads.startswith(f"{prefix}/") else leads


def _mend_records(building: Path, changed: dict[str, str]) -> None:
    """The records with the hashes of the files that were written anew."""
    for stem in contents.stems(building):
        path = building / "conda-meta" / f"{stem}.json"
        data = new = path.read_bytes()
        for was, is_now in changed.items():
            new = new.replace(was.encode(), is_now.encode())
        if new != data:
            info = path.stat()
            path.unlink()  # it may be linked
            path.write_bytes(new)
            os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def _compare(source: Source, building: Path) -> None:
    """Raise MachineBlocks when something has come, gone or grown while it was copied."""
    differ = (set(trees.walk(source.prefix)) ^ set(trees.walk(building))) - NOTES
    real = (p for p in differ if not trees.is_waste(p))  # byte code comes whenever somebody works there
    missing = [p for p in real if S_ISREG(_mode(source.prefix / p)) or S_ISLNK(_mode(source.prefix / p))]
    if missing:
        raise MachineBlocks(
            f"{source.prefix} was changed while it was copied ({min(missing)}).",
            fix="Let nobody work in it for a moment, and run again.",
        )


def _mode(path: Path) -> int:
    try:
        return os.lstat(path).st_mode
    except OSError:
        return 0o100000  # it was there


def _disk(path: Path) -> int:
    while not path.exists():
        path = path.parent
    return path.stat().st_dev
