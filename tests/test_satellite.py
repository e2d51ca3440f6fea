"""The way in through the site's proxy, against a stand-in that answers as the real service does."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from setup_wizard import access, giving_back, running, session, submission
from setup_wizard.access import Access, Spot, Ticket, Way
from setup_wizard.access.control import Control
from setup_wizard.errors import BadInput, MachineBlocks, NetworkTrouble
from setup_wizard.jupyter import addition
from setup_wizard.jupyter.nook import Nook
from setup_wizard.session import Address, End, Job, Session
from setup_wizard.way_in import WayIn
from setup_wizard.world import World
from tests.rps_stand_in import DOMAIN, RANGE, Elsewhere, Name, Proxy, lead_here
from tests.session_parts import until
from tests.web_server import WebServer, changed

LOGIN, NODE, OTHER, OUTSIDE = "127.21.0.1", "127.21.0.5", "127.21.0.6", "127.0.0.1"
SIGN = ("static/sign", "ours alone")


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """The stand-in, with its names leading to it."""
    folder = tmp_path / "rps"
    folder.mkdir()
    with Proxy(folder) as running:
        lead_here(monkeypatch, running)
        yield running


@pytest.fixture
def login(proxy: Proxy, world: World) -> Elsewhere:
    """The login node."""
    return Elsewhere(world, LOGIN)


@pytest.fixture
def node(proxy: Proxy, world: World) -> Elsewhere:
    """The node that the job runs on."""
    return Elsewhere(world, NODE)


@pytest.fixture
def rps() -> Access:
    """The way in, as one process has it."""
    return access.find("rps")


@pytest.fixture
def ticket(proxy: Proxy, rps: Access, login: Elsewhere) -> Ticket:
    """What a launch has reserved."""
    return rps.reserve(login, Way(domain=DOMAIN, ca=proxy.ca))


@pytest.fixture
def jupyter(proxy: Proxy) -> Iterator[WebServer]:
    """A web server that shows what ours shows, in Jupyter's place."""
    with WebServer() as web:
        web.serve("/api", json.dumps({"version": "2.21.0"}).encode())
        web.serve(f"/{SIGN[0]}", SIGN[1].encode())
        yield web


@pytest.fixture
def mine(world: World, ticket: Ticket) -> Session:
    """A session with the ticket."""
    job = Job(world.home, world.home, access="rps")
    made = session.reserve(world, job, session.this_process(world))
    session.write(made.folder, ticket)
    return made


@pytest.fixture
def way(node: Elsewhere, mine: Session) -> WayIn:
    """The session's way in, as its job sees it."""
    return WayIn(node, mine, lambda said: None)


def open_way(way: WayIn) -> None:
    """Ask for the way as a job does, which has put its extension of Jupyter's server into place."""
    nook = Nook(way.session.folder)
    addition.install(nook)
    way.open(nook, NODE, 8888)


def control(proxy: Proxy, world: World) -> Control:
    """The control service as asked from `world`."""
    return Control(world, DOMAIN, proxy.ca)


def spot(port: int = 8888) -> Spot:
    """Where Jupyter listens."""
    return Spot(NODE, port)


def lead_to(proxy: Proxy, ticket: Ticket, web: WebServer) -> None:
    """Let the name lead to a web server, as a redeem from there and the proxy's cron would have done."""
    proxy.names[ticket.name] = Name("PR", ("127.0.0.1", int(web.url.rpartition(":")[2])))


def answer(said: str) -> Callable[[Proxy, str], str]:
    """Such an answer in place of the real one."""
    return lambda proxy, name: said


TAKEN = "Oops! Unknown nonce or nonce already used\n"
LOST = answer("and then lost")  # it is done, and nobody hears that it was
DOWN = answer("503 Service Unavailable")


# --- reserve ---------------------------------------------------------------------------------------------


