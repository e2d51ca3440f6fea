"""Byte code of the packages in an environment: compiled once, kept in the package cache, linked from there.

conda compiles each noarch package again in each environment, rattler none. Here a package is compiled once
for a version of Python, in the background and at the lowest priority, and every environment has links to it.
The byte code carries the hash of its source, and Python compares them (PEP 552, checked): times may differ,
and whoever edits a source gets what it says. That Python reads the sources for it could not be measured.

    python -m setup_wizard.conda.byte_code PREFIX    compiles what is missing, and links it

    PKGS/byte-code/cpython-312/NAME-VERSION-BUILD-HASH/    that of a package, flat; whole once it is there
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import signal
import sys
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from setup_wizard.conda import contents, packages
from setup_wizard.world import World, make_private

FOLDER = "byte-code"  # in the package cache
MARK = "HPC_JUPYTER_SETUP_BYTE_CODE"  # in the environment of whoever compiles: the prefix
LOG = "byte-code.log"
GENTLE = (("nice", "-n", "19"), ("ionice", "-c", "3"))
HANDS = 2  # threads: more would only wait for each other
BLINK = 0.02  # seconds between two looks for it
FAREWELL = 5.0  # seconds for it to end

# Sources that Python may import; tests are not among them, since they are a third of all and start nothing.
SOURCE = re.compile(r"lib/(python|pypy)(\d)\.(\d+)(t?)/(?!(?:.*/)?tests?/).*\.py")


class Record(msgspec.Struct, frozen=True):
    """The part of a package's record that tells where it came from, and its files."""

    url: str = ""
    sha256: str = ""
    paths_data: contents.Paths = contents.Paths()


class Compiled(NamedTuple):
    """A Python source and its byte code, relative to the prefix; `kept`: its name in the cache."""

    source: str
    target: str
    kept: str


class Part(NamedTuple):
    """The byte code of a package: its folder in the cache, there or not yet, and what of it goes where."""

    folder: Path
    files: list[Compiled]


def link(prefix: Path, pkgs: Path) -> list[Part]:
    """Link the byte code that is there; the packages whose byte code is still to be made."""
    all_parts = list(parts(prefix, pkgs))
    with ThreadPoolExecutor(HANDS) as pool:  # the kernel does the work, so that threads share it
        linked = list(pool.map(lambda part: _linked(prefix, part), all_parts))
    return [part for part, done in zip(all_parts, linked, strict=True) if not done]


def take_out(prefix: Path, but: Collection[str] = ()) -> None:
    """Remove the byte code of packages that will go; of those whose stems are in `but`, it stays.

    Whoever made it: what is left of a package looks like a package to Python. Where Python itself goes, all
    other packages move.
    """
    stems = contents.stems(prefix)
    moved = any(contents.name_of(stem) in ("python", "pypy") and stem not in but for stem in stems)
    for stem in stems:
        if moved or stem not in but:
            for folder, modules in _by_folder(_record(prefix, stem)).items():
                _remove(f"{prefix}/{folder}/__pycache__", modules)


def begin(world: World, prefix: Path) -> None:
    """Compile what is missing, in the background; it outlives us."""
    argv = [*_gentle(world), *world.own_python("setup_wizard.conda.byte_code"), str(prefix)]
    with suppress(OSError):  # no process more is allowed, no room for a log: it starts a little slower, then
        make_private(world.state)
        world.start(argv, log=world.state / LOG, env=_env(world, prefix), cwd=Path("/"))


def stop(world: World, prefix: Path) -> None:
    """End what compiles for an environment; what it has made so far is whole.

    What hangs in a disk that does not answer cannot be ended; nor does it do anything more when it wakes up.
    """
    until, unseen = world.now() + FAREWELL, 0
    # A program that is just being started cannot be seen for a moment.
    while unseen < 2 and world.now() < until + FAREWELL:
        mine = world.marked(f"{MARK}={prefix}")
        for pid, born in mine:
            world.signal(pid, born, signal.SIGTERM if world.now() < until else signal.SIGKILL)
        unseen = 0 if mine else unseen + 1
        world.sleep(BLINK)


def make(world: World, prefix: Path) -> None:
    """Compile what is missing, and link each package as it is ready. Stops when the prefix is changed."""
    pkgs, moment = packages.folder(world, prefix), _moment(prefix)
    if not moment or not os.access(prefix, os.W_OK):
        return
    sweep(prefix)
    with alone(pkgs / FOLDER):
        todo = {str(part.folder): part for part in link(prefix, pkgs)}

        def ready(folder: str) -> None:
            if _moment(prefix) != moment:
                raise InterruptedError
            _linked(prefix, todo[folder])

        for part in todo.values():
            part.folder.parent.mkdir(exist_ok=True)
        orders = b"".join(msgspec.json.encode(_order(prefix, part)) + b"\n" for part in todo.values())
        program = Path(__file__).with_name("compiling.py")
        python = [str(prefix / "bin/python"), "-I", "-S", "-B", str(program)]
        with suppress(InterruptedError):
            world.run(python, stdin=orders.decode(), on_line=ready, env=_env(world, prefix))


def parts(prefix: Path, pkgs: Path) -> Iterator[Part]:
    """The packages that have sources without byte code of their own."""
    for stem in contents.stems(prefix):
        record = _record(prefix, stem)
        brought = {e.path for e in record.paths_data.paths if e.path.endswith(".pyc")}
        files = [c for c in map(_compiled, record.paths_data.paths) if c and c.target not in brought]
        if files:
            tag = files[0].target.rsplit(".", 2)[1]
            yield Part(pkgs / FOLDER / tag / called(stem, record.sha256, record.url), files)


