"""Makes the `conda` command known in the user's shell, by a marked block in its start file."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import msgspec

from setup_wizard import blocks
from setup_wizard.step import Before, Blocked, Done, Forecast, State
from setup_wizard.steps import rc_file, textfile
from setup_wizard.world import Report, World


class ShellBlock(msgspec.Struct, frozen=True, kw_only=True, tag="shell_block"):
    """Reads the static `conda.sh` of `prefix` in the start file `path` of `shell`.

    The block goes to the end of the file: behind a guard that sends non-interactive shells away early, and
    harmless where there is none. It starts no Python, activates nothing, prints nothing, bears `set -eu`,
    and is silent when the prefix has vanished.
    """

    path: Path
    shell: str
    prefix: Path

    @classmethod
    def of(cls, home: Path, shell: str, prefix: Path) -> ShellBlock:
        """The block for a login shell by name; for one that we do not edit, `check` says what to add."""
        return cls(path=rc_file.rc_file(home, shell), shell=shell, prefix=prefix)

    @property
    def title(self) -> str:
        return f"Add conda to {self.path}"

    @property
    def key(self) -> str:
        return f"shell_block:{self.path}"

    def check(self, world: World) -> State:
        line = rc_file.line_by_hand(self.shell, self.prefix)
        by_hand = f"Add this line to {self.path} yourself, then run again:\n    {line}"
        if self._holds(line):
            return Done(f"{self.path} holds a line of your own for it")
        if problem := self._foreign_shell(world):
            return Blocked(problem, by_hand)
        return rc_file.edited(world, self.shell, self.path, self._insert, by_hand)

    def forecast(self, world: World, report: Report) -> Forecast:
        return Forecast()

    def apply(self, world: World, report: Report) -> None:
        state = self.check(world)
        textfile.write(state, self.path, self._insert)

    def undo(self, before: Before, world: World) -> Sequence[Path]:
        return textfile.take_back(before, same_but_for_our_block, blocks.remove)

    def _insert(self, text: str) -> str:
        return blocks.insert(text, body(self.prefix))

    def _holds(self, line: str) -> bool:
        """The user has added the line that we asked for."""
        return line in [own.strip() for own in textfile.text_of(self.path).split("\n")]

    def _foreign_shell(self, world: World) -> str:
        if self.shell not in rc_file.SHELLS:
            return f"The login shell is {self.shell or 'not known'}, whose start files are not edited here."
        zdotdir = world.env.get("ZDOTDIR") if self.shell == "zsh" else None
        if zdotdir and Path(zdotdir) != self.path.parent:
            return f"zsh reads its files from ZDOTDIR={zdotdir}, not from {self.path.parent}."
        return ""


def body(prefix: Path) -> str:
    """The lines between the marks. The backslash is for users who have made «.» an alias."""
    script = shlex.quote(str(prefix / "etc/profile.d/conda.sh"))
    return (
        "# Makes the `conda` command known; starts no Python and activates nothing.\n"
        "# Lines between these marks are not kept. To take them out: hpc-jupyter-setup undo\n"
        f"if [ -r {script} ]; then\n"
        f"    \\. {script} || :\n"
        "fi"
    )


def same_but_for_our_block(old: str, now: str) -> bool:
    """The user has changed nothing outside of our block."""
    return blocks.remove(old) == blocks.remove(now)
