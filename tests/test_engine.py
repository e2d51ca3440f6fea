"""The engine as the user meets it: what it finds, and what it says when packages or servers are not good."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from setup_wizard.conda import environment, packages
from setup_wizard.conda.causes import of_solve, of_transfer
from setup_wizard.errors import BadInput, MachineBlocks, NetworkTrouble, PackagesQuarrel
from setup_wizard.mirror.packages import SUBDIR
from setup_wizard.mirror.tiny import stub
from setup_wizard.world import Patience, Progress, World
from tests.channels import ALWAYS, channel, fruits, serve, spec
from tests.web_server import Fault, WebServer, changed, cut, drip, page, stall, status


@pytest.fixture(scope="module")
def orchard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A channel of small packages, in a folder."""
    folder = tmp_path_factory.mktemp("channels") / "orchard"
    channel(folder, fruits())
    return folder


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture
def env(world: World) -> Path:
    """Where the environment is to be."""
    return world.home / "envs" / "fruits"


def assert_nothing_half(world: World, env: Path) -> None:
    """Neither an environment, nor a half one beside its place, nor a line in conda's list."""
    assert not env.exists()
    assert not env.parent.exists() or not list(env.parent.iterdir())
    assert not (world.home / ".conda").exists()


# --- solving --------------------------------------------------------------------------------------------


def test_a_solution_names_every_package_with_size_and_hash(world: World, env: Path, orchard: Path) -> None:
    """`solve` gives what would be installed, dependencies included, and leaves the home untouched."""
    solution = environment.solve(world, env, spec(env.parents[2], [orchard.as_uri()], ["pear"]))
    assert {(p.name, p.version) for p in solution.packages} == {("pear", "1.0"), ("apple", "1.5")}
    for p in solution.packages:
        archive = orchard / "noarch" / p.url.rpartition("/")[2]
        assert p.size == archive.stat().st_size
        assert re.fullmatch(r"[0-9a-f]{64}", p.sha256)
        assert not p.cached
    assert solution.bytes_on_disk > sum(p.size for p in solution.packages)
    assert list(world.home.iterdir()) == []


def test_a_misspelt_package_is_answered_with_near_names(world: World, env: Path, orchard: Path) -> None:
    """The place in the file, the name, and what was perhaps meant."""
    asked = spec(env.parents[2], [orchard.as_uri()], ["apple", "quinze >=1"])
    with pytest.raises(PackagesQuarrel) as caught:
        environment.solve(world, env, asked)
    assert caught.value.problem.startswith(f"{asked.source}:5:5: there is no package «quinze»")
    assert "Did you mean quince?" in caught.value.problem


def test_a_version_that_does_not_exist_is_answered_with_those_that_do(
    world: World, env: Path, orchard: Path
) -> None:
    """The place in the file, and the versions there are, newest first."""
    asked = spec(env.parents[2], [orchard.as_uri()], ["quince >=7"])
    with pytest.raises(PackagesQuarrel) as caught:
        environment.solve(world, env, asked)
    assert (
        caught.value.problem == f"{asked.source}:4:5: «quince >=7» does not exist. There is quince 1.2, 1.1."
    )
    assert "quince=1.2" in caught.value.fix


def test_the_first_channel_that_knows_a_package_counts(world: World, env: Path, orchard: Path) -> None:
    """As with conda's strict priority; and when a later channel has what was asked for, that is said."""
    first = channel(env.parents[2] / "first", [stub("quince", "0.9", noarch="generic")])
    asked = spec(env.parents[2], [first, orchard.as_uri()], ["quince"])
    assert [p.version for p in environment.solve(world, env, asked).packages] == ["0.9"]
    asked = spec(env.parents[2], [first, orchard.as_uri()], ["orchard::quince"])
    assert [p.version for p in environment.solve(world, env, asked).packages] == ["1.2"]

    with pytest.raises(PackagesQuarrel) as caught:
        environment.solve(world, env, spec(env.parents[2], [first, orchard.as_uri()], ["quince =1.2"]))
    assert f"{orchard.as_uri()} has what you ask for" in caught.value.problem
    assert "first among the channels" in caught.value.fix


def test_a_quarrel_names_both_sides(world: World, env: Path, orchard: Path) -> None:
    """Both packages that cannot be had together, with their places, and why."""
    asked = spec(env.parents[2], [orchard.as_uri()], ["pear", "quince", "plum"])
    with pytest.raises(PackagesQuarrel) as caught:
        environment.solve(world, env, asked)
    assert f"{asked.source}:4:5: pear" in caught.value.problem
    assert f"{asked.source}:6:5: plum" in caught.value.problem
    assert "quince" not in caught.value.problem
    assert "apple" in caught.value.problem


