"""What a user has on a system, as the scheduler tells, and what is refused before it is submitted."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from setup_wizard import discovery, sites
from setup_wizard.discovery import Account, Offer, Partition, pbs, slurm
from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.schedulers import Resources
from setup_wizard.sites import Site
from setup_wizard.world import World

TRANSCRIPTS = Path(__file__).parent / "transcripts/discovery"
HOUR, DAY = 3600, 86400


def said(name: str) -> str:
    return (TRANSCRIPTS / name).read_text()


def large() -> Offer:
    """A user with two accounts on a system with several partitions."""
    return Offer(
        slurm.accounts(said("sacctmgr-two")),
        slurm.partitions(said("sinfo-large")),
        slurm.reservations(said("reservation-lab")),
    )


# --- what Slurm says --------------------------------------------------------------------------------------


def test_partitions_of_a_real_slurm() -> None:
    """A partition of unlike nodes is one; the star marks the default; GPUs and limits are read."""
    found = slurm.partitions(said("sinfo-lab"))
    assert found
    assert [(p.name, p.limit, p.default, p.nodes, p.idle, p.gpus, p.gpu_types) for p in found] == [
        ("compute", 2 * DAY, True, 2, 2, 2, ("a100",)),
        ("debug", HOUR // 2, False, 1, 1, 0, ()),
        ("gpu", DAY, False, 1, 1, 2, ("a100",)),
    ]
    assert [(p.cores, p.memory, p.features) for p in found] == [(8, 16000, ())] * 3


def test_partitions_of_a_large_system() -> None:
    """The largest node counts; «+» is not known; no limit is 0; a drained partition takes no jobs."""
    found = {p.name: p for p in slurm.partitions(said("sinfo-large")) or ()}
    assert (found["normal"].nodes, found["normal"].idle, found["normal"].memory) == (16, 3, 512000)
    assert found["normal"].features == ("ib", "milan")
    assert (found["gpu"].gpus, found["gpu"].gpu_types) == (4, ("a100", "a30", "h100"))
    assert (found["gpu"].cores, found["gpu"].memory) == (None, None)
    assert (found["long"].limit, found["long"].open) == (0, True)
    assert (found["old"].open, found["old"].state, found["old"].gpus) == (False, "drain", 2)


@pytest.mark.parametrize(
    ("gres", "gpus"),
    [
        ("(null)", {}),
        ("", {}),
        ("gpu", {"": 1}),
        ("gpu:2", {"": 2}),
        ("gpu:a100:4(S:0-1)", {"a100": 4}),
        ("gpu:a100", {"a100": 1}),
        ("gres/gpu:a100:4", {"a100": 4}),
        ("craynetwork:4,gpu:v100:8(S:0,1),tmpdisk:1", {"v100": 8}),
        ("gpu:h100:2(S:0),gpu:a30:1(S:1)", {"h100": 2, "a30": 1}),
        ("gpumem:80", {}),
    ],
)
def test_gpus_are_counted(gres: str, gpus: dict[str, int]) -> None:
    """With and without type, number and sockets, among other resources."""
    assert slurm.gpus(gres) == gpus


def test_accounts_with_their_qos() -> None:
    """Each association once; no answer is «not known», for then nothing is enforced."""
    assert slurm.accounts(said("sacctmgr-two")) == (
        Account("proj1", "", ("normal", "debug"), "normal"),
        Account("proj2", "gpu", ("normal",)),
    )
    assert slurm.accounts("") is None
    assert (large().account_names, large().qos_names) == (["proj1", "proj2"], ["normal", "debug"])


def test_reservations_of_a_real_slurm() -> None:
    """Name, times and people; that there are none is knowledge, no answer is not."""
    found = slurm.reservations(said("reservation-lab"))
    assert found
    assert [(r.name, r.users, r.accounts, r.partition) for r in found] == [
        ("exam", ("root",), (), ""),
        ("course", ("alice", "bob"), ("proj1",), ""),
    ]
    assert (found[0].state, found[0].end) == ("INACTIVE", "2026-12-02T23:31:29")
    assert slurm.reservations(said("reservation-none")) == ()
    assert slurm.reservations("") is None


@pytest.mark.parametrize("text", ["", "\n", "garbage", "a|b", "||||||||", "slurm_load_partitions: error"])
def test_garbage_is_not_known(text: str) -> None:
    """What cannot be read forbids nothing."""
    assert slurm.partitions(text) is None
    assert slurm.reservations(text) is None
    assert pbs.queues(text) is None
    assert pbs.short_queues(text) is None


# --- what qstat says --------------------------------------------------------------------------------------


def test_queues_of_torque() -> None:
    """Limits as clock or seconds, folded values, and what a stopped or disabled queue does."""
    found = pbs.queues(said("qstat-Qf-torque"))
    assert found
    assert [(q.name, q.limit, q.open, q.state) for q in found] == [
        ("hotel", 168 * HOUR, True, ""),
        ("condo", 8 * HOUR, True, "starts no jobs"),
        ("home", None, False, "takes no jobs"),
    ]


def test_queues_of_pbs_pro() -> None:
    """A queue that only another one feeds cannot be named, and the server's default is marked."""
    found = pbs.with_default(pbs.queues(said("qstat-Qf-pbspro")), said("qstat-Bf-pbspro"))
    assert found
    assert [(q.name, q.limit, q.default, q.open, q.gpus) for q in found] == [
        ("main", 12 * HOUR, True, True, None),
        ("cpu", 12 * HOUR, False, False, 0),
        ("develop", 6 * HOUR, False, True, None),
    ]


