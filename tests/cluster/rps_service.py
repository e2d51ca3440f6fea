"""The control service of the test cluster's Reverse Proxy Service: it gives, maps and takes names.

    python rps_service.py FOLDER MASK DOMAIN ADDRESS

It listens on the loopback of its node, and Apache in front of it names the client. Names become routes as in
the real service: not at once but when a period has ended, and a moment after the state says so.

FOLDER/settings (JSON) may change at any time: period, lag and ttl in seconds, and trouble, {call: [kind, …]},
which is eaten one by one: «error» answers 500 and does nothing, «lost» does it and drops the connection,
«slow» does it and sleeps first. FOLDER/tokens shows what is known, FOLDER/map what Apache serves. SIGHUP
forgets all.
"""

from __future__ import annotations

import ctypes
import http.server
import ipaddress
import json
import os
import re
import secrets
import signal
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

FOLDER, MASK, DOMAIN, ADDRESS = Path(sys.argv[1]), ipaddress.ip_network(sys.argv[2]), sys.argv[3], sys.argv[4]
HOSTS = Path("/etc/hosts")
TRUTH = threading.RLock()
PENDING, MAPPED, PROXIED = "PE", "M", "PR"
FROM_CLUSTER, FROM_NODE = "within the cluster", "the compute node running your service"
ONLY_GET = "Only GET method is supported"
WAITING = """<!DOCTYPE html>
<html><head><title>Please wait</title></head><body><h2>Phase {phase}</h2>
<p>This page looks again every ten seconds.</p>
<script>setTimeout(() => location.reload(), 10000)</script></body></html>
"""
NOT_FOUND = (
    "<!DOCTYPE HTML><html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n"
)


class Oops(Exception):
    """What the service says under HTTP 200 when it refuses."""


@dataclass
class Token:
    """A name and what has become of it; `modified` is when its life began to count."""

    state: str
    modified: float
    target: str = ""
    job: str = ""


known: dict[str, Token] = {}
jobs: dict[str, tuple[str, float]] = {}


# --- the calls --------------------------------------------------------------------------------------------


def getlink(client: str, given: dict[str, str]) -> str:
    """A new name, which waits for its service."""
    inside(client, FROM_CLUSTER)
    name = "-".join(word() for _ in range(3))
    known[name] = Token(PENDING, time.time())
    with HOSTS.open("a") as hosts:
        hosts.write(f"{ADDRESS} {name}.{DOMAIN}\n")
    return f"Your token is \n{name}\n"


def redeemtoken(client: str, given: dict[str, str]) -> str:
    """Let a name lead to the caller's address and port, once."""
    name, port = parameter(given, "token"), parameter(given, "port")
    if not re.match(r"[0-9]+$", port) or not 1024 <= int(port) <= 65535:
        raise Oops("'port' parameter isn't an integer between 1024 and 65535")
    inside(client, FROM_NODE)
    token = known.get(name)
    if token is None or token.state != PENDING:
        raise Oops("Unknown nonce or nonce already used")
    token.state, token.target, token.modified = MAPPED, f"{client}:{int(port)}", time.time()
    return "Success!\n"


def linktoken(client: str, given: dict[str, str]) -> str:
    """Tell which job a name belongs to, once."""
    name, job = parameter(given, "token"), re.sub(r"[^-A-Za-z0-9._]", "", given.get("jobid", ""))
    if job in ("", "0") or len(job) >= 48:
        raise Oops("Missing 'jobid' parameter")
    inside(client, FROM_CLUSTER)
    token = existing(name)
    if token.job:
        raise Oops("Nonce already linked to a jobid, you can do this only once!")
    token.job = job
    return "Success! Token linked to jobid.\n"


def tokenjobstate(client: str, given: dict[str, str]) -> str:
    """The state of a name in a letter or two, nothing when it is not known."""
    token = known.get(parameter(given, "token").removesuffix(f".{DOMAIN}"))
    if token is None:
        return ""
    said, when = jobs.get(token.job, ("", 0.0))
    if said in GONE and time.time() - when < 600:
        return "D"
    if token.state == PENDING and time.time() - when < 600:
        return {"PENDING": "Q", "RUNNING": "R"}.get(said, PENDING)
    return token.state


def destroytoken(client: str, given: dict[str, str]) -> str:
    """Forget a name; a mapped one only for the address that redeemed it."""
    name = parameter(given, "token")
    inside(client, FROM_NODE)
    token = existing(name)
    if token.target and token.target.split(":")[0] != client:
        raise Oops("Nonce must be destroyed from host it was redeemed on")
    del known[name]
    return "Success! Token destroyed.\n"


def update_jobs(client: str, given: dict[str, str]) -> str:
    """Learn from the cluster how its jobs are."""
    inside(client, "")
    for line in parameter(given, "jobstates").split("\n"):
        job, _, said = line.partition(" ")
        if said:
            jobs[job] = (re.sub(r"[0-9_+]", "", said), time.time())
    return "Successfully updated jobs! \n"


