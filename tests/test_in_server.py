"""What a session adds to Jupyter's server, in a real one."""

from __future__ import annotations

from pathlib import Path

import pytest
import session_parts as parts

from setup_wizard import access
from setup_wizard.jupyter import origin
from setup_wizard.world import Ask

pytestmark = pytest.mark.real
ONE, TWO = "https://one.rps.test", "https://two.rps.test"


@pytest.mark.parametrize("interface", ["lab", "notebook"])
def test_the_foreign_origin_can_change_while_it_runs(
    jupyter_prefix: Path, tmp_path: Path, interface: str
) -> None:
    """Only the origin that was told last is accepted: not the one before, and no other."""
    world = parts.machine(tmp_path)
    mine, address = parts.begun(world, parts.job(world, jupyter_prefix, interface=interface))

    def accepted(foreign: str) -> bool:
        reply = world.call(Ask(f"{address.url}api", headers={"Origin": foreign}))
        return reply.headers.get("access-control-allow-origin") == foreign

    assert not accepted(ONE)
    for now, before in ((ONE, TWO), (TWO, ONE)):
        origin.allow(parts.nook_of(mine), access.exactly(now))
        parts.until(lambda now=now: accepted(now))
        assert not accepted(before)
        assert not accepted(f"{now}.evil.example")
    assert parts.launch.stop(world, mine)
