"""`--as-job`: a plan that was agreed to here, carried out by a batch job, with its progress on this screen.

The job runs this module: it gets the plan in a file and solves nothing, so that it does what was shown.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from setup_wizard import batch
from setup_wizard.answers import Answers
from setup_wizard.apply import Outcome, Reviewed
from setup_wizard.cli.work import How, carry_out, compile_made
from setup_wizard.journal import Journal
from setup_wizard.plan import Plan
from setup_wizard.steps import AnyStep
from setup_wizard.ui import show
from setup_wizard.ui.sheet import line
from setup_wizard.world import World

# What a job needs of the environment, which some schedulers hand on and others do not.
KEPT = re.compile(
    r"CONDA_(OVERRIDE_\w+|OFFLINE|PKGS_DIRS)|XDG_(CONFIG|CACHE|DATA|STATE)_HOME|\w+_proxy|\w+_PROXY|NETRC|SSL_CERT_\w+"
    r"|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|(PIP|UV)_\w+|HPC_JUPYTER_SETUP_\w+"
)
NAMED = re.compile(r"\$\{(\w+)\}")  # in the address of a channel, or in the section for pip


class Handed(msgspec.Struct, frozen=True):
    """What a job is to do: the steps as they were shown, and what it needs of the environment. Secret."""

    steps: tuple[AnyStep, ...]
    answers: Answers
    env: dict[str, str]


def handed(world: World, steps: Sequence[AnyStep], answers: Answers) -> bytes:
    """The plan for the job, as one text."""
    named = set(NAMED.findall(msgspec.json.encode(steps, enc_hook=str).decode()))
    env = {k: v for k, v in world.env.items() if KEPT.fullmatch(k) or k in named}
    return msgspec.json.encode(Handed(tuple(steps), answers, env), enc_hook=str)


def submitted(reviewed: Sequence[Reviewed], world: World, answers: Answers, how: How) -> list[Outcome]:
    """Let a job do what was agreed to, and follow it to its end."""
    assert how.as_job
    mine = batch.submit(world, handed(world, [r.step for r in reviewed], answers), Path.cwd(), how.as_job)
    try:
        made = _followed(world, mine, how)["made"]
    except KeyboardInterrupt:
        _interrupted(world, mine, how)
        raise
    return [
        Outcome(r.step, "made", warnings=tuple(made[r.step.key]))
        if r.step.key in made
        else Outcome(r.step, "found")
        for r in reviewed
    ]


def _followed(world: World, mine: batch.Batch, how: How) -> dict[str, Any]:
    with show.live(world, err=how.json) as live:
        return batch.follow(world, mine, live.report, lambda text: live.put([line(text)]))


def _interrupted(world: World, mine: batch.Batch, how: How) -> None:
    """Ctrl-C: leave it, or end it; it is left where there is nobody to ask."""
    if how.json or not world.on_terminal:
        return
    from setup_wizard.ui import ask

    if ask.leave(f"Job {mine.job} is at work. Leave it there?", "the job", world):
        print(f"It goes on; what it says is in {mine.folder}.")
    else:
        batch.cancel(world, mine)
        print(f"Job {mine.job} was ended. The same command goes on where it stopped.")


# --- in the job -----------------------------------------------------------------------------------------


def main() -> int:
    """Carry out the plan in the file that is named; print what was made, as one object."""
    plan = msgspec.json.decode(
        Path(sys.argv[1]).read_bytes(), type=Handed, dec_hook=lambda kind, value: kind(value)
    )
    here = World.here()
    world, how = World(here.home, {**here.env, **plan.env}), How(yes=True, json=True)
    journal = Journal(world)
    with journal:
        outcomes = carry_out(Plan(plan.steps), journal, plan.answers, how)
    made = [o for o in outcomes if o.state == "made"]
    compile_made([o.step for o in made], world, how)
    show.put_json({"ok": True, "made": {o.step.key: o.warnings for o in made}})
    return 0


if __name__ == "__main__":
    from setup_wizard.cli.boundary import exit_code

    sys.exit(exit_code(main))
