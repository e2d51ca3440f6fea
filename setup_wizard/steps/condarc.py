"""Sets where conda takes packages from, in a condarc of the user or of the distribution."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from setup_wizard import files
from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.step import Before, Blocked, Forecast, State
from setup_wizard.steps import condarc_text, textfile
from setup_wizard.steps.yaml_lines import Odd
from setup_wizard.world import Report, World


class Condarc(msgspec.Struct, frozen=True, kw_only=True, tag="condarc"):
    """The chosen `channels` in the condarc at `path`, and strict priority; the user's other channels stay.

    Lists merge across condarc files, so this is done in the file of the distribution (PREFIX/.condarc) as
    well as in ~/.condarc: Anaconda's own channels have to leave both.
    """

    path: Path
    channels: tuple[str, ...]
    strict: bool = True

    @property
    def title(self) -> str:
        return f"Set conda's channels in {self.path}"

    @property
    def key(self) -> str:
        return f"condarc:{self.path}"

    def check(self, world: World) -> State:
        if problem := textfile.obstacle(world, self.path):
            return Blocked(problem, self._by_hand())
        try:
            text = files.read_text(self.path)
            return textfile.proposed(world, self.path, text if text == self._new() else self._changed(text))
        except Odd as e:
            return Blocked(f"{self.path}:{e.line}:{e.column}: {e.said}.", e.fix)

    def forecast(self, world: World, report: Report) -> Forecast:
        return Forecast()

    def apply(self, world: World, report: Report) -> None:
        if not self.path.parent.is_dir():  # to make the folder would keep the distribution from going there
            raise MachineBlocks(
                f"{self.path.parent} is not there yet.",
                fix="Install the distribution first: hpc-jupyter-setup",
            )
        textfile.write(self.check(world), self.path, self._changed)

    def undo(self, before: Before, world: World) -> Sequence[Path]:
        old = "" if not isinstance(before, files.OldFile) else files.read_text(before.backup)
        try:
            return textfile.take_back(
                before, lambda old, now: self._changed(old) == now, lambda now: self._given_back(old, now)
            )
        except Odd as e:
            raise BadInput(f"{self.path}:{e.line}:{e.column}: {e.said}.", fix=e.fix) from None

    def _new(self) -> str:
        """The file as we make it where there was none; to know it again needs no reading of YAML."""
        return "".join(f"{line}\n" for line in self._lines())

    def _changed(self, text: str) -> str:
        return condarc_text.write(
            text, condarc_text.wanted(condarc_text.read(text), self.channels, self.strict)
        )

    def _given_back(self, old: str, now: str) -> str:
        were, are = condarc_text.read(old), condarc_text.read(now)
        made = condarc_text.wanted(were, self.channels, self.strict)
        return condarc_text.write(now, condarc_text.given_back(were, made, are))

    def _by_hand(self) -> str:
        return f"Write this into {self.path} yourself, then run again:\n    " + "\n    ".join(self._lines())

    def _lines(self) -> list[str]:
        strict = ["channel_priority: strict"] * self.strict
        return ["channels:", *(f"  - {c}" for c in self.channels), *strict]
