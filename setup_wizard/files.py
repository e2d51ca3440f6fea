"""Files of the user, changed so that nothing is harmed: whole or not at all, and back to the byte.

Text is handled as bytes decoded with `surrogateescape`: what is not UTF-8 comes back out unchanged.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
from pathlib import Path

import msgspec

from setup_wizard import secrecy
from setup_wizard.errors import MachineBlocks
from setup_wizard.world import World


class NoFile(msgspec.Struct, frozen=True, tag="no_file"):
    """There was no file at `path`; `absent` are the paths around it that were not there either."""

    path: Path
    absent: tuple[Path, ...] = ()


class OldFile(msgspec.Struct, frozen=True, tag="old_file"):
    """There was a file at `path`: its bytes are kept in `backup`, its mode and mtime (ns) here."""

    path: Path
    backup: Path
    mode: int
    mtime_ns: int


FileBefore = NoFile | OldFile
LOST = (errno.EIO, errno.ENOSPC, errno.EDQUOT)  # what was written is not on the disk


def read_text(path: Path) -> str:
    """The text of a file, "" when there is none; any byte survives the way back through `write_text`."""
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""


def write_text(path: Path, text: str, *, mode: int | None = None) -> None:
    """`write` for text."""
    write(path, text.encode("utf-8", "surrogateescape"), mode=mode)


def write(path: Path, data: bytes, *, mode: int | None = None, mtime_ns: int | None = None) -> None:
    """Replace a file in one step: written beside, flushed to disk, renamed over.

    Goes through symbolic links to the file itself; keeps its mode, owner and group unless `mode` says
    otherwise (a new file gets 0644 less the umask). A reader sees the old bytes or the new ones.
    Raises MachineBlocks when the place cannot be written.
    """
    path = path.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd, name = tempfile.mkstemp(prefix=_beside(path), dir=path.parent)
    except OSError as e:
        raise cannot_write(path, e) from e
    try:
        with open(fd, "wb") as f:
            _like(path, fd, mode)
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        if mtime_ns is not None:
            os.utime(name, ns=(mtime_ns, mtime_ns))
        os.replace(name, path)
    except BaseException as e:
        Path(name).unlink(missing_ok=True)
        if isinstance(e, OSError):
            raise cannot_write(path, e) from e
        raise
    sync_folder(path.parent)


def _beside(path: Path) -> str:
    return f".{path.name}.hpc-jupyter-setup-"


def is_torn(path: Path) -> bool:
    """Whether this is what a killed `write` has left of a file."""
    return path.name.startswith(".") and ".hpc-jupyter-setup-" in path.name


def sweep(path: Path) -> None:
    """Remove what a killed `write` of this file has left beside it. Only where nobody else writes it."""
    path = path.resolve()
    for name in os.listdir(path.parent) if path.parent.is_dir() else ():
        if name.startswith(_beside(path)):
            (path.parent / name).unlink(missing_ok=True)


def _like(path: Path, fd: int, mode: int | None) -> None:
    try:
        old = path.stat()
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        os.fchmod(fd, mode if mode is not None else 0o644 & ~umask)
        return
    os.fchmod(fd, mode if mode is not None else stat.S_IMODE(old.st_mode))
    mine = os.fstat(fd)
    if (mine.st_uid, mine.st_gid) != (old.st_uid, old.st_gid):
        os.fchown(fd, old.st_uid, old.st_gid)


def may_write(path: Path) -> bool:
    """Whether `write` can replace the file: that takes the right to write to its folder, too."""
    target = path.resolve()
    return os.access(target, os.W_OK) and os.access(target.parent, os.W_OK | os.X_OK)


def sync_folder(folder: Path) -> None:
    """Make sure that a rename in `folder` survives a power cut."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError:
        pass  # some network file systems cannot; the rename itself is done
    finally:
        os.close(fd)


def sync_disk(folder: Path) -> None:
    """Make sure that all that was written to the file system of `folder` survives a power cut.

    Raises OSError where the disk tells only now that it could not keep what it was given.
    """
    import ctypes  # Python itself can only sync every file system there is

    fd = os.open(folder, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(fd) and ctypes.get_errno() in LOST:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
    finally:
        os.close(fd)


def cannot_write(path: Path, e: OSError) -> MachineBlocks:
    """The error for a place that refuses to be written."""
    return MachineBlocks(
        f"{path} could not be written: {e.strerror or e}.",
        fix=f"See who may write there (ls -ld {path.parent}) and whether there is space "
        f"(df -h {path.parent}; df -i {path.parent}), then run again.",
    )


def absent(path: Path) -> tuple[Path, ...]:
    """`path` and those of its parents that are not there (the outermost last)."""
    gone = []
    while not path.exists() and not path.is_symlink():
        gone.append(path)
        path = path.parent
    return tuple(gone)


def remove_absent(paths: tuple[Path, ...]) -> None:
    """Take back what `absent` listed: folders that are empty again, files that are empty."""
    for path in paths:
        try:
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            elif path.is_file() and path.stat().st_size == 0:
                path.unlink()
        except OSError:
            continue  # somebody has put something there since: it stays


def before(world: World, path: Path, *around: Path) -> FileBefore:
    """What undo will need to put `path` back; `around` are more places that the change may create.

    Makes no change but the backup copy in our own state folder, and only when `keep` is called.
    """
    gone = tuple(p for place in (path, *around) for p in absent(place) if p != path)
    target = path.resolve()
    if not target.exists():
        return NoFile(path, gone)
    info = target.stat()
    name = hashlib.sha256(str(path).encode() + target.read_bytes()).hexdigest()[:24]
    return OldFile(
        path, world.state / "backups" / name, mode=stat.S_IMODE(info.st_mode), mtime_ns=info.st_mtime_ns
    )


def keep(what: FileBefore) -> None:
    """Copy the old bytes into the backup, before the journal tells of the change."""
    if isinstance(what, OldFile) and not what.backup.exists():
        what.backup.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write(what.backup, what.path.read_bytes(), mode=0o600)


def put_back(what: FileBefore) -> None:
    """Make the file as it was before: its bytes, mode and mtime, or gone."""
    if isinstance(what, NoFile):
        what.path.unlink(missing_ok=True)
        remove_absent(what.absent)
    else:
        write(what.path, what.backup.read_bytes(), mode=what.mode, mtime_ns=what.mtime_ns)


def old_bytes(what: FileBefore) -> bytes:
    """The bytes that were there before ("" for no file)."""
    return what.backup.read_bytes() if isinstance(what, OldFile) else b""


def diff(path: Path, old: str, new: str) -> str:
    """A unified diff of a coming change, for people, without secrets; stray bytes are shown escaped."""
    import difflib  # only where something will change

    lines = difflib.unified_diff(
        _printable(old), _printable(new), f"{path} (now)", f"{path} (then)", lineterm="", n=2
    )
    return "\n".join(lines)


def _printable(text: str) -> list[str]:
    return [
        "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in line)
        for line in map(secrecy.masked, text.split("\n"))
    ]
