"""Container images: looked at before a job, and a proven Jupyter inside of one.

Debian has no runtime, so one is scripted (apptainer_stand_in.py); what it runs is really contained.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest
import session_parts as parts

from setup_wizard import container, launch, proof, session
from setup_wizard.container import Container
from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.jupyter import words
from setup_wizard.jupyter.nook import Nook
from setup_wizard.world import World
from tests.containers import BWRAP, STAND_IN, image_of, runtime

needs_bwrap = pytest.mark.skipif(
    not shutil.which("bwrap") or subprocess.run(BWRAP, capture_output=True).returncode != 0,
    reason="no bubblewrap here (apt-get install bubblewrap), or no namespaces for it",
)


@needs_bwrap
@pytest.mark.real
def test_a_cell_runs_in_the_image(jupyter_prefix: Path, tmp_path: Path) -> None:
    """The kernel's Python is the image's, it sees what was bound and no more, and the end leaves nothing."""
    world = parts.machine(tmp_path)
    data, log = tmp_path / "data", tmp_path / "argv.json"
    data.mkdir()
    (data / "value").write_text("seen")
    runtime(tmp_path / "bin", STAND_IN)
    world.env.update(PATH=f"{tmp_path}/bin:{world.env['PATH']}", STAND_IN_LOG=str(log), MINE="/data")
    image = Container(str(image_of(tmp_path / "image", jupyter_prefix)), (f"{data}:$MINE:ro",), nv=True)
    launched = launch.launch(world, parts.job(world, Path(), container=image))
    mine = launched.session
    try:
        assert launched.proof.kernel_prefix == "/opt/jupyter"
        assert json.loads(log.read_text()) == expected_argv(world, mine, data)
        assert cell(world, mine, "print(open('/data/value').read())") == "seen"
        assert cell(world, mine, f"print(os.path.exists({str(data)!r}))") == "False"
        kernel = cell(world, mine, "print(os.getpid())")
        marked = [str(pid) for pid, _ in world.marked(parts.nook_of(mine).mark)]
        assert kernel in marked  # so its work is seen, and its end seen to
        assert (
            cell(world, mine, "print(os.environ['PYTHONNOUSERSITE'], 'CONDA_PREFIX' in os.environ)")
            == "1 False"
        )
    finally:
        assert launch.stop(world, mine)
    parts.assert_nothing_left(world, mine)


def expected_argv(world: World, mine: session.Session, data: Path) -> list[str]:
    """The words that the runtime is to be given."""
    nook = parts.nook_of(mine).path
    binds = [f"{data}:/data:ro", nook, mine.folder, mine.job.folder]
    places = ["--home", str(world.home), *(f"--bind={b}" for b in binds), "--pwd", str(nook)]
    command = ["/opt/jupyter/bin/python3", "-m", "jupyterlab", f"--config={nook}/settings.py"]
    assert mine.job.container
    return ["exec", *places, "--nv", mine.job.container.image, *command]


def cell(world: World, mine: session.Session, code: str) -> str:
    """What a cell prints in a kernel of the session."""
    address = session.read(mine.folder, session.Address)
    assert address
    target = launch.target_of(mine, address)
    cookies = proof._open_page(world, target)
    kernel = proof._start_kernel(world, target, cookies)
    return asyncio.run(proof._converse(target, cookies, kernel, f"import os\n{code}")).strip()


# --- what is refused before anything is submitted ---------------------------------------------------------

FATAL = "echo 'FATAL:   {}' >&2; exit 255"
ANSWER = 'echo \'["/opt", {{"jupyterlab": "{}", "jupyter_server": "{}", "ipykernel": "7.0"}}]\''


@pytest.mark.parametrize(
    "case",
    [
        (FATAL.format("could not open image /i: not recognized"), "could not open image", "Try it"),
        (FATAL.format('"python3": executable file not found in $PATH'), "has no python3", "Jupyter in it"),
        (ANSWER.format("", "2.20"), "has no jupyterlab", "docker://"),
        (ANSWER.format("4.4", "1.24.0"), "known security holes", "newer image"),
        ("sleep 60", "did not answer within", "exec"),
    ],
)
def test_an_image_without_a_good_jupyter_is_refused(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: tuple[str, str, str]
) -> None:
    """What the runtime says, or what is in the image, in words; and what to do about it."""
    script, problem, fix = case
    monkeypatch.setattr(container, "PATIENCE", 0.5)
    runtime(tmp_path / "bin", f"#!/bin/sh\n{script}\n")
    with pytest.raises(BadInput, match=problem) as told:
        look(world, tmp_path, Container(str(tmp_path)))
    assert fix in told.value.fix


def look(world: World, folder: Path, image: Container) -> Path:
    """Look at an image with the runtime of that folder."""
    env = {**world.clean_env(), "PATH": f"{folder}/bin:/usr/bin:/bin"}
    return container.look(world, image, "lab", [], env)


def test_what_is_good_gives_its_prefix(world: World, tmp_path: Path) -> None:
    """Whatever the runtime says before; an address is handed on as it is."""
    runtime(
        tmp_path / "bin",
        f"#!/bin/sh\n[ $2 = docker://a/b ] || exit 9\necho INFO\n{ANSWER.format('4', '2.21.0')}\n",
    )
    assert look(world, tmp_path, Container("docker://a/b")) == Path("/opt")


def test_a_module_may_have_the_runtime(world: World, tmp_path: Path) -> None:
    """Centres offer it as a module: what it puts into PATH is found. Without one, that is said."""
    runtime(tmp_path / "elsewhere", f"#!/bin/sh\n{ANSWER.format('4', '2.21.0')}\n")
    before = [f"PATH={tmp_path}/elsewhere:$PATH"]
    env = {"PATH": "/usr/bin:/bin"}
    image = Container(str(tmp_path))
    assert container.look(world, image, "lab", before, env) == Path("/opt")
    with pytest.raises(BadInput, match="neither apptainer nor singularity") as told:
        container.look(world, image, "lab", [], env)
    assert "--env-modules" in told.value.fix


@pytest.mark.parametrize(
    ("bind", "says"),
    [
        ("data:/data", "SRC"),
        ("/data:data", "SRC"),
        ("/:/x:exec", "SRC"),
        ("/tmp/no-such-folder", "there is no"),
    ],
)
def test_a_bind_that_cannot_be_is_refused(world: World, tmp_path: Path, bind: str, says: str) -> None:
    """It is said which; what has a variable, or is on compute nodes only, is left to the job."""
    for fine in ("$SCRATCH/x:/x", "/no-such/scratch"):
        container._there(Container("/image", (fine,)))
    with pytest.raises(BadInput, match=says):
        look(world, tmp_path, Container(str(tmp_path), (bind,)))


def test_the_flags_become_an_image(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A relative path is one from here, an address stays; binds are taken apart; alone they are refused."""
    monkeypatch.chdir(tmp_path)
    made = container.wanted("my.sif", ["/a,/b:/c", "/d"], nv=True, rocm=False)
    assert made == Container(f"{tmp_path}/my.sif", ("/a", "/b:/c", "/d"), nv=True)
    far = container.wanted("oras://host/image:1", (), nv=False, rocm=False)
    assert far == Container("oras://host/image:1")
    assert container.wanted("", (), nv=False, rocm=False) is None
    for image, binds in (("", ["/a"]), ("http://host/image", [])):
        with pytest.raises(BadInput):
            container.wanted(image, binds, nv=False, rocm=False)
    with pytest.raises(BadInput, match="there is no image"):
        look(world, tmp_path, Container(f"{tmp_path}/my.sif"))


