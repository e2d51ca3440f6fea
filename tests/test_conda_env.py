"""The environment as a step: made once, changed as a transaction, safe at any moment, undone to the byte."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from setup_wizard import files, trees
from setup_wizard.conda import contents, damage, environment, history, registry
from setup_wizard.conda.spec import EnvSpec
from setup_wizard.errors import Busy, CommandFailed, MachineBlocks, NetworkTrouble, SetupError
from setup_wizard.mirror.archive import PLACEHOLDER
from setup_wizard.mirror.packages import Package
from setup_wizard.mirror.python import python_package
from setup_wizard.mirror.tiny import stub, tiny_packages
from setup_wizard.step import Blocked, Done, Todo
from setup_wizard.steps.conda_env import CondaEnv
from setup_wizard.trees import picture
from setup_wizard.world import Progress, Report, World, silent
from tests.channels import channel, fruits, pip_package, spec

SHORT = b"#!/bin/sh\necho post-link of $PKG_NAME $PKG_VERSION in $PREFIX > $PREFIX/share/said\n"
FAILS = b"#!/bin/sh\necho no licence server >&2\nexit 3\n"


def basket() -> list[Package]:
    """More packages of several files each, one with a prefix in a file, two with link scripts."""
    plain = [
        stub(f"p{i}", files={f"lib/p{i}/f{j}": b"x" * 200 for j in range(30)}, noarch="generic")
        for i in range(8)
    ]
    knows = stub("knows", files={"bin/knows": f"#!/bin/sh\necho {PLACEHOLDER}\n".encode()}, noarch="generic")
    says = stub("says", files={"bin/.says-post-link.sh": SHORT, "share/says": b"1"}, noarch="generic")
    fails = stub("fails", files={"bin/.fails-post-link.sh": FAILS}, noarch="generic")
    return [*fruits(), *plain, knows, says, fails]


ALL = ("knows", *(f"p{i}" for i in range(8)))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A channel of stubs."""
    return channel(tmp_path_factory.mktemp("channels") / "basket", basket())


@pytest.fixture(scope="module")
def python_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A channel with the running Python and three tiny packages."""
    packages = [python_package(), *tiny_packages(), pip_package(tmp_path_factory.mktemp("pip"))]
    return channel(tmp_path_factory.mktemp("channels") / "tiny", packages)


@pytest.fixture
def step(world: World, url: str) -> Callable[..., CondaEnv]:
    """Makes the step of an environment with these dependencies, always at the same place."""

    def of(*dependencies: str, channels: Sequence[str] = (url,), **more: str) -> CondaEnv:
        asked = spec(world.home.parent, channels, dependencies, **more)
        return CondaEnv("work", world.home / "envs" / "work", asked)

    return of


def run(step: CondaEnv, world: World, report: Report = silent) -> Todo:
    """Check and apply, as the only loop over steps does; afterwards it has to be done."""
    state = step.check(world)
    assert isinstance(state, Todo), state
    step.apply(world, report)
    assert isinstance(step.check(world), Done)
    return state


Step = Callable[..., CondaEnv]


# --- made, and left alone -------------------------------------------------------------------------------


def test_a_fresh_environment(world: World, step: Step) -> None:
    """Files at their place, the final path in them, conda's list, and no trace of the building."""
    work = step("knows", "p1")
    state = run(work, world)
    assert "channel" in state.preview
    assert "p1" in state.preview
    said = subprocess.run([work.prefix / "bin/knows"], capture_output=True, text=True, check=True).stdout
    assert said == f"{work.prefix}\n"
    assert contents.stems(work.prefix) == ("knows-1.0-0", "p1-1.0-0")
    assert registry.listed(world) == [work.prefix]
    assert [p.name for p in work.prefix.parent.iterdir()] == ["work"]
    assert not list((work.prefix / "conda-meta").glob("*.building"))


