"""A kernel that others have made of an environment, following it to another place, as a step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from setup_wizard import files
from setup_wizard.step import Before, Done, Forecast, State, Todo
from setup_wizard.world import Report, World


class KernelMoved(msgspec.Struct, frozen=True, tag="kernel_moved"):
    """The kernelspec `path` names the prefix `new` where it named `old`; before us it named `first`."""

    path: Path
    first: Path
    old: Path
    new: Path

    @property
    def title(self) -> str:
        return f"Let the kernel {self.path.parent.name} follow"

    @property
    def key(self) -> str:
        return f"kernel_moved:{self.path}"

    def check(self, world: World) -> State:
        text = files.read_text(self.path)
        new = _named(text, self.old, self.new)
        if text == new:
            return Done(f"{self.path} names {self.new}")
        return Todo(files.diff(self.path, text, new), files.before(world, self.path))

    def forecast(self, world: World, report: Report) -> Forecast:
        """A few bytes."""
        return Forecast()

    def apply(self, world: World, report: Report) -> None:
        files.write_text(self.path, _named(files.read_text(self.path), self.old, self.new))

    def undo(self, before: Before, world: World) -> Sequence[Path]:
        assert isinstance(before, files.FileBefore)
        text, was = files.read_text(self.path), files.old_bytes(before).decode("utf-8", "surrogateescape")
        if text in (was, _named(was, self.first, self.new)):
            files.put_back(before)
            return []
        return [self.path] if text else []


def _named(text: str, old: Path, new: Path) -> str:
    """The text with the new prefix for the old one, where that ends there."""
    for end in ("/", '"', ":"):
        text = text.replace(f"{old}{end}", f"{new}{end}")
    return text
