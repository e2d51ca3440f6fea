"""Example notebooks: the catalogue, clones by a real git, and the way back."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from notebooks_upstream import Killed, Upstream, contents, edit, git, make

from setup_wizard import notebook_catalogue, trees
from setup_wizard.errors import BadInput, MachineBlocks, NetworkTrouble
from setup_wizard.git.update import update
from setup_wizard.notebook_catalogue import catalogue, choose, repositories
from setup_wizard.step import Blocked, Done, Todo
from setup_wizard.steps.checkpoints import copy_of
from setup_wizard.steps.notebooks import Clone
from setup_wizard.steps.welcome import Welcome
from setup_wizard.world import Progress, World, silent


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    upstream = Upstream(tmp_path / "upstream")
    upstream.publish({"Numpy.ipynb": "{1}", "Pandas.ipynb": "{1}", "data/city.csv": "1", "old.txt": "1"})
    return upstream


@pytest.fixture
def clone(upstream: Upstream, world: World) -> Clone:
    return Clone(name="Series", url=upstream.url, path=world.home / "notebooks" / "Series")


# --- the catalogue --------------------------------------------------------------------------------------


def test_catalogue_holds_together() -> None:
    """Every repository can be fetched and says its licence; what has moved names one that is there."""
    names = [r.name for r in catalogue()]
    assert len(names) == len(set(names)) >= 5
    for repository in catalogue():
        assert repository.url == f"https://github.com/{repository.url.split('/')[3]}/{repository.name}"
        assert repository.licence
        assert repository.title
        assert not repository.moved_to or (repository.moved_to in names and repository.note)
        assert (
            not repository.environment
            or (notebook_catalogue.folder().parent / "envs" / f"{repository.environment}.yml").exists()
        )


def test_moved_repository_is_replaced_and_said() -> None:
    """Who asks for the emptied repository gets its successor, once, and is told."""
    choice = choose(["notebook-examples", "Expanse-Notebooks"], catalogue())
    assert [r.name for r in choice.repositories] == ["Expanse-Notebooks"]
    (note,) = choice.notes
    assert note.startswith("notebook-examples has moved: it was emptied in September 2024.")
    assert "Expanse-Notebooks is taken in its place" in note


def test_misspelt_name_gets_a_hint() -> None:
    """An unknown name is refused with the nearest one and all that can be had."""
    with pytest.raises(BadInput, match=r"«PythonSerie».*PythonSeries") as caught:
        choose(["PythonSerie"], catalogue())
    assert "PythonSeries" in caught.value.fix
    assert "notebook-examples" not in caught.value.fix


def test_mirror_offers_what_it_lists(world: World, tmp_path: Path) -> None:
    """With a mirror its own list counts, addresses are the mirror's, and what we know stays known."""
    offers = [
        {"name": "PythonSeries", "title": "x", "licence": "x", "bytes": 5},
        {"name": "first-steps", "title": "First steps", "licence": "BSD-3-Clause", "bytes": 7},
    ]
    (tmp_path / "mirror.json").write_text(json.dumps({"repositories": offers, "other": 1}))
    known, new = repositories(world, tmp_path.as_uri())
    assert known.url == f"{tmp_path.as_uri()}/git/PythonSeries.git"
    assert (known.licence, known.bytes, len(known.smoke)) == ("GPL-3.0", 5, 6)
    assert (new.title, new.licence, new.bytes) == ("First steps", "BSD-3-Clause", 7)


@pytest.mark.parametrize(
    "body", ["<html>log in</html>", '{"repositories": [{"name": "../x", "title": "", "licence": ""}]}']
)
def test_lying_mirror_is_named(world: World, tmp_path: Path, body: str) -> None:
    """A mirror that answers something else, or names that lead out of a folder, is refused."""
    (tmp_path / "mirror.json").write_text(body)
    with pytest.raises(NetworkTrouble, match="not the list of a mirror"):
        repositories(world, tmp_path.as_uri())


# --- cloning --------------------------------------------------------------------------------------------


