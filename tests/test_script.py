"""The batch script, whole: cases as files in tests/scripts, to be read and compared letter by letter."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from setup_wizard import schedulers, script
from setup_wizard.schedulers import Resources
from setup_wizard.session import Job

EXPECTED = Path(__file__).with_name("scripts")
PREFIX, FOLDER = Path("/home/alice/miniconda3/envs/jupyterlab"), Path("/home/alice/work")
SESSION = Path("/home/alice/.local/state/hpc-jupyter-setup/sessions/calm-otter")
START = ["/home/alice/.venvs/hjs/bin/python", "-m", "setup_wizard.serve"]

EVERYTHING = Resources(
    account="abc123",
    reservation="workshop",
    partition="gpu-shared",
    qos="normal",
    nodes=1,
    cpus=8,
    memory="32G",
    gpus=1,
    time_limit=2 * 86400 + 5400,
    constraint="a100&nvlink",
    signal=120,
    exclusive=True,
)
PBS = Resources(
    account="abc123",
    partition="gpu",
    nodes=2,
    cpus=8,
    memory="32G",
    gpus=1,
    time_limit=176400,
    constraint="a100",
)
CASES = {
    "slurm-plain": (Job(PREFIX, FOLDER, scheduler="slurm"), SESSION, {}),
    "slurm-everything": (Job(PREFIX, FOLDER, scheduler="slurm", resources=EVERYTHING), SESSION, {}),
    "slurm-modules": (
        Job(PREFIX, FOLDER, scheduler="slurm", modules=("cuda/12.4", "it's"), modulepaths=("/opt/my mods",)),
        SESSION,
        {},
    ),
    "torque-plain": (Job(PREFIX, FOLDER, scheduler="torque"), SESSION, {}),
    "torque-everything": (Job(PREFIX, FOLDER, scheduler="torque", resources=PBS), SESSION, {}),
    "pbs-everything": (Job(PREFIX, FOLDER, scheduler="pbs", resources=PBS), SESSION, {}),
    "slurm-checkout": (
        Job(PREFIX, FOLDER, scheduler="slurm"),
        Path("/home/o'hara/my sessions/calm-otter"),
        {"PYTHONPATH": "/home/o'hara/check out"},
    ),
}


def rendered(name: str) -> str:
    job, folder, env = CASES[name]
    header = schedulers.find(job.scheduler).header(job.resources, folder)
    return script.render(job, header, [*START, str(folder)], env)


@pytest.mark.parametrize("name", CASES)
def test_the_script_is_as_expected(name: str) -> None:
    """To the letter. A change of it is seen in the file beside the change of the code."""
    assert rendered(name) == (EXPECTED / f"{name}.sh").read_text()


@pytest.mark.parametrize("name", CASES)
def test_bash_understands_it(name: str) -> None:
    """No quoting is broken, whatever is in the names."""
    assert subprocess.run(["bash", "-n"], input=rendered(name), text=True).returncode == 0


def test_every_file_is_a_case() -> None:
    """No expected script is left over from a case that has gone."""
    assert {path.stem for path in EXPECTED.glob("*.sh")} == set(CASES)
