"""The whole job in a throw-away home: mirror, setup, launch, setup again, undo, compare to the byte.

Every part is the command that a user would type, run as a program with HOME set to the throw-away home.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from setup_wizard import trees
from setup_wizard.errors import NotProven
from setup_wizard.mirror import build, server
from setup_wizard.world import Output, Progress, Report, World

ENVIRONMENT = "jupyterlab"


class Wish(msgspec.Struct, frozen=True):
    """How to rehearse: against the real hosts or a given mirror, from whose rc files, from which wheels."""

    upstream: bool = False
    mirror: str | None = None
    wheels: Path | None = None
    rc_from: Path | None = None
    keep: bool = False
    terminal: bool = False


class Rehearsed(msgspec.Struct, frozen=True):
    """What came of it; `ok` only when everything held."""

    ok: bool
    seconds: dict[str, float]
    steps: list[dict[str, str]]
    environment: dict[str, Any]
    url: str
    proof: dict[str, Any]
    second_run: dict[str, Any]
    undo: dict[str, Any]
    home: str


class Stage:
    """The throw-away home, and the commands run in it."""

    def __init__(self, world: World, home: Path, say: Callable[[str], None], *, terminal: bool) -> None:
        self.world, self.home, self.say, self.terminal = world, home, say, terminal
        self.seconds: dict[str, float] = {}
        outer = {k: v for k, v in world.env.items() if not k.startswith(("XDG_", "CONDA_", "JUPYTER_"))}
        straight = ",".join(filter(None, (outer.get("NO_PROXY"), outer.get("no_proxy"), "127.0.0.1")))
        outer |= {"NO_PROXY": straight, "no_proxy": straight}
        self.env = {**outer, **world.own_python_env(), "HOME": str(home)}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        began = self.world.now()
        yield
        self.seconds[name] = round(self.world.now() - began, 2)

    def command(self, *words: str) -> None:
        """Run one of our commands in the throw-away home, for all to see; must end well."""
        self.say(f"$ hpc-jupyter-setup {' '.join(words)}")
        if self.terminal:
            argv = [*self.world.own_python("setup_wizard"), *words]
            output = Output(self.world.lend_terminal(argv, env=self.env, cwd=self.home))
        else:
            output = self._run(words, on_line=self.say)
        if output.code:
            raise NotProven(
                f"`hpc-jupyter-setup {' '.join(words)}` ended with exit code {output.code}.\n{output.err}",
                fix=f"Run again with --keep, and look at the home that it leaves: {self.home}",
            )

    def facts(self, *words: str) -> Any:
        """Run one of our commands with --json, quietly, and give what it printed."""
        self.say(f"$ hpc-jupyter-setup {' '.join(words)}")
        output = self._run((*words, "--json"))
        try:
            told = json.loads(output.out)
        except json.JSONDecodeError:
            told = {"error": {"problem": f"{output.out[-300:]}{output.err[-1500:]}"}}
        if error := told.get("error"):
            command = f"hpc-jupyter-setup {' '.join(words)}"
            raise NotProven(
                f"`{command}` ended with exit code {output.code}.\n{error['problem']}",
                fix=f"Run again with --keep, and look at the home that it leaves: {self.home}",
            )
        return told

    def _run(self, words: tuple[str, ...], on_line: Callable[[str], None] | None = None) -> Output:
        argv = [*self.world.own_python("setup_wizard"), *words]
        return self.world.run(argv, env=self.env, on_line=on_line, cwd=self.home)


def rehearse(
    world: World, wish: Wish, report: Report, say: Callable[[str], None], wait: Callable[[str], None]
) -> Rehearsed:
    """Run the whole job; `say` hears what the commands print, `wait` is called with the proven URL."""
    home = Path(tempfile.mkdtemp(prefix="hpc-jupyter-rehearsal-"))
    stage = Stage(world, home, say, terminal=wish.terminal)
    try:
        _furnish(home, wish.rc_from)
        with _mirror(stage, wish, report) as mirror:
            return _run_all(stage, mirror, wait)
    finally:
        if not wish.keep:
            stage._run(("stop", "--all"))
            shutil.rmtree(home, ignore_errors=True)


def _furnish(home: Path, rc_from: Path | None) -> None:
    """A bare home as the system makes it, or with the rc files of the given folder."""
    source = rc_from or Path("/etc/skel")
    for path in sorted(source.glob(".*")) if source.is_dir() else []:
        if path.is_file() and path.name.startswith(
            (".bash", ".profile", ".zsh", ".login", ".cshrc", ".inputrc")
        ):
            shutil.copy2(path, home / path.name, follow_symlinks=False)


@contextmanager
def _mirror(stage: Stage, wish: Wish, report: Report) -> Iterator[str | None]:
    """The mirror's address: an embedded one on loopback, the given one, or None for the real hosts."""
    if wish.upstream or wish.mirror:
        stage.seconds["mirror"] = 0.0
        yield wish.mirror
        return
    with stage.timed("mirror"):
        report(Progress("Building the rehearsal mirror"))
        made = build.build(stage.world, stage.world.cache / "mirror", report=report, wheels=wish.wheels)
    with server.serve(made.path) as url:
        yield url


def _run_all(stage: Stage, mirror: str | None, wait: Callable[[str], None]) -> Rehearsed:
    before = trees.picture(stage.home)
    setup = ["setup", "--yes", "--accept-licence", "miniconda", "--distribution", "miniconda"]
    setup += ["--environments", ENVIRONMENT, *(["--mirror", mirror] if mirror else [])]
    with stage.timed("setup"):
        stage.command(*setup)
    status = stage.facts("status")
    with stage.timed("launch"):
        launched = stage.facts("launch", "--here", "--environment", ENVIRONMENT)
    with stage.timed("second_run"):
        second = stage.facts("setup", "--yes")
    if launched.get("url"):
        wait(launched["url"])
    stage.facts("stop", "--all")
    with stage.timed("undo"):
        undone = stage.facts("undo", "--yes")
    differs = difference(before, trees.picture(stage.home))
    undone = {**undone, "home_identical": not differs, "differs": differs}
    return _verdict(stage, status, launched, second, undone)


def _verdict(stage: Stage, status: Any, launched: Any, second: Any, undone: Any) -> Rehearsed:
    environment: dict[str, Any] = next(
        (e for e in status.get("environments", []) if e["name"] == ENVIRONMENT), {}
    )
    proof = launched.get("proof") or {}
    changed = second.get("changed")
    proven = bool(proof) and proof.get("kernel_prefix") == environment.get("prefix")
    return Rehearsed(
        ok=proven and changed == [] and undone["home_identical"],
        seconds=stage.seconds,
        steps=status.get("steps", []),
        environment=environment,
        url=launched.get("url", ""),
        proof=proof,
        second_run={"changed": changed},
        undo=undone,
        home=str(stage.home),
    )


def difference(before: dict[str, tuple[str, str]], after: dict[str, tuple[str, str]]) -> list[str]:
    """The paths in which two pictures of a home differ."""
    return sorted(p for p in before.keys() | after.keys() if before.get(p) != after.get(p))