def test_clone_and_undo_leave_nothing(upstream: Upstream, clone: Clone, world: World) -> None:
    """The newest version of whatever branch comes, without history; undone, the home is as it was."""
    tip = upstream.publish({"Numpy.ipynb": "{2}"})
    before = trees.picture(world.home)
    said: list[Progress] = []
    state = clone.check(world)
    assert isinstance(state, Todo)
    clone.apply(world, said.append)

    assert contents(clone.path)["Numpy.ipynb"] == "{2}"
    assert git(clone.path, "rev-parse", "HEAD") == tip
    assert git(clone.path, "rev-list", "--count", "HEAD") == "1"
    assert git(clone.path, "status", "--porcelain") == ""
    assert git(clone.path, "symbolic-ref", "--short", "HEAD") == "trunk"
    assert any(p.title == "Series: Receiving objects" and p.done == p.total > 0 for p in said)
    assert clone.undo(state.before, world) == []
    assert clone.undo(state.before, world) == []
    shutil.rmtree(world.state.parents[1])
    assert trees.picture(world.home) == before


def test_server_without_shallow_clones(upstream: Upstream, clone: Clone, world: World) -> None:
    """A mirror that is a plain web server works too, for the clone and for the update."""
    handler = partial(_Quiet, directory=str(upstream.bare.parent))
    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as port:
        step = msgspec.structs.replace(clone, url=f"http://127.0.0.1:{port}/Series.git")
        make(step, world)
        upstream.publish({"Numpy.ipynb": "{2}"})
        assert update(world, step.path).written == ("Numpy.ipynb",)
        assert git(step.path, "status", "--porcelain") == ""


def test_mirror_that_belongs_to_somebody_else(upstream: Upstream, clone: Clone, world: World) -> None:
    """A repository on a shared disk, owned by the teacher, can be cloned and updated from."""
    if os.getuid():
        pytest.skip("only root can give a folder away")
    shutil.chown(upstream.bare, 12345)
    make(clone, world)
    assert update(world, clone.path).written == ()


def test_settings_of_the_user_change_nothing(upstream: Upstream, clone: Clone, world: World) -> None:
    """Hooks, templates, names and line endings from ~/.gitconfig, and GIT_ variables, have no effect."""
    marker = world.home / "hook-ran"
    hooks = world.home / "template" / "hooks"
    hooks.mkdir(parents=True)
    (hooks / "post-checkout").write_text(f"#!/bin/sh\ntouch {marker}\n")
    (hooks / "post-checkout").chmod(0o755)
    (world.home / ".gitconfig").write_text(
        f"[init]\n templateDir = {hooks.parent}\n[core]\n hooksPath = {hooks}\n autocrlf = true\n"
        "[clone]\n defaultRemoteName = elsewhere\n"
    )
    world.env.update(
        GIT_DIR="/nonexistent", GIT_INDEX_FILE="/nonexistent", GIT_TEMPLATE_DIR=str(hooks.parent)
    )
    upstream.publish({"lines.txt": "a\nb\n"})
    make(clone, world)
    assert not marker.exists()
    assert not (clone.path / ".git/hooks").exists()
    assert (clone.path / "lines.txt").read_bytes() == b"a\nb\n"
    assert git(clone.path, "remote") == "origin"


def test_without_git_it_says_how_to_get_it(clone: Clone, world: World) -> None:
    """No git: blocked before anything is begun, with the ways to a git."""
    world.env["PATH"] = "/nonexistent"
    state = clone.check(world)
    assert isinstance(state, Blocked)
    assert "module load git" in state.fix
    with pytest.raises(MachineBlocks):
        clone.apply(world, silent)
    assert not clone.path.parent.exists()


def test_foreign_folder_is_not_touched(clone: Clone, world: World) -> None:
    """Something else at that place blocks, with another folder as the way out; undo leaves it alone."""
    edit(clone.path / "mine.txt", "mine")
    state = clone.check(world)
    assert isinstance(state, Blocked)
    assert "--notebook-folder" in state.fix
    assert clone.undo(trees.before(clone.path), world) == []
    assert contents(clone.path) == {"mine.txt": "mine"}