def test_a_second_run_finds_it_and_starts_nothing(world: World, step: Step) -> None:
    """Nothing is solved, downloaded or written, and no program runs."""
    work = step("p1")
    run(work, world)
    before = picture(world.home)
    world.run = None  # type: ignore[method-assign, assignment]
    assert isinstance(work.check(world), Done)
    work.apply(world, silent)
    assert picture(world.home) == before


def test_what_it_will_take_is_told_before(world: World, step: Step) -> None:
    """The forecast lists each download with hash and size, and leaves the home as it was."""
    forecast = step("pear", "p1").forecast(world, silent)
    assert sorted(d.name for d in forecast.downloads) == [
        "apple-1.5-0.conda",
        "p1-1.0-0.conda",
        "pear-1.0-0.conda",
    ]
    assert all(d.size and len(d.sha256) == 64 for d in forecast.downloads)
    assert forecast.bytes_on_disk > sum(d.size for d in forecast.downloads)
    assert forecast.files > 3
    assert list(world.home.iterdir()) == []


def test_a_real_python_with_entry_points_and_variables(world: World, step: Step, python_url: str) -> None:
    """Python and commands run in the final prefix; variables are where conda reads them."""
    work = step("tiny-plots", channels=[python_url], variables="{ FRUIT: apple, CORES: 4 }")
    run(work, world)
    python = [str(work.prefix / "bin/python"), "-c", "import sys, tiny_plots; print(sys.prefix)"]
    assert subprocess.run(python, capture_output=True, text=True, check=True).stdout == f"{work.prefix}\n"
    tiny = subprocess.run([work.prefix / "bin/tiny"], capture_output=True, text=True, check=True)
    assert tiny.stdout == f"1.0 {work.prefix}\n"
    state = json.loads((work.prefix / "conda-meta/state").read_text())
    assert state == {"version": 1, "env_vars": {"FRUIT": "apple", "CORES": "4"}}


def test_link_scripts_see_the_final_place(world: World, step: Step) -> None:
    """They run once, where the environment will live; one that fails is a warning, not a failure."""
    work, heard = step("says", "fails"), list[Progress]()
    run(work, world, heard.append)
    assert (work.prefix / "share/said").read_text() == f"post-link of says 1.0 in {work.prefix}\n"
    warnings = [p.title for p in heard if p.unit == "!"]
    assert len(warnings) == 1
    assert "fails failed: no licence server" in warnings[0]


# --- changed --------------------------------------------------------------------------------------------


def test_a_changed_file_is_a_transaction(world: World, step: Step, url: str) -> None:
    """What was dropped goes, what is new comes, the user's own files stay; the history tells it."""
    run(step("pear", "p1"), world)
    work = step("plum", "p1")
    mine = work.prefix / "share/mine"
    mine.write_text("my notes")
    assert isinstance(work.check(world), Todo)
    run(work, world)
    assert contents.stems(work.prefix) == ("apple-2.5-0", "p1-1.0-0", "plum-1.0-0")
    assert (work.prefix / "share/apple").read_bytes() == b"apple 2.5!"
    assert not (work.prefix / "share/pear").exists()
    assert mine.read_text() == "my notes"

    text = (work.prefix / "conda-meta/history").read_text()
    assert text.count("==> ") == 2
    assert f"-{url}/noarch::apple-1.5-0\n" in text
    assert f"+{url}/noarch::apple-2.5-0\n" in text
    assert "# remove specs: ['pear']\n# update specs: ['plum', 'p1']\n" in text


def test_what_conda_added_stays(world: World, step: Step, url: str) -> None:
    """A package that the user installed into it with conda survives our next change."""
    run(step("p1"), world)
    work = step("p1", "p2")
    bought = environment_with(world, work.prefix.with_name("other"), url, "quince")
    for path in contents.own_paths(bought):
        if path.startswith(("share/", "conda-meta/quince")):
            target = work.prefix / path
            target.parent.mkdir(exist_ok=True)
            target.write_bytes((bought / path).read_bytes())
    run(work, world)
    assert "quince-1.2-0" in contents.stems(work.prefix)
    assert (work.prefix / "share/quince").exists()
    state = work.check(world)
    assert isinstance(state, Done)
    assert "added since" not in state.note or "quince" in state.note


