"""The name of a session at the real proxy does not last for ever; the session may."""

from __future__ import annotations

import pytest

from tests.cluster.lab import Lab
from tests.cluster.machine import until

pytestmark = pytest.mark.real


def test_a_name_that_was_forgotten_in_the_queue_is_replaced(lab: Lab) -> None:
    """The job waits for longer than the proxy keeps its name: it takes another one, and is proven by it."""
    nodes = "scontrol update nodename=c1,c2"
    lab.cluster.login.sh(f"{nodes} state=drain reason=test", user="root")
    made = lab.launch("--detach")
    before = lab.ticket(made["session"])
    lab.cluster.rps.expire()
    lab.cluster.login.sh(f"{nodes} state=resume", user="root")
    shown = lab.run("url", made["session"])
    assert shown["proof"]["answer"] == "42"
    lab.know(made["session"], shown["url"])
    now = lab.ticket(made["session"])
    assert (now.name != before.name, shown["url"].startswith(f"{now.origin}/lab")) == (True, True)
    lab.run("stop", made["session"])
    assert lab.cluster.rps.tokens() == {}


def test_a_proxy_that_is_away_at_the_end_is_waited_for(lab: Lab) -> None:
    """Ended from the browser while it is down: the list warns, and the job gives the name back later."""
    made = lab.launch()
    base, _, query = made["url"].partition("/lab?")
    ticket = lab.ticket(made["session"])
    where = lab.cluster.rps.routes()[ticket.origin.removeprefix("https://")]
    lab.cluster.rps.stop()
    over = f"curl -sS -X POST -H 'Authorization: {query.replace('=', ' ')}' http://{where}/api/shutdown"
    lab.cluster.node("c1").sh(over)
    until(lambda: lab.row(made["session"])["state"] == "ended", 60, pause=0.5)
    assert "49 hours" in lab.row(made["session"])["warning"]
    lab.cluster.rps.start()
    until(lambda: lab.cluster.rps.tokens() == {}, 60)
    until(lambda: lab.row(made["session"])["warning"] == "", 30)
    assert base == ticket.origin


def test_a_session_outlives_its_name(lab: Lab) -> None:
    """After 49 hours the list shows no dead address, then a new one, through which a cell runs."""
    made = lab.launch()
    lab.cluster.rps.trouble("getlink", *["error"] * 2)
    lab.cluster.rps.expire()
    until(lambda: lab.row(made["session"])["url"] != made["url"], 90, pause=0.5)
    row = lab.row(made["session"])
    assert (row["state"], "lost" in row["warning"], row["url"]) == ("starting", True, "")
    shown = lab.run("url", made["session"])
    assert shown["proof"]["answer"] == "42"
    assert shown["url"].partition("?")[0] != made["url"].partition("?")[0]
    lab.know(made["session"], shown["url"])
    lab.run("stop", made["session"])
    assert lab.cluster.rps.tokens() == {}
