"""The kernel of an environment, offered to every Jupyter of this user: a kernelspec, as a step.

It starts the environment's own Python by its absolute path, keeps out what would shadow the environment's
packages, and puts the environment's programs first, so that `!pip` and `!python` mean the right ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from setup_wizard import files
from setup_wizard.conda import contents
from setup_wizard.errors import MachineBlocks
from setup_wizard.step import Before, Blocked, Done, Forecast, State, Todo
from setup_wizard.world import Report, World

MARK = "hpc_jupyter_setup"  # in the metadata: a digest of the rest, so that an edit of the user's shows
PLAIN = {  # what ipykernel would write, where it is not there yet to be asked
    "argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "language": "python",
    "metadata": {"debugger": True},
}


class Kernel(msgspec.Struct, frozen=True, tag="kernel"):
    """The kernel «Python (`name`)» of the environment at `prefix`."""

    name: str
    prefix: Path

    @property
    def title(self) -> str:
        return f"Offer the kernel Python ({self.name}) in Jupyter"

    @property
    def key(self) -> str:
        return f"kernel:{self.name.lower()}"

    def check(self, world: World) -> State:
        path = self._path(world)
        old, new = files.read_text(path), self._text()
        if _is_environment(self.prefix) and not _has_ipykernel(self.prefix):
            return Done(f"no kernel: {self.prefix} has no ipykernel (add «- ipykernel» to its file)")
        if path.exists() and (trouble := self._taken(path)):
            return Blocked(trouble.problem, trouble.fix)
        if old == new:
            return Done(f"{path} starts {self.prefix / 'bin/python'}")
        return Todo(files.diff(path, old, new), files.before(world, path))

    def forecast(self, world: World, report: Report) -> Forecast:
        """One small file."""
        return Forecast(bytes_on_disk=len(self._text()), files=3, where=self._path(world))

    def apply(self, world: World, report: Report) -> None:
        path = self._path(world)
        if path.exists() and (trouble := self._taken(path)):
            raise trouble
        files.write_text(path, self._text())

    def undo(self, before: Before, world: World) -> Sequence[Path]:
        path = self._path(world)
        if path.exists() and not _is_untouched(path):
            return [path]
        assert isinstance(before, files.FileBefore)
        files.put_back(before)
        return []

    def _path(self, world: World) -> Path:
        return jupyter_data(world) / "kernels" / self.name.lower() / "kernel.json"

    def _text(self) -> str:
        """The kernelspec: ipykernel's own of this environment, with our Python, surroundings and mark."""
        own = _own_kernel(self.prefix)
        python = str(self.prefix / "bin" / "python")
        spec = {
            **own,
            "argv": [python, *own["argv"][1:]],
            "display_name": f"Python ({self.name})",
            "env": self._env(),
        }
        return _marked(spec)

    def _env(self) -> dict[str, str]:
        """Jupyter puts the value of a variable where it finds ${NAME}; a single $ has to be written twice."""
        variables = {k: v.replace("$", "$$") for k, v in contents.variables(self.prefix).items()}
        return {
            "CONDA_DEFAULT_ENV": self.name,
            "CONDA_PREFIX": str(self.prefix).replace("$", "$$"),
            "PATH": f"{self.prefix}/bin:${{PATH}}",
            "PYTHONNOUSERSITE": "1",
            "PYTHONPATH": "",
            **variables,
        }

    def _taken(self, path: Path) -> MachineBlocks | None:
        """Why the kernelspec that is there must stay, or None."""
        there = _read(path)
        if MARK not in there.get("metadata", {}):
            return MachineBlocks(
                f"There is a kernel «{self.name}» already, which is not from this setup: {path}",
                fix=f"Choose another name (-n NAME), or remove it: jupyter kernelspec remove {self.name}",
            )
        python = Path(there["argv"][0])
        if python != self.prefix / "bin" / "python" and python.exists():
            return MachineBlocks(
                f"The kernel «{self.name}» belongs to another environment, {python.parent.parent}.",
                fix="Choose another name: -n NAME",
            )
        return None


def jupyter_data(world: World) -> Path:
    """The folder in which every Jupyter of this user looks for kernels."""
    given = world.env.get("JUPYTER_DATA_DIR", "")
    if given:
        return Path(given)
    return Path(world.env.get("XDG_DATA_HOME") or world.home / ".local/share") / "jupyter"


def _is_environment(prefix: Path) -> bool:
    return contents.whole(prefix) is not None


def _has_ipykernel(prefix: Path) -> bool:
    return any(prefix.glob("lib/python3*/site-packages/ipykernel_launcher.py"))


def _own_kernel(prefix: Path) -> dict[str, Any]:
    spec = _read(prefix / "share/jupyter/kernels/python3/kernel.json")
    return spec if spec.get("argv") else dict(PLAIN)


def _read(path: Path) -> dict[str, Any]:
    try:
        spec = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError):
        return {}
    return spec if isinstance(spec, dict) else {}


def _marked(spec: dict[str, Any]) -> str:
    metadata = {k: v for k, v in spec.get("metadata", {}).items() if k != MARK}
    plain = {**spec, "metadata": metadata}
    digest = hashlib.sha256(msgspec.json.encode(plain, order="sorted")).hexdigest()[:16]
    return json.dumps({**plain, "metadata": {**metadata, MARK: digest}}, indent=2) + "\n"


def _is_untouched(path: Path) -> bool:
    """Whether the file is as one of us wrote it."""
    spec = _read(path)
    return bool(spec) and files.read_text(path) == _marked(spec)
