"""An environment that somebody has moved or copied by hand: its files name the place where it was made.

They are made to name the one where it is, each whole or not at all. A note stays until all of them do.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from stat import S_ISLNK, S_ISREG

import msgspec

from setup_wizard import files, trees
from setup_wizard.conda import clone, contents, found, relocate
from setup_wizard.conda import prefix as prefixes
from setup_wizard.conda.twin import File, Record
from setup_wizard.errors import BadInput, MachineBlocks, SetupError
from setup_wizard.world import Progress, Report, World

NOTE = "conda-meta/hpc-jupyter-setup.moving"  # the prefix that they named
BESIDE = ".x.hpc-jupyter-setup-moving"  # a file that is just written anew
WITNESSES = ("pip", "jupyter", "ipython")  # programs whose first line names the Python of their environment
R_SAYS = re.compile(r"^R_HOME_DIR=(/.+)/lib/R$", re.MULTILINE)  # R's starter
A_PATH = re.compile(rb"(?:/[^\s/'\"`=:;,|&<>(){}\[\]]+)+")
SMALL = 1 << 18  # bytes: a larger text is not looked into for where it was made
GUESSES = 20  # places that are tried for a file
Listed = Mapping[str, File]


def moved(prefix: Path) -> Path | None:
    """Where an environment was made that is here now, as far as a quick look tells; None: here."""
    if said := _said(prefix):
        return said
    for name in WITNESSES:
        if elsewhere := _elsewhere(prefix, prefix / "bin" / name):
            return elsewhere
    return _r_elsewhere(prefix)


def named(prefix: Path) -> Path | None:
    """The same for certain: a file says so that is just as installing had written it."""
    if said := _said(prefix):
        return said
    written = [file for file in _listed(prefix).values() if file.rewritten]
    programs = (prefix / file.path for file in written if file.path.startswith("bin/"))
    where = moved(prefix) or next(filter(None, (_elsewhere(prefix, p) for p in programs)), None)
    if where is None:
        return _in_texts(prefix, written)
    return where if any(_is_from(prefix, file, where) for file in written) else None


def was_at(prefix: Path, place: Path) -> bool:
    """Whether an environment was made at that place: for certain, as `named`."""
    return any(_is_from(prefix, file, place) for file in _listed(prefix).values() if file.rewritten)


def is_half(prefix: Path) -> bool:
    """Whether some of its files were written anew, and a kill came before the others."""
    return (prefix / NOTE).exists()


def trouble(world: World, prefix: Path, was: Path) -> SetupError | None:
    """Why the environment cannot live there, or None."""
    if prefix.is_relative_to(was):
        return BadInput(f"{prefix} lies in {was}, which its files name.", fix=f"Move it: mv {prefix} FOLDER")
    if not os.access(prefix, os.W_OK | os.X_OK):
        return MachineBlocks(f"{prefix} may not be written.", fix=f"See whose it is: ls -ld {prefix}")
    return prefixes.unfit(world, prefix)


def preview(prefix: Path, was: Path) -> str:
    """What is to be done, for people."""
    return f"write {prefix} into its files\n  where they name {was}"


def settle(prefix: Path, was: Path, report: Report) -> None:
    """Let all that names the prefix `was` name the one where it is. Safe to run again after a crash.

    Raises MachineBlocks; where that is because a file has no room for it, nothing was changed.
    """
    listed = _listed(prefix)
    try:
        todo, stay = _todo(prefix, was, listed)
        files.write(prefix / NOTE, os.fsencode(was))
        for number, path in enumerate(todo):
            report(Progress("Write files anew", number, len(todo), "files"))
            _write(prefix, path, _anew(prefix, path, was, listed))
        _mend_records(prefix, was)
        (prefix / NOTE).unlink()
        for text in relocate.staying(stay, was):
            report(Progress(text, unit="!"))
    except relocate.Unfit as e:
        raise MachineBlocks(
            f"{prefix} cannot live there: {e}.", fix=f"Move it to a shorter place, or back: mv {prefix} {was}"
        ) from e
    except OSError as e:
        raise files.cannot_write(prefix, e) from e


def _said(prefix: Path) -> Path | None:
    """What the note says of a run that was killed."""
    text = files.read_text(prefix / NOTE)
    return Path(text) if text else None


def _elsewhere(prefix: Path, program: Path) -> Path | None:
    """The prefix that the first line of a program names, if that is another one."""
    python = Path(found.interpreter(program))
    elsewhere = os.path.realpath(python.parent) != os.path.realpath(prefix / "bin")
    is_one = python.is_absolute() and python.parent.name == "bin" and python.name.startswith("python")
    return python.parent.parent if is_one and elsewhere else None


def _r_elsewhere(prefix: Path) -> Path | None:
    """The prefix that R's starter names, if that is another one; an environment with R may have no Python."""
    starter = prefix / "bin/R"
    if os.path.realpath(starter).startswith(f"{os.path.realpath(prefix)}/"):
        with suppress(OSError):
            said = R_SAYS.search(files.read_text(starter))
            if said and os.path.realpath(said[1]) != os.path.realpath(prefix):
                return Path(said[1])
    return None