def test_a_launch_takes_a_name(rps: Access, proxy: Proxy, ticket: Ticket) -> None:
    """One name is reserved; the origin is its own, exactly, and nothing else matches the pattern."""
    assert list(proxy.names) == [ticket.name]
    assert ticket.origin == f"https://{ticket.name}.{DOMAIN}"
    pattern = access.exactly(ticket.origin)
    assert re.match(pattern, ticket.origin)
    strange = (
        "https://evil.rps.test",
        f"{ticket.origin}.evil.example",
        f"{ticket.origin}\n",
        "https://xrps.test",
    )
    assert not any(re.match(pattern, origin) for origin in strange)


def test_no_name_outside_of_the_cluster(rps: Access, proxy: Proxy, world: World) -> None:
    """Refused under 200: an error with the proxy's reason, and no word of it is taken for a name."""
    outside = Elsewhere(world, OUTSIDE)
    with pytest.raises(MachineBlocks, match="not in range") as e:
        rps.reserve(outside, Way(domain=DOMAIN, ca=proxy.ca))
    assert "login node" in e.value.fix
    assert proxy.calls("getlink") == 1


@pytest.mark.parametrize(
    "said",
    [
        "Your token is \nquiet-otter\n",
        "Your token is \nquiet-otter-a-b\n",
        "Your token is \nQuiet-Otter-A\n",
        "Your token is \nquiet-otter-a\nand more\n",
        "<html>Log in to the network</html>",
        "Oops! Your token is \nquiet-otter-a\n",
        "",
    ],
)
def test_a_name_reads_as_it_must(proxy: Proxy, login: Elsewhere, said: str) -> None:
    """Whatever is not exactly the answer with three words gives no name."""
    proxy.faults["getlink"] = [answer(said)]
    with pytest.raises(MachineBlocks):
        control(proxy, login).take()


def test_a_lost_answer_costs_only_a_name(proxy: Proxy, login: Elsewhere) -> None:
    """When the answer to the first try is lost and the second is a 503, the third is used."""
    proxy.faults["getlink"] = [LOST, DOWN]
    assert control(proxy, login).take() == "quiet-otter-b"


def test_a_proxy_that_stays_down_ends_the_launch(proxy: Proxy, login: Elsewhere) -> None:
    """After three tries it is said that the proxy is in trouble, and what else can be done."""
    proxy.faults["getlink"] = [DOWN, DOWN, DOWN]
    with pytest.raises(NetworkTrouble, match="answered 503 to getlink") as e:
        control(proxy, login).take()
    assert "tunnel" in e.value.fix
    assert proxy.calls("getlink") == 3


def test_its_certificate_is_looked_at(rps: Access, proxy: Proxy, login: Elsewhere) -> None:
    """Without the authority's certificate nobody is asked anything."""
    with pytest.raises(NetworkTrouble, match="certificate is not trusted") as e:
        rps.reserve(login, Way(domain=DOMAIN))
    assert "rps_ca" in e.value.fix
    assert proxy.asked == []


@pytest.mark.parametrize("text", [None, "no certificate at all"])
def test_an_authority_that_cannot_be_read_is_told(
    rps: Access, proxy: Proxy, login: Elsewhere, tmp_path: Path, text: str | None
) -> None:
    """A file of the site's that is missing, or holds something else: named, and nobody else is trusted."""
    path = tmp_path / "our.pem"
    if text:
        path.write_text(text)
    with pytest.raises(BadInput, match=str(path)) as e:
        rps.reserve(login, Way(domain=DOMAIN, ca=str(path)))
    assert f"head -1 {path}" in e.value.fix
    assert proxy.asked == []


@pytest.mark.parametrize("domain", ["", "x", "rps.test/x", "a b.test", "user@rps.test", "rps.test:443"])
def test_a_domain_is_a_name(rps: Access, world: World, domain: str) -> None:
    """What is no domain is refused before anything is asked."""
    with pytest.raises(BadInput):
        rps.reserve(world, Way(domain=domain))


# --- redeem ----------------------------------------------------------------------------------------------