def test_what_needs_a_gpu_says_so(world: World, env: Path, orchard: Path) -> None:
    """On a machine without one; with the way to say that the jobs will have one."""
    asked = spec(env.parents[2], [orchard.as_uri()], ["melon"])
    with pytest.raises(PackagesQuarrel, match="need a GPU") as caught:
        environment.solve(world, env, asked)
    assert "CONDA_OVERRIDE_CUDA=12" in caught.value.fix
    world.env["CONDA_OVERRIDE_CUDA"] = "12"
    assert [p.name for p in environment.solve(world, env, asked).packages] == ["melon"]


def test_what_is_no_package_specification(world: World, env: Path, orchard: Path) -> None:
    """A dependency that cannot be read is the user's to correct, with its place."""
    asked = spec(env.parents[2], [orchard.as_uri()], ["apple", "quince >=1,<<2"])
    with pytest.raises(BadInput, match=r"env\.yml:5:5: «quince >=1,<<2» is no package specification"):
        environment.solve(world, env, asked)


@pytest.mark.parametrize(
    "written", ["quince=1.1", "quince 1.1.*", "quince==1.1", "Quince <1.2", "quince=1.1=0"]
)
def test_specifications_are_read_as_people_write_them(
    world: World, env: Path, orchard: Path, written: str
) -> None:
    """The common ways to ask for a version all lead to it."""
    asked = spec(env.parents[2], [orchard.as_uri()], [written])
    assert [p.version for p in environment.solve(world, env, asked).packages] == ["1.1"]


# --- servers --------------------------------------------------------------------------------------------

CALM = Patience(silence=15)  # for servers that are asked again and again
HASTY = Patience(silence=2, slow_for=1)  # for those that are stuck

LYING: list[tuple[str, Sequence[Fault], str]] = [
    ("gone", [status(404)] * ALWAYS, r"apple-1\.5.*is not there, although the channel lists it"),
    ("cut off", [cut(100)] * ALWAYS, r"apple-1\.5.*ended before it was complete"),
    ("changed", [changed] * ALWAYS, r"apple-1\.5.*is not the file that the channel promises"),
    ("a login page", [page()] * ALWAYS, r"apple-1\.5.*is not what a conda channel has.*login page"),
    ("broken", [status(500)] * ALWAYS, r"apple-1\.5.*answered with an error"),
    ("forbidden", [status(403)] * ALWAYS, r"apple-1\.5.*is not for everybody"),
    ("stalled", [stall(100)] * ALWAYS, r"127\.0\.0\.1 sent (nothing|less than 2000 bytes a second)"),
    ("dripping", [drip(0.02)] * ALWAYS, r"127\.0\.0\.1 sent less than 2000 bytes a second"),
]


@pytest.mark.parametrize(("faults", "said"), [f[1:] for f in LYING], ids=[f[0] for f in LYING])
def test_a_package_that_does_not_come_as_it_should(
    world: World, env: Path, orchard: Path, web: WebServer, faults: Sequence[Fault], said: str
) -> None:
    """Each way to fail has its plain message, and leaves nothing half; once the server is well, it works."""
    world.patience = HASTY if "sent" in said else CALM
    asked = spec(env.parents[2], [serve(web, orchard, {"apple-1.5": faults})], ["pear"])
    with pytest.raises(NetworkTrouble) as caught:
        environment.create(world, env, asked)
    assert re.search(said, caught.value.problem), caught.value.problem
    assert "un again" in caught.value.fix or "--mirror" in caught.value.fix
    assert_nothing_half(world, env)

    serve(web, orchard)
    environment.create(world, env, asked)
    assert (env / "share/apple").read_bytes() == b"apple 1.5"


@pytest.mark.parametrize(
    "fault", [status(503), status(429, Retry_After="1"), cut(100)], ids=["503", "429", "cut"]
)
def test_a_server_that_hesitates_is_asked_again(
    world: World, env: Path, orchard: Path, web: WebServer, fault: Fault
) -> None:
    """One bad answer, for the listing or a package, is no failure."""
    world.patience = Patience(silence=8)
    faults = {"apple-1.5": [fault], "repodata.json": [fault]}
    environment.create(world, env, spec(env.parents[2], [serve(web, orchard, faults)], ["pear"]))
    assert (env / "share/apple").exists()


