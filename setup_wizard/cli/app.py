"""The program `hpc-jupyter-setup`: its commands, and the one boundary where errors become exit codes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from setup_wizard import __version__
from setup_wizard.cli import completion, doctor, env, launch, rehearse, setup, sites, status, undo

app = typer.Typer(
    name="hpc-jupyter-setup",
    add_completion=False,  # its --install-completion would edit rc files behind the receipt's back
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(setup.setup)
app.command()(undo.undo)
app.command()(status.status)
app.command()(doctor.doctor)
app.add_typer(env.app, name="env")
app.command()(launch.launch)
app.command()(launch.sessions)
app.command()(launch.stop)
app.add_typer(sites.app, name="sites")
app.command()(rehearse.rehearse)
app.command()(completion.completion)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"hpc-jupyter-setup {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """From a bare account on an HPC cluster to a running, secure Jupyter notebook.

    Without a command, on a terminal: the wizard. It shows a plan before it changes anything, and
    `hpc-jupyter-setup undo` takes everything back.
    """
    if context.invoked_subcommand is None:
        if sys.stdin.isatty() and sys.stdout.isatty():
            context.invoke(setup.setup)
        else:
            print(context.get_help())
            raise typer.Exit(2)


def run() -> None:
    """Run the program; end with an exit code of the documented table."""
    from setup_wizard.cli.boundary import exit_code

    sys.exit(exit_code(lambda: app(standalone_mode=False)))