def test_queues_of_slurms_own_qstat() -> None:
    """Its keys begin with a tab, its answers are yes and no, and only the short table has the limits."""
    full = pbs.queues(said("qstat-Qf-slurm"))
    assert full
    assert [(q.name, q.limit, q.open) for q in full] == [("compute", None, True), ("debug", None, True)]
    short = pbs.short_queues(said("qstat-q-slurm"))
    assert short
    assert [(q.name, q.limit) for q in short] == [("compute", 2 * DAY), ("debug", 1800), ("gpu", DAY)]


# --- asking -----------------------------------------------------------------------------------------------


class Cluster:
    """A PATH with stand-ins for a scheduler's commands: each prints a transcript, or fails."""

    def __init__(self, world: World, tmp_path: Path) -> None:
        self.bin = tmp_path / "bin"
        self.bin.mkdir()
        (self.bin / "bash").symlink_to(shutil.which("bash") or "/bin/bash")
        self.asked = tmp_path / "asked"
        self.world = world
        world.env["PATH"] = str(self.bin)

    def answers(self, program: str, script: str) -> None:
        path = self.bin / program
        path.write_text(f'#!/bin/sh\necho "{program} $*" >> {self.asked}\n{script}\n')
        path.chmod(0o755)

    def prints(self, program: str, transcript: str, code: int = 0) -> None:
        self.answers(
            program, f"while read -r l; do echo \"$l\"; done < '{TRANSCRIPTS / transcript}'; exit {code}"
        )

    def fails(self, program: str, said: str) -> None:
        self.answers(program, f"echo '{said}' >&2; exit 1")


@pytest.fixture
def stand_in(world: World, tmp_path: Path) -> Cluster:
    """A machine on which nothing answers but what a test puts there."""
    return Cluster(world, tmp_path)


def site(name: str, world: World) -> Site:
    return sites.find(name, world)


