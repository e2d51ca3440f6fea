"""Torque, PBS Pro and Slurm's own commands of the same names: what we make of their answers."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from setup_wizard import asking
from setup_wizard.errors import BadInput, SetupError
from setup_wizard.schedulers import Gone, Resources, Running, Unknown, Waiting
from setup_wizard.schedulers.torque import PbsPro, Torque, is_pbs_pro
from setup_wizard.world import Output, World

SAID: dict[str, Any] = YAML(typ="safe").load(Path(__file__).with_name("transcripts") / "torque.yml")


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_the_id_may_name_its_server() -> None:
    """The wrapper prints a number alone, Torque and PBS Pro the server with it; a refusal is no id."""
    assert Torque().job_id(Output(0, "4106\n")) == "4106"
    assert Torque().job_id(Output(0, "7.pbs01.example.edu\n")) == "7.pbs01.example.edu"
    with pytest.raises(SetupError):
        Torque().job_id(Output(1, "4106\n"))


@pytest.mark.parametrize("case", SAID["refused"], ids=lambda c: str(c["asked"]))
def test_a_refusal_is_explained(case: dict[str, Any]) -> None:
    """Wherever it is said, on standard output too, it becomes a sentence and what to do."""
    with pytest.raises(SetupError) as told:
        Torque().job_id(Output(case["code"], case.get("out", ""), case.get("err", "")))
    assert case["says"] in told.value.problem
    assert case["fix"] in told.value.fix
    assert "/usr/bin/sbatch" not in told.value.problem


def test_a_job_is_found_by_the_place_of_its_output(world: World) -> None:
    """Its name is that of every such job. Behind Slurm's own qsub its script is told; else it is not ours."""
    folder = Path("/home/alice/.local/state/hpc-jupyter-setup/sessions")
    assert Torque().found(SAID["orphans"], folder / "calm-otter/job.sh") == "21.pbs01.example.edu"
    assert Torque().found(SAID["orphans"], folder / "otter/job.sh") == ""
    assert PbsPro().found(f"16|{folder}/calm-otter/job.sh\n", folder / "calm-otter/job.sh") == "16"


@pytest.mark.parametrize(
    ("there", "code", "said"),
    [
        ({"qselect": "echo 21.pbs01; echo 22.pbs01", "qstat": 'echo "$@"'}, 0, "-f 21.pbs01 22.pbs01\n"),
        ({"qselect": "true", "qstat": "echo all"}, 0, ""),
        ({"qselect": "exit 15", "qstat": "echo all"}, 15, ""),
        ({"squeue": 'echo "$@"', "qstat": "echo all"}, 0, "-h -t all --me -o %i|%o\n"),
        ({"qstat": 'echo "$@"'}, 0, "-f\n"),
    ],
)
def test_only_jobs_of_the_user_are_looked_through(
    world: World, tmp_path: Path, there: dict[str, str], code: int, said: str
) -> None:
    """Commands in the schedulers' place: asked for as few as can be; no answer is not «there are none»."""
    for name, body in {**there, "id": "echo alice"}.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
    (tmp_path / "bin/sh").symlink_to("/bin/sh")
    output = world.run(Torque().search(), env={"PATH": str(tmp_path / "bin")})
    assert (output.code, output.out) == (code, said)


def test_a_running_job_of_each_dialect() -> None:
    """Node, end, beginning and cores, whatever the dialect calls them; folded lines spoil nothing."""
    begin = at("2026-11-22T22:46:53")
    assert Torque().state(Output(0, SAID["wrapper"]), "4106") == Running("c1", begin + 1200, begin, 2)
    begin = at("2026-11-22T20:05:00")
    torque, pbs = Output(0, SAID["torque"]), Output(0, SAID["pbs"])
    assert Torque().state(torque, "7.pbs01.example.edu") == Running("node7", begin + 7200, begin, 2)
    assert Torque().state(torque, "10.pbs01.example.edu") == Running("node7", begin + 7200, begin, 6)
    assert PbsPro().state(pbs, "12.server") == Running("crhtc61", begin + 3600, begin, 4)
    assert PbsPro().state(pbs, "14.server") == Running("crhtc62", begin + 3600, begin, 2)  # stands still


