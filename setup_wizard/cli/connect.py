"""`connect`: from the laptop to a Jupyter on a cluster, over one log-in."""

from __future__ import annotations

import contextlib
import signal
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from setup_wizard.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setup_wizard.connect import Connected
    from setup_wizard.far import Far


def connect(
    host: Annotated[str, typer.Argument(metavar="USER@HOST", help="The cluster's login node, as for ssh.")],
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[LAUNCH OPTIONS]", help="For `launch` there, as they stand: -p gpu -t 60"),
    ] = None,
    session: Annotated[
        str, typer.Option("--session", help="A session that runs already, in place of a new one.")
    ] = "",
    config: Annotated[str, typer.Option("-F", metavar="FILE", help="Another configuration for ssh.")] = "",
    install: Annotated[
        bool, typer.Option("--install", help="Install or update the program there, in your home, unasked.")
    ] = False,
    browser: Annotated[bool, typer.Option(help="Open the browser.")] = True,
    json: Json = False,
) -> int:
    """Launch Jupyter on a cluster from your laptop, and keep a tunnel to it open."""
    from setup_wizard import connect as work
    from setup_wizard.cli import consent
    from setup_wizard.errors import SetupError
    from setup_wizard.tunnel import NoWay
    from setup_wizard.ui import access_pages, show
    from setup_wizard.world import World

    work.check(words or ())
    world = World.here()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(128 + signal.SIGTERM))
    show.put(access_pages.logging_in(host), world, err=True)
    with work.logged_in(world, host, config) as far:
        _provide(far, install, json)
        ours, asked = not session, tuple(words or ())
        try:
            while True:  # twice at most: whoever has consented is not asked again
                session = session or _launch(far, asked, json)
                try:
                    return _serve(far, session, browser, json)
                except NoWay as e:
                    if not ours:
                        raise
                    work.stop(far, session)
                    session = ""
                    asked = consent.to_network(far, e, asked, json)
        except work.Interrupted as e:
            _leave(far, e.session)
            return 0
        except KeyboardInterrupt:
            if not session:
                raise
            _leave(far, session)
            return 0
        except SetupError as e:
            if session:
                work.goes_on(far, session, e)
            raise


def _launch(far: Far, words: Sequence[str], json: bool) -> str:
    """Launch there; the session's name."""
    from setup_wizard import connect as work
    from setup_wizard.ui import access_pages, show

    try:
        with show.live(far.world, err=json, one=True) as live:
            name = work.launch(far, words, live.report, lambda: live.put(access_pages.under_way(far.host)))
            live.put(access_pages.launched(name, far.host))
            return name
    except work.Interrupted:
        raise
    except KeyboardInterrupt:
        show.put(access_pages.unheard(far.host), far.world, err=True)
        raise


def _provide(far: Far, install: bool, json: bool) -> None:
    """Have our program there, with the person's consent."""
    from setup_wizard import __version__, delivery
    from setup_wizard.ui import access_pages, ask, show

    theirs = far.version()
    if theirs and not delivery.is_old(theirs):
        return
    text = access_pages.UPDATE if theirs else access_pages.INSTALL
    if not install and far.world.on_terminal:
        asked = text.format(host=far.host, theirs=theirs, ours=__version__)
        install = ask.confirm(asked, far.world, explain=False) == "yes"
    if install:
        with show.live(far.world, err=json) as live:
            delivery.deliver(far, live.report)
        show.put(access_pages.delivered(far.host), far.world, err=json)
    else:
        far.tool()  # says how, where there is none


def _serve(far: Far, session: str, browser: bool, json: bool) -> int:
    """Follow, connect, show, and keep the tunnel up until the session has ended."""
    from setup_wizard import connect as work
    from setup_wizard import watching
    from setup_wizard.ui import access_pages, show

    with show.live(far.world, err=json, one=True) as live:
        what = work.reach(far, session, live.report, lambda node: live.put(access_pages.through_steps(node)))
    _tell(far, what, json)
    if browser:
        show.put(access_pages.opened(work.open_browser(far, what)), far.world, err=True)
    with show.live(far.world, err=True, one=True) as live:
        seen = watching.watch(far, what, live.report)
    show.put(access_pages.ended(seen.id, seen.detail), far.world, err=json)
    return 1 if seen.state == "died" else 0


def _tell(far: Far, what: Connected, json: bool) -> None:
    from setup_wizard.ui import access_pages, show

    if json:
        show.put_json({"ok": True, "session": what.seen.id, "url": what.url, "proof": what.proof})
    else:
        show.put(access_pages.connected(what, far.host), far.world)


def _leave(far: Far, session: str) -> None:
    """Ctrl-C: the person says whether the session goes on without the tunnel."""
    from setup_wizard import connect as work
    from setup_wizard.errors import SetupError
    from setup_wizard.ui import access_pages, prompt, show

    stays = True
    if far.world.on_terminal:
        question = prompt.Ask(access_pages.LEAVE.format(session=session))
        prompt.forget_keys()
        with contextlib.suppress(KeyboardInterrupt):  # a second one means it: nothing is stopped
            stays = prompt.asker(far.world).one(question, access_pages.LEAVE_OR_STOP, "leave") != "stop"
    try:
        if not stays:
            work.stop(far, session)
    except SetupError as e:
        work.goes_on(far, session, e)
        raise
    show.put(access_pages.left(session, far.back_to(session), stays), far.world, err=True)
