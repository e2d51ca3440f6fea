"""A plan that does not fit is refused before anything is begun."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from setup_wizard.apply import Reviewed
from setup_wizard.cli.shortage import refuse_shortage
from setup_wizard.conda import packed
from setup_wizard.errors import MachineBlocks
from setup_wizard.places import Place
from setup_wizard.quota import Quota
from setup_wizard.step import Done, Forecast
from setup_wizard.steps import Condarc
from setup_wizard.ui.totals import Need, Totals, totals
from setup_wizard.world import Disk, World
from tests.channels import channel, fruits, serve
from tests.gardener import Gardener
from tests.web_server import WebServer

HUT = """name: hut
title: The hut
scheduler: local
markers: {environment: {HUT: ""}}
scratch: [$SCRATCH]
purge: {$SCRATCH: after 7 days}
"""
STEP = Condarc(path=Path("/home/u/.condarc"), channels=("conda-forge",))


@pytest.mark.parametrize(("size", "files"), [(11, 1), (1, 11)])
def test_bytes_and_files_have_to_fit(world: World, size: int, files: int) -> None:
    """More bytes or more files than are free stop the plan, and the fix is another place."""
    need = Need(Path("/data"), "ext4", size, files, 10, 10)
    with pytest.raises(MachineBlocks, match="/data") as e:
        refuse_shortage(Totals(0, False, (need,)), [], world)
    assert "--prefix" in e.value.fix
    refuse_shortage(Totals(0, False, (Need(Path("/data"), "ext4", 10, 10, 10, None),)), [], world)


def test_steps_on_one_file_system_are_added_up(world: World) -> None:
    """Two steps that fit alone and not together are refused."""
    free = world.disk(world.home).free_bytes
    some = Forecast(bytes_on_disk=int(free * 0.6), files=1, where=world.home / "a")
    more = Forecast(bytes_on_disk=int(free * 0.6), files=1, where=world.home / "b/c")
    one, two = (Reviewed(STEP, Done(), costs) for costs in (some, more))
    refuse_shortage(totals([one], world), [], world)
    with pytest.raises(MachineBlocks):
        refuse_shortage(totals([one, two], world), [], world)


def test_the_place_that_has_the_room_is_offered(world: World, tmp_path: Path) -> None:
    """The centre's larger file systems are named with what is known of them; those too small are not."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    world.env["SCRATCH"] = str(scratch)
    needed = Need(Path("/small/envs/work"), "nfs", 100, 10, 50, None)
    with pytest.raises(MachineBlocks) as e:
        refuse_shortage(Totals(0, False, (needed,)), [], world)
    assert f"after how long is not known here: --prefix {scratch}/work" in e.value.fix
    (tmp_path / "hut.yml").write_text(HUT)
    world.env |= {"HPC_JUPYTER_SETUP_SITES": str(tmp_path), "HUT": "1"}
    with pytest.raises(MachineBlocks) as e:
        refuse_shortage(Totals(0, False, (needed,)), [], world)
    assert f"scratch ($SCRATCH): files are deleted there after 7 days: --prefix {scratch}/work" in e.value.fix
    huge = Need(Path("/small/envs/work"), "nfs", 10**18, 10, 50, None)
    with pytest.raises(MachineBlocks) as e:
        refuse_shortage(Totals(0, False, (huge,)), [], world)
    assert str(scratch) not in e.value.fix


def test_whose_limit_it_is(world: World) -> None:
    """Where the disk has room and a quota has not, the message says which."""
    need = Need(Path("/data"), "nfs", 10, 1, 5, None, by="the quota of the group wolves")
    with pytest.raises(MachineBlocks, match="free there, by the quota of the group wolves, are 5 B"):
        refuse_shortage(Totals(0, False, (need,)), [], world)
    mine, theirs = Quota("x", 0, 100, 0, None), Quota("x", 0, 50, 0, 5, "group wolves")
    there = Place(Path("/data"), "", Disk(1000, 1000, "nfs"), (mine, theirs))
    bound = [there.bound_by(*needed) for needed in ((40, 1), (60, 1), (40, 6), (200, 1))]
    assert bound == ["", "the quota of the group wolves", "the quota of the group wolves", "your quota"]


@pytest.fixture
def gardener(tmp_path: Path) -> Iterator[Gardener]:
    """An account with a disk of its own for what is temporary, beside a server of small packages."""
    channel(tmp_path / "channel/orchard", fruits())
    with WebServer() as web:
        made = Gardener(tmp_path / "home", serve(web, tmp_path / "channel/orchard"))
        made.env["TMPDIR"] = str(tmp_path / "tmp")
        (tmp_path / "tmp").mkdir()
        yield made


@pytest.fixture
def few(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for few files, and many bytes."""
    point = tmp_path / "few"
    point.mkdir()
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=9", "x", point]).returncode:
        pytest.skip("only root can mount a small file system")
    yield point
    subprocess.run(["umount", "-l", point], check=True)


def test_create_where_there_are_too_few_files_left(gardener: Gardener, few: Path, tmp_path: Path) -> None:
    """Exit 3 and nothing written; each place that is offered is one, the packed file too: as it is said."""
    work = tmp_path / "work"
    work.mkdir()
    gardener.env["WORK"] = str(work)
    code, said = gardener.ill("create", str(gardener.file), "-p", str(few / "basket"), "--yes")
    said = said.replace("~", str(gardener.home))
    assert code == 3, said
    assert re.search(
        r"✘ The plan needs .* and \d+ files at\s+\S+/few/basket;\s+free there are .* and \d files", said
    )
    assert list(few.iterdir()) == []
    assert not (gardener.home / ".local").exists()
    assert not (gardener.home / ".conda").exists()
    assert f"Take your home: --prefix {gardener.home}/basket" in said
    assert f"Take your work file system ($WORK): --prefix {work}/basket" in said
    made, file = f"{tmp_path}/tmp/student/basket", f"{gardener.home}/basket.tar.zst"
    assert f"the same command with --prefix {made}" in said
    assert f"hpc-jupyter-setup env pack {made} -o {file}" in said
    assert f"hpc-jupyter-setup launch --from-pack {file}" in said
    gardener.well("create", str(gardener.file), "-p", made, "--yes")
    gardener.well("pack", made, "-o", file)
    assert packed.look(Path(file)).name == "basket"
    code, said = gardener.ill("unpack", file, "-p", str(few / "again"), "--yes")
    assert (code, list(few.iterdir())) == (3, [])
    assert f"hpc-jupyter-setup launch --from-pack {file}" in said.replace("~", str(gardener.home))


def test_a_pack_is_no_way_out_of_too_few_bytes(gardener: Gardener, few: Path) -> None:
    """Where the bytes do not fit, another place is offered, and no file."""
    subprocess.run(["mount", "-o", "remount,size=4k,nr_inodes=1000", few], check=True)
    code, said = gardener.ill("create", str(gardener.file), "-p", str(few / "basket"), "--yes")
    assert (code, list(few.iterdir())) == (3, [])
    assert "Take your home: --prefix" in said
    assert "env pack" not in said