def test_a_waiting_job_tells_why() -> None:
    """The scheduler's own comment where there is one; a held job can be let go."""
    said = Output(0, SAID["torque"])
    waiting = Torque().state(said, "8.pbs01.example.edu")
    assert isinstance(waiting, Waiting)
    assert "Not enough of the right type of nodes" in waiting.reason
    estimated = PbsPro().state(Output(0, SAID["pbs"]), "13.server")
    assert isinstance(estimated, Waiting)
    assert "more than one queue is full" in estimated.reason
    assert estimated.estimate == at("2026-11-22T21:05:00")
    held = Torque().state(said, "9.pbs01.example.edu")
    assert isinstance(held, Waiting)
    assert "qrls" in held.fix


@pytest.mark.parametrize(
    "output",
    [
        Output(153),
        Output(153, "", "qstat: Unknown Job Id Error 4107.pbs01.example.edu"),
        Output(153, "", "qstat: Unknown Job Id 4107.pbs01"),
        Output(153, "qstat: Unknown Job Id 4107.pbs01\n", "history data is more than 600 seconds old."),
        Output(0, SAID["wrapper"].split("Job Id:\t4107")[0]),
        Output(0, SAID["wrapper"]),
        Output(153, SAID["wrapper"].split("Job Id:\t4107")[0], "qstat: Unknown Job Id Error 4107.server"),
        Output(
            35, "", "qstat: 4107.server Job has finished, use -x or -H to obtain historical job information"
        ),
    ],
)
def test_a_forgotten_job_is_gone(output: Output) -> None:
    """Unknown by exit code or by words, missing beside others, completed: gone."""
    assert isinstance(Torque().state(output, "4107"), Gone)


@pytest.mark.parametrize(
    "output",
    [
        Output(8, "Problem loading jobs.\n"),
        Output(2, "", "Unknown option: x\nUsage:\n    qstat [-f] [-a|-i|-r]"),
        Output(153, "", "qstat: Unknown Job Id 99.pbs4107"),
        Output(153, "", "qstat: Unknown Job Id 4107[].pbs01"),
        Output(0, SAID["pbs"].replace("15.server", "4107.server")),
        Output(153, "", "qstat: Unknown Job Id Error 99.server"),
        Output(111, "", "qstat: cannot connect to server pbs01 (errno=111) Connection refused"),
        Output(-9),
        Output(127, "", "qstat: not found in PATH"),
    ],
)
def test_no_answer_is_not_the_end(output: Output) -> None:
    """A server that is down, a killed qstat, and words about another job end nothing."""
    assert isinstance(Torque().state(output, "4107"), Unknown)


@pytest.mark.parametrize(
    ("job", "says", "fix"),
    [
        ("11.pbs01.example.edu", "time limit was reached", "--time-limit"),
        ("12.pbs01.example.edu", "cancelled, or went over one of its limits", "launch"),
        ("13.pbs01.example.edu", "its job has ended", ""),
        ("16.server", "time limit was reached", "--time-limit"),
        ("17.server", "its node could not run it (status -11)", "launch"),
        ("18.server", "ended with an error (status 1)", "logs"),
        ("19.server", "more memory than it had", "--memory"),
    ],
)
def test_how_a_job_ended(job: str, says: str, fix: str) -> None:
    """By its exit status, as far as it tells; of one number Torque and PBS Pro mean different things."""
    gone = Torque().state(Output(0, SAID["torque"] + SAID["history"]), job)
    assert isinstance(gone, Gone)
    assert says in gone.reason
    assert fix in gone.fix


