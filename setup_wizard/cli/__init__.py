"""The command line: one file a command, and the one place where errors become exit codes."""

import sys


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] == ["--version"]:
        from setup_wizard import __version__

        print(f"hpc-jupyter-setup {__version__}")
        return
    from setup_wizard.cli.app import run

    sys.exit(run())
