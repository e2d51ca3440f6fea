"""The Reverse Proxy Service of the test cluster answers as the real one does, to the letter."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.machine import line_of, until
from tests.cluster.nodes import Node

OUTSIDE = "Oops! Client (your) IP not in range 10.77.0.0/24, please try from"
SERVER = """
import asyncio, sys, tornado.web, tornado.websocket
class Echo(tornado.websocket.WebSocketHandler):
    def check_origin(self, origin): return True
    def on_message(self, message): self.write_message(message.upper())
class Page(tornado.web.RequestHandler):
    def get(self): self.write(self.request.uri + " " + self.request.host)
async def main():
    tornado.web.Application([("/ws", Echo), ("/.*", Page)]).listen(int(sys.argv[2]), sys.argv[1])
    print("on", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
CLIENT = """
import asyncio, sys, tornado.httpclient, tornado.websocket
async def main():
    asked = tornado.httpclient.HTTPRequest(f"wss://{sys.argv[1]}/ws", ca_certs=sys.argv[2])
    socket = await tornado.websocket.websocket_connect(asked)
    await socket.write_message("hello")
    print(await socket.read_message())
asyncio.run(main())
"""


def ask(cluster: Cluster, name: str, path: str, *, host: str = "manage.rps.test", more: str = "") -> str:
    """What a node gets from the service, its certificate verified: the status and the body."""
    curl = ["curl", "-sS", *more.split(), "--cacert", str(cluster.rps.ca), "-w", "\n%{http_code}"]
    done = cluster.node(name).run([*curl, f"https://{host}/{path}"], check=True)
    body, _, status = done.stdout.rpartition("\n")
    return f"{status} {body}"


def new_name(cluster: Cluster) -> str:
    """A new name from the service."""
    return ask(cluster, "login", "getlink.cgi").split("\n")[1]


def serve(node: Node, address: str, port: int = 8888) -> subprocess.Popen[str]:
    """A server on a node that echoes over websockets and tells what it was asked."""
    server = node.spawn([sys.executable, "-c", SERVER, address, str(port)], stdout=subprocess.PIPE)
    assert line_of(server) == "on"
    return server


def test_a_name_goes_its_way(cluster: Cluster) -> None:
    """Pending, mapped, proxied a period later and reachable a moment after; then destroyed and gone."""
    cluster.rps.set(period=1.0, lag=0.5)
    name = new_name(cluster)
    host = f"{name}.rps.test"
    assert ask(cluster, "laptop", f"tokenjobstate.cgi?token={name}") == "200 PE"
    assert "Phase 1 of 2: Pending" in ask(cluster, "laptop", "", host=host)
    assert ask(cluster, "laptop", "api", host=host).startswith("404 ")
    assert ask(cluster, "laptop", "", host=host, more="-X POST").startswith("200 Oops! Only GET")
    with serve(cluster.node("c1"), "10.77.0.11") as server:
        assert ask(cluster, "c1", f"redeemtoken.cgi?token={name}&port=8888") == "200 Success!\n"
        until(lambda: ask(cluster, "laptop", f"tokenjobstate.cgi?token={host}") == "200 PR")
        assert "Phase 2 of 2: Mapped" in ask(cluster, "laptop", "", host=host)
        until(lambda: ask(cluster, "laptop", "a%20b?c=d", host=host) == "200 /a%20b?c=d 10.77.0.11:8888")
        talk = cluster.laptop.run([sys.executable, "-c", CLIENT, host, cluster.rps.ca])
        assert talk.stdout == "HELLO\n", talk.stderr
        gone = "200 Success! Token destroyed.\n"
        assert ask(cluster, "login", f"destroytoken.cgi?token={name}").startswith("200 Oops! Nonce must be")
        assert ask(cluster, "c1", f"destroytoken.cgi?token={name}") == gone
        assert ask(cluster, "laptop", f"tokenjobstate.cgi?token={name}") == "200 "
        until(lambda: ask(cluster, "laptop", "", host=host).startswith("200 Please see documentation"))
        server.terminate()


def test_a_dead_server_is_a_503_page(cluster: Cluster) -> None:
    """A name whose server has gone answers with Apache's own page."""
    cluster.rps.set(period=0.1, lag=0)
    name = new_name(cluster)
    ask(cluster, "c2", f"redeemtoken.cgi?token={name}&port=9999")
    until(lambda: cluster.rps.routes() == {f"{name}.rps.test": "10.77.0.12:9999"})
    until(lambda: ask(cluster, "laptop", "api", host=f"{name}.rps.test").startswith("503 "))


@pytest.mark.parametrize(
    ("node", "path", "said"),
    [
        ("laptop", "getlink.cgi", f"{OUTSIDE} within the cluster."),
        ("laptop", "linktoken.cgi?token=NAME&jobid=1", f"{OUTSIDE} within the cluster."),
        (
            "laptop",
            "redeemtoken.cgi?token=NAME&port=8888",
            f"{OUTSIDE} the compute node running your service.",
        ),
        ("laptop", "destroytoken.cgi?token=NAME", f"{OUTSIDE} the compute node running your service."),
        ("c1", "redeemtoken.cgi?port=8888", "Oops! Missing 'token' parameter"),
        ("c1", "redeemtoken.cgi?token=NAME", "Oops! Missing 'port' parameter"),
        (
            "c1",
            "redeemtoken.cgi?token=NAME&port=80",
            "Oops! 'port' parameter isn't an integer between 1024 and 65535",
        ),
        ("c1", "redeemtoken.cgi?token=no&port=8888", "Oops! Unknown nonce or nonce already used"),
        ("c1", "linktoken.cgi?token=NAME&jobid=0", "Oops! Missing 'jobid' parameter"),
        ("c1", "linktoken.cgi?token=no&jobid=1", "Oops! Unknown nonce or nonce already destroyed"),
        ("c1", "destroytoken.cgi?token=no", "Oops! Unknown nonce or nonce already destroyed"),
        ("laptop", "tokenjobstate.cgi", "Oops! Missing 'token' parameter"),
    ],
)
def test_oops(cluster: Cluster, node: str, path: str, said: str) -> None:
    """Every refusal comes under HTTP 200, in the words of the real service."""
    assert ask(cluster, node, path.replace("NAME", new_name(cluster))) == f"200 {said}\n"


def test_once_only(cluster: Cluster) -> None:
    """A name is redeemed once and linked once."""
    name = new_name(cluster)
    assert (
        ask(cluster, "c1", f"linktoken.cgi?token={name}&jobid=7") == "200 Success! Token linked to jobid.\n"
    )
    assert ask(cluster, "c1", f"linktoken.cgi?token={name}&jobid=7").startswith(
        "200 Oops! Nonce already linked"
    )
    assert ask(cluster, "c1", f"redeemtoken.cgi?token={name}&port=8888") == "200 Success!\n"
    again = ask(cluster, "c1", f"redeemtoken.cgi?token={name}&port=8888")
    assert again == "200 Oops! Unknown nonce or nonce already used\n"
    assert cluster.rps.tokens()[name]["target"] == "10.77.0.11:8888"


def test_a_name_expires(cluster: Cluster) -> None:
    """After its time a name is forgotten by the next run."""
    name = new_name(cluster)
    cluster.rps.set(ttl=0, period=0.1)
    until(lambda: cluster.rps.tokens() == {})
    assert ask(cluster, "laptop", f"tokenjobstate.cgi?token={name}") == "200 "


def test_trouble_to_order(cluster: Cluster) -> None:
    """Each call can go wrong: an error, an answer that is lost though the thing was done, nobody there."""
    cluster.rps.trouble("getlink", "error", "lost")
    assert ask(cluster, "login", "getlink.cgi").startswith("500 ")
    assert cluster.rps.tokens() == {}
    assert ask(cluster, "login", "getlink.cgi").startswith("502 ")
    assert len(cluster.rps.tokens()) == 1
    assert ask(cluster, "login", "getlink.cgi").startswith("200 Your token is \n")
    cluster.rps.stop()
    with pytest.raises(subprocess.CalledProcessError):
        ask(cluster, "login", "getlink.cgi")
    cluster.rps.start()
    assert ask(cluster, "login", "getlink.cgi").startswith("200 Your token is \n")


def test_the_certificate_is_the_test_authoritys(cluster: Cluster) -> None:
    """Without the test CA nobody accepts the certificate."""
    done = cluster.login.run(["curl", "-sS", "https://manage.rps.test/getlink.cgi"])
    assert (done.returncode, cluster.rps.tokens()) == (60, {})


def test_the_cluster_tells_how_jobs_are(cluster: Cluster) -> None:
    """What was posted of a linked job is shown in its letter, if the service knows that state."""
    name = new_name(cluster)
    ask(cluster, "login", f"linktoken.cgi?token={name}&jobid=7")
    letters = {"PENDING": "Q", "RUNNING": "R", "NODE_FAIL": "D", "CANCELLED%2B": "D", "BOOT_FAIL": "PE"}
    for said, letter in letters.items():
        post = f"-d jobstates=%0A7+{said}%0A"
        assert ask(cluster, "login", "update-jobs.cgi", more=post) == "200 Successfully updated jobs! \n"
        assert ask(cluster, "laptop", f"tokenjobstate.cgi?token={name}") == f"200 {letter}", said
    assert ask(cluster, "login", "update-jobs.cgi") == "200 Oops! Only POST method is supported\n"
