"""A session of ours in a real browser: a cell is run by hand, and a neighbour's page gets nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster import browser
from tests.cluster.browser import Page
from tests.cluster.cluster import CHECKOUT, Cluster
from tests.cluster.lab import SESSIONS, Lab
from tests.cluster.machine import line_of, until
from tests.cluster.secrets_search import content
from tests.cluster.test_cluster_rps import SERVER, ask, new_name

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not browser.installed(), reason="needs a browser: apt-get install chromium"),
]
CELL, OUTPUT = ".jp-CodeCell .cm-content", ".jp-CodeCell .jp-OutputArea-output"
COUNTDOWN = "document.getElementById('hpc-jupyter-setup-countdown')?.textContent"
IDLE = "[...document.querySelectorAll('.jp-StatusBar-TextItem')].some(e => e.textContent.includes('| Idle'))"
SOCKET = """new Promise(done => {
  const socket = new WebSocket("PLACE")
  socket.onopen = () => done("open")
  socket.onerror = () => done("refused")
})"""
POST = """fetch("PLACE", {method: "POST", mode: "no-cors", credentials: "include", body: "{}"})
  .then(answer => answer.type)"""
FORM = """new Promise(done => {
  document.cookie = "_xsrf=known; domain=.rps.test; path=/; secure"
  document.body.innerHTML = `<iframe name="there"></iframe>
    <form method="post" target="there" action="PLACE"><input name="_xsrf" value="known"></form>`
  document.querySelector("iframe").onload = () => done("answered")
  document.querySelector("form").submit()
})"""
FRAME = """new Promise(done => {
  document.body.innerHTML = `<iframe src="PLACE"></iframe>`
  document.querySelector("iframe").onload = () => done("loaded")
})"""
READ = """fetch("PLACE", {credentials: "include"}).then(answer => answer.text(), () => "refused")"""


def test_a_cell_runs_in_the_browser_and_a_neighbour_gets_nothing(lab: Lab) -> None:
    """Through the proxy's address: the welcome notebook's cell answers; a neighbour's page gets nothing.

    The job has ten minutes, so the page says when it will end.
    """
    shutil.copy(CHECKOUT / "notebooks/welcome.ipynb", lab.cluster.home / "welcome.ipynb")
    (lab.cluster.home / "welcome.ipynb").chmod(0o666)
    made = lab.launch()
    base, _, query = made["url"].partition("/lab?")
    with browser.pages(lab.cluster) as new, neighbour(lab.cluster) as beside:
        page = new(f"{base}/lab/tree/welcome.ipynb?{query}")
        run_first_cell(page)
        secrets_stay(lab, made)
        page.until(f"{COUNTDOWN}?.includes('This session ends at')")
        attack(page, new(beside), Jupyter(lab, base, query))


def secrets_stay(lab: Lab, made: dict[str, str]) -> None:
    """The page's kernel and `logs` know none of them, and the page's cookie goes to no other site."""
    cluster, folder = lab.cluster, f"{SESSIONS}/{made['session']}"
    secrets = [*lab.secrets, *cluster.login.sh(f"cat {folder}/token; echo; cat {folder}/cookie").split()]
    node = cluster.node("c1")
    around = [content(Path(f"/proc/{pid}/environ")) for pid in node.processes()]
    assert [said for said in around if b"JPY_PARENT_PID=" in said]  # the kernel's, among them
    assert not [said for said in around for secret in secrets if secret.encode() in said]
    said = lab.run("logs", made["session"])["logs"]
    assert said["serve.log"]
    assert said["jupyter.log"]
    assert not [secret for secret in secrets if secret in str(said)]
    get = ["curl", "-sS", "-D-", "-o/dev/null", "--cacert", str(cluster.rps.ca), made["url"]]
    head = cluster.laptop.run(get).stdout.splitlines()
    (cookie,) = [line for line in head if line.lower().startswith("set-cookie: username-")]
    assert {"Secure", "SameSite=Strict", "HttpOnly"} <= set(cookie.split("; "))


class Jupyter:
    """The victim, as who has the token sees it."""

    def __init__(self, lab: Lab, base: str, query: str) -> None:
        self.lab, self.base, self.query = lab, base, query

    def has(self, what: str) -> list[str]:
        """The ids of its kernels or the names of its terminals."""
        text = self.lab.get("laptop", f"{self.base}/api/{what}?{self.query}")
        return [thing.get("id") or thing["name"] for thing in json.loads(text)]


def run_first_cell(page: Page) -> None:
    """Click into the first cell, press Shift+Enter, and read its output."""
    page.until(f"document.querySelector({CELL!r}) && {IDLE}", 90)
    page.click(CELL)
    page.shift_enter()
    output = f"document.querySelector({OUTPUT!r})?.textContent"
    page.until(f"{output}?.includes('interpreter')")
    assert "c1" in page.see(output)


def attack(page: Page, beside: Page, victim: Jupyter) -> None:
    """In the browser that is logged in there, the scripts of a neighbour's page try everything."""
    base, (kernel,) = victim.base, victim.has("kernels")
    beside.until("document.readyState === 'complete' && location.host.endsWith('.rps.test')")
    channels = SOCKET.replace("PLACE", f"{base.replace('https', 'wss')}/api/kernels/{kernel}/channels")
    events = SOCKET.replace("PLACE", f"{base.replace('https', 'wss')}/api/events/subscribe")
    contents = READ.replace("PLACE", f"{base}/api/contents")
    assert (page.see(channels), page.see(events)) == ("open", "open")  # from its own page, all this goes
    assert "welcome.ipynb" in page.see(contents)
    assert (beside.see(channels), beside.see(events)) == ("refused", "refused")
    assert beside.see(contents) == "refused"
    for what in ("kernels", "terminals"):
        before = victim.has(what)
        assert beside.see(POST.replace("PLACE", f"{base}/api/{what}")) == "opaque"
        assert beside.see(FORM.replace("PLACE", f"{base}/api/{what}")) == "answered"
        assert victim.has(what) == before
    # the log-in page leads on to Lab: the cookie goes along, and what refuses is the frame alone
    for place, reached in (
        ("lab", "lab"),
        ("tree", "tree"),
        ("api/contents", "api/contents"),
        ("login", "lab?"),
    ):
        assert beside.see(FRAME.replace("PLACE", f"{base}/{place}")) == "loaded"
        assert [frame.get("unreachableUrl") for frame in beside.frames()] == [f"{base}/{reached}"]


@contextmanager
def neighbour(cluster: Cluster) -> Iterator[str]:
    """A page of somebody else's, on another node and under the same domain."""
    name = new_name(cluster)
    argv = [sys.executable, "-c", SERVER, "10.77.0.12", "8888"]
    with cluster.node("c2").spawn(argv, stdout=subprocess.PIPE) as server:
        try:
            assert line_of(server) == "on"
            assert ask(cluster, "c2", f"redeemtoken.cgi?token={name}&port=8888") == "200 Success!\n"
            until(lambda: f"{name}.rps.test" in cluster.rps.routes())
            yield f"https://{name}.rps.test/"
        finally:
            server.terminate()
            ask(cluster, "c2", f"destroytoken.cgi?token={name}")
