"""`env`: conda environments with their kernels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from setup_wizard.cli.options import DryRun, Json, Mirror, Yes

app = typer.Typer(
    help="Conda environments, each with its kernel.", rich_markup_mode=None, no_args_is_help=True
)


@app.callback()
def env() -> None:
    """Conda environments, each with its kernel."""


@app.command()
def create(
    source: Annotated[
        str, typer.Argument(metavar="FILE|NAME", help="A YAML file, or the name of one in envs/.")
    ],
    name: Annotated[str | None, typer.Option("--name", "-n", help="Its name; else that in the file.")] = None,
    prefix: Annotated[Path | None, typer.Option("--prefix", "-p", help="Where it goes.")] = None,
    channels: Annotated[str | None, typer.Option(metavar="conda-forge|anaconda")] = None,
    mirror: Mirror = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Create an environment and its kernel; again: nothing to do, or what the changed file asks for."""
    from setup_wizard import environments
    from setup_wizard.answers import Answers, fold, normal_mirror, recall
    from setup_wizard.apply import review
    from setup_wizard.choices import environment
    from setup_wizard.cli.setup import checked_channels
    from setup_wizard.cli.work import How, review_and_apply
    from setup_wizard.conda.spec import check_name
    from setup_wizard.journal import Journal
    from setup_wizard.plan import environment_plan
    from setup_wizard.ui import show
    from setup_wizard.world import World

    world = World.here()
    journal = Journal(world)
    given = Answers(
        channels=checked_channels(channels), mirror=normal_mirror(mirror, Path.cwd()) if mirror else None
    )
    answers = fold(given, recall(world))
    named, spec = environment(source, answers)
    named = check_name(name, "--name") if name else prefix.name if prefix else named
    place = prefix.expanduser().absolute() if prefix else environments.folder(journal.receipt, world) / named
    how = How(yes=yes, dry_run=dry_run, json=json)
    plan = environment_plan(named, spec, place)
    outcomes = review_and_apply(plan, review(plan, world), journal, answers, how)
    if outcomes is None:
        return 0
    changed = [o.step.title for o in outcomes if o.state == "made"]
    if json:
        show.put_json({"ok": True, "name": named, "prefix": place, "changed": changed})
    else:
        show.put(show.environment_ready(named, changed), world)
    return 0
