"""An environment written into a squashed image: one file in the place of 20,000, to be mounted or taken out.

Nothing in it is rewritten, so as it is it works where the environment was. Elsewhere it is linked, see
`linked`, or taken out and rewritten.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from setup_wizard import files
from setup_wizard.conda import contents, linked, pack, packed, relocate, tail
from setup_wizard.conda.build import BUILDING
from setup_wizard.conda.pack import Survey
from setup_wizard.conda.packed import Naming, Packed
from setup_wizard.errors import CommandFailed, MachineBlocks
from setup_wizard.world import Progress, Report, World

WRITER, READER = "mksquashfs", "unsquashfs"
HANDS = "2"  # processors: on a login node others work too
# gzip, since every kernel and squashfuse of the last ten years reads it; times of files stay, for byte code;
# no attributes: those of one file system mean nothing on another. Only words that version 4.3 knows: el8's.
WORDS = ("-noappend", "-no-progress", "-all-root", "-no-xattrs", "-processors", HANDS)
SHOWN = 500  # characters of what a program says that are shown


def needs(world: World) -> Path:
    """The program that makes images. Raises MachineBlocks where there is none."""
    if found := world.which(WRITER):
        return found
    raise MachineBlocks(
        f"{WRITER} makes such images, and it is not on this machine.",
        fix="Pack without it: --format tar.zst; or load its module, or ask for the package squashfs-tools.",
    )


def write(world: World, path: Path, what: Survey, report: Report) -> int:
    """Write the image, whole or not at all; its size in bytes. Raises MachineBlocks, CommandFailed."""
    program, path = needs(world), path.resolve()
    report(Progress(f"Pack {what.note.name}"))
    try:
        with pack.beside(path) as image:
            _squash(world, program, image, what)
            tail.write(image, packed.encode(_noted(what)))
            image.chmod(pack.rights(what))
            os.replace(image, path)
    except OSError as e:
        raise files.cannot_write(path, e) from e
    files.sync_folder(path.parent)
    return path.stat().st_size


def into(world: World, file: Path, folder: Path, prefix: Path, report: Report) -> tuple[Packed, set[str]]:
    """Take out what is in an image, into a folder that will be `prefix`: its note, and what names that now.

    Raises BadInput for a damaged one or one for other machines, MachineBlocks where it cannot be taken out.
    """
    note = packed.look(file)
    packed.fits(world, note, file)
    _take_out(world, file, folder, Progress(f"Unpack {note.name}"), report)
    there = {path: mode for path, mode in _entries(folder) if path != BUILDING}
    if len(there) != note.files:
        raise packed.damaged(file, f"{note.files} entries were packed, and {len(there)} are there")
    moved = note.prefix, prefix
    for path, mode in there.items():
        _settle(file, folder, path, mode, moved)
    naming = [n for n in note.naming if stat.S_ISREG(there.get(n.path, 0))]
    return note, {n.path for n in naming if _rewrite(folder / n.path, n, moved)}


def takes_out(world: World) -> Path:
    """The program that takes files out of images. Raises MachineBlocks where there is none."""
    if found := world.which(READER):
        return found
    raise MachineBlocks(
        f"{READER} takes files out of such images, and it is not on this machine.",
        fix="Load its module, or ask for the package squashfs-tools; or pack anew: --format tar.zst",
    )


def _squash(world: World, program: Path, image: Path, what: Survey) -> None:
    with tempfile.NamedTemporaryFile(prefix="hpc-jupyter-setup-") as left_out:
        left_out.writelines(os.fsencode(f"{name}\n") for name in _left_out(what))
        left_out.flush()
        made = world.run([program, what.note.prefix, image, *WORDS, "-ef", left_out.name])
    if made.code:
        raise CommandFailed(
            f"{WRITER} could not write {image.parent}: {(made.err or made.out).strip()[-SHOWN:]}",
            fix="Is there room? df -h; or pack without it: --format tar.zst",
        )


def _noted(what: Survey) -> Packed:
    return msgspec.structs.replace(what.note, folders=linked.folders(what.note, what.entries))


def _left_out(what: Survey) -> list[str]:
    """What is in the environment, and not to be packed: notes of ours, torn files, and what is no file."""
    return sorted({path for path, _ in _entries(what.note.prefix)} - set(what.entries))


def _take_out(world: World, file: Path, folder: Path, progress: Progress, report: Report) -> None:
    report(progress)
    words = ("-no-progress", "-no-xattrs", "-force", "-processors", HANDS)
    argv: list[str | Path] = [takes_out(world), *words, "-dest", folder, file]
    done = world.run(argv, meanwhile=lambda: report(progress))
    said = (done.err or done.out).strip()[-SHOWN:]
    for number in (errno.ENOSPC, errno.EDQUOT):
        if done.code and os.strerror(number) in said:
            raise OSError(number, os.strerror(number))
    if done.code:
        raise packed.damaged(file, said)


def _entries(folder: Path) -> Iterator[tuple[str, int]]:
    """Each folder, file and link below a folder, relative, with its mode; links are not followed."""
    for around, folders, names in os.walk(folder):
        inside = "" if around == str(folder) else f"{os.path.relpath(around, folder)}/"
        for name in (*folders, *names):
            yield f"{inside}{name}", os.lstat(f"{around}/{name}").st_mode


def _settle(file: Path, folder: Path, path: str, mode: int, moved: tuple[Path, Path]) -> None:
    """Give an entry its rights, and a link its place. Raises BadInput for one that must not be."""
    there = folder / path
    if path in (contents.WHOLE, contents.WAS_WHOLE):
        raise packed.untrusted(file, path, "is not for an archive to bring")
    if stat.S_ISLNK(mode):
        leads = os.readlink(there)
        if (new := relocate.link(leads, *moved)) != leads:
            there.unlink()
            there.symlink_to(new)
    elif stat.S_ISDIR(mode):
        there.chmod(mode & 0o777 | 0o700)
    elif not stat.S_ISREG(mode):
        raise packed.untrusted(file, path, "is neither file, folder nor link")
    elif mode & 0o7000:
        there.chmod(mode & 0o777)


def _rewrite(there: Path, naming: Naming, moved: tuple[Path, Path]) -> bool:
    """Let a file name the new prefix; whether it is another one now."""
    data, mode = there.read_bytes(), stat.S_IMODE(there.stat().st_mode)
    new = relocate.in_packed(data, naming, *moved)
    if new == data:
        return False
    there.unlink()  # another one may be linked to it, which is not to change
    there.write_bytes(new)
    there.chmod(mode)
    return True
