"""`env list`, `env show`: which environments there are, how they stand, and what one of them holds."""

from __future__ import annotations

from typing import Annotated

import typer

from setup_wizard.cli.options import Json


def listing(
    ours: Annotated[bool, typer.Option("--ours", help="Only those that this program has made.")] = False,
    sizes: Annotated[
        bool, typer.Option("--sizes", help="Look at every file for its size anew; slow.")
    ] = False,
    json: Json = False,
) -> int:
    """Show every environment of the account: its Python, its room on disk, its kernel, what is wrong."""
    from setup_wizard.environments import inventory
    from setup_wizard.journal import Journal
    from setup_wizard.ui import environment_pages, show
    from setup_wizard.world import World

    world = World.here()
    receipt = Journal(world).receipt
    which = [p for p in inventory.places(receipt, world) if p.ours or not ours]
    seen = inventory.glances(receipt, world, which, measure=sizes)
    if json:
        show.put_json({"ok": True, "environments": seen})
    else:
        show.put(environment_pages.listed(seen, world.now(), world.home), world)
    return 0


def particulars(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The environment, or the path of one.")],
    packages: Annotated[bool, typer.Option("--packages", help="Every package, with its build.")] = False,
    json: Json = False,
) -> int:
    """Show what was asked of an environment, what it holds, its changes, and what its file says else."""
    from setup_wizard.environments import inventory
    from setup_wizard.environments import particulars as known
    from setup_wizard.journal import Journal
    from setup_wizard.ui import environment_page, show
    from setup_wizard.world import World

    world = World.here()
    receipt = Journal(world).receipt
    seen = known.find(inventory.whole(receipt, world, name), receipt, world)
    if json:
        told = show.json_of(seen)
        show.put_json({"ok": True, **told.pop("glance"), **told})
    else:
        show.put(environment_page.particulars(seen, packages, world.now(), world.home), world)
    return 0
