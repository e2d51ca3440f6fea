"""`env check`: what is wrong with environments, and mending it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from setup_wizard.cli.options import DryRun, Json, WhileRunning, Yes

if TYPE_CHECKING:
    from setup_wizard.answers import Answers
    from setup_wizard.apply import Outcome
    from setup_wizard.checkup import Checkup
    from setup_wizard.cli.work import How
    from setup_wizard.environments.inventory import Place
    from setup_wizard.journal import Journal
    from setup_wizard.plan import Plan


class Look(NamedTuple):
    """How to look: at every byte, and at what only kernels still name."""

    all_bytes: bool
    orphans: bool


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME|PREFIX…]", help="Which, ours or not; none: all of ours."),
    ] = None,
    all_bytes: Annotated[
        bool, typer.Option("--all-bytes", help="Read every file, in the place of sizes and times.")
    ] = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="Mend what can be mended; the plan is shown before.")
    ] = False,
    while_running: WhileRunning = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Look at environments: files, records, kernels, what shadows them. Exit code 1: something is wrong."""
    from setup_wizard.answers import recall
    from setup_wizard.apply import told
    from setup_wizard.cli.work import How
    from setup_wizard.journal import Journal
    from setup_wizard.ui import checkup_pages, show
    from setup_wizard.world import World

    world, how = World.here(), How(yes, dry_run, json, while_running=while_running)
    journal = Journal(world)
    places = _places(names or (), journal)
    look = Look(all_bytes, orphans=not names)
    seen = _examined(places, journal, look)
    if not json:
        show.put(checkup_pages.checked(seen, world.home), world)
    made: list[Outcome] = []
    while fix:  # more can be seen of an environment that was moved when it is settled
        moved = any(r.kind == "moved" for s in seen for r in s.remarks)
        done = _mended(seen, journal, recall(world), how)
        if done is None:
            return 0
        made += done
        before, seen = seen, _examined(_again(places, journal), journal, look)
        if seen != before and not json:
            show.put(checkup_pages.checked(seen, world.home), world)
        fix = bool(done) and moved and any(r.mends for s in seen for r in s.remarks)
    if json:
        show.put_json({"ok": all(s.healthy for s in seen), "environments": seen, **told(made)})
    return 0 if all(s.healthy for s in seen) else 1


def _places(names: Sequence[str], journal: Journal) -> list[Place]:
    from setup_wizard.environments import inventory

    if names:
        return [inventory.pick(name, journal.receipt, journal.world) for name in names]
    ours = {key.partition(":")[2] for key in journal.receipt if key.startswith("conda_env:")}
    return [p for p in inventory.places(journal.receipt, journal.world) if str(p.prefix) in ours]


def _again(places: Sequence[Place], journal: Journal) -> list[Place]:
    """The same, where they are by now."""
    from setup_wizard.checkup import bringing
    from setup_wizard.environments import inventory

    now = (bringing.now_at(place.prefix, journal.receipt) for place in places)
    return [inventory.pick(str(prefix), journal.receipt, journal.world) for prefix in now]


def _examined(places: Sequence[Place], journal: Journal, look: Look) -> list[Checkup]:
    from setup_wizard import checkup

    receipt, world = journal.receipt, journal.world
    seen = [checkup.examine(place, receipt, world, every_byte=look.all_bytes) for place in places]
    return [*seen, *(checkup.orphans(receipt, world) if look.orphans else ())]


def _mended(seen: Sequence[Checkup], journal: Journal, answers: Answers, how: How) -> list[Outcome] | None:
    """What was made; None where it was only shown."""
    from setup_wizard.apply import review
    from setup_wizard.checkup import bringing
    from setup_wizard.cli.work import review_and_apply

    plan = _plan(seen, journal, answers, how)
    if not plan.steps:
        return []
    outcomes = review_and_apply(review(plan, journal.world), journal, answers, how)
    if outcomes is None:
        return None
    with journal:
        bringing.finish(journal)
    return [o for o in outcomes if o.state == "made"]


def _plan(seen: Sequence[Checkup], journal: Journal, answers: Answers, how: How) -> Plan:
    """The steps that mend all of them. Raises BadInput where one is not ours and none of it can be mended."""
    from setup_wizard.checkup import mending
    from setup_wizard.errors import BadInput
    from setup_wizard.plan import Plan
    from setup_wizard.ui import show

    for one in seen:
        if not one.ours and not one.healthy and not any(r.mends for r in one.remarks):
            fixes = dict.fromkeys(r.fix for r in one.remarks if r.fix and r.level == "bad")
            raise BadInput(
                f"{one.prefix} was not made by this setup, and there is no conda here that may change it.",
                fix="\n".join(fixes),
            )
    with show.live(journal.world, err=how.json) as live:
        return Plan(tuple(s for one in seen for s in mending.steps(journal, one, answers, live.report)))