def test_the_node_is_mapped_from_its_own_address(
    rps: Access, proxy: Proxy, ticket: Ticket, node: Elsewhere
) -> None:
    """The call comes from the very address that Jupyter listens on, and the whole port is told."""
    assert rps.address(node, ticket) == NODE
    assert rps.redeem(node, ticket, spot(48123))
    assert proxy.names[ticket.name].target == (NODE, 48123)


def test_a_redeem_that_was_not_done_is_tried_again(proxy: Proxy, ticket: Ticket, way: WayIn) -> None:
    """The next look asks again under the same name."""
    proxy.faults["redeemtoken"] = [DOWN]
    open_way(way)
    assert way.trouble
    assert (way.look(), way.ticket.name, way.trouble) == ("pending", ticket.name, "")
    assert proxy.names[ticket.name].target == (NODE, 8888)


def test_a_redeem_in_doubt_counts_for_nothing(proxy: Proxy, ticket: Ticket, way: WayIn) -> None:
    """It was done, by us or by a thief, and nobody heard «Success»: the name is given back, another taken."""
    proxy.faults["redeemtoken"] = [LOST]
    open_way(way)
    assert way.look() == "unknown"
    assert (way.look(), way.trouble) == ("pending", "")
    assert list(proxy.names) == [way.ticket.name]
    assert way.ticket.name != ticket.name


def test_doubt_comes_as_often_as_it_likes(proxy: Proxy, way: WayIn) -> None:
    """Each answer to a redeem is lost, four times: in the end one name leads here, and no other is left."""
    proxy.faults["redeemtoken"] = [LOST, answer(TAKEN), LOST, answer(TAKEN), LOST]
    open_way(way)
    until(lambda: way.look() == "pending")
    assert list(proxy.names) == [way.ticket.name]
    assert proxy.names[way.ticket.name].target == (NODE, 8888)


def test_what_is_not_heard_of_an_old_name_is_given_back_in_the_end(
    rps: Access, proxy: Proxy, ticket: Ticket, node: Elsewhere, way: WayIn
) -> None:
    """In doubt it may lead here: it is remembered, on disk, until the proxy has said that it is gone."""
    proxy.faults["redeemtoken"], proxy.faults["destroytoken"] = [LOST], [DOWN] * 3
    open_way(way)
    assert way.look() == "unknown"
    known = session.read(way.session.folder, Ticket)
    assert known
    assert (known.old, known.name in proxy.names) == ((ticket.name,), True)
    assert way.look() == "pending"
    way.release()
    assert proxy.names == {}


def test_a_proxy_that_is_down_for_a_while_is_waited_for(proxy: Proxy, way: WayIn) -> None:
    """As long as it does not answer to redeem, the way is «unknown» and nothing ends; then it goes on."""
    proxy.faults["redeemtoken"] = [DOWN] * 5
    open_way(way)
    assert [way.look() for _ in range(4)] == ["unknown"] * 4
    assert "answered 503 to redeemtoken" in way.trouble
    assert way.look() == "pending"


def test_a_stolen_name_is_given_up(proxy: Proxy, ticket: Ticket, world: World, way: WayIn) -> None:
    """Somebody redeemed our name first: we go on under another one, and never under the stolen."""
    assert control(proxy, Elsewhere(world, OTHER)).redeem(ticket.name, 6666)
    open_way(way)
    assert way.look() == "pending"
    assert way.ticket.name != ticket.name
    assert proxy.names[way.ticket.name].target == (NODE, 8888)
    assert way.ticket.old == ()  # the thief's leads to the thief, and only the thief can give it back


def test_a_name_that_was_forgotten_in_the_queue_is_replaced(proxy: Proxy, ticket: Ticket, way: WayIn) -> None:
    """The job waited for longer than the proxy keeps a name: it takes another one, and Jupyter is told."""
    proxy.names.clear()
    open_way(way)
    assert way.look() == "pending"
    assert list(proxy.names) == [way.ticket.name]
    assert re.match((way.nook.server / "origin").read_text(), way.ticket.origin)
    assert session.read(way.session.folder, Ticket) == way.ticket


