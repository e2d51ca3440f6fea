"""Packages of an environment of the user's, installed again by the conda or mamba that it is from, as a step.

The environment stays the user's: what was mended is not taken back.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from setup_wizard import files
from setup_wizard.conda import contents, damage, program, said
from setup_wizard.conda.channels import shown
from setup_wizard.conda.spec import EnvSpec
from setup_wizard.conda.talk import Package
from setup_wizard.errors import CommandFailed
from setup_wizard.step import Before, Done, Download, Forecast, State, Todo
from setup_wizard.world import Progress, Report, World

TORN = ".torn"  # behind the name of a record that cannot be read, while it is made anew: conda stops at it


class Reinstalled(msgspec.Struct, frozen=True, tag="reinstalled"):
    """The packages `stems` of the environment at `prefix` are as they should be; `by` has installed them.

    Beside the channels of the user's condarc those count that the packages came from.
    """

    prefix: Path
    stems: tuple[str, ...]
    by: Path
    channels: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"Let {self.by.name} install packages in {self.prefix} again"

    @property
    def key(self) -> str:
        return f"reinstalled:{self.prefix}"

    @property
    def command(self) -> str:
        """What does it, as one would type it."""
        return shlex.join([str(self.by), *self._words])

    def check(self, world: World) -> State:
        if not self._wrong() and not self._aside():
            return Done(f"they are as they should be: {', '.join(map(contents.name_of, self.stems))}")
        return Todo(self.command, files.NoFile(self._record(self.stems[0], TORN)))

    def forecast(self, world: World, report: Report) -> Forecast:
        """What the program would download; of a record that it cannot read it could not tell.

        Raises CommandFailed where it would do more than it is asked to.
        """
        if self._torn():
            return Forecast()
        report(Progress(f"Ask {self.by.name} what it would do"))
        answer = program.run(world, self.by, [*self._words, "--dry-run"], self._spec)
        gone, coming = said.changed(answer)
        others = (gone - set(self._spec.dependencies)) | ({_stem(p) for p in coming} - set(self.stems))
        if others:
            raise _more(self, others)
        fetched = [package for package in coming if not package.cached]
        downloads = [
            Download(p.url.rpartition("/")[2], shown(p.url), p.size, p.sha256 if len(p.sha256) == 64 else "")
            for p in fetched
        ]
        return Forecast(tuple(downloads))

    def apply(self, world: World, report: Report) -> None:
        for stem in self._torn():
            os.replace(self._record(stem), self._record(stem, TORN))
        try:
            report(Progress(f"{self.by.name} works"))
            if self._wrong():
                program.run(world, self.by, self._words, self._spec)
        finally:
            self._drop_or_put_back()
        if wrong := self._wrong():
            raise _still(self.prefix, wrong)

    def undo(self, before: Before, world: World) -> Sequence[Path]:
        """What was mended stays so; a record that was set aside comes back where there is none."""
        self._drop_or_put_back()
        return []

    @property
    def _words(self) -> list[str]:
        wanted = ("=".join(stem.rsplit("-", 2)) for stem in self.stems)
        channels = (word for channel in self.channels for word in ("-c", channel))
        return ["install", "-p", str(self.prefix), "--force-reinstall", "--no-deps", *wanted, *channels]

    @property
    def _spec(self) -> EnvSpec:
        """What is asked, for messages."""
        return EnvSpec(self.prefix.name, self.channels, tuple(map(contents.name_of, self.stems)))

    def _torn(self) -> list[str]:
        unreadable = damage.look(self.prefix, packages_only=True, among=self.stems).unreadable
        return [stem for stem in unreadable if stem in self.stems]

    def _wrong(self) -> list[str]:
        """Those that are not as they should be, or are gone."""
        look = damage.look(self.prefix, every_byte=True, packages_only=True, among=self.stems)
        there = contents.stems(self.prefix)
        bad = {record.stem for record in look.records if record.name in look.flaws}
        return [stem for stem in self.stems if stem in bad or stem in look.unreadable or stem not in there]

    def _record(self, stem: str, end: str = "") -> Path:
        return self.prefix / "conda-meta" / f"{stem}.json{end}"

    def _aside(self) -> list[str]:
        """Those whose torn records are still set aside."""
        return [stem for stem in self.stems if self._record(stem, TORN).exists()]

    def _drop_or_put_back(self) -> None:
        for stem in self._aside():
            if self._record(stem).exists():
                self._record(stem, TORN).unlink()
            else:
                os.replace(self._record(stem, TORN), self._record(stem))


def _stem(package: Package) -> str:
    return f"{package.name}-{package.version}-{package.build}"


def _more(step: Reinstalled, others: Iterable[str]) -> CommandFailed:
    """The error for a program that would change other packages as well."""
    return CommandFailed(
        f"{step.by.name} would change more than the damaged packages: {', '.join(sorted(others))}.",
        fix=f"Nothing was changed. If that is right: {step.command}",
    )


def _still(prefix: Path, stems: Sequence[str]) -> CommandFailed:
    """The error for files that came out of a package cache as they had been: one edit reaches both."""
    kept = [where for stem in stems if (where := damage.unpacked_at(prefix, stem))]
    return CommandFailed(
        f"{', '.join(map(contents.name_of, stems))}: as before, as conda's package cache was changed, too.",
        fix="\n".join([*(f"rm -r {where}" for where in kept), f"hpc-jupyter-setup env check {prefix} --fix"]),
    )
