"""Known systems: their files, how each is recognised, and what the commands say of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from setup_wizard import orders, sites
from setup_wizard.errors import BadInput
from setup_wizard.schedulers import Resources
from setup_wizard.sites.data import Site
from setup_wizard.wish import Wish
from setup_wizard.world import World

KNOWN = {
    "anvil", "bridges2", "casper", "comet", "cosmos", "delta", "deltaai", "derecho", "expanse", "generic-pbs",
    "generic-slurm", "greatlakes", "jetstream2", "perlmutter", "sapelo2", "stampede3", "tscc-stratus",
    "tscc1", "tscc2", "voyager", "workstation",
}  # fmt: skip
HOUR = 3600
ROOT = Path(__file__).parent.parent


class Host(World):
    """A machine with a name and a root of its own; nothing else of the real one but its shell."""

    def __init__(self, tmp_path: Path, host: str = "login01", **env: str) -> None:
        self.bin = tmp_path / "bin"
        for folder in (self.bin, tmp_path / "root", tmp_path / "home"):
            folder.mkdir(exist_ok=True)
        super().__init__(tmp_path / "home", {"PATH": str(self.bin), **env}, root=tmp_path / "root")
        self.name = host

    @property
    def hostname(self) -> str:
        return self.name

    def has(self, *folders: str) -> Host:
        for folder in folders:
            (self.root / folder.lstrip("/")).mkdir(parents=True)
        return self

    def program(self, name: str, script: str) -> Host:
        """A stand-in for a program of the site."""
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return self

    def site_file(self, folder: Path, text: str, name: str = "hut") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.yml"
        path.write_text(text)
        return path


MakeHost = Callable[..., Host]


@pytest.fixture
def host(tmp_path: Path) -> MakeHost:
    """Makes the machine of a test."""
    return lambda name="login01", **env: Host(tmp_path, name, **env)


def detected(world: World) -> tuple[str, str]:
    found = sites.detect(world, sites.known(world))
    return found.site.name, found.marker


# --- what we ship -----------------------------------------------------------------------------------------


def test_every_system_has_a_file_that_reads(host: MakeHost) -> None:
    """All known systems are there, each in a file of its name, and none of the files is wrong."""
    known = sites.known(host())
    assert known.broken == ()
    assert set(known.sites) == KNOWN
    assert {name: known.files[name].name for name in known.sites} == {n: f"{n}.yml" for n in KNOWN}


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_what_is_said_of_a_system_holds_together(host: MakeHost, name: str) -> None:
    """A retired system says when; a successor is a site; a guide is a web address; paths are absolute."""
    world = host()
    site = sites.find(name, world)
    assert bool(site.retired) == (site.status == "retired")
    assert site.successor in {"", *KNOWN}
    assert site.guide.startswith("https://") or site.name in (*sites.GENERIC, "tscc-stratus")
    for entry in site.markers.directories:
        assert all(p.startswith("/") for p in ([entry] if isinstance(entry, str) else entry))
    assert (site.scheduler == "kubernetes") <= bool(site.instead), (
        "who cannot launch is told what to do instead"
    )


def test_what_was_told_of_systems_is_as_told(host: MakeHost) -> None:
    """Spot checks of values that a launch relies on, in the units that it uses."""
    world = host()
    expanse, tscc = sites.find("expanse", world), sites.find("tscc2", world)
    assert (expanse.rps, expanse.access) == ("expanse-user-content.sdsc.edu", ("rps", "tunnel"))
    assert (expanse.account, expanse.default_partition) == ("required", "shared")
    assert [(p.name, p.seconds, p.gpu) for p in expanse.partitions if p.debug] == [
        ("debug", HOUR // 2, False),
        ("gpu-debug", HOUR // 2, True),
    ]
    assert tscc.qos_like_partition
    hotel = tscc.partition("hotel")
    assert hotel
    assert hotel.seconds == 7 * 24 * HOUR
    assert sites.find("tscc1", world).successor == "tscc2"
    assert not sites.find("stampede3", world).memory_option
    assert sites.find("perlmutter", world).constraint == ("cpu", "gpu")


# --- detection --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "env", "directories", "site", "marker"),
    [
        ("login01", {}, ["/expanse/lustre"], "expanse", "the directory /expanse/lustre"),
        ("exp-9-55", {}, ["/cm/shared/apps/sdsc"], "expanse", "the directory /cm/shared/apps/sdsc"),
        ("login1", {}, ["/tscc"], "tscc2", "the directory /tscc"),
        ("login01", {}, ["/cosmos"], "cosmos", "the directory /cosmos"),
        ("br012", {}, ["/ocean", "/jet/home"], "bridges2", "the directory /ocean and /jet/home"),
        ("login03", {"RCAC_CLUSTER": "anvil"}, [], "anvil", "the variable RCAC_CLUSTER=anvil"),
        ("nid001234", {"NERSC_HOST": "perlmutter"}, [], "perlmutter", "the variable NERSC_HOST=perlmutter"),
        ("dec0001", {"NCAR_HOST": "derecho"}, [], "derecho", "the variable NCAR_HOST=derecho"),
        ("crhtc01", {"NCAR_HOST": "casper"}, [], "casper", "the variable NCAR_HOST=casper"),
        ("cn009", {"LMOD_SYSTEM_NAME": "Delta"}, [], "delta", "the variable LMOD_SYSTEM_NAME=Delta"),
        ("gl1", {"CLUSTER_NAME": "greatlakes"}, [], "greatlakes", "the variable CLUSTER_NAME=greatlakes"),
        ("cn009", {"SLURM_CLUSTER_NAME": "delta"}, [], "delta", "Slurm's ClusterName delta"),
        ("x", {"SLURM_CLUSTER_NAME": "delta-gh"}, [], "deltaai", "Slurm's ClusterName delta-gh"),
        ("login02.expanse.sdsc.edu", {}, [], "expanse", "the host name login02.expanse.sdsc.edu"),
        ("login1.tscc.sdsc.edu", {}, [], "tscc2", "the host name login1.tscc.sdsc.edu"),
        ("login.voyager.sdsc.edu", {}, [], "voyager", "the host name login.voyager.sdsc.edu"),
        ("LOGIN02.Expanse.SDSC.edu", {}, [], "expanse", "the host name login02.expanse.sdsc.edu"),
        (
            "c455-001.stampede3.tacc.utexas.edu",
            {},
            [],
            "stampede3",
            "the host name c455-001.stampede3.tacc.utexas.edu",
        ),
        (
            "gh-login02.delta.ncsa.illinois.edu",
            {},
            [],
            "deltaai",
            "the host name gh-login02.delta.ncsa.illinois.edu",
        ),
    ],
)
def test_each_marker_is_recognised(
    host: MakeHost, name: str, env: dict[str, str], directories: list[str], site: str, marker: str
) -> None:
    """A variable, a directory, a full host name or Slurm's ClusterName is enough, and is told."""
    assert detected(host(name, **env).has(*directories)) == (site, marker)


