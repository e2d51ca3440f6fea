"""`sites`: the systems that are known, which one this is, and whether a site file is right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from setup_wizard.cli.options import Json

app = typer.Typer(
    help="Systems that are known, and which one this is.", rich_markup_mode=None, no_args_is_help=True
)


@app.callback()
def sites() -> None:
    """Systems that are known, and which one this is."""


@app.command("list")
def list_sites(json: Json = False) -> int:
    """List the systems that are known."""
    from setup_wizard import sites
    from setup_wizard.ui import show, site_pages
    from setup_wizard.world import World

    world = World.here()
    known = sites.known(world)
    if json:
        rows = [{"site": site, "file": known.files[name]} for name, site in known.sites.items()]
        show.put_json({"ok": not known.broken, "sites": rows, "broken": known.broken})
    else:
        show.put(site_pages.listed(known, world.home), world)
    return 1 if known.broken else 0


@app.command("show")
def show_site(name: Annotated[str, typer.Argument(metavar="NAME")], json: Json = False) -> int:
    """Show what is known of a system."""
    from setup_wizard import sites
    from setup_wizard.ui import show, site_pages
    from setup_wizard.world import World

    world = World.here()
    site = sites.find(name, world)
    if json:
        show.put_json({"ok": True, "site": site})
    else:
        show.put(site_pages.one(site), world)
    return 0


@app.command()
def detect(json: Json = False) -> int:
    """Say which system this is, by which marker, and what you have on it."""
    from setup_wizard import discovery, sites
    from setup_wizard.ui import show, site_pages
    from setup_wizard.world import World

    world = World.here()
    known = sites.known(world)
    found = sites.detect(world, known)
    login = sites.on_login_node(world, found.site)
    offer = discovery.look(world, found.site)
    if json:
        data = {**show.json_of(found), "login_node": login, "offer": offer, "broken": known.broken}
        show.put_json({"ok": True, **data})
    else:
        show.put([*site_pages.detected(found, login, known, world.home), *site_pages.offered(offer)], world)
    return 0


@app.command()
def check(file: Annotated[Path, typer.Argument(metavar="FILE")], json: Json = False) -> int:
    """Read a site file strictly: what is wrong is named with line and column."""
    from setup_wizard import sites
    from setup_wizard.ui import show, site_pages
    from setup_wizard.world import World

    site = sites.read(file)
    if json:
        show.put_json({"ok": True, "site": site})
    else:
        show.put(site_pages.right(file, site), World.here())
    return 0
