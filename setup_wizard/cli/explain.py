"""`explain`: what the words of the program mean, where a flag has no room to say it."""

from __future__ import annotations

import typer

from setup_wizard.cli.options import Json

app = typer.Typer(help="Explain how things work.", rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def explain() -> None:
    """Explain how things work."""


@app.command()
def access(json: Json = False) -> int:
    """Show the three ways from the browser to Jupyter, and who can read what on each."""
    from setup_wizard.ui import access_pages, show
    from setup_wizard.world import World

    if json:
        names = [way.name for way in access_pages.WAYS]
        readers = {who: dict(zip(names, cells, strict=True)) for who, *cells in access_pages.READERS}
        show.put_json({"ok": True, "ways": access_pages.WAYS, "readers": readers})
    else:
        show.put(access_pages.explained(), World.here())
    return 0