def _in_texts(prefix: Path, written: Iterable[File]) -> Path | None:
    """The place that texts of packages name, where none names the one where it is; a hash proves it."""
    strange = []
    for file in written:
        if file.file_mode == "binary" or not file.prefix_placeholder:
            continue
        with suppress(OSError):
            data = b"" if (prefix / file.path).stat().st_size > SMALL else (prefix / file.path).read_bytes()
            if relocate.names(data, str(prefix)):
                return None
            strange.append((file, data))
    for file, data in strange:
        for place in _places_in(data):
            elsewhere = os.path.realpath(place) != os.path.realpath(prefix)
            if elsewhere and _is_from(prefix, file, place):
                return place
    return None


def _places_in(data: bytes) -> list[Path]:
    """Folders that a text names, those that it names most, and the deepest of them, first."""
    named: Counter[Path] = Counter()
    for path in A_PATH.findall(data):
        place = Path(os.fsdecode(path))
        named.update([place, *place.parents])
    ranked = sorted(named, key=lambda place: (-named[place], -len(place.parts)))
    return [place for place in ranked if len(place.parts) > 1][:GUESSES]


def _is_from(prefix: Path, file: File, where: Path) -> bool:
    """Whether installing has written that prefix into this file: without it, it is as in the archive."""
    if file.file_mode == "binary" or not file.prefix_placeholder:
        return False
    with suppress(OSError):
        data = (prefix / file.path).read_bytes()
        bare = data.replace(os.fsencode(where), file.prefix_placeholder.encode())
        return bare != data and hashlib.sha256(bare).hexdigest() == file.sha256
    return False


def _hash(file: File) -> str:
    """That of the file with its prefix, "" where the record does not have it."""
    return file.sha256_in_prefix or (file.sha256 if file.prefix_placeholder is None else "")


def _records(prefix: Path) -> Iterator[tuple[Path, Record]]:
    """Those that can be read."""
    for stem in contents.stems(prefix):
        path = prefix / "conda-meta" / f"{stem}.json"
        with suppress(OSError, msgspec.MsgspecError):
            yield path, msgspec.json.decode(path.read_bytes(), type=Record)


def _listed(prefix: Path) -> Listed:
    """The files of the packages."""
    return {file.path: file for _, record in _records(prefix) for file in record.paths_data.paths}


def _todo(prefix: Path, was: Path, listed: Listed) -> tuple[list[str], list[str]]:
    """The paths that are to be written anew, and those of data that stays, though it names the old place."""
    todo, stay = [], []
    for path in trees.walk(prefix):
        try:
            if _anew(prefix, path, was, listed) is not None:
                todo.append(path)
        except relocate.Stays:
            stay.append(path)
    return todo, stay


def _anew(prefix: Path, path: str, was: Path, listed: Listed) -> bytes | str | None:
    """What the file, or the link, is to become; None: it stays as it is."""
    try:
        info = os.lstat(prefix / path)
        if S_ISLNK(info.st_mode):
            leads = os.readlink(prefix / path)
            new = clone.moved_link(leads, was, prefix)
            return new if new != leads else None
        is_note = path in clone.NOTES or path == NOTE or files.is_torn(Path(path))
        if S_ISREG(info.st_mode) and not is_note:
            return clone.moved(prefix / path, listed.get(path), info, was, prefix)
    except FileNotFoundError:  # gone since
        pass
    return None


def _write(prefix: Path, path: str, new: bytes | str | None) -> None:
    """Put it in the place of the old one, which may be linked elsewhere; mode and times stay."""
    if new is None:
        return
    old = prefix / path
    beside = old.with_name(BESIDE)
    beside.unlink(missing_ok=True)
    if isinstance(new, str):
        beside.symlink_to(new)
    else:
        beside.write_bytes(new)
    shutil.copystat(old, beside, follow_symlinks=False)
    os.replace(beside, old)


def _mend_records(prefix: Path, was: Path) -> None:
    """The records with the hashes of those files that are as installing would have written them here."""
    for path, record in _records(prefix):
        data = new = path.read_bytes()
        for file in record.paths_data.paths:
            before, is_now = _hash(file), _settled(prefix, was, file)
            new = new.replace(before.encode(), is_now.encode()) if before and is_now else new
        if new != data:
            _write(prefix, str(path.relative_to(prefix)), new)


def _settled(prefix: Path, was: Path, file: File) -> str:
    """The hash of a file that was written anew; "" for one that was not, or that somebody has changed."""
    if not file.rewritten:
        return ""
    with suppress(OSError, relocate.Unfit):
        data = (prefix / file.path).read_bytes()
        here, there, room = str(prefix), str(was), len(file.prefix_placeholder or "")
        binary = file.file_mode == "binary"
        old = relocate.in_binary(data, here, there, room) if binary else relocate.in_text(data, here, there)
        if old != data and hashlib.sha256(old).hexdigest() == _hash(file):
            return hashlib.sha256(data).hexdigest()
    return ""
