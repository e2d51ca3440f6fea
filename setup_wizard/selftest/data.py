"""What a self-test is given, and what it says."""

from __future__ import annotations

from pathlib import Path

import msgspec


class Environment(msgspec.Struct, frozen=True):
    """An environment, and the name of the kernelspec that is to start in it."""

    name: str
    prefix: Path
    kernel: str


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be tested.

    shell          the name of the login shell
    conda          the prefix whose `conda` a login shell is to know; None: no file of the shell was edited
    environments   those whose kernels are to start
    welcome        the notebook that is to run in the first of them
    """

    shell: str = "bash"
    conda: Path | None = None
    environments: tuple[Environment, ...] = ()
    welcome: Path | None = None


class Check(msgspec.Struct, frozen=True):
    """One thing that was tried: whether it works, what was seen, what to do when not; `seconds` it took."""

    title: str
    ok: bool
    detail: str
    fix: str = ""
    seconds: float = 0


class Trial(msgspec.Struct, frozen=True):
    """A kernel to be started: its name, and the environment whose jupyter_client starts it.

    `share` is the `share/jupyter` folder in which the kernel is to be looked for first; `seconds` it has to
    answer.
    """

    kernel: str
    starter: Path
    share: Path | None = None
    seconds: float = 60.0


class Started(msgspec.Struct, frozen=True):
    """What came of a kernel: its language, version and prefix ("": it cannot be asked), and its time.

    `problem` is why it did not start, in the words of whoever tried, and `said` what the kernel printed.
    """

    language: str = ""
    version: str = ""
    prefix: str = ""
    seconds: float = 0
    problem: str = ""
    said: str = ""
