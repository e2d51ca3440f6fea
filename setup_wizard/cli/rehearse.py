"""`rehearse`: the whole job in a throw-away home, against a mirror of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from setup_wizard.cli.options import Json, Mirror, Yes


def rehearse(
    upstream: Annotated[
        bool, typer.Option("--upstream", help="Use the real hosts in place of the mirror.")
    ] = False,
    mirror: Mirror = None,
    wheels: Annotated[
        Path | None,
        typer.Option(help="A folder of wheels to build the mirror from, where PyPI cannot be reached."),
    ] = None,
    rc_from: Annotated[
        Path | None, typer.Option(help="Start from copies of the rc files in this folder.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the throw-away home for a look.")] = False,
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Watch the whole job happen in a throw-away home: setup, launch, proof, setup again, undo.

    Nothing of your account is touched but the cache, which keeps the mirror for next time.
    """
    from setup_wizard.answers import normal_mirror
    from setup_wizard.rehearsal import Wish, rehearse
    from setup_wizard.ui import show
    from setup_wizard.world import World

    world = World.here()
    wish = Wish(
        upstream=upstream,
        mirror=normal_mirror(mirror, Path.cwd()) if mirror else None,
        wheels=wheels.expanduser().absolute() if wheels else None,
        rc_from=rc_from.expanduser().absolute() if rc_from else None,
        keep=keep,
        terminal=sys.stdout.isatty() and not json,
    )
    looks = sys.stdin.isatty() and sys.stdout.isatty() and not yes and not json
    with show.live(world, err=json) as live:
        say = _silent if json else lambda text: live.put(show.echo(text))
        result = rehearse(world, wish, live.report, say, _wait if looks else _silent)
    if json:
        show.put_json(result)
    else:
        show.put(show.rehearsed(result), world)
    return 0 if result.ok else 10


def _silent(_: str) -> None: ...


def _wait(url: str) -> None:
    print(f"\nOpen it in a browser on this machine:\n\n  {url}\n")
    input("Press Enter when you have seen enough; then it is stopped and everything is taken back. ")
