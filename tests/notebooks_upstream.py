"""What the tests of notebooks share: an upstream repository, made with a real git, and a participant."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from setup_wizard import trees
from setup_wizard.step import Done, Todo
from setup_wizard.steps.notebooks import Clone
from setup_wizard.world import World, silent

IDENTITY = {"GIT_AUTHOR_NAME": "T", "GIT_AUTHOR_EMAIL": "t@example.org"}
IDENTITY |= {k.replace("AUTHOR", "COMMITTER"): v for k, v in IDENTITY.items()}


def git(folder: Path, *words: str) -> str:
    """Git as a person would use it, with nothing of the caller's own settings."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", **IDENTITY}
    return subprocess.run(
        ["git", *words], cwd=folder, env=env, check=True, capture_output=True, text=True
    ).stdout.strip()


class Upstream:
    """A repository as its authors see it, and the bare one that is cloned from."""

    def __init__(self, folder: Path) -> None:
        self.work, self.bare = folder / "work", folder / "Series.git"
        self.work.mkdir(parents=True)
        git(self.work, "init", "-q", "-b", "trunk")
        git(folder, "init", "-q", "--bare", "-b", "trunk", str(self.bare))

    @property
    def url(self) -> str:
        return self.bare.as_uri()

    def publish(self, files: dict[str, str | None]) -> str:
        """Publish new contents (None: removed) and give the commit."""
        for name, text in files.items():
            path = self.work / name
            if text is None:
                path.unlink()
                if not any(path.parent.iterdir()):
                    path.parent.rmdir()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        git(self.work, "add", "-A")
        git(self.work, "commit", "-q", "-m", "new")
        git(self.work, "push", "-q", str(self.bare), "HEAD:trunk")
        git(self.bare, "update-server-info")
        return git(self.work, "rev-parse", "HEAD")


def make(step: Clone, world: World) -> trees.NoTree:
    """Check and apply, as the loop over steps does; give what undo needs."""
    state = step.check(world)
    assert isinstance(state, Todo)
    step.apply(world, silent)
    assert step.check(world) == Done()
    assert isinstance(state.before, trees.NoTree)
    return state.before


def edit(path: Path, text: str) -> None:
    """Save a file as a participant does: some time after it came."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    later = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(later, later))


def contents(folder: Path) -> dict[str, str]:
    """The files of a work tree with their text, of links where they lead to."""
    return {p: _text(folder / p) for p in trees.walk(folder) if not p.startswith(".git/")}


def _text(path: Path) -> str:
    return os.readlink(path) if path.is_symlink() else path.read_text(errors="replace")


class Killed(BaseException):
    """Stands for SIGKILL: no clean-up of ours may run."""
