"""Does it work? A new login shell, one as sshd starts it, every kernel, and the welcome notebook, for real.

Nothing is left behind: what programs write goes to a temporary folder.
"""

from __future__ import annotations

from collections.abc import Iterator

from setup_wizard.selftest.data import Check, Environment, Started, Subject, Trial
from setup_wizard.selftest.kernels import kernel_checks, start
from setup_wizard.selftest.shells import shell_checks
from setup_wizard.world import World

__all__ = ["Check", "Environment", "Started", "Subject", "Trial", "checks", "start"]


def checks(world: World, subject: Subject) -> Iterator[Check]:
    """One check after the other, as each is done."""
    yield from shell_checks(world, subject)
    for i, environment in enumerate(subject.environments):
        yield from kernel_checks(world, environment, subject.welcome if i == 0 else None)
