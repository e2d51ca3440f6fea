"""`--as-job`: the command that was typed, carried out by a batch job, with its progress on this screen."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from setup_wizard import batch
from setup_wizard.cli.work import How
from setup_wizard.ui import show
from setup_wizard.ui.sheet import line
from setup_wizard.world import World


def carry_out(world: World, how: How) -> list[str]:
    """Let a job do what was agreed to; the titles of what it has made."""
    assert how.as_job
    words = [*(w for w in sys.argv[1:] if w != "--as-job"), "--yes", "--json"]
    mine = batch.submit(world, words, Path.cwd(), how.as_job)
    try:
        return list(_followed(world, mine, how)["changed"])
    except KeyboardInterrupt:
        _interrupted(world, mine, how)
        raise


def _followed(world: World, mine: batch.Batch, how: How) -> dict[str, Any]:
    with show.live(world, err=how.json) as live:
        return batch.follow(world, mine, live.report, lambda text: live.put([line(text)]))


def _interrupted(world: World, mine: batch.Batch, how: How) -> None:
    """Ctrl-C: leave it, or end it; it is left where there is nobody to ask."""
    if how.json or not world.on_terminal:
        return
    from setup_wizard.ui import ask

    if ask.confirm(f"Job {mine.job} is at work. Leave it there?", world, explain=False) == "yes":
        print(f"It goes on; what it says is in {mine.folder}.")
    else:
        batch.cancel(world, mine)
        print(f"Job {mine.job} was ended. The same command goes on where it stopped.")
