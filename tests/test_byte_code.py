"""Byte code is compiled once, linked into every environment, never believed when old, and taken back."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from setup_wizard.conda import byte_code, contents, damage, environment, packages
from setup_wizard.conda.room import Room
from setup_wizard.conda.spec import EnvSpec
from setup_wizard.conda.summary import Memory
from setup_wizard.environments.leftovers import Asked, find, remove
from setup_wizard.journal import Journal
from setup_wizard.mirror.archive import PLACEHOLDER
from setup_wizard.mirror.packages import Package
from setup_wizard.mirror.python import SHORT, python_package
from setup_wizard.mirror.tiny import module, stub, tiny_packages
from setup_wizard.steps import CondaEnv
from setup_wizard.trees import picture
from setup_wizard.world import World, silent
from tests.channels import channel, spec
from tests.program import Account
from tests.real_conda import kept_conda

SITE = f"lib/python{SHORT}/site-packages"
TEMPLATE = "site-packages/odd/template.py"
SLOW = b"WORDS = {%s}\n" % b", ".join(b"'%d': (%d, 'word')" % (n, n) for n in range(20_000))


def odd() -> Package:
    """A package with a template that is no Python, a module that names the prefix, and tests."""
    files = {
        "site-packages/odd/__init__.py": b"",
        TEMPLATE: b"{{ no python }}\n",
        "site-packages/odd/placed.py": f"PLACE = '{PLACEHOLDER}'\n".encode(),
        "site-packages/odd/tests/test_it.py": b"",
        "site-packages/odd/contests.py": b"",
    }
    return stub("odd", depends=["python"], files=files, noarch="python")


def toy(version: str, *names: str) -> Package:
    """A package `toy` with these modules; each tells its version."""
    files = {f"site-packages/{name}": f"VERSION = '{version}'\n".encode() for name in names}
    return stub("toy", version, depends=["python"], files=files, noarch="python")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A channel with Python, and packages that are of interest to a compiler."""
    toys = [toy("1.0", "toy/__init__.py", "toy/old.py"), toy("2.0", "toy/__init__.py", "toy/new.py")]
    slow = [module(f"slow-{n}", "1.0", SLOW) for n in range(8)]
    leaf = stub("leaf", files={"share/leaf": b"green", "share/leaf.py": b""}, noarch="generic")
    made = [python_package(), leaf, *tiny_packages(), *toys, odd(), *slow]
    return channel(tmp_path_factory.mktemp("channels") / "sources", made)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> World:
    """An account whose package cache has the byte code of Python's own library already."""
    home = tmp_path_factory.mktemp("account") / "home"
    home.mkdir()
    return World(home, {"PATH": os.environ["PATH"], "HOME": str(home)})


Made = tuple[World, EnvSpec, Path]


@pytest.fixture
def made(account: World, url: str, request: pytest.FixtureRequest) -> Iterator[Made]:
    """An environment of the packages that the test names, compiled; gone at its end."""
    prefix = account.home / "envs" / request.node.name.partition("[")[0]
    asked = spec(account.home.parent, [url], ["python", *getattr(request, "param", ["tiny-tools"])])
    CondaEnv(prefix.name, prefix, asked).apply(account, silent)
    byte_code.make(account, prefix)
    yield account, asked, prefix
    shutil.rmtree(prefix)


def of(prefix: Path, source: str) -> Path:
    """The byte code of a module in site-packages."""
    folder, _, name = f"{prefix}/{SITE}/{source}".rpartition("/")
    return Path(f"{folder}/__pycache__/{name[:-3]}.cpython-{SHORT.replace('.', '')}.pyc")


def said(prefix: Path, code: str, *flags: str) -> str:
    """What Python says, and with -v why."""
    argv = [str(prefix / "bin/python"), "-I", "-B", *flags, "-c", code]
    ran = subprocess.run(argv, capture_output=True, text=True, check=True)
    return ran.stdout + ran.stderr


