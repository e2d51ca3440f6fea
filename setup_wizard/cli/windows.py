"""Windows: the help can be read there, and all else is refused with what to do in its place.

Our pages cannot be drawn there, since what they show needs modules of Unix: these are plain words.
"""

from __future__ import annotations

import json
import sys

import typer

from setup_wizard.errors import MachineBlocks

CONNECT = (
    "`connect` does not run on Windows: the ssh there cannot share one log-in among its connections.",
    "Run it in WSL. Or log in to the cluster and launch there; it prints a command for the ssh of Windows, "
    "which opens the tunnel: hpc-jupyter-setup launch --access tunnel",
)
REST = ("This program does not run on Windows.", "Log in to the cluster, and run it there; or in WSL.")


def refuse(command: str | None) -> None:
    """End here, unless only the help is asked for."""
    if {"-h", "--help"} & set(sys.argv):
        return
    problem, fix = CONNECT if command == "connect" else REST
    error = {"problem": problem, "fix": fix, "code": MachineBlocks.code}
    if "--json" in sys.argv:
        print(json.dumps({"ok": False, "error": error}))
    print(f"{problem}\n{fix}", file=sys.stderr)
    raise typer.Exit(MachineBlocks.code)
