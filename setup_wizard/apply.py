"""Review, apply, undo: the only loops over steps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from setup_wizard import files
from setup_wizard.errors import CommandFailed, MachineBlocks, SetupError
from setup_wizard.journal import Began, Entry, Journal, Made, Undone
from setup_wizard.plan import Plan
from setup_wizard.step import Before, Blocked, Done, Forecast, State, Todo
from setup_wizard.steps import AnyStep
from setup_wizard.trees import NoTree
from setup_wizard.world import Progress, Report, World


class Reviewed(msgspec.Struct, frozen=True):
    """A step of a plan, how the machine stands to it, and what it would cost."""

    step: AnyStep
    state: State
    forecast: Forecast = Forecast()


class Outcome(msgspec.Struct, frozen=True):
    """A step that is done: "made", or "found" as it should be."""

    step: AnyStep
    state: str


class TakenBack(msgspec.Struct, frozen=True):
    """A step that was undone: what of the user's was kept, or why it could not be undone."""

    step: AnyStep
    kept: tuple[Path, ...] = ()
    trouble: SetupError | None = None


def review(plan: Plan, world: World, report: Report, *, forecast: bool = True) -> list[Reviewed]:
    """How each step stands, and its costs; changes nothing."""
    reviewed = []
    for step in plan.steps:
        state = step.check(world)
        costs = step.forecast(world, report) if forecast and isinstance(state, Todo) else Forecast()
        reviewed.append(Reviewed(step, state, costs))
    return reviewed


def refuse_blocked(reviewed: list[Reviewed]) -> None:
    """Raise MachineBlocks that names every blocked step, before anything is begun."""
    blocked = [r.state for r in reviewed if isinstance(r.state, Blocked)]
    if blocked:
        raise MachineBlocks(
            "\n".join(b.problem for b in blocked), fix="\n".join(dict.fromkeys(b.fix for b in blocked))
        )


def apply(plan: Plan, world: World, journal: Journal, report: Report) -> Iterator[Outcome]:
    """Make what is not there yet, one step after the other; each is written down before it is done."""
    for step in plan.steps:
        yield Outcome(step, _make(step, world, journal, report))


def _make(step: AnyStep, world: World, journal: Journal, report: Report) -> str:
    state = step.check(world)
    if isinstance(state, Blocked):
        raise MachineBlocks(state.problem, fix=state.fix)
    if isinstance(state, Done):
        return _found(step, journal)
    report(Progress(step.title))
    _keep(state.before)
    journal.append(Began(step, state.before))
    step.apply(world, report)
    _verify(step, step.check(world))
    journal.append(Made(step.key))
    return "made"


def _found(step: AnyStep, journal: Journal) -> str:
    """The machine is already so; if we began it, a crash came just before the line that says «made»."""
    entry = journal.receipt.get(step.key)
    if entry and not entry.made:
        journal.append(Made(step.key))
    return "found"


def _keep(before: Before) -> None:
    if not isinstance(before, NoTree):
        files.keep(before)


def _verify(step: AnyStep, state: State) -> None:
    if not isinstance(state, Done):
        raise CommandFailed(
            f"«{step.title}» was done, but looks undone: {_why(state)}",
            fix="Run again; if it stays so, this is a defect worth reporting: hpc-jupyter-setup doctor --json",
        )


def _why(state: State) -> str:
    return state.problem if isinstance(state, Blocked) else getattr(state, "preview", "")[:300]


def undo(world: World, journal: Journal) -> Iterator[TakenBack]:
    """Take back what is ours, newest first; go on past a failure. At the end our own folders go too."""
    for entry in reversed(list(journal.receipt.values())):
        yield _take_back(entry, world, journal)
    if not journal.receipt:
        journal.forget()


def _take_back(entry: Entry, world: World, journal: Journal) -> TakenBack:
    try:
        kept = entry.step.undo(entry.before, world)
    except SetupError as e:
        return TakenBack(entry.step, trouble=e)
    except OSError as e:
        return TakenBack(entry.step, trouble=files.cannot_write(Path(e.filename or "?"), e))
    journal.append(Undone(entry.step.key))
    return TakenBack(entry.step, tuple(kept))