def dead(prefix: Path) -> list[str]:
    """Byte code whose source is not there."""
    found = []
    for path in prefix.rglob("*.pyc"):
        if not (path.parent.parent / f"{path.name.split('.')[0]}.py").exists():
            found.append(str(path.relative_to(prefix)))
    return found


def half(world: World) -> list[Path]:
    """What somebody has begun to compile, and not finished."""
    store = packages.folder(world, world.home / "envs") / byte_code.FOLDER
    return list(store.glob("*/.*"))


def wait_until_it_works(world: World) -> None:
    """Until a package is half compiled."""
    until = world.now() + 300  # it has the lowest priority: where others are at work, it waits for long
    while not half(world):
        world.sleep(0.01)
        assert world.now() < until, (world.state / byte_code.LOG).read_text()


# --- made and shared ------------------------------------------------------------------------------------


def test_a_second_environment_has_it_at_once(made: Made) -> None:
    """The same files, nothing to compile; Python takes it, and a traceback names the file that is there."""
    world, asked, first = made
    second = world.home / "envs/second"
    environment.create(world, second, asked, byte_code=True)
    assert of(first, "tiny_tools.py").samefile(of(second, "tiny_tools.py"))
    assert byte_code.link(second, packages.folder(world, second)) == []
    why = said(second, "import tiny_tools; print(tiny_tools.main.__code__.co_filename)", "-v")
    assert f"code object from '{of(second, 'tiny_tools.py')}'" in why
    assert f"{second}/{SITE}/tiny_tools.py\n" in why
    shutil.rmtree(second)


def test_python_itself_starts_from_it(made: Made) -> None:
    """Also what no package has compiled of Python's own library."""
    _, _, prefix = made
    why = said(prefix, "import argparse", "-v")
    assert f"code object from '{prefix}/lib/python{SHORT}/__pycache__/argparse" in why


@pytest.mark.parametrize("made", [["odd"]], indirect=True)
def test_what_is_left_out(made: Made) -> None:
    """A template, what differs from place to place, and tests; the rest of the package has byte code."""
    _, _, prefix = made
    assert of(prefix, "odd/__init__.py").exists()
    assert of(prefix, "odd/contests.py").exists()
    for source in ("odd/template.py", "odd/placed.py", "odd/tests/test_it.py"):
        assert (prefix / SITE / source).exists()
        assert not of(prefix, source).exists()


def test_who_edits_a_source_gets_what_it_says(made: Made) -> None:
    """Same size, same time, another word: the byte code is not believed."""
    _, _, prefix = made
    source = prefix / SITE / "tiny_core.py"
    before, text = source.stat(), source.read_bytes()
    source.unlink()
    source.write_bytes(text.replace(b"1.0", b"9.9"))
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert said(prefix, "import tiny_core; print(tiny_core.VERSION)").strip() == "9.9"


def test_another_file_system_gets_copies(made: Made) -> None:
    """Where no link can be, there is a copy of its own, whole."""
    _, _, prefix = made
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        if os.stat(elsewhere).st_dev == prefix.stat().st_dev:
            pytest.skip("there is no other file system here")
        here = of(prefix, "tiny_tools.py")
        before = here.read_bytes()
        [part] = [p for p in byte_code.parts(prefix, Path(elsewhere)) if p.folder.name.startswith("tiny-t")]
        part.folder.mkdir(parents=True)
        shutil.copy2(here, part.folder / part.files[0].kept)
        here.unlink()
        byte_code.link(prefix, Path(elsewhere))
        assert (here.read_bytes(), here.stat().st_nlink) == (before, 1)
        assert sorted(p.name for p in here.parent.glob("tiny_tools*")) == [here.name]


