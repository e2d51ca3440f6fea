"""A session whose environment is unpacked on the node's own disk: it runs from there, and leaves nothing."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import session_parts as parts

from setup_wizard import launch, orders, session
from setup_wizard.conda import environment, pack, packed
from setup_wizard.container import Container
from setup_wizard.environments import packs
from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.journal import Journal
from setup_wizard.jupyter import nook, unpacked
from setup_wizard.mirror.tiny import stub
from setup_wizard.schedulers import Resources
from setup_wizard.session import Address, End, Place
from setup_wizard.steps import Kernel
from setup_wizard.trees import picture
from setup_wizard.world import Progress, World, silent
from tests.channels import channel, spec
from tests.session_parts import Node, a_nook

SAYS = b"#!/bin/sh\necho No module named jupyterlab >&2\nexit 1\n"
OTHER_DISK = Path("/dev/shm")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small environment with a kernel of some language, and the file in which it is packed."""
    folder = tmp_path_factory.mktemp("small")
    world = World(folder, dict(os.environ))
    python = stub("python", files={"bin/python3": SAYS}, noarch="generic")
    url = channel(folder / "channel", [python])
    environment.create(world, folder / "envs/a", spec(folder, [url], ["python"]))
    (folder / "envs/a/bin/python3").chmod(0o755)
    file = folder / "a.tar.zst"
    pack.write(file, "tar.zst", pack.survey(world, folder / "envs/a", "a"), silent)
    return folder / "envs/a", file


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node with an empty home, and a disk of its own in a folder."""
    (tmp_path / "home").mkdir()
    (tmp_path / "local").mkdir()
    return Node(tmp_path / "home", {"PATH": os.environ["PATH"], "LOCAL": str(tmp_path / "local")})


def test_where_it_goes(node: Node, small: tuple[Path, Path]) -> None:
    """The site's folder first, if its variables are the job's, it is a disk of the node, and has the room."""
    prefix, file = small
    mine, local = a_nook(node), Path(node.env["LOCAL"])
    folders = ("/scratch/$NOT_OF_THIS_JOB", "/no/such", "$LOCAL")
    source = unpacked.Source(file, prefix, folders)
    free = node.disk(local)
    for disk in (replace(free, kind="lustre"), replace(free, free_bytes=1), replace(free, noexec=True)):
        node.disks[local] = disk
        assert next(iter(unpacked._bases(node, mine, source))) == local
        copy = unpacked.make(node, mine, source, silent)
        assert copy[:2] == (mine.copy.resolve(), "")
        nook.remove_copy(node, mine)
    nook.leave(node, mine, patience=1)
    assert os.listdir(local) == []


@pytest.mark.skipif(not os.access(OTHER_DISK, os.W_OK), reason="there is only one disk")
def test_on_another_disk_it_goes_with_the_nook(node: Node, small: tuple[Path, Path]) -> None:
    """Also when the session was killed so hard that only the next one on this node clears away."""
    before = set(os.listdir(OTHER_DISK))
    mine = a_nook(node)
    node.disks[OTHER_DISK] = replace(node.disk(OTHER_DISK), kind="ext4")
    source = unpacked.Source(small[1], small[0], (str(OTHER_DISK),))
    copy = unpacked.make(node, mine, source, silent)
    assert copy.prefix.parent == OTHER_DISK
    assert (copy.prefix / "bin/python3").exists()
    owner = (mine.path / nook.OWNER).read_text().split("\n")
    (mine.path / nook.OWNER).write_text("\n".join([*owner[:3], "1", "never"]))  # its process is gone
    nook.sweep(node)
    assert not mine.path.exists()
    assert set(os.listdir(OTHER_DISK)) == before


def test_no_room_is_a_sentence(node: Node, small: tuple[Path, Path]) -> None:
    """It runs as it is where there is room nowhere; it is an error only where that cannot be."""
    prefix, file = small
    mine = a_nook(node)
    node.disks[mine.path.parent] = replace(node.disk(mine.path.parent), free_bytes=10)
    copy = unpacked.make(node, mine, unpacked.Source(file, prefix), silent)
    assert copy.prefix == prefix
    assert copy.note.startswith(f"It runs from {prefix}, and not from a disk of the node: It takes 0 MB and ")
    assert f"{mine.path.parent} has 0 MB" in copy.note
    with pytest.raises(MachineBlocks, match="has 0 MB"):
        unpacked.make(node, mine, unpacked.Source(file, prefix / "gone"), silent)
    nook.leave(node, mine, patience=1)


def test_what_takes_too_long_is_given_up(
    node: Node, small: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it can run as it is, nobody waits longer for the copy than for Jupyter; else it is waited for."""
    prefix, file = small
    mine = a_nook(node)
    monkeypatch.setattr(unpacked, "PATIENCE", -1.0)
    copy = unpacked.make(node, mine, unpacked.Source(file, prefix), silent)
    assert copy.prefix == prefix
    assert "takes more than" in copy.note
    assert not mine.copy.exists()
    copy = unpacked.make(node, mine, unpacked.Source(file, prefix / "gone"), silent)
    assert copy[:2] == (mine.copy, "")
    nook.leave(node, mine, patience=1)


