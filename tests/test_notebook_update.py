"""Updates of cloned notebooks, by a real git: upstream's news come, and nothing of the participant's goes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from notebooks_upstream import Killed, Upstream, contents, edit, git, make

from setup_wizard import trees
from setup_wizard.git.update import Updated, update
from setup_wizard.steps.notebooks import Clone
from setup_wizard.world import World, silent


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    upstream = Upstream(tmp_path / "upstream")
    upstream.publish({"Numpy.ipynb": "{1}", "Pandas.ipynb": "{1}", "data/city.csv": "1", "old.txt": "1"})
    return upstream


@pytest.fixture
def clone(upstream: Upstream, world: World) -> Clone:
    return Clone(name="Series", url=upstream.url, path=world.home / "notebooks" / "Series")


def test_update_without_news_is_quick_and_changes_nothing(clone: Clone, world: World) -> None:
    """Nothing new upstream: one question, and not a byte is written."""
    make(clone, world)
    edit(clone.path / "Numpy.ipynb", "{mine}")
    before = trees.picture(world.home)
    done = update(world, clone.path)
    assert done == Updated(done.old, done.old)
    assert trees.picture(world.home) == before


def test_update_follows_upstream_where_nothing_was_changed(
    upstream: Upstream, clone: Clone, world: World
) -> None:
    """Files change, come and go; links and modes too; git finds the clone clean and at the newest version."""
    before = make(clone, world)
    (upstream.work / "link").symlink_to("data/city.csv")
    (upstream.work / "run.sh").write_text("#!/bin/sh\n")
    (upstream.work / "run.sh").chmod(0o755)
    (upstream.work / "image.png").write_bytes(bytes(range(256)))
    tip = upstream.publish(
        {"Numpy.ipynb": "{2}", "new/Dask.ipynb": "{1}", "data/city.csv": None, "old.txt": None}
    )
    clone.apply(world, silent)
    assert contents(clone.path).keys() == contents(upstream.work).keys()
    assert (clone.path / "image.png").read_bytes() == bytes(range(256))
    assert (clone.path / "run.sh").stat().st_mode & 0o111
    assert (clone.path / "link").is_symlink()
    assert git(clone.path, "rev-parse", "HEAD") == tip
    assert git(clone.path, "status", "--porcelain") == ""
    assert git(clone.path, "fsck") == ""
    assert clone.undo(before, world) == []
    assert not (world.home / "notebooks").exists()


def test_update_loses_nothing_of_the_participant(upstream: Upstream, clone: Clone, world: World) -> None:
    """Changed, added and removed files stay so; upstream's version lies beside, its commit in the name."""
    before = make(clone, world)
    edit(clone.path / "Numpy.ipynb", "{mine}")
    edit(clone.path / "Dask.ipynb", "{also mine}")
    edit(clone.path / "old.txt", "kept")
    edit(clone.path / "notes.txt", "mine")
    (clone.path / "data/city.csv").unlink()
    tip = upstream.publish(
        {"Numpy.ipynb": "{2}", "Dask.ipynb": "{2}", "Pandas.ipynb": "{2}", "old.txt": None}
    )[:7]
    done = update(world, clone.path)
    here = {
        "Numpy.ipynb": "{mine}",
        f"Numpy.upstream-{tip}.ipynb": "{2}",
        "Dask.ipynb": "{also mine}",
        f"Dask.upstream-{tip}.ipynb": "{2}",
        "Pandas.ipynb": "{2}",
        "old.txt": "kept",
        "notes.txt": "mine",
    }
    assert contents(clone.path) == here
    assert done.written == ("Pandas.ipynb",)
    assert done.beside == (f"Dask.upstream-{tip}.ipynb", f"Numpy.upstream-{tip}.ipynb")
    assert done.removed == ()
    assert update(world, clone.path).written == ()
    assert contents(clone.path) == here
    kept = clone.undo(before, world)
    assert sorted(p.name for p in kept) == ["Dask.ipynb", "Numpy.ipynb", "notes.txt", "old.txt"]


def test_update_brings_back_a_removed_file_that_changed(
    upstream: Upstream, clone: Clone, world: World
) -> None:
    """A file that the participant removed stays away until upstream has a new version of it."""
    make(clone, world)
    (clone.path / "Numpy.ipynb").unlink()
    upstream.publish({"Pandas.ipynb": "{2}"})
    update(world, clone.path)
    assert not (clone.path / "Numpy.ipynb").exists()
    upstream.publish({"Numpy.ipynb": "{3}"})
    update(world, clone.path)
    assert (clone.path / "Numpy.ipynb").read_text() == "{3}"


def test_update_with_a_file_in_the_way_of_a_folder(upstream: Upstream, clone: Clone, world: World) -> None:
    """Files that become folders, and the reverse, follow where they may; else upstream's go beside."""
    make(clone, world)
    edit(clone.path / "theirs", "a file")
    edit(clone.path / "data/mine.csv", "mine")
    tip = upstream.publish({"theirs/a.txt": "1", "old.txt": None, "data/city.csv": None})[:7]
    upstream_2 = upstream.publish({"old.txt/now a folder": "1", "data": "now a file"})[:7]
    assert tip != upstream_2
    update(world, clone.path)
    assert contents(clone.path) == {
        "theirs": "a file",
        f"theirs.upstream-{upstream_2}/a.txt": "1",
        "old.txt/now a folder": "1",
        "data/mine.csv": "mine",
        f"data.upstream-{upstream_2}": "now a file",
        "Numpy.ipynb": "{1}",
        "Pandas.ipynb": "{1}",
    }