def test_a_refused_node_is_not_tried_again(rps: Access, proxy: Proxy, ticket: Ticket, world: World) -> None:
    """A node that the proxy does not serve is told so once."""
    with pytest.raises(MachineBlocks, match=f"{world.hostname} is none") as e:
        rps.redeem(Elsewhere(world, OUTSIDE), ticket, spot())
    assert "onto its nodes" in e.value.fix
    assert proxy.calls("redeemtoken") == 1


# --- live ------------------------------------------------------------------------------------------------


def test_live_is_when_our_own_jupyter_answers(
    rps: Access, proxy: Proxy, ticket: Ticket, node: Elsewhere, jupyter: WebServer
) -> None:
    """Pending, mapped, and in the moment in which the proxy is ahead of itself: not live. Then live."""
    assert rps.state(node, ticket, SIGN) == "pending"
    rps.redeem(node, ticket, spot())
    assert rps.state(node, ticket, SIGN) == "pending"
    proxy.cron()
    proxy.names[ticket.name].target = None  # PR, and its address still shows the waiting page
    assert rps.state(node, ticket, SIGN) == "pending"
    lead_to(proxy, ticket, jupyter)
    assert rps.state(node, ticket, SIGN) == "live"


def test_a_node_that_does_not_listen_yet_is_pending(
    rps: Access, proxy: Proxy, ticket: Ticket, node: Elsewhere
) -> None:
    """503 of the proxy is a Jupyter that is still starting."""
    proxy.names[ticket.name] = Name("PR", ("127.0.0.1", 1))
    assert rps.state(node, ticket, SIGN) == "pending"


def test_a_stranger_behind_our_address_is_seen(
    rps: Access, proxy: Proxy, ticket: Ticket, node: Elsewhere, jupyter: WebServer
) -> None:
    """A Jupyter without our sign is not ours, and never hears a token."""
    jupyter.serve(f"/{SIGN[0]}", b"somebody else's")
    lead_to(proxy, ticket, jupyter)
    assert rps.state(node, ticket, SIGN) == "lost"
    assert not any("authorization" in a.headers or "token" in a.path for a in jupyter.asked)


def test_one_odd_answer_loses_nothing(
    rps: Access, proxy: Proxy, ticket: Ticket, node: Elsewhere, jupyter: WebServer
) -> None:
    """A stranger's answer counts when it comes twice: a proxy that is just changing may give one."""
    jupyter.serve(f"/{SIGN[0]}", SIGN[1].encode(), changed)
    lead_to(proxy, ticket, jupyter)
    assert rps.state(node, ticket, SIGN) == "live"


def test_a_destroyed_mapping_is_replaced(rps: Access, proxy: Proxy, ticket: Ticket, node: Elsewhere) -> None:
    """Somebody on the node destroys it: noticed, and another name leads to the same Jupyter."""
    rps.redeem(node, ticket, spot())
    control(proxy, node).destroy(ticket.name)
    assert rps.state(node, ticket, SIGN) == "lost"
    now = rps.renew(node, ticket)
    assert rps.redeem(node, now, spot())
    assert proxy.names[now.name].target == (NODE, 8888)


def test_a_session_outlives_its_name(proxy: Proxy, ticket: Ticket, jupyter: WebServer, way: WayIn) -> None:
    """After 49 hours the proxy forgets it: the list says why, and is told another, not yet proven one."""
    place, content = session.sign(way.session)
    jupyter.serve(f"/{place}", content.encode())
    open_way(way)
    lead_to(proxy, ticket, jupyter)
    assert way.look() == "live"
    way.tell()
    proxy.names.clear()
    proxy.faults["getlink"] = [DOWN, answer(f"{RANGE}within the cluster.\n")]
    for says in ("is being prepared", "answered 503 to getlink", "not in range"):
        way.guard(bool)
        address = session.read(way.session.folder, Address)
        assert address
        assert (address.url, says in address.warning) == ("", True)
    until(lambda: way.guard(bool) or (way.ticket.name in proxy.names and way.asked))
    assert not way.told
    lead_to(proxy, way.ticket, jupyter)
    until(lambda: way.guard(bool) or way.told)
    address = session.read(way.session.folder, Address)
    assert address
    assert (address.url, address.warning) == (f"{way.ticket.origin}/", "")
    assert not session.proven(way.session.folder, address)  # what answers there runs no cell