def test_a_node_without_runtime_or_variable_says_so(world: World, tmp_path: Path) -> None:
    """In the job: which one is missing, before Jupyter is to start."""
    nook = Nook(tmp_path)
    world.env["PATH"] = str(tmp_path)
    with pytest.raises(MachineBlocks, match="neither apptainer nor singularity"):
        container.inside(world, Container("/i"), nook, [], ["python3"])
    runtime(tmp_path, "#!/bin/sh\n")
    with pytest.raises(MachineBlocks, match="NO_SUCH"):
        container.inside(world, Container("/i", ("$NO_SUCH/x",)), nook, [], ["python3"])
    argv, env = container.inside(world, Container("docker://i", rocm=True), nook, [], ["python3"])
    assert argv[-3:] == ["--rocm", "docker://i", "python3"]
    assert env["APPTAINERENV_JUPYTER_RUNTIME_DIR"] == env["JUPYTER_RUNTIME_DIR"] == str(nook.run)


def test_the_death_of_jupyter_in_an_image_is_explained() -> None:
    """A runtime tells of a signal as of a code; and nobody can install something into an image."""
    prefix = Path("/opt")
    assert words.death("", 137, prefix, "lab", "/i.sif") == words.death("", -9, prefix, "lab")
    problem, fix = words.death("No module named jupyterlab", 1, prefix, "lab", "/i.sif")
    assert problem == "jupyterlab is not installed in /i.sif."
    assert "--sif" in fix