def test_update_never_writes_through_a_link(upstream: Upstream, clone: Clone, world: World) -> None:
    """A folder that the participant replaced by a link to elsewhere is not followed."""
    make(clone, world)
    elsewhere = world.home / "elsewhere"
    elsewhere.mkdir()
    shutil.rmtree(clone.path / "data")
    (clone.path / "data").symlink_to(elsewhere)
    upstream.publish({"data/city.csv": "2"})
    update(world, clone.path)
    assert list(elsewhere.iterdir()) == []
    assert (clone.path / "data").is_symlink()


def test_update_leaves_commits_and_staged_changes(upstream: Upstream, clone: Clone, world: World) -> None:
    """Who committed or staged keeps branch and index as they are; the files come all the same."""
    make(clone, world)
    edit(clone.path / "Numpy.ipynb", "{mine}")
    git(clone.path, "commit", "-q", "-a", "-m", "mine")
    mine = git(clone.path, "rev-parse", "HEAD")
    tip = upstream.publish({"Numpy.ipynb": "{2}", "Pandas.ipynb": "{2}"})[:7]
    update(world, clone.path)
    assert git(clone.path, "rev-parse", "HEAD") == mine
    assert (clone.path / "Pandas.ipynb").read_text() == "{2}"
    assert (clone.path / f"Numpy.upstream-{tip}.ipynb").read_text() == "{2}"
    assert git(clone.path, "fsck") == ""


def test_update_keeps_what_is_staged(upstream: Upstream, clone: Clone, world: World) -> None:
    """A staged version that differs from the file is not lost."""
    make(clone, world)
    edit(clone.path / "Numpy.ipynb", "{staged}")
    git(clone.path, "add", "Numpy.ipynb")
    edit(clone.path / "Numpy.ipynb", "{later}")
    upstream.publish({"Numpy.ipynb": "{2}"})
    update(world, clone.path)
    assert git(clone.path, "show", ":Numpy.ipynb") == "{staged}"
    assert (clone.path / "Numpy.ipynb").read_text() == "{later}"


def test_update_after_history_was_rewritten(upstream: Upstream, clone: Clone, world: World) -> None:
    """A force-pushed upstream and a renamed default branch are followed like any other version."""
    make(clone, world)
    git(upstream.work, "checkout", "-q", "--orphan", "main")
    (upstream.work / "Numpy.ipynb").write_text("{anew}")
    git(upstream.work, "commit", "-q", "-a", "-m", "anew")
    git(upstream.work, "push", "-q", str(upstream.bare), "main:main")
    git(upstream.bare, "symbolic-ref", "HEAD", "refs/heads/main")
    git(upstream.bare, "branch", "-D", "trunk")
    assert update(world, clone.path).written == ("Numpy.ipynb",)


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("then", ["again", "undo"])
def test_killed_update(
    upstream: Upstream, clone: Clone, world: World, monkeypatch: pytest.MonkeyPatch, after: int, then: str
) -> None:
    """Broken off between any two moves, an update is completed by the next one, and undone by undo."""
    before = make(clone, world)
    edit(clone.path / "Numpy.ipynb", "{mine}")
    tip = upstream.publish(
        {
            "Numpy.ipynb": "{2}",
            "Pandas.ipynb": "{2}",
            "new.ipynb": "{2}",
            "data/city.csv": "2",
            "old.txt": None,
        }
    )
    with monkeypatch.context() as patch:
        _die_after_moves(patch, after)
        with pytest.raises(Killed):
            update(world, clone.path)
    if then == "again":
        update(world, clone.path)
        assert contents(clone.path) == {
            "Numpy.ipynb": "{mine}",
            f"Numpy.upstream-{tip[:7]}.ipynb": "{2}",
            "Pandas.ipynb": "{2}",
            "new.ipynb": "{2}",
            "data/city.csv": "2",
        }
        assert git(clone.path, "rev-parse", "HEAD") == tip
        assert git(clone.path, "status", "--porcelain", "--untracked-files=no") == "M Numpy.ipynb"
    assert clone.undo(before, world) == [clone.path / "Numpy.ipynb"]


def _die_after_moves(patch: pytest.MonkeyPatch, moves: int) -> None:
    """Let an update die when it is about to do the next move after so many."""
    from setup_wizard.git import update as module

    put, left = module._put, [moves]

    def put_or_die(*words: object) -> None:
        if not left[0]:
            raise Killed
        left[0] -= 1
        put(*words)  # type: ignore[arg-type]

    def die(*_: object) -> None:
        raise Killed

    patch.setattr(module, "_clear", lambda _: None)
    patch.setattr(module, "_put", put_or_die)
    patch.setattr(module, "_follow", die)
