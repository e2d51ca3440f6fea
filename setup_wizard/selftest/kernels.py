"""Every kernel starts by its name, in the environment that it stands for; the welcome notebook runs in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from setup_wizard import notebook_catalogue
from setup_wizard.jupyter import nook as nooks
from setup_wizard.jupyter.start import environment as jupyter_environment
from setup_wizard.selftest.data import Check, Environment, Started, Trial
from setup_wizard.world import Output, World

PATIENCE = 120.0  # seconds beyond those of the kernel: on a network file system all takes its time
FAREWELL = 3.0


def kernel_checks(world: World, environment: Environment, welcome: Path | None) -> Iterator[Check]:
    """The kernel of one environment, and the welcome notebook in it."""
    told, output = _probe(world, Trial(environment.kernel, environment.prefix), welcome)
    kernel: dict[str, Any] = next((t for t in told if "prefix" in t), {})
    yield _kernel(environment, kernel, _why(told, output))
    if welcome and kernel:
        notebook: dict[str, Any] = next((t for t in told if "cells" in t), {})
        yield _notebook(environment, notebook, _why(told, output))


def start(world: World, trial: Trial) -> Started:
    """Start a kernel, ask it where it runs, and end it."""
    told, output = _probe(world, trial, None)
    kernel = next((t for t in told if "prefix" in t), None)
    if kernel is None:
        return Started(problem=_why(told, output), said=output.err)
    return Started(**kernel, said=output.err)


def _probe(world: World, trial: Trial, welcome: Path | None) -> tuple[list[dict[str, Any]], Output]:
    """What the probe has told, and its output."""
    nook = nooks.make(world)
    nowhere = {"MPLCONFIGDIR": str(nook.path / "matplotlib"), "PYTHONDONTWRITEBYTECODE": "1"}
    share = {"JUPYTER_PATH": str(trial.share)} if trial.share else {}
    notebook = [_as_shipped(welcome)] if welcome else []
    probe, python = Path(__file__).with_name("kernel_probe.py"), trial.starter / "bin/python"
    try:
        output = world.run(
            [python, "-I", "-B", probe, trial.kernel, nook.run, str(trial.seconds), *notebook],
            env={**jupyter_environment(world, trial.starter, nook), **nowhere, **share},
            cwd=nook.path,
            timeout=trial.seconds + PATIENCE,
        )
    finally:
        nooks.leave(world, nook, FAREWELL)
    return [json.loads(line) for line in output.out.splitlines() if line.startswith("{")], output


def _as_shipped(welcome: Path) -> Path:
    """The notebook, or the one that we ship where the user has changed it: theirs is not ours to run."""
    unchanged = welcome.is_file() and welcome.read_bytes() == notebook_catalogue.welcome()
    return welcome if unchanged else notebook_catalogue.folder() / "welcome.ipynb"


def _kernel(environment: Environment, kernel: dict[str, Any], why: str) -> Check:
    title = f"The kernel {environment.kernel} runs in its environment"
    again = f"Make it anew: hpc-jupyter-setup env create {environment.name}"
    if not kernel:
        return Check(title, False, f"It does not start: {why}", again)
    prefix = Path(kernel["prefix"])
    if prefix.resolve() != environment.prefix.resolve():
        return Check(
            title, False, f"It runs in {prefix}, not in {environment.prefix}.", again, kernel["seconds"]
        )
    return Check(title, True, f"Python {kernel['version']} in {prefix}", seconds=kernel["seconds"])


def _notebook(environment: Environment, notebook: dict[str, Any], why: str) -> Check:
    title = "The welcome notebook runs"
    see = "Open it and run it cell by cell; the last lines that it prints say what is missing."
    if not notebook:
        return Check(title, False, f"It came to no end: {why}", see)
    if "error" in notebook:
        return Check(title, False, f"Cell {notebook['cells']} ends with {notebook['error']}", see)
    drawn = "a plot" if notebook["images"] else "no plot, since numpy or matplotlib is not there"
    return Check(title, True, f"{notebook['cells']} cells, {drawn}", seconds=notebook["seconds"])


def _why(told: list[dict[str, Any]], output: Output) -> str:
    problem: str = next((t["problem"] for t in told if "problem" in t), "")
    return problem or " ".join(output.err.strip().splitlines()[-2:]) or f"exit code {output.code}"
