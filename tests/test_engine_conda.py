"""`--engine conda`: a real conda does the work, with our plan before it and our undo after it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from setup_wizard.conda import contents, damage, environment, program, said
from setup_wizard.conda.spec import EnvSpec
from setup_wizard.conda.trouble import error_of
from setup_wizard.errors import BadInput, MachineBlocks, SetupError
from setup_wizard.mirror.packages import Package
from setup_wizard.mirror.tiny import stub
from setup_wizard.trees import picture
from setup_wizard.world import Progress, World
from tests.channels import channel
from tests.program import ROOT, Account
from tests.real_conda import kept_conda
from tests.test_env_change import YAML, garden

real = pytest.mark.real
NAMES = sorted(f"t{i}" for i in range(24))


def trunk(version: str) -> list[Package]:
    """Packages of sixty files each, so that there is time to be killed."""
    files = {n: {f"lib/{n}/f{j}": f"{version} {j}".encode() for j in range(60)} for n in NAMES}
    return [stub(n, version, files=files[n], noarch="generic") for n in NAMES]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A channel of fruits, jam and sugar, and of packages with many files."""
    place = tmp_path_factory.mktemp("channels") / "garden"
    channel(place, [*garden(), *trunk("1.0"), *trunk("2.0")])
    return place


@pytest.fixture
def account(tmp_path: Path) -> Account:
    """An account with a real conda in PATH."""
    made = Account(tmp_path / "home")
    made.env["PATH"] = f"{kept_conda()}/bin:{made.env['PATH']}"
    return made


@pytest.fixture
def yml(account: Account, folder: Path) -> Path:
    """A file of the user's own."""
    path = account.home / "basket.yml"
    path.write_text(YAML.format(url=folder.as_uri()))
    return path


def packages(account: Account) -> list[str]:
    """What is installed: "pear-1.0"."""
    return [stem.rpartition("-")[0] for stem in contents.stems(account.home / ".conda/envs/basket")]


def without_conda_s_own(account: Account) -> dict[str, tuple[str, str]]:
    """The home, but for conda's package cache and notices."""
    seen = picture(account.home)
    return {p: what for p, what in seen.items() if not p.startswith((".conda", ".cache"))}


# --- with a real conda ------------------------------------------------------------------------------------


@real
def test_made_changed_and_taken_back(account: Account, yml: Path) -> None:
    """Create, install, update, remove: the plan before, the file kept in step, the history in order; undo."""
    before, text = without_conda_s_own(account), yml.read_text()
    plan = account.facts("env", "create", str(yml), "--engine", "conda", "--dry-run")["plan"]
    assert {d["name"] for d in plan[0]["downloads"]} == {
        "apple-1.5-0.conda",
        "pear-1.0-0.conda",
        "quince-1.1-0.conda",
    }
    assert plan[0]["bytes_on_disk"] > 0
    assert not (account.home / ".conda/envs/basket").exists()

    made = account.run("env", "create", str(yml), "--engine", "conda", "--yes")
    assert made.returncode == 0, made.stderr
    assert f"with {kept_conda()}/bin/conda" in made.stdout
    assert packages(account) == ["apple-1.5", "pear-1.0", "quince-1.1"]
    again = account.facts("env", "create", str(yml), "--engine", "conda", "--yes")
    assert again["changed"] == [], "it is so already"

    said = account.facts("env", "install", "basket", "jam=1.0", "--engine", "conda", "--yes")
    assert said["difference"]["added"] == ["jam 1.0", "sugar 2.0"]
    assert "  - jam=1.0\n" in yml.read_text()
    yml.write_text(yml.read_text().replace("quince=1.1", "quince").replace("jam=1.0", "jam"))
    assert account.run("env", "create", str(yml), "--engine", "conda", "--yes").returncode == 0
    said = account.facts("env", "update", "basket", "quince", "--engine", "conda", "--yes")
    assert [c["name"] for c in said["difference"]["changed"]] in (["quince"], [])
    account.facts("env", "update", "basket", "--engine", "conda", "--yes")
    assert {"jam-2.0", "quince-1.2"} <= set(packages(account))
    said = account.facts("env", "remove-package", "basket", "jam", "--engine", "conda", "--yes")
    assert said["difference"]["removed"] == ["jam 2.0", "sugar 2.0"]

    listed = subprocess.run(
        [kept_conda() / "bin/conda", "env", "export", "--from-history", "-n", "basket"],
        env=account.env,
        text=True,
        capture_output=True,
    ).stdout
    assert (
        "dependencies:\n  - pear\n  - quince\n" in listed or "dependencies:\n  - quince\n  - pear\n" in listed
    )
    assert account.run("env", "install", "basket", "left", "--yes").returncode == 0, "our own engine goes on"
    assert account.run("undo", "--yes").returncode == 0
    yml.write_text(text)
    assert without_conda_s_own(account) == before
    assert not (account.home / ".conda/envs").exists()


