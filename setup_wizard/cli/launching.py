"""What the commands of a launch have in common: order it, follow it, ask on Ctrl-C, show it."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from setup_wizard import access, holding, submission
from setup_wizard.cli import consent, ordering
from setup_wizard.cli.ordering import Manner, Source
from setup_wizard.errors import BadInput, Left, MachineBlocks
from setup_wizard.following import follow
from setup_wizard.launch import Launched, launch, prove, submit
from setup_wizard.orders import Order
from setup_wizard.running import stop
from setup_wizard.session import Address, End, Place, Session, read, this_process
from setup_wizard.ui import show
from setup_wizard.wish import Wish, remember
from setup_wizard.world import Report, interrupts, silent

if TYPE_CHECKING:
    from setup_wizard.world import World


def run(world: World, wish: Wish, source: Source, manner: Manner) -> int:
    """The whole of `launch`, or only a look at it."""
    if not manner.patience >= 0:
        raise BadInput("--patience: nobody can wait less than no time.", fix="--patience 720")
    wanted = ordering.wanted(world, wish, source, manner)
    if not wanted:  # of an environment that is not there yet, the plan was shown
        return 0
    if wanted.job.container and not manner.quiet:  # which may take minutes, if it is fetched
        print(f"Looks into the image {wanted.job.container.image} …", file=sys.stderr, flush=True)
    if manner.dry_run:
        return show_only(world, wanted, manner.json)
    if manner.test_only:
        return ask_when(world, wanted, manner.json)
    wanted = consent.to_direct(world, wanted, asks=manner.asks)
    note_absent(world)
    pack(world, wanted, manner)
    return go(world, wanted, manner)


def pack(world: World, wanted: Order, manner: Manner) -> None:
    """Pack the environment for its session, where that is wanted and it has changed since."""
    from setup_wizard.environments import packs
    from setup_wizard.journal import Journal

    job = wanted.job
    if job.packed != packs.kept_at(world, job.prefix):
        return
    with show.live(world, err=True, quiet=manner.quiet) as live:
        packs.kept(Journal(world), str(job.prefix), live.report)


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
    argv = submission.handed_over(world, mine, find(wanted.job.scheduler))
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
    if wanted.job.interactive:
        return stay(world, wanted, manner)
    with interrupts.patient(_say_patience) as pressed:  # a job that was taken is known
        mine = submit(world, wanted.job, wanted.way)
        remember(world, wanted.job)
    if pressed:
        raise _interrupted(world, mine, manner)
    if not manner.detach:
        return follow_it(world, mine, manner)
    more = access.find(mine.job.access).warning(mine.job.resources.time_limit)
    if manner.json:
        show.put_json({"ok": True, "session": mine.id, "job": mine.job_id, "warning": more})
    elif not manner.quiet:
        told = f"{mine.id} was handed over as job {mine.job_id}. Open it: hpc-jupyter-setup url {mine.id}"
        print("\n".join(filter(None, [told, more])))
    return 0


def _say_patience() -> None:
    print("It is just being handed over; a moment …", file=sys.stderr, flush=True)


def follow_it(world: World, mine: Session, manner: Manner) -> int:
    """Follow with one line on the screen until there is an address, prove it, and show it."""
    try:
        _show_when_proven(world, manner, lambda report: (mine, follow(world, mine, report, manner.patience)))
    except KeyboardInterrupt:
        raise _interrupted(world, mine, manner) from None
    return 0


def stay(world: World, wanted: Order, manner: Manner) -> int:
    """Show an interactive session when it is proven; end it with the first Ctrl-C, or the terminal."""
    if manner.detach:
        raise BadInput("--interactive stays in this terminal.", fix="Leave out --detach, or --interactive.")
    _hear_the_end_once()
    ready = False
    try:
        with holding.held(world, wanted.job, wanted.way) as held:
            if wanted.job.held:  # what was right on a node is not where we are next time
                remember(world, wanted.job)
            _show_when_proven(world, manner, lambda report: held.answering(manner.patience, report))
            if not manner.json and not manner.quiet:
                print("It lasts as long as this terminal. Ctrl-C ends it.", flush=True)
            ready = True
            end = held.until_it_ends()
    except KeyboardInterrupt:
        print("The session was ended.", file=sys.stderr)
        if not ready:
            raise
        return 0
    if end.how == "died":
        raise MachineBlocks(end.problem, fix=end.fix)
    print(f"{held.session.id}: {end.problem or end.how}", file=sys.stderr)
    return 0


def _hear_the_end_once() -> None:
    """Take Ctrl-C, a closed terminal and a request to end alike, and only the first: ending is not ended."""
    told = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)

    def end(number: int, frame: object) -> None:
        for each in told:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    for each in told:
        signal.signal(each, end)


def _show_when_proven(
    world: World, manner: Manner, answering: Callable[[Report], tuple[Session, Address]]
) -> None:
    """Show one line that changes until the session answers and is proven; then how to open it."""
    with show.live(world, err=manner.json, one=True) if not manner.quiet else nullcontext() as live:
        report = live.report if live else silent
        mine, _ = answering(report)
        launched = prove(world, mine, report)
    if manner.json:
        show.put_json(as_data(launched))
    elif manner.quiet:
        print("\n".join(filter(None, [launched.address.command, launched.address.warning])), file=sys.stderr)
        print(launched.url)
    else:
        show.put(show.launched(launched, world.home), world)
    sys.stdout.flush()


def first(world: World, prefix: Path, manner: Manner) -> dict[str, object]:
    """The first launch of an environment, as its site does it and the person wishes; what is told in JSON."""
    wish = Wish(prefix=prefix, folder=world.home)
    wanted = ordering.order(world, wish, ordering.site(world, wish, manner), manner)
    pack(world, wanted, manner)
    if not manner.json:
        go(world, wanted, manner)
        return {}
    with show.live(world, err=True) as live:
        launched = launch(world, wanted.job, live.report, way=wanted.way)
    remember(world, wanted.job)
    return as_data(launched)


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


def _interrupted(world: World, mine: Session, manner: Manner) -> Left:
    """Ctrl-C while it waits: leave it, or end it; it is left where there is nobody to ask."""
    if manner.asks and world.on_terminal and not read(mine.folder, End):
        from setup_wizard.ui import ask

        where = "starting" if read(mine.folder, Place) else "in the queue"
        if not ask.leave(f"{mine.id} is {where}. Leave it there?", "the session", world):
            stop(world, mine)
            return Left(f"{mine.id} was ended.", fix="hpc-jupyter-setup launch --again")
    open_it, end_it = (f"hpc-jupyter-setup {verb} {mine.id}" for verb in ("url", "stop"))
    return Left(f"Stopped by you; {mine.id} goes on.", fix=f"Open it: {open_it}\nEnd it: {end_it}")
