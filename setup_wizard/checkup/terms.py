"""Anaconda's channels, which have terms of use: in what is installed, in the file, in what conda reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from setup_wizard import files
from setup_wizard.checkup.remark import Remark
from setup_wizard.conda import found
from setup_wizard.conda.channels import TERMS, is_anacondas
from setup_wizard.conda.damage import Look, Record
from setup_wizard.conda.spec import load
from setup_wizard.environments.changes import file_of
from setup_wizard.environments.inventory import Place
from setup_wizard.errors import BadInput
from setup_wizard.journal import Receipt
from setup_wizard.steps import CondaEnv, condarc_text
from setup_wizard.steps.yaml_lines import Odd
from setup_wizard.world import World

CONDARCS = (".config/conda/.condarc", ".conda/.condarc", ".conda/condarc", ".condarc")  # in the home


def remarks(place: Place, look: Look, receipt: Receipt, world: World) -> Iterator[Remark]:
    """What came from there, and what will when something is installed."""
    yield from _installed(look.records)
    entry = receipt.get(f"conda_env:{place.prefix}")
    if entry and isinstance(entry.step, CondaEnv):
        yield from _in_file(entry.step)
    for path in _condarcs(place.prefix, world):
        yield from _in_condarc(path)


def _installed(records: Sequence[Record]) -> Iterator[Remark]:
    theirs = [r.name for r in records if is_anacondas(_channel(r))]
    if theirs:
        more = f" and {len(theirs) - 3} more" if len(theirs) > 3 else ""
        text = f"{', '.join(theirs[:3])}{more} came from Anaconda's channels («defaults»)"
        fix = f"Read whether their terms of use let you ({TERMS}), or make it anew from conda-forge."
        yield Remark("channels", "warn", text, fix)


def _channel(record: Record) -> str:
    """The channel's address or name, without the platform that conda's records have behind it."""
    if record.url:
        return record.url.rsplit("/", 2)[0]
    return re.sub(r"/(noarch|[a-z]+-[a-z0-9]+)/?$", "", record.channel)


def _in_file(step: CondaEnv) -> Iterator[Remark]:
    """The YAML that says what the environment should hold, as it is by now."""
    try:
        path, text, _ = file_of(step)
        file = load(path, text)
    except (BadInput, OSError, UnicodeError):  # what is wrong with it is told where it is used
        return
    for i, channel in enumerate(file.value.channels or ()):
        if is_anacondas(channel):
            yield _named(file.at("channels", i), channel, "Write conda-forge in its place.")


def _condarcs(prefix: Path, world: World) -> Iterator[Path]:
    """Those that conda reads for the environment: of the conda that it lies in, of the user, its own."""
    if prefix.parent.name == "envs" and found.is_conda(prefix.parent.parent):
        yield prefix.parent.parent / ".condarc"
    yield from (world.home / path for path in CONDARCS)
    yield prefix / ".condarc"


def _in_condarc(path: Path) -> Iterator[Remark]:
    try:
        listed = condarc_text.read(files.read_text(path)).channels or ()
    except (Odd, OSError):
        return
    for channel in filter(is_anacondas, listed):
        fix = f"conda config --file {path} --prepend channels conda-forge --remove channels {channel}"
        yield _named(str(path), channel, fix)


def _named(where: str, channel: str, fix: str) -> Remark:
    text = f"{where}: «{channel}» is a channel of Anaconda's, with terms of use"
    return Remark("channels", "warn", text, fix)
