"""A browser on the laptop reaches servers on compute nodes through the service, as a user's does."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cluster import browser
from tests.cluster.cluster import Cluster
from tests.cluster.machine import line_of, until
from tests.cluster.test_cluster_rps import ask, new_name

PAGE = """
<script>
const tell = what => fetch("/told?" + encodeURIComponent(what))
const socket = new WebSocket("wss://OTHER/ws")
socket.onopen = () => tell("open")
socket.onerror = () => tell("refused")
</script>
"""
SERVER = """
import asyncio, sys, tornado.web, tornado.websocket
address, allowed, page = sys.argv[1:]
class Socket(tornado.websocket.WebSocketHandler):
    def check_origin(self, origin): return origin == allowed
class Told(tornado.web.RequestHandler):
    def get(self): print(self.request.query, flush=True)
class Page(tornado.web.RequestHandler):
    def get(self): self.write(page)
async def main():
    tornado.web.Application([("/ws", Socket), ("/told", Told), ("/", Page)]).listen(8888, address)
    print("on", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.mark.skipif(not browser.installed(), reason="needs a browser: apt-get install chromium")
@pytest.mark.parametrize("welcome", [True, False])
def test_a_page_of_one_name_asks_a_server_of_another(cluster: Cluster, welcome: bool) -> None:
    """Only the server of a websocket can refuse a page of a sibling name: neither browser nor proxy does."""
    cluster.rps.set(period=0.1, lag=0)
    nodes = {"c1": "10.77.0.11", "c2": "10.77.0.12"}
    page, other = (f"{new_name(cluster)}.rps.test" for _ in nodes)
    servers = []
    for (name, address), host in zip(nodes.items(), (page, other), strict=True):
        argv = [address, f"https://{page if welcome else other}", PAGE.replace("OTHER", other)]
        command = [sys.executable, "-c", SERVER, *argv]
        servers.append(cluster.node(name).spawn(command, stdout=subprocess.PIPE))
        assert line_of(servers[-1]) == "on"
        assert ask(cluster, name, f"redeemtoken.cgi?token={host.split('.')[0]}&port=8888") == "200 Success!\n"
    until(lambda: set(cluster.rps.routes()) == {page, other})
    with servers[0], servers[1], browser.visit(cluster, f"https://{page}/"):
        assert line_of(servers[0]) == ("open" if welcome else "refused")
        for server in servers:
            server.terminate()
