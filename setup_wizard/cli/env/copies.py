"""`env clone`, `env rename`, `env move`: an environment once more, or at another place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from setup_wizard.cli.options import DryRun, Json, WhileRunning, Yes

if TYPE_CHECKING:
    from collections.abc import Callable

    from setup_wizard.cli.work import How
    from setup_wizard.environments.copies import Copying
    from setup_wizard.journal import Journal

Name = Annotated[str, typer.Argument(metavar="NAME", help="The environment, or the folder of one.")]


def clone(
    name: Name,
    new: Annotated[str | None, typer.Argument(metavar="NEW", help="Its name; or give --prefix.")] = None,
    prefix: Annotated[Path | None, typer.Option("--prefix", "-p", help="Where the copy goes.")] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Copy an environment with all that is in it, pip's packages and your own files too; with a kernel."""
    from setup_wizard.cli.env.delete import full
    from setup_wizard.cli.work import How
    from setup_wizard.environments import copies
    from setup_wizard.errors import BadInput
    from setup_wizard.journal import Journal
    from setup_wizard.world import World

    if not new and not prefix:
        raise BadInput("How shall the copy be called?", fix=f"hpc-jupyter-setup env clone {name} NEW")
    journal = Journal(World.here())
    place = prefix.expanduser().absolute() if prefix else None
    copying = copies.clone(full(name), new, place, journal)
    how = _telling(copying, journal, How(yes, dry_run, json))
    return _carry_out(copying, journal, how)


def rename(
    name: Name,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The other name.")],
    while_running: WhileRunning = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Give an environment another name; its kernels follow."""
    from setup_wizard.cli.work import How
    from setup_wizard.environments import copies

    how = How(yes, dry_run, json)
    return _moving(name, lambda full, journal: copies.rename(full, new, journal), how, while_running)


def move(
    name: Name,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where NAME goes: it becomes FOLDER/NAME.")
    ],
    packages: Annotated[
        bool,
        typer.Option("--packages/--no-packages", help="Take its packages along into the cache there."),
    ] = True,
    while_running: WhileRunning = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Take an environment to another folder, on another file system perhaps; its kernels follow."""
    from setup_wizard.cli.work import How
    from setup_wizard.environments import copies

    how, place = How(yes, dry_run, json), folder.expanduser().absolute()

    def plan(full: str, journal: Journal) -> Copying:
        return copies.move(full, place, journal, packages=packages)

    return _moving(name, plan, how, while_running)


def _moving(name: str, plan: Callable[[str, Journal], Copying], how: How, while_running: bool) -> int:
    """Make the plan, or go on with one that a crash has stopped; the old place goes at the end."""
    from setup_wizard.cli.env.delete import full
    from setup_wizard.cli.work import mind_sessions
    from setup_wizard.environments import copies
    from setup_wizard.journal import Journal
    from setup_wizard.world import World

    world = World.here()
    journal = Journal(world)
    copying = copies.interrupted(full(name), journal) or plan(full(name), journal)
    how = _telling(copying, journal, how)
    if not how.dry_run and not while_running:
        mind_sessions(world, copying.old.name, copying.old, how)
    return _carry_out(copying, journal, how)


def _telling(copying: Copying, journal: Journal, how: How) -> How:
    """Show what depends on the environment; in JSON it is told with the rest."""
    import msgspec

    from setup_wizard.ui import environment_endings, show

    if not how.json:
        show.put(environment_endings.depending(copying), journal.world)
    return msgspec.structs.replace(how, facts={"kernels": copying.kernels, **copying.users.facts})


def _carry_out(copying: Copying, journal: Journal, how: How) -> int:
    from setup_wizard.answers import recall
    from setup_wizard.apply import review, told
    from setup_wizard.cli.work import review_and_apply
    from setup_wizard.environments import copies
    from setup_wizard.ui import environment_endings, show

    world = journal.world
    outcomes = review_and_apply(review(copying.plan, world), journal, recall(world), how)
    if outcomes is None:
        return 0
    with journal:
        copies.finish(journal)
    step = copying.step
    if how.json:
        facts = {"name": step.name, "prefix": step.prefix, "from": copying.old, **how.facts}
        show.put_json({"ok": True, **facts, **told(outcomes)})
    else:
        show.put(environment_endings.copied(step, copying.old, world.home), world)
    return 0
