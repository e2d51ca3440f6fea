"""The one door to what a person reads: pages to show, the progress of a work, and JSON of the same data.

show.put(show.plan(reviewed, show.totals(reviewed, world), world.home))
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from setup_wizard.ui.asjson import json_of
from setup_wizard.ui.pages import (
    check,
    checks,
    findings,
    outcome,
    sessions,
    taken_back,
    undo_list,
    undo_result,
    what_now,
)
from setup_wizard.ui.plan_page import plan
from setup_wizard.ui.progress import Live
from setup_wizard.ui.result_pages import (
    echo,
    environment_ready,
    launched,
    nothing_to_do,
    rehearsed,
    status,
    stopped,
)
from setup_wizard.ui.sheet import Block, Page
from setup_wizard.ui.totals import totals
from setup_wizard.world import World, silent

if TYPE_CHECKING:
    from setup_wizard.answers import Answers
    from setup_wizard.choices import Choices

__all__ = [
    "Live",
    "check",
    "checks",
    "echo",
    "environment_ready",
    "error",
    "findings",
    "first",
    "json_of",
    "launched",
    "live",
    "nothing_to_do",
    "outcome",
    "plan",
    "put",
    "put_json",
    "quiet",
    "rehearsed",
    "sessions",
    "status",
    "stopped",
    "svg",
    "taken_back",
    "totals",
    "undo_list",
    "undo_result",
    "what_now",
]

quiet = silent


def put(page: Iterable[Block], world: World | None = None, *, err: bool = False) -> None:
    """Show a page on standard output (or error)."""
    from setup_wizard.ui import paper

    paper.put(page, paper.console(world.env if world else None, err=err))


def first(answers: Answers, choices: Choices, world: World) -> Page:
    """The first screen: what complete answers come to, and how to change each."""
    from setup_wizard.ui import first_page

    return first_page.first(answers, choices, world)


def error(problem: str, fix: str) -> None:
    """Show what went wrong and what to do, on standard error."""
    from setup_wizard.ui import pages

    put(pages.error(problem, fix), err=True)


def put_json(data: Any) -> None:
    """Print one JSON object, and nothing else."""
    print(json.dumps(json_of(data), indent=2, ensure_ascii=False), flush=True)


def live(world: World, *, err: bool = False, quiet: bool = False, one: bool = False) -> Live:
    """The progress of a work, as a context; on standard error where the output is JSON; `one` line of it."""
    return Live(world, err=err, quiet=quiet, one=one)


def svg(screens: Iterable[Page], title: str) -> str:
    """Screens as one picture for the documentation; the same screens give the same picture."""
    from setup_wizard.ui import paper

    return paper.svg(screens, title)