@pytest.mark.parametrize(
    ("name", "env", "directories"),
    [
        ("login01", {}, []),  # of Expanse, Cosmos and Anvil
        ("login1", {}, []),  # of TSCC, Expanse
        ("br012", {}, ["/ocean"]),  # one of two
        ("x", {"NERSC_HOST": "cori"}, []),
        ("login1.expanse.sdsc.edu.example.org", {}, []),
        ("evil-expanse.sdsc.edu", {}, []),
    ],
)
def test_what_is_not_certain_is_no_marker(
    host: MakeHost, name: str, env: dict[str, str], directories: list[str]
) -> None:
    """A short host name, half a marker, another value or a longer domain leave the site unknown."""
    assert detected(host(name, **env).has(*directories)) == ("workstation", "")


def test_the_first_telling_kind_decides(host: MakeHost) -> None:
    """A variable goes before a directory, and a directory before the host's name."""
    world = host("login1.tscc.sdsc.edu", RCAC_CLUSTER="anvil").has("/cosmos")
    assert detected(world)[0] == "anvil"
    del world.env["RCAC_CLUSTER"]
    assert detected(world)[0] == "cosmos"


def test_of_several_that_fit_the_next_kind_decides(host: MakeHost) -> None:
    """Two systems on one shared file system are told apart by their names."""
    world = host("login2.tscc.sdsc.edu").has("/tscc", "/expanse/lustre")
    assert detected(world) == ("tscc2", "the host name login2.tscc.sdsc.edu")


