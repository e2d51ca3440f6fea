"""All that is wrong with an environment.yml, and what could be better about it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from setup_wizard.conda.channels import is_anacondas
from setup_wizard.conda.other_tools import whose
from setup_wizard.conda.spec import EnvSpec, package_name, read_spec
from setup_wizard.errors import BadInput

MOST = 50  # mistakes to look for


class Remark(msgspec.Struct, frozen=True):
    """A mistake, or advice: the place in the file, what it is, and what to do."""

    kind: Literal["mistake", "advice"]
    text: str
    fix: str


def lint(path: Path) -> list[Remark]:
    """Every mistake with file:line:column, then advice. Raises BadInput where there is no such file."""
    if not path.is_file():
        read_spec(path)
    text = path.read_bytes().decode("utf-8-sig", "replace")
    if theirs := whose(text, str(path)):
        return [Remark("mistake", theirs.problem, theirs.fix)]
    mistakes, spec = _mistakes(text, path)
    return [*mistakes, *(_advice(spec, text) if spec else ())]


def _mistakes(text: str, path: Path) -> tuple[list[Remark], EnvSpec | None]:
    """The reader stops at the first mistake: that line is taken out, and the rest is read again."""
    found: list[Remark] = []
    for _ in range(MOST):
        try:
            return found, read_spec(path, anaconda=True, text=text)
        except BadInput as e:
            place = re.match(rf"{re.escape(str(path))}:(\d+):\d+: (.*)", e.problem)
            follows = found and place and re.search(r"not YAML|needs the key|empty|no packages", place[2])
            if place is None or follows:
                return found or [Remark("mistake", e.problem, e.fix)], None
            found.append(Remark("mistake", e.problem, e.fix))
            shorter = _without(text, int(place[1]) - 1)
            if shorter == text:
                break
            text = shorter
    return found, None


def _without(text: str, number: int) -> str:
    """The text with a line emptied, and with it all that stands below that line."""
    lines = text.split("\n")
    indent = len(lines[number]) - len(lines[number].lstrip())
    lines[number] = ""
    for i in range(number + 1, len(lines)):
        if lines[i].strip() and len(lines[i]) - len(lines[i].lstrip()) <= indent:
            break
        lines[i] = ""
    return "\n".join(lines)


def _advice(spec: EnvSpec, text: str) -> Iterator[Remark]:
    places = dict(zip(spec.dependencies, (f"{spec.file}:{p}" for p in spec.places), strict=True))
    top = f"{spec.file}:1:1"
    names = Counter(package_name(d) for d in spec.dependencies)
    by_pip = {re.split(r"[^\w.-]", line, maxsplit=1)[0].lower().replace("_", "-") for line in spec.pip}
    if any(is_anacondas(c) for c in spec.channels):
        yield _advised(
            top, "«defaults» are Anaconda's channels, with terms of use", "Write conda-forge there."
        )
    if not re.search(r"^channels:", text, re.MULTILINE):
        yield _advised(
            top, "no channels are named; conda then takes its own default", "Add: channels: [conda-forge]"
        )
    for dependency, at in places.items():
        name = package_name(dependency)
        if names[name] > 1:
            yield _advised(at, f"«{name}» is there {names[name]} times", "Write it once.")
        if name.replace("_", "-") in by_pip:
            yield _advised(at, f"«{name}» comes from conda and from pip", "Leave it with conda.")
        if name == "python" and name == dependency.strip().lower():
            yield _advised(
                at, "no version of Python is named; another day it is another", "Write python=3.12."
            )
    if spec.pip and not re.search(r"^ *- *[\"']?pip[\"']?[ =<>]*[\d.]*[\"']? *(#.*)?$", text, re.MULTILINE):
        yield _advised(top, "«pip:» is used, and the package pip is not listed", "Add a line: - pip")
    for line in spec.pip:
        if not re.search(r"[=<>~@]|^-", line):
            yield _advised(top, f"pip: «{line}» has no version", f"Write one: {line}==…")
    if spec.prefix:
        yield _advised(top, "«prefix:» is a path on one machine only, and is not used", "Remove the line.")


def _advised(at: str, what: str, fix: str) -> Remark:
    return Remark("advice", f"{at}: {what}.", fix)
