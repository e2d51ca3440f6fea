"""An environment written into one file: all that is in it, as it is, the same bytes each time.

What the packages have brought is known by their records; only what pip and the user have added is looked into
for the prefix. The file is written beside its place and renamed.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from setup_wizard import files
from setup_wizard.conda import contents, damage, export, packed, relocate, twin
from setup_wizard.conda.build import BUILDING
from setup_wizard.conda.glibc import least_glibc
from setup_wizard.conda.lock import here as platform_of
from setup_wizard.conda.pip_section import pip_digest
from setup_wizard.conda.spec import EnvSpec, digest
from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.world import Progress, Report, World

NOT_PACKED = {
    packed.NOTE,
    contents.WHOLE,
    contents.WAS_WHOLE,
    BUILDING,
}
RATIO = {"tar.zst": 0.34, "tar.gz": 0.36, "squashfs": 0.4}  # of a packed environment to its files; measured
MOST_SCANNED = 256 << 20  # bytes; a larger file that no package has brought is data


class Survey(msgspec.Struct, frozen=True):
    """An environment about to be packed: the note, its entries in order, and what the user should know."""

    note: packed.Packed
    entries: tuple[str, ...]
    notes: tuple[str, ...] = ()
    secret: bool = False


def survey(world: World, prefix: Path, name: str, spec: EnvSpec | None = None) -> Survey:
    """Look at all of it; changes nothing. `spec` is what one of ours was asked to hold.

    Raises BadInput for what is no environment, MachineBlocks for one that is damaged.
    """
    _refuse(prefix)
    entries = tuple(path for path in _entries(prefix) if path not in NOT_PACKED)
    records = {stem: _record(prefix, stem) for stem in contents.stems(prefix)}
    site = contents.site_packages(prefix)
    known = {file.path: file for record in records.values() for file in twin.files_of(record, site)}
    naming, bytes_, strange, stay = [], 0, [], []
    for path in entries:
        info = os.lstat(prefix / path)
        if stat.S_ISREG(info.st_mode):
            bytes_ += info.st_size
            try:
                naming += _naming(prefix, path, known.get(path))
            except relocate.Stays:
                stay.append(path)
        elif not (stat.S_ISLNK(info.st_mode) or stat.S_ISDIR(info.st_mode)):
            strange.append(path)
    _refuse_moved(prefix, naming)
    secret = export.kept_variables(prefix)[1]
    note = packed.Packed(
        name=name,
        prefix=prefix,
        platform=platform_of(world),
        glibc=least_glibc(prefix),
        bytes=bytes_,
        files=len(entries) - len(strange),
        spec=_spec(prefix, name, spec),
        whole=_whole(prefix, _spec(prefix, name, spec)),
        naming=tuple(naming),
        stamp=stamp(prefix),
    )
    kept = tuple(path for path in entries if path not in strange)
    notes = (*_notes(prefix, kept, strange, secret), *relocate.staying(stay, prefix))
    return Survey(note, kept, notes, bool(secret))


def write(path: Path, form: packed.Format, what: Survey, report: Report) -> int:
    """Write the file, whole or not at all; its size in bytes. Raises MachineBlocks."""
    path = path.resolve()
    try:
        with beside(path) as torn:
            with torn.open("wb") as raw:
                os.fchmod(raw.fileno(), rights(what))
                with packed.writing(raw, form) as plain:
                    _write(plain, what, report)
                raw.flush()
                os.fsync(raw.fileno())
            os.replace(torn, path)
    except OSError as e:
        raise files.cannot_write(path, e) from e
    files.sync_folder(path.parent)
    return path.stat().st_size


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """An empty file beside the one to be written, gone afterwards; what killed runs left there goes first."""
    files.sweep(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.hpc-jupyter-setup-", dir=path.parent)
    os.close(fd)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def rights(what: Survey) -> int:
    """The mode of the file: for its owner alone where it holds what may be a secret."""
    umask = os.umask(0)
    os.umask(umask)
    return 0o600 if what.secret else 0o644 & ~umask


def stamp(prefix: Path) -> str:
    """How the environment stands: another one when packages came or went, by conda or by pip."""
    seen: list[object] = [str(prefix), contents.stems(prefix)]
    folders = [prefix / "conda-meta", prefix / "bin", *sorted(prefix.glob("lib/python3*/site-packages"))]
    seen += [(str(folder), folder.stat().st_mtime_ns) for folder in folders if folder.is_dir()]
    return hashlib.sha256(msgspec.json.encode(seen)).hexdigest()[:24]


def _write(plain: IO[bytes], what: Survey, report: Report) -> None:
    prefix, title, done = what.note.prefix, f"Pack {what.note.name}", 0
    first: dict[tuple[int, int], str] = {}
    rewritten = {n.path for n in what.note.naming}
    with tarfile.TarFile(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT, copybufsize=packed.BLOCK) as tar:
        note = packed.encode(what.note)
        head = tarfile.TarInfo(packed.NOTE)
        head.size, head.mode = len(note), 0o644
        tar.addfile(head, io.BytesIO(note))
        for path in what.entries:
            info = os.lstat(prefix / path)
            member = _member(prefix, path, info)
            if member.isreg() and info.st_nlink > 1 and path not in rewritten:
                there = first.setdefault((info.st_dev, info.st_ino), path)
                if there != path:
                    member.type, member.linkname, member.size = tarfile.LNKTYPE, there, 0
            if member.isreg():
                _add(tar, member, prefix / path)
                done += info.st_size
                report(Progress(title, done, what.note.bytes, "B"))
            else:
                tar.addfile(member)


def _add(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    with path.open("rb") as content:
        if os.fstat(content.fileno()).st_size != member.size:
            raise MachineBlocks(f"{path} was changed while it was packed.", fix="Run again.")
        tar.addfile(member, content)


def _member(prefix: Path, path: str, info: os.stat_result) -> tarfile.TarInfo:
    """An entry without owner, and with its time in whole seconds: byte code is valid by that."""
    member = tarfile.TarInfo(path)
    member.mode, member.mtime = stat.S_IMODE(info.st_mode), int(info.st_mtime)
    if stat.S_ISLNK(info.st_mode):
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, os.readlink(prefix / path), 0o777
    elif stat.S_ISDIR(info.st_mode):
        member.type, member.mtime = tarfile.DIRTYPE, 0
    else:
        member.size = info.st_size
    return member


# --- what there is ----------------------------------------------------------------------------------------


def _entries(prefix: Path) -> Iterator[str]:
    """Every folder, file and link, sorted, relative; the note's own folder first."""
    for folder, folders, names in os.walk(prefix):
        links = [name for name in folders if os.path.islink(f"{folder}/{name}")]
        folders[:] = sorted(set(folders) - set(links))
        inside = "" if folder == str(prefix) else f"{os.path.relpath(folder, prefix)}/"
        yield from (f"{inside}{name}" for name in folders)
        yield from (f"{inside}{n}" for n in sorted([*names, *links]) if not files.is_torn(Path(n)))


