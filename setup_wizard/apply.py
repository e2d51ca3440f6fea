"""Review, apply, undo: the only loops over steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
    """A step that is done: "made", or "found" as it should be; `note` says what was found.

    `warnings` are what the user should know of how it was made.
    """

    step: AnyStep
    state: str
    note: str = ""
    warnings: tuple[str, ...] = ()


class TakenBack(msgspec.Struct, frozen=True):
    """A step that was undone: what of the user's was kept, or why it could not be undone."""

    step: AnyStep
    kept: tuple[Path, ...] = ()
    trouble: SetupError | None = None


def review(plan: Plan, world: World) -> list[Reviewed]:
    """How the machine stands to each step; changes nothing, asks no network."""
    return [Reviewed(step, step.check(world)) for step in plan.steps]


def with_forecasts(reviewed: list[Reviewed], world: World, report: Report) -> list[Reviewed]:
    """The same with what each step to do will cost; may ask the network, changes nothing."""
    return [_with_forecast(r, world, report) if isinstance(r.state, Todo) else r for r in reviewed]


def _with_forecast(r: Reviewed, world: World, report: Report) -> Reviewed:
    costs = r.step.forecast(world, report)
    return Reviewed(costs.settled or r.step, r.state, costs)


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
        yield _make(step, world, journal, report)


def _make(step: AnyStep, world: World, journal: Journal, report: Report) -> Outcome:
    state = step.check(world)
    if isinstance(state, Blocked):
        raise MachineBlocks(state.problem, fix=state.fix)
    if isinstance(state, Done):
        return _found(step, state, journal)
    warnings: list[str] = []

    def hear(progress: Progress) -> None:
        if progress.unit == "!":
            warnings.append(progress.title)
        report(progress)

    report(Progress(step.title))
    if step.key not in journal.receipt:  # else what was there before is kept, and what is there is ours
        _keep(state.before)
    journal.append(Began(step, state.before))
    step.apply(world, hear)
    _verify(step, step.check(world))
    journal.append(Made(step.key))
    return Outcome(step, "made", warnings=tuple(warnings))


def _found(step: AnyStep, state: Done, journal: Journal) -> Outcome:
    """The machine is already so; if we began it, a crash came just before the line that says «made»."""
    entry = journal.receipt.get(step.key)
    if entry and not entry.made:
        journal.append(Made(step.key))
    return Outcome(step, "found", state.note)


def _keep(before: Before) -> None:
    if not isinstance(before, NoTree):
        files.keep(before)


def _verify(step: AnyStep, state: State) -> None:
    if not isinstance(state, Done):
        raise CommandFailed(
            f"«{step.title}» was done, but looks undone: {_why(state)}",
            fix="Run again; if it stays so, report it with the output of: hpc-jupyter-setup doctor --json",
        )


def _why(state: State) -> str:
    return state.problem if isinstance(state, Blocked) else getattr(state, "preview", "")[:300]


def told(outcomes: Iterable[Outcome]) -> dict[str, list[str]]:
    """What was made, by its titles, and what there is to know of it: for programs."""
    made = [o for o in outcomes if o.state == "made"]
    return {"changed": [o.step.title for o in made], "warnings": [w for o in made for w in o.warnings]}


def undo(world: World, journal: Journal) -> Iterator[TakenBack]:
    """Take back what is ours, newest first; go on past a failure. At the end our own folders go too."""
    stuck: list[Entry] = []
    for entry in reversed(list(journal.everything.values())):
        inside = [e for e in stuck if entry.before.path in e.before.path.parents]
        result = _wait_for(entry, inside) if inside else _take_back(entry, world, journal)
        if result.trouble:
            stuck.append(entry)
        if result.trouble or result.kept or not entry.aside:  # what was set aside had gone before
            yield result
    if not journal.everything:
        journal.forget()


def take_back(key: str, world: World, journal: Journal) -> TakenBack:
    """Take back one step of ours, by its key; the others stay."""
    return _take_back(journal.receipt[key], world, journal)


def disown(keys: Iterable[str], journal: Journal) -> None:
    """What the steps of these keys made is the user's from now on; undo leaves it alone."""
    for key in keys:
        if key in journal.receipt:
            journal.append(Undone(key))


def _wait_for(entry: Entry, inside: list[Entry]) -> TakenBack:
    """A tree stays as long as something in it could not be undone."""
    titles = "; ".join(e.step.title for e in inside)
    trouble = MachineBlocks(
        f"It waits for what could not be undone in it: {titles}.", fix="hpc-jupyter-setup undo"
    )
    return TakenBack(entry.step, trouble=trouble)


def _take_back(entry: Entry, world: World, journal: Journal) -> TakenBack:
    try:
        files.sweep(entry.before.path)
        kept = entry.step.undo(entry.before, world)
    except SetupError as e:
        return TakenBack(entry.step, trouble=e)
    except OSError as e:
        return TakenBack(entry.step, trouble=files.cannot_write(Path(e.filename or "?"), e))
    journal.append(Undone(entry.key))
    return TakenBack(entry.step, tuple(kept))
