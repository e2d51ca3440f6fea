"""What a launch is asked for by flags: refused at once when it cannot be had, and there when it is proven."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from setup_wizard import answers, submission
from setup_wizard.errors import BadInput
from setup_wizard.jupyter import records
from setup_wizard.session import Job
from setup_wizard.world import Ask, World
from tests.conftest import CACHE
from tests.program import Account

GOOD = {"jupyterlab": "4.4.0", "jupyter_server": "2.20.0", "ipykernel": "7.0.0"}


def environment(prefix: Path, packages: dict[str, str]) -> Path:
    """An environment with a Python, and records of these packages."""
    site = prefix / "lib/python3.12/site-packages"
    site.mkdir(parents=True)
    (prefix / "bin").mkdir()
    (prefix / "bin/python").symlink_to(sys.executable)
    for name, version in packages.items():
        (site / f"{name}-{version}.dist-info").mkdir()
    return prefix


# --- the environment, by its records ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says", "fix"),
    [
        ({"jupyterlab": ""}, "jupyterlab is not installed", "conda install"),
        ({"ipykernel": ""}, "ipykernel is not installed", "ipykernel"),
        ({"jupyter_server": "2.19.9"}, "known security holes", "jupyter_server>=2.20.0"),
    ],
)
def test_an_environment_without_a_good_jupyter_is_refused(
    world: World, change: dict[str, str], says: str, fix: str
) -> None:
    """Before anything is submitted, without starting it, and with the command that mends it."""
    packages = {name: version for name, version in {**GOOD, **change}.items() if version}
    prefix = environment(world.home / "env", packages)
    with pytest.raises(BadInput, match=says) as told:
        submission.check(world, Job(prefix, world.home))
    assert fix in told.value.fix


def test_records_of_all_kinds_count(tmp_path: Path) -> None:
    """Conda's own, those of packages, and those in a folder that a .pth file adds."""
    records.check(environment(tmp_path / "pip", GOOD), "lab")
    other = environment(tmp_path / "pth", {})
    (other / "lib/python3.12/site-packages/more.pth").write_text(
        f"import this\n{tmp_path}/pip/lib/python3.12/site-packages \n"
    )
    records.check(other, "lab")
    conda = environment(tmp_path / "conda", {})
    (conda / "conda-meta").mkdir()
    for name, version in GOOD.items():
        (conda / f"conda-meta/{name}-{version}-pyhd8ed1ab_0.json").touch()
    records.check(conda, "lab")
    with pytest.raises(BadInput, match="notebook is not installed"):
        records.check(conda, "notebook")


