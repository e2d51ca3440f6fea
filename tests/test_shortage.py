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
def test_bytes_and_files_have_to_fit(size: int, files: int) -> None:
    """More bytes or more files than are free stop the plan, and the fix is another place."""
    need = Need(Path("/data"), "ext4", size, files, 10, 10)
    with pytest.raises(MachineBlocks, match="/data") as e:
        refuse_shortage(Totals(0, False, (need,)))
    assert "--prefix" in e.value.fix
    refuse_shortage(Totals(0, False, (Need(Path("/data"), "ext4", 10, 10, 10, None),)))


def test_steps_on_one_file_system_are_added_up(world: World) -> None:
    """Two steps that fit alone and not together are refused."""
    free = world.disk(world.home).free_bytes
    some = Forecast(bytes_on_disk=int(free * 0.6), files=1, where=world.home / "a")
    more = Forecast(bytes_on_disk=int(free * 0.6), files=1, where=world.home / "b/c")
    one, two = (Reviewed(STEP, Done(), costs) for costs in (some, more))
    refuse_shortage(totals([one], world))
    with pytest.raises(MachineBlocks):
        refuse_shortage(totals([one, two], world))
