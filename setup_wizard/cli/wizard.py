"""The way of the wizard: look, ask, plan, apply, test, launch; a page that reads as that."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from setup_wizard import environments
from setup_wizard.answers import Answers, flag, fold, missing, recall, remember
from setup_wizard.apply import Outcome, review
from setup_wizard.choices import WELCOME, Choices, Wanted, default_prefix, look, look_up, proposal
from setup_wizard.cli.work import How, nothing_to_do, review_and_apply
from setup_wizard.conda import distributions
from setup_wizard.errors import BadInput, MachineBlocks, NotProven
from setup_wizard.journal import Journal, Receipt
from setup_wizard.plan import make_plan
from setup_wizard.steps import ShellBlock
from setup_wizard.steps.rc_file import conda_script
from setup_wizard.ui import show
from setup_wizard.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from setup_wizard.preflight import Questions
    from setup_wizard.selftest import Check


def run(given: Answers, how: How) -> int:
    """The whole setup; gives the exit code."""
    world = World.here()
    journal = Journal(world)
    last = recall(world)
    known = fold(given, last)
    some = how.asks or known.notebooks is None or bool(set(known.notebooks) - {WELCOME})
    mine = environments.distribution(journal.receipt)
    made = environments.specs(journal.receipt)
    choices = look(world, known.mirror, mine, made, notebooks=some)
    with ExitStack() as held:
        if how.asks:
            held.enter_context(journal)
            _first_screen(fold(given, last, proposal(choices, world)), choices, world)
        answers = _answers(given, last, choices, world, how)
        wanted = look_up(answers, choices, world)
        plan = make_plan(wanted, world.home, world.shell)
        reviewed = review(plan, world)
        if not how.asks and not nothing_to_do(reviewed, journal):
            _stop_on_red(world, _questions(answers, choices), how)
        outcomes = review_and_apply(reviewed, journal, answers, how)
        if outcomes is None:
            return 0
        remember(world, answers)
        return _finish(wanted, journal, outcomes, how)


def _first_screen(answers: Answers, choices: Choices, world: World) -> None:
    """What would be done, and all that is in its way, before any question is asked in vain."""
    from setup_wizard import preflight

    show.put(show.first(answers, choices, world), world)
    show.put(show.findings(preflight.look(world, _questions(answers, choices)), world.home), world)


def _answers(given: Answers, last: Answers, choices: Choices, world: World, how: How) -> Answers:
    """Complete answers: by asking, or with --yes from last time and the proposal. Raises BadInput."""
    if how.asks:
        from setup_wizard.ui import ask

        return ask.ask(given, choices, world, lambda answers: remember(world, answers))
    if how.yes:
        return fold(given, last, proposal(choices, world))
    answers = fold(given, last)
    if names := missing(answers):
        raise BadInput(
            "Not answered, and nobody is here to ask: " + ", ".join(flag(n) for n in names) + ".",
            fix="Give these flags, or --answers FILE; or take the defaults with --yes (see --dry-run).",
        )
    return answers


def _questions(answers: Answers, choices: Choices) -> Questions:
    """What the answers will ask of the machine."""
    from setup_wizard.preflight import Questions

    family = answers.distribution or ""
    new = family in distributions.FAMILIES
    return Questions(
        families=(family,) if new else (),
        prefix=(answers.prefix or default_prefix(family, choices)) if new else None,
        environments=answers.environments or (),
        notebooks=bool(set(answers.notebooks or ()) - {WELCOME}),
        mirror=answers.mirror,
    )


def _stop_on_red(world: World, questions: Questions, how: How) -> None:
    """Say what is in the way; stop when something certainly is."""
    from setup_wizard import preflight

    found = [f for f in preflight.look(world, questions) if f.level != "good"]
    red = [f for f in found if f.level == "bad"]
    if not how.json:
        show.put(show.findings([f for f in found if f not in red], world.home), world)
    if red:
        problem = "\n".join(f"{f.title}: {f.detail}" for f in red)
        raise MachineBlocks(problem, fix="\n".join(dict.fromkeys(f.fix for f in red)))


def _finish(wanted: Wanted, journal: Journal, outcomes: list[Outcome], how: How) -> int:
    """Test what was made, say how to go on, and launch when that was wanted."""
    world, receipt = journal.world, journal.receipt
    changed = [o.step.title for o in outcomes if o.state == "made"]
    checks = _self_test(receipt, world, how) if changed else []
    told: dict[str, object] = {"changed": changed, "notes": wanted.notes, "selftest": checks}
    red = [c for c in checks if not c.ok]
    if not how.json and changed:
        _how_to_go_on(receipt, wanted.prefix, world)
    elif not how.json:
        print("Everything is as planned: nothing to do.")
    if wanted.answers.launch and not red:
        from setup_wizard.cli import launching, ordering

        manner = ordering.Manner(json=how.json, yes=how.yes)
        told["launch"] = launching.first(world, environments.pick(None, receipt, world), manner)
    if how.json:
        show.put_json({"ok": not red, **told})
    return _verdict(red, how)


def _self_test(receipt: Receipt, world: World, how: How) -> list[Check]:
    from setup_wizard import health

    with show.live(world, err=how.json) as live:
        checks = []
        for check in health.tests(receipt, world, live.report):
            checks.append(check)
            live.put(show.check(check, world.home))
    return checks


def _how_to_go_on(receipt: Receipt, conda: Path, world: World) -> None:
    from setup_wizard import health

    subject = health.subject(receipt, world)
    rc = next((e.step.path for e in receipt.values() if isinstance(e.step, ShellBlock)), None)
    script = conda_script(world.shell, conda)
    show.put(show.what_now(rc, script, [e.name for e in subject.environments], world.home), world)


def _verdict(red: list[Check], how: How) -> int:
    if red and not how.json:
        raise NotProven(
            "Everything was made, but the self-test is red: " + "; ".join(c.title for c in red) + ".",
            fix="\n".join(c.fix for c in red if c.fix) or "hpc-jupyter-setup doctor",
        )
    return NotProven.code if red else 0
