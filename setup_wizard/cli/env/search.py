"""`env search`: which versions of a package there are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from setup_wizard.cli.options import Json, Mirror, Offline


def search(
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help='numpy, "numpy>=2", or "*numpy*".')],
    channel: Annotated[
        list[str] | None, typer.Option("--channel", "-c", help="A channel; several, each asked.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every build of every version.")] = False,
    depends: Annotated[bool, typer.Option("--depends", help="Also what the newest one needs.")] = False,
    channels: Annotated[str | None, typer.Option(metavar="conda-forge|anaconda")] = None,
    mirror: Mirror = None,
    offline: Offline = False,
    json: Json = False,
) -> int:
    """Show which versions of a package there are for this machine, newest first."""
    from setup_wizard.answers import Answers, fold, normal_mirror, recall
    from setup_wizard.choices import of_packages
    from setup_wizard.cli.setup import checked_channels
    from setup_wizard.conda.search import look
    from setup_wizard.ui import search_page, show
    from setup_wizard.world import World

    world = World.here(offline=offline)
    given = Answers(
        channels=checked_channels(channels), mirror=normal_mirror(mirror, Path.cwd()) if mirror else None
    )
    spec = of_packages("search", (package,), fold(given, recall(world)), channel or ())
    with show.live(world, err=True) as live:
        seen = look(world, spec, live.report)
    if json:
        show.put_json(
            {"ok": True, "package": package, "names": seen.names, "offers": search_page.plain(seen)}
        )
    else:
        show.put(search_page.found(package, seen, everything, depends), world)
    return 0
