"""Preflight: everything that could go wrong later, looked at before the first question. Changes nothing."""

from __future__ import annotations

from setup_wizard.preflight import machine, network, pythons, room
from setup_wizard.preflight.finding import Finding, Questions
from setup_wizard.world import World

__all__ = ["Finding", "Questions", "look"]


def look(world: World, questions: Questions | None = None) -> list[Finding]:
    """All findings at once: the machine, the room on it, other Pythons, the network."""
    asked = questions or Questions()
    answers = network.begin(world, asked)  # while we look at the rest
    return [
        *machine.findings(world, asked),
        *room.findings(world, asked),
        *pythons.findings(world),
        *network.findings(world, asked, answers),
    ]