def test_slurm_is_asked_for_all_of_it(stand_in: Cluster) -> None:
    """Five questions, for this user and with hidden partitions, make the offer."""
    stand_in.prints("sinfo", "sinfo-large")
    stand_in.prints("sacctmgr", "sacctmgr-two")
    stand_in.prints("scontrol", "reservation-lab")
    assert discovery.look(stand_in.world, site("generic-slurm", stand_in.world)) == large()
    user = discovery.user_name(stand_in.world)
    assert sorted(stand_in.asked.read_text().splitlines()) == [
        f"sacctmgr -nP show assoc user={user} "
        "format=cluster,account,partition,qos,defaultqos,maxwall,maxtres",
        "sacctmgr -nP show qos format=name,flags,maxwall,maxtres,maxtrespu",
        "scontrol -a -o show partition",
        "scontrol -o show reservation",
        "sinfo -a -h -o %P|%a|%l|%D|%t|%G|%c|%m|%f",
    ]


def test_what_fails_is_not_known(stand_in: Cluster) -> None:
    """No accounting, a controller that is down, a missing program: the rest is still told."""
    stand_in.prints("sinfo", "sinfo-lab")
    stand_in.fails("sacctmgr", "You are not running a supported accounting_storage plugin")
    found = discovery.look(stand_in.world, site("generic-slurm", stand_in.world))
    assert (found.accounts, found.reservations) == (None, None)
    assert found.partitions
    stand_in.fails("sinfo", "slurm_load_partitions: Unable to contact slurm controller (connect failure)")
    assert discovery.look(stand_in.world, site("generic-slurm", stand_in.world)) == Offer()


