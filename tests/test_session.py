"""Sessions on disk, and this machine as a scheduler."""

from __future__ import annotations

import json
import os
import resource
import stat
import subprocess
from pathlib import Path

import msgspec
import pytest

from setup_wizard import access, schedulers, session
from setup_wizard.access import Ticket
from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.schedulers import Gone, Running, Unknown
from setup_wizard.schedulers.local import Local, job_id
from setup_wizard.session import Address, Damaged, End, Job, Session
from setup_wizard.world import Output, World


def reserved(world: World) -> Session:
    job = Job(world.home / "env", world.home, "notebook", idle_minutes=5)
    return session.reserve(world, job, session.this_process(world))


# --- on disk --------------------------------------------------------------------------------------------


def test_a_session_is_its_owners_alone(world: World) -> None:
    """The folder is 0700 and every file in it 0600, whatever the umask; two sessions share no secret."""
    old = os.umask(0o002)
    try:
        one, two = reserved(world), reserved(world)
    finally:
        os.umask(old)
    for folder in (session.home(world), one.folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(f.stat().st_mode) for f in one.folder.iterdir()} == {0o600}
    for name in ("token", "cookie", "identity"):
        assert session.secret(one, name) != session.secret(two, name)
        assert len(session.secret(one, name)) >= 64


def test_a_session_comes_back_as_it_was_saved(world: World) -> None:
    """What is loaded is what was saved; the folder's place and name are where it is now."""
    mine = msgspec.structs.replace(reserved(world), job_id="host:boot:1:2")
    session.save(mine)
    assert session.load(mine.folder) == mine
    elsewhere = mine.folder.rename(world.home / "elsewhere")
    assert session.load(elsewhere) == msgspec.structs.replace(mine, id="elsewhere", folder=elsewhere)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"id": 3}', b"\xff\xfe"])
def test_a_damaged_session_stops_nothing(world: World, content: bytes) -> None:
    """A folder that tells nothing is listed as damaged beside the whole ones."""
    mine, broken = reserved(world), reserved(world)
    (broken.folder / "session.json").write_bytes(content)
    (session.home(world) / "a-file").write_text("not a folder")
    found = list(session.every(world))
    assert [s for s in found if isinstance(s, Session)] == [mine]
    assert {s.id for s in found if isinstance(s, Damaged)} == {broken.id, "a-file"}


def test_no_sessions_is_no_error(world: World) -> None:
    """An account that never launched has an empty list, and nothing is made for it."""
    assert list(session.every(world)) == []
    assert not session.home(world).exists()


def test_a_session_is_made_whole_or_not_at_all(world: World) -> None:
    """When the disk refuses in the middle, that is said, and no folder and no secret stays behind."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))  # room for the secrets, not for the rest
    try:
        with pytest.raises(MachineBlocks, match="could not be written: File too large"):
            reserved(world)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(session.home(world).iterdir()) == []


def test_find_takes_a_beginning_and_names_what_is_near(world: World) -> None:
    """An id, or a beginning that fits one only; else BadInput says what it could be."""
    one, two = reserved(world), reserved(world)
    one = _renamed(one, "calm-otter")
    two = _renamed(two, "calm-owl")
    assert session.find(world, "calm-otter") == one
    assert session.find(world, "calm-ow") == two
    with pytest.raises(BadInput, match="calm-otter or calm-owl"):
        session.find(world, "calm")
    with pytest.raises(BadInput, match="Did you mean calm-otter"):
        session.find(world, "clam-otter")
    with pytest.raises(BadInput, match="There is no session «»"):
        session.find(world, "")


def _renamed(mine: Session, name: str) -> Session:
    new = msgspec.structs.replace(mine, id=name, folder=mine.folder.rename(mine.folder.with_name(name)))
    session.save(new)
    return new


def test_a_torn_note_is_no_note(world: World) -> None:
    """A note that is missing or half written reads as None; a whole one comes back."""
    mine = reserved(world)
    assert session.read(mine.folder, Address) is None
    note = Address("http://127.0.0.1:1/", "node", 1, 2.0, "2.21.1")
    session.write(mine.folder, note)
    assert session.read(mine.folder, Address) == note
    (mine.folder / "address.json").write_bytes(json.dumps({"url": "http"}).encode()[:-3])
    assert session.read(mine.folder, Address) is None


def test_an_ended_session_has_no_secrets(world: World) -> None:
    """Secrets go (twice is safe), the other files stay; who asks for one is told that the session is over."""
    mine = reserved(world)
    session.write(mine.folder, Ticket(name="a-b-c"))
    session.write(mine.folder, End(1.0, "stopped"))
    session.forget_secrets(mine.folder)
    session.forget_secrets(mine.folder)
    assert sorted(p.name for p in mine.folder.iterdir()) == ["end.json", "session.json"]
    with pytest.raises(MachineBlocks, match="has ended"):
        session.secret(mine, "token")


def test_the_sign_tells_nothing_of_the_token(world: World) -> None:
    """What Jupyter shows to everybody has no part of the token or of the cookies' key."""
    mine = reserved(world)
    place, content = session.sign(mine)
    shown = place.removeprefix("static/") + content
    assert session.secret(mine, "token") not in shown
    assert session.secret(mine, "cookie") not in shown
    assert len(content) == 64