def environment_with(world: World, prefix: Path, url: str, *dependencies: str) -> Path:
    environment.create(world, prefix, spec(world.home.parent / "more", [url], dependencies))
    return prefix


def test_a_package_that_is_gone_is_seen_and_brought_back(world: World, step: Step) -> None:
    """`check` notices it; applying again repairs."""
    work = step("p1", "p2")
    run(work, world)
    for path in work.prefix.glob("**/*p2*"):
        if path.is_file():
            path.unlink()
    (work.prefix / "lib/p2/f3").unlink(missing_ok=True)
    assert isinstance(work.check(world), Todo)
    run(work, world)
    assert (work.prefix / "lib/p2/f3").read_bytes() == b"x" * 200


def test_damaged_files_are_found_and_mended(world: World, step: Step) -> None:
    """A look through all files names the package; a repair installs it anew."""
    work = step("p1", "p2")
    run(work, world)
    (work.prefix / "lib/p1/f0").unlink()
    (work.prefix / "lib/p1/f1").unlink()
    (work.prefix / "lib/p1/f1").write_text("short")
    flaws = damage.look(work.prefix).flaws
    assert {name: [f.path for f in them] for name, them in flaws.items()} == {
        "p1": ["lib/p1/f0", "lib/p1/f1"]
    }
    environment.create(world, work.prefix, work.spec, repair=True)
    assert damage.look(work.prefix).flaws == {}


# --- places that are taken ------------------------------------------------------------------------------


def test_a_foreign_environment_stays(world: World, step: Step) -> None:
    """One that conda made is never changed."""
    work = step("p1")
    (work.prefix / "conda-meta").mkdir(parents=True)
    (work.prefix / "conda-meta/history").touch()
    before = picture(work.prefix)
    state = work.check(world)
    assert isinstance(state, Blocked)
    assert "was not made by this setup" in state.problem
    with pytest.raises(MachineBlocks):
        work.apply(world, silent)
    assert picture(work.prefix) == before


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_other_files_stay(world: World, step: Step, kind: str) -> None:
    """A folder with the user's files, or a file, is never built over."""
    work = step("p1")
    if kind == "folder":
        work.prefix.mkdir(parents=True)
        (work.prefix / "thesis.tex").write_text("x")
    else:
        work.prefix.parent.mkdir(parents=True)
        work.prefix.write_text("x")
    state = work.check(world)
    assert isinstance(state, Blocked)
    assert "holds other files" in state.problem
    with pytest.raises(MachineBlocks):
        work.apply(world, silent)


def test_an_empty_folder_is_a_place(world: World, step: Step) -> None:
    """Somebody made it beforehand; it is used."""
    work = step("p1")
    work.prefix.mkdir(parents=True)
    run(work, world)


def test_a_folder_in_the_way_of_the_building_stays(world: World, step: Step) -> None:
    """What lies beside the place under our working name, and is not ours, is not removed."""
    work = step("p1")
    theirs = work.prefix.with_name(".work.building")
    theirs.mkdir(parents=True)
    (theirs / "x").touch()
    with pytest.raises(MachineBlocks, match="is in the way"):
        work.apply(world, silent)
    assert (theirs / "x").exists()


def test_a_prefix_that_programs_could_not_live_with(world: World, url: str) -> None:
    """A space, or more than a `#!` line holds, is blocked before anything is downloaded."""
    asked = spec(world.home.parent, [url], ["p1"])
    for name in ("with space", "x" * 120):
        state = CondaEnv("x", world.home / name, asked).check(world)
        assert isinstance(state, Blocked)
        assert state.fix


