"""A packed environment put into a folder, with the prefix in it rewritten.

Nothing is believed of the archive: no entry leaves the folder, goes through a link, or comes twice.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from setup_wizard import files
from setup_wizard.conda import contents, packed, registry, relocate, squashed, twin
from setup_wizard.conda.build import BUILDING, begin_anew, building_of, remove_building
from setup_wizard.conda.packed import BLOCK, Naming, Packed
from setup_wizard.world import Progress, Report, World

LARGE = 64 << 20  # bytes: what is larger is not held in memory, unless the prefix in it is to be rewritten


def make(world: World, file: Path, prefix: Path, report: Report) -> None:
    """The environment at a prefix where nothing is: built beside, whole, and then renamed.

    Raises BadInput for a file that is none, damaged or for other machines, MachineBlocks where it cannot go.
    """
    building = building_of(prefix)
    try:
        begin_anew(building, "packed")
        note = into(world, file, building, prefix, report)
        contents.say_whole(building, note.whole)
        if prefix.is_dir() and not prefix.is_symlink():
            prefix.rmdir()  # an empty one counts as none
        os.rename(building, prefix)
        files.sync_folder(prefix.parent)
    except OSError as e:
        raise files.cannot_write(prefix, e) from e
    finally:
        remove_building(prefix)
    (prefix / BUILDING).unlink(missing_ok=True)
    registry.register(world, prefix, report)


def into(world: World, file: Path, folder: Path, prefix: Path, report: Report) -> Packed:
    """Put what is packed into a folder that will be `prefix`; what the note says of it."""
    if packed.is_image(file):
        note, rewritten = squashed.into(world, file, folder, prefix, report)
        _mend_records(folder, rewritten)
        return note
    with packed.reading(file) as archive:
        note = packed.note_of(archive, file)
        packed.fits(world, note, file)
        work = _Work(file, str(folder), prefix, note, world.now(), {n.path: n for n in note.naming})
        folder.mkdir(parents=True, exist_ok=True)
        done, title = 0, f"Unpack {note.name}"
        while member := archive.next():
            work.take(archive, member)
            done += member.size
            report(Progress(title, done, note.bytes, "B"))
        packed.rest(archive)
    if len(work.made) != note.files:
        raise packed.damaged(file, f"{note.files} entries were packed, and {len(work.made)} are there")
    for path, mode in work.folders.items():
        os.chmod(path, mode)
    _mend_records(folder, work.rewritten)
    return note


@dataclass
class _Work:
    """An archive being unpacked: where to, what its files name, and what is there by now."""

    file: Path
    folder: str
    prefix: Path
    note: Packed
    now: float
    naming: dict[str, Naming]
    made: dict[str, bool] = field(default_factory=dict)  # whether it is a file, to which others may link
    folders: dict[str, int] = field(default_factory=dict)
    rewritten: set[str] = field(default_factory=set)

    def take(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """One entry. Raises BadInput for one that must not be."""
        path = self._checked(member)
        target = f"{self.folder}/{path}"
        if member.isdir():
            os.makedirs(target, exist_ok=True)
            self.folders[target] = member.mode & 0o777 | 0o700
        elif member.issym():
            os.symlink(relocate.link(member.linkname, self.note.prefix, self.prefix), target)
        elif member.islnk():
            os.link(f"{self.folder}/{member.linkname}", target)
        else:
            self._write(archive, member, target)
        self.made[path] = member.isreg()

    def _checked(self, member: tarfile.TarInfo) -> str:
        path = member.name
        parts, above = path.split("/"), path.rpartition("/")[0]
        if not {"", ".", ".."}.isdisjoint(parts) or "\0" in path:
            raise packed.untrusted(self.file, path, "leads out of the environment")
        if path in self.made or (above and f"{self.folder}/{above}" not in self.folders):
            raise packed.untrusted(self.file, path, "comes twice, or goes through a link")
        if path == "conda-meta" and not member.isdir():
            raise packed.untrusted(self.file, path, "is no folder")
        if path in (contents.WHOLE, contents.WAS_WHOLE, BUILDING):
            raise packed.untrusted(self.file, path, "is not for an archive to bring")
        if member.islnk() and not (self.made.get(member.linkname) and path not in self.naming):
            raise packed.untrusted(self.file, path, f"is a link to {member.linkname}")
        if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
            raise packed.untrusted(self.file, path, "is neither file, folder nor link")
        return path

    def _write(self, archive: tarfile.TarFile, member: tarfile.TarInfo, target: str) -> None:
        content = archive.extractfile(member)
        assert content
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(fd, "wb", buffering=0) as out:
            naming = self.naming.get(member.name)
            if naming or member.size <= LARGE:
                data = content.read()
                new = relocate.in_packed(data, naming, self.note.prefix, self.prefix) if naming else data
                out.write(new)
            else:
                new = data = b""
                shutil.copyfileobj(content, out, BLOCK)
            os.fchmod(fd, member.mode & 0o777)
            if (
                new is data or new == data
            ):  # else it is a file of now: byte code of before is not valid for it
                moment = min(member.mtime, self.now)
                os.utime(fd, (moment, moment))
            else:
                self.rewritten.add(member.name)


def _mend_records(folder: Path, rewritten: set[str]) -> None:
    """The packages' records name the hashes of their files as they are now."""
    for stem in contents.stems(folder) if rewritten else ():
        data = (folder / "conda-meta" / f"{stem}.json").read_bytes()
        try:
            record = msgspec.json.decode(data, type=twin.Record)
        except msgspec.MsgspecError:
            continue
        if any(f.path in rewritten for f in record.paths_data.paths):
            twin.write_record(folder, folder, stem, record)
