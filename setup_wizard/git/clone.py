"""A clone of ours: what we noted in it, and whether the user made commits of their own.

In `.git/hpc-jupyter-setup` of a clone lie `seen`, the upstream versions that we put there, and while an
update runs the two versions between which it goes. The newest of them is the ref `UPSTREAM`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from setup_wizard import trees
from setup_wizard.errors import NetworkTrouble
from setup_wizard.git import Git, newest
from setup_wizard.world import APP, Report, World

UPSTREAM = f"refs/{APP}/upstream"


def clone(world: World, url: str, folder: Path, report: Report) -> None:
    """Fetch the newest version of the default branch into a folder that is not there yet."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    words = ("clone", "--template=", "--origin", "origin", "--no-recurse-submodules", url, str(folder))
    newest(Git(world, folder.parent), url, *words, report=report)
    git = Git(world, folder)
    tip = git.commit("HEAD")
    if not tip:
        raise NetworkTrouble(f"The repository {url} is empty.", fix="Leave these notebooks out.")
    git("update-ref", UPSTREAM, tip)
    note_seen(folder, tip)


def notes(folder: Path) -> Path:
    """Where our own notes on a clone are."""
    return folder / ".git" / APP


def note_seen(folder: Path, commit: str) -> int:
    """Remember an upstream version that comes into the clone; give the moment, in its file system's clock."""
    notes(folder).mkdir(exist_ok=True)
    seen = notes(folder) / "seen"
    with seen.open("a") as f:
        f.write(f"{commit}\n")
    return seen.stat().st_mtime_ns


def files(folder: Path) -> list[str]:
    """Every file of the work tree, relative to it."""
    return [relative for relative in trees.walk(folder) if not relative.startswith(".git/")]


def url_of(folder: Path) -> str:
    """Where a folder was cloned from, "" when it was not; asks no git."""
    try:
        lines = (folder / ".git" / "config").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    values = (line.partition("=") for line in lines)
    return next((value.strip() for key, _, value in values if key.strip() == "url"), "")


def has_own_commits(folder: Path) -> bool:
    """Whether the user made a commit, a stash or a work tree here, or went to a version that we never put."""
    git = folder / ".git"
    known = {*_words(notes(folder) / "seen"), "0" * 40, "0" * 64}
    return (git / "worktrees").exists() or any(commit not in known for commit in _commits(git))


def drop_git(folder: Path) -> None:
    """Make a plain folder of a clone."""
    if (folder / ".git").is_dir():
        shutil.rmtree(folder / ".git")


def mend_git(folder: Path) -> None:
    """Put back the empty folders without which git takes a repository for none."""
    if (folder / ".git").is_dir():
        for name in ("refs", "objects"):
            (folder / ".git" / name).mkdir(exist_ok=True)


def _commits(git: Path) -> Iterator[str]:
    """The commits that branches, HEAD and the stash point to, and those they pointed to in the past."""
    for place in ("HEAD", "refs/heads", "refs/stash"):
        for path in _below(git / place):
            yield from (word for word in _words(path) if not word.startswith(("ref:", "refs/")))
    for place in ("logs/HEAD", "logs/refs/heads", "logs/refs/stash"):
        for path in _below(git / place):
            yield from (commit for line in _lines(path) for commit in line.split(" ")[:2])
    for line in _lines(git / "packed-refs"):
        commit, _, name = line.partition(" ")
        if name.startswith(("refs/heads/", "refs/stash")):
            yield commit


def _below(place: Path) -> Iterator[Path]:
    return (p for p in [place, *place.rglob("*")] if p.is_file())


def _lines(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines() if path.is_file() else []


def _words(path: Path) -> list[str]:
    return [word for line in _lines(path) for word in line.split()]
