"""Switches off the blocks that other condas have left in a start file. Only done with the user's consent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from setup_wizard import blocks
from setup_wizard.step import Before, Blocked, Done, Forecast, State
from setup_wizard.steps import rc_file, textfile
from setup_wizard.world import Report, World


class OldBlocks(msgspec.Struct, frozen=True, kw_only=True, tag="old_blocks"):
    """Comments out the conda and mamba blocks in the start file `path` of `shell`, and no other line."""

    path: Path
    shell: str

    @classmethod
    def of(cls, home: Path, shell: str) -> OldBlocks:
        """For the start file of a login shell by name."""
        return cls(path=rc_file.rc_file(home, shell), shell=shell)

    @property
    def title(self) -> str:
        return f"Switch off older conda blocks in {self.path}"

    @property
    def key(self) -> str:
        return f"old_blocks:{self.path}"

    def check(self, world: World) -> State:
        found = blocks.foreign(textfile.text_of(self.path))
        by_hand = f"Comment out these lines yourself, or leave them as they are: {_words(self.path, found)}"
        if not any(b.last for b in found):
            unfinished = [f"{self.path}: {b}: it is left as it is" for b in found]
            return Done("; ".join(unfinished))
        if self.shell not in rc_file.SHELLS:
            return Blocked(
                f"The login shell is {self.shell}, whose start files are not edited here.", by_hand
            )
        return rc_file.edited(world, self.shell, self.path, blocks.switch_off, by_hand)

    def forecast(self, world: World, report: Report) -> Forecast:
        return Forecast()

    def apply(self, world: World, report: Report) -> None:
        textfile.write(self.check(world), self.path, blocks.switch_off)

    def undo(self, before: Before, world: World) -> Sequence[Path]:
        return textfile.take_back(before, _only_switched_off, blocks.switch_on)


def old_blocks(world: World) -> list[str]:
    """The blocks that can be switched off, for people: «/home/u/.bashrc: conda, lines 12 to 25»."""
    path = rc_file.rc_file(world.home, world.shell)
    return [f"{path}: {block}" for block in blocks.foreign(textfile.text_of(path)) if block.last]


def _words(path: Path, found: list[blocks.Block]) -> str:
    return "; ".join(f"{path}: {block}" for block in found)


def _only_switched_off(old: str, now: str) -> bool:
    return blocks.switch_off(old) == now
