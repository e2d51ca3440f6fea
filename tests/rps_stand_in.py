"""A stand-in for the reverse proxy of a site, on loopback: its control service, waiting pages and mapping.

It answers word for word as the real service was seen to: every refusal under 200, names of three words that
can be redeemed once, a mapping that becomes live a while after it was redeemed, and rules about addresses:
127.21.0.0/16 is the cluster. Behind a name it is a real proxy over TLS, websockets included.

    with Proxy(tmp_path) as rps:
        lead_here(monkeypatch, rps)            # names below `rps.test` lead to it
        login = Elsewhere(world, "127.21.0.1")  # a machine in the cluster
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from setup_wizard.world import Ask, Reply, World

DOMAIN = "rps.test"
CLUSTER = "127.21."
RANGE = "Oops! Client (your) IP not in range 127.21.0.0/16, please try from "
WAITING = "<html><h2>Phase 1 of 2: Pending</h2></html>"


@dataclass
class Name:
    """A name that was given out: its state, where it leads, and its job."""

    state: str = "PE"
    target: tuple[str, int] | None = None
    job: str = ""


@dataclass
class Proxy:
    """The whole service. `faults` are answers to give in place of the next ones, by call."""

    folder: Path
    given: int = 0
    names: dict[str, Name] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    faults: dict[str, list[Callable[[Proxy, str], str]]] = field(default_factory=dict)

    def __enter__(self) -> Proxy:
        make_certificates(self.folder)
        self.over = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(self.folder / "rps.pem", self.folder / "rps.key")
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over = True
        self.listener.close()

    @property
    def ca(self) -> str:
        """The file with the authority that signed the proxy's certificate."""
        return str(self.folder / "ca.pem")

    def cron(self) -> None:
        """What the real service does once a minute: mapped names become live."""
        for name in self.names.values():
            name.state = "PR" if name.state == "M" else name.state

    def calls(self, call: str) -> int:
        """How often a call was made."""
        return sum(line.startswith(f"/{call}.cgi") for line in self.asked)

    # --- connections --------------------------------------------------------------------------------------

    def _accept(self) -> None:
        while not self.over:
            try:
                link, (peer, _) = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(link, peer), daemon=True).start()

    def _serve(self, raw: socket.socket, peer: str) -> None:
        with contextlib.suppress(OSError), self.tls.wrap_socket(raw, server_side=True) as link:
            head = b""
            while b"\r\n\r\n" not in head:
                if not (block := link.recv(1 << 16)):
                    return None
                head += block
            first, host = head.split(b"\r\n")[0].decode(), re.search(rb"(?i)\r\nHost: (.*?)\r\n", head)
            name = host[1].decode().removesuffix(f".{DOMAIN}") if host else ""
            if name == "manage":
                return _answer(link, self._control(first.split()[1], peer))
            known = self.names.get(name)
            if known and known.state == "PR" and known.target:
                return splice(link, head, known.target)
            _answer(link, ("404 Not Found", "") if " / " not in first else ("200 OK", WAITING))
        return None

    def _control(self, path: str, peer: str) -> tuple[str, str]:
        self.asked.append(path)
        parts = urlsplit(path)
        call = parts.path.strip("/").removesuffix(".cgi")
        fields = {k: v[0] for k, v in parse_qs(parts.query).items()}
        before = self.faults.get(call)
        fault = before.pop(0) if before else None
        if fault and (said := fault(self, fields.get("token", ""))) != "and then lost":
            return ("200 OK", said) if not said.startswith("5") else (said, "")
        body = getattr(self, f"_{call}")(peer, fields.get("token", ""), fields)
        return ("500 Internal Server Error", "") if fault else ("200 OK", body)

    # --- the calls ----------------------------------------------------------------------------------------

    def _getlink(self, peer: str, *_: object) -> str:
        if not peer.startswith(CLUSTER):
            return f"{RANGE}within the cluster.\n"
        self.given += 1
        name = f"quiet-otter-{'abcdefghij'[self.given - 1]}"
        self.names[name] = Name()
        return f"Your token is \n{name}\n"

    def _redeemtoken(self, peer: str, name: str, fields: dict[str, str]) -> str:
        if not peer.startswith(CLUSTER):
            return f"{RANGE}the compute node running your service.\n"
        if self.names.get(name, Name("M")).state != "PE":
            return "Oops! Unknown nonce or nonce already used\n"
        self.names[name].state, self.names[name].target = "M", (peer, int(fields["port"]))
        return "Success!\n"

    def _linktoken(self, peer: str, name: str, fields: dict[str, str]) -> str:
        self.names[name].job = fields["jobid"]
        return "Success! Token linked to jobid.\n"

    def _tokenjobstate(self, peer: str, name: str, *_: object) -> str:
        return self.names[name].state if name in self.names else ""

    def _destroytoken(self, peer: str, name: str, *_: object) -> str:
        if not peer.startswith(CLUSTER):
            return f"{RANGE}the compute node running your service.\n"
        known = self.names.get(name)
        if not known:
            return "Oops! Unknown nonce or nonce already destroyed\n"
        if known.target and known.target[0] != peer:
            return "Oops! Nonce must be destroyed from host it was redeemed on\n"
        del self.names[name]
        return "Success! Token destroyed.\n"


