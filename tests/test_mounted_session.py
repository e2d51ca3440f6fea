"""A session whose environment is a squashed image: mounted by the real squashfuse, else taken out."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import session_parts as parts

from setup_wizard import launch, session
from setup_wizard.conda import environment, pack, squashed
from setup_wizard.jupyter import nook, unpacked
from setup_wizard.jupyter.nook import Nook
from setup_wizard.mirror.archive import PLACEHOLDER
from setup_wizard.mirror.tiny import stub
from setup_wizard.session import Place
from setup_wizard.steps import Kernel
from setup_wizard.trees import picture
from setup_wizard.world import Progress, World, silent
from tests import images
from tests.channels import channel, spec
from tests.session_parts import Node, a_nook

SAYS = f"#!/bin/sh\necho {PLACEHOLDER}\n".encode()

pytestmark = images.needs_mksquashfs


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small environment with a program that says its prefix, and the image of it."""
    folder = tmp_path_factory.mktemp("small")
    world = World(folder, dict(os.environ))
    package = stub("python", files={"bin/python3": SAYS, "share/data": b"1"}, noarch="generic")
    environment.create(
        world, folder / "envs/a", spec(folder, [channel(folder / "channel", [package])], ["python"])
    )
    (folder / "envs/a/bin/python3").chmod(0o755)
    squashed.write(world, folder / "a.squashfs", pack.survey(world, folder / "envs/a", "a"), silent)
    return folder / "envs/a", folder / "a.squashfs"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node with an empty home."""
    (tmp_path / "home").mkdir()
    return Node(tmp_path / "home", {"PATH": os.environ["PATH"]})


def only(folder: Path, *programs: str) -> str:
    """A PATH with nothing but those programs."""
    folder.mkdir()
    for program in programs:
        (folder / program).symlink_to(shutil.which(program) or "/nowhere")
    return str(folder)


def die(mine: Nook) -> None:
    """Let the nook be that of a session that was killed."""
    owner = (mine.path / nook.OWNER).read_text().split("\n")
    (mine.path / nook.OWNER).write_text("\n".join([*owner[:3], "1", "never"]))


@images.needs_fuse
def test_it_is_mounted(node: Node, small: tuple[Path, Path]) -> None:
    """It runs from links into the image, which only the end of the session takes away, and no signal."""
    prefix, file = small
    mine = a_nook(node)
    copy = unpacked.make(node, mine, unpacked.Source(file, prefix), silent)
    assert (copy.prefix, copy.note) == (mine.copy, "")
    assert (
        subprocess.run([mine.copy / "bin/python3"], capture_output=True).stdout == f"{mine.copy}\n".encode()
    )
    assert (mine.copy / "share/data").resolve() == mine.image / "share/data"
    (server,) = images.servers(mine.image)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(server, number)
    assert (mine.copy / "share/data").read_bytes() == b"1"
    nook.leave(node, mine, patience=1)
    assert not mine.path.exists()
    parts.until(lambda: not images.servers(mine.image))


@images.needs_fuse
@pytest.mark.parametrize("served", [True, False])
def test_the_next_session_clears_away(node: Node, small: tuple[Path, Path], served: bool) -> None:
    """Also when all was killed, so that the place is there, and nobody answers in it."""
    mine = a_nook(node)
    unpacked.make(node, mine, unpacked.Source(small[1], small[0]), silent)
    die(mine)
    if not served:
        os.kill(images.servers(mine.image)[0], signal.SIGKILL)
        parts.until(lambda: not images.servers(mine.image))
        assert images.is_mounted(mine.image)
    nook.sweep(node)
    assert not images.is_mounted(mine.image)
    assert not os.path.lexists(mine.path)
    parts.until(lambda: not images.servers(mine.image))


@images.needs_fuse
def test_what_cannot_be_unmounted_stays_to_be_swept(node: Node, small: tuple[Path, Path]) -> None:
    """Nothing is removed through a mounted image; once it can be unmounted, it is."""
    mine, path = a_nook(node), node.env["PATH"]
    unpacked.make(node, mine, unpacked.Source(small[1], small[0]), silent)
    node.env["PATH"] = "/nowhere"
    nook.leave(node, mine, patience=1)
    assert images.is_mounted(mine.image)
    node.env["PATH"] = path
    die(mine)
    nook.sweep(node)
    assert not os.path.lexists(mine.path)


@images.needs_fuse
def test_an_end_while_it_links_leaves_nothing(node: Node, small: tuple[Path, Path]) -> None:
    """A signal is taken between two links, as between two files of an archive."""
    mine = a_nook(node)

    def told(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpacked.make(node, mine, unpacked.Source(small[1], small[0]), told)
    nook.leave(node, mine, patience=1)
    assert not os.path.lexists(mine.path)


def test_where_it_cannot_be_mounted_it_is_taken_out(
    node: Node, small: tuple[Path, Path], tmp_path: Path
) -> None:
    """Without squashfuse the files go to a disk of the node; the user need not know, the log says why."""
    node.env["PATH"] = only(tmp_path / "bin", "unsquashfs", "sh")
    mine = a_nook(node)
    copy = unpacked.make(node, mine, unpacked.Source(small[1], small[0]), silent)
    assert (copy.prefix, copy.note) == (mine.copy, "")
    assert "squashfuse is not on this node" in copy.said
    assert (
        subprocess.run([mine.copy / "bin/python3"], capture_output=True).stdout == f"{mine.copy}\n".encode()
    )
    assert not (mine.copy / "share/data").is_symlink()
    nook.leave(node, mine, patience=1)
    assert not mine.path.exists()


def test_where_neither_can_be_it_runs_as_it_is(node: Node, small: tuple[Path, Path], tmp_path: Path) -> None:
    """The reason is told with the address: no program for it, or an image that is damaged."""
    node.env["PATH"] = "/nowhere"
    mine = a_nook(node)
    copy = unpacked.make(node, mine, unpacked.Source(small[1], small[0]), silent)
    assert copy.prefix == small[0]
    assert "unsquashfs takes files out of such images" in copy.note
    cut = tmp_path / "cut.squashfs"
    cut.write_bytes(small[1].read_bytes()[:-5])
    node.env["PATH"] = os.environ["PATH"]
    copy = unpacked.make(node, mine, unpacked.Source(cut, small[0]), silent)
    assert "is not an environment packed by this program" in copy.note
    assert sorted(p.name for p in mine.path.iterdir()) == [nook.OWNER, "run", "static"]
    nook.leave(node, mine, patience=1)


# --- with a real Jupyter ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A real conda environment with JupyterLab, and the image of it."""
    return parts.packed_lab(tmp_path_factory.mktemp("lab"), "squashfs")


