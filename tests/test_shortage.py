"""A plan that does not fit is refused before anything is begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from setup_wizard.apply import Reviewed
from setup_wizard.cli.work import refuse_shortage
from setup_wizard.errors import MachineBlocks
from setup_wizard.step import Done, Forecast
from setup_wizard.steps import Condarc
from setup_wizard.ui.totals import Need, Totals, totals
from setup_wizard.world import World

STEP = Condarc(path=Path("/home/u/.condarc"), channels=("conda-forge",))


@pytest.mark.parametrize(("size", "files"), [(11, 1), (1, 11)])
def test_bytes_and_files_have_to_fit(world: World, size: int, files: int) -> None:
    """More bytes or more files than are free stop the plan, and the fix is another place."""
    need = Need(Path("/data"), "ext4", size, files, 10, 10)
    with pytest.raises(MachineBlocks, match="/data") as e:
        refuse_shortage(Totals(0, False, (need,)), world)
    assert "--prefix" in e.value.fix
    refuse_shortage(Totals(0, False, (Need(Path("/data"), "ext4", 10, 10, 10, None),)), world)


def test_steps_on_one_file_system_are_added_up(world: World) -> None:
    """Two steps that fit alone and not together are refused."""
    free = world.disk(world.home).free_bytes
    some = Forecast(bytes_on_disk=int(free * 0.6), files=1, where=world.home / "a")
    more = Forecast(bytes_on_disk=int(free * 0.6), files=1, where=world.home / "b/c")
    one, two = (Reviewed(STEP, Done(), costs) for costs in (some, more))
    refuse_shortage(totals([one], world), world)
    with pytest.raises(MachineBlocks):
        refuse_shortage(totals([one, two], world), world)


def test_the_place_that_has_the_room_is_offered(world: World, tmp_path: Path) -> None:
    """The centre's larger file systems are named with what is known of them; those too small are not."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    world.env["SCRATCH"] = str(scratch)
    with pytest.raises(MachineBlocks) as e:
        refuse_shortage(Totals(0, False, (Need(Path("/small/envs/work"), "nfs", 100, 10, 50, None),)), world)
    assert f"centres delete old files there: --prefix {scratch}/work" in e.value.fix
    huge = Need(Path("/small/envs/work"), "nfs", 10**18, 10, 50, None)
    with pytest.raises(MachineBlocks) as e:
        refuse_shortage(Totals(0, False, (huge,)), world)
    assert str(scratch) not in e.value.fix