@real
def test_what_is_not_conda_s_makes_way(account: Account, yml: Path) -> None:
    """What the user has where a package brings its own, and pip in the place of one: kept, and told."""
    prefix = account.home / ".conda/envs/basket"
    assert account.run("env", "create", str(yml), "--engine", "conda", "--yes").returncode == 0
    (prefix / "share/jam").write_text("mine")
    info = prefix / "lib/python3.12/site-packages/quince-9.dist-info"
    info.mkdir(parents=True)
    (info / "RECORD").write_text("../../../share/quince,,\nquince-9.dist-info/RECORD,,\n")
    words = ("env", "install", "basket", "jam=1.0", "quince=1.2", "--engine", "conda", "--yes")
    said = account.facts(*words)
    assert said["warnings"] == [
        "quince 9, which pip had installed, has made way for quince of conda.",
        "share/jam was yours, and jam brings its own: yours is now share/jam.yours.",
    ]
    assert {p.name: p.read_text() for p in (prefix / "share").glob("*[mec]*")} == {
        "jam": "1.0",
        "jam.yours": "mine",
        "quince": "quince 1.2",
        "apple": "apple 1.5",
        "pear": "pear",
    }
    assert not info.exists()


@real
def test_update_stays_within_what_the_file_allows(account: Account, yml: Path) -> None:
    """Conda's own «update» would go past quince=1.1, and leave out the pins of a new environment."""
    yml.write_text(yml.read_text() + "  - jam\n")
    assert account.run("env", "create", str(yml), "--engine", "conda", "--yes").returncode == 0
    (account.home / ".conda/envs/basket/conda-meta/pinned").write_text("sugar <2\n")
    for words in (("update", "basket", "quince"), ("update", "basket")):
        assert account.run("env", *words, "--engine", "conda", "--yes").returncode == 0
        assert "quince-1.1" in packages(account)
    assert "sugar-1.0" in packages(account)


@real
@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("jum",), 5, "there is no package «jum»"),
        (("jam=7",), 5, "«jam=7» is not in"),
        (("plum",), 5, "cannot be had together"),
        (("melon",), 5, "CONDA_OVERRIDE_CUDA=12"),
    ],
)
def test_what_conda_cannot_do_changes_nothing(
    account: Account, yml: Path, words: tuple[str, ...], code: int, text: str
) -> None:
    """Conda's errors in our words, with our exit codes; environment and file stay as they are."""
    assert account.run("env", "create", str(yml), "--engine", "conda", "--yes").returncode == 0
    before = (packages(account), yml.read_text())
    ended = account.run("env", "install", "basket", *words, "--engine", "conda", "--yes")
    assert (ended.returncode, text in ended.stderr) == (code, True), ended.stderr
    assert (packages(account), yml.read_text()) == before


@real
@pytest.mark.parametrize(
    ("address", "said"),
    [("file:///nowhere/at/all", "no conda channel"), ("http://127.0.0.1:9/x", "could not be reached")],
)
def test_a_channel_that_is_not_there(account: Account, yml: Path, address: str, said: str) -> None:
    """As with our own engine: what is wrong, and exit code 4."""
    yml.write_text(f"name: basket\nchannels: [{address}]\ndependencies: [pear]\n")
    account.env["CONDA_REMOTE_MAX_RETRIES"] = "0"
    ended = account.run("env", "create", str(yml), "--engine", "conda", "--yes")
    assert (ended.returncode, said in ended.stderr) == (4, True), ended.stderr