@pytest.mark.parametrize(("hours", "warned"), [(0, False), (49, False), (50, True)])
def test_a_session_longer_than_a_name_is_warned_of(
    proxy: Proxy, node: Elsewhere, mine: Session, hours: int, warned: bool
) -> None:
    """Its address will change while it lives: said with the address, and already when it is handed over."""
    limit = msgspec.structs.replace(mine.job.resources, time_limit=hours * 3600)
    long = msgspec.structs.replace(mine, job=msgspec.structs.replace(mine.job, resources=limit))
    way = WayIn(node, long, lambda said: None)
    open_way(way)
    way.tell()
    address = session.read(mine.folder, Address)
    assert address
    assert ("another one, which hpc-jupyter-setup sessions shows" in address.warning) == warned
    assert access.find("rps").warning(limit.time_limit) == address.warning
    assert access.find("tunnel").warning(limit.time_limit) == ""


def test_a_silent_proxy_ends_nothing(rps: Access, proxy: Proxy, ticket: Ticket, node: Elsewhere) -> None:
    """No answer is «unknown», not «lost»; nor is one empty answer alone. Then it is let be for a while."""
    proxy.faults["tokenjobstate"] = [DOWN, answer("")]
    assert [rps.state(node, ticket, SIGN) for _ in range(5)] == ["unknown", *["pending"] * 4]
    assert proxy.calls("tokenjobstate") == 3


# --- link, release ---------------------------------------------------------------------------------------


def test_the_job_is_linked(rps: Access, proxy: Proxy, ticket: Ticket, login: Elsewhere) -> None:
    """The proxy learns the job's id; one that it cannot read is not sent."""
    rps.attach(login, ticket, "4711.sched")
    assert proxy.names[ticket.name].job == "4711.sched"
    rps.attach(login, ticket, "host:boot:1:2")
    assert proxy.calls("linktoken") == 1


def test_a_job_that_could_not_be_linked(
    proxy: Proxy, login: Elsewhere, mine: Session, ticket: Ticket
) -> None:
    """The session goes on; its log, the user's alone, says in a line what was wrong, and no secret."""
    proxy.faults["linktoken"] = [DOWN]
    assert submission.named(login, mine, "4712").job_id == session.load(mine.folder).job_id == "4712"
    log = mine.folder / session.SAID
    (line,) = log.read_text().splitlines()
    assert "answered 503 to linktoken" in line
    assert ticket.name not in line
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_release_leaves_no_name(rps: Access, proxy: Proxy, ticket: Ticket, node: Elsewhere) -> None:
    """After the end the name is not known; a second time does no harm."""
    rps.redeem(node, ticket, spot())
    rps.release(node, ticket)
    assert proxy.names == {}
    rps.release(node, ticket)


def test_a_job_that_never_ran_is_released_from_the_login_node(
    rps: Access, proxy: Proxy, ticket: Ticket, login: Elsewhere
) -> None:
    """Pending names are given back where they were taken, also when an answer is lost."""
    proxy.faults["destroytoken"] = [LOST]
    rps.release(login, ticket)
    assert proxy.names == {}


def test_what_only_the_node_can_give_back_is_said(
    rps: Access, proxy: Proxy, ticket: Ticket, node: Elsewhere, login: Elsewhere
) -> None:
    """After a crash of the node its mapping stays for a while: said with the time, and without the name."""
    rps.redeem(node, ticket, spot())
    with pytest.raises(MachineBlocks, match="49 hours") as e:
        rps.release(login, ticket)
    assert list(proxy.names) == [ticket.name]
    assert ticket.name not in e.value.problem + e.value.fix


