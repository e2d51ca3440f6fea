"""The Reverse Proxy Service of the cluster, as the tests see it: Apache with a test CA, and its service."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

from tests.cluster.nodes import Node

DOMAIN = "rps.test"
AS_USUAL: dict[str, Any] = {"period": 1.0, "lag": 0.15, "ttl": 176400, "trouble": {}}
SERVICE = Path(__file__).with_name("rps_service.py")
MODULES = "authz_core mpm_event proxy proxy_http proxy_wstunnel rewrite headers socache_shmcb ssl"


class Rps:
    """The service on its node."""

    def __init__(self, node: Node, base: Path) -> None:
        self.node, self.folder = node, base / "rps"
        self.domain, self.manage = DOMAIN, f"manage.{DOMAIN}"
        self.ca = self.folder / "ca.pem"  # at this place on all nodes, too

    # --- how it is

    @property
    def period(self) -> float:
        """Seconds between two runs that make what was redeemed reachable."""
        return float(self._settings()["period"])

    @period.setter
    def period(self, seconds: float) -> None:
        self.set(period=seconds)

    def set(self, **wanted: Any) -> None:
        """Change settings of the service: period, lag, ttl."""
        new = self.folder / ".new"
        new.write_text(json.dumps({**self._settings(), **wanted}))
        new.replace(self.folder / "settings")

    def trouble(self, call: str, *kinds: str) -> None:
        """Let the next calls of that name go wrong, one kind each: error, lost, slow."""
        self.set(trouble={**self._settings()["trouble"], call: list(kinds)})

    def troubles(self, call: str) -> list[str]:
        """The trouble that is still to come for a call."""
        return list(self._settings()["trouble"].get(call, []))

    def _settings(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "settings").read_text()))

    # --- what it knows

    def tokens(self) -> dict[str, dict[str, Any]]:
        """The names that are known: state (PE, M, PR), target, job, modified."""
        return dict(json.loads((self.folder / "tokens").read_text()))

    def routes(self) -> dict[str, str]:
        """What Apache serves: host name to address:port."""
        return dict(line.split() for line in (self.folder / "map").read_text().splitlines())

    @property
    def spki(self) -> str:
        """The fingerprint for Chromium's --ignore-certificate-errors-spki-list."""
        key = openssl("x509", "-in", self.folder / "server.pem", "-noout", "-pubkey")
        der = subprocess.run(
            ["openssl", "pkey", "-pubin", "-outform", "DER"], input=key, capture_output=True, check=True
        )
        return base64.b64encode(hashlib.sha256(der.stdout).digest()).decode()

    # --- its life

    def stop(self) -> None:
        """Nobody answers any more; open connections are cut."""
        self.node.kill_all("apache2")
        while self.node.kill_all("apache2", 0):
            time.sleep(0.01)

    def start(self) -> None:
        """Answer again."""
        self.node.run(["rm", "-f", "/run/apache2/pid"], user="root")
        self.node.run(self.apache, user="root", check=True)

    def expire(self) -> None:
        """Its names have been there for as long as they may: it forgets them all."""
        self.set(ttl=0)
        self._wait_until_it_knows_none()
        self.set(ttl=AS_USUAL["ttl"])

    def tidy(self) -> None:
        """As at first: no names, no trouble."""
        self.set(**AS_USUAL)
        if self.node.kill_all("apache2", 0) == 0:
            self.start()
        if self.tokens() or self.routes():
            self.node.kill_all("rps", signal.SIGHUP)
            self._wait_until_it_knows_none()

    def _wait_until_it_knows_none(self) -> None:
        end = time.monotonic() + 10
        while self.tokens() or self.routes():
            assert time.monotonic() < end, "the service does not forget"
            time.sleep(0.01)

    @property
    def apache(self) -> list[str]:
        """How Apache is started."""
        return ["apache2", "-f", str(self.folder / "apache.conf"), "-k", "start"]

    def daemons(self, mask: str) -> list[list[str]]:
        """What the node starts."""
        service = [
            sys.executable,
            "-E",
            "-s",
            "-S",
            str(SERVICE),
            str(self.folder),
            mask,
            DOMAIN,
            self.node.address,
        ]
        return [["mkdir", "-p", "/run/apache2"], service, self.apache]

    def write(self, template: Path) -> None:
        """The files of the service."""
        self.folder.mkdir()
        (self.folder / "settings").write_text(json.dumps(AS_USUAL))
        modules = "\n".join(
            f"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so" for m in MODULES.split()
        )
        user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
        gaps = {"base": str(self.folder.parent), "modules": modules, "user": user}
        (self.folder / "apache.conf").write_text(Template(template.read_text()).substitute(gaps))
        self._write_certificates()

    def _write_certificates(self) -> None:
        """A certificate authority, and its certificate for the service."""
        new = [
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "30",
        ]
        authority = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign")
        names = f"subjectAltName=DNS:*.{DOMAIN},DNS:{DOMAIN}"
        server = (names, "basicConstraints=critical,CA:FALSE", "extendedKeyUsage=serverAuth")
        key = self.folder / "ca.key"
        mine = ("-keyout", self.folder / "server.key", "-out", self.folder / "server.pem")
        openssl(*new, "-subj", "/CN=Test CA", *added(authority), "-keyout", key, "-out", self.ca)
        openssl(*new, "-subj", f"/CN={DOMAIN}", *added(server), *mine, "-CA", self.ca, "-CAkey", key)


def added(extensions: Sequence[str]) -> list[str]:
    """The options that put those extensions into a certificate."""
    return [word for extension in extensions for word in ("-addext", extension)]


def openssl(*argv: str | Path) -> bytes:
    """What openssl says; CalledProcessError when it fails."""
    return subprocess.run(["openssl", *map(str, argv)], check=True, capture_output=True).stdout
