"""`env list`: which environments there are, and how they stand."""

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
    from setup_wizard import inventory
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
