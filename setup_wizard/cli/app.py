"""The program `hpc-jupyter-setup`: its commands, and the parameters of the one that is called.

Reading the parameters of all commands would cost every call more than all the rest of its start: what is not
called is a line of the help, and nothing more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import typer
from typer.completion import get_completion_inspect_parameters

NAME = "hpc-jupyter-setup"
WINDOWS = "win32"  # Python's word for it
HELP = {
    "setup": "Set up conda, environments, kernels and notebooks on this account.",
    "undo": "Take back everything that was made on this account.",
    "status": "Show what was made on this account, and where it is.",
    "doctor": "Look at all that was made, and at the machine.",
    "env": "Conda environments, each with its kernel.",
    "kernel": "Kernels that Jupyter offers, of Python and of others.",
    "launch": "Start Jupyter, run a cell through its address, print it.",
    "sessions": "Show what is running: one line for each session.",
    "url": "Show how to open a session; wait for it if need be.",
    "logs": "Show what a session has said.",
    "stop": "Stop a session and clean up behind it.",
    "connect": "From your laptop: launch on a cluster, with a tunnel to it.",
    "explain": "Explain the ways in, and who can read what on each.",
    "notebooks": "Example notebooks: what there is, and its news.",
    "sites": "Systems that are known, and which one this is.",
    "rehearse": "Watch the whole job happen in a throw-away home.",
    "completion": "Print the completion script of a shell.",
}
# Words that a command does not know, it passes on.
PASSES_ON = {"connect": {"ignore_unknown_options": True}}


def load(name: str, words: Sequence[str] = ()) -> Any:
    """The function of a command, or the typer app of a group of commands, for a line of these words."""
    found: Any
    match name:
        case "setup":
            from setup_wizard.cli.setup import setup as found
        case "undo":
            from setup_wizard.cli.undo import undo as found
        case "status":
            from setup_wizard.cli.status import status as found
        case "doctor":
            from setup_wizard.cli.doctor import doctor as found
        case "env":
            from setup_wizard.cli.env import build as env

            found = env(words)
        case "kernel":
            from setup_wizard.cli.kernel import app as found
        case "launch":
            from setup_wizard.cli.launch import launch as found
        case "sessions":
            from setup_wizard.cli.launch import sessions as found
        case "url":
            from setup_wizard.cli.launch import url as found
        case "logs":
            from setup_wizard.cli.launch import logs as found
        case "stop":
            from setup_wizard.cli.launch import stop as found
        case "connect":
            from setup_wizard.cli.connect import connect as found
        case "explain":
            from setup_wizard.cli.explain import app as found
        case "notebooks":
            from setup_wizard.cli.notebooks import app as found
        case "sites":
            from setup_wizard.cli.sites import app as found
        case "rehearse":
            from setup_wizard.cli.rehearse import rehearse as found
        case _:
            from setup_wizard.cli.completion import completion as found
    return found


def build(words: Sequence[str]) -> typer.Typer:
    """The program for a command line of these words."""
    app = typer.Typer(
        name=NAME,
        add_completion=False,  # its --install-completion would edit rc files behind the receipt's back
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(start)
    everything = not words  # so that completion works, which gives no words to the program
    if everything:
        get_completion_inspect_parameters()  # makes the shells known to typer, which has no other door for it
    called = words[0] if words and words[0] in HELP else ""
    for name, text in HELP.items():
        if called not in ("", name):
            continue  # nobody will see its line
        found = load(name, words) if everything or name == called else _line
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name, short_help=text)
        else:
            app.command(name, short_help=text, context_settings=PASSES_ON.get(name))(found)
    return app


def _line() -> None:
    """A line of the help."""


def start(context: typer.Context) -> object:
    """From a bare account on an HPC cluster to a running, secure Jupyter notebook.

    Without a command, on a terminal: the wizard. It shows a plan before it changes anything, and
    `hpc-jupyter-setup undo` takes everything back. `--version` says which version this is.
    """
    if sys.platform == WINDOWS:
        from setup_wizard.cli import windows

        windows.refuse(context.invoked_subcommand)
    if context.invoked_subcommand is not None:
        return None
    if sys.stdin.isatty() and sys.stdout.isatty():
        wizard: Callable[[], int] = load("setup")
        return wizard()
    print(context.get_help())
    raise typer.Exit(2)


def run() -> int:
    """Run the program; gives an exit code of the documented table."""
    from setup_wizard.cli.boundary import exit_code

    return exit_code(lambda: build(sys.argv[1:])(prog_name=NAME, standalone_mode=False))
