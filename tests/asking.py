"""Asks the questions of the wizard on this terminal and prints the answers; a person or pexpect is in front.

python tests/asking.py HOME WHAT [GIVEN]     WHAT: ask, confirm, consent, licence; GIVEN: answers as JSON

With LATE in the environment the questions come only when a line has been typed.
"""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path

import msgspec

from setup_wizard.answers import Answers, remember
from setup_wizard.choices import Choices, look
from setup_wizard.conda.found import Found
from setup_wizard.ui import ask
from setup_wizard.world import World


def main(home: Path, what: str, given: str = "{}") -> None:
    """Do it, and say how it ended."""
    world = World(home, {**os.environ, "HOME": str(home)}, root=home)
    if "LATE" in world.env:
        select.select([sys.stdin], [], [])
    try:
        print("ANSWERS", conversation(world, what, given))
    except KeyboardInterrupt:
        print("INTERRUPTED")


def conversation(world: World, what: str, given: str) -> str:
    """What came of it, as JSON."""
    if what == "confirm":
        return ask.confirm("Shall I do this?", world)
    if what == "consent":
        return str(ask.consent("Shall others read it?", {"no": "better", "yes": "I know"}, world))
    if what == "licence":
        return str(ask.agree_licence("miniconda", world))
    known = msgspec.json.decode(given, type=Answers, dec_hook=lambda kind, value: kind(value))
    answers = ask.ask(known, offers(world), world, lambda a: remember(world, a))
    return msgspec.json.encode(answers, enc_hook=str).decode()


def offers(world: World) -> Choices:
    """What this home offers; the folders `broken` and `whole`, where they are there, are condas."""
    offered = look(world, None, None)
    condas = [
        Found(p, p.name, "25.3.0", "in PATH", "" if (p / "bin/conda").exists() else "bin/conda is missing")
        for p in (world.home / "broken", world.home / "whole")
        if p.is_dir()
    ]
    return msgspec.structs.replace(offered, found=tuple(condas))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
