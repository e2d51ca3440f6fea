"""`status`: what is ours on this account, and where."""

from __future__ import annotations

from setup_wizard.cli.options import Json


def status(json: Json = False) -> int:
    """Show what was made on this account, and where it is."""
    from setup_wizard import environments, launch
    from setup_wizard.journal import Journal
    from setup_wizard.ui import show
    from setup_wizard.world import World

    world = World.here()
    receipt = Journal(world).receipt
    data = {
        "ok": all(e.made for e in receipt.values()),
        "steps": [{"title": e.step.title, "state": "made" if e.made else "begun"} for e in receipt.values()],
        "environments": environments.ours(receipt),
        "sessions": launch.sessions(world),
        "folders": {"state": world.state, "cache": world.cache},
    }
    if json:
        show.put_json(data)
    else:
        own = [f for f in (world.state, world.cache) if f.exists()]
        page = show.status(list(receipt.values()), environments.ours(receipt), own, world.home)
        show.put(page, world)
    return 0
