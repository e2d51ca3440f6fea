"""Bare git repositories made of our notebooks: the same notebooks give the same commits."""

from __future__ import annotations

from pathlib import Path

from setup_wizard.errors import CommandFailed
from setup_wizard.mirror.about import Repository
from setup_wizard.mirror.archive import MADE
from setup_wizard.mirror.notebooks import Collection
from setup_wizard.world import World

WHO = f"hpc-jupyter-setup <hpc-jupyter-setup@localhost> {MADE} +0000"
MESSAGE = "Add the notebook"
FIX = "See whether git works here (git --version), and whether there is space."


def write_repository(world: World, folder: Path, collection: Collection) -> Repository:
    """Make `folder`/NAME.git with one commit on the branch main. Raises CommandFailed."""
    path = folder / f"{collection.name}.git"
    env = git_env(world)

    def git(*words: str | Path, stdin: str = "") -> None:
        output = world.run(["git", *words], stdin=stdin, env=env)
        if output.code:
            raise CommandFailed(f"`git {words[0]}` could not make {path}:\n{output.err.strip()}", fix=FIX)

    git("init", "--quiet", "--bare", "--template=", path)
    (path / "HEAD").write_text("ref: refs/heads/main\n")
    git("-C", path, "fast-import", "--quiet", stdin=_history(collection))
    for key in ("uploadpack.allowFilter", "http.uploadpack"):
        git("-C", path, "config", key, "true")
    size = sum(len(data) for data in collection.files.values())
    return Repository(collection.name, collection.title, collection.licence, size)


def git_env(world: World) -> dict[str, str]:
    """The environment of a git that heeds nobody's settings."""
    kept = {k: v for k, v in world.clean_env().items() if not k.startswith("GIT_")}
    return {**kept, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}


def _history(collection: Collection) -> str:
    """One commit, in the words of git fast-import."""
    files = "".join(
        f"M 100644 inline {path}\n{_data(content.decode())}"
        for path, content in sorted(collection.files.items())
    )
    return f"commit refs/heads/main\nauthor {WHO}\ncommitter {WHO}\n{_data(MESSAGE)}{files}\n"


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}\n"
