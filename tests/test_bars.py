"""The lines of a terminal appear and go as a whole, Ctrl-C or not."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Iterator

import pytest
from rich.console import Console

from setup_wizard.ui.bars import Bars
from setup_wizard.world import Progress


def leave(number: int, frame: object) -> None:
    """What a command does that has more to clear away."""
    sys.exit(128 + number)


@pytest.fixture
def heard() -> Iterator[None]:
    """Ctrl-C is heard, also where whoever has started the tests ignores it; SIGTERM as by `connect`."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    then = signal.signal(signal.SIGTERM, leave)
    yield
    signal.signal(signal.SIGINT, before)
    signal.signal(signal.SIGTERM, then)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("when", ["begin", "end"])
@pytest.mark.parametrize(
    ("number", "ends"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_an_end_in_the_very_moment_in_which_they_appear_or_go(
    monkeypatch: pytest.MonkeyPatch, when: str, number: int, ends: type[BaseException]
) -> None:
    """It is heard, the screen is as it was, and the next lines can be shown."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True)
    bars = Bars(console)
    if when == "end":
        bars.report(Progress("before"))
    show = console.show_cursor

    def pressed(shown: bool = True) -> bool:
        signal.raise_signal(number)
        return show(shown)

    with monkeypatch.context() as then:
        then.setattr(console, "show_cursor", pressed)
        with pytest.raises(ends):
            bars.report(Progress("x")) if when == "begin" else bars.close()
    bars.close()
    drawn = out.getvalue()
    assert drawn.rindex("\x1b[?25h") > drawn.rindex("\x1b[?25l"), "the cursor is hidden"
    assert not console._render_hooks
    again = Bars(console)
    again.report(Progress("after"))
    again.close()
