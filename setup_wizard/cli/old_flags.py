"""Short flags of `start-jupyter` that `launch` does not take, and what does the same here."""

from __future__ import annotations

INSTEAD = {
    "-b": "launch writes the batch script itself: --dry-run shows it. What yours loads: --env-modules A,B",
    "-I": "For a container image: --sif IMAGE; to stay in this terminal: --interactive",
    "-s": "The page is --interface lab | notebook, or -i",
}
