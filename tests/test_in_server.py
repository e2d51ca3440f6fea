"""What a session adds to Jupyter's server, in a real one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import session_parts as parts

from setup_wizard import access, launch, proof, session
from setup_wizard.jupyter import addition, countdown, idle
from setup_wizard.jupyter.nook import Nook
from setup_wizard.world import Ask

pytestmark = pytest.mark.real
POLLS = (
    "api/kernels",
    "api/sessions",
    "api/terminals",
    "api/contents?content=1",
    "api/me",
    "lab/api/settings",
)
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
        addition.allow(parts.nook_of(mine), access.exactly(now))
        parts.until(lambda now=now: accepted(now))
        assert not accepted(before)
        assert not accepted(f"{now}.evil.example")
    assert launch.stop(world, mine)


def test_a_page_that_is_only_open_is_no_work_and_saving_is(jupyter_prefix: Path, tmp_path: Path) -> None:
    """A visible page asks for news and writes down how it looks, all the time; who saves a file works."""
    world = parts.machine(tmp_path)
    mine, address = parts.begun(world, parts.job(world, jupyter_prefix))
    parts.start_kernel(world, mine)
    parts.ask(world, mine, "api/terminals", "POST", b"{}")

    def done() -> float:
        """When something was done last; now, while something is at work."""
        token = session.secret(mine, "token")
        idle_for = idle.idle_for(world, address.url, token, parts.nook_of(mine))
        return world.now() - idle_for

    parts.until(lambda: world.now() - done() > 1)  # the kernel and the shell have said what they say at first
    began = world.now()
    assert {parts.ask(world, mine, poll).status for poll in POLLS} == {200}
    looks = json.dumps({"data": {}, "metadata": {"id": "default"}}).encode()
    assert parts.ask(world, mine, "lab/api/workspaces/default", "PUT", looks).status == 204
    assert done() < began
    proof.prove(world, launch.target_of(mine, address))  # what the job does by itself is no work either
    parts.until(lambda: done() < began)
    file = json.dumps({"type": "file", "format": "text", "content": "a word"}).encode()
    assert parts.ask(world, mine, "api/contents/notes.txt", "PUT", file).status == 201
    assert done() > began
    assert launch.stop(world, mine)


def test_the_page_tells_that_nothing_is_done(tmp_path: Path) -> None:
    """Before a session ends for want of work the page knows when; when it is put off, it knows that too."""
    nook = Nook(tmp_path)
    nook.static.mkdir()
    page, told = countdown.Page(nook), nook.static / "end.json"
    for over, wanting, says in (
        (0, 0, None),
        (5000, 0, {"at": 5000, "idle": False}),
        (5000, 1500, {"at": 1500, "idle": True}),
        (1200, 1500, {"at": 1200, "idle": False}),
        (0, 1500, {"at": 1500, "idle": True}),
        (0, 0, None),
        (0, 2000, None),
    ):
        page.tell(1000, over, wanting)
        assert (json.loads(told.read_text()) if told.exists() else None) == says
