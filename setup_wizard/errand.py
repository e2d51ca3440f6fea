"""A command on the login node that goes on when the connection is cut, and is heard to its end all the same.

What it says lies there in a folder of its own, in our cache, until it is fetched: whoever comes back hears of
the same command, and does not begin a second one.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from setup_wizard import comeback
from setup_wizard.errors import MachineBlocks, NetworkTrouble
from setup_wizard.far import TOOL, Far
from setup_wizard.world import Output, Report, silent

SILENT = 1200.0  # seconds without a word; the longest that our program is silent is 900, for an image
CUTS = 20  # how many times the network may go away meanwhile
LOOK, LONGEST_LOOK = 0.2, 2.0  # seconds between two looks, at first and at most

# Called twice, it begins once: the first answer may have been lost. What nobody fetched goes in a week.
BEGIN = (
    f'umask 077; all="${{XDG_CACHE_HOME:-$HOME/.cache}}/{TOOL}/errands"; mine="$all/$0"; '
    'mkdir -p "$all" && cd "$all" && find . ! -name . -prune -mtime +7 -exec rm -rf {} +; '
    'cd; echo "$mine"; test -d "$mine" && exit; mkdir "$mine" || exit; '
    '{ "$@" </dev/null >"$mine/answer" 2>"$mine/said"; echo $? >"$mine/code"; touch "$mine/over"; } '
    '>/dev/null 2>&1 & echo "$! $(uname -n)" >"$mine/who"'
)
# The list is read anew each time: a network file system would go on saying that a new file is not there.
HEAR = (
    'cd "$0" || exit; read -r pid host <who; if ls | grep -qx over; then echo over; '
    'elif [ "$host" = "$(uname -n)" ] && ! kill -0 "$pid" 2>/dev/null && [ ! -e over ]; then echo gone; '
    "else echo runs; fi; tail -n 1 said"
)
FETCH = 'cd "$0" && echo "$(cat code)" && cat answer && echo "$0" && cat said'
FORGET = 'rm -rf "$0"'


def run(far: Far, words: Sequence[str], hear: Callable[[str], object], report: Report = silent) -> Output:
    """Run a command there to its end, through cuts of the network; its time has no limit but silence.

    `hear` is told the last line of what it says on standard error, again and again. Raises MachineBlocks when
    it cannot be begun, was ended from outside, or has said nothing for too long.
    """
    pause, last, quiet = LOOK, "", 0.0
    begun = _ask(far, report, far.inside, BEGIN, secrets.token_hex(8), *words)
    if begun.code != 0:
        raise MachineBlocks(
            f"{far.host}: {begun.err.strip()}", fix=f"Look there: ssh {far.host} df -h . /tmp"
        )
    folder = begun.out.strip()
    while True:
        state, _, line = _ask(far, report, far.run, HEAR, folder).out.partition("\n")
        if state == "over":
            said = _ask(far, report, far.run, FETCH, folder).out
            _ask(far, report, far.run, FORGET, folder)
            return _output(said, folder)
        if state != "runs" or quiet > SILENT:
            raise _lost(far, state)
        hear(line.strip())
        if line != last:
            last, quiet, pause = line, 0.0, LOOK
        far.world.sleep(pause)
        quiet, pause = quiet + pause, min(LONGEST_LOOK, pause * 1.2)


def _output(said: str, folder: str) -> Output:
    """Code, answer and all else, as they were fetched."""
    code, _, rest = said.partition("\n")
    out, _, err = rest.partition(f"{folder}\n")
    return Output(int(code or 1), out, err)  # a full disk may have kept nothing


def _lost(far: Far, state: str) -> MachineBlocks:
    what = f"has said nothing for {SILENT / 60:.0f} min" if state == "runs" else "was ended from outside"
    return MachineBlocks(
        f"What was begun on {far.host} {what}.", fix=f"See what came of it: ssh {far.host} {TOOL} sessions"
    )


def _ask(far: Far, report: Report, ask: Callable[..., Output], *words: str) -> Output:
    """What a script says there, however often the network goes away meanwhile."""
    for _ in range(CUTS):
        try:
            return ask("sh", "-c", *words)
        except NetworkTrouble:
            comeback.log_in(far, report)
    return ask("sh", "-c", *words)