def test_what_cannot_be_told_apart_is_said(host: MakeHost) -> None:
    """When the last marker fits two, one is proposed and the other named, so that a person can be asked."""
    world = host().has("/tscc", "/expanse/lustre")
    found = sites.detect(world, sites.known(world))
    assert (found.site.name, found.others) == ("expanse", ("tscc2",))


def test_a_short_name_never_counts_alone(host: MakeHost) -> None:
    """Not even where a site's own pattern would have it."""
    world = host("login01")
    text = "name: hut\ntitle: x\nscheduler: slurm\nmarkers: {hosts: ['login.*']}\n"
    world.site_file(world.config / "sites", text)
    assert detected(world) == ("workstation", "")
    world.name = "login01.hut.example.org"
    assert detected(world)[0] == "hut"


def test_a_short_name_is_made_whole_by_the_machine(host: MakeHost) -> None:
    """Where the kernel knows a short name only, `hostname -f` is asked."""
    world = host("login01").program("hostname", '[ "$1" = -f ] && echo login01.expanse.sdsc.edu')
    assert detected(world)[0] == "expanse"


def test_slurm_is_asked_last_and_only_when_needed(host: MakeHost, tmp_path: Path) -> None:
    """`scontrol show config` tells the cluster; a cheap marker makes the question superfluous."""
    asked = tmp_path / "asked"
    script = f"echo $* >> {asked}\nprintf 'AccountingStorageType  = x\\nClusterName             = delta\\n'"
    world = host("cn009").program("scontrol", script).program("sbatch", "exit 1")
    assert detected(world) == ("delta", "Slurm's ClusterName delta")
    assert asked.read_text() == "show config\n"
    asked.unlink()
    assert detected(world.has("/tscc"))[0] == "tscc2"
    assert not asked.exists()


def test_a_controller_that_is_down_is_no_obstacle(host: MakeHost) -> None:
    """An error of scontrol leaves the site generic."""
    world = host().program("scontrol", "echo 'slurm_load_ctl_conf error: Unable to contact' >&2; exit 1")
    assert detected(world.program("sbatch", "")) == ("generic-slurm", "")


@pytest.mark.parametrize(
    ("programs", "site"),
    [
        (["sbatch", "qsub"], "generic-slurm"),
        (["qsub"], "generic-pbs"),
        ([], "workstation"),
    ],
)
def test_an_unknown_system_is_generic(host: MakeHost, programs: list[str], site: str) -> None:
    """What is in PATH tells the kind; Slurm's own qsub beside sbatch is still Slurm."""
    world = host()
    for program in programs:
        world.program(program, "exit 1")
    assert detected(world) == (site, "")


@pytest.mark.parametrize(
    ("says", "scheduler"),
    [("echo pbs_version = 2021.1", "pbs"), ("echo Version: 6.1", "torque"), ("exit 127", "pbs")],
)
def test_where_there_is_only_qsub_qstat_tells_which_one_it_is(
    host: MakeHost, says: str, scheduler: str
) -> None:
    """PBS Pro or Torque is asked once, for the system that nobody knows more of; a flag says so at once."""
    world = host()
    world.program("qsub", "exit 1").program("qstat", f'[ "$*" = --version ] || exit 1\n{says}')
    assert orders.order(world, Wish()).job.scheduler == scheduler
    assert orders.order(world, Wish(site="generic-pbs")).job.scheduler == scheduler
    assert orders.order(world, Wish(scheduler="pbs")).job.scheduler == "pbs"
    assert orders.order(world, Wish(site="casper", resources=Resources(account="a"))).job.scheduler == "pbs"


@pytest.mark.parametrize(
    ("site", "name", "env", "login"),
    [
        ("expanse", "login01", {}, True),
        ("expanse", "login02.expanse.sdsc.edu", {}, True),
        ("expanse", "login02.cluster.local", {}, True),
        ("expanse", "login01", {"SLURM_JOB_ID": "7", "SLURMD_NODENAME": "login01"}, True),
        ("expanse", "exp-9-55", {}, False),
        ("generic-slurm", "anything", {}, True),
        ("generic-slurm", "anything", {"SLURM_JOB_ID": "7"}, True),  # in `salloc`, still where one logged in
        ("generic-slurm", "anything", {"SLURMD_NODENAME": "c1"}, False),
        ("generic-pbs", "anything", {"PBS_JOBID": "7.server"}, False),
        ("workstation", "login01", {}, False),
        ("jetstream2", "login01", {}, False),
    ],
)
def test_a_login_node_is_recognised(
    host: MakeHost, site: str, name: str, env: dict[str, str], login: bool
) -> None:
    """By its name where the site knows such names; else whoever can submit and is no node of a job."""
    world = host(name, **env).program("sbatch", "").program("qsub", "")
    assert sites.on_login_node(world, sites.find(site, world)) is login