def test_a_virtual_environment_is_mended_by_pip(tmp_path: Path) -> None:
    """Empty, or without what the page needs: it is known to have no Jupyter; conda is not what adds it."""
    for name, packages in (("empty", {}), ("other", {"numpy": "2.0"})):
        prefix = environment(tmp_path / name, packages)
        (prefix / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
        with pytest.raises(BadInput, match="jupyterlab is not installed") as told:
            records.check(prefix, "lab")
        assert told.value.fix == f"{prefix}/bin/python -m pip install jupyterlab ipykernel"


def test_what_cannot_be_known_is_let_pass(tmp_path: Path) -> None:
    """An environment that also sees the packages of another Python, and one without records."""
    shared = environment(tmp_path / "shared", {"numpy": "2.0"})
    (shared / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = true\n")
    records.check(shared, "lab")
    records.check(tmp_path / "bare", "lab")


# --- other flags --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--idle", "-1"), "cannot be negative"),
        (("--idle", "nan"), "cannot be negative"),
        (("--patience", "-1"), "no time"),
        (("-t", "-5"), "cannot be negative"),
        (("-t", "0"), "no time at all"),
        (("--cpus", "-1"), "negative"),
        (("--notebook-dir", "/no/such"), "mkdir -p /no/such"),
        (("--notebook-dir", "/etc/passwd"), "--notebook-dir with a folder"),
        (("-t", "99999999999"), "is not a time"),
        (("--site", "workstaton"), "Did you mean workstation?"),
        (("--scheduler", "slrum"), "Did you mean slurm?"),
        (("--access", "rsp"), "Did you mean rps?"),
        (("--scratch-dir", "/no/such"), "--scratch-dir"),
        (("-i", "web"), "no interface «web»"),
        (("--nv",), "--nv"),
        (("--sif", "x.sif"), "Give only one"),
        (("--conda-yml", "tiny"), "Give only one"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    """With the exit code of bad input and a fix; no session is left of it."""
    account = Account(tmp_path / "home")
    prefix = environment(tmp_path / "env", GOOD)
    answer = account.facts("launch", "--environment", str(prefix), *words)
    assert answer["ok"] is False
    assert answer["error"]["code"] == 2
    assert says in f"{answer['error']['problem']} {answer['error']['fix']}"
    assert not list(account.home.glob(".local/state/hpc-jupyter-setup/sessions/*"))


@pytest.mark.parametrize(
    ("words", "package"),
    [
        (("-s", "jupyterlab"), "jupyterlab"),
        (("-s", "lab"), "jupyterlab"),
        (("-s", "notebook"), "notebook"),
        (("-i", "notebook"), "notebook"),
        (("--interface", "jupyterlab"), "jupyterlab"),
    ],
)
def test_the_page_as_both_programs_name_it(tmp_path: Path, words: tuple[str, str], package: str) -> None:
    """`-s jupyterlab` of start-jupyter is `-i lab`: which page is wanted shows what the environment lacks."""
    prefix = environment(tmp_path / "env", {"jupyter_server": "2.20.0", "ipykernel": "7.0.0"})
    answer = Account(tmp_path / "home").facts("launch", "--environment", str(prefix), *words)
    assert answer["error"]["problem"].startswith(f"{package} is not installed")


def test_a_folder_that_cannot_be_written_to_is_refused(world: World, shut: Callable[[Path], None]) -> None:
    """A notebook could not be saved there."""
    prefix = environment(world.home / "env", GOOD)
    closed = world.home / "closed"
    closed.mkdir()
    shut(closed)
    with pytest.raises(BadInput, match="cannot be written to"):
        submission.check(world, Job(prefix, closed))


def test_an_environment_from_a_file_is_made_and_then_used(account: Account) -> None:
    """Its plan is shown; with --yes it is there, and judged like any other; the second time it is found."""
    answers.remember(World(account.home, account.env), answers.Answers(mirror=account.mirror))
    look = account.run("launch", "--conda-yml", str(account.tiny), "--dry-run")
    assert look.returncode == 0, look.stderr
    assert "tiny" in look.stdout
    assert not (account.home / ".conda/envs/tiny").exists()
    refused = account.run("launch", "--conda-yml", str(account.tiny))
    assert "--yes" in refused.stderr
    for _ in range(2):
        answer = account.facts("launch", "--conda-yml", str(account.tiny), "--yes")
        said = answer["error"]["problem"]
        assert said == f"jupyterlab is not installed in {account.home}/.conda/envs/tiny."


# --- for real -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def voila_prefix(jupyter_prefix: Path) -> Path:
    """The real Jupyter with Voilà beside it; made once and kept."""
    prefix = CACHE / f"voila-{sys.version_info[0]}.{sys.version_info[1]}"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (prefix / "complete").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", prefix], check=True)
            (site,) = prefix.glob("lib/python3*/site-packages")
            (theirs,) = jupyter_prefix.glob("lib/python3*/site-packages")
            (site / "jupyter.pth").write_text(f"{theirs}\n")
            subprocess.run([prefix / "bin/python", "-m", "pip", "install", "-q", "voila"], check=True)
            (prefix / "complete").touch()
    return prefix


@pytest.mark.real
@pytest.mark.skipif(not shutil.which("modulecmd"), reason="apt-get install environment-modules")
def test_voila_with_a_module_and_scratch_quietly(voila_prefix: Path, tmp_path: Path) -> None:
    """One line, the URL, opens Voilà; it has what the module sets, and scratch for temporary files."""
    account, scratch, tree = Account(tmp_path / "home"), tmp_path / "scratch", tmp_path / "tree"
    scratch.mkdir()
    tree.mkdir()
    (tree / "tool").write_text("#%Module\nsetenv TOOL_HOME /opt/tool\n")
    account.env["SCRATCH_OF_JOB"] = str(scratch)
    words = ("--interface", "voila", "--scratch-dir", "$SCRATCH_OF_JOB", "--env-modules", "tool")
    done = account.run("launch", "-e", str(voila_prefix), *words, "--append-modulepath", str(tree), "--quiet")
    try:
        assert (done.returncode, done.stderr.strip()) == (0, "")
        (url,) = done.stdout.splitlines()
        reply = World(account.home, account.env).call(Ask(url))
        assert reply.status == 200, done
        assert b"Voil" in reply.body
        ours = jupyter_of(World(account.home, account.env), account)
        assert {"TOOL_HOME=/opt/tool", f"TMPDIR={scratch}"} <= ours
    finally:
        account.run("stop", "--all")
    assert list(scratch.glob("hjs-*")) == []


def jupyter_of(world: World, account: Account) -> set[str]:
    """The environment of the only session's Jupyter."""
    (place,) = account.home.glob(".local/state/hpc-jupyter-setup/sessions/*/place.json")
    nook = json.loads(place.read_bytes())["folder"]
    pid = world.marked(f"JUPYTER_RUNTIME_DIR={nook}/run")[0][0]
    return set(Path(f"/proc/{pid}/environ").read_text().split("\0"))


@pytest.mark.parametrize(
    ("words", "fix"),
    [(("-b", "x.sh"), "--dry-run"), (("-I", "x.sif"), "--sif")],
)
def test_an_old_habit_is_told_what_does_the_same_here(
    account: Account, words: tuple[str, str], fix: str
) -> None:
    """Short flags of `start-jupyter` that are not taken: with the flag that is; as JSON where asked for."""
    done = account.run("launch", *words, "--json")
    said = json.loads(done.stdout)["error"]
    assert (said["problem"], said["code"], done.returncode) == (f"launch has no {words[0]}.", 2, 2)
    assert fix in said["fix"]
    assert f"launch has no {words[0]}." in done.stderr
