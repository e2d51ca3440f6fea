"""`env delete`, `env restore`: an environment goes into the trash, and comes back from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from setup_wizard.cli.options import DryRun, Json, WhileRunning, Yes

if TYPE_CHECKING:
    from setup_wizard.cli.work import How
    from setup_wizard.environments.endings import Ending
    from setup_wizard.world import World

Name = Annotated[str, typer.Argument(metavar="NAME", help="The environment, or the folder of one.")]


def delete(
    name: Name,
    not_ours: Annotated[
        bool, typer.Option("--not-ours", help="Also one that this program has not made.")
    ] = False,
    while_running: WhileRunning = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Put an environment into the trash and take its kernels out of Jupyter; `env restore` brings it back."""
    from setup_wizard.answers import recall
    from setup_wizard.apply import review
    from setup_wizard.cli.work import How, review_and_apply
    from setup_wizard.environments import endings
    from setup_wizard.journal import Journal
    from setup_wizard.ui import environment_endings, show
    from setup_wizard.world import World

    world = World.here()
    journal = Journal(world)
    ending = endings.delete(full(name), journal)
    how = How(yes, dry_run, json, facts=ending.users.facts)
    if not json:
        show.put(environment_endings.dependents(ending, world.home), world)
    if not dry_run:
        _mind(world, ending, how, (not_ours, while_running))
    outcomes = review_and_apply(review(ending.plan, world), journal, recall(world), how)
    if outcomes is None:
        return 0
    step = ending.step
    if json:
        facts = {"name": step.name, "prefix": step.prefix, "trash": step.place, "kernels": step.kernels}
        show.put_json({"ok": True, **facts, "file": ending.file, "ours": ending.ours, **how.facts})
    else:
        show.put(environment_endings.deleted(step, ending.file, world.home), world)
    return 0


def restore(name: Name, yes: Yes = False, dry_run: DryRun = False, json: Json = False) -> int:
    """Bring back an environment that was deleted, with its kernels."""
    from setup_wizard.cli.work import How, agree
    from setup_wizard.environments import endings
    from setup_wizard.journal import Journal
    from setup_wizard.ui import environment_endings, show
    from setup_wizard.world import World

    world, how = World.here(), How(yes, dry_run, json)
    journal = Journal(world)
    step = endings.find_in_trash(full(name), journal.receipt)
    if not json:
        show.put(environment_endings.coming_back(step, world.home), world)
    if not dry_run:
        agree(f"Bring {step.name} back?", how)
        with journal:
            endings.restore(step, journal)
    if json:
        facts = {"name": step.name, "prefix": step.prefix, "trash": step.place, "kernels": step.kernels}
        show.put_json({"ok": True, **facts, "restored": not dry_run})
    elif not dry_run:
        show.put(environment_endings.restored(step, world.home), world)
    return 0


def full(name: str) -> str:
    """A path from the root on; a name as it is."""
    import os
    from pathlib import Path

    return os.path.abspath(Path(name).expanduser()) if "/" in name else name


def _mind(world: World, ending: Ending, how: How, said: tuple[bool, bool]) -> None:
    """Ask for the name of what is not ours, and before Jupyter loses its files; else refuse."""
    from setup_wizard.cli.work import mind_sessions
    from setup_wizard.errors import BadInput

    not_ours, while_running = said
    step = ending.step
    if not ending.ours and not not_ours:
        if not how.asks:
            raise BadInput(
                f"{step.prefix} was not made by this setup.",
                fix=f"If it is to go all the same: hpc-jupyter-setup env delete {step.prefix} --not-ours",
            )
        _ask_by_name(world, step.name)
    if not while_running:
        mind_sessions(world, step.name, step.prefix, how)


def _ask_by_name(world: World, name: str) -> None:
    from setup_wizard.errors import Declined
    from setup_wizard.ui import ask

    if not ask.typed(f"This setup has not made {name}. Type its name to delete it all the same", name, world):
        raise Declined("You did not type its name; nothing was changed.", fix="hpc-jupyter-setup env list")