# --- this machine as a scheduler ------------------------------------------------------------------------

JOB = "node1:boot-1:4711:123456"


def answer(stat_line: str, host: str = "node1", boot: str = "boot-1") -> Output:
    return Output(
        0 if stat_line else 1, f"{host}\n{boot}\n{stat_line}", "" if stat_line else "cat: no such file"
    )


def stat_line(pid: int = 4711, name: str = "python", state: str = "S", birth: int = 123456) -> str:
    return f"{pid} ({name}) {state} " + " ".join(["1"] * 18) + f" {birth} 0 0\n"


def test_a_job_is_a_process_with_its_birth() -> None:
    """It runs as long as the process with that id is the one that was started."""
    local = Local()
    assert local.state(answer(stat_line()), JOB) == Running("node1")
    assert local.state(answer(stat_line(name="a (b) c)")), JOB) == Running("node1")
    assert isinstance(local.state(answer(stat_line(birth=999)), JOB), Gone)
    assert isinstance(local.state(answer(stat_line(pid=47110)), JOB), Gone)
    assert isinstance(local.state(answer(stat_line(state="Z")), JOB), Gone)
    assert isinstance(local.state(answer(""), JOB), Gone)


def test_another_machine_is_not_a_dead_job() -> None:
    """Asked on another host, or without an answer, nothing is known; after a restart it is gone."""
    local = Local()
    assert local.state(answer("", host="node2"), JOB) == Unknown("it was started on node1; ask there")
    assert isinstance(local.state(Output(127, "", "cat: not found"), JOB), Unknown)
    assert local.state(answer(stat_line(), boot="boot-2"), JOB) == Gone("the machine was restarted")


def test_many_jobs_are_asked_for_at_once(world: World) -> None:
    """One program tells of all jobs, of the living and the dead."""
    local = Local()
    living = subprocess.Popen(["sleep", "60"])
    dead = subprocess.Popen(["sleep", "60"])
    ids = [job_id(world, p.pid) for p in (dead, living)]
    dead.kill()
    dead.wait()
    try:
        output = world.run(local.status(ids))
        assert isinstance(local.state(output, ids[0]), Gone)
        assert local.state(output, ids[1]) == Running(world.hostname)
        assert world.run(local.cancel(ids[1])).code == 0
        assert living.wait(10) == -15
    finally:
        living.kill()
        living.wait()


def test_a_refused_start_is_explained() -> None:
    """Only an id is taken for an id; anything else is an error with the program's last words."""
    local = Local()
    assert local.job_id(Output(0, f"{JOB}\n")) == JOB
    with pytest.raises(MachineBlocks, match="Cannot allocate memory"):
        local.job_id(Output(1, "", "trace\nfork: Cannot allocate memory\n"))
    with pytest.raises(MachineBlocks, match="said nothing"):
        local.job_id(Output(0, ""))
    with pytest.raises(MachineBlocks):
        local.job_id(Output(0, f"Welcome!\n{JOB}\n"))


def test_unknown_names_are_told_with_what_is_near() -> None:
    """A misspelt scheduler or way in is BadInput with the right name."""
    with pytest.raises(BadInput, match="Did you mean local"):
        schedulers.find("locl")
    with pytest.raises(BadInput, match="Did you mean local"):
        access.find("locals")


def test_the_way_on_this_machine_is_loopback(world: World, tmp_path: Path) -> None:
    """The route is the loopback address, no command, no foreign origin; giving it back twice is safe."""
    way = access.find("local")
    ticket = way.reserve(world, access.Way())
    assert way.redeem(world, ticket, access.Spot("127.0.0.1", 8888))
    assert ticket.origin == ""
    assert way.route(ticket, access.Spot("127.0.0.1", 8888)) == access.Route("http://127.0.0.1:8888/")
    way.release(world, ticket)
    way.release(world, ticket)
