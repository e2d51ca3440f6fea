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

from setup_wizard.errors import BadInput, MachineBlocks, NetworkTrouble, SetupError
from setup_wizard.world import Ask, World

TRIES = 3
PAUSE = (0.2, 1.0)  # seconds between two tries, by chance: many jobs may start at once
TIMEOUT = 10.0
BRIEF = 5.0  # seconds, where a job that ends has little time left

NAME = re.compile(r"\AYour token is \s*\n([a-z0-9]+(?:-[a-z0-9]+){2})\n?\Z")
STATES = ("", "PE", "Q", "R", "M", "PR", "D", "U")
MAPPED = ("M", "PR")
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
                fix="Choose another way in: --access tunnel",
            )

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"https://manage.{self.domain}"

    def take(self) -> str:
        """A new name. An answer that was lost costs a name that nobody uses, so it may be asked again."""

        def once() -> str:
            said = self._ask("getlink")
            if found := NAME.match(said):
                return found[1]
            raise self._refused("gave no name", said)

        return self._again(once)

    def redeem(self, name: str, port: int) -> bool:
        """Map the name to this node and port; False when the name was taken or destroyed by another.

        A name can be redeemed once. When the answer is lost, the state tells whether it was done.
        """
        doubt = False
        trouble: NetworkTrouble | None = None
        for attempt in range(TRIES):
            self._pause(attempt)
            try:
                said = self._ask("redeemtoken", token=name, port=str(port))
                if said.startswith("Success!"):
                    return True
                if "Unknown nonce" in said:
                    return doubt and self.state(name) in MAPPED
                raise self._refused("did not take this node", said)
            except NetworkTrouble as e:
                doubt, trouble = True, e
        assert trouble
        raise trouble

    def link(self, name: str, job_id: str) -> None:
        """Tell which job the name belongs to. Only the waiting page depends on it."""
        if JOB.fullmatch(job_id):
            said = self._ask("linktoken", token=name, jobid=job_id)
            if not said.startswith("Success!") and "already linked" not in said:
                raise self._refused("did not take the job's id", said)

    def state(self, name: str) -> str:
        """One of STATES; "" when the proxy does not know the name (any more)."""
        said = self._ask("tokenjobstate", token=name)
        if said.strip() not in STATES:
            raise self._refused("did not say how the name is", said)
        return said.strip()

    def destroy(self, name: str) -> None:
        """Give the name back; one that is gone already is as good. MachineBlocks when another host must."""

        def once() -> None:
            said = self._ask("destroytoken", timeout=BRIEF, token=name)
            if said.startswith("Success!") or "Unknown nonce" in said:
                return
            raise self._refused("did not take a name back", said)

        self._again(once)

    def _ask(self, call: str, timeout: float = TIMEOUT, **fields: str) -> str:
        """What it says under 200; anything else leaves open what was done, and is NetworkTrouble."""
        query = f"?{urlencode(fields)}" if fields else ""
        source = self.world.our_address(self.url)
        reply = self.world.call(
            Ask(f"{self.url}/{call}.cgi{query}", timeout=timeout, source=source, ca=self.ca)
        )
        if reply.status != 200:
            raise NetworkTrouble(
                f"The proxy at {self.domain} answered {reply.status} to {call}.",
                fix="Try again in a while, or choose another way in: --access tunnel",
            )
        return reply.text

    def _refused(self, what: str, said: str) -> SetupError:
        line = (said.strip().splitlines() or ["nothing"])[0][:200]
        if "not in range" in line:
            return MachineBlocks(
                f"The proxy at {self.domain} serves only machines of its cluster, and this is none: «{line}»",
                fix="Launch from the cluster's login node, or choose another way in: --access tunnel",
            )
        return MachineBlocks(
            f"The proxy at {self.domain} {what}: «{line}»",
            fix="Launch again, or choose another way in: --access tunnel",
        )

    def _again(self, once: Callable[[], T]) -> T:
        """What can be asked for twice without harm."""
        for attempt in range(TRIES - 1):
            try:
                return once()
            except NetworkTrouble:
                self._pause(attempt + 1)
        return once()

    def _pause(self, attempt: int) -> None:
        if attempt:
            self.world.sleep(random.uniform(*PAUSE) * attempt)
