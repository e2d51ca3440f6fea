"""Environment modules, with the real `module` of both kinds: tried beforehand, and loaded in the job."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from setup_wizard import modules, script
from setup_wizard.errors import BadInput
from setup_wizard.session import Job
from setup_wizard.world import Output, World
from tests.real_lmod import lmod_env

TCL = {
    "python/3": "setenv PYTHONPATH /opt/python/lib",
    "broken": "no-such-command",
    "conflicting": "conflict tool",
}
LUA = {
    "gcc/9": "",
    "gcc/10": "",
    "../gcc/openmpi/4.0": "",
    "../gcc/openmpi/4.1": "",
    "talkative": 'LmodMessage("Please report errors to the centre")',
    "closed": 'LmodError("no licence for it")',
}


@pytest.fixture(params=["Environment Modules", "Lmod"])
def kind(request: pytest.FixtureRequest, world: World) -> str:
    """Which `module` the account has; its variables are those of a login shell there."""
    if request.param == "Lmod":
        world.env.update(lmod_env())
    elif not shutil.which("modulecmd"):
        pytest.skip("no environment modules here: apt-get install environment-modules")
    return str(request.param)


@pytest.fixture
def lmod(world: World) -> None:
    """The account has Lmod."""
    world.env.update(lmod_env())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree of modules; in Lua there is one that can be loaded only after a compiler."""
    root, programs = tmp_path / "modules", tmp_path / "programs"
    programs.mkdir()
    (programs / "tool").write_text("#!/bin/sh\necho the tool ran\n")
    (programs / "tool").chmod(0o755)
    tool = {"tool/1.0": f"setenv TOOL_HOME /opt/tool\nprepend-path PATH {programs}"}
    for name, text in {**TCL, **tool}.items():
        write(root / name, f"#%Module\n{text}\n")
    for name, text in LUA.items():
        more = f'prepend_path("MODULEPATH", "{tmp_path}/gcc")' if name.startswith("gcc") else text
        write(root / f"{name}.lua", f"{more}\n")
    return root