def test_own_clone_is_found_not_made(upstream: Upstream, clone: Clone, world: World) -> None:
    """A clone that the user made earlier is used as it is, never updated nor removed by us."""
    clone.path.parent.mkdir(parents=True)
    git(clone.path.parent, "clone", "-q", upstream.url, str(clone.path))
    state = clone.check(world)
    assert isinstance(state, Done)
    assert "yourself" in state.note
    with pytest.raises(BadInput, match="not ours to update"):
        update(world, clone.path)
    assert clone.undo(trees.before(clone.path), world) == []
    assert (clone.path / ".git").is_dir()


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/x.git", "file:///nonexistent/x.git"])
def test_unreachable_repository(clone: Clone, world: World, address: str) -> None:
    """Nobody there, or no such repository: said with the address, and nothing is left behind."""
    step = msgspec.structs.replace(clone, url=address)
    before = trees.before(step.path)
    with pytest.raises(NetworkTrouble) as caught:
        step.apply(world, silent)
    assert "127.0.0.1" in caught.value.problem or address in caught.value.problem
    assert "--mirror" in caught.value.fix
    step.undo(before, world)
    assert not step.path.parent.exists()


def test_silent_server_is_given_up(clone: Clone, world: World) -> None:
    """A server that takes the connection and never answers costs a while, not for ever."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        step = msgspec.structs.replace(clone, url=f"http://127.0.0.1:{server.getsockname()[1]}/x.git")
        with pytest.raises(NetworkTrouble, match="said nothing for 2 s"):
            step.apply(world, silent)
    assert not step.beside.exists()


def test_empty_repository_is_named(tmp_path: Path, clone: Clone, world: World) -> None:
    """A repository without any commit is an error, not a clone."""
    git(tmp_path, "init", "-q", "--bare", "empty.git")
    step = msgspec.structs.replace(clone, url=(tmp_path / "empty.git").as_uri())
    with pytest.raises(NetworkTrouble, match="is empty"):
        step.apply(world, silent)
    assert not step.path.exists()


@pytest.mark.parametrize("moment", ["while cloning", "before the rename", "after the rename"])
@pytest.mark.parametrize("then", ["again", "undo"])
def test_killed_clone(
    clone: Clone, world: World, monkeypatch: pytest.MonkeyPatch, moment: str, then: str
) -> None:
    """Wherever the clone is broken off, a second run completes it, and undo removes it."""
    state = clone.check(world)
    assert isinstance(state, Todo)
    with monkeypatch.context() as patch:
        _die(patch, moment)
        with pytest.raises(Killed):
            clone.apply(world, silent)
    if then == "again":
        if clone.check(world) != Done():
            clone.apply(world, silent)
        assert clone.check(world) == Done()
        assert contents(clone.path)["data/city.csv"] == "1"
    assert clone.undo(state.before, world) == []
    assert not (world.home / "notebooks").exists()


def _die(patch: pytest.MonkeyPatch, moment: str) -> None:
    def die(*_: object, **__: object) -> None:
        raise Killed

    rename = os.rename

    def rename_and_die(source: Path, target: Path) -> None:
        rename(source, target)
        raise Killed

    patch.setattr("setup_wizard.steps.notebooks._take_back_all", lambda *_: None)
    if moment == "while cloning":
        patch.setattr("setup_wizard.git.clone.note_seen", die)
    else:
        patch.setattr(os, "rename", die if moment == "before the rename" else rename_and_die)


# --- undo -----------------------------------------------------------------------------------------------


def test_undo_keeps_what_the_user_made(clone: Clone, world: World) -> None:
    """Changed and added files stay and are named; the rest goes, git's memory too."""
    before = make(clone, world)
    edit(clone.path / "Numpy.ipynb", "{mine}")
    edit(clone.path / "data/results.csv", "mine")
    kept = clone.undo(before, world)
    assert sorted(kept) == [clone.path / "Numpy.ipynb", clone.path / "data/results.csv"]
    assert contents(clone.path) == {"Numpy.ipynb": "{mine}", "data/results.csv": "mine"}
    assert not (clone.path / ".git").exists()