def test_what_is_left_is_told_and_given_back_from_its_node(
    rps: Access, proxy: Proxy, ticket: Ticket, node: Elsewhere, login: Elsewhere, mine: Session
) -> None:
    """The list of sessions says what is left of one, and how long; the next session on that node mends it."""
    rps.redeem(node, ticket, spot())
    session.write(mine.folder, End(node.now(), "died"))
    (row,) = running.sessions(login)
    assert "49 hours" in row.warning
    giving_back.give_back(node)
    assert proxy.names == {}
    (row,) = running.sessions(login)
    assert row.warning == ""
    assert not (mine.folder / "ticket.json").exists()


def test_a_proxy_that_is_away_is_asked_once_for_all_that_is_left(
    rps: Access, proxy: Proxy, login: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is not slower for it, today or the next times; each line says what is left."""
    for _ in range(4):
        made = session.reserve(login, Job(login.home, login.home, access="rps"), session.this_process(login))
        session.write(made.folder, rps.reserve(login, Way(domain=DOMAIN, ca=proxy.ca)))
        session.write(made.folder, End(login.now(), "died"))
    proxy.faults["destroytoken"] = [DOWN] * 9
    for _ in range(3):
        assert ["49 hours" in row.warning for row in running.sessions(login)] == [True] * 4
    assert proxy.calls("destroytoken") == 1
    proxy.faults.clear()
    monkeypatch.setattr(giving_back, "AWAY", 0.0)
    assert [row.warning for row in running.sessions(login)] == [""] * 4
    assert proxy.names == {}


def test_what_the_proxy_has_forgotten_by_now_is_forgotten_here(
    proxy: Proxy, login: Elsewhere, mine: Session
) -> None:
    """49 hours after the end nothing of it is left, and nobody is asked."""
    session.write(mine.folder, End(login.now() - 49 * 3600 - 1, "died"))
    assert [row.warning for row in running.sessions(login)] == [""]
    assert proxy.calls("destroytoken") == 0
    assert session.read(mine.folder, Ticket) is None


def test_a_proxy_that_is_away_does_not_hold_the_end_up(
    rps: Access, proxy: Proxy, ticket: Ticket, node: Elsewhere
) -> None:
    """Three tries for one name; where it is not heard, the others wait for the next look."""
    proxy.faults["destroytoken"] = [DOWN] * 9
    with pytest.raises(NetworkTrouble, match="503"):
        rps.release(node, msgspec.structs.replace(ticket, old=("another",)))
    assert proxy.calls("destroytoken") == 3


# --- secrets ---------------------------------------------------------------------------------------------


def test_only_gets_are_sent_each_from_the_right_address(
    rps: Access, proxy: Proxy, ticket: Ticket, login: Elsewhere, node: Elsewhere
) -> None:
    """A HEAD or POST would make names, too: there is none. All calls come from an IPv4 address of ours."""
    rps.redeem(node, ticket, spot())
    rps.release(node, ticket)
    assert {(a.method, a.source) for a in login.sent} == {("GET", LOGIN)}
    assert {(a.method, a.source) for a in node.sent} == {("GET", NODE)}


def test_the_name_is_in_no_message(rps: Access, proxy: Proxy, ticket: Ticket, node: Elsewhere) -> None:
    """Whatever goes wrong, the error does not tell the name."""
    for call, act in (
        ("redeemtoken", lambda: rps.redeem(node, ticket, spot())),
        ("destroytoken", lambda: rps.release(node, ticket)),
    ):
        for said in ("503 Service Unavailable", "Oops! odd", "<html>"):
            proxy.faults[call] = [answer(said)] * 9
            with pytest.raises((MachineBlocks, NetworkTrouble)) as e:
                act()
            assert ticket.name not in f"{e.value.problem} {e.value.fix}"


def test_a_ticket_is_for_the_user_alone(world: World, tmp_path: Path, ticket: Ticket) -> None:
    """On disk it is one file, 0600, that goes with the other secrets."""
    session.write(tmp_path, ticket)
    assert stat.S_IMODE((tmp_path / "ticket.json").stat().st_mode) == 0o600
    assert session.read(tmp_path, Ticket) == ticket
    session.forget_secrets(tmp_path)
    assert not (tmp_path / "ticket.json").exists()