def write(path: Path, text: str) -> None:
    """Write a modulefile, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def in_job(world: World, tree: Path, names: tuple[str, ...], start: list[str]) -> Output:
    """What a job with these modules does, in a bash that nobody has told of `module`."""
    job = Job(Path("/env"), world.home, modules=names, modulepaths=(str(tree),))
    text = script.render(job, ["# header"], start, {})
    return world.run(["bash", "--noprofile", "--norc", "-c", text], env=world.clean_env())


def refused(world: World, tree: Path, *names: str) -> tuple[str, str]:
    """Why these modules are refused before a job is submitted, and the fix."""
    with pytest.raises(BadInput) as told:
        modules.check(world, names, [str(tree)], world.clean_env())
    return told.value.problem, told.value.fix


def test_the_job_has_what_its_modules_set(world: World, tree: Path, kind: str) -> None:
    """A variable, a program in PATH; and a PYTHONPATH of theirs does not lead our own Python astray."""
    modules.check(world, ("tool", "python/3"), (str(tree),), world.clean_env())
    start = ["bash", "-c", 'tool; echo "$TOOL_HOME ${PYTHONPATH-unset}"']
    output = in_job(world, tree, ("tool", "python/3"), start)
    assert (output.code, output.out) == (0, "the tool ran\n/opt/tool unset\n")


@pytest.mark.skipif(not shutil.which("modulecmd"), reason="apt-get install environment-modules")
def test_a_folder_of_modules_may_have_a_blank(world: World, tree: Path) -> None:
    """In its name; Lmod itself cannot read modulefiles in Tcl there."""
    odd = tree.rename(tree.with_name("my modules"))
    modules.check(world, ("tool",), (str(odd),), world.clean_env())
    assert in_job(world, odd, ("tool",), ["tool"]).out == "the tool ran\n"


@pytest.mark.parametrize(
    ("names", "says", "fix"),
    [
        (("no/such",), "The module no/such cannot be loaded", "See what there is: module"),
        (("tool", "tol"), "The module tol cannot be loaded", "See what there is: module"),
        (("tol",), "Did you mean tool?", "See what there is: module"),
        (("tool/2.0",), "The module tool/2.0 cannot be loaded", "There is: tool/1.0"),
        (("tool", "broken"), "no-such-command", "module load tool broken"),
        (("tool", "conflicting"), "onflict", "module load tool conflicting"),
    ],
)
def test_what_cannot_be_loaded_is_refused_and_ends_the_job(
    world: World, tree: Path, kind: str, names: tuple[str, ...], says: str, fix: str
) -> None:
    """Before submission with what would do; in a job where it got lost since, nothing is started."""
    told = refused(world, tree, *names)
    assert says in told[0]
    assert fix in told[1]
    output = in_job(world, tree, names, ["echo", "started"])
    assert (output.code, output.out) == (3, "")
    assert f"not loaded: {names[-1]}" in output.err


def test_what_lmod_loads_only_after_another_names_that(world: World, tree: Path, lmod: None) -> None:
    """The flag with all that it needs, in their order, and it is enough; also where no version was given."""
    for asked in ("openmpi/4.1", "openmpi"):
        problem, fix = refused(world, tree, "tool", asked)
        assert f'cannot be loaded as requested: "{asked}"' in problem
        enough = fix.partition("--env-modules ")[2].split(" ")[0].split(",")
        assert enough == ["tool", "gcc/10", asked]
        modules.check(world, enough, [str(tree)], world.clean_env())
        assert in_job(world, tree, tuple(enough), ["echo", "started"]).out == "started\n"


def test_lmods_reason_is_told_in_a_line(world: World, tree: Path, lmod: None) -> None:
    """What it folds to the width of a terminal and puts among advice."""
    assert refused(world, tree, "closed")[0] == "The module closed cannot be loaded: no licence for it."
    assert refused(world, tree, "nosuch")[0].endswith('module(s) are unknown: "nosuch".')


def test_a_module_may_talk_of_errors(world: World, tree: Path, lmod: None) -> None:
    """What a module says when it is loaded is not taken for its failure."""
    modules.check(world, ("talkative",), (str(tree),), world.clean_env())


def test_an_old_module_command_that_fails_with_success_is_understood(world: World, tmp_path: Path) -> None:
    """Environment Modules 3.2 ends with 0 whatever came of it; by its published words, in a stand-in."""
    said = "ModuleCmd_Load.c(213):ERROR:105: Unable to locate a modulefile for 'nosuch'"
    write(tmp_path / "old/init/bash", f'module() {{ [ "$1" != load ] || echo "{said}" >&2; }}\n')
    world.env["MODULESHOME"] = str(tmp_path / "old")
    assert "Unable to locate a modulefile for 'nosuch'" in refused(world, tmp_path, "nosuch")[0]


def test_a_machine_without_modules_says_so(world: World) -> None:
    """Bash's own words for what is not there: leave the flag out."""
    write(world.home / "init/bash", 'module() { unset -f module; module "$@"; }\n')
    world.env["MODULESHOME"] = str(world.home)
    problem, fix = refused(world, world.home, "tool")
    assert "no environment modules on this machine" in problem
    assert "Leave out --env-modules" in fix


def test_the_jobs_shell_reads_what_login_shells_read_for_modules(tmp_path: Path) -> None:
    """Whatever its file in /etc/profile.d is called, all of them in their order, and no other file there."""
    files = {
        "00-modulepath": "MODULEPATH=/m",
        "z01_lmod": "module() { echo $MODULEPATH; }",
        "other": "exit 9",
    }
    for name, text in files.items():
        write(tmp_path / f"{name}.sh", f"{text}\n")
    script = modules.FIND.replace("/etc/profile.d", str(tmp_path)) + "\nmodule"
    assert "/etc/" not in script
    done = subprocess.run(["bash", "-c", script], env={"PATH": "/bin"}, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "/m\n")
