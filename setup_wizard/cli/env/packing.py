"""`env pack`, `env unpack`: an environment as one file, and from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from setup_wizard.cli.options import DryRun, Json, Yes


def pack(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The environment, or the path of one.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; else NAME.tar.zst here.")
    ] = None,
    form: Annotated[
        str, typer.Option("--format", metavar="tar.zst|tar.gz|squashfs", help="Else as the file's name says.")
    ] = "",
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Pack an environment into one file, for the disk of a node or another account."""
    from setup_wizard.environments import packs
    from setup_wizard.journal import Journal
    from setup_wizard.ui import packing, show
    from setup_wizard.world import World

    world = World.here()
    wanted = packs.prepare(Journal(world), name, output, form)
    size = 0
    if not dry_run:
        with show.live(world, err=json) as live:
            size = packs.write(world, wanted, live.report)
    if json:
        show.put_json({"ok": True, **packing.facts(wanted, size)})
    else:
        show.put(packing.packed(wanted, size), world)
    return 0


def unpack(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `env pack` has written.")],
    name: Annotated[str | None, typer.Option("--name", "-n", help="Its name; else as it was.")] = None,
    prefix: Annotated[Path | None, typer.Option("--prefix", "-p", help="Where it goes.")] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Make an environment and its kernel from a packed file: nothing is solved, nothing downloaded."""
    from setup_wizard.answers import Answers, fold, recall
    from setup_wizard.apply import review, told
    from setup_wizard.cli.work import How, review_and_apply
    from setup_wizard.environments import packs
    from setup_wizard.journal import Journal
    from setup_wizard.ui import show
    from setup_wizard.world import World

    world = World.here()
    journal, how = Journal(world), How(yes, dry_run, json)
    plan = packs.plan(world, journal.receipt, file, name, prefix)
    step = plan.steps[0]
    outcomes = review_and_apply(review(plan, world), journal, fold(Answers(), recall(world)), how)
    if outcomes is None:
        return 0
    made = told(outcomes)
    called, where = getattr(step, "name", ""), getattr(step, "prefix", None)
    if json:
        show.put_json({"ok": True, "name": called, "prefix": where, **made})
    else:
        show.put(show.environment_ready(called, made["changed"]), world)
    return 0
