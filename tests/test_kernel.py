"""The kernelspec of an environment: what it says, whose it is, and how it is taken back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from setup_wizard import files
from setup_wizard.conda import contents
from setup_wizard.errors import MachineBlocks
from setup_wizard.step import Blocked, Done, Todo
from setup_wizard.steps.kernel import Kernel
from setup_wizard.trees import picture
from setup_wizard.world import World, silent


@pytest.fixture
def prefix(world: World) -> Path:
    """An environment with an ipykernel, as far as a kernelspec looks at it."""
    return environment(world.home / "envs/work")


def environment(prefix: Path, *, ipykernel: bool = True) -> Path:
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "bin").mkdir()
    (prefix / "bin/python").touch()
    site = prefix / "lib/python3.12/site-packages"
    site.mkdir(parents=True)
    if ipykernel:
        (site / "ipykernel_launcher.py").touch()
    contents.say_whole(prefix, contents.Whole("spec", "", ()))
    return prefix


def file(world: World, name: str = "work") -> Path:
    return world.home / f".local/share/jupyter/kernels/{name}/kernel.json"


def run(step: Kernel, world: World) -> Todo:
    state = step.check(world)
    assert isinstance(state, Todo), state
    files.keep(state.before)  # type: ignore[arg-type]
    step.apply(world, silent)
    assert isinstance(step.check(world), Done)
    return state


def test_what_a_kernelspec_says(world: World, prefix: Path) -> None:
    """An absolute Python, the environment's programs first, and nothing that shadows its packages."""
    run(Kernel("work", prefix), world)
    spec = json.loads(file(world).read_text())
    assert spec["argv"][0] == str(prefix / "bin/python")
    assert spec["argv"][-2:] == ["-f", "{connection_file}"]
    assert spec["display_name"] == "Python (work)"
    assert spec["language"] == "python"
    assert spec["env"]["PYTHONNOUSERSITE"] == "1"
    assert spec["env"]["CONDA_PREFIX"] == str(prefix)
    assert spec["env"]["PATH"] == f"{prefix}/bin:${{PATH}}"


def test_what_ipykernel_says_of_itself_is_kept(world: World, prefix: Path) -> None:
    """Flags of Python, metadata and protocol come from the environment's own kernelspec."""
    flags = ["-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    own = {
        "argv": ["python", *flags],
        "display_name": "Python 3",
        "language": "python",
        "metadata": {"debugger": True, "supported_encryption": ["curve"]},
        "kernel_protocol_version": "5.5",
    }
    files.write_text(prefix / "share/jupyter/kernels/python3/kernel.json", json.dumps(own))
    run(Kernel("work", prefix), world)
    spec = json.loads(file(world).read_text())
    assert spec["argv"] == [str(prefix / "bin/python"), *flags]
    assert spec["metadata"]["supported_encryption"] == ["curve"]
    assert spec["kernel_protocol_version"] == "5.5"


def test_the_variables_of_the_environment_are_set(world: World, prefix: Path) -> None:
    """As `conda activate` would set them; a dollar sign is a dollar sign."""
    contents.write_variables(prefix, {"FRUIT": "apple", "PRICE": "$5"})
    run(Kernel("work", prefix), world)
    env = json.loads(file(world).read_text())["env"]
    assert env["FRUIT"] == "apple"
    assert env["PRICE"] == "$$5", "Jupyter puts variables in place of $NAME"


def test_it_is_offered_before_the_environment_is_there(world: World) -> None:
    """`check` answers although the earlier step has not run, and shows the whole file."""
    state = Kernel("work", world.home / "envs/work").check(world)
    assert isinstance(state, Todo)
    assert "+" in state.preview
    assert "envs/work/bin/python" in state.preview
    assert list(world.home.iterdir()) == []


def test_an_environment_without_ipykernel_has_none(world: World) -> None:
    """There is nothing to do, and the line that is missing in its file is named."""
    bare = environment(world.home / "envs/bare", ipykernel=False)
    state = Kernel("bare", bare).check(world)
    assert isinstance(state, Done)
    assert "add «- ipykernel»" in state.note


@pytest.mark.parametrize(
    "text", ['{"argv": ["/usr/bin/python3"], "display_name": "Mine"}', "not JSON at all", ""]
)
def test_a_kernel_that_is_not_ours_stays(world: World, prefix: Path, text: str) -> None:
    """Whatever it holds, it is never overwritten, and the way out is said."""
    files.write_text(file(world), text)
    step = Kernel("work", prefix)
    state = step.check(world)
    assert isinstance(state, Blocked)
    assert "not from this setup" in state.problem
    assert "-n NAME" in state.fix
    with pytest.raises(MachineBlocks):
        step.apply(world, silent)
    assert file(world).read_text() == text


def test_a_kernel_of_another_environment_of_ours_stays(world: World, prefix: Path) -> None:
    """Two environments of one name cannot share a kernel, unless the first is gone."""
    run(Kernel("work", prefix), world)
    other = environment(world.home / "elsewhere/work")
    state = Kernel("work", other).check(world)
    assert isinstance(state, Blocked)
    assert str(prefix) in state.problem
    (prefix / "bin/python").unlink()
    run(Kernel("work", other), world)


def test_undo_leaves_nothing(world: World, prefix: Path) -> None:
    """The file and the folders that came with it go; twice is as good as once."""
    before = picture(world.home)
    step = Kernel("work", prefix)
    state = run(step, world)
    assert list(step.undo(state.before, world)) == []
    assert list(step.undo(state.before, world)) == []
    assert picture(world.home) == before


def test_undo_leaves_other_kernels_alone(world: World, prefix: Path) -> None:
    """The folder of kernels stays when there are others in it."""
    other = file(world, "other")
    files.write_text(other, "{}")
    step = Kernel("work", prefix)
    state = run(step, world)
    step.undo(state.before, world)
    assert [p.name for p in other.parent.parent.iterdir()] == ["other"]


def test_a_kernelspec_that_the_user_edited_is_kept_and_named(world: World, prefix: Path) -> None:
    """An edit shows, whatever it is; ours would go even when the environment changed since."""
    step = Kernel("work", prefix)
    state = run(step, world)
    text = file(world).read_text()
    file(world).write_text(text.replace("Python (work)", "My favourite"))
    assert list(step.undo(state.before, world)) == [file(world)]
    file(world).write_text(text)
    contents.write_variables(prefix, {"NEW": "1"})
    assert list(step.undo(state.before, world)) == []


def test_the_places_where_jupyter_looks(world: World, prefix: Path, tmp_path: Path) -> None:
    """JUPYTER_DATA_DIR and XDG_DATA_HOME are heeded as Jupyter heeds them."""
    world.env["XDG_DATA_HOME"] = str(tmp_path / "xdg")
    run(Kernel("Work", prefix), world)
    assert (tmp_path / "xdg/jupyter/kernels/work/kernel.json").exists()
    world.env["JUPYTER_DATA_DIR"] = str(tmp_path / "data")
    run(Kernel("Work", prefix), world)
    assert (tmp_path / "data/kernels/work/kernel.json").exists()