def test_who_never_answers_is_not_waited_for(stand_in: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that hangs is given up, and the launch goes on."""
    monkeypatch.setattr("setup_wizard.discovery.ask.TAKES", 0.2)
    stand_in.answers("sinfo", "while :; do :; done")
    assert discovery.look(stand_in.world, site("generic-slurm", stand_in.world)) == Offer()


def test_variables_cannot_bend_the_answer(stand_in: Cluster) -> None:
    """A SINFO_PARTITION of the user's would hide all others from us."""
    stand_in.answers("sinfo", f"[ -z \"$SINFO_PARTITION$SLURM_CLUSTERS\" ] && echo '{said('sinfo-lab')}'")
    stand_in.world.env.update(SINFO_PARTITION="debug", SLURM_CLUSTERS="other")
    found = discovery.look(stand_in.world, site("generic-slurm", stand_in.world)).partitions
    assert found
    assert len(found) == 3


def test_qstat_is_asked_where_there_is_no_slurm(stand_in: Cluster) -> None:
    """`-Q -f` first, the short table where it fails (Slurm's ends with 153), and the server's default."""
    stand_in.prints("qstat", "qstat-Qf-torque")
    found = discovery.look(stand_in.world, site("generic-pbs", stand_in.world)).partitions
    assert found
    assert found[0].name == "hotel"
    table = f"echo '{said('qstat-q-slurm')}'; exit 153"
    stand_in.answers("qstat", f'case "$1" in -q) {table};; *) exit 2;; esac')
    found = discovery.look(stand_in.world, site("generic-pbs", stand_in.world)).partitions
    assert found
    assert [q.name for q in found] == ["compute", "debug", "gpu"]


def test_an_answer_is_remembered_for_a_while(stand_in: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """For this site and some hours, where there is a cache; who only looks leaves nothing."""
    world, place = stand_in.world, site("generic-slurm", stand_in.world)
    stand_in.prints("sinfo", "sinfo-lab")
    found = discovery.look(world, place)
    assert discovery.remembered(world, place) is None
    assert list(world.home.iterdir()) == []
    world.cache.mkdir(parents=True)
    discovery.look(world, place)
    assert discovery.remembered(world, place) == found
    assert discovery.remembered(world, site("expanse", world)) is None
    later = world.now() + DAY
    monkeypatch.setattr(World, "now", lambda self: later)
    assert discovery.remembered(world, place) is None


def test_agreeing_asks_once_and_refusing_asks_anew(stand_in: Cluster) -> None:
    """A launch that can be had needs no question; a partition that is new since is found all the same."""
    world, place = stand_in.world, site("generic-slurm", stand_in.world)
    world.cache.mkdir(parents=True)
    stand_in.prints("sinfo", "sinfo-lab")
    wanted = Resources(partition="debug")
    assert discovery.checked(wanted, place, world) == wanted
    stand_in.asked.unlink()
    assert discovery.checked(wanted, place, world) == wanted
    assert not stand_in.asked.exists()
    with pytest.raises(BadInput, match="no partition «short»"):
        discovery.checked(Resources(partition="short"), place, world)
    assert stand_in.asked.read_text().startswith("sinfo")
    stand_in.prints("sinfo", "sinfo-large")
    assert discovery.checked(Resources(partition="short"), place, world).partition == "short"


def test_what_is_left_open_is_completed_before_it_is_checked(stand_in: Cluster) -> None:
    """The only account is taken, and the site's partition, rather than asked for."""
    stand_in.answers("sacctmgr", "echo 'lab|proj1||normal|||'")
    found = discovery.checked(Resources(), site("expanse", stand_in.world), stand_in.world)
    assert (found.account, found.partition) == ("proj1", "shared")


def test_ones_own_defaults_for_all_jobs_count(stand_in: Cluster) -> None:
    """SBATCH_QOS and the like are what Slurm will see, and what is looked at; we ask for none of it."""
    world, place = stand_in.world, site("generic-slurm", stand_in.world)
    stand_in.answers(
        "sacctmgr",
        "[ $3 = qos ] && echo 'short||00:10:00||' || echo 'lab|proj1||long,short|short||'",
    )
    wanted = Resources(time_limit=HOUR)
    with pytest.raises(BadInput, match="one job may have in the QOS short"):
        discovery.checked(wanted, place, world)
    world.env["SBATCH_QOS"] = "long"
    assert discovery.checked(wanted, place, world).qos == ""


# --- objections -------------------------------------------------------------------------------------------


def refused(wanted: Resources, where: str, offer: Offer, world: World) -> BadInput:
    with pytest.raises(BadInput) as caught:
        discovery.objections(wanted, site(where, world), offer)
    return caught.value


def test_partitions_with_gpus_are_better_than_none(world: World) -> None:
    """The default, whatever its nodes have; and where nothing else allows the time, those for GPUs."""
    lab = slurm.partitions(said("sinfo-lab")) or ()
    long = Resources(partition="debug", time_limit=5 * HOUR)
    assert "--partition compute" in refused(long, "generic-slurm", Offer(partitions=lab), world).fix
    others = Offer(partitions=tuple(p for p in lab if not p.default))
    assert "--partition gpu" in refused(long, "generic-slurm", others, world).fix


@pytest.mark.parametrize(
    ("wanted", "problem", "fix"),
    [
        ({"partition": "nromal"}, "no partition «nromal» here. Did you mean normal?", "normal, gpu, short"),
        ({"partition": "old"}, "«old» takes no jobs now (drain)", "normal, gpu, short, long"),
        ({"account": "proj3"}, "no account «proj3» here. Did you mean proj", "proj1, proj2"),
        ({"account": "proj2", "partition": "short"}, "«proj2» may not be used", "--partition gpu"),
        ({"qos": "nromal"}, "no QOS «nromal» here. Did you mean normal?", "normal, debug"),
        ({"account": "proj2", "qos": "debug"}, "no QOS «debug»", "There is: normal"),
        ({"reservation": "corse"}, "no reservation «corse» here. Did you mean course?", "exam, course"),
        ({"constraint": "milam"}, "no kind of node «milam» here. Did you mean milan?", "ib, milan"),
        ({"time_limit": -60}, "--time-limit: -60 seconds", "HH:MM:SS"),
        ({"time_limit": 400 * DAY}, "no time that a job can have", "HH:MM:SS"),
        (
            {"partition": "short", "time_limit": HOUR},
            "01:00:00 is more than the partition short allows: 00:30:00",
            "Ask for --time-limit 00:30:00, or a partition that allows it: --partition normal | long",
        ),
        ({"time_limit": 3 * DAY}, "the partition normal allows: 2-00:00:00", "--partition long"),
        (
            {"partition": "gpu", "gpus": 1, "time_limit": 3 * DAY},
            "the partition gpu allows: 1-00:00:00",
            "Ask for --time-limit 1-00:00:00",
        ),
        (
            {"partition": "short", "gpus": 1},
            "--gpus: 1 GPU on a node, and the partition short has none",
            "--partition gpu",
        ),
        ({"gpus": 1}, "the partition normal has none", "--partition gpu"),
        (
            {"partition": "gpu", "gpus": 8},
            "8 GPUs on a node, and the partition gpu has at most 4",
            "at most 4",
        ),
        ({"partition": "short", "gres": "gpu:a100:1"}, "--gres: 1 GPU", "--partition gpu"),
        ({"partition": "gpu", "gres": "gpu:a10:1"}, "no kind of GPU «a10»", "a100, a30, h100"),
        ({"nodes": -1}, "--nodes: -1 is less than nothing", "--nodes 1"),
        ({"cpus": 129}, "--cpus: 129 is more than there is: 128 cores", "--cpus 128"),
        ({"nodes": 17}, "--nodes: 17 is more than there is: 16 nodes", "--nodes 16"),
        ({"memory": "600G"}, "614400 MB is more than there is: 512000 MB of", "--memory 512000M"),
        ({"memory": "much"}, "«much» is no amount of memory", "--memory 16G"),
        ({"memory": "0"}, "«0» is no amount of memory", "--memory 16G"),
    ],
)
def test_each_objection_names_what_would_do(
    world: World, wanted: dict[str, object], problem: str, fix: str
) -> None:
    """Before anything is submitted: what is wrong, by its flag, and the way out."""
    e = refused(msgspec.convert(wanted, Resources), "generic-slurm", large(), world)
    assert problem in e.problem
    assert fix in e.fix


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"partition": "short", "time_limit": 1800},
        {"partition": "short,normal", "time_limit": 2 * DAY},
        {"partition": "long", "time_limit": 300 * DAY},
        {"account": "PROJ1", "qos": "Normal"},
        {"account": "proj2", "partition": "gpu", "gres": "gpu:h100:2"},
        {"partition": "gpu", "gpus": 4, "cpus": 500, "memory": "900G"},
        {"partition": "short,gpu", "cpus": 500},
        {"constraint": "milan&ib"},
        {"reservation": "course"},
        {"memory": "8gb", "cpus": 128, "nodes": 16},
    ],
)
def test_what_is_allowed_or_not_known_passes(world: World, wanted: dict[str, object]) -> None:
    """Nothing is refused that the scheduler might take: lists, other cases, «more than 64 cores»."""
    discovery.objections(msgspec.convert(wanted, Resources), site("generic-slurm", world), large())


