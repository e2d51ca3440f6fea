"""What pip and the user have put into an environment, when its packages change: kept, or told before."""

from __future__ import annotations

from pathlib import Path

import pytest

from setup_wizard.mirror.packages import Package
from setup_wizard.mirror.tiny import stub
from tests.channels import channel
from tests.test_env_change import Basket

FAILS = b"#!/bin/sh\necho no licence server >&2\nexit 3\n"


def garden() -> list[Package]:
    """What the basket is made of, and a package whose script fails."""
    plain = {name: stub(name, files={f"share/{name}": b"x"}, noarch="generic") for name in ("pear", "plum")}
    quince = stub("quince", "1.1", files={"share/quince": b"x"}, noarch="generic")
    fails = stub("fails", files={"bin/.fails-post-link.sh": FAILS}, noarch="generic")
    return [*plain.values(), quince, fails]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A channel of them."""
    return channel(tmp_path_factory.mktemp("channels") / "garden", garden())


@pytest.fixture
def basket(tmp_path: Path, url: str) -> Basket:
    """An account with an environment of pear and quince."""
    return Basket(tmp_path / "home", url)


def test_a_warning_is_shown_and_stays(basket: Basket) -> None:
    """On the screen below the work, and in JSON: what went wrong and did not stop it."""
    said = basket.run("env", "install", "basket", "fails", "--yes")
    assert "! The installation script of fails failed" in said.stdout
    basket.change("remove-package", "basket", "fails")
    (warning,) = basket.change("install", "basket", "fails")["warnings"]
    assert warning.startswith("The installation script of fails failed")
