"""What is said of environments that go and come back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from setup_wizard.files import may_write
from setup_wizard.ui.figures import count, tilde
from setup_wizard.ui.pages import GOOD, WARN
from setup_wizard.ui.sheet import GAP, Page, line

if TYPE_CHECKING:
    from setup_wizard.environments.copies import Copying
    from setup_wizard.environments.endings import Ending
    from setup_wizard.environments.users import Users
    from setup_wizard.steps import CondaEnv, Trash


def depending(copying: Copying) -> Page:
    """What depends on an environment that is copied or goes elsewhere; nothing where there is nothing."""
    page = _running(copying.users)
    if copying.kernels:
        page.append(line(f"Kernels that start it: {', '.join(p.parent.name for p in copying.kernels)}."))
    return [GAP, *page] if page else []


def _running(users: Users) -> Page:
    told = users.said("it")
    return [line(f"{told}.", mark=WARN)] if told else []


def dependents(ending: Ending, home: Path) -> Page:
    """What depends on the environment, and what of the user's lies in it; nothing where there is nothing."""
    page = _running(ending.users)
    if ending.own:
        named = ", ".join(tilde(p, home) for p in ending.own)
        more = f" and {count(ending.more, 'files')} more" if ending.more else ""
        page.append(line(f"You have added or changed in it: {named}{more}.", mark=WARN))
    return [GAP, *page] if page else []


def deleted(step: Trash, file: Path | None, home: Path) -> Page:
    """Where it is now, and the ways back."""
    page: Page = [
        GAP,
        line(f"{step.name} is in the trash.", mark=GOOD),
        line("Bring it back: ", (f"hpc-jupyter-setup env restore {step.name}", "command")),
        line("Give back its room: ", ("hpc-jupyter-setup env clean --trash", "command")),
    ]
    return page + ([line(f"Its file stays as it is: {tilde(file, home)}")] if file else [])


def coming_back(step: Trash, home: Path) -> Page:
    """What restoring will do."""
    kernels = [line(f"and the kernel {tilde(path, home)}", indent=2) for path in step.kernels]
    return [GAP, line(f"{step.name} goes back to {tilde(step.prefix, home)}"), *kernels]


def restored(step: Trash, home: Path) -> Page:
    """It is there again."""
    return [GAP, line(f"{step.name} is there again: {tilde(step.prefix, home)}", mark=GOOD)]


def copied(step: CondaEnv, old: Path, home: Path) -> Page:
    """Where the copy is, and what became of the old place."""
    where = tilde(step.prefix, home)
    if not step.moved:
        return [GAP, line(f"{step.name} is a copy of {tilde(old, home)}: {where}", mark=GOOD)]
    page: Page = [GAP, line(f"{step.name} is at {where}; {tilde(old, home)} is gone.", mark=GOOD)]
    source = step.spec.source
    if source and step.name != old.name == step.spec.name and may_write(source):
        page.append(line(f"Its file still says «name: {old.name}»: {tilde(source, home)}"))
    return page