# --- folders of others ------------------------------------------------------------------------------------

HUT = "name: hut\ntitle: The hut\nscheduler: slurm\nmarkers:\n  directories: [/hut]\n"


@pytest.mark.parametrize("where", ["etc", "config", "variable"])
def test_a_centre_or_a_user_adds_a_site(host: MakeHost, tmp_path: Path, where: str) -> None:
    """A file in /etc, in ~/.config or in a folder of the variable is a site like ours."""
    world = host().has("/hut")
    folder = {
        "etc": world.root / "etc/hpc-jupyter-setup/sites",
        "config": world.home / ".config/hpc-jupyter-setup/sites",
        "variable": tmp_path / "named",
    }[where]
    world.site_file(folder, HUT)
    if where == "variable":
        world.env[sites.VARIABLE] = f"{folder}:"
    assert detected(world) == ("hut", "the directory /hut")


def test_a_later_folder_stands_in_by_name(host: MakeHost, tmp_path: Path) -> None:
    """The variable's folders go before the user's, the user's before /etc, and /etc before ours."""
    world = host().has("/hut")
    text = "name: expanse\ntitle: {}\nscheduler: slurm\n"
    titles = []
    for folder in (
        world.root / "etc/hpc-jupyter-setup/sites",
        world.home / ".config/hpc-jupyter-setup/sites",
        tmp_path / "one",
        tmp_path / "two",
    ):
        world.site_file(folder, text.format(folder.parts[-3]), "expanse")
        if folder.parent == tmp_path:
            world.env[sites.VARIABLE] = f"{world.env.get(sites.VARIABLE, '')}:{folder}"
        titles.append(sites.find("expanse", world).title == folder.parts[-3])
        assert sites.known(world).files["expanse"] == folder / "expanse.yml"
    assert titles == [True] * 4


def test_a_site_of_ones_own_goes_before_ours(host: MakeHost) -> None:
    """Somebody's own file with the same marker wins without a question."""
    world = host().has("/tscc")
    world.site_file(world.config / "sites", HUT.replace("[/hut]", "[/tscc]"))
    found = sites.detect(world, sites.known(world))
    assert (found.site.name, found.others) == ("hut", ())


def test_a_wrong_file_does_not_take_the_others_away(host: MakeHost) -> None:
    """It is told, with its place, and named it is an error; all other sites are there."""
    world = host().has("/tscc")
    path = world.site_file(world.config / "sites", "name: hut\ntitle: x\nschedular: slurm\n")
    known = sites.known(world)
    assert detected(world)[0] == "tscc2"
    assert [e.problem.split(" ")[0] for e in known.broken] == [f"{path}:3:1:"]
    with pytest.raises(BadInput, match="schedular"):
        sites.find("hut", world)


def test_a_folder_that_is_not_there_is_an_error(host: MakeHost, tmp_path: Path) -> None:
    """A slip in the variable is found, not passed over."""
    world = host()
    world.env[sites.VARIABLE] = str(tmp_path / "nowhere")
    with pytest.raises(BadInput, match="HPC_JUPYTER_SETUP_SITES names a folder that is not there"):
        sites.known(world)


def test_an_unknown_name_gets_a_near_one(host: MakeHost) -> None:
    """«expnase» is answered with expanse."""
    with pytest.raises(BadInput, match=r"no site «expnase»\. Did you mean expanse\?"):
        sites.find("expnase", host())


# --- the cache --------------------------------------------------------------------------------------------


def test_who_only_looks_changes_nothing(host: MakeHost) -> None:
    """Without a cache of ours, none is made; with one, what was read is kept in it, for the user alone."""
    world = host()
    sites.known(world)
    assert list(world.home.iterdir()) == []
    world.cache.mkdir(parents=True)
    first = sites.known(world)
    assert (world.cache / "sites.json").stat().st_mode & 0o777 == 0o600
    assert sites.known(world) == first


