"""What is in an environment, read from its conda-meta; and our note that the environment is whole.

The note is written last and lies beside conda's own records, without `.json`, since conda takes every
`*.json` there for a package.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from setup_wizard import files
from setup_wizard.conda.channels import called

T = TypeVar("T")

WHOLE = "conda-meta/hpc-jupyter-setup"
STATE = "conda-meta/state"
WAS_WHOLE = "conda-meta/hpc-jupyter-setup.before"  # the note while the environment is being changed
FILE = "conda-meta/hpc-jupyter-setup.yml"  # what it was asked to hold, where no file of the user's says so
OURS = (
    WHOLE,
    FILE,
    STATE,
    "conda-meta/history",
    "CACHEDIR.TAG",
)  # what is there beside the packages' own files


class Whole(msgspec.Struct, frozen=True):
    """The environment is complete: what was asked for (digests), and the packages that came of it.

    `theirs` are the names of those that somebody else had added before; `update` names the last update;
    `variables` are those that were set with it (None: an older note, which does not say).
    """

    spec: str
    pip: str
    records: tuple[str, ...]
    format: int = 1
    theirs: tuple[str, ...] = ()
    update: str = ""
    variables: tuple[str, ...] | None = None


class PathEntry(msgspec.Struct, frozen=True, rename={"path": "_path"}):
    """A file of a package; the size is that in the archive, before a prefix was written into it."""

    path: str
    path_type: str = "hardlink"
    size_in_bytes: int | None = None
    prefix_placeholder: str | None = None


class Paths(msgspec.Struct, frozen=True):
    """The part of a record that lists files."""

    paths: tuple[PathEntry, ...] = ()


class Record(msgspec.Struct, frozen=True):
    """An installed package, as conda-meta has it."""

    name: str
    version: str
    build: str
    subdir: str = ""
    channel: str = ""
    build_number: int = 0

    @property
    def dist(self) -> str:
        """The name by which conda's history calls it: "conda-forge/noarch::pip-24.0-pyhd8ed1ab_0"."""
        base = self.channel.rstrip("/").removesuffix(f"/{self.subdir}")  # conda's own records have it in
        return f"{called(base)}/{self.subdir}::{self.stem}"

    @property
    def stem(self) -> str:
        return f"{self.name}-{self.version}-{self.build}"


class FileList(msgspec.Struct, frozen=True):
    """The files of an installed package, as conda-meta has them."""

    name: str
    paths_data: Paths = Paths()
    noarch: str | None = None


class _Python(msgspec.Struct, frozen=True):
    """The installed Python: where its packages lie, as far as it says so."""

    version: str
    python_site_packages_path: str | None = None

    @property
    def site_packages(self) -> str:
        return self.python_site_packages_path or site_of(self.version)


def is_environment(prefix: Path) -> bool:
    """Whether conda would take it for one."""
    return (prefix / "conda-meta").is_dir()


def stems(prefix: Path) -> tuple[str, ...]:
    """The installed packages, by the names of their records; quick."""
    try:
        names = os.listdir(prefix / "conda-meta")
    except OSError:
        return ()
    return tuple(sorted(name[:-5] for name in names if name.endswith(".json")))


def name_of(stem: str) -> str:
    """The package of a stem: "jupyter_server-2.20.0-pyh_0" -> "jupyter_server"."""
    return stem.rsplit("-", 2)[0]


def records(prefix: Path) -> list[Record]:
    """The installed packages."""
    return decoded(prefix, Record)


def file_lists(prefix: Path) -> list[FileList]:
    """The files of the installed packages, where they lie in the environment.

    Of a package for any Python, conda's records have them as they are in the archive.
    """
    lists = decoded(prefix, FileList)
    if all(one.noarch != "python" for one in lists) or not (inside := site_packages(prefix)):
        return lists
    return [_in_place(one, inside) if one.noarch == "python" else one for one in lists]


def site_packages(prefix: Path) -> str:
    """Where the packages of the installed Python lie, relative to the prefix; "" where none is installed."""
    python = next((stem for stem in stems(prefix) if name_of(stem) == "python"), "")
    if not python:
        return ""
    record = (prefix / "conda-meta" / f"{python}.json").read_bytes()
    try:
        return msgspec.json.decode(record, type=_Python).site_packages
    except msgspec.MsgspecError:
        return ""


def site_of(version: str) -> str:
    """Where the packages of a Python of that version usually lie."""
    major, minor, *_ = version.split(".")
    return f"lib/python{major}.{minor}/site-packages"


def _in_place(one: FileList, inside: str) -> FileList:
    entries = (msgspec.structs.replace(e, path=placed(e.path, inside)) for e in one.paths_data.paths)
    return msgspec.structs.replace(one, paths_data=Paths(tuple(entries)))


def placed(path: str, site_packages: str) -> str:
    """Where a file of a package for any Python lies, from its path in the archive; else the same path."""
    top, _, rest = path.partition("/")
    moved = {"site-packages": site_packages, "python-scripts": "bin"}
    return f"{moved[top]}/{rest}" if rest and top in moved else path


