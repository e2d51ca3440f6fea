"""`notebooks`: the example notebooks that were fetched, and their news."""

from __future__ import annotations

from typing import Annotated

import typer

from setup_wizard.cli.options import Json

app = typer.Typer(
    help="Example notebooks: what there is, and its news.", rich_markup_mode=None, no_args_is_help=True
)


@app.callback()
def notebooks() -> None:
    """Example notebooks: what there is, and its news."""


@app.command("list")
def list_notebooks(json: Json = False) -> int:
    """List the example notebooks that can be fetched, with their licences and sizes."""
    from setup_wizard.answers import recall
    from setup_wizard.notebook_catalogue import repositories
    from setup_wizard.ui import notebook_pages, show
    from setup_wizard.world import World

    world = World.here()
    known = repositories(world, recall(world).mirror)
    if json:
        show.put_json({"ok": True, "notebooks": known})
    else:
        show.put(notebook_pages.catalogue(known), world)
    return 0


@app.command()
def update(
    name: Annotated[str | None, typer.Argument(help="Which notebooks; else all that were fetched.")] = None,
    json: Json = False,
) -> int:
    """Fetch what is new. A notebook that you changed stays; the new one is put beside it."""
    from setup_wizard.git.update import update as fetch
    from setup_wizard.journal import Journal
    from setup_wizard.notebook_catalogue import fetched
    from setup_wizard.steps import Clone
    from setup_wizard.ui import notebook_pages, show
    from setup_wizard.world import World

    world = World.here()
    with Journal(world) as journal:
        clones = {e.step.name: e.step.path for e in journal.receipt.values() if isinstance(e.step, Clone)}
        with show.live(world, err=json) as live:
            told = {n: fetch(world, path, live.report) for n, path in fetched(name, clones).items()}
    if json:
        show.put_json({"ok": True, "updated": told})
    else:
        show.put(notebook_pages.updated(told, clones, world.home), world)
    return 0
