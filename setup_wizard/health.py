"""What is ours, looked at again: the check of every step, the machine, and the self-test of what was made."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from setup_wizard import selftest
from setup_wizard.answers import recall
from setup_wizard.environments import ours
from setup_wizard.journal import Entry, Receipt
from setup_wizard.preflight import Finding, Questions, look
from setup_wizard.selftest import Check, Subject
from setup_wizard.step import Blocked, Done
from setup_wizard.steps import ShellBlock, Welcome
from setup_wizard.world import Progress, Report, World


def findings(receipt: Receipt, world: World) -> list[Finding]:
    """Every step's check, and the machine's."""
    asked = Questions(mirror=recall(world).mirror)
    if receipt:  # what is made needs no more room
        asked = msgspec.structs.replace(asked, families=(), notebooks=False, room=0, files=0)
    return [*(_finding(entry, world) for entry in receipt.values()), *look(world, asked)]


def _finding(entry: Entry, world: World) -> Finding:
    state = entry.step.check(world)
    if isinstance(state, Blocked):
        return Finding(entry.step.title, "bad", state.problem, state.fix)
    again = "hpc-jupyter-setup setup"
    if not isinstance(state, Done):
        return Finding(entry.step.title, "bad", "It was made, and is not so any more.", again)
    if not entry.made:
        return Finding(entry.step.title, "bad", "It was begun, and not finished.", again)
    return Finding(entry.step.title, "good", state.note)


def subject(receipt: Receipt, world: World) -> Subject:
    """What of ours can be tested."""
    steps = [entry.step for entry in receipt.values() if entry.made]
    blocks = [step.prefix for step in steps if isinstance(step, ShellBlock)]
    return Subject(
        shell=world.shell,
        conda=blocks[-1] if blocks else None,
        environments=tuple(
            selftest.Environment(e.name, e.prefix, e.kernel) for e in ours(receipt) if e.kernel
        ),
        welcome=next((step.path for step in steps if isinstance(step, Welcome)), None),
    )


def tests(receipt: Receipt, world: World, report: Report) -> Iterator[Check]:
    """Start the shells and the kernels of what was made; one check after the other."""
    report(Progress("Testing what was made"))
    for check in selftest.checks(world, subject(receipt, world)):
        yield check
        report(Progress(f"Testing what was made: {check.title}"))
