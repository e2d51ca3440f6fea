"""The copies that Jupyter lays beside a notebook when it is opened: `.ipynb_checkpoints/X-checkpoint.ipynb`.

A copy of a notebook that was only looked at is nobody's work, and would keep a folder from going away.
"""

from __future__ import annotations

from pathlib import Path

from setup_wizard import trees
from setup_wizard.world import World

FOLDER = ".ipynb_checkpoints"


def copy_of(notebook: Path) -> Path:
    """Where Jupyter keeps its copy of a notebook."""
    return notebook.parent / FOLDER / f"{notebook.stem}-checkpoint{notebook.suffix}"


def drop_copy(notebook: Path) -> None:
    """Remove the copy of a notebook where it is the same to the byte."""
    copy = copy_of(notebook)
    if copy.is_file() and copy.read_bytes() == notebook.read_bytes():
        copy.unlink()
        if not any(copy.parent.iterdir()):
            copy.parent.rmdir()


def drop_copies(world: World, root: Path) -> None:
    """Remove the copies of those notebooks of a tree which the user did not change."""
    changed = set(trees.theirs(world, root))
    for relative in trees.walk(root):
        if relative.endswith(".ipynb") and relative not in changed:
            drop_copy(root / relative)