def test_a_changed_file_is_read_again(host: MakeHost) -> None:
    """What is remembered of a file counts only as long as the file is the same, and damage is healed."""
    world = host()
    world.cache.mkdir(parents=True)
    path = world.site_file(world.config / "sites", HUT)
    assert sites.known(world).sites["hut"].title == "The hut"
    path.write_text(HUT.replace("The hut", "The house"))
    assert sites.known(world).sites["hut"].title == "The house"
    (world.cache / "sites.json").write_text("{")
    assert sites.known(world).sites["hut"].title == "The house"
    path.unlink()
    assert "hut" not in sites.known(world).sites


# --- strict files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "place", "problem", "fix"),
    [
        (
            "schedular: slurm",
            "4:1",
            "the key «schedular» is not known here. Did you mean scheduler?",
            "Allowed",
        ),
        ("markers: {hots: [a]}", "4:11", "«hots» is not known here. Did you mean hosts?", "environment, dir"),
        ("partitions: [{name: a, limt: '1'}]", "4:24", "«limt» is not known", "name, limit, default"),
        ("partitions: [{limit: '1'}]", "4:14", "needs the key «name»", "name:"),
        ("partitions: [{name: a, limit: 30}]", "4:31", "should be a text, and is a whole number", '"30"'),
        ("partitions: [{name: a, limit: 2 days}]", "4:31", "«2 days» is not a time", "HH:MM:SS"),
        ("partitions: [{name: a}, {name: a}]", "4:25", "«a» is there twice", "Remove one"),
        (
            "partitions: [{name: a, default: true}, {name: b, default: true}]",
            "4:40",
            "«b» is a default beside «a»",
            "Only one",
        ),
        ("partitions: shared", "4:13", "should be a list, and is a text", "a list"),
        ("account: yes please", "4:10", "cannot be «yes please»", "optional, required, unknown"),
        ("access: [rsp]", "4:10", "cannot be «rsp». Did you mean rps?", "direct, rps, tunnel"),
        ("access: [rps]", "4:9", "«rps» has no domain", "rps: DOMAIN"),
        ("rps_ca: /etc/our.pem", "4:9", "«rps» has no domain", "rps: DOMAIN"),
        ("rps: x.example.org\nrps_ca: our.pem", "5:9", "is not a full path", "/etc/ssl/certs"),
        ("rps: https://x.example.org/", "4:6", "is not a domain", "without https://"),
        ("login_hosts: ['login[0-9']", "4:15", "is not a regular expression", "single quotes"),
        ("markers: {hosts: ['*.example.org']}", "4:19", "is not a regular expression", "whole host name"),
        (
            "quota: [lfs quota /x | tail -1]",
            "4:9",
            "is not a command and its words",
            "without a shell's signs",
        ),
        ('quota: ["quota \'x"]', "4:9", "is not a command and its words", "one command"),
        ("ssh_to_compute: maybe", "4:17", "cannot be «maybe»", "no, unknown, yes"),
    ],
)
def test_each_mistake_in_a_site_file_is_named(
    host: MakeHost, tmp_path: Path, line: str, place: str, problem: str, fix: str
) -> None:
    """File, line and column, what is wrong, and what is allowed there."""
    path = host().site_file(tmp_path, f"name: hut\ntitle: x\nscheduler: slurm\n{line}\n")
    with pytest.raises(BadInput) as caught:
        sites.read(path)
    assert caught.value.problem.startswith(f"{path}:{place}: ")
    assert problem in caught.value.problem
    assert fix in caught.value.fix


def test_whole_nodes_are_for_slurm(host: MakeHost, tmp_path: Path) -> None:
    """What would not be said to a scheduler is no value of its site."""
    text = "name: hut\ntitle: x\nscheduler: {}\nexclusive: true\n"
    assert sites.read(host().site_file(tmp_path, text.format("slurm"))).exclusive
    with pytest.raises(BadInput, match="4:12: whole nodes are asked of Slurm alone"):
        sites.read(host().site_file(tmp_path, text.format("torque")))


