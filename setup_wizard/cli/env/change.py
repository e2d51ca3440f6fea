"""`env install`, `env update`, `env remove-package`: the packages of an environment that is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from setup_wizard.cli.options import (
    Account,
    AsJob,
    DryRun,
    Engine,
    Json,
    Memory,
    Mirror,
    Offline,
    Partition,
    TimeLimit,
    WhileRunning,
    Yes,
)

if TYPE_CHECKING:
    from setup_wizard.cli.work import How
    from setup_wizard.environments.changes import Change, Changing
    from setup_wizard.steps import CondaEnv

Words = Annotated[list[str], typer.Argument(metavar="NAME PACKAGE…", help="The environment, and packages.")]
Prefix = Annotated[
    Path | None, typer.Option("--prefix", "-p", help="The environment's folder, in the place of its NAME.")
]


class More(NamedTuple):
    """Where from, which engine does it, and whether a server may be asked."""

    mirror: str | None
    engine: str
    offline: bool


def install(
    words: Words,
    prefix: Prefix = None,
    while_running: WhileRunning = False,
    engine: Engine = "",
    mirror: Mirror = None,
    offline: Offline = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
    as_job: AsJob = False,
    partition: Partition = "",
    account: Account = "",
    time_limit: TimeLimit = "",
    memory: Memory = "",
) -> int:
    """Install packages (numpy, numpy=2.1, "numpy>=2") and write them into the environment's YAML file."""
    from setup_wizard.cli.work import How, job
    from setup_wizard.environments.changes import Change

    name, packages = _named(words, prefix)
    _must_be(packages, "env install NAME numpy")
    return _change(
        name,
        Change(install=packages),
        How(yes, dry_run, json, job(as_job, partition, account, time_limit, memory), while_running),
        More(mirror, engine, offline),
    )


def update(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME [PACKAGE…]", help="The environment, and packages; none: all of them."),
    ] = None,
    prefix: Prefix = None,
    everything: Annotated[bool, typer.Option("--all", help="All packages, as without any names.")] = False,
    while_running: WhileRunning = False,
    engine: Engine = "",
    mirror: Mirror = None,
    offline: Offline = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
    as_job: AsJob = False,
    partition: Partition = "",
    account: Account = "",
    time_limit: TimeLimit = "",
    memory: Memory = "",
) -> int:
    """Bring packages to the newest versions that the environment's YAML file allows."""
    from setup_wizard.cli.work import How, job
    from setup_wizard.conda.spec import package_name
    from setup_wizard.environments.changes import Change
    from setup_wizard.errors import BadInput

    name, packages = _named(words or [], prefix)
    if versions := [p for p in packages if package_name(p) != p]:
        raise BadInput(
            f"«{versions[0]}» is more than the name of a package.",
            fix=f'To ask for a version: hpc-jupyter-setup env install {name} "{versions[0]}"',
        )
    newest = packages if packages and not everything else ("*",)
    return _change(
        name,
        Change(newest=newest),
        How(yes, dry_run, json, job(as_job, partition, account, time_limit, memory), while_running),
        More(mirror, engine, offline),
    )


def remove_package(
    words: Words,
    prefix: Prefix = None,
    while_running: WhileRunning = False,
    engine: Engine = "",
    mirror: Mirror = None,
    offline: Offline = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Remove packages from an environment, with all that only they needed, and from its YAML file."""
    from setup_wizard.cli.work import How
    from setup_wizard.environments.changes import Change

    name, packages = _named(words, prefix)
    _must_be(packages, "env remove-package NAME numpy")
    return _change(
        name,
        Change(remove=packages),
        How(yes, dry_run, json, while_running=while_running),
        More(mirror, engine, offline),
    )


def _named(words: list[str], prefix: Path | None) -> tuple[str, tuple[str, ...]]:
    """The environment as it was given, and the packages."""
    from setup_wizard.errors import BadInput

    if prefix:
        return str(prefix.expanduser().absolute()), tuple(words)
    if not words:
        raise BadInput("Which environment?", fix="See which there are: hpc-jupyter-setup env list")
    return words[0], tuple(words[1:])


def _must_be(packages: tuple[str, ...], example: str) -> None:
    from setup_wizard.errors import BadInput

    if not packages:
        raise BadInput("No package was named.", fix=f"For example: hpc-jupyter-setup {example}")


def _change(name: str, asked: Change, how: How, more: More) -> int:
    import msgspec

    from setup_wizard import environments
    from setup_wizard.answers import Answers, fold, normal_mirror, recall
    from setup_wizard.apply import review, told
    from setup_wizard.cli.work import review_and_apply
    from setup_wizard.environments import changes
    from setup_wizard.journal import Journal
    from setup_wizard.ui import show
    from setup_wizard.world import World

    mirror, engine, offline = more
    world = World.here(offline=offline)
    given = Answers(mirror=normal_mirror(mirror, Path.cwd()) if mirror else None)
    answers, journal = fold(given, recall(world)), Journal(world)
    step = msgspec.structs.replace(
        changes.find(name, journal.receipt, world),
        engine=environments.engine(engine, journal.receipt, world),
    )
    with show.live(world, err=how.json) as live:
        change = changes.prepare(journal, step, asked, answers, live.report)
    outcomes = review_and_apply(review(change.plan, world), journal, answers, how)
    if outcomes is not None:
        _say(step, change, told(outcomes), how)
    return 0


def _say(step: CondaEnv, change: Changing, made: dict[str, list[str]], how: How) -> None:
    from setup_wizard.ui import environment_changes, show

    if how.json:
        facts = {"name": step.name, "prefix": step.prefix, "file": change.file, **made}
        show.put_json({"ok": True, **facts, "difference": change.difference, "notes": change.notes})
    else:
        show.put(environment_changes.changed(step.name, change, made["changed"]))
