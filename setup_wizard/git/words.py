"""What git says, in the user's words."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from setup_wizard.errors import CommandFailed, MachineBlocks, NetworkTrouble, SetupError
from setup_wizard.world import Output

NO_GIT = "git is not here, and notebooks are fetched with it."
GET_GIT = (
    "Load it with `module load git`, or install it with `conda install -n base git` and "
    "`conda activate base`, or ask your computing centre. Then run again."
)


def trouble(output: Output, command: str, folder: Path, url: str = "") -> SetupError:
    """What went wrong, in the user's words, from what git said last."""
    said = _last_words(output)
    if re.search(r"No space left|[Qq]uota exceeded|unable to write|Read-only file system", said):
        return MachineBlocks(
            f"git could not write into {folder}: {said}",
            fix=f"See the space there: df -h {folder}; df -i {folder}",
        )
    if url and re.search(
        r"not found|does not exist|not appear to be a git|Authentication failed|Username", said
    ):
        return NetworkTrouble(
            f"There is no public repository at {url} (any more): {said}",
            fix="Open the address in a browser; leave these notebooks out, or use a mirror: --mirror URL.",
        )
    if url:
        host = urlsplit(url).hostname or url
        return NetworkTrouble(
            f"{host} could not be asked for notebooks: {said}",
            fix="Check the network and the proxy (https_proxy), or use --mirror URL. Then run again.",
        )
    return CommandFailed(
        f"`git {command}` in {folder} ended with exit code {output.code}: {said}",
        fix=f"See what git says there: cd {folder} && git status",
    )


def silent(url: str, seconds: float) -> NetworkTrouble:
    """The error for a server that was given up."""
    return NetworkTrouble(
        f"{urlsplit(url).hostname or url} said nothing for {seconds:.0f} s; git was stopped.",
        fix="Try again in a while, or use a mirror: --mirror URL. What was there before is unchanged.",
    )


def _last_words(output: Output) -> str:
    lines = [s for s in re.split(r"[\r\n]+", f"{output.out}\n{output.err}") if s.strip()]
    errors = [s for s in lines if re.match(r"(fatal|error|remote): |Could not|Permission denied", s)]
    return " ".join((errors or lines)[-3:])[:600]
