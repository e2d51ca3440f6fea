"""All that is wrong with an environment.yml, and what could be better about it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from setup_wizard.conda import sources
from setup_wizard.conda.channels import is_anacondas
from setup_wizard.conda.child import ask
from setup_wizard.conda.other_tools import whose
from setup_wizard.conda.spec import EnvSpec, package_name, read_spec
from setup_wizard.conda.talk import Request
from setup_wizard.conda.trouble import error_of
from setup_wizard.errors import BadInput
from setup_wizard.world import World, silent

MOST = 50  # mistakes to look for
BRINGS_KERNEL = {"ipykernel", "jupyterlab", "notebook", "jupyter", "r-irkernel"}


class Remark(msgspec.Struct, frozen=True):
    """A mistake, or advice: the place in the file (from 1), what it is, and what to do."""

    kind: Literal["mistake", "advice"]
    line: int
    column: int
    text: str
    fix: str


def lint(world: World, path: Path) -> list[Remark]:
    """Every mistake, then advice. Raises BadInput where there is no such file, or it cannot be read."""
    if not path.is_file():
        read_spec(path)
    try:
        text, found = sources.text_of(path), []
    except BadInput as e:
        found = [_mistake(path, e)]
        text = path.read_bytes()[: sources.MOST].decode("utf-8-sig", "replace")
    if theirs := whose(text, str(path)):
        return [_mistake(path, theirs)]
    more, spec = _mistakes(text, path)
    found += more + (_unreadable(world, spec, path) if spec else [])
    advice = _advice(spec, text) if spec else ()
    return [*sorted(found, key=_place), *sorted(advice, key=_place)]


def _place(remark: Remark) -> tuple[int, int]:
    return remark.line, remark.column


def _mistake(path: Path, e: BadInput) -> Remark:
    place = re.match(rf"{re.escape(str(path))}:(\d+):(\d+): (.*)", e.problem, re.DOTALL)
    return Remark(
        "mistake",
        int(place[1]) if place else 1,
        int(place[2]) if place else 1,
        re.sub(r"\[\d+\]", "", place[3]) if place else e.problem,  # the lines before may have been taken out
        e.fix,
    )


def _mistakes(text: str, path: Path) -> tuple[list[Remark], EnvSpec | None]:
    """The reader stops at the first mistake: that line is taken out, and the rest is read again."""
    found: list[Remark] = []
    for _ in range(MOST):
        try:
            return found, read_spec(path, anaconda=True, text=text)
        except BadInput as e:
            remark = _mistake(path, e)
            if found and re.search(r"not YAML|needs the key|is empty|no packages", remark.text):
                break  # that comes of what was taken out
            found.append(remark)
            shorter = _without(text, remark.line - 1)
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


def _unreadable(world: World, spec: EnvSpec, path: Path) -> list[Remark]:
    """The dependencies that the engine cannot read; it is what will have to."""
    request = Request(spec.urls, spec.dependencies, repodata="", packages="", only_read=True)
    wrong = ask(world, request, spec, silent).unreadable
    return [_mistake(path, e) for f in wrong if isinstance(e := error_of(f, spec), BadInput)]


def _advice(spec: EnvSpec, text: str) -> Iterator[Remark]:
    yield from _advice_on_packages(spec)
    names = {package_name(d) for d in spec.dependencies}
    if any(is_anacondas(c) for c in spec.channels):
        yield _advised("«defaults» are Anaconda's channels, with terms of use", "Write conda-forge there")
    if not re.search(r"^channels:", text, re.MULTILINE):
        yield _advised(
            "no channels are named; conda then takes its own default", "Add: channels: [conda-forge]"
        )
    if not re.search(r"^name:", text, re.MULTILINE):
        yield _advised("it has no name; each command then needs -n NAME", "Add: name: NAME")
    if spec.pip and not re.search(r"^ *- *[\"']?pip[\"']?[ =<>]*[\d.]*[\"']? *(#.*)?$", text, re.MULTILINE):
        yield _advised("«pip:» is used, and the package pip is not listed", "Add a line: - pip")
    for line in spec.pip:
        if not re.search(r"[=<>~@]|^-", line):
            yield _advised(f"pip: «{line}» has no version", f"Write one: {line}==…")
    if spec.prefix:
        yield _advised("«prefix:» is a path on one machine only, and is not used", "Remove the line")
    if "python" in names and not names & BRINGS_KERNEL:
        yield _advised("no ipykernel is asked for; Jupyter cannot offer it as a kernel", "Add: - ipykernel")


def _advice_on_packages(spec: EnvSpec) -> Iterator[Remark]:
    names = Counter(package_name(d) for d in spec.dependencies)
    by_pip = {re.split(r"[^\w.-]", line, maxsplit=1)[0].lower().replace("_", "-") for line in spec.pip}
    for dependency, at in zip(spec.dependencies, spec.places, strict=True):
        name = package_name(dependency)
        if names[name] > 1:
            yield _advised(f"«{name}» is there {names[name]} times", "Write it once", at)
        if name.replace("_", "-") in by_pip:
            yield _advised(f"«{name}» comes from conda and from pip", "Leave it with conda", at)
        if name == "python" and name == dependency.lower():
            yield _advised(
                "no version of Python is named; another day it is another", "Write python=3.12", at
            )
        if re.fullmatch(r"[^=<>]+=[^=<>]+=[^=<>*]+", dependency):
            yield _advised(
                f"«{dependency}» names a build; other platforms, and the channel one day, have others",
                f"Leave the build out, and keep exact packages in a lock: env lock {spec.source}",
                at,
            )


def _advised(what: str, fix: str, at: str = "1:1") -> Remark:
    line, column = at.split(":")
    return Remark("advice", int(line), int(column), f"{what}.", fix)
