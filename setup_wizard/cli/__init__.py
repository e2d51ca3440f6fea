"""The command line: one file a command, and the one place where errors become exit codes."""

import gc
import sys

MANY = 50_000  # new objects, before any of them are looked at


def main() -> None:
    """Run the command line.

    What is imported stays to the end. To look for garbage in it, while it comes and when we end, would take a
    quarter of the time of a short command.
    """
    if sys.argv[1:] == ["--version"]:
        from setup_wizard import __version__

        print(f"hpc-jupyter-setup {__version__}")
        return
    gc.set_threshold(MANY)
    from setup_wizard.cli.app import run

    code = run()
    gc.freeze()
    sys.exit(code)