@pytest.mark.parametrize(
    ("name", "problem"),
    [("The Hut", "cannot be a site's name"), ("house", "is named «house», and its file hut.yml")],
)
def test_a_site_and_its_file_have_one_name(host: MakeHost, tmp_path: Path, name: str, problem: str) -> None:
    """What is asked for by name is found by the name of its file."""
    path = host().site_file(tmp_path, HUT.replace("name: hut", f"name: {name}"))
    with pytest.raises(BadInput, match=problem):
        sites.read(path)


def test_the_reference_tells_every_key() -> None:
    """docs/reference/sites.md has a row for each key that a site file may have."""
    page = (ROOT / "docs/reference/sites.md").read_text()
    keys = {*Site.__struct_fields__, *sites.Markers.__struct_fields__, *sites.Partition.__struct_fields__}
    assert [key for key in sorted(keys) if f"| `{key}` |" not in page] == []


# --- the commands -----------------------------------------------------------------------------------------


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """The program itself, run in a home of its own, with nothing but our own commands in PATH."""
    home = tmp_path / "home"
    home.mkdir()

    def run(*argv: str, **env: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "setup_wizard", "sites", *argv]
        settings = {"HOME": str(home), "PATH": str(tmp_path / "bin"), **env}
        done = subprocess.run(command, env=settings, capture_output=True, text=True, cwd=ROOT)
        return done.returncode, done.stdout + done.stderr

    return run


Program = Callable[..., tuple[int, str]]


def test_list_names_every_system(program: Program) -> None:
    """A line each, with what is retired and what came after; JSON has all values and the file."""
    code, said = program("list")
    assert code == 0
    assert {row.split()[0] for row in said.splitlines()} == KNOWN
    assert "retired 2024-01, now tscc2" in said
    rows = json.loads(program("list", "--json")[1])["sites"]
    assert {row["site"]["name"]: row["site"]["scheduler"] for row in rows}["casper"] == "pbs"
    assert all(Path(row["file"]).is_file() for row in rows)


def test_list_tells_of_wrong_files(program: Program, tmp_path: Path) -> None:
    """The others are listed, the wrong one is named with its place, and the exit code is not 0."""
    (tmp_path / "hut.yml").write_text("name: hut\n")
    code, said = program("list", HPC_JUPYTER_SETUP_SITES=str(tmp_path))
    assert code == 1
    assert "expanse" in said
    assert "hut.yml:1:1: the file needs the key «title»" in " ".join(said.split())


def test_show_tells_what_is_known(program: Program) -> None:
    """Partitions with limits, ways in, and for a system that cannot be launched on what to do instead."""
    code, said = program("show", "expanse")
    assert code == 0
    assert "Reverse Proxy Service (expanse-user-content.sdsc.edu), SSH tunnel" in said
    assert re.search(r"gpu-debug +00:30:00 +GPU", said)
    assert "kubectl port-forward" in program("show", "voyager")[1]
    code, said = program("show", "expance")
    assert (code, "Did you mean expanse?" in said) == (2, True)


def test_detect_tells_by_which_marker(program: Program) -> None:
    """The system, the marker, and whether this is a login node; for people and as JSON."""
    code, said = program("detect", NERSC_HOST="perlmutter")
    assert code == 0
    assert "NERSC Perlmutter (perlmutter), by the variable NERSC_HOST=perlmutter." in said
    found = json.loads(program("detect", "--json", NCAR_HOST="casper")[1])
    assert (found["site"]["name"], found["marker"]) == ("casper", "the variable NCAR_HOST=casper")
    assert found["offer"] == {"accounts": None, "partitions": None, "reservations": None, "qos": None}


def test_check_says_where_a_file_is_wrong(program: Program, tmp_path: Path) -> None:
    """Right: the command that makes it count. Wrong: line, column, what is allowed, and exit code 2."""
    path = tmp_path / "hut.yml"
    path.write_text(HUT)
    code, said = program("check", str(path))
    assert code == 0
    assert f"install -D -m 644 {path} ~/.config/hpc-jupyter-setup/sites/hut.yml" in said
    path.write_text(HUT + "acount: required\n")
    code, said = program("check", str(path))
    assert code == 2
    assert f"{path}:6:1: the key «acount» is not known here. Did you mean account" in " ".join(said.split())