LISTINGS: list[tuple[str, Sequence[Fault], str]] = [
    ("gone", [status(404)] * ALWAYS, "There is no conda channel at"),
    ("a login page", [page()] * ALWAYS, "is not what a conda channel has.*login page"),
    ("broken", [status(502)] * ALWAYS, "answered with an error"),
    ("cut off", [cut(100)] * ALWAYS, "ended before it was complete"),
    ("stalled", [stall(10)] * ALWAYS, "sent (nothing|less than 2000 bytes a second)"),
    ("dripping", [drip(0.05)] * ALWAYS, "sent (nothing|less than 2000 bytes a second)"),
]


@pytest.mark.parametrize(("faults", "said"), [f[1:] for f in LISTINGS], ids=[f[0] for f in LISTINGS])
def test_a_listing_that_does_not_come_as_it_should(
    world: World, env: Path, orchard: Path, web: WebServer, faults: Sequence[Fault], said: str
) -> None:
    """A channel whose listing fails is named with what it did, and nothing is left."""
    world.patience = HASTY if "sent" in said else CALM
    url = serve(web, orchard, {"repodata.json": faults})
    with pytest.raises(NetworkTrouble) as caught:
        environment.create(world, env, spec(env.parents[2], [url], ["pear"]))
    assert re.search(said, caught.value.problem), caught.value.problem
    assert_nothing_half(world, env)


def unmodified(handler: Any, body: bytes) -> None:
    """«You have that already», to everybody."""
    handler.answer(304, b"")


def test_a_server_that_mixes_up_its_sharded_index(
    world: World, env: Path, orchard: Path, web: WebServer
) -> None:
    """Some answer «not modified» to who has nothing yet; the whole index does as well."""
    url = serve(web, orchard)
    for subdir in ("noarch", SUBDIR):
        web.serve(f"/orchard/{subdir}/repodata_shards.msgpack.zst", b"", *[unmodified] * ALWAYS)
    environment.create(world, env, spec(env.parents[2], [url], ["pear"]))
    assert (env / "share/apple").exists()


def test_nobody_at_the_address(world: World, env: Path) -> None:
    """A refused connection names the address."""
    world.patience = CALM
    with pytest.raises(NetworkTrouble, match=r"127\.0\.0\.1:9.* could not be reached"):
        environment.create(world, env, spec(env.parents[2], ["http://127.0.0.1:9/x"], ["pear"]))
    assert_nothing_half(world, env)


