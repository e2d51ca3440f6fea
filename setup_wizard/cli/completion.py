"""`completion`: the script that makes Tab work in a shell. It is printed; no rc file is edited."""

from __future__ import annotations

from typing import Annotated

import typer


def completion(shell: Annotated[str, typer.Argument(help="bash, zsh or fish")] = "bash") -> None:
    """Print the completion script of a shell.

    For this shell only:  eval "$(hpc-jupyter-setup completion bash)"
    For good: save it as ~/.local/share/bash-completion/completions/hpc-jupyter-setup
    """
    from typer._completion_shared import get_completion_script

    from setup_wizard.errors import BadInput

    if shell not in ("bash", "zsh", "fish"):
        raise BadInput(
            f"There is no completion for «{shell}».", fix="hpc-jupyter-setup completion bash|zsh|fish"
        )
    print(
        get_completion_script(
            prog_name="hpc-jupyter-setup", complete_var="_HPC_JUPYTER_SETUP_COMPLETE", shell=shell
        )
    )
