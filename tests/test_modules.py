"""Environment modules, with the real `module`: tried before the job is, and loaded in its script."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from setup_wizard import modules, script
from setup_wizard.errors import BadInput
from setup_wizard.session import Job
from setup_wizard.world import World

pytestmark = pytest.mark.skipif(
    not shutil.which("modulecmd"), reason="no environment modules here: apt-get install environment-modules"
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree of modules."""
    root, programs = tmp_path / "my modules", tmp_path / "programs"
    programs.mkdir()
    (programs / "tool").write_text("#!/bin/sh\necho the tool ran\n")
    (programs / "tool").chmod(0o755)
    found = {
        "tool/1.0": f"setenv TOOL_HOME /opt/tool\nprepend-path PATH {programs}",
        "python/3": "setenv PYTHONPATH /opt/python/lib",
        "broken": "no-such-command",
        "conflicting": "conflict tool",
    }
    for name, text in found.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#%Module\n{text}\n")
    return root


def test_the_job_has_what_its_modules_set(world: World, tree: Path) -> None:
    """A variable, a program in PATH; and a PYTHONPATH of theirs does not lead our own Python astray."""
    job = Job(Path("/env"), world.home, modules=("tool", "python/3"), modulepaths=(str(tree),))
    modules.check(world, job.modules, job.modulepaths, world.clean_env())
    start = ["bash", "-c", 'tool; echo "$TOOL_HOME ${PYTHONPATH-unset}"']
    text = script.render(job, ["# header"], start, {})
    output = world.run(["bash", "--noprofile", "--norc", "-c", text])
    assert (output.code, output.out) == (0, "the tool ran\n/opt/tool unset\n")


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("no/such",), "no/such"),
        (("tool", "broken"), "no-such-command"),
        (("tool", "conflicting"), "conflict"),
    ],
)
def test_what_cannot_be_loaded_is_refused_and_ends_the_job(
    world: World, tree: Path, names: tuple[str, ...], says: str
) -> None:
    """Before submission with how to look for it; in a job where it got lost since, nothing is started."""
    with pytest.raises(BadInput, match=says) as told:
        modules.check(world, names, [str(tree)], world.clean_env())
    assert "module avail" in told.value.fix
    job = Job(Path("/env"), world.home, modules=names, modulepaths=(str(tree),))
    text = script.render(job, [], ["echo", "started"], {})
    output = world.run(["bash", "--noprofile", "--norc", "-c", text])
    assert (output.code, output.out) == (3, "")
