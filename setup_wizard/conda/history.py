"""conda-meta/history: what conda reads for `list --revisions` and `env export --from-history`.

rattler leaves it empty. Here it is written as conda does, each time from what it says already: after a crash
the next run adds what is missing.
"""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from setup_wizard import __version__, files
from setup_wizard.conda.contents import records


def update(prefix: Path, asked: Sequence[str], now: float, theirs: Sequence[str] = ()) -> None:
    """Write down how the packages differ from what the history says, and what was asked for.

    What somebody else has asked for, the packages `theirs`, stays asked for.
    """
    path = prefix / "conda-meta" / "history"
    text = files.read_text(path)
    was, is_now = _packages(text), {record.stem: record.dist for record in records(prefix)}
    before = {name: spec for name, spec in _asked(text).items() if name not in theirs}
    gone = sorted(name for name in before if name not in {_name(a) for a in asked})
    if was.keys() == is_now.keys() and not gone and sorted(before.values()) == sorted(asked):
        return
    lines = [
        time.strftime("==> %Y-%m-%d %H:%M:%S <==", time.localtime(now)),
        f"# cmd: hpc-jupyter-setup env create -p {prefix}",
        f"# hpc-jupyter-setup version: {__version__}",
        *(f"-{dist}" for dist in sorted(was[stem] for stem in was.keys() - is_now.keys())),
        *(f"+{dist}" for dist in sorted(is_now[stem] for stem in is_now.keys() - was.keys())),
        *([f"# remove specs: {gone!r}"] if gone else []),
        f"# update specs: {list(asked)!r}",
    ]
    files.write_text(path, text + "\n".join(lines) + "\n")


def wanted(prefix: Path) -> list[str]:
    """What was asked for, all in all."""
    return list(_asked(files.read_text(prefix / "conda-meta" / "history")).values())


def _packages(text: str) -> dict[str, str]:
    """The packages after the last entry, as it calls them, by what they are wherever they came from."""
    there: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("+"):
            there[_stem(line)] = line[1:]
        elif line.startswith("-"):
            there.pop(_stem(line), None)
    return there


def _stem(line: str) -> str:
    return line[1:].rpartition("::")[2]


def _asked(text: str) -> dict[str, str]:
    """What was asked for after the last entry, by package."""
    asked: dict[str, str] = {}
    for what, listed in re.findall(r"^# (update|remove|install) specs: (\[.*\])$", text, re.MULTILINE):
        for spec in _specs(listed):
            asked.pop(_name(spec), None)
            if what != "remove":
                asked[_name(spec)] = spec
    return asked


def _specs(listed: str) -> list[str]:
    """The specs in a line; none where it is not as conda writes it: a file that anybody may edit."""
    try:
        value = ast.literal_eval(listed)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return []
    return [spec for spec in value if isinstance(spec, str)]


def _name(spec: str) -> str:
    return re.split(r"[\s=<>!~\[]", spec.rpartition("::")[2], maxsplit=1)[0].lower()


class Revision(msgspec.Struct, frozen=True):
    """An entry: its number, from 0, as `conda list --revisions` counts; its time as it is written there.

    `added` and `removed` are packages with their versions; one that was changed is in both.
    """

    number: int
    at: str
    command: str = ""
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def revisions(prefix: Path) -> list[Revision]:
    """Every change that is written down, oldest first."""
    parts = re.split(
        r"^==> (.*) <==$", files.read_text(prefix / "conda-meta" / "history"), flags=re.MULTILINE
    )
    return [
        Revision(n, at, _command(text), _listed(text, "+"), _listed(text, "-"))
        for n, (at, text) in enumerate(zip(parts[1::2], parts[2::2], strict=True))
    ]


def _command(text: str) -> str:
    said = re.search(r"^# cmd: (.*)$", text, re.MULTILINE)
    return said[1] if said else ""


def _listed(text: str, sign: str) -> tuple[str, ...]:
    stems = (_stem(line) for line in text.splitlines() if line.startswith(sign))
    return tuple(" ".join(stem.rsplit("-", 2)[:2]) for stem in stems)
