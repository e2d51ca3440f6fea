"""`kernel list`, `add`, `remove`, `check`: what Jupyter offers, whose it is, and whether it starts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from setup_wizard import kernels
from setup_wizard.conda import registry
from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.journal import Journal
from setup_wizard.kernels import Kernelspec, changes, checks
from setup_wizard.kernels.changes import Wish
from setup_wizard.selftest import Check, Started
from setup_wizard.step import Done, Todo
from setup_wizard.steps import Kernel, KernelGone
from setup_wizard.trees import picture
from setup_wizard.world import World, silent
from tests.program import Account

ECHO = """\
#!{python}
import os
from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel

class Echo(Kernel):
    implementation = "echo"
    implementation_version = "1"
    language_info = {{"name": "echo", "version": os.environ.get("FRUIT", "none"), "mimetype": "text/plain"}}
    banner = "echo"

    def do_execute(self, code, silent, *more, **named):
        return {{"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {{}}}}

IPKernelApp.launch_instance(kernel_class=Echo)
"""


def garden(prefix: Path, python: Path) -> Path:
    """An environment with two kernels: Python's, and one of a language of its own that needs activating."""
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin/python").symlink_to(python)
    (prefix / "bin/echo-kernel").write_text(ECHO.format(python=python))
    (prefix / "bin/echo-kernel").chmod(0o755)
    (prefix / "conda-meta").mkdir()
    scripts = prefix / "etc/conda/activate.d"
    scripts.mkdir(parents=True)
    (scripts / "fruit.sh").write_text("export FRUIT=apple\n")
    site = prefix / "lib/python3.12/site-packages"
    site.mkdir(parents=True)
    (site / "ipykernel_launcher.py").touch()
    write(prefix / "share/jupyter/kernels/python3", ["python", "-m", "ipykernel_launcher"], "Python 3")
    echo = ["echo-kernel", "-f", "{connection_file}", "{resource_dir}"]
    write(prefix / "share/jupyter/kernels/echo", echo, "Echo", "echo")
    return prefix


def write(folder: Path, argv: Sequence[str], display: str = "Mine", language: str = "python") -> Path:
    """A kernelspec, as some program other than ours makes it."""
    folder.mkdir(parents=True)
    spec = {"argv": argv, "display_name": display, "language": language}
    (folder / "kernel.json").write_text(json.dumps(spec))
    (folder / "logo-64x64.png").write_bytes(b"\x89PNG")
    return folder


def mine(home: Path, name: str) -> Path:
    """The folder of a kernel of the user's."""
    return home / ".local/share/jupyter/kernels" / name


def listed(world: World) -> dict[str, Kernelspec]:
    """The kernels that every Jupyter shows."""
    return {k.name: k for k in kernels.every(Journal(world).receipt, world) if k.seen == "everywhere"}


def of_the_home(account: Account) -> list[dict[str, Any]]:
    """What `kernel list` says, without the machine's own."""
    known = account.facts("kernel", "list")["kernels"]
    return [k for k in known if k["folder"].startswith(str(account.home))]


# --- list -----------------------------------------------------------------------------------------------


def test_every_place_where_jupyter_looks(world: World, tmp_path: Path) -> None:
    """The user's, those of JUPYTER_PATH, the machine's, and those inside of environments; the first wins."""
    world.root = tmp_path / "root"
    world.env["JUPYTER_PATH"] = f"{tmp_path}/more:{tmp_path}/none"
    write(mine(world.home, "a"), ["/bin/sh"])
    write(tmp_path / "more/kernels/a", ["/bin/sh"])
    write(tmp_path / "root/usr/share/jupyter/kernels/Julia-1.9", ["/bin/sh"], language="julia")
    prefix = garden(world.home / "envs/work", Path("/bin/sh"))
    registry.register(world, prefix)
    known = kernels.every({}, world)
    assert [(k.name, k.seen) for k in known] == [
        ("a", "everywhere"),
        ("a", "everywhere"),
        ("julia-1.9", "everywhere"),
        ("echo", "inside"),
        ("python3", "inside"),
    ]
    assert known[0].folder == tmp_path / "more/kernels/a"
    assert known[1].problem == f"hidden by the one in {known[0].folder}"
    assert [k.prefix for k in known[3:]] == [prefix, prefix]
    assert not any(k.ours for k in known)


def test_what_can_be_seen_to_be_wrong(world: World) -> None:
    """A program that is gone or may not run, a file that is no kernelspec: each is named with a way out."""
    (world.home / "tool").touch()
    write(mine(world.home, "gone"), [f"{world.home}/none/bin/python"])
    write(mine(world.home, "locked"), [str(world.home / "tool")])
    write(mine(world.home, "nowhere"), ["no-such-program"])
    write(mine(world.home, "fine"), ["sh", "-c", "true"])
    for name, text in (("torn", '{"argv": ['), ("odd", '{"argv": [1, 2]}'), ("list", "[]"), ("empty", "{}")):
        (write(mine(world.home, name), []) / "kernel.json").write_text(text)
    known = listed(world)
    said = {name: spec.problem for name, spec in known.items() if spec.problem}
    assert said == {
        "gone": f"{world.home}/none/bin/python is not there",
        "locked": f"{world.home}/tool may not be executed",
        "nowhere": "there is no program no-such-program",
        **dict.fromkeys(("torn", "odd", "list", "empty"), "its kernel.json cannot be read"),
    }
    assert all("kernel remove" in known[name].fix for name in said)


# --- add ------------------------------------------------------------------------------------------------


def test_all_kernels_of_an_environment_are_offered(world: World) -> None:
    """By absolute paths, with its variables, after its activation scripts; under names of their own."""
    write(mine(world.home, "work"), ["/bin/sh"])  # somebody else's
    prefix = garden(world.home / "envs/work", Path("/bin/sh"))
    steps = changes.adding(prefix, Wish(), {}, world)
    assert [(s.name, s.shown) for s in steps] == [("work-echo", "Echo (work)"), ("work-2", "Python (work-2)")]
    for step in steps:
        step.apply(world, silent)
        assert isinstance(step.check(world), Done)
    echo = json.loads((mine(world.home, "work-echo") / "kernel.json").read_text())
    inside = prefix / "share/jupyter/kernels/echo"
    assert echo["argv"][-4:] == [f"{prefix}/bin/echo-kernel", "-f", "{connection_file}", str(inside)]
    assert echo["env"]["CONDA_PREFIX"] == str(prefix)
    python = json.loads((mine(world.home, "work-2") / "kernel.json").read_text())
    assert python["argv"][0] == f"{prefix}/bin/python"
    assert {k.prefix for k in listed(world).values() if k.name.startswith("work-")} == {prefix}


def test_what_cannot_be_offered(world: World) -> None:
    """No environment, no kernel in it, one that it has not, one name for two, no name at all: all told."""
    prefix = garden(world.home / "envs/work", Path("/bin/sh"))
    (world.home / "empty/bin").mkdir(parents=True)
    with pytest.raises(BadInput, match="no environment"):
        changes.prefix_of("nothing", {}, world)
    with pytest.raises(BadInput, match="brings no kernel") as none:
        changes.adding(world.home / "empty", Wish(), {}, world)
    assert none.value.fix == f"conda install -p {world.home}/empty ipykernel"
    with pytest.raises(BadInput, match="Did you mean echo"):
        changes.adding(prefix, Wish(kernel="ecco"), {}, world)
    with pytest.raises(BadInput, match="2 kernels") as two:
        changes.adding(prefix, Wish(name="x"), {}, world)
    assert two.value.fix == "Say which: --kernel echo or python3"
    with pytest.raises(BadInput, match="«my kernel»"):
        changes.adding(prefix, Wish(kernel="echo", name="my kernel"), {}, world)


def test_add_list_and_undo(account: Account) -> None:
    """Shown first, agreed to, made, «nothing to do» the second time, taken back to the byte."""
    prefix = garden(account.home / "envs/work", Path("/bin/sh"))
    before = picture(account.home)
    shown = account.facts("kernel", "add", str(prefix), "--dry-run")
    assert [s["state"] for s in shown["plan"]] == ["todo", "todo"]
    refused = account.run("kernel", "add", str(prefix))
    assert refused.returncode == 2, "nobody is there to agree"
    assert not mine(account.home, "work").exists()
    words = ("kernel", "add", str(prefix), "--kernel", "echo", "--name", "Noise", "--display-name", "Noise!")
    assert account.facts(*words, "--yes")["kernels"] == [{"name": "noise", "display": "Noise!"}]
    assert account.facts("kernel", "add", str(prefix), "--yes")["kernels"] == [
        {"name": "noise", "display": "Noise!"},
        {"name": "work", "display": "Python (work)"},
    ]
    assert account.facts("kernel", "add", str(prefix), "--yes")["changed"] == []
    known = of_the_home(account)
    assert [(k["name"], k["ours"]) for k in known] == [("noise", True), ("work", True)]
    assert account.run("undo", "--yes").returncode == 0
    assert picture(account.home) == before


# --- remove ---------------------------------------------------------------------------------------------


def test_remove_ours(account: Account) -> None:
    """Only with consent; afterwards it can be offered again, and `undo` has nothing to say of it."""
    prefix = garden(account.home / "envs/work", Path("/bin/sh"))
    before = picture(account.home)
    assert account.run("kernel", "add", str(prefix), "--yes").returncode == 0
    assert account.run("kernel", "remove", "work").returncode == 2
    assert account.facts("kernel", "remove", "work", "--dry-run")["would_remove"] == [
        str(mine(account.home, "work"))
    ]
    assert mine(account.home, "work").exists()
    account.facts("kernel", "remove", "work", "work-echo", "--yes")
    assert of_the_home(account) == []
    assert account.facts("status")["steps"] == []
    assert account.run("undo", "--yes").returncode == 0
    assert picture(account.home) == before


def test_remove_one_that_is_not_ours(account: Account) -> None:
    """Only when it is said, and `undo` brings it back: bytes, modes and a link to it."""
    folder = write(mine(account.home, "old"), ["/none/bin/R"], "Old R", "R")
    (folder / "logo-64x64.png").chmod(0o600)
    write(account.home / "far", ["/bin/sh"])
    mine(account.home, "linked").symlink_to(account.home / "far")
    before = picture(account.home)
    refused = account.run("kernel", "remove", "old", "--yes")
    assert refused.returncode == 2
    assert "--not-ours" in refused.stderr
    account.facts("kernel", "remove", "OLD", "linked", "--not-ours", "--yes")
    assert list(folder.parent.iterdir()) == []
    assert (account.home / "far/kernel.json").exists()
    assert "old comes back" in account.run("undo", "--dry-run").stdout
    assert account.run("undo", "--yes").returncode == 0
    assert picture(account.home) == before


def test_ours_that_the_user_has_edited(account: Account) -> None:
    """It counts as theirs: named, kept when removed, and back after undo as they have left it."""
    prefix = garden(account.home / "envs/work", Path("/bin/sh"))
    account.facts("kernel", "add", str(prefix), "--kernel", "python3", "--yes")
    file = mine(account.home, "work") / "kernel.json"
    file.write_text(file.read_text().replace("Python (work)", "My favourite"))
    edited = file.read_bytes()
    assert "changed since" in account.run("kernel", "remove", "work", "--yes").stderr
    account.facts("kernel", "remove", "work", "--not-ours", "--yes")
    assert not file.exists()
    assert account.run("undo", "--yes").returncode == 0
    assert file.read_bytes() == edited


def test_what_is_not_to_be_removed(world: World, tmp_path: Path) -> None:
    """A kernel that is a part of an environment, and one of the machine."""
    registry.register(world, garden(world.home / "envs/work", Path("/bin/sh")))
    inside = next(k for k in kernels.every({}, world) if k.seen == "inside")
    with pytest.raises(BadInput, match="part of its environment"):
        changes.removing([inside], not_ours=True)
    system = Kernelspec("ir", "R", "r", tmp_path / "none/kernels/ir")
    with pytest.raises(MachineBlocks, match="not yours to remove"):
        changes.removing([system], not_ours=True)


@pytest.mark.parametrize("moment", ["copied", "aside"])
def test_a_removal_that_was_killed(world: World, moment: str) -> None:
    """Wherever it was killed, run again it ends, and it can be undone in either case."""
    folder = write(mine(world.home, "old"), ["/bin/sh"])
    before = picture(folder.parent)
    step = KernelGone.of(folder)
    state = step.check(world)
    assert isinstance(state, Todo)
    step.apply(world, silent)
    kept = next((world.state / "kernels").iterdir())
    place = folder if moment == "copied" else folder.with_name(".old.hpc-jupyter-setup-gone")
    write(place, ["/bin/sh"])
    assert isinstance(step.check(world), Todo)
    step.apply(world, silent)
    assert isinstance(step.check(world), Done)
    assert list(folder.parent.iterdir()) == []
    assert kept.exists()
    write(place, ["/bin/sh"])
    for _ in range(2):
        assert step.undo(state.before, world) == []
        assert picture(folder.parent) == before


def test_what_has_taken_its_place_stays(world: World) -> None:
    """A kernel that the user has made since under the same name is theirs."""
    folder = write(mine(world.home, "old"), ["/bin/sh"])
    step = KernelGone.of(folder)
    state = step.check(world)
    assert isinstance(state, Todo)
    step.apply(world, silent)
    write(folder, ["/bin/bash"], "New")
    now = picture(folder)
    assert isinstance(step.check(world), Done)
    assert step.undo(state.before, world) == []
    assert picture(folder) == now


# --- check ----------------------------------------------------------------------------------------------


def tried(world: World, *names: str, seconds: float = 30) -> list[Check]:
    """What came of starting these kernels; each red one has a way out."""
    known = kernels.every({}, world)
    specs = [kernels.pick(name, known) for name in names]
    found = list(checks.checks(specs, {}, world, seconds, silent))
    assert all(check.fix for check in found if not check.ok)
    return found


@pytest.mark.real
def test_kernels_are_started(world: World, jupyter_prefix: Path) -> None:
    """Python says where it runs; another language runs too, activated; nothing is left behind."""
    prefix = garden(world.home / "envs/work", jupyter_prefix / "bin/python")
    world.env["PATH"] = f"{jupyter_prefix}/bin:{world.env['PATH']}"
    for step in (
        *changes.adding(prefix, Wish(kernel="echo"), {}, world),
        Kernel("lab", jupyter_prefix),
    ):
        step.apply(world, silent)
    write(mine(world.home, "wrong"), [f"{jupyter_prefix}/bin/python", "-m", "ipykernel_launcher", "-f"])
    spec = json.loads((mine(world.home, "lab") / "kernel.json").read_text())
    spec["env"]["CONDA_PREFIX"] = str(prefix)
    (mine(world.home, "wrong") / "kernel.json").write_text(json.dumps(spec))
    before = picture(world.home)
    echo, lab, wrong = tried(world, "work-echo", "lab", "wrong")
    assert (echo.ok, echo.detail) == (True, f"Echo apple in {prefix}")
    assert lab.ok
    assert lab.detail.endswith(f" in {jupyter_prefix}")
    assert (wrong.ok, wrong.detail) == (False, f"It runs in {jupyter_prefix}, not in {prefix}.")
    assert picture(world.home) == before


@pytest.mark.real
def test_kernels_that_do_not_start(world: World, jupyter_prefix: Path) -> None:
    """One that is slow, one that misses a module, one whose program is gone: each with its cause."""
    world.env["PATH"] = f"{jupyter_prefix}/bin:{world.env['PATH']}"
    write(mine(world.home, "slow"), ["/bin/sleep", "600"])
    write(mine(world.home, "bare"), [f"{jupyter_prefix}/bin/python", "-c", "import nothing_of_the_kind"])
    write(mine(world.home, "gone"), ["/none/bin/python"])
    (slow,) = tried(world, "slow", seconds=1)
    assert slow.detail == "It does not start: it did not answer within 1 s."
    assert "--timeout" in slow.fix
    bare, gone = tried(world, "bare", "gone")
    assert bare.detail == "It does not start: it misses its module nothing_of_the_kind."
    assert gone.detail == "It does not start: /none/bin/python is not there."


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("/p/bin/python: No module named ipykernel_launcher", "its Python has no ipykernel"),
        (
            "Error in loadNamespace(x) : there is no package called ‘IRkernel’",
            "its R has no package IRkernel",
        ),
        (
            "x: error while loading shared libraries: libR.so: cannot open shared object file: No such",
            "the library libR.so is missing",
        ),
        (
            "ImportError: libz.so.5: cannot open shared object file: No such",
            "the library libz.so.5 is missing",
        ),
        ("/lib/libstdc++.so.6: version `GLIBCXX_3.4.29' not found (required", "another C++ library"),
        ("OSError: [Errno 28] No space left on device", "there is no space left on the disk"),
        ("MemoryError", "memory ran out"),
        ("Traceback\nValueError: bad flag", "it ends with ValueError: bad flag"),
        ("nothing that anybody knows", "RuntimeError: Kernel died before it answered"),
    ],
)
def test_causes(said: str, why: str) -> None:
    """What programs say becomes a cause in a few words, and something to do."""
    spec = Kernelspec("k", "K", "python", Path("/k"), prefix=Path("/p"))
    came = Started(problem="RuntimeError: Kernel died before it answered.", said=said)
    found, fix = checks.cause(came, spec)
    assert found.startswith(why)
    assert fix
    assert "{" not in found + fix


def test_check_by_the_command_line(account: Account) -> None:
    """Exit code 1 and JSON where one is red; without any kernel, how to get one."""
    if not account.facts("kernel", "list")["kernels"]:  # the machine has none of its own
        assert "env create" in account.run("kernel", "check").stdout
    write(mine(account.home, "gone"), ["/none/bin/python"])
    result = account.run("kernel", "check", "gone", "--json")
    said: Any = json.loads(result.stdout)
    assert (result.returncode, said["ok"], said["kernels"][0]["name"]) == (1, False, "gone")
    assert account.run("kernel", "check", "nothing").returncode == 2
