"""`launch`, `sessions`, `stop`: Jupyter on this machine, proven; what is running; stop and clean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from setup_wizard.cli.options import Json

if TYPE_CHECKING:
    from setup_wizard.launch import Launched
    from setup_wizard.session import Job
    from setup_wizard.world import World


def launch(
    environment: Annotated[
        str | None, typer.Option("--environment", "-e", metavar="NAME|PREFIX", help="Whose Jupyter to start.")
    ] = None,
    interface: Annotated[
        str, typer.Option("--interface", "-i", metavar="lab|notebook", help="Which page.")
    ] = "lab",
    folder: Annotated[
        Path | None,
        typer.Option("--notebook-dir", "-d", help="The folder that Jupyter shows; else your home."),
    ] = None,
    idle: Annotated[float, typer.Option(help="Minutes without work until it stops; 0: never.")] = 60,
    json: Json = False,
) -> int:
    """Start Jupyter on this machine, run a cell through its address, and print the address."""
    from setup_wizard.environments import pick
    from setup_wizard.errors import BadInput
    from setup_wizard.journal import Journal
    from setup_wizard.session import Job
    from setup_wizard.ui import show
    from setup_wizard.world import World

    if interface not in ("lab", "notebook"):
        raise BadInput(f"There is no interface «{interface}».", fix="--interface lab, or notebook")
    world = World.here()
    prefix = pick(environment, Journal(world).receipt, world)
    place = folder.expanduser().absolute() if folder else world.home
    job = Job(prefix=prefix, folder=place, interface=interface, idle_minutes=idle)  # type: ignore[arg-type]
    launched = start(world, job, json)
    if json:
        show.put_json(as_data(launched))
    return 0


def start(world: World, job: Job, json: bool) -> Launched:
    """Launch with progress on the screen; on a terminal the address is shown."""
    from setup_wizard.launch import launch
    from setup_wizard.ui import show

    with show.live(world, err=json) as live:
        launched = launch(world, job, live.report)
    if not json:
        show.put(show.launched(launched, world.home), world)
    return launched


def as_data(launched: Launched) -> dict[str, object]:
    """What is told of a launched session in JSON."""
    return {
        "ok": True,
        "session": launched.session.id,
        "url": launched.url,
        "proof": launched.proof,
        "warning": launched.address.warning,
    }


def sessions(json: Json = False) -> int:
    """Show what is running: one line for each session. One that died is cleared away."""
    from setup_wizard.launch import sessions
    from setup_wizard.ui import show
    from setup_wizard.world import World

    world = World.here()
    rows = sessions(world)
    if json:
        show.put_json({"ok": True, "sessions": rows})
    else:
        show.put(show.sessions(rows, world.now()), world)
    return 0


def stop(
    session: Annotated[str | None, typer.Argument(help="The session, or the start of its name.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Stop them all.")] = False,
    json: Json = False,
) -> int:
    """Stop a session and clean up behind it."""
    from setup_wizard.errors import BadInput
    from setup_wizard.launch import stop, stop_all
    from setup_wizard.session import find
    from setup_wizard.ui import show
    from setup_wizard.world import World

    world = World.here()
    if not session and not every:
        raise BadInput("Which session?", fix="hpc-jupyter-setup sessions lists them; --all stops them all.")
    if session:
        mine = find(world, session)
        stopped = {mine.id: stop(world, mine)}
    else:
        stopped = stop_all(world)
    if json:
        show.put_json({"ok": True, "stopped": stopped})
    else:
        show.put(show.stopped(stopped), world)
    return 0