# --- taken back -----------------------------------------------------------------------------------------


def test_undo_leaves_the_home_as_it_was(world: World, step: Step) -> None:
    """Everything of the environment goes, conda's list and the folders around included."""
    (world.home / "notes").write_text("mine")
    before = picture(world.home)
    work = step("knows", "says")
    state = run(work, world)
    assert work.undo(state.before, world) == []
    assert without_ours(world) == before
    assert work.undo(state.before, world) == [], "twice is as good as once"


def test_undo_after_a_change(world: World, step: Step) -> None:
    """What the first `before` said is enough, also for what came later."""
    before = picture(world.home)
    first = run(step("pear"), world)
    work = step("plum", "knows")
    run(work, world)
    assert work.undo(first.before, world) == []
    assert without_ours(world) == before


def test_undo_keeps_and_names_what_the_user_made(world: World, step: Step) -> None:
    """New files and files that were changed stay; byte code does not count."""
    work = step("knows", "p1")
    state = run(work, world)
    (work.prefix / "data").mkdir()
    (work.prefix / "data/mine.csv").write_text("1,2")
    (work.prefix / "lib/p1/__pycache__").mkdir()
    (work.prefix / "lib/p1/__pycache__/x.cpython-311.pyc").write_bytes(b"")
    changed = work.prefix / "bin/knows"
    changed.write_text("#!/bin/sh\necho mine\n")
    assert sorted(work.undo(state.before, world)) == [changed, work.prefix / "data/mine.csv"]
    assert sorted(p for p in work.prefix.rglob("*") if p.is_file()) == [
        changed,
        work.prefix / "data/mine.csv",
    ]


def test_conda_s_own_list_keeps_what_was_in_it(world: World, step: Step) -> None:
    """A list that was there before is given back to the byte."""
    listed = registry.path(world)
    listed.parent.mkdir()
    listed.write_bytes(b"/opt/other")
    work = step("p1")
    state = run(work, world)
    work.undo(state.before, world)
    assert listed.read_bytes() == b"/opt/other"


def without_ours(world: World) -> dict[str, tuple[str, str]]:
    """The home without our state and cache, which go when everything was undone."""
    return {
        path: what for path, what in picture(world.home).items() if not path.startswith((".local", ".cache"))
    }


# --- crashes --------------------------------------------------------------------------------------------


def _until(moment: int, step: CondaEnv, world: World) -> None:
    """In a process of its own: apply, and die at that moment of progress as nothing else would kill us."""
    heard = 0

    def report(_: Progress) -> None:
        nonlocal heard
        heard += 1
        if heard == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    step.apply(world, report)


@pytest.mark.parametrize("moment", [1, 2, 3, 5, 7, 9, 11])
def test_killed_at_any_moment_it_goes_on(world: World, step: Step, moment: int) -> None:
    """SIGKILL of the whole run: nothing looks whole, the next run completes it, and undo leaves nothing."""
    before = picture(world.home)
    work = step(*ALL, "says")
    state = work.check(world)
    assert isinstance(state, Todo)
    victim = multiprocessing.get_context("fork").Process(target=_until, args=(moment, work, world))
    victim.start()
    victim.join()
    assert victim.exitcode == -signal.SIGKILL
    assert isinstance(work.check(world), Todo)
    run(work, world)
    assert damage.look(work.prefix).flaws == {}
    assert len(contents.stems(work.prefix)) == len(ALL) + 1
    assert [p.name for p in work.prefix.parent.iterdir()] == ["work"]
    assert work.undo(state.before, world) == []
    assert without_ours(world) == before


