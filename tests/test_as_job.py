"""What `--as-job` hands over, and how the job carries it out; the way there is tried on the real cluster."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from setup_wizard.answers import Answers
from setup_wizard.apply import review, with_forecasts
from setup_wizard.cli import as_job
from setup_wizard.cli.work import job
from setup_wizard.conda.spec import read_spec
from setup_wizard.errors import BadInput
from setup_wizard.mirror.tiny import stub
from setup_wizard.plan import environment_plan
from setup_wizard.schedulers import Resources
from setup_wizard.steps import AnyStep
from setup_wizard.world import World, silent
from tests.channels import channel, fruits, serve
from tests.gardener import Gardener
from tests.program import ROOT
from tests.web_server import WebServer


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture
def gardener(tmp_path: Path, web: WebServer) -> Gardener:
    """An account beside a channel of fruits."""
    channel(tmp_path / "channel/orchard", [*fruits(), stub("fig", depends=["__cuda >=12"], noarch="generic")])
    return Gardener(tmp_path / "home", serve(web, tmp_path / "channel/orchard"))


def shown(gardener: Gardener) -> list[AnyStep]:
    """The steps as the user is shown them."""
    world = World(gardener.home, gardener.env)
    plan = environment_plan("basket", read_spec(gardener.file), gardener.envs / "basket", None, None)
    return [r.step for r in with_forecasts(review(plan, world), world, silent)]


def in_a_job(gardener: Gardener, plan: bytes) -> tuple[int, Any]:
    """Carry it out as a scheduler does that hands on nothing of the environment."""
    file = gardener.home.parent / "plan.json"
    file.write_bytes(plan)
    bare = {k: v for k, v in gardener.env.items() if k in ("PATH", "HOME", "PYTHONPATH")}
    argv = [sys.executable, "-m", "setup_wizard.cli.as_job", str(file), "--json"]
    done = subprocess.run(argv, env=bare, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_the_job_does_what_was_shown(gardener: Gardener, web: WebServer, tmp_path: Path) -> None:
    """Nothing is solved anew: the packages are those that were agreed to, whatever has come since."""
    gardener.file.write_text(gardener.file.read_text().replace("quince=1.1", "quince"))
    steps = shown(gardener)
    channel(tmp_path / "channel/orchard", [*fruits(), stub("quince", "1.3", noarch="generic")])
    serve(web, tmp_path / "channel/orchard")
    code, said = in_a_job(gardener, as_job.handed(World(gardener.home, gardener.env), steps, Answers()))
    assert said["ok"], said
    assert (code, list(said["made"])) == (0, [steps[0].key])
    assert gardener.packages("basket") == ["apple-1.5", "pear-1.0", "quince-1.2"]
    assert gardener.well("create", str(gardener.file), "--yes")["changed"] == []
    gardener.well("create", str(gardener.file), "-n", "later", "--yes")
    assert "quince-1.3" in gardener.packages("later"), "what a job that solves would have taken"


def test_what_the_job_needs_of_the_environment(gardener: Gardener) -> None:
    """Overrides, folders and proxies count there as they do here, and so does the name of a channel's user.

    What is of this machine alone, and what nobody asked for, stays here.
    """
    state, cache = gardener.home.parent / "state", gardener.home.parent / "cache"
    needed = {"CONDA_OVERRIDE_CUDA": "12", "XDG_STATE_HOME": str(state), "XDG_CACHE_HOME": str(cache)}
    needed |= {"http_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1", "ORCHARD": "hush"}
    gardener.env.pop("SSL_CERT_FILE", "")
    gardener.env |= {**needed, "XDG_RUNTIME_DIR": "/run/user/1", "OTHER_TOKEN": "secret", "TMPDIR": "/here"}
    gardener.file.write_text(
        gardener.file.read_text().replace("- quince=1.1", "- fig\n  - pip: ['x @ http://me:${ORCHARD}@h/x']")
    )
    world = World(gardener.home, gardener.env)
    spec = read_spec(gardener.file)
    plan = environment_plan("basket", spec, gardener.envs / "basket", None, None)
    handed = as_job.handed(world, [r.step for r in review(plan, world)], Answers())
    assert json.loads(handed)["env"] == needed
    gardener.env.pop("TMPDIR")
    gardener.file.write_text(
        gardener.file.read_text().replace("  - pip: ['x @ http://me:${ORCHARD}@h/x']\n", "")
    )
    handed = as_job.handed(World(gardener.home, gardener.env), shown(gardener), Answers())
    code, said = in_a_job(gardener, handed)
    assert (code, said["ok"]) == (0, True), said
    assert "fig-1.0" in gardener.packages("basket")
    assert (state / "hpc-jupyter-setup/journal.jsonl").exists()
    assert (cache / "hpc-jupyter-setup/pkgs").is_dir()
    assert not (gardener.home / ".local/state").exists()


def test_an_error_in_the_job_is_told_as_it_is(gardener: Gardener, web: WebServer) -> None:
    """Its words, its fix and its exit code come out as the one object that is read at the other end."""
    steps = shown(gardener)
    for path in [p for p in web._bodies if p.endswith(".conda")]:
        del web._bodies[path]
    code, said = in_a_job(gardener, as_job.handed(World(gardener.home, gardener.env), steps, Answers()))
    assert (said["ok"], said["error"]["code"]) == (False, code)
    assert code in (4, 5)
    assert said["error"]["fix"]


def test_what_the_job_asks_its_scheduler_for() -> None:
    """Time and memory as for launch; nothing is said where nothing was asked for."""
    asked = job(True, "day", "proj1", "1:00:00", "4G")
    assert asked == Resources(partition="day", account="proj1", time_limit=3600, memory="4G")
    assert job(True, "", "", "", "") == Resources()
    assert job(False, "day", "", "30", "") is None
    with pytest.raises(BadInput):
        job(True, "", "", "2:30", "")
