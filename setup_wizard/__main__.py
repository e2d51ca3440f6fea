"""`python -m setup_wizard` is the command `hpc-jupyter-setup`."""

from setup_wizard.cli import main

main()
