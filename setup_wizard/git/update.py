"""A clone brought to the newest upstream version without losing anything of the participant's.

Three versions of each file are compared: the one that came last (`old`), the one upstream has now (`new`)
and the one that lies here. What the participant did not touch follows upstream. What they changed, added
or removed stays, and where upstream has something else to offer it is put beside, under a name with the
version: `Numpy.upstream-1a2b3c4.ipynb`.

Safe to break off and to run again: the note on which version lies here moves last.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from setup_wizard import trees
from setup_wizard.errors import BadInput, NetworkTrouble
from setup_wizard.git import Git, everything, must_be_here, newest
from setup_wizard.git.clone import UPSTREAM, files, note_seen, notes, url_of
from setup_wizard.git.words import trouble
from setup_wizard.world import APP, Report, World, silent

_NEXT = f"refs/{APP}/next"
_BLOCKED = "something else lies in the way"

Contents = Mapping[str, str]  # the files of a version, each with its `content`


class Change(msgspec.Struct, frozen=True):
    """One file of an update: upstream's version of `path` goes to `to` ("": the file goes away)."""

    path: str
    to: str


class Updated(msgspec.Struct, frozen=True):
    """What an update did, between which versions; `beside` are the places of what it did not overwrite."""

    old: str
    new: str
    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


def update(world: World, folder: Path, report: Report = silent) -> Updated:
    """Bring a clone of ours to the newest upstream version. Raises BadInput when it is none of ours."""
    must_be_here(world)
    git, url = Git(world, folder), url_of(folder)
    old = git.commit(UPSTREAM) if trees.is_sealed(world, folder) and url else ""
    if not old:
        raise BadInput(
            f"{folder} was not cloned by {APP}, so it is not ours to update.",
            fix=f"Update it yourself: cd {folder} && git pull",
        )
    if _tip(git, url) == old:
        return Updated(old, old)
    fetch = newest if (folder / ".git/shallow").exists() else everything  # never cut off what the user has
    fetch(git, url, "fetch", "--no-tags", "origin", f"+HEAD:{_NEXT}", report=report)
    new = git.commit(_NEXT)
    try:
        done = _go(world, git, old, new)
    finally:
        _clear(folder)
    git("update-ref", UPSTREAM, new)
    git("update-ref", "-d", _NEXT)
    return done


def decide(old: Contents, new: Contents, here: Path, version: str) -> Iterator[Change]:
    """What is to be done so that `here` follows from `old` to `new`."""
    for path in sorted({*old, *new}):
        was, then, now = old.get(path, ""), new.get(path, ""), content(here, path)
        if then in (was, now):
            continue
        if now == was or not now:
            yield Change(path, path if then else "")
        elif then:
            yield Change(path, beside(here, path, version))


def content(root: Path, path: str) -> str:
    """What lies at a path: "" for nothing, else a word that differs when the content does."""
    at = root / path
    if any(os.path.lexists(p) and not _is_folder(p) for p in at.parents if root in p.parents):
        return _BLOCKED
    if not os.path.lexists(at):
        return ""
    if at.is_symlink():
        return f"-> {os.readlink(at)}"
    return hashlib.sha256(at.read_bytes()).hexdigest() if at.is_file() else _BLOCKED


def beside(here: Path, path: str, version: str) -> str:
    """Where upstream's version of a file goes when its own place is the participant's."""
    parts = PurePosixPath(path).parts
    for i, part in enumerate(parts[:-1]):
        folder = here.joinpath(*parts[: i + 1])
        if os.path.lexists(folder) and not _is_folder(folder):
            return "/".join((*parts[:i], f"{part}.upstream-{version[:7]}", *parts[i + 1 :]))
    name = PurePosixPath(path)
    return str(name.with_name(f"{name.stem}.upstream-{version[:7]}{name.suffix}"))


def _tip(git: Git, url: str) -> str:
    output = git.over_the_network(url, "ls-remote", "origin", "HEAD", report=silent)
    if output.code:
        raise trouble(output, "ls-remote", git.folder, url)
    commits = [line.split("\t")[0] for line in output.out.splitlines() if line.endswith("\tHEAD")]
    if not commits:
        raise NetworkTrouble(
            f"The repository {url} is empty now.", fix="Keep what you have; nothing was changed."
        )
    return commits[0]


def _go(world: World, git: Git, old: str, new: str) -> Updated:
    here = git.folder
    _clear(here)
    was, then = (_lay_out(git, version, name) for version, name in ((old, "old"), (new, "new")))
    moment = note_seen(here, new)
    ours = set(files(here)) - set(trees.theirs(world, here))
    removed = [c.path for c in decide(was, then, here, new) if not c.to]
    for path in removed:
        _remove(here, path)
    changes = [c for c in decide(was, then, here, new) if _is_free(here, c)]
    trees.seal_tree(world, here, {*ours, *(c.to for c in changes)}, at_ns=moment)
    for change in changes:
        untouched = content(here, change.path) in ("", was.get(change.path, ""))
        to = change.to if untouched else beside(here, change.path, new)  # it was saved just now
        _put(notes(here) / "new" / change.path, here / to, moment)
    _follow(git, old, new)
    written = tuple(c.to for c in changes if c.to == c.path)
    put_beside = tuple(c.to for c in changes if c.to != c.path)
    return Updated(old, new, written, tuple(removed), put_beside)


def _is_free(here: Path, change: Change) -> bool:
    """Not taken by what an earlier try put beside, which the participant may have worked on since."""
    return change.to == change.path or not os.path.lexists(here / change.to)


def _lay_out(git: Git, version: str, name: str) -> Contents:
    """Write a whole version into a folder of our notes; git takes care of links, modes and line endings."""
    folder, index = notes(git.folder) / name, notes(git.folder) / f"{name}.index"
    folder.mkdir(parents=True)
    git("read-tree", version, index=index)
    git("checkout-index", "--all", "--force", f"--prefix={folder}/", index=index)
    return {path: content(folder, path) for path in trees.walk(folder)}


def _clear(here: Path) -> None:
    for name in ("old", "new"):
        shutil.rmtree(notes(here) / name, ignore_errors=True)
        (notes(here) / f"{name}.index").unlink(missing_ok=True)


def _put(source: Path, target: Path, moment: int) -> None:
    """Move a file to its place in one step, dated so that it counts as ours."""
    target.parent.mkdir(parents=True, exist_ok=True)
    os.utime(source, ns=(moment, moment), follow_symlinks=False)
    os.replace(source, target)


def _remove(here: Path, path: str) -> None:
    (here / path).unlink()
    for folder in (here / path).parents:
        if folder == here or any(folder.iterdir()):
            return
        folder.rmdir()


def _follow(git: Git, old: str, new: str) -> None:
    """Let HEAD and the index follow, unless the user has commits or staged changes: then they stay."""
    staged = all(git.ask("diff-index", "--cached", "--quiet", v).code for v in (old, new))
    if git.commit("HEAD") not in (old, new) or staged or (git.folder / ".git/index.lock").exists():
        return
    index = notes(git.folder) / "new.index"
    git.ask("update-index", "-q", "--refresh", index=index)
    os.replace(index, git.folder / ".git/index")
    git("update-ref", "-m", "to the newest upstream version", "HEAD", new)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