@pytest.mark.parametrize("moment", [1, 2, 4, 8])
def test_killed_at_any_moment_it_can_be_undone(world: World, step: Step, moment: int) -> None:
    """SIGKILL, then undo without a second run: the home is as before."""
    before = picture(world.home)
    work = step(*ALL)
    state = work.check(world)
    assert isinstance(state, Todo)
    victim = multiprocessing.get_context("fork").Process(target=_until, args=(moment, work, world))
    victim.start()
    victim.join()
    assert work.undo(state.before, world) == []
    assert without_ours(world) == before


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_killed_while_it_is_changed(world: World, step: Step, moment: int) -> None:
    """An environment in the middle of a transaction does not look whole; the next run completes it."""
    first = run(step("pear", "p1", "p2"), world)
    mine = world.home / "envs/work/mine"
    mine.write_text("x")
    work = step("plum", "p3", "p4")
    victim = multiprocessing.get_context("fork").Process(target=_until, args=(moment, work, world))
    victim.start()
    victim.join()
    assert victim.exitcode == -signal.SIGKILL
    assert isinstance(work.check(world), Todo)
    run(work, world)
    assert contents.stems(work.prefix) == ("apple-2.5-0", "p3-1.0-0", "p4-1.0-0", "plum-1.0-0")
    assert not (work.prefix / "lib/p1").exists() or not list((work.prefix / "lib/p1").iterdir())
    assert work.undo(first.before, world) == [mine]


def test_the_engine_alone_is_killed(world: World, step: Step) -> None:
    """Somebody's memory limit, perhaps: a plain message, nothing half, and the next run works."""
    work = step(*ALL)

    def murder(_: Progress) -> None:
        children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)

    with pytest.raises(CommandFailed, match="ended early"):
        work.apply(world, murder)
    assert not work.prefix.exists()
    assert not list(work.prefix.parent.glob("*"))
    run(work, world)


def test_torn_records_are_made_again(world: World, step: Step) -> None:
    """A record that a crash left half written does not block the next run."""
    run(step("p1", "p2"), world)
    work = step("p1", "p2", "p3")
    torn = work.prefix / "conda-meta/p1-1.0-0.json"
    torn.write_bytes(torn.read_bytes()[:50])
    run(work, world)
    assert json.loads(torn.read_text())["name"] == "p1"


def test_two_at_once(world: World, step: Step) -> None:
    """One makes it, the other is told so and may come back; nothing is harmed."""
    work = step(*ALL)
    heard: list[SetupError] = []

    def meanwhile(_: Progress) -> None:
        if not heard:
            with pytest.raises(Busy) as caught:
                environment.create(world, work.prefix, work.spec)
            heard.append(caught.value)

    run(work, world, meanwhile)
    assert "just making" in heard[0].problem
    environment.create(world, work.prefix, work.spec)


# --- pip ------------------------------------------------------------------------------------------------


