"""`env clean`: the trash, packages that no environment uses, and what crashes have left."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from setup_wizard.cli.options import DryRun, Json, Yes

if TYPE_CHECKING:
    from setup_wizard.environments.leftovers import Asked


def clean(
    trash: Annotated[bool, typer.Option("--trash", help="Only the environments that were deleted.")] = False,
    caches: Annotated[
        bool, typer.Option("--caches", help="Only packages that nothing uses, and downloads.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also unused packages of other condas, and pip's downloads.")
    ] = False,
    older_than: Annotated[
        float, typer.Option(min=0, metavar="DAYS", help="Only what has been there for so many days.")
    ] = 0,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Give back room: empty the trash, remove packages that nothing uses, and what crashes have left."""
    from setup_wizard.cli.work import How, agree
    from setup_wizard.environments import leftovers
    from setup_wizard.journal import Journal
    from setup_wizard.ui import leftover_pages, show
    from setup_wizard.world import World

    world, how = World.here(), How(yes, dry_run, json)
    journal = Journal(world)
    found = leftovers.find(world, journal.receipt, _asked(trash, caches, everything, older_than))
    if not json:
        show.put(leftover_pages.leftovers(found, world.home, long=dry_run), world)
    if found and not dry_run:
        agree("Remove this for good?", how)
        with journal if journal.is_there else contextlib.nullcontext(), show.live(world, err=json):
            for left in found:
                leftovers.remove(left, journal)
    if json:
        show.put_json({"ok": True, "removed": not dry_run, **leftover_pages.told(found)})
    elif found and not dry_run:
        show.put(leftover_pages.given_back(found), world)
    return 0


def _asked(trash: bool, caches: bool, everything: bool, days: float) -> Asked:
    """What the flags come to: none is all of ours."""
    from setup_wizard.environments.leftovers import Asked

    all_of_ours = everything or not (trash or caches)
    return Asked(trash or all_of_ours, caches or all_of_ours, all_of_ours, everything, days)
