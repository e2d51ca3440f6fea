"""The packages of an environment that moves to another package cache, taken along there, as a step.

A cache may go at any time, and undo of an environment removes the one beside it: only folders around it are
left to be taken back.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from setup_wizard import files, trees
from setup_wizard.conda import byte_code, carrying
from setup_wizard.step import Before, Done, Forecast, State, Todo
from setup_wizard.world import Report, World


class Carried(msgspec.Struct, frozen=True, tag="carried"):
    """The packages of the environment `name` of the prefix `was` are in the package cache of `prefix`."""

    name: str
    was: Path
    prefix: Path

    @property
    def title(self) -> str:
        return f"Take the packages of {self.name} along"

    @property
    def key(self) -> str:
        return f"carried:{self.prefix}"

    def check(self, world: World) -> State:
        what = carrying.load(world, self.was, self.prefix)
        if not what.folders:
            return Done(f"they are in {what.new}")
        number = len(what.stems)
        lines = [f"put {number} {'package' if number == 1 else 'packages'} into {what.new}"]
        lines += [f"  then take them out of {what.old}, where nothing else uses them"]
        return Todo("\n".join(lines), trees.before(what.new))

    def forecast(self, world: World, report: Report) -> Forecast:
        """What the packages take there; the environment's own files are links to them."""
        what = carrying.load(world, self.was, self.prefix)
        size, number = carrying.weigh(what)
        return Forecast((), size, number, what.new)

    def apply(self, world: World, report: Report) -> None:
        byte_code.stop(world, self.was)
        carrying.carry(carrying.load(world, self.was, self.prefix), report)

    def undo(self, before: Before, world: World) -> Sequence[Path]:
        assert isinstance(before, trees.NoTree)
        files.remove_absent(before.absent)
        return []