# --- changed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [["toy=1.0"]], indirect=True)
def test_an_update_leaves_nothing_of_before(made: Made, url: str) -> None:
    """A module that is gone is gone with its byte code; the new one's is linked as soon as it is there."""
    world, _, prefix = made
    assert of(prefix, "toy/old.py").exists()
    newer = spec(world.home.parent, [url], ["python", "toy=2.0"])
    CondaEnv(prefix.name, prefix, newer).apply(world, silent)
    assert dead(prefix) == []
    byte_code.make(world, prefix)
    assert of(prefix, "toy/new.py").exists()
    without = spec(world.home.parent, [url], ["python"])
    CondaEnv(prefix.name, prefix, without).apply(world, silent)
    assert not (prefix / SITE / "toy").exists()
    assert of(prefix, "../argparse.py").exists()


@pytest.mark.parametrize("made", [["tiny-tools", "odd"]], indirect=True)
def test_it_is_counted_without_looking_at_files(made: Made) -> None:
    """`env list` knows of it, from when it is made; where it is not linked, it does not count."""
    world, asked, prefix = made

    def rooms(prefix: Path) -> tuple[Room, Room]:
        """As it is reckoned, and measured."""
        return Memory(world).summary(prefix).room, Memory(world).summary(prefix, measure=True).room

    reckoned, measured = rooms(prefix)
    notes = 3  # conda-meta's own files, which no record lists
    assert reckoned.shared == measured.shared
    assert reckoned.files_shared == measured.files_shared > 300
    assert abs(reckoned.files_own - measured.files_own) <= notes
    bare = prefix.with_name("bare")
    CondaEnv("bare", bare, asked, byte_code=False).apply(world, silent)
    reckoned, measured = rooms(bare)
    assert (reckoned.shared, reckoned.files_shared) == (measured.shared, measured.files_shared)
    memory = Memory(world)
    before = memory.summary(bare).room
    memory.keep()
    byte_code.make(world, bare)
    after = Memory(world).summary(bare).room
    assert after.files_shared > before.files_shared
    assert after.shared == rooms(bare)[1].shared
    shutil.rmtree(bare)


