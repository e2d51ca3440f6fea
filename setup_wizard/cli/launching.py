"""What the commands of a launch have in common: order it, follow it, ask on Ctrl-C, show it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from setup_wizard import submission
from setup_wizard.errors import BadInput
from setup_wizard.following import QUEUED, follow
from setup_wizard.launch import Launched, launch, prove, submit
from setup_wizard.orders import Order, Wish, last, order, remember, way_of
from setup_wizard.running import stop
from setup_wizard.schedulers import LOG
from setup_wizard.session import End, Place, Session, read, this_process
from setup_wizard.ui import show

if TYPE_CHECKING:
    from setup_wizard.world import World


class Manner(msgspec.Struct, frozen=True):
    """How to go about it: in JSON, without waiting, and how long to wait in the queue (seconds)."""

    json: bool = False
    detach: bool = False
    patience: float = QUEUED


def ordered(world: World, wish: Wish, environment: str | None) -> Order:
    """The order for a wish, with the environment that the name stands for."""
    from setup_wizard.environments import pick
    from setup_wizard.journal import Journal

    prefix = pick(environment, Journal(world).receipt, world)
    return order(world, msgspec.structs.replace(wish, prefix=prefix))


def again(world: World, readable: bool) -> Order:
    """The very same as last time."""
    from setup_wizard import sites

    was = last(world)
    if not was:
        raise BadInput("Nothing was launched yet.", fix="hpc-jupyter-setup launch --help")
    site = sites.find(was.site, world)
    return Order(was, way_of(site, readable=readable), site)


def note_absent(world: World) -> None:
    """Note which folders were absent before a session makes them, so that undo can take them back."""
    from setup_wizard.journal import Journal

    journal = Journal(world)
    if not journal.is_there:
        with journal:
            return


def show_only(world: World, wanted: Order, json: bool) -> int:
    """Show the whole script, and what would be called; nothing is written down or handed over."""
    from setup_wizard.schedulers import find

    submission.check(world, wanted.job)
    folder = world.state / "sessions" / "NAME"
    mine = Session("NAME", folder, wanted.job, this_process(world), world.now())
    script = submission.text(world, mine)
    start = submission.start(world, mine)
    argv = find(wanted.job.scheduler).submit(start, wanted.job.resources, folder)
    if json:
        show.put_json({"ok": True, "site": wanted.site.name, "script": script, "submit": argv})
    else:
        print(f"{script}\n# handed over with: {shlex.join(argv)}" if script else shlex.join(argv))
    return 0


def ask_when(world: World, wanted: Order, json: bool) -> int:
    """Ask the scheduler when it would start."""
    said = submission.when(world, wanted.job)
    if json:
        show.put_json({"ok": True, "said": said})
    else:
        print(said)
    return 0


def go(world: World, wanted: Order, manner: Manner) -> int:
    """Submit and follow; with `detach` only submit."""
    mine = submit(world, wanted.job, wanted.way)
    remember(world, wanted.job)
    if not manner.detach:
        return follow_it(world, mine, manner)
    if manner.json:
        show.put_json({"ok": True, "session": mine.id, "job": mine.job_id})
    else:
        print(f"{mine.id} was handed over as job {mine.job_id}. Open it: hpc-jupyter-setup url {mine.id}")
    return 0


def follow_it(world: World, mine: Session, manner: Manner) -> int:
    """Follow with one line on the screen until there is an address, prove it, and show it."""
    try:
        with show.live(world, err=manner.json) as live:
            address = follow(world, mine, live.report, manner.patience)
            launched = prove(world, mine, address, live.report)
    except KeyboardInterrupt:
        _interrupted(world, mine, manner)
        raise
    if manner.json:
        show.put_json(as_data(launched))
    else:
        show.put(show.launched(launched, world.home), world)
    return 0


def start(world: World, prefix: Path, json: bool) -> Launched:
    """The first launch of an environment, as its site does it, with progress on the screen."""
    wanted = order(world, Wish(prefix=prefix, folder=world.home))
    with show.live(world, err=json) as live:
        launched = launch(world, wanted.job, live.report, way=wanted.way)
    if not json:
        show.put(show.launched(launched, world.home), world)
    return launched


def as_data(launched: Launched) -> dict[str, object]:
    """What is told of a launched session in JSON."""
    return {
        "ok": True,
        "session": launched.session.id,
        "job": launched.session.job_id,
        "node": launched.address.host,
        "url": launched.url,
        "command": launched.address.command,
        "note": launched.address.note,
        "proof": launched.proof,
        "warning": launched.address.warning,
    }


def show_logs(mine: Session, json: bool) -> int:
    """Print the logs, the one of Jupyter last."""
    found = {}
    for name in (LOG, "serve.log", "jupyter.log"):
        path = mine.folder / name
        found[name] = path.read_text(errors="replace") if path.exists() else ""
    if json:
        show.put_json({"ok": True, "session": mine.id, "folder": mine.folder, "logs": found})
        return 0
    for name, text in found.items():
        if text.strip():
            print(f"==> {mine.folder / name} <==\n{text.rstrip()}\n")
    return 0


def _interrupted(world: World, mine: Session, manner: Manner) -> None:
    """Ctrl-C while it waits: leave it, or end it; it is left where there is nobody to ask."""
    if manner.json or not world.on_terminal or read(mine.folder, End):
        return
    from setup_wizard.ui import ask

    where = "starting" if read(mine.folder, Place) else "in the queue"
    if ask.confirm(f"{mine.id} is {where}. Leave it there?", world, explain=False) == "yes":
        print(f"It goes on. Open it: hpc-jupyter-setup url {mine.id}")
    else:
        stop(world, mine)
        print(f"{mine.id} was ended.")
