"""The real conda with a fuse: at the N-th action of a kind it is killed, and the program that has started it.

    FUSE_CONDA="LinkPathAction 500" conda …

Run by the Python of that conda, as its `conda` in PATH. Conda knows nothing of it.
"""

from __future__ import annotations

import os
import signal
import sys


def main() -> int:
    """Wrap one kind of action, then be conda."""
    from conda.cli.main import main as conda  # type: ignore[import-not-found]
    from conda.core import path_actions  # type: ignore[import-not-found]

    if os.environ.get("FUSE_CONDA"):
        name, number = os.environ["FUSE_CONDA"].split()
        kind, left = getattr(path_actions, name), [int(number)]
        real = kind.execute

        def execute(self: object) -> None:
            real(self)
            left[0] -= 1
            if left[0] == 0:
                os.killpg(os.getpgid(os.getppid()), signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)

        kind.execute = execute
    return int(conda() or 0)


if __name__ == "__main__":
    sys.exit(main())
