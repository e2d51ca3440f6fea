"""An environment of the user's that was moved or copied by hand, made to name its own place, as a step.

It stays the user's: what was mended is not taken back.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from setup_wizard import files
from setup_wizard.conda import byte_code, in_place, registry
from setup_wizard.step import Before, Blocked, Done, Forecast, State, Todo
from setup_wizard.world import Report, World, silent


class Settled(msgspec.Struct, frozen=True, tag="settled"):
    """The files of the environment at `prefix` name that place, where they named `was`."""

    prefix: Path
    was: Path

    @property
    def title(self) -> str:
        return f"Let the environment {self.prefix} name its own place"

    @property
    def key(self) -> str:
        return f"settled:{self.prefix}"

    def check(self, world: World) -> State:
        if in_place.named(self.prefix) is None:
            return Done(f"{self.prefix} names its own place")
        if bad := in_place.trouble(world, self.prefix, self.was):
            return Blocked(bad.problem, bad.fix)
        return Todo(in_place.preview(self.prefix, self.was), files.NoFile(self.prefix / in_place.NOTE))

    def forecast(self, world: World, report: Report) -> Forecast:
        """Nothing: the files take the room that they had."""
        return Forecast()

    def apply(self, world: World, report: Report) -> None:
        byte_code.stop(world, self.prefix)
        in_place.settle(self.prefix, self.was, report)
        registry.register(world, self.prefix, report)
        if not os.path.lexists(self.was):
            registry.unregister(world, self.was)

    def undo(self, before: Before, world: World) -> Sequence[Path]:
        """What was begun is ended: half of it is worth nothing to anybody."""
        if in_place.is_half(self.prefix):
            self.apply(world, silent)
        return []
