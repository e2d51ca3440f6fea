"""The list of environments that conda keeps in the home."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from setup_wizard.conda import registry
from setup_wizard.trees import picture
from setup_wizard.world import World
from tests.channels import channel, fruits
from tests.program import Account

OURS = Path("/data/miniconda3")


@pytest.mark.parametrize("before", ["", "/a\n", "/a\n/b", "\n/a\n\n", "/a\r\n/b\r\n", "/caf\udce9\n"])
def test_what_was_registered_is_taken_out_to_the_byte(world: World, before: str) -> None:
    """`unregister` is the exact inverse of `register`, whatever the file looks like."""
    file = registry.path(world)
    file.parent.mkdir()
    file.write_bytes(before.encode("utf-8", "surrogateescape"))
    file.chmod(0o600)

    registry.register(world, OURS)
    assert OURS in registry.listed(world)
    registry.unregister(world, OURS)

    assert file.read_bytes() == before.encode("utf-8", "surrogateescape")
    assert file.stat().st_mode & 0o777 == 0o600


def test_an_environment_is_listed_once(world: World) -> None:
    """A second `register` changes nothing, not even the time of the file."""
    registry.register(world, OURS)
    written = registry.path(world).stat().st_mtime_ns
    registry.register(world, OURS)
    assert registry.path(world).read_text() == f"{OURS}\n"
    assert registry.path(world).stat().st_mtime_ns == written


def test_forgetting_in_an_empty_home_makes_no_file(world: World) -> None:
    """`unregister` where there is no list leaves no list."""
    registry.unregister(world, OURS)
    assert not registry.path(world).exists()


def test_only_the_whole_line_counts(world: World) -> None:
    """A prefix inside another prefix's line is not taken for it."""
    registry.register(world, OURS / "envs" / "jupyter")
    registry.register(world, OURS)
    registry.unregister(world, OURS)
    assert registry.listed(world) == [OURS / "envs" / "jupyter"]


def test_two_at_once_lose_nothing(world: World) -> None:
    """Many processes that register at the same time are all listed in the end."""
    import multiprocessing

    prefixes = [Path(f"/p/{n}") for n in range(8)]
    workers = [multiprocessing.Process(target=registry.register, args=(world, p)) for p in prefixes]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(registry.listed(world)) == prefixes


def test_without_a_list_it_works_all_the_same(tmp_path: Path) -> None:
    """Where conda's list cannot be written an environment is made and taken back; a warning says so."""
    home, url = tmp_path / "home", channel(tmp_path / "channels/fruits", fruits())
    account, prefix = Account(home), home / "somewhere/fruits"
    (home / ".conda").write_text("a file in the place of the folder")
    before = picture(home)
    words = ("-p", str(prefix), "-c", url, "pear", "--no-byte-code", "--yes", "--json")
    made = account.run("env", "create", *words)
    assert made.returncode == 0, made.stderr
    (warning,) = json.loads(made.stdout)["warnings"]
    assert warning.startswith(
        f"conda env list may not show {prefix}: {home}/.conda/environments.txt could not"
    )
    assert registry.listed(World(home, account.env)) == []
    assert account.facts("status")["environments"][0]["prefix"] == str(prefix)
    ended = account.run("undo", "--yes")
    assert ended.returncode == 0, ended.stderr
    assert picture(home) == before
