"""Habits from `start-jupyter`: flags that `launch` does not take, with what does the same; a page's name."""

from __future__ import annotations

INSTEAD = {
    "-b": "launch writes the batch script itself: --dry-run shows it. What yours loads: --env-modules A,B",
    "-I": "For a container image: --sif IMAGE; to stay in this terminal: --interactive",
}
PAGES = {"jupyterlab": "lab"}