def decoded(prefix: Path, kind: type[T]) -> list[T]:
    """The records of the installed packages, as far as `kind` wants to know."""
    decode = msgspec.json.Decoder(kind).decode
    return [decode((prefix / "conda-meta" / f"{stem}.json").read_bytes()) for stem in stems(prefix)]


def whole(prefix: Path) -> Whole | None:
    """The note that the environment is complete, or None."""
    return _note(prefix / WHOLE)


def was_whole(prefix: Path) -> Whole | None:
    """The note of now or, while a change is going on or was interrupted, of before."""
    return _note(prefix / WHOLE) or _note(prefix / WAS_WHOLE)


def _note(path: Path) -> Whole | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Whole)
    except (OSError, msgspec.MsgspecError):
        return None


def say_whole(prefix: Path, note: Whole) -> None:
    """Write the note; its time is the moment since when every change is somebody else's."""
    files.write(prefix / WHOLE, msgspec.json.encode(note), mode=0o644)
    (prefix / WAS_WHOLE).unlink(missing_ok=True)


def say_unfinished(prefix: Path) -> tuple[str, ...]:
    """Take the note away, before anything is changed; the packages that somebody else has added."""
    if note := whole(prefix):
        before = msgspec.structs.replace(note, theirs=added(prefix, note))
        files.write(prefix / WAS_WHOLE, msgspec.json.encode(before), mode=0o644)
        (prefix / WHOLE).unlink()
    before_it = was_whole(prefix)
    return before_it.theirs if before_it else ()


def ask_pip_again(prefix: Path) -> None:
    """While it is changed: something of pip's has made way, so its section is to be installed once more."""
    note = _note(prefix / WAS_WHOLE)
    if note and note.pip:
        files.write(
            prefix / WAS_WHOLE, msgspec.json.encode(msgspec.structs.replace(note, pip="")), mode=0o644
        )


def theirs(prefix: Path) -> tuple[str, ...]:
    """The packages that somebody else, conda perhaps, has added; while it is changed: had added."""
    note = whole(prefix)
    before = None if note else was_whole(prefix)
    return added(prefix, note) if note else before.theirs if before else ()


def pins(prefix: Path) -> tuple[str, ...]:
    """The specifications in conda's file of pins."""
    text = files.read_text(prefix / "conda-meta" / "pinned")
    return tuple(line.strip() for line in text.splitlines() if line.strip() and line.strip()[0] != "#")


def clean_up(prefix: Path) -> None:
    """Remove what a crash left among the records; a package whose record is half written is made again."""
    remove_probes(prefix)
    for left in (prefix / "conda-meta").glob("prefix_record_*"):
        left.unlink()
    for name in (*OURS, WAS_WHOLE):
        files.sweep(prefix / name)
    for stem in stems(prefix):
        path = prefix / "conda-meta" / f"{stem}.json"
        try:
            msgspec.json.decode(path.read_bytes(), type=Record)
        except msgspec.MsgspecError:
            path.unlink()


def remove_probes(prefix: Path) -> None:
    """Remove the links by which a killed engine was just finding out whether links can be made."""
    for left in prefix.glob("symtest_*"):
        if left.is_symlink():
            left.unlink()


def missing(prefix: Path, note: Whole) -> list[str]:
    """Packages that were installed with the environment and are gone altogether."""
    there = {name_of(stem) for stem in stems(prefix)}
    return [name for stem in note.records if (name := name_of(stem)) not in there]


def added(prefix: Path, note: Whole | None) -> tuple[str, ...]:
    """Packages that somebody else, conda perhaps, has added since."""
    ours = {name_of(stem) for stem in note.records} if note else set()
    return tuple(sorted({name_of(stem) for stem in stems(prefix)} - ours)) if note else ()


def disown(prefix: Path) -> None:
    """Take our notes out: from now on it is an environment like any other."""
    for name in (WHOLE, WAS_WHOLE, FILE):
        (prefix / name).unlink(missing_ok=True)


def own_paths(prefix: Path) -> list[str]:
    """Every path that installing made, relative to the prefix, but for what pip and link scripts made."""
    paths = [entry.path for package in file_lists(prefix) for entry in package.paths_data.paths]
    metas = [f"conda-meta/{stem}.json" for stem in stems(prefix)]
    return [*paths, *metas, *(name for name in OURS if (prefix / name).exists())]


def variables(prefix: Path) -> dict[str, str]:
    """The variables that `conda activate` sets."""
    return dict(_state(prefix).get("env_vars", {}))


def write_variables(prefix: Path, variables: dict[str, str], *, private: bool = False) -> None:
    """Let `conda activate` set the variables, and forget those that we had set before; the user's stay.

    If they are `private`, nobody else may read them.
    """
    if variables or (prefix / STATE).exists():
        before, state = was_whole(prefix), _state(prefix)
        ours = before.variables if before else ()
        theirs = {n: v for n, v in state.get("env_vars", {}).items() if ours is not None and n not in ours}
        state = {**state, "env_vars": {**theirs, **variables}}
        files.write(prefix / STATE, msgspec.json.encode(state), mode=0o600 if private else None)


def _state(prefix: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode((prefix / STATE).read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError):
        return {"version": 1}
