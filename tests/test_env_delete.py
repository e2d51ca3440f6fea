"""Environments that are deleted and come back: the trash, kernels, what depends on them, undo to the byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from setup_wizard import session
from setup_wizard.conda import contents
from setup_wizard.journal import Journal
from setup_wizard.mirror.tiny import stub
from setup_wizard.trees import picture
from setup_wizard.world import World
from tests.channels import channel, fruits
from tests.program import Account

KERNEL = {"lib/python3.12/site-packages/ipykernel_launcher.py": b"# starts a kernel"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A channel of fruits, and what makes a kernel."""
    launcher = stub("ipykernel", files=KERNEL, noarch="generic")
    return channel(tmp_path_factory.mktemp("channels") / "garden", [*fruits(), launcher])


class Orchard(Account):
    """An account with an environment «orchard» with a kernel, and a picture of what was there before it."""

    def __init__(self, home: Path, url: str, more: tuple[str, ...] = ()) -> None:
        super().__init__(home)
        self.file = home / "orchard.yml"
        wanted = ", ".join(("pear", "ipykernel", *more))
        self.file.write_text(f"name: orchard\nchannels: [{url}]\ndependencies: [{wanted}]\n")
        self.before = picture(home)
        self.prefix = home / ".conda/envs/orchard"
        self.kernels = home / ".local/share/jupyter/kernels"
        self.good("create", str(self.file), "--no-byte-code", "--yes")

    def good(self, *words: str) -> str:
        """Run a command of `env` to its good end; what it printed."""
        ended = self.run("env", *words)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def bad(self, code: int, *words: str) -> str:
        """Run a command of `env` that is refused with that code; what it said."""
        ended = self.run("env", *words)
        assert ended.returncode == code, ended.stdout + ended.stderr
        return ended.stderr

    def told(self, *words: str, code: int = 0) -> Any:
        """What a command of `env` says in JSON, and that it ends with that code."""
        ended = self.run("env", *words, "--json")
        assert ended.returncode == code, ended.stdout + ended.stderr
        return json.loads(ended.stdout)

    @property
    def world(self) -> World:
        return World(self.home, self.env)

    @property
    def steps(self) -> list[str]:
        """The keys of what is ours now."""
        return list(Journal(self.world).receipt)

    def undone(self) -> None:
        """Take everything back; the home is as it was before the environment."""
        ended = self.run("undo", "--yes")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        left = {p: what for p, what in picture(self.home).items() if self.before.get(p) != what}
        assert picture(self.home) == self.before, (left, ended.stdout)

    def foreign_kernel(self, name: str = "mine") -> Path:
        """A kernel that `ipykernel install --name` would have made."""
        path = self.kernels / name / "kernel.json"
        path.parent.mkdir(parents=True)
        spec = {"argv": [f"{self.prefix}/bin/python", "-m", "ipykernel_launcher"], "display_name": name}
        path.write_text(json.dumps(spec))
        return path


@pytest.fixture
def orchard(tmp_path: Path, url: str) -> Orchard:
    """The account."""
    return Orchard(tmp_path / "home", url)


def shape(orchard: Orchard) -> dict[str, Any]:
    """All that the user sees of the account: not our own state and cache."""
    ours = (".local/state/hpc-jupyter-setup", ".cache/hpc-jupyter-setup")
    return {p: what for p, what in picture(orchard.home).items() if not p.startswith(ours)}


def test_deleted_and_restored_and_undone(orchard: Orchard) -> None:
    """Deleted: no kernel, no environment to conda; restored: all as it was; undo: the home as it was."""
    mine = orchard.foreign_kernel()
    (orchard.prefix / "notes.txt").write_text("mine")
    was = shape(orchard)
    told = orchard.told("delete", "orchard", "--yes")
    assert told["kernels"] == [str(mine), str(orchard.kernels / "orchard/kernel.json")]
    assert told["file"] == str(orchard.file)
    assert not orchard.prefix.exists()
    assert not list(orchard.kernels.glob("*/kernel.json"))
    assert str(orchard.prefix) not in (orchard.home / ".conda/environments.txt").read_text()
    assert orchard.run("status").returncode == 0
    assert orchard.facts("status")["environments"] == []
    assert "There is no environment «orchard»" in orchard.bad(2, "install", "orchard", "quince")

    assert "orchard is there again" in orchard.good("restore", "orchard", "--yes")
    assert shape(orchard) == was
    assert [e["name"] for e in orchard.facts("status")["environments"]] == ["orchard"]
    orchard.good("install", "orchard", "quince=1.1", "--yes")

    mine.unlink()
    mine.parent.rmdir()
    (orchard.prefix / "notes.txt").unlink()
    orchard.undone()


def test_undo_with_an_environment_in_the_trash(orchard: Orchard) -> None:
    """What is ours in the trash goes; what is the user's own stays, and is named."""
    (orchard.prefix / "notes.txt").write_text("mine")
    said = orchard.good("delete", "orchard", "--yes")
    assert f"{orchard.prefix}/notes.txt".replace(str(orchard.home), "~") in said
    ended = orchard.run("undo", "--yes")
    assert ended.returncode == 0
    kept = orchard.prefix.parent / ".hpc-jupyter-setup-trash/orchard/notes.txt"
    assert str(kept).replace(str(orchard.home), "~") in ended.stdout
    assert kept.read_text() == "mine"
    kept.unlink()
    for folder in kept.parents[:4]:
        folder.rmdir()
    assert picture(orchard.home) == orchard.before


