"""All that is wrong with an environment.yml, and what could be better about it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from setup_wizard.conda import sources
from setup_wizard.conda.channels import is_anacondas
from setup_wizard.conda.child import ask
from setup_wizard.conda.other_tools import whose
from setup_wizard.conda.spec import EnvSpec, File, load, package_name, read_spec
from setup_wizard.conda.talk import Request
from setup_wizard.conda.trouble import error_of
from setup_wizard.errors import BadInput
from setup_wizard.world import World, silent
from setup_wizard.yamlfile import Loaded

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
    more, left = _mistakes(text, path)
    found += more
    advice: Iterable[Remark] = ()
    if left is not None:
        spec = read_spec(path, anaconda=True, text=left)
        found += _unreadable(world, spec, path)
        advice = _advice(spec, load(path, left))
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


def _mistakes(text: str, path: Path) -> tuple[list[Remark], str | None]:
    """The mistakes, and what is left of the text and can be read; None where nothing is.

    The reader stops at the first mistake: that line is taken out, and the rest is read again.
    """
    found: list[Remark] = []
    for _ in range(MOST):
        try:
            read_spec(path, anaconda=True, text=text)
            return found, text
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


def _advice(spec: EnvSpec, file: Loaded[File]) -> Iterator[Remark]:
    yield from _advice_on_packages(spec)
    names = {package_name(d) for d in spec.dependencies}
    for i, channel in enumerate(file.value.channels or ()):
        if is_anacondas(channel):
            what = f"«{channel}» is a channel of Anaconda's, with terms of use"
            yield _advised(what, "Write conda-forge there", file.at("channels", i))
    if file.value.channels is None:
        what = "no channels are named; conda then takes its own default"
        yield _advised(what, "Add: channels: [conda-forge]")
    if not spec.name:
        yield _advised("it has no name; each command then needs -n NAME", "Add: name: NAME")
    yield from _advice_on_pip(file)
    if spec.prefix:
        what = "«prefix:» is a path on one machine only, and is not used"
        yield _advised(what, "Remove the line", file.at("prefix"))
    if "python" in names and not names & BRINGS_KERNEL:
        what = "no ipykernel is asked for; Jupyter cannot offer it as a kernel"
        yield _advised(what, "Add: - ipykernel", file.at("dependencies"))


def _advice_on_pip(file: Loaded[File]) -> Iterator[Remark]:
    listed = {package_name(d) for d in file.value.dependencies if isinstance(d, str)}
    for i, entry in enumerate(file.value.dependencies):
        if isinstance(entry, str):
            continue
        if "pip" not in listed:
            what = "«pip:» is used, and the package pip is not listed"
            yield _advised(what, "Add a line: - pip", file.at("dependencies", i))
        for j, line in enumerate(entry.get("pip", ())):
            if not re.search(r"[=<>~@]|^-", line):
                what, at = f"pip: «{line}» has no version", file.at("dependencies", i, "pip", j)
                yield _advised(what, f"Write one: {line}==…", at)


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
            what = "no version of Python is named; another day it is another"
            yield _advised(what, "Write python=3.12", at)
        if re.fullmatch(r"[^=<>]+=[^=<>]+=[^=<>*]+", dependency):
            yield _advised(
                f"«{dependency}» names a build; other platforms, and the channel one day, have others",
                f"Leave the build out, and keep exact packages in a lock: env lock {spec.source}",
                at,
            )


def _advised(what: str, fix: str, at: str = "1:1") -> Remark:
    """Advice on what stands at LINE:COLUMN, maybe with the file before it."""
    line, column = at.split(":")[-2:]
    return Remark("advice", int(line), int(column), f"{what}.", fix)
