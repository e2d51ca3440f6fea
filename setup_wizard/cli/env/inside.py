"""`env run`, `env activate`: working inside of an environment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from setup_wizard.cli.options import Json

if TYPE_CHECKING:
    from setup_wizard.conda.activation import Start
    from setup_wizard.environments.inventory import Place
    from setup_wizard.world import World

Prefix = Annotated[
    Path | None, typer.Option("--prefix", "-p", help="The environment's folder, in the place of its NAME.")
]


def run(
    words: Annotated[
        list[str], typer.Argument(metavar="NAME -- COMMAND…", help="The environment, and what to run in it.")
    ],
    prefix: Prefix = None,
) -> None:
    """Run a command as in an activated environment; it takes our place, with its signals and exit code."""
    from setup_wizard.conda import activation
    from setup_wizard.errors import BadInput
    from setup_wizard.world import World

    name, command = (str(prefix.expanduser().absolute()), words) if prefix else (words[0], words[1:])
    command = command[1:] if command[:1] == ["--"] else command
    if not command:
        raise BadInput(
            "No command was named.", fix=f"For example: hpc-jupyter-setup env run {name} -- python"
        )
    world = World.here()
    place = _place(world, name)
    _become(activation.start(world, place.prefix, place.called, command))


def activate(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The environment, or the path of one.")],
    shell: Annotated[str, typer.Option(help="bash, zsh, fish or tcsh; else that of your login.")] = "",
    json: Json = False,
) -> int:
    """Tell how an environment is activated in your shell, and whether that knows conda by itself."""
    from setup_wizard.environments import activating
    from setup_wizard.journal import Journal
    from setup_wizard.ui import environment_pages, show
    from setup_wizard.world import World

    world = World.here()
    place = _place(world, name)
    way = activating.find(place.called, place.prefix, Journal(world).receipt, world, shell or world.shell)
    if json:
        show.put_json({"ok": True, **show.json_of(way)})
    else:
        show.put(environment_pages.activating(way, world.home), world)
    return 0


def _place(world: World, name: str) -> Place:
    from setup_wizard.environments import inventory
    from setup_wizard.journal import Journal

    return inventory.whole(Journal(world).receipt, world, name)


def _become(start: Start) -> NoReturn:
    from setup_wizard.errors import MachineBlocks
    from setup_wizard.world.processes import become

    try:
        become(start.program, start.argv, start.env)
    except OSError as e:
        raise MachineBlocks(
            f"{start.program} cannot be started: {e.strerror}.",
            fix=f"See what it is, and which program it asks for: head -1 {start.program}",
        ) from e
