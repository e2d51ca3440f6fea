"""Slurm: what we hand in, and what we make of its answers, as a real one gave them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from setup_wizard import schedulers
from setup_wizard.errors import BadInput, SetupError
from setup_wizard.schedulers import Gone, Resources, Running, Unknown, Waiting
from setup_wizard.schedulers.slurm import COLUMNS, Slurm
from setup_wizard.world import Output

SAID: dict[str, Any] = YAML(typ="safe").load(Path(__file__).with_name("transcripts") / "slurm.yml")
FOLDER = Path("/home/alice/.local/state/hpc-jupyter-setup/sessions/calm-otter")


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


# --- handing in -----------------------------------------------------------------------------------------


def test_the_id_is_read_from_what_sbatch_prints() -> None:
    """Alone, with a cluster, or below lines of a site's own wrapper; and never from a refusal."""
    for out in ("15\n", "15;lab\n", "Checking your allocation ... ok\n15\n"):
        assert Slurm().job_id(Output(0, out)) == "15"
    for wrong in (Output(1, "15\n"), Output(0, ""), Output(0, "Submitted\n"), Output(-9)):
        with pytest.raises(SetupError):
            Slurm().job_id(wrong)


@pytest.mark.parametrize("case", SAID["refused"], ids=lambda c: str(c["asked"]))
def test_a_refusal_is_explained(case: dict[str, Any]) -> None:
    """Each message that sbatch is known to refuse with becomes a sentence and what to do; it is kept, too."""
    with pytest.raises(SetupError) as told:
        Slurm().job_id(Output(case["code"], "", case["err"]))
    assert case["says"] in told.value.problem
    assert case["fix"] in told.value.fix
    if case["code"] != 127:
        assert case["err"].strip().splitlines()[-1].rpartition(": ")[2] in told.value.problem


@pytest.mark.parametrize("value", ['a"b', "a\nb", "a\\b", "a\0b"])
def test_what_sbatch_would_misread_is_refused(value: str) -> None:
    """Quotes, line ends and control characters never reach the script, where they could be lines of it."""
    with pytest.raises(BadInput, match="--account"):
        Slurm().header(Resources(account=value), FOLDER)


def test_blanks_and_signs_are_kept() -> None:
    """A folder with blanks is quoted as sbatch reads it, and a per cent sign is not a pattern of its."""
    header = Slurm().header(Resources(constraint="a100&nvlink"), Path("/home/alice/my 100% work"))
    assert '#SBATCH --output="/home/alice/my 100%% work/job.log"' in header
    assert "#SBATCH --constraint=a100&nvlink" in header


def test_what_is_not_asked_for_is_left_to_slurm() -> None:
    """No option stands in the script without a value of the user's, but those that a session needs."""
    names = [line.removeprefix("#SBATCH --").split("=")[0] for line in Slurm().header(Resources(), FOLDER)]
    assert names == ["job-name", "nodes", "ntasks-per-node", "signal", "output", "open-mode", "no-requeue"]


def test_the_users_own_defaults_count_where_we_ask_for_nothing() -> None:
    """SBATCH_ACCOUNT stays unless an account is given; what would filter, format or leak goes."""
    env = {
        "PATH": "/bin",
        "SLURM_CONF": "/c",
        "SBATCH_ACCOUNT": "mine",
        "SBATCH_OUTPUT": "/dev/null",
        "SQUEUE_PARTITION": "gpu",
        "SQUEUE_FORMAT": "%i",
        "SLURM_JOB_ID": "7",
        "SLURM_TIME_FORMAT": "relative",
        "JUPYTER_TOKEN": "secret",
        "PBS_JOBID": "7",
    }
    kept = Slurm().environment(env, Resources())
    standard = {"SLURM_TIME_FORMAT": "standard", "LC_ALL": "C"}
    assert kept == {"PATH": "/bin", "SLURM_CONF": "/c", "SBATCH_ACCOUNT": "mine", **standard}
    assert "SBATCH_ACCOUNT" not in Slurm().environment(env, Resources(account="other"))


