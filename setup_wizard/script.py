"""The batch script, whole, as one pure function."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from setup_wizard import modules
from setup_wizard.session import Job

ABOUT = "# Written by hpc-jupyter-setup. It holds no secret: those are in files beside it, for you alone."

UNSET = "unset PYTHONPATH PYTHONHOME PYTHONSTARTUP"


def render(job: Job, header: Sequence[str], start: Sequence[str], env: Mapping[str, str]) -> str:
    """The script of a job: the scheduler's header, the modules, then `start` in place of the shell.

    `start` is `exec`ed, so that the scheduler's signal before the end of the time reaches it and not a shell.
    `env` is what our own Python needs; nothing else that leads Python astray is left.
    """
    body = [
        "umask 077",
        *modules.lines(job.modules, job.modulepaths),
        UNSET,
        *(f"export {name}={shlex.quote(value)}" for name, value in env.items()),
        f"exec {shlex.join(start)}",
    ]
    return "\n".join(["#!/bin/bash", *header, ABOUT, *body]) + "\n"


def loading(job: Job, env: Mapping[str, str]) -> str:
    """Bash that loads the modules of a job, then runs its arguments in place of itself."""
    exports = (f"export {name}={shlex.quote(value)}" for name, value in env.items())
    return "\n".join([*modules.lines(job.modules, job.modulepaths), UNSET, *exports, 'exec "$@"'])
