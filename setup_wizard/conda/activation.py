"""What activating an environment means for a program that is started in it, as `conda activate` has it.

The environment's `bin` comes first in PATH, its variables are set, its scripts in `etc/conda/activate.d` are
read by bash; of the environment that was active before, all that is taken away, and `deactivate.d` is read.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from setup_wizard.conda import contents
from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.hints import did_you_mean
from setup_wizard.world import World

SCRIPT = """\
_inside=("$@"); set --
{leave}{change}{enter}\
type -P -- "${{_inside[0]}}" >/dev/null || {{ printf '%s\\n' {missing} >&2; exit {code}; }}
exec "${{_inside[@]}}"
"""
NAMES = ("CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_PROMPT_MODIFIER", "CONDA_SHLVL")


class Activation(msgspec.Struct, frozen=True):
    """The variables of a program inside, and the scripts that are read before: to leave, and to enter."""

    env: dict[str, str]
    leave: tuple[Path, ...] = ()
    enter: tuple[Path, ...] = ()


def activated(prefix: Path, name: str, env: Mapping[str, str]) -> Activation:
    """What becomes of the variables `env` in the environment; `name` is what conda calls it."""
    old = Path(env["CONDA_PREFIX"]) if env.get("CONDA_PREFIX", "").startswith("/") else None
    gone = {*variables(old)} if old else set()
    kept = {k: v for k, v in env.items() if k not in gone and not _is_of_a_stack(k)}
    ours = [str(p / "bin") for p in (prefix, old) if p]
    path = [p for p in env.get("PATH", os.defpath).split(os.pathsep) if p not in ours]
    now = {
        "PATH": os.pathsep.join([str(prefix / "bin"), *path]),
        **dict(zip(NAMES, (str(prefix), name, f"({name}) ", "1"), strict=True)),
        **variables(prefix),
    }
    leave = tuple(reversed(_scripts(old, "deactivate.d"))) if old else ()
    return Activation({**kept, **now}, leave, tuple(_scripts(prefix, "activate.d")))


def variables(prefix: Path) -> dict[str, str]:
    """Those that its packages bring, and over them those that the user has set for it."""
    found: dict[str, str] = {}
    for path in sorted((prefix / "etc/conda/env_vars.d").glob("*.json")):
        try:
            found |= msgspec.json.decode(path.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.MsgspecError):
            continue
    return found | contents.variables(prefix)


class Start(msgspec.Struct, frozen=True):
    """A program to become: its file, its arguments (the first is its name), and its variables."""

    program: Path
    argv: tuple[str, ...]
    env: dict[str, str]


def start(world: World, prefix: Path, name: str, command: Sequence[str]) -> Start:
    """How a command is started in the environment: at once, or by bash where scripts are to be read before.

    Raises BadInput where there is no such command, MachineBlocks where bash is needed and not there.
    """
    what = activated(prefix, name, world.env)
    found = shutil.which(command[0], path=what.env["PATH"])
    missing = None if found else _no_such(command[0], prefix, name)
    if not (what.leave or what.enter):
        if missing or not found:
            raise missing or _no_such(command[0], prefix, name)
        return Start(Path(found), tuple(command), what.env)
    bash = world.which("bash")
    if bash is None:
        raise MachineBlocks(
            f"{prefix} has scripts that are to be read when it is activated, and there is no bash.",
            fix="Let bash be in PATH, then run again.",
        )
    env = {k: v for k, v in world.env.items() if k != "BASH_ENV"}
    said = f"{missing.problem}\n{missing.fix}" if missing else ""
    argv = (str(bash), "--norc", "--noprofile", "-c", _script(what, env, said), "env run", *command)
    return Start(bash, argv, env)


def _no_such(program: str, prefix: Path, name: str) -> BadInput:
    try:
        near = did_you_mean(program, os.listdir(prefix / "bin"))
    except OSError:
        near = ""
    return BadInput(
        f"There is no command «{program}», in {name} or elsewhere in PATH.{near}",
        fix=f"See what it has: ls {prefix}/bin; or install the package that brings it: "
        f"hpc-jupyter-setup env install {name} PACKAGE",
    )


def _script(what: Activation, env: Mapping[str, str], missing: str) -> str:
    """What bash, started with `env`, reads before it becomes the command.

    What the environment's scripts print goes to standard error, and they read nothing. Where the command is
    not found behind them, bash says `missing`.
    """
    unset = [name for name in env if name not in what.env]
    new = {k: v for k, v in what.env.items() if env.get(k) != v}
    change = [f"unset {' '.join(unset)}"] if unset else []
    change += [f"export {name}={shlex.quote(value)}" for name, value in new.items()]
    return SCRIPT.format(
        leave=_read(what.leave),
        change="".join(f"{text}\n" for text in change),
        enter=_read(what.enter),
        missing=shlex.quote(missing),
        code=BadInput.code,
    )


def _read(scripts: Sequence[Path]) -> str:
    return "".join(f". {shlex.quote(str(path))} </dev/null >&2\n" for path in scripts)


def _scripts(prefix: Path, folder: str) -> list[Path]:
    return sorted((prefix / "etc/conda" / folder).glob("*.sh"))


def _is_of_a_stack(name: str) -> bool:
    """Whether conda notes with it what was active below: CONDA_PREFIX_1, CONDA_STACKED_2."""
    word, _, number = name.rpartition("_")
    return word in ("CONDA_PREFIX", "CONDA_STACKED") and number.isdigit()
