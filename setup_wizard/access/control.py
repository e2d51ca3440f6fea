"""The control service of a reverse proxy (RPS): a few calls over HTTPS, and what their answers mean.

Every refusal comes as «Oops! …» under HTTP 200, so an answer counts only when it reads as it must. What could
not be heard to its end may have been done all the same; each call says what it makes of that.

A name is a secret. It goes over TLS inside this process, and into no message.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from setup_wizard.access import TRIES
from setup_wizard.errors import BadInput, MachineBlocks, NetworkTrouble, SetupError
from setup_wizard.world import Ask, World

PAUSE = (0.2, 1.0)  # seconds between two tries, by chance: many jobs may start at once
TIMEOUT = 10.0  # seconds for an answer, beside 5 for the connection: 15 for a call in all
BRIEF = 5.0  # seconds, where nobody depends on the answer, or a job that ends has little time left
OTHER_WAY = "choose another way in: --access tunnel"
OWN_CERTIFICATE = (
    "If the centre signs it itself, its site file tells where the authority's certificate is "
    f"(`rps_ca: /path/to/ca.pem`); ask the centre for it, or {OTHER_WAY}"
)

NAME = re.compile(r"\AYour token is \s*\n([a-z0-9]+(?:-[a-z0-9]+){2})\n?\Z")
STATES = ("", "PE", "Q", "R", "M", "PR", "D", "U")
HOST = re.compile(r"(?=.{4,200}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+", re.I)
JOB = re.compile(r"[-A-Za-z0-9._]{1,47}")
T = TypeVar("T")


@dataclass(frozen=True)
class Control:
    """The control service of `domain`; `ca` is a file of certificates to trust, "" for the usual ones."""

    world: World
    domain: str
    ca: str = ""

    def __post_init__(self) -> None:
        if not HOST.fullmatch(self.domain):
            raise BadInput(
                f"«{self.domain}» is not the domain of a proxy for Jupyter.",
                fix=OTHER_WAY.capitalize(),
            )

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"https://manage.{self.domain}"

    def take(self, tries: int = TRIES) -> str:
        """A new name. An answer that was lost costs a name that nobody uses, so it may be asked again."""

        def once() -> str:
            said = self._ask("getlink")
            if found := NAME.match(said):
                return found[1]
            raise self._refused("gave no name", said)

        return self._again(once, tries)

    def redeem(self, name: str, port: int) -> bool:
        """Map the name to this node and port; False when it cannot be had (any more).

        A name can be redeemed once. NetworkTrouble leaves it open whether it was done; who asks again hears
        False then, as if somebody else had: only «Success» tells that it was us.
        """
        said = self._ask("redeemtoken", token=name, port=str(port))
        if said.startswith("Success!"):
            return True
        if "Unknown nonce" in said:
            return False
        raise self._refused("did not take this node", said)

    def link(self, name: str, job_id: str) -> None:
        """Tell which job the name belongs to. Only the waiting page depends on it."""
        if JOB.fullmatch(job_id):
            said = self._ask("linktoken", timeout=BRIEF, token=name, jobid=job_id)
            if not said.startswith("Success!") and "already linked" not in said:
                raise self._refused("did not take the job's id", said)

    def state(self, name: str) -> str:
        """One of STATES; "" when the proxy does not know the name (any more)."""
        said = self._ask("tokenjobstate", token=name)
        if said.strip() not in STATES:
            raise self._refused("did not say how the name is", said)
        return said.strip()

    def destroy(self, name: str, tries: int = TRIES) -> None:
        """Give the name back; one that is gone already is as good. MachineBlocks when another host must."""

        def once() -> None:
            said = self._ask("destroytoken", timeout=BRIEF, token=name)
            if said.startswith("Success!") or "Unknown nonce" in said:
                return
            raise self._refused("did not take a name back", said)

        self._again(once, tries)

    def _ask(self, call: str, timeout: float = TIMEOUT, **fields: str) -> str:
        """What it says under 200; anything else leaves open what was done, and is NetworkTrouble."""
        query = f"?{urlencode(fields)}" if fields else ""
        try:
            source = self.world.our_address(self.url)
            reply = self.world.call(
                Ask(f"{self.url}/{call}.cgi{query}", timeout=timeout, source=source, ca=self.ca)
            )
        except NetworkTrouble as e:
            fix = OWN_CERTIFICATE if "certificate" in e.problem else f"Try again in a while, or {OTHER_WAY}"
            raise NetworkTrouble(f"The proxy for Jupyter is out of reach: {e.problem}", fix=fix) from e
        if reply.status != 200:
            raise NetworkTrouble(
                f"The proxy at {self.domain} answered {reply.status} to {call}.",
                fix=f"Try again in a while, or {OTHER_WAY}",
            )
        return reply.text

    def _refused(self, what: str, said: str) -> SetupError:
        line = (said.strip().splitlines() or ["nothing"])[0][:200]
        if "not in range" in line:
            return MachineBlocks(
                f"The proxy at {self.domain} serves only machines of its cluster, and "
                f"{self.world.hostname} is none: «{line}»",
                fix=f"Launch from the cluster's login node, and onto its nodes; or {OTHER_WAY}",
            )
        return MachineBlocks(
            f"The proxy at {self.domain} {what}: «{line}»",
            fix=f"Launch again, or {OTHER_WAY}",
        )

    def _again(self, once: Callable[[], T], tries: int) -> T:
        """What can be asked for twice without harm."""
        for attempt in range(1, tries):
            try:
                return once()
            except NetworkTrouble:
                self.world.sleep(random.uniform(*PAUSE) * attempt)
        return once()