@pytest.mark.real
def test_what_a_real_conda_leaves(tmp_path: Path, url: str) -> None:
    """It changes and removes packages of ours: env check names their byte code, --fix takes it out."""
    account = Account(tmp_path / "home")
    file = account.home / "toys.yml"
    file.write_text(f"name: toys\nchannels: [{url}]\ndependencies: [python, toy, tiny-tools]\n")
    assert account.run("env", "create", str(file), "--yes").returncode == 0
    prefix, conda = account.home / ".conda/envs/toys", kept_conda() / "bin/conda"
    byte_code.make(World(account.home, account.env), prefix)
    env = {**account.env, "CONDA_ADD_PIP_AS_PYTHON_DEPENDENCY": "false"}  # the channel has none
    there = ("-p", prefix, "--override-channels", "-c", url, "--yes", "--quiet")
    for words in (["install", "toy=1.0"], ["remove", "--force", "tiny-core"]):
        ended = subprocess.run([conda, *words, *there], env=env, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    stray = [str(of(prefix, name).relative_to(prefix)) for name in ("tiny_core.py", "toy/new.py")]
    assert sorted(dead(prefix)) == stray
    (one,) = account.facts("env", "check")["environments"]
    assert one["remarks"][0]["text"] == "tiny-core is gone"
    assert [sorted(r["paths"]) for r in one["remarks"] if r["level"] == "warn"] == [stray]
    said = account.run("env", "check", "--fix", "--yes")
    assert said.returncode == 0, said.stderr
    assert "remove byte code of what is gone (2 files)" in said.stdout
    assert dead(prefix) == []
    assert account.facts("env", "check")["environments"][0]["remarks"] == []
    assert "toy-1.0-0" in contents.stems(prefix), "what conda has changed stays"
    assert of(prefix, "tiny_tools.py").exists()


@pytest.mark.parametrize("made", [["toy=1.0"]], indirect=True)
def test_what_conda_left_is_swept(made: Made) -> None:
    """conda removes the files that its record names, and so leaves byte code: the next time it goes."""
    world, _, prefix = made
    for source in ("toy/__init__.py", "toy/old.py"):
        (prefix / SITE / source).unlink()
    next((prefix / "conda-meta").glob("toy-*.json")).unlink()
    byte_code.make(world, prefix)
    assert not (prefix / SITE / "toy").exists()
    assert dead(prefix) == []


@pytest.mark.parametrize("made", [["toy=1.0"]], indirect=True)
def test_what_no_environment_needs_can_be_cleaned(made: Made, url: str) -> None:
    """After an update the byte code of the version before is named as left over, and no other's."""
    world, _, prefix = made
    newer = spec(world.home.parent, [url], ["python", "toy=2.0"])
    CondaEnv(prefix.name, prefix, newer).apply(world, silent)
    found = [left for left in find(world, {}, Asked(caches=True)) if left.name.startswith("byte code")]
    assert [left.name for left in found if "toy" in left.name] == ["byte code of toy-1.0-0"]
    assert not [left for left in found if "python" in left.name]
    for left in found:
        remove(left, Journal(world))
    assert [stem for stem, _ in byte_code.kept(packages.folder(world, prefix)) if "toy-1" in stem] == []
    said(prefix, "import toy")


# --- in the background ----------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [[f"slow-{n}" for n in range(8)]], indirect=True)
@pytest.mark.parametrize("after", [1, 4])
def test_killed_it_goes_on(made: Made, after: int) -> None:
    """SIGKILL after some packages: what is there is whole, and the next run does the rest."""
    world, _, prefix = made
    shutil.rmtree(packages.folder(world, prefix) / byte_code.FOLDER)
    victim = multiprocessing.get_context("fork").Process(target=_until, args=(after, world, prefix))
    victim.start()
    victim.join()
    assert victim.exitcode == -signal.SIGKILL
    byte_code.make(world, prefix)
    assert byte_code.link(prefix, packages.folder(world, prefix)) == []
    assert half(world) == []
    said(prefix, "import slow_0, slow_7")


def _until(links: int, world: World, prefix: Path) -> None:
    linked, seen = byte_code._linked, 0

    def counted(place: Path, part: byte_code.Part) -> bool:
        nonlocal seen
        seen += part.folder.exists()
        if seen == links:
            os.kill(os.getpid(), signal.SIGKILL)
        return linked(place, part)

    byte_code._linked = counted
    byte_code.make(world, prefix)


def test_two_at_once_share_the_work(account: World, url: str) -> None:
    """Two environments on one cache: both are complete, and each package was compiled for both."""
    asked = spec(account.home.parent, [url], ["python", "slow-1", "slow-2"])
    both = [account.home / "envs" / name for name in ("left", "right")]
    for prefix in both:
        environment.create(account, prefix, asked)
    shutil.rmtree(packages.folder(account, both[0]) / byte_code.FOLDER, ignore_errors=True)
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=byte_code.make, args=(account, prefix)) for prefix in both]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert of(both[0], "slow_1.py").samefile(of(both[1], "slow_1.py"))
    assert [byte_code.link(prefix, packages.folder(account, prefix)) for prefix in both] == [[], []]


@pytest.mark.parametrize("made", [[f"slow-{n}" for n in range(8)]], indirect=True)
def test_a_change_ends_it(made: Made) -> None:
    """What compiles has the lowest priority, with all that it started; it is ended before packages change."""
    world, asked, prefix = made
    shutil.rmtree(packages.folder(world, prefix) / byte_code.FOLDER)
    byte_code.begin(world, prefix)
    wait_until_it_works(world)
    at_work = world.marked(f"{byte_code.MARK}={prefix}")
    assert len(at_work) >= 2, "ours, and the Python of the environment"
    assert {os.getpriority(os.PRIO_PROCESS, pid) for pid, _ in at_work} == {19}
    environment.create(world, prefix, asked, repair=True, byte_code=True)
    assert world.marked(f"{byte_code.MARK}={prefix}") == []
    assert (world.state / byte_code.LOG).read_text() == ""