@real
def test_condarc_counts_and_packages_are_our_progress(tmp_path: Path, account: Account, folder: Path) -> None:
    """The user's package cache is the one that their condarc names; each package moves the bar."""
    (account.home / ".condarc").write_text(f"pkgs_dirs: [{tmp_path}/mine]\n")
    seen: list[Progress] = []
    wanted = EnvSpec("trunk", (folder.as_uri(),), tuple(NAMES))
    world = World(account.home, account.env)
    engine = kept_conda() / "bin/conda"
    environment.create(world, account.home / "trunk", wanted, seen.append, engine=engine)
    assert "conda works" in {p.title for p in seen}
    assert {p.total for p in seen if p.title == "Install packages"} == {24}
    assert list((tmp_path / "mine").glob("t0-2.0-0"))


@real
def test_a_package_cache_on_another_file_system_is_in_the_plan(account: Account, yml: Path) -> None:
    """What conda keeps there is told for that file system, and the copies for that of the environment."""
    words = ("env", "create", str(yml), "--engine", "conda", "--dry-run")
    near = account.facts(*words)["plan"][0]
    assert near["kept"] == []
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        if os.stat(elsewhere).st_dev == account.home.stat().st_dev:
            pytest.skip("there is no other file system here")
        account.env["CONDA_PKGS_DIRS"] = f"{elsewhere}/pkgs"
        far = account.facts(*words)["plan"][0]
        (kept,) = far["kept"]
        assert kept["where"] == f"{elsewhere}/pkgs"
        assert kept["bytes"] > far["bytes_on_disk"] == near["bytes_on_disk"]
        plan = account.run(*words).stdout
        assert [line.split()[0] for line in plan.splitlines() if line.endswith(")")][-2:] == [
            "~/.conda/envs/basket",
            f"{elsewhere}/pkgs",
        ]


@real
def test_a_real_python_made_by_conda(account: Account, tiny_mirror: str) -> None:
    """A Python that runs, byte-compiled as conda does it; undo leaves nothing of it."""
    account.env["CONDA_ADD_PIP_AS_PYTHON_DEPENDENCY"] = "false"  # the tiny mirror has none
    words = ("env", "create", str(account.tiny), "--mirror", tiny_mirror, "--yes")
    made = account.run(*words, "--engine", "conda")
    assert made.returncode == 0, made.stderr
    prefix = account.home / ".conda/envs/tiny"
    done = subprocess.run([prefix / "bin/python", "-c", "print(6 * 7)"], text=True, capture_output=True)
    assert done.stdout == "42\n"
    assert damage.look(prefix).flaws == {}, "conda's records name files as they are in the archive"
    assert account.facts(*words)["changed"] == []
    assert account.run(*words, "-n", "twin").returncode == 0, "one of ours beside it, linked or installed"
    assert damage.look(account.home / ".conda/envs/twin").flaws == {}
    undone = account.run("undo", "--yes")
    assert not prefix.exists(), undone.stdout


# --- killed -----------------------------------------------------------------------------------------------