GONE = {"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "OUTOFMEMORY", "NODEFAIL", "PREEMPTED", "DEADLINE"}
CALLS = {
    "getlink": getlink,
    "redeemtoken": redeemtoken,
    "linktoken": linktoken,
    "tokenjobstate": tokenjobstate,
    "destroytoken": destroytoken,
    "update-jobs": update_jobs,
}


def parameter(given: dict[str, str], name: str) -> str:
    """A parameter that must be there."""
    if not given.get(name):
        raise Oops(f"Missing '{name}' parameter")
    return given[name]


def inside(client: str, where: str) -> None:
    """Refuse a client outside the cluster."""
    if ipaddress.ip_address(client) not in MASK:
        raise Oops(f"Client (your) IP not in range {MASK}" + (f", please try from {where}." if where else ""))


def existing(name: str) -> Token:
    """A name that is known."""
    if name not in known:
        raise Oops("Unknown nonce or nonce already destroyed")
    return known[name]


def word() -> str:
    """A word that means nothing."""
    return "".join(secrets.choice("bdfgklmnprstvz") + secrets.choice("aeiou") for _ in range(3))


# --- from time to time ------------------------------------------------------------------------------------


def settings() -> dict[str, Any]:
    """How the tests want the service to be."""
    return dict(json.loads((FOLDER / "settings").read_text()))


def troubles(call: str) -> str:
    """The trouble that the tests want for this call, "" for none."""
    now = settings()
    waiting = now["trouble"].get(call, [])
    if not waiting:
        return ""
    trouble = waiting.pop(0)
    write("settings", json.dumps(now), 0o644)
    return str(trouble)


def write(name: str, text: str, mode: int = 0o600) -> None:
    """Replace a file of the service whole."""
    new = FOLDER / f".{name}"
    new.touch(mode)
    new.write_text(text)
    new.replace(FOLDER / name)


def show() -> None:
    """Show what is known."""
    write("tokens", json.dumps({name: asdict(token) for name, token in known.items()}))


def routes() -> str:
    """What Apache is to serve: the names whose state is proxied."""
    mapped = {name: token.target for name, token in known.items() if token.state == PROXIED}
    return "".join(f"{name}.{DOMAIN} {target}\n" for name, target in mapped.items())


def period() -> None:
    """A period has ended: drop the old, let the mapped be proxied, and a moment later tell Apache."""
    now = settings()
    with TRUTH:
        for name, token in list(known.items()):
            if time.time() - token.modified > now["ttl"]:
                del known[name]
            elif token.state == MAPPED:
                token.state = PROXIED
        show()
        text = routes()
    time.sleep(now["lag"])
    if (FOLDER / "map").read_text() != text:
        write("map", text, 0o644)


def keep_time() -> None:
    """Run the periods, for ever; a changed length counts at once."""
    last = time.monotonic()
    while True:
        if time.monotonic() - last >= settings()["period"]:
            last = time.monotonic()
            period()
        time.sleep(0.05)


def forget(*_: object) -> None:
    """Be as new."""
    threading.Thread(target=forget_all).start()  # a signal may come while the truth is held


def forget_all() -> None:
    """Forget every name and job, and what Apache serves."""
    with TRUTH:
        known.clear()
        jobs.clear()
        HOSTS.write_text(re.sub(rf".* [a-z]+-[a-z]+-[a-z]+\.{DOMAIN}\n", "", HOSTS.read_text()))
        write("map", "", 0o644)
        show()


# --- the web ----------------------------------------------------------------------------------------------


class Web(http.server.BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        """Answer; the tests may have ordered trouble."""
        host = self.headers.get("X-Asked-Host", "").lower()
        call = urlsplit(self.path).path.removeprefix("/").removesuffix(".cgi")
        if host != f"manage.{DOMAIN}":
            self.page(host.removesuffix(f".{DOMAIN}"))
        elif call not in CALLS or not urlsplit(self.path).path.endswith(".cgi"):
            self.send(404, NOT_FOUND, "text/html")
        else:
            self.call(call)

    do_POST = do_HEAD = do_PUT = do_DELETE = do_PATCH = do_GET

    def call(self, name: str) -> None:
        """Answer a call of the service."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode(errors="replace")
        with TRUTH:
            trouble = troubles(name)
            if trouble != "error":
                said, kind = self.answer(name, body)
                show()
        if trouble == "error":
            self.send(500, "<h1>Internal Server Error</h1>\n", "text/html")
        elif trouble == "lost":
            self.connection.close()
        else:
            time.sleep(30 if trouble == "slow" else 0)
            self.send(200, said, kind)

    def answer(self, name: str, body: str) -> tuple[str, str]:
        """What a call says, and of what kind that is."""
        post = name == "update-jobs"
        asked = parse_qs(body if post else urlsplit(self.path).query, keep_blank_values=True)
        given = {key: values[0] for key, values in asked.items()}
        try:
            if post and self.command != "POST":
                raise Oops("Only POST method is supported")
            if not post and name != "getlink" and self.command != "GET":
                raise Oops(ONLY_GET)
            client = self.headers.get("X-Forwarded-For", "").split(",")[-1].strip()
            said = CALLS[name](client, given)
        except Oops as e:
            return f"Oops! {e}\n", "text/plain"
        return said, "text/plain" if name in ("getlink", "tokenjobstate") else "text/html"

    def page(self, name: str) -> None:
        """Answer for a name that leads nowhere yet."""
        token = known.get(name)
        if urlsplit(self.path).path != "/":
            self.send(404, NOT_FOUND, "text/html")
        elif self.command != "GET":
            self.send(200, f"Oops! {ONLY_GET}\n", "text/plain")
        elif token is None:
            self.send(200, "Please see documentation on how to use this service.\n", "text/plain")
        else:
            phase = "1 of 2: Pending" if token.state == PENDING else "2 of 2: Mapped"
            self.send(200, WAITING.format(phase=phase), "text/html")

    def send(self, status: int, text: str, kind: str) -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """No log: it would hold the names."""


def main() -> None:
    """Listen, become a daemon, and serve until the node ends."""
    ctypes.CDLL(None).prctl(15, b"rps", 0, 0, 0)  # the name that the tests find us by
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Web)
    write("map", "", 0o644)
    show()
    if os.fork():
        os._exit(0)
    os.setsid()
    signal.signal(signal.SIGHUP, forget)
    threading.Thread(target=keep_time, daemon=True).start()
    server.serve_forever(poll_interval=60)


if __name__ == "__main__":
    main()
