"""The corpus of rc files, a home for them, and a step applied there by hand as `apply` does it."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from setup_wizard import files
from setup_wizard.errors import MachineBlocks
from setup_wizard.step import Before, Blocked, Done, Step, Todo
from setup_wizard.trees import NoTree
from setup_wizard.world import World, silent

CORPUS = Path(__file__).parent / "rc_corpus"

CONDA_SH = """\
export CONDA_EXE='{prefix}/bin/conda'
conda() {{
    echo "conda of ${{CONDA_EXE%/bin/conda}}"
}}
if [ -z "${{CONDA_SHLVL+x}}" ]; then
    export CONDA_SHLVL=0
    PATH="{prefix}/condabin${{PATH:+":${{PATH}}"}}"
    export PATH
fi
"""


def cases(*folders: str) -> list[ParameterSet]:
    """The files of these folders of the corpus, as parameters that bear their names."""
    return [pytest.param(p, id=p.name) for folder in folders for p in sorted((CORPUS / folder).iterdir())]


def fake_prefix(folder: Path) -> Path:
    """A prefix that holds nothing but a `conda.sh`, of the form of the real one."""
    prefix = folder / "mini conda's"
    script = prefix / "etc/profile.d/conda.sh"
    script.parent.mkdir(parents=True)
    script.write_text(CONDA_SH.format(prefix=str(prefix).replace("'", "'\\''")))
    return prefix


def make(step: Step, world: World) -> Before:
    """What `apply` does with a step that is to be done: keep what was there, do it, look again."""
    state = step.check(world)
    assert isinstance(state, Todo), state
    if not isinstance(state.before, NoTree):
        files.keep(state.before)
    step.apply(world, silent)
    assert isinstance(step.check(world), Done)
    return state.before


def refused(step: Step, world: World) -> Blocked:
    """The refusal of a step that must not touch anything: neither when looked at nor when applied."""
    before = photo(world.home)
    state = step.check(world)
    assert isinstance(state, Blocked), state
    with pytest.raises(MachineBlocks):
        step.apply(world, silent)
    assert photo(world.home) == before
    return state


def photo(home: Path) -> dict[str, tuple[object, ...]]:
    """Everything in a home but our own state: kind, mode, mtime (files), and bytes or the end of the link."""
    seen: dict[str, tuple[object, ...]] = {}
    for folder, names, more in os.walk(home):
        for name in [*names, *more]:
            path = Path(folder, name)
            relative = str(path.relative_to(home))
            if not relative.startswith(".local"):
                seen[relative] = _seen(path)
    return seen


def _seen(path: Path) -> tuple[object, ...]:
    info = path.lstat()
    if path.is_symlink():
        return ("link", os.readlink(path))
    if not path.is_file():
        return ("other", info.st_mode)
    return ("file", info.st_mode, info.st_mtime_ns, path.read_bytes())


def age(path: Path) -> None:
    """Give a file a time long ago, with odd nanoseconds, and an uncommon mode."""
    path.chmod(0o640)
    os.utime(path, ns=(1_500_000_000_123_456_789, 1_500_000_000_123_456_789))


def bash(world: World, *argv: str) -> tuple[int, str, str]:
    """What a bash of that home answers: exit code, output, errors; with the environment of a fresh login."""
    run = subprocess.run(
        ["bash", *argv], env=_fresh(world), cwd=world.home, capture_output=True, text=True, errors="replace",
        stdin=subprocess.DEVNULL, start_new_session=True, timeout=30, check=False,
    )  # fmt: skip
    return run.returncode, run.stdout, run.stderr


def as_sshd(world: World) -> tuple[str, str]:
    """What a shell prints that is started as sshd does for scp or rsync: not interactive, on a socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        run = subprocess.run(
            ["bash", "-c", "true"], env=_fresh(world), cwd=world.home, capture_output=True, text=True,
            errors="replace", stdin=theirs.fileno(), timeout=30, check=False,
        )  # fmt: skip
    return run.stdout, run.stderr


def _fresh(world: World) -> dict[str, str]:
    return {"HOME": str(world.home), "PATH": os.environ["PATH"], "TERM": "dumb", "USER": "student"}