def test_a_channel_that_asks_for_a_login(world: World, env: Path, orchard: Path, web: WebServer) -> None:
    """Without one it says so; with the name and password in ~/.netrc it works."""

    def asks(handler: Any, body: bytes) -> None:
        login = handler.headers.get("Authorization")
        handler.good(body) if login else handler.answer(401, b"who is it?")

    asked = spec(env.parents[2], [serve(web, orchard, {"": [asks] * ALWAYS})], ["pear"])
    with pytest.raises(NetworkTrouble, match="is not for everybody"):
        environment.solve(world, env, asked)
    (world.home / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    assert len(environment.solve(world, env, asked).packages) == 2


def test_what_is_slow_but_moves_is_waited_for(world: World, env: Path, orchard: Path, web: WebServer) -> None:
    """The guard ends what is stuck, not what is slow."""
    world.patience = Patience(silence=2, slow_for=1, slowest=10)
    url = serve(web, orchard, {"apple-1.5": [drip(0.004)]})
    environment.create(world, env, spec(env.parents[2], [url], ["pear"]))
    assert (env / "share/apple").exists()


def test_a_place_that_cannot_be_written_is_said_so(world: World, env: Path, orchard: Path) -> None:
    """A file where a folder is needed: the path, and a way to look."""
    env.parent.parent.mkdir(parents=True, exist_ok=True)
    env.parent.write_text("in the way")
    with pytest.raises(MachineBlocks, match="could not be written"):
        environment.create(world, env, spec(env.parents[2], [orchard.as_uri()], ["pear"]))


def test_a_full_disk_is_said_so(world: World, tmp_path: Path) -> None:
    """No space left: a plain message with how to look, and nothing half."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        big = {f"lib/f{i}": os.urandom(200_000) for i in range(20)}
        url = channel(tmp_path / "big", [stub("big", files=big, noarch="generic")])
        world.home = small
        with pytest.raises(MachineBlocks, match="No space left") as caught:
            environment.create(world, small / "envs/big", spec(tmp_path, [url], ["big"]))
        assert "df -h" in caught.value.fix
        assert list((small / "envs").iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


# --- the package cache ----------------------------------------------------------------------------------


def test_an_edit_in_one_environment_does_not_reach_the_next(world: World, env: Path, orchard: Path) -> None:
    """Files are shared by hard links; one that was edited in place is noticed, and unpacked anew."""
    asked = spec(env.parents[2], [orchard.as_uri()], ["pear"])
    environment.create(world, env, asked)
    with (env / "share/apple").open("ab") as f:
        f.write(b" EDITED")
    other = env.with_name("other")
    environment.create(world, other, asked)
    assert (other / "share/apple").read_bytes() == b"apple 1.5"
    assert (env / "share/apple").read_bytes() == b"apple 1.5 EDITED", (
        "the user's edit stays where it was made"
    )


def test_environments_share_their_files(world: World, env: Path, orchard: Path) -> None:
    """A second environment costs no download and no copy."""
    asked = spec(env.parents[2], [orchard.as_uri()], ["pear"])
    environment.create(world, env, asked)
    assert all(p.cached for p in environment.solve(world, env, asked).packages)
    environment.create(world, env.with_name("other"), asked)
    one, two = env / "share/pear", env.with_name("other") / "share/pear"
    assert one.stat().st_ino == two.stat().st_ino


def test_what_killed_runs_left_in_the_cache_is_removed(world: World, env: Path, orchard: Path) -> None:
    """Unless somebody else is just at work in it."""
    pkgs = packages.folder(world, env)
    left = pkgs / ".apple-1.5-0-AbC1"
    left.mkdir(parents=True)
    with packages.in_use(pkgs):
        assert not left.exists()
        left.mkdir()
        with packages.in_use(pkgs):
            assert left.exists()


def test_on_another_file_system_the_cache_lies_beside(world: World, orchard: Path) -> None:
    """Hard links do not cross file systems, so neither does the cache; undo removes it."""
    shm = Path("/dev/shm")
    if not os.access(shm, os.W_OK) or shm.stat().st_dev == world.home.stat().st_dev:
        pytest.skip("there is no second file system to write to")
    place = shm / f"hpc-jupyter-setup-test-{os.getpid()}"
    try:
        env = place / "envs" / "fruits"
        environment.create(world, env, spec(world.home, [orchard.as_uri()], ["pear"]))
        assert packages.folder(world, env) == env.parent / packages.BESIDE
        assert (env / "share/pear").stat().st_nlink > 1
        environment.clear(world, env)
        assert not (env.parent / packages.BESIDE).exists()
        assert (env / "share/pear").exists()
    finally:
        import shutil

        shutil.rmtree(place, ignore_errors=True)


# --- progress and reading of messages -------------------------------------------------------------------


def test_progress_tells_bytes_and_packages(world: World, env: Path, orchard: Path, web: WebServer) -> None:
    """Downloads end at all their bytes, links at all their packages."""
    heard: list[Progress] = []
    asked = spec(env.parents[2], [serve(web, orchard)], ["pear", "quince"])
    total = sum(p.size for p in environment.solve(world, env, asked).packages)
    environment.create(world, env, asked, heard.append)
    last = {p.title: (p.done, p.total, p.unit) for p in heard}
    assert last["Download packages"] == (total, total, "B")
    assert last["Install packages"] == (3, 3, "packages")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("could not find subdir 'noarch' in channel 'http://h/x/'\nCaused by: (404 Not Found)", "channel"),
        ("failed to fetch a-1-0.conda\nCaused by: No space left on device (os error 28)", "disk"),
        ("failed to determine the currently installed packages\nCaused by: EOF while parsing", "disk"),
        ("x\nCaused by: Disk quota exceeded (os error 122)", "disk"),
        ("x\nCaused by: dns error\nCaused by: failed to lookup address information", "unreachable"),
        ("hash mismatch when extracting http://h/a-1-0.conda to /x: expected 99, got e5", "hash"),
        ("HTTP status server error (503 Service Unavailable) for url (http://h/a)", "server"),
        ("failed to decode zstd shard from 'http://h/a' (34 bytes received)", "garbled"),
        ("something new", "bug"),
    ],
)
def test_messages_of_transfers_are_told_apart(text: str, kind: str) -> None:
    """The kinds of failure that the user can do something about, each from its message."""
    assert of_transfer(text).kind == kind


def test_no_secret_gets_into_a_message() -> None:
    """A password or a token in an address is cut out."""
    failed = of_transfer("error sending request for url (https://me:pass@h.org/t/tok-1/chan/a.conda)")
    assert failed.url == "https://h.org/t/<TOKEN>/chan/a.conda"
    assert "pass" not in failed.message
    assert of_solve("x 1 would require __glibc >=2.99, for which no candidates were found").kind == "machine"
