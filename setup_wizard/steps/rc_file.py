"""Start files of shells: which one a shell reads, whether it can be parsed, and the line to add by hand."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from setup_wizard import blocks, files
from setup_wizard.step import Blocked, State
from setup_wizard.steps import textfile
from setup_wizard.world import World

SHELLS = ("bash", "zsh")  # whose rc files we edit
_ENDLESS = "a here-document that never ends"
_RC_FILES = {
    "bash": ".bashrc",
    "zsh": ".zshrc",
    "fish": ".config/fish/config.fish",
    "tcsh": ".tcshrc",
    "csh": ".cshrc",
}


@dataclass(frozen=True)
class Complaint:
    """What the shell says about a text that it cannot parse, and in which line (from 1; 0: not known)."""

    line: int
    said: str


def rc_file(home: Path, shell: str) -> Path:
    """The file that an interactive shell of that name reads."""
    return home / _RC_FILES.get(shell, ".profile")


def conda_script(shell: str, prefix: Path) -> Path:
    """The file of the conda of `prefix` that makes it known when the shell sources it."""
    if shell == "fish":
        return prefix / "etc/fish/conf.d/conda.fish"
    return prefix / f"etc/profile.d/conda.{'csh' if shell in ('csh', 'tcsh') else 'sh'}"


def line_by_hand(shell: str, prefix: Path) -> str:
    """One line in the shell's own language that makes the `conda` of `prefix` known."""
    script = shlex.quote(str(conda_script(shell, prefix)))
    if shell == "fish":
        return f"test -r {script}; and source {script}"
    if shell in ("csh", "tcsh"):
        return f"if ( -r {script} ) source {script}"
    return f"[ ! -r {script} ] || . {script}"


def complaint(world: World, shell: str, text: str) -> Complaint | None:
    """What the shell (bash or zsh) finds wrong with the text, without running it; None: it is well formed.

    A here-document that never ends counts too: shells only warn of it, and it would swallow what is added.
    """
    told = _parse(world, shell, text)
    if told is None and _parse(world, shell, text + "\n\n}\n") is None:
        return Complaint(text.count("\n") + 1, _ENDLESS)
    return told


def _parse(world: World, shell: str, text: str) -> Complaint | None:
    with tempfile.TemporaryDirectory(prefix=f"{blocks.NAME}-") as folder:
        script = Path(folder) / "rc"
        script.write_bytes(text.encode("utf-8", "surrogateescape"))
        told = _told(world, [shell, "-n", script])
        if told and shell == "bash":  # extended patterns, which the file may switch on itself
            told = _told(world, [shell, "-O", "extglob", "-n", script]) and told
        return told


def _told(world: World, argv: list[str | Path]) -> Complaint | None:
    env = {"PATH": world.env.get("PATH", "/usr/bin:/bin"), "HOME": str(world.home), "LC_ALL": "C"}
    output = world.run(argv, env=env, timeout=20)
    said = output.err.strip()
    if not said and not output.code:
        return None
    first = (said.splitlines() or [f"exit code {output.code}"])[0]
    if begun := re.search(r"here-document at line (\d+)", said):
        return Complaint(int(begun[1]), _ENDLESS)
    where = re.search(r"rc:(?: line )?(\d+): (.*)", first)
    return Complaint(int(where[1]), where[2]) if where else Complaint(0, first)


def edited(world: World, shell: str, path: Path, change: Callable[[str], str], by_hand: str) -> State:
    """How the file stands to `change`: Done, Todo with the diff, or Blocked where it must not be touched.

    Refuses a file that the shell cannot parse, before or after. `by_hand` is what the user can do instead.
    """
    if problem := textfile.obstacle(world, path):
        return Blocked(problem, by_hand)
    old = files.read_text(path)
    new = change(old)
    if new != old:
        if told := complaint(world, shell, old):
            return Blocked(_broken(shell, path, told), f"Mend it, then run again. See: {shell} -n {path}")
        if told := complaint(world, shell, new):
            return Blocked(f"The change would break the file. {_broken(shell, path, told)}", by_hand)
    return textfile.proposed(world, path, new)


def _broken(shell: str, path: Path, told: Complaint) -> str:
    place = f"{path}:{told.line}" if told.line else str(path)
    return f"{place}: {shell} cannot read this file: {told.said}."