@pytest.mark.real
@images.needs_fuse
def test_jupyter_and_its_kernels_run_from_the_image(lab: tuple[Path, Path], tmp_path: Path) -> None:
    """Proven there, its pages too; the user's own kernel of it starts from there; stopped, all is gone."""
    prefix, file = lab
    world = parts.machine(tmp_path)
    world.env["XDG_DATA_HOME"] = str(world.home / "data")
    Kernel("mine", prefix).apply(world, silent)
    before = picture(world.home / "data")
    launched = launch.launch(world, parts.job(world, prefix, packed=file))
    mine = launched.session
    where = parts.nook_of(mine)
    assert images.is_mounted(where.image)
    assert session.read(mine.folder, Place).prefix == where.copy  # type: ignore[union-attr]
    assert launched.proof.kernel_prefix == str(where.copy)
    assert launched.address.warning == ""
    specs = json.loads(parts.ask(world, mine, "api/kernelspecs").body)["kernelspecs"]
    assert specs["mine"]["spec"]["argv"][0] == f"{where.copy}/bin/python"
    page = parts.ask(world, mine, "lab")
    assert page.status == 200
    script = page.text.split('<script defer="defer" src="/')[1].split('"')[0]
    assert parts.ask(world, mine, script).status == 200
    launch.stop(world, mine)
    parts.assert_nothing_left(world, mine)
    parts.until(lambda: not images.servers(where.image))
    assert picture(world.home / "data") == before


@pytest.mark.real
@images.needs_fuse
def test_a_session_that_was_killed_is_unmounted(lab: tuple[Path, Path], tmp_path: Path) -> None:
    """SIGKILL for serve: Jupyter ends, and the next look at the sessions takes the image away."""
    world = parts.machine(tmp_path)
    mine, _ = parts.begun(world, parts.job(world, lab[0], packed=lab[1]))
    where, jupyter = parts.nook_of(mine), parts.jupyter_of(world, mine)
    parts.until(lambda: session.read(mine.folder, session.Proven))  # else Jupyter waits for its kernel
    os.kill(parts.serve_of(mine).pid, signal.SIGKILL)
    parts.until(lambda: not world.born(jupyter))
    assert images.is_mounted(where.image)
    (row,) = launch.sessions(world)
    assert row.state == "died"
    parts.assert_nothing_left(world, mine)
    parts.until(lambda: not images.servers(where.image))
