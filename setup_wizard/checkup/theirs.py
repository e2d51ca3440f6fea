"""An environment that this setup has not made: what mends it.

Nothing is taken over: its own conda or mamba does the work; kernels that we have made of it are written anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from setup_wizard import files
from setup_wizard.checkup.remark import Checkup
from setup_wizard.checkup.surroundings import kernel_steps
from setup_wizard.conda import contents, damage, found, program
from setup_wizard.conda.channels import shown
from setup_wizard.conda.frozen import CONDAS
from setup_wizard.errors import SetupError
from setup_wizard.journal import Journal
from setup_wizard.steps import AnyStep, Reinstalled
from setup_wizard.world import World

PROGRAMS = tuple(name for names in program.NAMES.values() for name in names)


def program_of(prefix: Path, world: World) -> Path | None:
    """The program that may install packages there again; None where nobody may, or there is none."""
    mine = os.access(prefix / "conda-meta", os.W_OK | os.X_OK) and os.access(prefix, os.W_OK | os.X_OK)
    if not mine or found.is_conda(prefix) or (prefix / CONDAS).exists():
        return None
    return next((path for path in _programs(prefix, world) if os.access(path, os.X_OK)), None)


def steps(seen: Checkup, journal: Journal) -> list[AnyStep]:
    """The steps that mend it; none where nothing can be mended."""
    begun = journal.receipt.get(f"reinstalled:{seen.prefix}")
    mendable = [r for r in seen.remarks if r.mends]
    kernels = kernel_steps(seen.prefix, journal.receipt) if any(r.kind == "kernel" for r in mendable) else []
    damaged = {r.package for r in mendable if r.kind in ("files", "records")}
    by = program_of(seen.prefix, journal.world)
    if begun and isinstance(begun.step, Reinstalled):
        return [begun.step, *kernels]
    stems = tuple(s for s in contents.stems(seen.prefix) if contents.name_of(s) in damaged)
    if not stems or by is None:
        return [*kernels]
    return [Reinstalled(seen.prefix, stems, by, channels(seen.prefix)), *kernels]


def _programs(prefix: Path, world: World) -> Iterator[Path]:
    """That which has made it, as its history tells; the conda that it lies in; another one that is there."""
    text = files.read_text(prefix / "conda-meta/history")
    told = (Path(word) for word in re.findall(r"^# cmd: (/\S+)", text, re.MULTILINE))
    yield from (path for path in told if path.name in PROGRAMS)
    if prefix.parent.name == "envs":
        yield prefix.parent.parent / "bin/conda"
    for engine in program.NAMES:
        try:
            yield program.find(world, engine)
        except SetupError:
            continue


def channels(prefix: Path) -> tuple[str, ...]:
    """Where its packages came from, each once, that of the most first; not those with a secret in them."""
    every = [record.url.rsplit("/", 2)[0] for record in damage.readable(prefix) if "://" in record.url]
    public = {channel for channel in every if shown(channel) == channel}
    return tuple(sorted(public, key=lambda channel: (-every.count(channel), channel)))