def called(stem: str, sha256: str, url: str) -> str:
    """The folder of a package's byte code, below that of its Python."""
    return f"{stem}-{sha256 or hashlib.sha256(url.encode()).hexdigest():.16}"


def kept(pkgs: Path) -> list[tuple[str, Path]]:
    """The packages whose byte code a cache has: the stem, and the folder; one for each version of Python."""
    return [(path.name.rpartition("-")[0], path) for path in sorted((pkgs / FOLDER).glob("*/[!.]*-*"))]


# --- one package ----------------------------------------------------------------------------------------


def _record(prefix: Path, stem: str) -> Record:
    return msgspec.json.decode((prefix / "conda-meta" / f"{stem}.json").read_bytes(), type=Record)


def _compiled(entry: contents.PathEntry) -> Compiled | None:
    """None for what is no source, or holds the prefix and so differs from place to place."""
    target = target_of(entry)
    kept = hashlib.sha256(entry.path.encode()).hexdigest()[:20]
    return Compiled(entry.path, target, kept) if target else None


def target_of(entry: contents.PathEntry) -> str:
    """Where the byte code of a source goes, relative to the prefix; "" for what has none of ours."""
    found = SOURCE.fullmatch(entry.path)
    if not found or entry.prefix_placeholder is not None or entry.path_type == "softlink":
        return ""
    folder, _, name = entry.path.rpartition("/")
    kind, major, minor, threads = found.groups()
    tag = f"{'cpython-' if kind == 'python' else kind}{major}{minor}{threads}"
    return f"{folder}/__pycache__/{name[:-3]}.{tag}.pyc"


def _linked(prefix: Path, part: Part) -> bool:
    """Link the byte code of a package where there is none yet; False where it has not been made."""
    try:
        there = set(os.listdir(part.folder))
    except OSError:
        return False
    for _, target, kept in part.files:
        if kept in there:
            with suppress(OSError):  # the cache is cleaned, the package removed, the disk full: none, then
                _link_one(f"{part.folder}/{kept}", f"{prefix}/{target}")
    return True


def _link_one(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        pass  # Python has made its own
    except FileNotFoundError:
        with suppress(FileExistsError):
            os.mkdir(os.path.dirname(target))
        os.link(source, target)
    except OSError:  # another file system, or a file that has as many links as it can have
        copied = f"{target}.{os.getpid()}"
        shutil.copy2(source, copied)
        os.replace(copied, target)


def _order(prefix: Path, part: Part) -> dict[str, object]:
    files = [(f"{prefix}/{source}", source, kept) for source, _, kept in part.files]
    return {"folder": str(part.folder), "files": files}


# --- what is left of packages ---------------------------------------------------------------------------


def _by_folder(record: Record) -> dict[str, set[str]]:
    """The modules of a package, by the folder that they lie in."""
    found: dict[str, set[str]] = {}
    for entry in record.paths_data.paths:
        if entry.path.endswith(".py"):
            folder, _, name = entry.path.rpartition("/")
            found.setdefault(folder, set()).add(name[:-3])
    return found


def _remove(cache: str, modules: Collection[str]) -> None:
    """Remove the byte code of these modules, and the folder once it is empty."""
    with suppress(OSError):
        for name in os.listdir(cache):
            if name.endswith(".pyc") and name.split(".")[0] in modules:
                os.unlink(f"{cache}/{name}")
        os.rmdir(cache)


def sweep(prefix: Path) -> None:
    """Remove the byte code of sources that are gone: conda does not know of it when it removes a package."""
    for library in prefix.glob("lib/py*/"):
        for folder, _, names in os.walk(library, topdown=False):
            if os.path.basename(folder) == "__pycache__":
                above = os.path.dirname(folder)
                modules = {name.split(".")[0] for name in names if name.endswith(".pyc")}
                gone = {m for m in modules if not os.path.exists(f"{above}/{m}.py")}
                if gone:
                    _remove(folder, gone)
                    _remove_empty(above, library)


def _remove_empty(folder: str, until: Path) -> None:
    with suppress(OSError):
        while Path(folder) != until:
            os.rmdir(folder)
            folder = os.path.dirname(folder)


# --- the background -------------------------------------------------------------------------------------


def _moment(prefix: Path) -> int:
    """What names the state that the environment is in; 0 while it is being changed."""
    try:
        return (prefix / contents.WHOLE).stat().st_mtime_ns
    except OSError:
        return 0


@contextmanager
def alone(store: Path) -> Iterator[None]:
    """One at a time for a cache, so that nothing is compiled twice; what killed ones left is removed."""
    make_private(store.parent)
    store.mkdir(exist_ok=True, mode=0o700)
    with (store / ".lock").open("a") as lock:
        with suppress(OSError):  # a file system without locks: some things are compiled twice
            fcntl.flock(lock, fcntl.LOCK_EX)
        for left in store.glob("*/.*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def _gentle(world: World) -> list[str]:
    return [word for words in GENTLE if world.which(words[0]) for word in words]


def _env(world: World, prefix: Path) -> dict[str, str]:
    kept = {**world.env, "HOME": str(world.home), **world.own_python_env()}
    return {**kept, MARK: str(prefix)}


if __name__ == "__main__":
    make(World.here(), Path(sys.argv[1]))
