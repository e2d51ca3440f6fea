"""Commands for the login shell of somebody, whichever it is: read alike by all, and run as after a log-in.

What ssh runs has not read the profiles, and where Slurm or Python come by these, it finds neither.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

BEGINS = "hpc-jupyter-setup begins"  # what is printed before this line was said by a profile
CALL = "HPC_JUPYTER_SETUP_CALL"
# All but csh take -l with -c; its own start file is read for whatever ssh runs, and sh has read the others.
LOGIN = (
    f'export {CALL}="$0"; shell=${{SHELL:-/bin/sh}}; case "${{shell##*/}}" in *csh) shell=/bin/sh;; esac; '
    f'exec "$shell" -lc \'exec sh -c "${CALL}"\''
)


def joined(words: Sequence[str]) -> str:
    """The words as one line for a shell: sh, bash, zsh, fish and csh read the same words in it."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    # A backslash means something between the quotes of fish, and an exclamation mark between those of csh.
    parts = filter(None, re.split(r"([\\'!])", word))
    return "".join(f"\\{part}" if part in "\\'!" else shlex.quote(part) for part in parts) or "''"


def as_after_login(words: Sequence[str]) -> list[str]:
    """The command that runs these words in the environment of a log-in, and says `BEGINS` before."""
    return ["sh", "-c", LOGIN, f"unset {CALL}; echo '{BEGINS}'; exec {shlex.join(words)}"]
