"""`launch --sif` through the scheduler: a proven Jupyter in an image, on a node of the real cluster.

The runtime is a scripted stand-in (tests/containers.py); what it runs is really contained.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cluster.lab import Lab
from tests.cluster.nodes import PATH
from tests.containers import BWRAP, STAND_IN, image_of, runtime

pytestmark = pytest.mark.real


def test_a_cell_runs_in_the_image_on_the_node(lab: Lab, jupyter_prefix: Path) -> None:
    """Looked at on the login node, run in the job: its kernel is the image's, and its end leaves nothing."""
    node, home = lab.cluster.node("c1"), lab.cluster.user.home
    if not shutil.which("bwrap") or node.run(BWRAP).returncode != 0:
        pytest.skip("no bubblewrap here (apt-get install bubblewrap), or no namespaces for it on a node")
    runtime(lab.cluster.home / "runtime", STAND_IN)
    image_of(lab.cluster.home / "image", jupyter_prefix)
    lab.env["PATH"] = f"{home}/runtime:{PATH}"
    lab.words = ["--site", "lab", "-p", "debug", "-t", "10", "--sif", f"{home}/image"]
    made = lab.launch("--bind", "/etc/slurm:/seen:ro")
    assert (made["node"], made["proof"]["kernel_prefix"]) == ("c1", "/opt/jupyter")
    assert lab.cell(made) == "42"
    assert "--ro-bind /etc/slurm /seen" in node.run(["pgrep", "-a", "-u", "alice", "bwrap"]).stdout
    lab.run("stop", made["session"])
    assert not node.run(["pgrep", "-u", "alice", "bwrap"]).stdout
