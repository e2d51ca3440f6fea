"""The command line: quick to start, complete in its help, documented in its exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from setup_wizard.cli.app import HELP, build, load
from tests.program import Account


@pytest.mark.parametrize("name", HELP)
def test_every_line_of_the_help_is_a_command(name: str) -> None:
    """A command of the help can be loaded, has a text of its own, and is described in a short line."""
    found = load(name)
    assert isinstance(found, typer.Typer) or found.__name__ == name
    assert len(HELP[name]) <= 70


@pytest.mark.parametrize("name", HELP)
def test_help_of_every_command(name: str, account: Account) -> None:
    """`COMMAND --help` works, says more than the line, and every option has a text."""
    result = account.run(name, "--help")
    assert result.returncode == 0, result.stderr
    assert "Usage: hpc-jupyter-setup " in result.stdout


def test_only_typer_is_imported_for_the_help() -> None:
    """--help and --version load no library but typer, and nothing of the core."""
    code = """
import sys
sys.argv = ["x", {!r}]
from setup_wizard.cli import main
try:
    main()
except SystemExit:
    pass
libraries = {{"typer", "rich", "pydantic", "questionary", "httpx", "msgspec", "rattler", "ruamel"}}
print(sorted({{m.split(".")[0] for m in sys.modules}} & libraries))
"""
    for flag, loaded in (("--help", "['typer']"), ("--version", "[]")):
        result = subprocess.run(
            [sys.executable, "-c", code.format(flag)], capture_output=True, text=True, check=True
        )
        assert result.stdout.splitlines()[-1] == loaded, result.stdout


def test_completion(account: Account) -> None:
    """The bash completion script, run by bash, offers commands, sub-commands and flags."""
    script = account.run("completion", "bash").stdout
    probe = """
PATH=%s:$PATH
complete_with() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
  _hpc_jupyter_setup_completion hpc-jupyter-setup; echo "${COMPREPLY[@]}"; }
complete_with hpc-jupyter-setup se
complete_with hpc-jupyter-setup env cr
complete_with hpc-jupyter-setup setup --dry
"""
    result = subprocess.run(
        ["bash", "-c", script + probe % Path(sys.executable).parent],
        env=account.env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.splitlines() == ["setup sessions", "create", "--dry-run"], (
        result.stdout + result.stderr
    )


def test_without_command_and_terminal(account: Account) -> None:
    """Without a command and without a terminal the help is shown, and nothing is asked."""
    result = account.run()
    assert result.returncode == 2
    assert "Commands:" in result.stdout


def test_an_unknown_command_is_named(account: Account) -> None:
    """A wrong command is a usage error, with what is near."""
    result = account.run("setpu")
    assert result.returncode == 2
    assert "setpu" in result.stderr


def test_build_knows_all_commands() -> None:
    """Whatever is called, every command is there."""
    assert build(["undo"]).registered_commands
