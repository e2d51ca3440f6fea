"""`env create`: an environment and its kernel, from a file, an address, a name, or packages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from setup_wizard.cli.options import (
    Account,
    AsJob,
    ByteCode,
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
    from setup_wizard.answers import Answers
    from setup_wizard.choices import Wish
    from setup_wizard.cli.work import How
    from setup_wizard.journal import Journal
    from setup_wizard.world import World


def create(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|URL|NAME|PACKAGE…",
            help="An environment.yml, a lock, an @EXPLICIT list, the name of one in envs/, or packages.",
        ),
    ],
    name: Annotated[str | None, typer.Option("--name", "-n", help="Its name; else that in the file.")] = None,
    prefix: Annotated[Path | None, typer.Option("--prefix", "-p", help="Where it goes.")] = None,
    channel: Annotated[
        list[str] | None,
        typer.Option("--channel", "-c", help="Of packages: a channel; several count in order."),
    ] = None,
    channels: Annotated[str | None, typer.Option(metavar="conda-forge|anaconda")] = None,
    frozen: Annotated[
        bool, typer.Option("--frozen", help="Take a lock as it is, also where its YAML has changed since.")
    ] = False,
    engine: Engine = "",
    mirror: Mirror = None,
    offline: Offline = False,
    byte_code: ByteCode = None,
    while_running: WhileRunning = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
    as_job: AsJob = False,
    partition: Partition = "",
    account: Account = "",
    time_limit: TimeLimit = "",
    memory: Memory = "",
) -> int:
    """Create an environment and its kernel; again: nothing to do, or what the changed file asks for."""
    from setup_wizard.answers import Answers, normal_mirror
    from setup_wizard.choices import Wish
    from setup_wizard.cli.setup import checked_channels
    from setup_wizard.cli.work import How, job
    from setup_wizard.ui import show
    from setup_wizard.world import World

    world = World.here(offline=offline)
    given = Answers(
        channels=checked_channels(channels),
        mirror=normal_mirror(mirror, Path.cwd()) if mirror else None,
        byte_code=byte_code,
    )
    how = How(yes, dry_run, json, job(as_job, partition, account, time_limit, memory), while_running)
    place, done = made(world, words, given, how, Wish(name, prefix, channel or (), frozen, engine))
    if done is None:
        return 0
    if json:
        show.put_json({"ok": True, "name": name or place.name, "prefix": place, **done})
    else:
        show.put(show.environment_ready(name or place.name, done["changed"]), world)
    return 0


def made(
    world: World, words: Sequence[str], given: Answers, how: How, wish: Wish | None = None
) -> tuple[Path, dict[str, list[str]] | None]:
    """The prefix of the environment that the words describe, and what was changed for it, with warnings.

    None where it was only shown.
    """
    from setup_wizard import environments
    from setup_wizard.answers import fold, recall
    from setup_wizard.apply import review, told
    from setup_wizard.choices import Wish, described
    from setup_wizard.cli.work import review_and_apply
    from setup_wizard.conda.spec import check_name
    from setup_wizard.journal import Journal
    from setup_wizard.plan import environment_plan

    journal, wish = Journal(world), wish or Wish()
    answers, prefix = fold(given, recall(world)), wish.prefix
    named, spec = described(words, answers, world, wish, environments.specs(journal.receipt))
    named = check_name(wish.name, "--name") if wish.name else prefix.name if prefix else named
    place = prefix or environments.folder(journal.receipt, world) / named
    place = environments.spelled(place, journal.receipt)
    engine = environments.engine(wish.engine, journal.receipt, world)
    plan = environment_plan(named, spec, place, _byte_code(answers, journal, place), engine)
    outcomes = review_and_apply(review(plan, world), journal, answers, how)
    return place, None if outcomes is None else told(outcomes)


def _byte_code(answers: Answers, journal: Journal, prefix: Path) -> bool | None:
    """What was said of byte code now, last time, or when this very environment was made."""
    entry = journal.receipt.get(f"conda_env:{prefix}")
    before: bool | None = getattr(entry.step, "byte_code", None) if entry else None
    return before if answers.byte_code is None else answers.byte_code
