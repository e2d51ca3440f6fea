"""A forgotten tab does not burn an allocation."""

from __future__ import annotations

import pytest

from tests.cluster import browser
from tests.cluster.lab import Lab
from tests.cluster.machine import until

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not browser.installed(), reason="needs a browser: apt-get install chromium"),
]
VISIBLE = "document.visibilityState === 'visible' && !!document.querySelector('.jp-LauncherCard')"


def test_a_visible_page_does_not_keep_a_session(lab: Lab) -> None:
    """JupyterLab in the foreground, and nobody there: the session ends when nothing was done for so long."""
    made = lab.launch("--idle", "0.5")
    with browser.pages(lab.cluster) as new:
        new(made["url"]).until(VISIBLE, 90)
        until(lambda: lab.row(made["session"])["state"] == "ended", 120, pause=1)
    assert lab.row(made["session"])["detail"] == "Nothing was done for 0.5 min."
    assert lab.cluster.rps.tokens() == {}