def test_undo_after_only_looking_leaves_nothing(clone: Clone, world: World) -> None:
    """Who opened notebooks, ran `git status` and imported modules made nothing that is to be kept."""
    before = make(clone, world)
    copy = copy_of(clone.path / "Numpy.ipynb")
    edit(copy, "{1}")
    edit(clone.path / "data/__pycache__/x.cpython-311.pyc", "x")
    edit(clone.path / ".git/index", (clone.path / ".git/index").read_bytes().decode("latin1"))
    assert clone.undo(before, world) == []
    assert not clone.path.exists()


@pytest.mark.parametrize("work", ["commit", "stash", "branch", "reset"])
def test_undo_keeps_own_commits(clone: Clone, world: World, work: str) -> None:
    """A clone in which the user committed keeps its whole .git, which is named and still works."""
    before = make(clone, world)
    edit(clone.path / "Numpy.ipynb", "{mine}")
    if work == "branch":
        git(clone.path, "switch", "-q", "-c", "mine")
    git(clone.path, *(["stash", "-q"] if work == "stash" else ["commit", "-q", "-a", "-m", "mine"]))
    if work == "branch":
        git(clone.path, "switch", "-q", "trunk")
    if work == "reset":
        git(clone.path, "reset", "-q", "--hard", "HEAD~1")
    kept = clone.undo(before, world)
    assert clone.path / ".git" in kept
    assert not any((clone.path / ".git") in p.parents for p in kept)
    name = {"commit": "HEAD", "stash": "stash@{0}", "branch": "mine", "reset": "HEAD@{1}"}[work]
    assert git(clone.path, "show", f"{name}:Numpy.ipynb") == "{mine}"
    assert git(clone.path, "fsck", "--strict") == ""


# --- the welcome notebook -------------------------------------------------------------------------------


def test_welcome_comes_and_goes(world: World) -> None:
    """Our notebook is laid into a new folder, once, and undo takes both away, Jupyter's copy included."""
    step = Welcome(path=world.home / "notebooks" / "welcome.ipynb")
    state = step.check(world)
    assert isinstance(state, Todo)
    step.apply(world, silent)
    assert step.check(world) == Done()
    edit(copy_of(step.path), step.path.read_text())
    assert step.undo(state.before, world) == []
    assert step.undo(state.before, world) == []
    assert trees.picture(world.home) == {}


def test_welcome_that_was_changed_stays(world: World) -> None:
    """A notebook that the user worked on is neither overwritten nor removed, and is named."""
    step = Welcome(path=world.home / "welcome.ipynb")
    state = step.check(world)
    assert isinstance(state, Todo)
    step.apply(world, silent)
    edit(step.path, "mine")
    checked = step.check(world)
    assert isinstance(checked, Done)
    assert "changed" in checked.note
    assert step.undo(state.before, world) == [step.path]
    assert step.path.read_text() == "mine"


def test_steps_survive_the_journal(clone: Clone, world: World) -> None:
    """Both steps come back from JSON as they went in, the version of the notebook included."""
    welcome = Welcome(path=world.home / "welcome.ipynb", sha256="0" * 64)
    for step in (clone, welcome):
        data = msgspec.json.encode(step, enc_hook=str)
        assert msgspec.json.decode(data, type=Clone | Welcome, dec_hook=lambda kind, v: kind(v)) == step


def test_welcome_is_a_tidy_notebook() -> None:
    """The notebook is plain JSON in the format with cell ids, and was saved without any output."""
    notebook = json.loads(notebook_catalogue.welcome())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(ids) == len(set(ids)) > 5
    assert all(cell.get("outputs", []) == [] for cell in notebook["cells"])


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def _serving(server: ThreadingHTTPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
