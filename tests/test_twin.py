"""A second environment like one that is there is linked from it, and is what the engine would have made."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from setup_wizard.conda import contents, damage, environment, relocate, twin
from setup_wizard.conda.spec import EnvSpec
from setup_wizard.mirror.archive import PLACEHOLDER
from setup_wizard.mirror.python import python_package
from setup_wizard.mirror.tiny import stub, tiny_packages
from setup_wizard.trees import picture
from setup_wizard.world import World
from tests.channels import channel, spec

SAYS = f"#!/bin/sh\necho {PLACEHOLDER} {PLACEHOLDER}/lib\n".encode()
SCRIPT = b"#!/bin/sh\necho $PREFIX > $PREFIX/share/said\n"
ALL = ("python", "tiny-tools", "says", "plain")
DIFFERS = {
    "conda-meta/history",
    "conda-meta/hpc-jupyter-setup",
}  # names the place; has the time of its making


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A channel with Python, an entry point, a file that holds the prefix twice, and a link script."""
    says = stub("says", files={"bin/says": SAYS}, noarch="generic")
    plain = stub("plain", files={"share/plain": b"plain", "share/deep/er/plain": b"2"}, noarch="generic")
    script = stub("script", files={"bin/.script-post-link.sh": SCRIPT, "share/s": b"1"}, noarch="generic")
    folder = tmp_path_factory.mktemp("channels") / "twins"
    return channel(folder, [python_package(), *tiny_packages(), says, plain, script])


@pytest.fixture
def first(world: World, url: str) -> EnvSpec:
    """What the environment `envs/a` was made of."""
    asked = spec(world.home.parent, [url], ALL)
    environment.create(world, at(world, "a"), asked)
    return asked


def at(world: World, name: str) -> Path:
    """The prefix of an environment."""
    return world.home / "envs" / name


@pytest.fixture
def linked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each copy that was tried came about."""
    tried: list[bool] = []
    copy = twin.copy

    def watched(*args: object) -> None:
        tried.append(False)
        copy(*args)  # type: ignore[arg-type]
        tried[-1] = True

    monkeypatch.setattr(twin, "copy", watched)
    return tried


def test_what_is_linked_is_what_the_engine_makes(world: World, first: EnvSpec, linked: list[bool]) -> None:
    """The same files with the same bytes and modes, the records' hashes included; and programs run."""
    wanted = environment.solve(world, at(world, "b"), first)
    environment.create(world, at(world, "b"), first, wanted=wanted.packages)
    assert linked == [True]
    by_twin = picture(at(world, "b"))
    elsewhere = World(world.home, {**world.env})
    os.rename(at(world, "a"), at(world, "a.away"))
    os.rename(at(world, "b"), at(world, "b.away"))
    environment.create(elsewhere, at(world, "b"), first)
    assert linked == [True]
    by_engine = picture(at(world, "b"))
    assert set(by_twin) == set(by_engine)
    assert {p for p in by_twin if by_twin[p] != by_engine[p] and not p.endswith(".json")} <= DIFFERS
    for stem in contents.stems(at(world, "b")):
        records = [
            json.loads((at(world, n) / f"conda-meta/{stem}.json").read_bytes()) for n in ("b", "b.away")
        ]
        assert records[0] == records[1]
    said = subprocess.run([at(world, "b") / "bin/says"], capture_output=True, text=True, check=True).stdout
    assert said == f"{at(world, 'b')} {at(world, 'b')}/lib\n"


def test_files_are_shared(world: World, first: EnvSpec) -> None:
    """What holds no prefix is one file with the twin's; no trace of the other place, nothing beside."""
    environment.create(world, at(world, "b"), first)
    assert os.path.samefile(at(world, "a") / "share/plain", at(world, "b") / "share/plain")
    assert sorted(os.listdir(world.home / "envs")) == ["a", "b"]
    for path in (at(world, "b") / "bin").iterdir():
        assert str(at(world, "a")).encode() not in path.read_bytes()
    assert environment.standing(world, at(world, "b"), first) == "complete"


def _edit(prefix: Path) -> None:
    os.truncate(prefix / "share/plain", 0)


def _remove(prefix: Path) -> None:
    (prefix / "share/deep/er/plain").unlink()


def _edit_with_prefix(prefix: Path) -> None:
    path = prefix / "bin/says"
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"echo", b"true"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("harm", [_edit, _remove, _edit_with_prefix])
def test_a_harmed_twin_is_no_source(
    world: World, first: EnvSpec, linked: list[bool], harm: Callable[[Path], None]
) -> None:
    """A changed or lost file is not copied: the engine installs, and the new one is in order."""
    harm(at(world, "a"))
    environment.create(world, at(world, "b"), first)
    assert linked == [False]
    assert (at(world, "b") / "share/plain").read_bytes() == b"plain"
    assert (at(world, "b") / "share/deep/er/plain").read_bytes() == b"2"
    assert b"echo" in (at(world, "b") / "bin/says").read_bytes()


