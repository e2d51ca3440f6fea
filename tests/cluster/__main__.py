"""Start the cluster of the tests and give a shell on one of its nodes; it is gone when the shell ends.

.venv/bin/python -m tests.cluster              as alice on the laptop: ssh login
.venv/bin/python -m tests.cluster login        as alice on the login node: sbatch, qsub, squeue
.venv/bin/python -m tests.cluster c1 root      as root on a compute node
.venv/bin/python -m tests.cluster login alice hpc-jupyter-setup launch     one command instead of a shell
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.cluster.nodes import CannotStart


def main(argv: Sequence[str]) -> int:
    """Start, run, stop; give the command's exit code."""
    name, user = (argv[0] if argv else "laptop"), (argv[1] if len(argv) > 1 else "alice")
    began = time.monotonic()
    try:
        made = Cluster()
    except CannotStart as e:
        print(f"No cluster on this machine: {e}", file=sys.stderr)
        return 3
    with made as cluster:
        print(f"Up in {time.monotonic() - began:.1f} s; its files: {cluster.base}", file=sys.stderr)
        node = cluster.node(name)
        env = node.env(user=user)
        env["PATH"] = f"{Path(sys.prefix, 'bin')}:{env['PATH']}"
        return subprocess.call(node.argv(argv[2:] or ["bash", "-i"], user=user), env=env)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