class Elsewhere(World):
    """A machine with an address of its own in the cluster; it does not wait between two tries."""

    def __init__(self, world: World, address: str) -> None:
        super().__init__(world.home, world.env, patience=world.patience)
        self.address = address
        self.sent: list[Ask] = []

    def our_address(self, url: str) -> str:
        return self.address

    def sleep(self, seconds: float) -> None:
        return None

    def call(self, ask: Ask) -> Reply:
        self.sent.append(ask)
        return super().call(ask)


def _answer(link: socket.socket, said: tuple[str, str]) -> None:
    status, body = said
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    link.sendall(f"{head}Connection: close\r\n\r\n{body}".encode())


def splice(link: socket.socket, head: bytes, target: tuple[str, int]) -> None:
    """Send the request on, under the node's own Host as the real proxy does, and carry both ways."""
    try:
        back = socket.create_connection(target, timeout=5)
    except OSError:
        return _answer(link, ("503 Service Unavailable", "<html>down</html>"))
    with back:
        node = f"{target[0]}:{target[1]}".encode()
        back.sendall(re.sub(rb"(?i)\r\nHost: .*?\r\n", b"\r\nHost: " + node + b"\r\n", head, count=1))
        carry(link, back)
    return None


def carry(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until either side has ended."""
    while True:
        pending = isinstance(one, ssl.SSLSocket) and one.pending()
        ready = [one] if pending else select.select([one, other], [], [])[0]
        for source in ready:
            if not (block := source.recv(1 << 16)):
                return
            (other if source is one else one).sendall(block)


def lead_here(monkeypatch: object, proxy: Proxy) -> None:
    """Let every name below the domain lead to the stand-in, with nothing else about it changed."""
    real = socket.getaddrinfo

    def found(host: str | bytes | None, port: object, *more: object, **named: object) -> object:
        text = host.decode() if isinstance(host, bytes) else host or ""
        if text.endswith(f".{DOMAIN}"):
            return real("127.0.0.1", proxy.port, socket.AF_INET, socket.SOCK_STREAM)
        return real(host, port, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", found)  # type: ignore[attr-defined]


def make_certificates(folder: Path) -> None:
    """An authority of the test's own, and the proxy's certificate from it."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    ca = ["-subj", "/CN=test authority", "-addext", "keyUsage=critical,keyCertSign"]
    openssl(folder, "req", "-x509", *key, *ca, "-keyout", "ca.key", "-out", "ca.pem")
    names = f"subjectAltName=DNS:*.{DOMAIN}"
    signed = ["-subj", f"/CN={DOMAIN}", "-addext", names, "-CA", "ca.pem", "-CAkey", "ca.key"]
    basic = ["-addext", "basicConstraints=critical,CA:FALSE"]
    openssl(folder, "req", "-x509", *key, *signed, *basic, "-keyout", "rps.key", "-out", "rps.pem")


def openssl(folder: Path, *words: str) -> None:
    """Run openssl there."""
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=30)