def test_made_again_while_it_lies_in_the_trash(orchard: Orchard) -> None:
    """The name is free again; the old one is restored only into a free place, and undo takes back both."""
    for _ in range(2):
        orchard.good("delete", "orchard", "--yes")
        orchard.good("create", str(orchard.file), "--yes")
    trash = orchard.prefix.parent / ".hpc-jupyter-setup-trash"
    assert sorted(p.name for p in trash.iterdir()) == ["orchard", "orchard-2"]
    assert "is there again" in orchard.bad(3, "restore", "orchard", "--yes")
    assert contents.whole(orchard.prefix)
    orchard.good("delete", "orchard", "--yes")
    orchard.good("restore", str(trash / "orchard"), "--yes")
    orchard.good("install", "orchard", "quince=1.1", "--yes")
    assert sorted(p.name for p in trash.iterdir()) == ["orchard-2", "orchard-3"]
    orchard.undone()


def test_dry_run_and_unknown_names(orchard: Orchard) -> None:
    """Nothing is changed by looking; what is not there is named, with what is meant perhaps."""
    was = shape(orchard)
    assert ".hpc-jupyter-setup-trash/orchard" in orchard.good("delete", "orchard", "--dry-run")
    plan = orchard.told("delete", "orchard", "--dry-run")["plan"]
    assert [step["title"] for step in plan] == ["Put the environment orchard into the trash"]
    assert "orchard" in orchard.bad(2, "delete", "orchad", "--yes")
    assert "is not there" in orchard.bad(2, "delete", str(orchard.home / "no/such"), "--yes")
    assert "The trash is empty" in orchard.bad(2, "restore", "orchard", "--yes")
    assert "agree with --yes" in orchard.bad(2, "delete", "orchard")
    assert shape(orchard) == was


def test_base_and_what_is_not_ours(orchard: Orchard) -> None:
    """conda itself stays; an environment of somebody else's goes only with its own word, and comes back."""
    conda = orchard.home / "miniconda3"
    (conda / "conda-meta").mkdir(parents=True)
    (conda / "conda-meta/conda-24.1.0-py312_0.json").write_text("{}")
    assert "conda itself" in orchard.bad(3, "delete", "base", "--yes")
    assert "conda itself" in orchard.bad(3, "delete", str(conda), "--yes", "--not-ours")
    theirs = conda / "envs/theirs"
    (theirs / "conda-meta").mkdir(parents=True)
    (theirs / "conda-meta/history").write_text("==> long ago <==\n")
    listed = orchard.home / ".conda/environments.txt"
    listed.write_text(f"{theirs}\n{listed.read_text()}")
    was = shape(orchard)
    assert "--not-ours" in orchard.bad(2, "delete", "theirs", "--yes")
    assert shape(orchard) == was
    orchard.good("delete", "theirs", "--yes", "--not-ours")
    assert not theirs.exists()
    orchard.good("restore", "theirs", "--yes")
    assert shape(orchard) == was
    assert "is no conda environment" in orchard.bad(2, "delete", str(orchard.kernels), "--yes")


def moments(orchard: Orchard, log: Path, *words: str) -> list[str]:
    """The moments at which a command has touched the machine; what is before one is after another."""
    assert orchard.run(*words, fuse=("", log)).returncode == 0
    found = log.read_text().splitlines()
    log.unlink()
    return [moment for moment in found if not moment.startswith("before")]


def test_killed_at_each_moment(orchard: Orchard, tmp_path: Path) -> None:
    """Wherever deleting or restoring stops, the same again ends it; undo gives the home as it was."""
    orchard.foreign_kernel()
    log, was = tmp_path / "log", shape(orchard)
    there, back = ("env", "delete", "orchard", "--yes"), ("env", "restore", "orchard", "--yes")
    stops = {there: moments(orchard, log, *there), back: moments(orchard, log, *back)}
    for number in range(max(map(len, stops.values()))):
        for words in (there, back):
            where = stops[words][min(number, len(stops[words]) - 1)]
            assert orchard.run(*words, fuse=(where, log)).returncode == -9, where
            again = orchard.run(*words)
            done = again.returncode == 0 or "There is no environment «orchard»" in again.stderr
            assert done, (where, again.stderr)
            assert orchard.prefix.exists() == (words == back), where
        assert shape(orchard) == was, stops
    (orchard.kernels / "mine/kernel.json").unlink()
    (orchard.kernels / "mine").rmdir()
    orchard.undone()


def test_undone_from_each_moment(tmp_path: Path, url: str) -> None:
    """Whatever a kill left of deleting: undo gives the home as it was."""
    probe = Orchard(tmp_path / "probe", url)
    stops = moments(probe, tmp_path / "log", "env", "delete", "orchard", "--yes")
    for number, where in enumerate(stops):
        orchard = Orchard(tmp_path / str(number), url)
        killed = orchard.run("env", "delete", "orchard", "--yes", fuse=(where, tmp_path / "log"))
        assert killed.returncode == -9, where
        orchard.undone()


def test_a_session_that_runs_from_it(orchard: Orchard) -> None:
    """It is named, and nothing goes; with its own word, it does."""
    world = orchard.world
    running = session.reserve(world, session.Job(orchard.prefix, orchard.home), session.this_process(world))
    assert running.id in orchard.bad(6, "delete", "orchard", "--yes")
    assert orchard.prefix.exists()
    assert f"Session {running.id} runs from it." in orchard.good("delete", "orchard", "--dry-run")
    assert orchard.told("delete", "orchard", "--dry-run")["sessions"] == [running.id]
    told = orchard.told("delete", "orchard", "--yes", "--while-running")
    assert (told["sessions"], told["processes"]) == ([running.id], [])
    session.remove(running)