class Hanging(World):
    """A stand-in: with a process that no signal ends, as one that waits for a dead disk."""

    heard: tuple[int, ...] = ()
    waited = 0.0

    def now(self) -> float:
        return self.waited

    def sleep(self, seconds: float) -> None:
        self.waited += seconds
        assert self.waited < 4 * byte_code.FAREWELL, "it would wait for ever"

    def marked(self, mark: str) -> list[tuple[int, str]]:
        return [(0, "long ago")]

    def signal(self, pid: int, born: str, number: int = signal.SIGTERM) -> bool:
        self.heard += (number,)
        return True


def test_what_cannot_be_ended_stops_nobody(world: World, tmp_path: Path) -> None:
    """Asked, killed, and then left to itself: the command goes on."""
    hanging = Hanging(world.home, world.env)
    byte_code.stop(hanging, tmp_path)
    assert (hanging.heard[0], hanging.heard[-1]) == (signal.SIGTERM, signal.SIGKILL)


def test_undo_in_the_midst_of_it(world: World, url: str) -> None:
    """Byte for byte as before; no process left that could write anything later."""
    before = picture(world.home)
    step = CondaEnv("slow", world.home / "envs/slow", spec(world.home.parent, [url], ["python", "slow-3"]))
    state = step.check(world)
    step.apply(world, silent)
    byte_code.begin(world, step.prefix)
    wait_until_it_works(world)
    assert step.undo(state.before, world) == []  # type: ignore[union-attr]
    assert world.marked(f"{byte_code.MARK}={step.prefix}") == []
    mine = (".local", ".cache")
    assert {p: w for p, w in picture(world.home).items() if not p.startswith(mine)} == before


def test_an_environment_without_python(account: World, url: str) -> None:
    """Nothing to compile is no trouble, nor is an environment that is not there."""
    prefix = account.home / "envs/none"
    environment.create(account, prefix, spec(account.home.parent, [url], ["leaf"]), byte_code=True)
    byte_code.make(account, prefix)
    byte_code.make(account, account.home / "envs/nowhere")
    byte_code.stop(account, prefix)


# --- as a user has it -----------------------------------------------------------------------------------


def test_who_says_no_has_none(tmp_path: Path, url: str) -> None:
    """Said once for an environment, it holds for later changes; the forecast knows."""
    account = Account(tmp_path / "home")
    words = ("env", "create", "-n", "bare", "-c", url, "python", "tiny-core")
    with_it = account.facts(*words, "--dry-run")["plan"][0]
    without = account.facts(*words, "--dry-run", "--no-byte-code")["plan"][0]
    assert with_it["byte_code"] > 0 == without["byte_code"]
    assert with_it["files"] - without["files"] == with_it["byte_code"]
    assert account.facts(*words, "--yes", "--no-byte-code")["ok"]
    assert account.facts("env", "install", "bare", "tiny-tools", "--yes")["ok"]
    world = World(account.home, account.env)
    prefix = account.home / ".conda/envs/bare"
    assert world.marked(f"{byte_code.MARK}={prefix}") == []
    assert list(prefix.rglob("*.pyc")) == []


def test_it_is_made_after_ready(tmp_path: Path, url: str) -> None:
    """The command ends at once; the work goes on behind it, and comes to its end."""
    account = Account(tmp_path / "home")
    words = ("env", "create", "-n", "quick", "-c", url, "python", "tiny-core")
    assert account.facts(*words, "--yes")["ok"]
    world, prefix = World(account.home, account.env), account.home / ".conda/envs/quick"
    while world.marked(f"{byte_code.MARK}={prefix}"):
        world.sleep(0.05)
    assert of(prefix, "tiny_core.py").stat().st_nlink == 2
    assert (world.state / byte_code.LOG).read_text() == ""
    assert damage.look(prefix).flaws == {}
