"""The ways in on a real cluster: from a launch on the login node or the laptop to a cell that ran."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest

from tests.cluster.cluster import CHECKOUT
from tests.cluster.lab import PROGRAM, SESSIONS, Lab
from tests.cluster.machine import until

pytestmark = pytest.mark.real


def test_a_mapping_that_another_destroys_is_replaced(lab: Lab) -> None:
    """Another user of the node destroys it: the session takes another name, and its address changes."""
    made = lab.launch()
    before = lab.ticket(made["session"])
    url = f"https://manage.rps.test/destroytoken.cgi?token={before.name}"
    assert "Success" in lab.get("c1", url)
    until(lambda: lab.ticket(made["session"]).name != before.name, 90)
    origin = lab.ticket(made["session"]).origin
    until(lambda: '"version"' in lab.get("laptop", f"{origin}/api"), 30)
    until(lambda: origin in lab.row(made["session"])["url"], 60)
    lab.know(made["session"])
    lab.run("stop", made["session"])
    assert lab.cluster.rps.tokens() == {}


def test_the_printed_command_leads_through_the_job(lab: Lab) -> None:
    """Where nobody may log in to the nodes, the command that is printed takes a step of the job."""
    lab.site(ssh="no")
    lab.cluster.refuse_ssh("c1")
    made = lab.launch("--access", "tunnel")
    with lab.tunnel(made):
        assert lab.cell(made) == "42"
    lab.run("stop", made["session"])


@pytest.mark.parametrize("refused", [False, True])
def test_connect_from_the_laptop(lab: Lab, refused: bool) -> None:
    """One command on the laptop: launched, reached, proven; back after a cut; it ends with the job."""
    if refused:
        lab.cluster.refuse_ssh("c1")
    argv = [*PROGRAM, "connect", "login", "--json", "--no-browser", *lab.words]
    laptop = lab.cluster.laptop
    child = laptop.spawn(argv, env={"PYTHONPATH": str(CHECKOUT)}, stdout=subprocess.PIPE)
    with child:
        try:
            assert child.stdout
            text = ""
            while not text.rstrip().endswith("\n}"):
                line = child.stdout.readline()
                assert line, text
                text += line
            made = json.loads(text)
            assert made["proof"]["answer"] == "42"
            base = made["url"].partition("lab?")[0]
            assert '"version"' in lab.get("laptop", f"{base}api")
            lab.cluster.login.kill_all("sshd")
            until(lambda: lab.get("laptop", f"{base}api") == "", 30)
            lab.cluster.start_sshd("login")
            until(lambda: '"version"' in lab.get("laptop", f"{base}api"), 10)
            lab.know(made["session"], made["url"])
            lab.run("stop", made["session"])
            assert child.wait(60) == 0
        finally:
            child.send_signal(signal.SIGTERM)
    until(lambda: not laptop.run(["pgrep", "-a", "ssh"]).stdout, 10)


# --- the proxy in trouble --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "says", "fix"),
    [
        ("down", "refuses the connection", "--access tunnel"),
        ("error", "answered 500 to getlink", "--access tunnel"),
        ("certificate", "certificate is not trusted", "rps_ca"),
    ],
)
def test_no_way_in_no_job(lab: Lab, trouble: str, says: str, fix: str) -> None:
    """Before the submission: said with what to do, and neither a job nor a session nor a name is left."""
    if trouble == "down":
        lab.cluster.rps.stop()
    elif trouble == "error":
        lab.cluster.rps.trouble("getlink", *["error"] * 3)
    else:
        lab.cluster.login.sh(
            "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=other -keyout k -out ca.pem"
        )
        lab.site(ca=f"{lab.cluster.user.home}/ca.pem")
    said = lab.call("launch", *lab.words)
    assert says in said["error"]["problem"]
    assert fix in said["error"]["fix"]
    assert lab.run("sessions")["sessions"] == []
    assert not lab.cluster.login.sh("squeue -h").strip()
    assert lab.cluster.rps.tokens() == {}


def test_a_launch_survives_each_call_gone_wrong_once(lab: Lab) -> None:
    """Once an error and once done but unheard, at each call: a session all the same, and nothing left."""
    for call in ("getlink", "linktoken", "redeemtoken", "tokenjobstate"):
        lab.cluster.rps.trouble(call, "error", "lost")
    made = lab.launch()
    assert made["proof"]["answer"] == "42"
    lab.cluster.rps.trouble("destroytoken", "error", "lost")
    lab.run("stop", made["session"])
    assert [token["state"] for token in lab.cluster.rps.tokens().values()] == ["PE"]  # the unheard getlink's


def test_a_proxy_that_is_down_when_the_job_starts_is_waited_for(lab: Lab) -> None:
    """The job has its nodes; it asks again until the proxy is back."""
    nodes = "scontrol update nodename=c1,c2"
    lab.cluster.login.sh(f"{nodes} state=drain reason=test", user="root")
    made = lab.launch("--detach")
    lab.cluster.rps.stop()
    lab.cluster.login.sh(f"{nodes} state=resume", user="root")
    log = f"{SESSIONS}/{made['session']}/serve.log"
    until(lambda: "the way in is unknown" in lab.cluster.login.sh(f"cat {log} || true"), 60)
    lab.cluster.rps.start()
    assert lab.run("url", made["session"])["proof"]["answer"] == "42"


def test_calls_that_fail_for_a_while_are_made_again(lab: Lab) -> None:
    """The job has begun: each call fails, again and again, and there is a session in the end."""
    rps, calls = lab.cluster.rps, ("linktoken", "redeemtoken", "tokenjobstate")
    rps.set(period=60)  # how it is, is asked only while it leads nowhere
    for call in calls:
        rps.trouble(call, *["error", "lost"] * 3)
    made = lab.launch("--detach")
    until(lambda: all(len(rps.troubles(call)) < 6 for call in calls))
    rps.set(period=1)
    assert lab.run("url", made["session"])["proof"]["answer"] == "42"
    lab.run("stop", made["session"])
    assert rps.tokens() == {}


def test_a_proxy_that_is_down_at_the_end_is_told_later(lab: Lab) -> None:
    """The session ends all the same, and warns; when the proxy is back, the next session there tells it."""
    made = lab.launch()
    lab.cluster.rps.stop()
    assert lab.run("stop", made["session"])["stopped"] == {made["session"]: True}
    assert "49 hours" in lab.row(made["session"])["warning"]
    lab.cluster.rps.start()
    again = lab.ticket(lab.launch()["session"])
    until(lambda: set(lab.cluster.rps.tokens()) == {again.name}, 30)
    assert lab.row(made["session"])["warning"] == ""
    lab.run("stop", "--all")
    assert lab.cluster.rps.tokens() == {}


# --- plain HTTP ------------------------------------------------------------------------------------------


def test_plain_http_is_for_who_says_so(lab: Lab) -> None:
    """Without the flag it is explained and refused; with it a cell runs through the node's address."""
    refused = lab.call("launch", *lab.words, "--access", "direct")["error"]
    assert "can read the token" in refused["problem"]
    here = lab.call("launch", *lab.words, "--access", "direct", "--i-understand-http-is-readable", "--here")
    assert here["ok"] is False
    assert lab.run("sessions")["sessions"] == []
    made = lab.launch("--access", "direct", "--i-understand-http-is-readable")
    assert made["url"].startswith("http://10.77.0.11:")
    assert (made["proof"]["answer"], "not encrypted" in made["note"]) == ("42", True)
    base = made["url"].partition("lab?")[0]
    assert '"version"' in lab.get("c2", f"{base}api")
    assert "Forbidden" in lab.get("c2", f"{base}api/contents")
