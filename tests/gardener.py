"""An account whose environments come from a small channel that is served on loopback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from setup_wizard.conda import contents
from tests.program import Account
from tests.web_server import WebServer

YAML = """\
name: basket
channels:
  - {url}
dependencies:
  - pear   # needs an old apple
  - quince=1.1
variables:
  JAM: "2"
"""


class Gardener(Account):
    """An account with an environment.yml whose channel is served."""

    def __init__(self, home: Path, url: str) -> None:
        super().__init__(home)
        self.url = url
        self.file = home / "basket.yml"
        self.file.write_text(YAML.format(url=url))
        self.lock = home / "basket.lock"
        self.envs = home / ".conda/envs"

    def well(self, *words: str) -> Any:
        """Run a command of `env` to its good end, and give what it said in JSON."""
        said = self.run("env", *words, "--json")
        assert said.returncode == 0, said.stdout + said.stderr
        return json.loads(said.stdout)

    def ill(self, *words: str) -> tuple[int, str]:
        """Run a command of `env` that cannot be done: its exit code and all that it said."""
        said = self.run("env", *words)
        assert "Traceback" not in said.stderr
        return said.returncode, said.stdout + said.stderr

    def packages(self, name: str) -> list[str]:
        """What an environment holds: "pear-1.0"."""
        return [stem.rpartition("-")[0] for stem in contents.stems(self.envs / name)]


def without_index(web: WebServer) -> None:
    """Serve the archives of the channel and nothing else; forget what was asked for before."""
    for path in list(web._bodies):
        if not path.endswith(".conda"):
            del web._bodies[path]
    web.asked.clear()