def _record(prefix: Path, stem: str) -> twin.Record:
    try:
        data = (prefix / "conda-meta" / f"{stem}.json").read_bytes()
        return msgspec.json.decode(data, type=twin.Record)
    except (OSError, msgspec.MsgspecError) as e:
        raise _is_damaged(prefix, f"its record of {stem} cannot be read ({e})") from e


def _naming(prefix: Path, path: str, known: twin.File | None) -> list[packed.Naming]:
    """How a file names the prefix; [] for one that does not. Raises Stays for data that names it."""
    if known and known.rewritten:
        binary = known.file_mode == "binary"
        return [packed.Naming(path, binary, len(known.prefix_placeholder or "") if binary else 0)]
    if known or path.startswith("conda-meta/") or path.endswith(".pyc"):
        return []  # Python minds a byte code's old path, not
    if os.path.getsize(prefix / path) > MOST_SCANNED:
        return []
    data, wanted = (prefix / path).read_bytes(), str(prefix).encode()
    if wanted not in data:
        return []
    binary = relocate.is_program(data)
    return [packed.Naming(path, binary, len(wanted) if binary else 0, sure=not binary)]


def _spec(prefix: Path, name: str, ours: EnvSpec | None) -> EnvSpec:
    """What it was asked to hold, without the places of the file that said so."""
    if ours and ours.dependencies:
        return EnvSpec(name, ours.channels, ours.dependencies, ours.pip, ours.variables, secret=ours.secret)
    asked, pip = tuple(export.asked(prefix)), tuple(export.by_pip(prefix)[0])
    return EnvSpec(name, tuple(export.channels(prefix)), asked, pip, contents.variables(prefix))


