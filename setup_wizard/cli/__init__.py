"""The command line: one file a command, and the one place where errors become exit codes."""


def main() -> None:
    """Run the command line."""
    from setup_wizard.cli.app import run

    run()