def test_an_account_may_have_several_partitions(world: World) -> None:
    """One of them is enough; all are named when it is none of them."""
    offer = Offer((Account("a", "day"), Account("a", "night")))
    discovery.objections(Resources(account="a", partition="night"), site("generic-slurm", world), offer)
    e = refused(Resources(account="a", partition="gpu"), "generic-slurm", offer, world)
    assert e.fix == "It may be in: --partition day | night"


def test_where_nothing_is_known_nothing_is_refused(world: World) -> None:
    """Without any answer the scheduler decides, however odd the names are."""
    wanted = Resources(
        partition="x", account="x", qos="x", reservation="x", constraint="x", gpus=9, cpus=999, memory="9T"
    )
    discovery.objections(wanted, site("generic-slurm", world), Offer())


def test_that_there_is_no_reservation_is_knowledge(world: World) -> None:
    """A name that is over, or not yet there, is said so."""
    e = refused(Resources(reservation="course"), "generic-slurm", Offer(reservations=()), world)
    assert "there is no reservation «course», nor any other one" in e.problem


@pytest.mark.parametrize(
    ("where", "wanted", "problem", "fix"),
    [
        ("expanse", Resources(), "SDSC Expanse wants to know the account", "--account NAME"),
        ("delta", Resources(), "It looks like PROJECT-delta-cpu or PROJECT-delta-gpu", "--account NAME"),
        ("perlmutter", Resources(), "wants to know the kind of node", "--constraint cpu | gpu"),
        ("stampede3", Resources(memory="8G"), "refuses jobs that ask for memory", "Leave --memory out"),
        ("voyager", Resources(), "no batch system", "kubectl port-forward"),
        (
            "expanse",
            Resources(account="x", partition="debug", time_limit=HOUR),
            "more than the partition debug allows: 00:30:00",
            "--partition compute | large-shared | shared",
        ),
        (
            "expanse",
            Resources(account="x", partition="gpu-debug", gpus=1, time_limit=HOUR),
            "more than the partition gpu-debug allows: 00:30:00",
            "--partition gpu-shared",
        ),
    ],
)
def test_what_is_known_of_a_site_counts_too(
    world: World, where: str, wanted: Resources, problem: str, fix: str
) -> None:
    """Also where the scheduler has not been asked: accounts, limits, and what a system does not take."""
    e = refused(wanted, where, Offer(), world)
    assert problem in e.problem
    assert fix in e.fix


