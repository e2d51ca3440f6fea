"""The screens of single commands: what a launch, a stop, a status, a rehearsal have to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from setup_wizard.ui.figures import count, duration, tilde
from setup_wizard.ui.pages import BAD, GOOD, WARN
from setup_wizard.ui.sheet import GAP, Page, Words, grid, line, title, whole

if TYPE_CHECKING:
    from setup_wizard.environments import Environment
    from setup_wizard.journal import Entry
    from setup_wizard.launch import Launched
    from setup_wizard.rehearsal import Rehearsed


def launched(what: Launched, home: Path) -> Page:
    """A session that answers: its address, the proof, and how to end it."""
    kernel = tilde(what.proof.kernel_prefix, home)
    page: Page = [
        line("Jupyter is ready, and a cell has run through this address in ", (kernel, "path"), mark=GOOD),
        GAP,
        *_first(what.address.command),
        whole(what.url, indent=2),
        GAP,
        *([line(what.address.note)] if what.address.note else []),
        line("Whoever has this address can work as you: keep it to yourself."),
        line("Stop it: ", (f"hpc-jupyter-setup stop {what.session.id}", "command")),
    ]
    return page + ([line(what.address.warning, mark=WARN)] if what.address.warning else [])


def _first(command: str) -> Page:
    """What to run on the laptop before the address opens there."""
    if not command:
        return []
    return [
        line("On your own computer, in a terminal that stays open:"),
        whole(command, indent=2),
        line("Then open in its browser:"),
    ]


def stopped(which: Mapping[str, bool]) -> Page:
    """Which sessions were stopped, and which had ended before."""
    if not which:
        return [line("Nothing is running.")]
    return [
        line(f"{i}: stopped" if was else f"{i}: had ended already", mark=GOOD) for i, was in which.items()
    ]


def status(
    entries: Sequence[Entry], environments: Sequence[Environment], folders: Sequence[Path], home: Path
) -> Page:
    """What is ours, and where."""
    if not entries:
        return [line("Nothing of ours is on this account. Begin with:"), whole("hpc-jupyter-setup", indent=2)]
    page: Page = [title("Made by hpc-jupyter-setup")]
    for e in entries:
        begun: Words = "" if e.made else ("  begun, not finished: run the same command again", "warn")
        page.append(line(tilde(e.step.title, home), begun, mark=GOOD if e.made else WARN))
    rows = [
        (e.name, f"Python {e.python}", count(e.packages, "packages"), tilde(e.prefix, home))
        for e in environments
    ]
    if rows:
        page += [GAP, title("Environments"), *grid(rows, indent=2)]
    page += [GAP, title("Our own folders"), *(line(tilde(f, home), indent=2) for f in folders)]
    return page


def nothing_to_do() -> Page:
    """The machine is as planned."""
    return [line("Everything is as planned: nothing to do.", mark=GOOD)]


def environment_ready(name: str, changed: Sequence[str]) -> Page:
    """An environment that is there now."""
    page = [] if changed else nothing_to_do()
    return [
        *page,
        GAP,
        line("Use it: ", (f"conda activate {name}", "command")),
        line("or in Jupyter: ", (f"hpc-jupyter-setup launch --environment {name}", "command")),
    ]


def echo(text: str) -> Page:
    """A line that a command of the rehearsal printed, or the command itself."""
    return [GAP, line((text, "command"))] if text.startswith("$ ") else [whole(text, indent=2)]


def rehearsed(result: Rehearsed) -> Page:
    """How a rehearsal ended: what held, and how long each part took."""
    said = result.proof.get("answer", "")
    held = [
        (bool(result.proof), f"a cell has run through the URL and answered {said!r}"),
        (result.second_run.get("changed") == [], "a second setup had nothing to do"),
        (bool(result.undo.get("home_identical")), "after undo the home is the same to the byte"),
    ]
    took = " · ".join(f"{name} {duration(seconds)}" for name, seconds in result.seconds.items())
    page: Page = [GAP, title("The rehearsal")]
    page += [line(text, mark=GOOD if good else BAD) for good, text in held]
    page += [line(f"{path}  differs", indent=2) for path in result.undo.get("differs", [])[:20]]
    return [*page, GAP, line((took, "dim"))]