def test_an_end_while_it_unpacks_leaves_nothing(node: Node, small: tuple[Path, Path]) -> None:
    """A signal is taken between two files; a damaged file leaves no half of an environment."""
    prefix, file = small
    mine = a_nook(node)

    def told(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpacked.make(node, mine, unpacked.Source(file, prefix), told)
    nook.remove_copy(node, mine)
    cut = node.home / "cut.tar.zst"
    cut.write_bytes(file.read_bytes()[:-5])
    copy = unpacked.make(node, mine, unpacked.Source(cut, prefix), silent)
    assert copy.prefix == prefix
    assert "is damaged" in copy.note
    assert not mine.copy.exists()
    nook.leave(node, mine, patience=1)


# --- what was asked for -----------------------------------------------------------------------------------


def test_the_site_says_it_and_the_user_overrules(tmp_path: Path, small: tuple[Path, Path]) -> None:
    """Only a site's file makes it the rule, only for jobs; a flag says otherwise; an image is one already."""
    sites = tmp_path / "sites"
    sites.mkdir()
    (sites / "slow.yml").write_text(
        "name: slow\ntitle: x\nscheduler: slurm\npacked: true\nscratch: [/l/$USER]\n"
    )
    world = World(tmp_path, {"PATH": os.environ["PATH"], "HPC_JUPYTER_SETUP_SITES": str(sites), "USER": "u"})
    kept = packs.kept_at(world, small[0])

    def order(**more: object) -> tuple[Path | None, tuple[str, ...]]:
        asked = {"prefix": small[0], "folder": tmp_path, "site": "slow", "resources": Resources(), **more}
        job = orders.order(world, orders.Wish(**asked)).job  # type: ignore[arg-type]
        return job.packed, job.local

    assert order() == (kept, ("/l/$USER",))
    assert order(scratch="/s") == (kept, ("/s", "/l/$USER"))
    assert order(packed=False)[0] is None
    assert order(here=True)[0] is None
    assert order(here=True, packed=True)[0] == kept
    assert order(site="generic-slurm")[0] is None
    assert order(site="generic-slurm", pack=small[1])[0] == small[1]
    assert order(container=Container("x.sif"))[0] is None
    with pytest.raises(BadInput, match="one file already"):
        order(container=Container("x.sif"), packed=True)


def test_it_is_packed_again_when_it_has_changed(tmp_path: Path, small: tuple[Path, Path]) -> None:
    """The kept file is taken as it is until a package comes or goes; a damaged one is made anew."""
    world = World(tmp_path, dict(os.environ) | {"HOME": str(tmp_path)})
    world.env.pop("XDG_CACHE_HOME", None)
    seen: list[Progress] = []
    file = packs.kept(Journal(world), str(small[0]), seen.append)
    assert file == packs.kept_at(world, small[0])
    assert file.stat().st_mode & 0o077 & ~0o044 == 0
    assert seen
    seen.clear()
    assert packs.kept(Journal(world), str(small[0]), seen.append) == file
    assert not seen
    (small[0] / "bin/new").touch()
    packs.kept(Journal(world), str(small[0]), seen.append)
    assert seen
    assert packed.look(file).stamp == pack.stamp(small[0])
    file.write_bytes(b"")
    packs.kept(Journal(world), str(small[0]), silent)
    assert packed.look(file).name == "a"


# --- with a real Jupyter ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A real conda environment with JupyterLab, and the file in which it is packed."""
    return parts.packed_lab(tmp_path_factory.mktemp("lab"))


@pytest.mark.real
def test_jupyter_and_its_kernels_run_from_the_copy(lab: tuple[Path, Path], tmp_path: Path) -> None:
    """Proven there; the user's own kernel of it starts from the copy, too; stopped, all is gone."""
    prefix, file = lab
    world = parts.machine(tmp_path)
    Kernel("mine", prefix).apply(world, silent)
    before = picture(world.home / ".local/share")
    launched = launch.launch(world, parts.job(world, prefix, packed=file))
    mine = launched.session
    copy = session.read(mine.folder, Place).prefix  # type: ignore[union-attr]
    assert copy is not None
    assert launched.proof.kernel_prefix == str(copy)
    assert copy.is_relative_to(parts.nook_of(mine).path)
    assert launched.address.warning == ""
    specs = json.loads(parts.ask(world, mine, "api/kernelspecs").body)["kernelspecs"]
    assert specs["mine"]["spec"]["argv"][0] == f"{copy}/bin/python"
    assert specs["mine"]["spec"]["env"]["CONDA_PREFIX"] == str(copy)
    assert launch.sessions(world)[0].environment == str(prefix)
    launch.stop(world, mine)
    parts.assert_nothing_left(world, mine)
    assert not copy.exists()
    assert picture(world.home / ".local/share") == before


def test_what_it_lacks_is_to_be_mended_where_it_was(small: tuple[Path, Path], tmp_path: Path) -> None:
    """When Jupyter dies for a package, the environment is named that lacks it, not the copy that is gone."""
    prefix, file = small
    world, aside = parts.machine(tmp_path), prefix.with_name("aside")
    prefix.rename(aside)  # else its records say so before anything is started
    try:
        mine = launch.submit(world, parts.job(world, prefix, packed=file))
        parts.until(lambda: session.read(mine.folder, End))
    finally:
        aside.rename(prefix)
    end = session.read(mine.folder, End)
    assert end
    assert end.problem == f"jupyterlab is not installed in {prefix}."
    assert end.fix.startswith(f"conda install -p {prefix} ")


@pytest.mark.real
def test_stopped_while_it_unpacks(lab: tuple[Path, Path], tmp_path: Path) -> None:
    """The session ends at once, as stopped, and nothing is left on the node."""
    world = parts.machine(tmp_path)
    mine = launch.submit(world, parts.job(world, lab[0], packed=lab[1]))
    parts.until(lambda: session.read(mine.folder, Place) and (parts.nook_of(mine).copy / "bin").is_dir())
    place = session.read(mine.folder, Place)
    assert place
    os.kill(place.serve.pid, signal.SIGTERM)
    parts.until(lambda: session.read(mine.folder, End))
    end = session.read(mine.folder, End)
    assert end and end.how == "stopped"  # noqa: PT018
    assert session.read(mine.folder, Address) is None
    parts.assert_nothing_left(world, mine)


@pytest.mark.real
def test_a_damaged_file_is_no_reason_not_to_start(lab: tuple[Path, Path], tmp_path: Path) -> None:
    """It runs from the environment as it is, and says so with the address."""
    prefix, file = lab
    world, cut = parts.machine(tmp_path), tmp_path / "cut.tar.zst"
    cut.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    launched = launch.launch(world, parts.job(world, prefix, packed=cut))
    assert launched.proof.kernel_prefix == str(prefix)
    assert (
        f"It runs from {prefix}, and not from a disk of the node: {cut} is damaged"
        in launched.address.warning
    )
    launch.stop(world, launched.session)
    parts.assert_nothing_left(world, launched.session)
