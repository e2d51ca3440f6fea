"""Packages of an environment of ours: install, update and remove them, and keep its YAML file in step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from setup_wizard import environments
from setup_wizard.answers import Answers
from setup_wizard.conda import change, contents, environment, frozen
from setup_wizard.conda.asked import edited, text_of
from setup_wizard.conda.change import Difference
from setup_wizard.conda.foresight import foreseen
from setup_wizard.conda.secret_variables import unsaid
from setup_wizard.conda.spec import EnvSpec, catalogue, package_name, read_spec
from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.files import may_write
from setup_wizard.hints import did_you_mean
from setup_wizard.journal import Journal, Receipt
from setup_wizard.plan import Plan
from setup_wizard.steps import CondaEnv, EnvFile, Kernel
from setup_wizard.steps.env_file import digest
from setup_wizard.world import Report, World


class Change(msgspec.Struct, frozen=True):
    """What is asked: packages to `install` («numpy=2»), to `remove`, and to move on (`newest`; «*»: all)."""

    install: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    newest: tuple[str, ...] = ()


class Changing(msgspec.Struct, frozen=True):
    """The plan of a change, what it does to the packages, the file kept in step, and what else to say."""

    plan: Plan
    difference: Difference
    file: Path
    notes: tuple[str, ...] = ()


def find(name: str | None, receipt: Receipt, world: World) -> CondaEnv:
    """The environment of ours that a name or a path stands for. Raises BadInput, MachineBlocks."""
    prefix = environments.pick(name, receipt, world)
    entry = receipt.get(f"conda_env:{prefix}")
    if entry and isinstance(entry.step, CondaEnv):
        return entry.step
    raise MachineBlocks(
        f"{prefix} was not made by this setup, so its packages stay as they are.",
        fix=f"Change it with the conda that made it: conda install -p {prefix} PACKAGE",
    )


def prepare(journal: Journal, step: CondaEnv, asked: Change, answers: Answers, report: Report) -> Changing:
    """What the change would do; asks the channels, changes nothing. Raises BadInput, PackagesQuarrel, …"""
    world = journal.world
    if trouble := frozen.trouble(step.prefix, step.spec):
        raise trouble
    _refuse_unknown(step, asked)
    path, old, own = file_of(step)
    new = edited(old, path, asked.install, asked.remove)
    spec = _spec(path, new, step.spec, answers)
    wish = msgspec.structs.replace(spec, source=None, places=())  # what is new stands in no file yet
    solution = environment.solve(world, step.prefix, wish, report, newest=asked.newest, engine=step.engine)
    difference = change.difference(step.prefix, solution.packages)
    after = step.later(
        spec=spec if own else wish,
        packages=solution.packages,
        update=change.digest(solution.packages),
        file="" if own else unsaid(new, path),
    )
    if not difference and environment.standing(world, step.prefix, after.spec) == "complete":
        after = msgspec.structs.replace(after, packages=(), update="")
    else:
        difference = foreseen(world, step.prefix, solution.packages)
        after = msgspec.structs.replace(after, reinstall=difference.again)
    kept = [_file_step(journal, spec, step, asked, old)] if own and (asked.install or asked.remove) else []
    plan = Plan((after, *kept, Kernel(step.name, step.prefix)))
    return Changing(plan, difference, path if own else step.prefix / contents.FILE, _notes(asked, after))


def _refuse_unknown(step: CondaEnv, asked: Change) -> None:
    """What is to be removed must have been asked for; what is to move on must be there."""
    there = {contents.name_of(stem) for stem in contents.stems(step.prefix)}
    for name in asked.newest:
        if name != "*" and name not in there:
            raise BadInput(
                f"{step.name} has no package «{name}».{did_you_mean(name, there)}",
                fix=f"Install it: hpc-jupyter-setup env install {step.name} {name}",
            )
    _, text, _ = file_of(step)
    wanted = {package_name(d) for d in read_spec(step.prefix, anaconda=True, text=text).dependencies}
    for name in (package_name(r) for r in asked.remove):
        if name not in wanted:
            raise _not_asked_for(step, name, there, wanted)


def _not_asked_for(step: CondaEnv, name: str, there: set[str], wanted: set[str]) -> BadInput:
    if name in contents.theirs(step.prefix):
        return BadInput(
            f"«{name}» was added to {step.name} with another program.",
            fix=f"conda remove -p {step.prefix} {name}",
        )
    if name in there:
        return BadInput(
            f"«{name}» is in {step.name} because others need it; nobody has asked for it by name.",
            fix=f"Remove what needs it; asked for are: {', '.join(sorted(wanted))}",
        )
    return BadInput(
        f"{step.name} has no package «{name}».{did_you_mean(name, wanted)}",
        fix=f"Asked for are: {', '.join(sorted(wanted))}",
    )


def file_of(step: CondaEnv) -> tuple[Path, str, bool]:
    """The YAML that says what the environment should hold, its text, and whether it is the user's own file.

    A file that ships with us, is gone, or may not be written stays as it is: a copy inside takes its place.
    """
    source, inside = step.spec.source, step.prefix / contents.FILE
    if inside.exists() and _asks(inside) == sorted(step.spec.dependencies):  # else a file came after it
        return inside, inside.read_text("utf-8"), False
    if source and source.is_file():
        own = source not in {n.path for n in catalogue()} and may_write(source)
        return source, source.read_bytes().decode("utf-8"), own
    return inside, text_of(step.spec, step.name), False


def _asks(path: Path) -> list[str]:
    return sorted(read_spec(path, anaconda=True).dependencies)


def _spec(path: Path, text: str, before: EnvSpec, answers: Answers) -> EnvSpec:
    spec = read_spec(path, anaconda=answers.channels == "anaconda", text=text)
    mirrored = (f"{answers.mirror}/conda-forge",) if answers.mirror else spec.channels
    return msgspec.structs.replace(spec, channels=mirrored, name=spec.name or before.name)


def _file_step(journal: Journal, spec: EnvSpec, step: CondaEnv, asked: Change, text: str) -> EnvFile:
    """All that we have changed in the file, of earlier changes what the user has left so."""
    assert spec.source
    entry = journal.receipt.get(f"env_file:{spec.source}")
    before = entry.step if entry and isinstance(entry.step, EnvFile) else EnvFile(spec.source, step.prefix)
    now = {package_name(p) for p in (*asked.install, *asked.remove)}
    there = {package_name(d) for d in spec.dependencies}
    return EnvFile(
        spec.source,
        step.prefix,
        (*(a for a in before.add if package_name(a) not in now and a in spec.dependencies), *asked.install),
        (*(r for r in before.remove if r not in there | now), *(package_name(r) for r in asked.remove)),
        since=digest(text),
    )


def _notes(asked: Change, after: CondaEnv) -> tuple[str, ...]:
    still = {p.name for p in after.packages}
    names: Sequence[str] = [package_name(r) for r in asked.remove]
    return tuple(f"{n} stays installed, since other packages need it" for n in names if n in still)