def test_a_job_is_found_by_its_script() -> None:
    """Also one with blanks in its path; a job without a script, or with another one, is not ours."""
    said = "16|/home/alice/a b/job.sh\n17|(null)\n18|/home/alice/a/job.sh\n"
    assert "%o" in Slurm().search()[-1]
    assert Slurm().found(said, Path("/home/alice/a b/job.sh")) == "16"
    assert Slurm().found(said, Path("/home/alice/job.sh")) == ""


# --- how jobs are ---------------------------------------------------------------------------------------


def test_one_question_for_all_jobs() -> None:
    """One squeue names all of them, and reads no user's format from the environment."""
    argv = Slurm().status(["15", "16"])
    assert argv == ["squeue", "-h", "-t", "all", "-j", "15,16", "-o", COLUMNS]


def state(job_id: str) -> schedulers.JobState:
    return Slurm().state(Output(0, SAID["queue"]), job_id)


def test_a_running_job_tells_where_and_how_long() -> None:
    """Node, end, beginning and cores; a job that is about to end still runs."""
    end, begin = at("2026-11-22T20:21:15"), at("2026-11-22T19:21:15")
    assert state("15") == Running("c1", end, begin, 4)
    assert isinstance(state("27"), Running)


@pytest.mark.parametrize(
    ("job_id", "says", "fix"),
    [
        ("16", "as soon as what it asks for is free", "Asking for less"),
        ("17", "other jobs are before it", "--time-limit"),
        ("18", "more time than the partition debug allows", "hpc-jupyter-setup stop"),
        ("19", "it is held", "scontrol release"),
        ("20", "down or reserved", "sinfo -R"),
        ("21", "as many jobs running as you may have in the QOS normal", "squeue --me"),
        ("22", "hours of the account proj1 are used up", "--account"),
        ("23", "«A|reason|with|bars»", "man squeue"),
        ("28", "just been handed in", ""),
    ],
)
def test_a_waiting_job_tells_why_and_what_to_do(job_id: str, says: str, fix: str) -> None:
    """The reason is a sentence; a reason of a later Slurm is shown as it is."""
    waiting = state(job_id)
    assert isinstance(waiting, Waiting)
    assert says in waiting.reason
    assert fix in waiting.fix


def test_an_estimate_is_a_time_or_nothing() -> None:
    """Slurm's own estimate of the start where it has one."""
    assert state("16") == Waiting(state("16").reason, at("2026-11-22T19:40:00"), state("16").fix)  # type: ignore[union-attr]
    assert state("17").estimate == 0  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("job_id", "says"),
    [("24", "cancelled"), ("25", "time limit"), ("26", "broke down"), ("99", "not know"), ("1", "not know")],
)
def test_an_ended_job_is_gone_and_spoils_no_other(job_id: str, says: str) -> None:
    """Ended and unknown jobs are gone, for a reason; the answer for the others stands."""
    gone = state(job_id)
    assert isinstance(gone, Gone)
    assert says in gone.reason


@pytest.mark.parametrize(
    "output",
    [
        Output(1, "", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"),
        Output(1, "", "slurm_load_jobs error: Socket timed out on send/recv operation"),
        Output(127, "", "squeue: not found in PATH"),
        Output(-9, "", ""),
        Output(0, "15|LEVITATING|compute|c1|N/A|N/A|1|(null)|(null)|None\n"),
        Output(0, "15|RUNNING|compute|c1\n"),
    ],
)
def test_no_answer_is_not_the_end(output: Output) -> None:
    """A controller that is down, a killed squeue, words of another version: unknown, and nothing is ended."""
    assert isinstance(Slurm().state(output, "15"), Unknown)


def test_a_single_unknown_job_is_gone() -> None:
    """Asked for one job that it has forgotten, squeue ends with an error that says so."""
    said = Output(1, "", "slurm_load_jobs error: Invalid job id specified")
    assert isinstance(Slurm().state(said, "15"), Gone)


def test_a_short_session_is_not_warned_by_slurm() -> None:
    """Slurm may be half a minute early with its signal: a session of minutes ends itself."""
    usual, short = Resources(time_limit=3600), Resources(time_limit=60)
    assert (usual.lead, short.lead) == (60, 15)
    assert any("--signal=B:TERM@60" in line for line in Slurm().header(usual, FOLDER))
    assert not any("--signal" in line for line in Slurm().header(short, FOLDER))