def _whole(prefix: Path, spec: EnvSpec) -> contents.Whole:
    """The note that it will have where it is unpacked."""
    there = contents.whole(prefix)
    theirs = contents.theirs(prefix) if there else ()
    stems = tuple(stem for stem in contents.stems(prefix) if contents.name_of(stem) not in theirs)
    update = hashlib.sha256(f"{stamp(prefix)} packed".encode()).hexdigest()[:24]
    return contents.Whole(
        digest(spec),
        pip_digest(spec, prefix),
        stems,
        theirs=theirs,
        update=update,
        variables=tuple({**spec.variables, **spec.secret}),
    )


# --- what to say ------------------------------------------------------------------------------------------


def _notes(prefix: Path, entries: tuple[str, ...], strange: list[str], secret: list[str]) -> tuple[str, ...]:
    said = [f"{path} is no file, and was left out" for path in strange]
    said += [f"the file is for you alone: it holds {name}, which may be a secret" for name in secret]
    said += [f"{what} stays outside: it is read from {where}" for what, where in _outside(prefix, entries)]
    return tuple(said)


def _outside(prefix: Path, entries: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What is not in the environment, though it is used there: links that lead out, folders of source."""
    inside = f"{prefix}/"
    for path in entries:
        full = prefix / path
        if full.is_symlink():
            leads = os.path.normpath(os.path.join(full.parent, os.readlink(full)))
            if not f"{leads}/".startswith(inside):
                yield path, leads
        elif path.endswith(".pth") and "site-packages/" in path:
            for line in files.read_text(full).splitlines():
                if line.startswith("/") and not line.startswith(inside):
                    yield Path(path).name, line.strip()


def _refuse(prefix: Path) -> None:
    if not contents.is_environment(prefix):
        raise BadInput(
            f"{prefix} is no conda environment.", fix="See which there are: hpc-jupyter-setup status"
        )
    if (prefix / "condabin").is_dir():
        raise BadInput(f"{prefix} is a whole conda, with its caches.", fix="Pack one of its environments.")
    if not contents.whole(prefix) and contents.was_whole(prefix):
        raise MachineBlocks(
            f"{prefix} is just being changed, or that was interrupted.",
            fix="Run again what has begun to change it; see: hpc-jupyter-setup status",
        )
    if broken := damage.look(prefix, packages_only=True).flaws:
        name, lost = next(iter(broken.items()))
        more = f", and {len(broken) - 1} more packages" if len(broken) > 1 else ""
        raise _is_damaged(prefix, f"{name} is not whole ({lost[0].path}){more}")


def _refuse_moved(prefix: Path, naming: list[packed.Naming]) -> None:
    texts = [n.path for n in naming if not n.binary]
    if texts and not any(str(prefix).encode() in (prefix / path).read_bytes() for path in texts):
        raise _is_damaged(prefix, "its files name another place; it was moved, or is a link")


def _is_damaged(prefix: Path, why: str) -> MachineBlocks:
    return MachineBlocks(
        f"{prefix} is damaged: {why}.", fix=f"Repair it: hpc-jupyter-setup env check {prefix} --fix"
    )