def test_a_pip_section(world: World, python_url: str, tmp_path: Path) -> None:
    """Installed by the environment's own Python from beside the file; left alone while it is the same."""
    wheel(tmp_path / "wheels", "hatstand", "1.0")
    heard: list[Progress] = []
    work = CondaEnv("work", world.home / "envs/work", pip_spec(tmp_path, python_url, "hatstand"))
    before = picture(world.home)
    state = run(work, world, heard.append)
    python = work.prefix / "bin/python"
    said = subprocess.run([python, "-c", "import hatstand"], capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    assert any("with pip" in p.title for p in heard)

    heard.clear()
    more = CondaEnv("work", work.prefix, pip_spec(tmp_path, python_url, "hatstand", "tiny-core"))
    run(more, world, heard.append)
    assert not any("with pip" in p.title for p in heard), "the list is the same"
    assert work.undo(state.before, world) == []
    assert without_ours(world) == before


def test_a_pip_section_that_fails(world: World, python_url: str, tmp_path: Path) -> None:
    """pip's last words, and what to do; the environment does not count as whole."""
    (tmp_path / "wheels").mkdir()
    work = CondaEnv("work", world.home / "envs/work", pip_spec(tmp_path, python_url, "no-such-thing"))
    with pytest.raises(CommandFailed, match="no-such-thing") as caught:
        work.apply(world, silent)
    assert "pip:" in caught.value.problem
    assert isinstance(work.check(world), Todo)


def test_what_pip_says_has_no_secret_in_it(world: World, python_url: str, tmp_path: Path) -> None:
    """pip puts variables into addresses, and repeats these; their values are shown as the variables."""
    world.env.update(TOKEN="hush-hush", PIP_RETRIES="0", PIP_TIMEOUT="2")
    listed = ["--no-index", "http://127.0.0.1:9/d/${TOKEN}/thing-1.0-py3-none-any.whl"]
    asked = spec(tmp_path, [python_url], ["python", f"pip: {json.dumps(listed)}"])
    with pytest.raises(CommandFailed) as caught:
        CondaEnv("work", world.home / "envs/work", asked).apply(world, silent)
    assert "hush" not in caught.value.problem
    assert "${TOKEN}" in caught.value.problem


def pip_spec(folder: Path, url: str, package: str, *more: str) -> EnvSpec:
    listed = ["--no-index", "--find-links ./wheels", package]
    return spec(folder, [url], ["python", *more, f"pip: {json.dumps(listed)}"])


def wheel(folder: Path, name: str, version: str) -> None:
    """A wheel of one module."""
    import zipfile

    folder.mkdir()
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as z:
        z.writestr(f"{name}.py", "")
        z.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        z.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr(f"{info}/RECORD", "")


# --- history --------------------------------------------------------------------------------------------


def test_history_goes_on_from_what_conda_wrote(tmp_path: Path) -> None:
    """Entries of conda are read, and only what differs is added; the second time nothing."""
    meta = tmp_path / "conda-meta"
    meta.mkdir()
    (meta / "history").write_text(
        "==> 2024-01-01 10:00:00 <==\n# cmd: conda create\n+conda-forge/noarch::old-1-0\n"
        "+conda-forge/noarch::kept-1-0\n# update specs: ['old', 'kept=1']\n"
    )
    for name in ("kept", "new"):
        record = {"name": name, "version": "1", "build": "0", "subdir": "noarch"}
        files.write_text(
            meta / f"{name}-1-0.json",
            json.dumps({**record, "channel": "https://conda.anaconda.org/conda-forge/"}),
        )
    history.update(tmp_path, ["kept=1", "new"], now=0)
    text = (meta / "history").read_text()
    assert "-conda-forge/noarch::old-1-0\n+conda-forge/noarch::new-1-0\n# remove specs: ['old']" in text
    assert text.count("kept-1-0") == 1
    history.update(tmp_path, ["kept=1", "new"], now=0)
    assert (meta / "history").read_text() == text
    assert trees.walk(tmp_path)


# --- what was shown is what is made -----------------------------------------------------------------------


def test_just_what_was_shown_is_installed(world: World, step: Step, tmp_path: Path) -> None:
    """A newer version that comes between the plan and the work is not taken."""
    place = tmp_path / "moving"
    address = channel(place, [stub("pear", "1.0")])
    shown = step("pear", channels=(address,)).forecast(world, silent).settled
    channel(place, [stub("pear", "1.0"), stub("pear", "2.0")])
    run(shown, world)
    assert [r.version for r in contents.records(shown.prefix)] == ["1.0"]


def test_a_package_that_went_since_it_was_shown_is_told(world: World, step: Step, tmp_path: Path) -> None:
    """What is no longer there is not replaced in silence: nothing is made, and the fix shows a new plan."""
    place = tmp_path / "moving"
    address = channel(place, [stub("pear", "1.0")])
    shown = step("pear", channels=(address,)).forecast(world, silent).settled
    for file in place.rglob("pear-1.0*"):
        file.unlink()
    channel(place, [stub("pear", "2.0")])
    with pytest.raises(NetworkTrouble, match="has changed since the plan was shown") as caught:
        run(shown, world)
    assert "Run again" in caught.value.fix
    assert not shown.prefix.exists()