def test_pbs_pro_is_asked_for_its_history_where_it_says_that_it_has_one(world: World, tmp_path: Path) -> None:
    """A second question tells why a job is over, also where another one is forgotten; qstat is scripted."""
    (tmp_path / "history").write_text(SAID["history"])
    qstat = tmp_path / "bin/qstat"
    qstat.parent.mkdir()
    qstat.write_text(
        "#!/bin/sh\n"
        f"[ $1 = -x ] && cat {tmp_path}/history && echo qstat: Unknown Job Id 9.server >&2 && exit 153\n"
        "echo qstat: 16.server Job has finished, use -x or -H to obtain historical job information >&2\n"
        "exit 35\n"
    )
    qstat.chmod(0o755)
    world.env["PATH"] = f"{qstat.parent}:{world.env['PATH']}"
    said = asking.once(world, "pbs", ["16.server", "9.server"])
    for job, why in (("16.server", "time limit"), ("9.server", "has ended")):
        gone = PbsPro().state(said, job)
        assert isinstance(gone, Gone)
        assert why in gone.reason
    for plain in (
        Output(0, SAID["pbs"]),
        Output(153),
        Output(153, "", "qstat: Unknown Job Id Error 7.server"),
    ):
        assert PbsPro().otherwise(plain, ["7.server"]) == []


def test_a_qstat_with_a_memory_is_asked_to_look_again() -> None:
    """It would not know a job that was handed in a moment ago, and its session would be taken for dead."""
    assert PbsPro().environment({"PBS_SERVER": "s", "PBS_JOBID": "7"}, Resources()) == {
        "PBS_SERVER": "s",
        "QSCACHE_BYPASS": "1",
        "LC_ALL": "C",
    }


def test_an_allocation_is_asked_for_with_one_list() -> None:
    """Of several lists of resources on the command line Slurm's wrapper keeps the last one only."""
    wanted = Resources(partition="debug", account="proj1", cpus=2, memory="4G", time_limit=600)
    assert Torque().hold(wanted, Path("/s"))[2:] == [
        *("-N", "jupyter", "-q", "debug", "-A", "proj1"),
        *("-l", "nodes=1:ppn=2,mem=4gb,walltime=00:10:00"),
    ]


def test_the_log_and_the_name_are_on_the_command_line() -> None:
    """There Slurm's wrapper does not overrule them; and the script is a file, as it reads no other."""
    argv = Torque().submit([], Resources(), Path("/s"))
    assert argv == ["qsub", "-N", "jupyter", "-j", "oe", "-o", "/s/job.log", "/s/job.sh"]


@pytest.mark.parametrize("value", ["a b", "a\n#PBS -q x", "$(id)"])
def test_what_qsub_would_misread_is_refused(value: str) -> None:
    """Blanks, line ends and what a shell reads never reach the script."""
    with pytest.raises(BadInput, match="--account"):
        Torque().header(Resources(account=value), Path("/s"))


@pytest.mark.parametrize("wanted", [{"qos": "normal"}, {"reservation": "exam"}, {"gres": "gpu:1"}])
@pytest.mark.parametrize("dialect", [Torque, PbsPro])
def test_what_qsub_would_not_hear_of_is_refused(dialect: type[Torque], wanted: dict[str, str]) -> None:
    """Before the submission, with the flag that would do: not dropped without a word."""
    ((flag, value),) = wanted.items()
    for ask in (dialect().header, dialect().hold):
        with pytest.raises(BadInput, match=f"--{flag}: .*«{value}»") as told:
            ask(Resources(**wanted), Path("/s"))
        assert f"Leave --{flag} out" in told.value.fix


@pytest.mark.parametrize(
    ("said", "pro"),
    [
        (Output(0, "pbs_version = 2021.1.3\n"), True),
        (Output(0, "", "pbs_version = 20.0.1"), True),
        (Output(0, "Version: 6.1.2\nCommit: 661e092"), False),
        (Output(2, "", "Unknown option: version\nUsage:\n    qstat [-f]"), False),
        (Output(127, "", ""), True),
    ],
)
def test_its_version_tells_the_dialect(said: Output, pro: bool) -> None:
    """PBS Pro says pbs_version; whatever else answers is Torque, or speaks like it."""
    assert is_pbs_pro(said) == pro