def test_other_packages_are_not_taken_for_the_same(world: World, url: str, linked: list[bool]) -> None:
    """Where the solution is another than what the twin holds, the engine installs."""
    old = spec(world.home.parent, [url], ["plain"])
    environment.create(world, at(world, "c"), old)
    solution = environment.solve(world, at(world, "d"), old)
    changed = environment.Solution(tuple(msgspec.structs.replace(p, build="9") for p in solution.packages))
    environment.create(world, at(world, "d"), old, wanted=changed.packages)
    assert linked == [False]
    assert contents.stems(at(world, "d")) == ("plain-1.0-0",)


def test_link_scripts_are_run_anew(world: World, url: str, linked: list[bool]) -> None:
    """What a script did at one place is not taken to another: such environments are installed."""
    asked = spec(world.home.parent, [url], ["script"])
    for name in ("a", "b"):
        environment.create(world, at(world, name), asked)
    assert linked == []
    assert (at(world, "b") / "share/said").read_text() == f"{at(world, 'b')}\n"


def test_what_a_killed_copy_left_is_begun_anew(world: World, first: EnvSpec, linked: list[bool]) -> None:
    """Half an environment beside the place, of the same request, does no harm."""
    building = world.home / "envs/.b.building"
    (building / "share").mkdir(parents=True)
    (building / "share/plain").write_bytes(b"half")
    (building / "conda-meta").mkdir()
    whole = contents.whole(at(world, "a"))
    assert whole is not None
    (building / "conda-meta/hpc-jupyter-setup.building").write_text(whole.spec)
    environment.create(world, at(world, "b"), first)
    assert linked == [True]
    assert (at(world, "b") / "share/plain").read_bytes() == b"plain"
    assert not building.exists()


@pytest.mark.parametrize("after", [1, 300, 10_000])
def test_killed_in_the_midst_of_linking(world: World, first: EnvSpec, linked: list[bool], after: int) -> None:
    """Nothing looks whole; the next run completes it and leaves nothing beside; the twin stays as it was."""
    before = picture(at(world, "a"))
    wanted = environment.solve(world, at(world, "b"), first)
    victim = multiprocessing.get_context("fork").Process(target=_until, args=(after, world, first, wanted))
    victim.start()
    victim.join()
    assert victim.exitcode == -signal.SIGKILL
    assert not at(world, "b").exists()
    environment.create(world, at(world, "b"), first, wanted=wanted.packages)
    assert linked == [True]
    assert damage.look(at(world, "b")).flaws == {}
    assert sorted(os.listdir(world.home / "envs")) == ["a", "b"]
    assert picture(at(world, "a")) == before


def _until(links: int, world: World, asked: EnvSpec, wanted: environment.Solution) -> None:
    """Make the environment, and die after so many links, or when the folder is about to be renamed."""
    link, made = os.link, 0

    def counted(*args: object, **more: object) -> None:
        nonlocal made
        made += 1
        if made == links:
            os.kill(os.getpid(), signal.SIGKILL)
        link(*args, **more)  # type: ignore[arg-type]

    os.link = counted
    os.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    environment.create(world, at(world, "b"), asked, wanted=wanted.packages)


# --- the prefix inside files ----------------------------------------------------------------------------


@pytest.mark.parametrize("new", ["/n", "/old/one", "/a/longer/place/than/before"])
def test_strings_of_c_keep_their_length(new: str) -> None:
    """Each string says the new prefix, several times if need be; nothing behind it moves, both ways."""
    room, old = 40, "/old/one"

    def built(prefix: str) -> bytes:
        strings = [f"{prefix}/lib", f"a={prefix}/x:{prefix}/y", prefix]
        fill = [b"\0" * (room - len(prefix)) * s.count(prefix) for s in strings]
        return b"\x7fELF" + b"".join(s.encode() + f + b"\0|" for s, f in zip(strings, fill, strict=True))

    assert relocate.in_binary(built(old), old, new, room) == built(new)
    assert relocate.in_binary(built(new), new, old, room) == built(old)


def test_what_has_no_room_is_refused() -> None:
    """A prefix longer than the room, a string that was not filled up, a first line that gets too long."""
    with pytest.raises(relocate.Unfit):
        relocate.in_binary(b"/old\0\0\0\0", "/old", "/much/longer", 8)
    with pytest.raises(relocate.Unfit):
        relocate.in_binary(b"/old/lib\0|next", "/old", "/new/x", 40)
    with pytest.raises(relocate.Unfit):
        relocate.in_text(b"#!/old/bin/python\n", "/old", "/" + "x" * 130)


def test_a_text_says_the_new_prefix_everywhere() -> None:
    """Bytes that are not UTF-8 stay as they are."""
    assert relocate.in_text(b"#!/old/bin/p\n\xff /old\n", "/old", "/new") == b"#!/new/bin/p\n\xff /new\n"
