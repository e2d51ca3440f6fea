"""Show a plan, agree, apply it: what `setup` and `env create` have in common."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from setup_wizard import __version__, walltime
from setup_wizard.answers import Answers
from setup_wizard.apply import (
    Outcome,
    Reviewed,
    apply,
    refuse_blocked,
    with_forecasts,
)
from setup_wizard.cli.shortage import refuse_shortage
from setup_wizard.conda import byte_code, contents
from setup_wizard.errors import BadInput, Busy, Declined
from setup_wizard.journal import Journal, Planned
from setup_wizard.plan import Plan
from setup_wizard.schedulers import Resources
from setup_wizard.sites.detection import on_a_node
from setup_wizard.step import Done, Todo
from setup_wizard.steps import AnyStep, CondaEnv, Reinstalled, Settled
from setup_wizard.ui import show
from setup_wizard.world import Progress, World


class How(msgspec.Struct, frozen=True):
    """How to talk: without questions, without changes, in JSON; and the resources of a job to do it.

    `while_running` is the user's word that packages may change under a session; `facts` are what JSON tells
    beside the plan.
    """

    yes: bool = False
    dry_run: bool = False
    json: bool = False
    as_job: Resources | None = None
    while_running: bool = False
    facts: dict[str, object] = {}

    @property
    def asks(self) -> bool:
        """Whether there is a person to ask."""
        return not (self.yes or self.dry_run or self.json) and sys.stdin.isatty() and sys.stdout.isatty()


def job(wanted: bool, partition: str, account: str, time_limit: str, memory: str) -> Resources | None:
    """The resources of a job that does the work; None where none was asked for."""
    seconds = walltime.seconds(time_limit) if time_limit else 0
    asked = Resources(partition=partition, account=account, time_limit=seconds, memory=memory)
    return asked if wanted else None


def nothing_to_do(reviewed: list[Reviewed], journal: Journal) -> bool:
    """Whether the machine is already as planned, and the journal says so too."""
    begun = {key for key, entry in journal.receipt.items() if not entry.made}
    return all(isinstance(r.state, Done) and r.step.key not in begun for r in reviewed)


def show_plan(reviewed: list[Reviewed], world: World, how: How) -> list[Reviewed]:
    """The plan with its costs, on the screen; refused when it cannot be carried out as the machine stands."""
    refuse_blocked(reviewed)
    with show.live(world, err=how.json) as live:
        reviewed = with_forecasts(reviewed, world, live.report)
    sums = show.totals(reviewed, world)
    if not how.json:
        show.put(show.plan(reviewed, sums, world.home, long=how.dry_run), world)
    elif how.dry_run:
        show.put_json({"ok": True, "plan": reviewed, **how.facts})
    refuse_shortage(sums, [r.step for r in reviewed], world)
    return reviewed


def agree(question: str, how: How, explain: object = None) -> None:
    """Go on only with somebody's consent. Raises Declined, or BadInput where there is nobody to ask."""
    if how.yes:
        return
    if not how.asks:
        raise BadInput(
            "Nobody is here to agree to this.", fix="Look at it with --dry-run, then agree with --yes."
        )
    from setup_wizard.ui import ask

    while (said := ask.confirm(question, World.here(), explain=callable(explain))) == "explain":
        if callable(explain):
            explain()
    if said == "no":
        raise Declined("You said no; nothing was changed.", fix="Your answers are kept for next time.")


def carry_out(plan: Plan, journal: Journal, answers: Answers, how: How) -> list[Outcome]:
    """Apply an agreed plan inside the journal, with its progress on the screen."""
    world = journal.world
    titles = tuple(step.title for step in plan.steps)
    journal.append(Planned(world.now(), __version__, answers, titles))
    outcomes = []
    with show.live(world, err=how.json) as live:
        for outcome in apply(plan, world, journal, live.report):
            live.finished(outcome)
            outcomes.append(outcome)
    return outcomes


def review_and_apply(
    reviewed: list[Reviewed], journal: Journal, answers: Answers, how: How
) -> list[Outcome] | None:
    """The whole way of a reviewed plan: None when it was only shown, [] when there was nothing to do."""
    world = journal.world
    if nothing_to_do(reviewed, journal) and not how.dry_run:
        return []
    reviewed = show_plan(reviewed, world, how)
    if how.dry_run:
        return None
    if not how.while_running:
        _mind_sessions(reviewed, world, how)
    agree("Shall I do this?", how, lambda: _explain(reviewed, world))
    if how.as_job:
        from setup_wizard.cli import as_job

        return as_job.submitted(reviewed, world, answers, how)
    with journal:
        outcomes = carry_out(Plan(tuple(r.step for r in reviewed)), journal, answers, how)
    compile_made([o.step for o in outcomes if o.state == "made"], world, how)
    return outcomes


def _mind_sessions(reviewed: list[Reviewed], world: World, how: How) -> None:
    """Whatever the command: an environment that is there is not changed under a session unasked."""
    for r in reviewed:
        step = r.step
        if (
            isinstance(step, CondaEnv | Settled | Reinstalled)
            and isinstance(r.state, Todo)
            and contents.is_environment(step.prefix)
        ):
            mind_sessions(world, step.prefix.name, step.prefix, how)


def mind_sessions(world: World, name: str, prefix: Path, how: How) -> None:
    """Ask before files are changed under what runs from them; refuse where there is nobody to ask."""
    from setup_wizard.environments import users

    found = users.of(world, prefix)
    told = found.said(name if how.asks else prefix)
    if told and how.asks:
        agree(f"{told}, and may fail. Change it all the same?", how)
    elif told:
        raise Busy(
            f"{told}, and may fail when packages change under it.",
            fix=f"Stop it first ({found.ending}), or say --while-running",
        )


def compile_made(made: Sequence[AnyStep], world: World, how: How) -> None:
    """Byte code of new packages: in the background, or now where that would end with the batch job."""
    for step in made:
        if not isinstance(step, CondaEnv) or not step.byte_code:
            continue
        if how.asks or not on_a_node(world):
            byte_code.begin(world, step.prefix)
        else:
            with show.live(world, err=how.json) as live:
                live.report(Progress(f"Compile the packages of {step.name}"))
                byte_code.make(world, step.prefix)


def _explain(reviewed: list[Reviewed], world: World) -> None:
    show.put(show.plan(reviewed, show.totals(reviewed, world), world.home, long=True), world)