def killed(account: Account, fuse: str, *words: str) -> None:
    """Run it with a conda that is killed at that action, together with us."""
    folder = account.home.parent / "fuse"
    if not folder.exists():
        folder.mkdir()
        text = (ROOT / "tests/fuse_conda.py").read_text()
        (folder / "conda").write_text(f"#!{kept_conda()}/bin/python\n{text}")
        (folder / "conda").chmod(0o755)
    victim = subprocess.run(
        [sys.executable, "-m", "setup_wizard", "env", *words, "--engine", "conda", "--yes"],
        cwd=ROOT,
        env={**account.env, "PATH": f"{folder}:{account.env['PATH']}", "FUSE_CONDA": fuse},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    assert victim.returncode == -signal.SIGKILL, victim.stdout + victim.stderr


def whole(prefix: Path, version: str) -> bool:
    """Every package is there in that version, and every file is right."""
    stems = {f"{n}-{version}-0" for n in NAMES}
    files = [prefix / f"lib/{n}/f{j}" for n in NAMES for j in (0, 59)]
    texts = {path.read_text() if path.exists() else "" for path in files}
    right = texts == {f"{version} 0", f"{version} 59"} and damage.look(prefix).flaws == {}
    return right and set(contents.stems(prefix)) == stems and contents.whole(prefix) is not None


@real
@pytest.mark.parametrize(
    ("making", "changing"),
    [
        ("LinkPathAction 500", "UnlinkPathAction 700"),
        ("CreatePrefixRecordAction 16", "LinkPathAction 900"),
        ("UpdateHistoryAction 1", "CreatePrefixRecordAction 1"),
    ],
)
def test_killed_while_conda_works_then_again(
    account: Account, folder: Path, making: str, changing: str
) -> None:
    """SIGKILL among the files and the records: the same again makes it whole."""
    yml, prefix = account.home / "trunk.yml", account.home / "envs/trunk"
    words = ("create", str(yml), "-p", str(prefix))
    for version, fuse in (("1.0", making), ("2.0", changing)):
        yml.write_text(
            f"channels: [{folder.as_uri()}]\ndependencies:\n" + "".join(f"- {n}={version}\n" for n in NAMES)
        )
        killed(account, fuse, *words)
        assert not whole(prefix, version)
        again = account.run("env", *words, "--engine", "conda", "--yes")
        assert again.returncode == 0, again.stderr
        assert whole(prefix, version)
    assert account.run("undo", "--yes").returncode == 0
    assert not prefix.exists()


@real
def test_a_record_that_a_killed_conda_has_torn(account: Account, yml: Path) -> None:
    """Conda itself would stop at it; the package is made again."""
    prefix = account.home / ".conda/envs/basket"
    words = ("env", "create", str(yml), "--engine", "conda", "--yes")
    assert account.run(*words).returncode == 0
    contents.say_unfinished(prefix)
    record = prefix / "conda-meta/pear-1.0-0.json"
    record.write_bytes(record.read_bytes()[:100])
    yml.write_text(yml.read_text().replace("quince=1.1", "quince=1.2"))
    again = account.run(*words)
    assert again.returncode == 0, again.stderr
    assert packages(account) == ["apple-1.5", "pear-1.0", "quince-1.2"]
    assert damage.look(prefix).flaws == {}


@real
def test_killed_while_conda_works_then_undone(account: Account, folder: Path) -> None:
    """What conda has made until then is ours to remove."""
    yml, prefix = account.home / "trunk.yml", account.home / "envs/trunk"
    yml.write_text(f"channels: [{folder.as_uri()}]\ndependencies: [{', '.join(NAMES)}]\n")
    killed(account, "LinkPathAction 100", "create", str(yml), "-p", str(prefix))
    assert account.run("undo", "--yes").returncode == 0
    assert not prefix.parent.exists()


# --- which program ----------------------------------------------------------------------------------------


def pretend(path: Path) -> Path:
    """A program that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def pretend_distribution(prefix: Path) -> Path:
    """What our search takes for a whole conda; its program."""
    for name in ("etc/profile.d/conda.sh", "conda-meta/history", "condabin/conda"):
        pretend(prefix / name)
    return pretend(prefix / "bin/conda")


def test_the_program_that_the_shell_would_take_comes_first(world: World) -> None:
    """PATH, then what conda's own shell function names, then those that are found, then ours."""
    env = {k: v for k, v in world.env.items() if not k.startswith(("CONDA", "MAMBA"))}
    bare = World(world.home, {**env, "PATH": str(world.home / "bin")}, root=world.home)
    ours = pretend_distribution(world.home / "ours")
    assert program.find(bare, "conda", world.home / "ours") == ours
    usual = pretend_distribution(world.home / "miniforge3")
    assert program.find(bare, "conda", world.home / "ours") == usual
    named = pretend_distribution(world.home / "module")
    by_shell = World(world.home, {**bare.env, "CONDA_EXE": str(named)}, root=world.home)
    assert program.find(by_shell, "conda") == named
    first = pretend(world.home / "bin/conda")
    assert program.find(by_shell, "conda") == first


def test_micromamba_is_a_mamba(world: World) -> None:
    """A mamba beside a conda comes before a micromamba in its usual place."""
    bare = World(world.home, {**world.env, "PATH": str(world.home / "bin")}, root=world.home)
    micro = pretend(world.home / ".local/bin/micromamba")
    assert program.find(bare, "mamba") == micro
    pretend_distribution(world.home / "miniforge3")
    mamba = pretend(world.home / "miniforge3/bin/mamba")
    assert program.find(bare, "mamba") == mamba


def test_no_program_and_no_such_engine(world: World) -> None:
    """Both say how to go on."""
    bare = World(world.home, {**world.env, "PATH": "/nowhere"}, root=world.home)
    with pytest.raises(MachineBlocks, match="no mamba on this account") as missing:
        program.find(bare, "mamba")
    assert "Leave out --engine" in missing.value.fix
    with pytest.raises(BadInput, match="no such engine"):
        program.find(bare, "pip")


# --- what is said -----------------------------------------------------------------------------------------

SPEC = EnvSpec("basket", ("conda-forge",), ("jam=7", "jum", "pear"))


def spoken(answer: dict[str, object], text: str = "", *, offline: bool = False) -> SetupError:
    """Our error for what a program said, with an object or without."""
    return error_of(said.failure("conda", answer, text, SPEC, offline=offline), SPEC)


@pytest.mark.parametrize(
    ("name", "more", "code", "words"),
    [
        ("PackagesNotFoundError", {"packages": ["jum"]}, 5, "no package «jum»"),
        ("PackagesNotFoundInChannelsError", {"packages": ["jam=7"]}, 5, "«jam=7» is not in"),
        ("ResolvePackageNotFound", {"message": "\n  - jum"}, 5, "no package «jum»"),
        ("PackagesNotFoundError", {"packages": ["__cuda[version='>=12']"]}, 5, "need a GPU"),
        ("LibMambaUnsatisfiableError", {"message": "pear needs apple <2"}, 5, "conda-forge:\n  pear\n"),
        ("UnavailableInvalidChannel", {"status_code": 404, "channel_url": "http://x/y"}, 4, "at http://x/y"),
        ("CondaHTTPError", {"status_code": "000", "url": "http://x/y"}, 4, "could not be reached"),
        ("CondaHTTPError", {"status_code": 403, "url": "http://x/y"}, 4, "not for everybody"),
        ("CondaHTTPError", {"status_code": 503, "url": "http://x/y"}, 4, "answered with an error"),
        ("ChecksumMismatchError", {"message": "sha256 wrong"}, 4, "not the file that the channel promises"),
        ("NoSpaceLeftError", {"message": "No space left on devices."}, 3, "could not be written"),
        ("EnvironmentNotWritableError", {"message": "not writable"}, 3, "could not be written"),
        ("InvalidMatchSpec", {"message": "jam==="}, 2, "no package specification"),
        ("CondaToSNonInteractiveError", {"message": "Terms"}, 2, "wants your agreement to the terms"),
        ("PluginError", {"message": "a plugin is broken"}, 8, "conda could not do it: a plugin is broken"),
    ],
)
def test_condas_errors_in_our_words(name: str, more: dict[str, object], code: int, words: str) -> None:
    """By the name of the error, which conda keeps from version to version."""
    error = spoken({"success": False, "exception_name": name, "message": "", **more})
    assert (error.code, words in error.problem) == (code, True), error.problem


def test_of_a_clash_no_more_is_said_than_is_known() -> None:
    """Conda names who quarrels; that a single change is not enough is nobody's finding."""
    error = spoken({"exception_name": "UnsatisfiableError", "message": "jum -> apple\npear-1.0 -> apple <2"})
    assert "had together:\n  jum\n  pear\n" in error.problem
    assert error.fix.startswith("Loosen or leave out one of these")


def test_the_terms_are_the_users_to_accept() -> None:
    """Conda's command for it is shown, never run; the way without them comes first."""
    fix = spoken({"exception_name": "CondaToSNonInteractiveError"}).fix
    assert fix.startswith("Write «conda-forge»")
    assert "conda tos accept --override-channels --channel https://repo.anaconda.com/pkgs/main" in fix


@pytest.mark.parametrize(
    ("answer", "text", "code", "words"),
    [
        ({"success": False, "solver_problems": ["nothing provides requested jum"]}, "", 5, "package «jum»"),
        ({}, "error  jum =* * does not exist (perhaps a typo or a missing channel).", 5, "package «jum»"),
        (
            {"success": False, "solver_problems": ["nothing provides __cuda >=12 needed by melon-1.0-0"]},
            "",
            5,
            "need a GPU",
        ),
        ({"success": False, "solver_problems": ["package pear-1.0-0 requires apple <2"]}, "", 5, "apple <2"),
        ({}, "critical libmamba Could not resolve host: Connection refused", 4, "could not be reached"),
        ({}, "critical libmamba filesystem error: No space left on device", 3, "could not be written"),
        ({}, "critical libmamba Something new", 8, "Something new"),
    ],
)
def test_mambas_errors_in_our_words(answer: dict[str, object], text: str, code: int, words: str) -> None:
    """Mamba 2 names no errors: its solver's problems, or its text, are what there is."""
    error = spoken(answer, text)
    assert (error.code, words in error.problem) == (code, True), error.problem


def test_what_conda_knows_of_logins_stays_with_conda() -> None:
    """Neither the plan, which is journalled, nor an error has a password or a token in it."""
    url = "https://me:secret@x.org/t/tk-123/chan/noarch"
    entry = {"name": "jam", "version": "1.0", "build_string": "0", "base_url": "https://x.org/chan"}
    _, coming = said.changed({"actions": {"FETCH": [{**entry, "url": f"{url}/jam"}], "LINK": [entry]}})
    error = spoken({"exception_name": "CondaHTTPError", "status_code": 503, "url": url, "message": url})
    other = spoken({}, f"critical libmamba something at {url}")
    for text in (coming[0].url, error.problem, other.problem):
        assert "x.org/t/<TOKEN>/chan" in text
        assert "secret" not in text
        assert "tk-123" not in text


def test_offline_says_that_it_is_offline() -> None:
    """Then no index is nobody's fault."""
    error = spoken({"exception_name": "UnavailableInvalidChannel", "status_code": 404}, offline=True)
    assert "--offline allows no question" in error.problem


def test_a_dry_run_of_mamba_2_is_read_as_well() -> None:
    """It says `build` and the address of what it links, where conda says `build_string` and a channel."""
    entry = {"name": "jam", "version": "1.0", "build": "h_0", "url": "https://x/noarch/jam-1.0-h_0.conda"}
    gone, (jam,) = said.changed(
        {"actions": {"FETCH": [{**entry, "size": 7}], "LINK": [entry], "UNLINK": [{"name": "old"}]}}
    )
    assert (gone, jam.version, jam.build, jam.url, jam.size, jam.cached) == (
        {"old"},
        "1.0",
        "h_0",
        entry["url"],
        7,
        False,
    )


def test_the_answer_is_found_among_progress_and_warnings() -> None:
    """Conda prints objects with a zero byte between them; others print warnings before theirs."""
    answer = json.dumps({"success": True, "prefix": "/p"}, indent=2)
    assert said.last_object('{"fetch": "a", "progress": 1}\n\0{"fetch": "b"}\n\0' + answer)["prefix"] == "/p"
    assert said.last_object(f"warning  libmamba {{odd}}\n{answer}\n")["prefix"] == "/p"
    assert said.last_object("Killed\n") == {}