def test_ones_own_accounts_are_offered(world: World) -> None:
    """Where an account is needed and several are there, all are named."""
    e = refused(Resources(), "expanse", large(), world)
    assert e.fix == "Choose one of yours: --account proj1 | proj2"


def test_jupyter_on_a_login_node_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the site's policy, and the command that does it right; a compute node is free."""
    monkeypatch.setattr(World, "hostname", "login01")
    with pytest.raises(MachineBlocks, match="login01 is a login node of SDSC Expanse") as caught:
        discovery.refuse_login_node(world, site("expanse", world))
    assert "hpc-jupyter-setup launch" in caught.value.fix
    monkeypatch.setattr(World, "hostname", "exp-9-55")
    discovery.refuse_login_node(world, site("expanse", world))


# --- proposals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "wanted", "offer", "proposed"),
    [
        ("expanse", Resources(), Offer(), Resources(partition="shared")),
        ("expanse", Resources(gpus=1), Offer(), Resources(gpus=1, partition="gpu-shared")),
        ("expanse", Resources(), Offer((Account("a"),)), Resources(partition="shared", account="a")),
        ("expanse", Resources(partition="debug"), Offer(), Resources(partition="debug")),
        ("expanse", Resources(), Offer(partitions=(Partition("x"),)), Resources()),
        ("bridges2", Resources(), Offer((Account("a"),)), Resources(partition="RM-shared")),
        ("tscc2", Resources(), Offer(), Resources(partition="hotel", qos="hotel")),
        ("tscc2", Resources(qos="q"), Offer(), Resources(partition="hotel", qos="q")),
        ("cosmos", Resources(), Offer(), Resources(partition="cluster", exclusive=True)),
        ("perlmutter", Resources(), Offer(), Resources(constraint="cpu")),
        ("perlmutter", Resources(gpus=1), Offer(), Resources(gpus=1, constraint="gpu")),
        ("generic-slurm", Resources(), Offer((Account("a"), Account("b"))), Resources()),
        (
            "generic-slurm",
            Resources(gpus=2),
            Offer(partitions=(Partition("c", default=True, gpus=0), Partition("g", gpus=2))),
            Resources(gpus=2, partition="g"),
        ),
        (
            "generic-slurm",
            Resources(gpus=2),
            Offer(partitions=(Partition("c", default=True, gpus=2),)),
            Resources(gpus=2),
        ),
    ],
)
def test_what_the_user_leaves_open_is_proposed(
    world: World, where: str, wanted: Resources, offer: Offer, proposed: Resources
) -> None:
    """The site's partition, the only account, the QOS and kind of node that go with them, whole nodes where
    it gives no others; no more.
    """
    assert discovery.proposal(wanted, site(where, world), offer) == proposed
