"""How an environment is activated in a shell: what to type, and whether that shell knows conda by itself."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import msgspec

from setup_wizard import blocks, files
from setup_wizard.conda import found
from setup_wizard.errors import BadInput
from setup_wizard.journal import Receipt
from setup_wizard.steps import Distribution, ShellBlock
from setup_wizard.steps.rc_file import line_by_hand, rc_file
from setup_wizard.world import World

SHELLS = ("bash", "zsh", "fish", "tcsh", "csh", "sh", "dash", "ksh")
HOOK = re.compile(r"profile\.d/(conda|mamba)\.|conda\.fish|(conda|mamba) initialize|\bshell\.\w+ hook")


class Activating(msgspec.Struct, frozen=True):
    """What to type in a `shell`, line by line.

    `conda` is the one that does it; None: there is none, and the line starts a shell inside. `rc` is the
    start file of the shell, and `ready` says that it makes conda known.
    """

    name: str
    prefix: Path
    shell: str
    lines: tuple[str, ...]
    rc: Path
    ready: bool
    conda: Path | None = None


def find(name: str, prefix: Path, receipt: Receipt, world: World, shell: str) -> Activating:
    """The way for an environment in a shell of that name. Raises BadInput for a shell that is not known."""
    if shell not in SHELLS:
        raise BadInput(
            f"How the shell «{shell}» activates environments is not known here.",
            fix=f"Name one of {', '.join(SHELLS)}: --shell bash; "
            f"or run a command inside: hpc-jupyter-setup env run {name} -- COMMAND",
        )
    rc = rc_file(world.home, shell)
    known = _known_to(rc, shell, receipt, world)
    conda = known or next(_condas(receipt, world), None)
    if conda is None:
        line = f"hpc-jupyter-setup env run {shlex.quote(name)} -- {shell}"
        return Activating(name, prefix, shell, (line,), rc, ready=False)
    command = f"conda activate {_for_conda(name, prefix, conda, world)}"
    lines = (command,) if known else (line_by_hand(shell, conda), command)
    return Activating(name, prefix, shell, lines, rc, bool(known), conda)


def _known_to(rc: Path, shell: str, receipt: Receipt, world: World) -> Path | None:
    """The conda that a new shell knows: by our block in its start file, or by somebody else's lines."""
    text = files.read_text(rc)
    ours = [e.step for e in receipt.values() if e.made and isinstance(e.step, ShellBlock)]
    if blocks.ours(text) and (mine := next((s.prefix for s in ours if s.path == rc), None)):
        return mine
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#("))
    if not HOOK.search(lines):
        return None
    how = f"in ~/{rc.relative_to(world.home)}"
    return next((c.prefix for c in found.find(world) if c.how == how and c.healthy), None)


def _condas(receipt: Receipt, world: World) -> Iterator[Path]:
    """Those that could do it: ours first."""
    for step in (e.step for e in receipt.values() if e.made):
        if isinstance(step, Distribution):
            yield step.prefix
    yield from (c.prefix for c in found.find(world) if c.healthy)


def _for_conda(name: str, prefix: Path, conda: Path, world: World) -> str:
    """What that conda calls the environment: by its name where it looks for it, else by its path."""
    if prefix == conda:
        return "base"
    by_name = prefix.name == name and prefix.parent in (conda / "envs", world.home / ".conda/envs")
    return shlex.quote(name if by_name else str(prefix))
