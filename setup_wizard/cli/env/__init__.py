"""`env`: conda environments with their kernels. A file for what belongs together, a function a command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType

import typer

# name: (module here, function, its line in the help)
COMMANDS = {
    "create": ("create", "create", "Create an environment and its kernel."),
    "list": ("look", "listing", "Show every environment, ours or not."),
    "show": ("look", "particulars", "Show what was asked of one, what it holds, and its changes."),
    "search": ("search", "search", "Show which versions of a package there are."),
    "activate": ("inside", "activate", "Tell how an environment is activated in your shell."),
    "run": ("inside", "run", "Run a command inside of an environment."),
    "check": ("check", "check", "Look for what is wrong with environments; mend it."),
    "lock": ("files", "lock", "Solve a YAML file once, into a lock beside it."),
    "export": ("files", "export", "Print what an environment holds, to make it again."),
    "lint": ("files", "lint", "Look for every mistake in an environment.yml."),
    "pack": ("packing", "pack", "Pack an environment into one file."),
    "unpack": ("packing", "unpack", "Make an environment from a packed file."),
    "install": ("change", "install", "Install packages into an environment."),
    "update": ("change", "update", "Bring packages to the newest versions that its file allows."),
    "remove-package": ("change", "remove_package", "Remove packages from an environment."),
    "clone": ("copies", "clone", "Copy an environment, with all that is in it."),
    "rename": ("copies", "rename", "Give an environment another name."),
    "move": ("copies", "move", "Take an environment to another folder or file system."),
    "delete": ("delete", "delete", "Put an environment into the trash."),
    "restore": ("delete", "restore", "Bring back an environment that was deleted."),
    "clean": ("clean", "clean", "Empty the trash, and remove packages that nothing uses."),
}
HELP = "Conda environments, each with its kernel."
# Words behind the environment's name are the command's own.
PASSES_ON = {"run": {"allow_interspersed_args": False}}


def env() -> None:
    """Conda environments, each with its kernel."""


def build(words: Sequence[str]) -> typer.Typer:
    """The group for a command line of these words; what is not called is a line of the help, no more."""
    app = typer.Typer(help=HELP, rich_markup_mode=None, no_args_is_help=True)
    app.callback()(env)
    called = words[1] if words[1:] and words[1] in COMMANDS else ""
    for name, (_, _, text) in COMMANDS.items():
        if called in ("", name):
            command = app.command(name, short_help=text, context_settings=PASSES_ON.get(name))
            command(load(name) if name == called or not words else _line)
    return app


def load(name: str) -> Callable[..., int]:
    """The function of a command."""
    module, function, _ = COMMANDS[name]
    found: Callable[..., int] = getattr(_module(module), function)
    return found


def _module(name: str) -> ModuleType:
    match name:
        case "change":
            from setup_wizard.cli.env import change

            return change
        case "look":
            from setup_wizard.cli.env import look

            return look
        case "search":
            from setup_wizard.cli.env import search

            return search
        case "inside":
            from setup_wizard.cli.env import inside

            return inside
        case "copies":
            from setup_wizard.cli.env import copies

            return copies
        case "clean":
            from setup_wizard.cli.env import clean

            return clean
        case "delete":
            from setup_wizard.cli.env import delete

            return delete
        case "check":
            from setup_wizard.cli.env import check

            return check
        case "files":
            from setup_wizard.cli.env import files

            return files
        case "packing":
            from setup_wizard.cli.env import packing

            return packing
        case _:
            from setup_wizard.cli.env import create

            return create


def _line() -> None:
    """A line of the help."""
