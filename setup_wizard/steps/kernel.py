"""A kernel of an environment, offered to every Jupyter of this user: a kernelspec, as a step.

It starts the environment's own program by its absolute path, keeps out what would shadow the environment's
packages, and puts the environment's programs first, so that `!pip` and `!python` mean the right ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from setup_wizard import files, secrecy
from setup_wizard.conda import contents
from setup_wizard.errors import MachineBlocks
from setup_wizard.step import Before, Blocked, Done, Forecast, State, Todo
from setup_wizard.steps import kernelspec
from setup_wizard.steps.kernelspec import MARK, PYTHON, jupyter_data
from setup_wizard.world import Report, World

PLAIN = {  # what ipykernel would write, where it is not there yet to be asked
    "argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "language": "python",
    "metadata": {"debugger": True},
}


class Kernel(msgspec.Struct, frozen=True, tag="kernel"):
    """The kernel `name` of the environment at `prefix`: its Python, or another kernelspec that it brings.

    `spec` is the name of that other one in the environment; `display` is what Jupyter shows, "" for
    «Python (`name`)». The environment had moved here from `instead_of`.
    """

    name: str
    prefix: Path
    spec: str = ""
    display: str = ""
    instead_of: Path | None = None

    @property
    def title(self) -> str:
        return f"Offer the kernel {self.shown} in Jupyter"

    @property
    def shown(self) -> str:
        """What Jupyter shows."""
        return self.display or f"Python ({self.name})"

    @property
    def key(self) -> str:
        return f"kernel:{self.name.lower()}"

    def check(self, world: World) -> State:
        path = self.path(world)
        if missing := self._missing():
            return Done(f"no kernel: {missing}")
        old, new = files.read_text(path), self._text()
        if path.exists() and (trouble := self._taken(path)):
            return Blocked(trouble.problem, trouble.fix)
        if old == new:
            return Done(f"{path} starts {kernelspec.program(kernelspec.read(path))}")
        return Todo(files.diff(path, old, new), files.before(world, path))

    def forecast(self, world: World, report: Report) -> Forecast:
        """One small file."""
        return Forecast(bytes_on_disk=len(self._text()), files=3, where=self.path(world))

    def apply(self, world: World, report: Report) -> None:
        path = self.path(world)
        if path.exists() and (trouble := self._taken(path)):
            raise trouble
        variables = contents.variables(self.prefix)
        private = any(secrecy.is_one(name, value) for name, value in variables.items())
        files.write_text(path, self._text(), mode=0o600 if private else None)

    def undo(self, before: Before, world: World) -> Sequence[Path]:
        path = self.path(world)
        if path.exists() and not kernelspec.is_untouched(path):
            return [path]
        assert isinstance(before, files.FileBefore)
        files.put_back(before)
        return []

    def path(self, world: World) -> Path:
        """Its kernelspec."""
        return jupyter_data(world) / "kernels" / self.name.lower() / "kernel.json"

    @property
    def program(self) -> Path | None:
        """The program that it starts."""
        return kernelspec.program(msgspec.json.decode(self._text()))

    def _missing(self) -> str:
        """What the environment lacks for this kernel; "" for nothing."""
        if self.spec:
            bare = not kernelspec.read(kernelspec.inside(self.prefix, self.spec)).get("argv")
            return f"{self.prefix} has no kernelspec {self.spec}" if bare else ""
        if _is_environment(self.prefix) and not kernelspec.has_ipykernel(self.prefix):
            return f"{self.prefix} has no ipykernel (add «- ipykernel» to its file)"
        return ""

    def _text(self) -> str:
        """The kernelspec: that of the environment, with our program, surroundings and mark."""
        path = kernelspec.inside(self.prefix, self.spec or PYTHON)
        own = kernelspec.read(path)
        if self.spec:
            argv = kernelspec.activated(own["argv"], self.prefix, path.parent)
        else:
            own = own if own.get("argv") else dict(PLAIN)
            argv = [str(self.prefix / "bin" / "python"), *own["argv"][1:]]
        env = {**own.get("env", {}), **self._env()}
        return kernelspec.marked({**own, "argv": argv, "display_name": self.shown, "env": env})

    def _env(self) -> dict[str, Any]:
        """Jupyter puts the value of a variable where it finds ${NAME}; a single $ has to be written twice."""
        variables = {k: v.replace("$", "$$") for k, v in contents.variables(self.prefix).items()}
        return {
            "CONDA_DEFAULT_ENV": self.prefix.name if self.spec else self.name,
            "CONDA_PREFIX": str(self.prefix).replace("$", "$$"),
            "PATH": f"{self.prefix}/bin:${{PATH}}",
            "PYTHONNOUSERSITE": "1",
            "PYTHONPATH": "",
            **variables,
        }

    def _taken(self, path: Path) -> MachineBlocks | None:
        """Why the kernelspec that is there must stay, or None."""
        there = kernelspec.read(path)
        if MARK not in there.get("metadata", {}):
            return MachineBlocks(
                f"There is a kernel «{self.name}» already, which is not from this setup: {path}",
                fix="Choose another name (-n NAME), or remove it: "
                f"hpc-jupyter-setup kernel remove {self.name} --not-ours",
            )
        owner, program = kernelspec.prefix_of(there, path.parent), kernelspec.program(there)
        if owner not in (self.prefix, self.instead_of) and program and program.exists():
            return MachineBlocks(
                f"The kernel «{self.name}» belongs to another environment, {owner}.",
                fix="Choose another name: -n NAME",
            )
        return None


def _is_environment(prefix: Path) -> bool:
    return contents.whole(prefix) is not None
