"""The self-test tells what works from what does not, by real shells and real kernels, and leaves no trace."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from setup_wizard import blocks, notebook_catalogue, trees
from setup_wizard.selftest import Check, Environment, Subject, checks
from setup_wizard.steps.shell_block import body
from setup_wizard.world import World

GUARD = "case $- in\n    *i*) ;;\n      *) return;;\nesac\n"
LOGIN = "A new login shell knows conda"
EXTRA = "A new login shell prints nothing extra"
SSHD = "A shell as scp, sftp and rsync use it prints nothing"


@pytest.fixture
def conda(world: World) -> Path:
    """A prefix with what the shell sees of a conda, known to the login shell by our block."""
    prefix = world.home / "miniconda3"
    make_conda(prefix)
    (world.home / ".profile").write_text("[ -r ~/.bashrc ] && . ~/.bashrc\n")
    write_rc(world, GUARD, prefix)
    return prefix


def make_conda(prefix: Path) -> None:
    for path in ("bin", "etc/profile.d"):
        (prefix / path).mkdir(parents=True)
    (prefix / "bin/conda").write_text("#!/bin/sh\necho conda 26.7.0\n")
    (prefix / "bin/conda").chmod(0o755)
    script = f'export CONDA_EXE={prefix}/bin/conda\nconda() {{ "$CONDA_EXE" "$@"; }}\n'
    (prefix / "etc/profile.d/conda.sh").write_text(script)


def write_rc(world: World, own: str, prefix: Path) -> None:
    (world.home / ".bashrc").write_text(blocks.insert(own, body(prefix)))


def tried(world: World, **subject: object) -> dict[str, Check]:
    """The checks by title; each red one comes with a fix."""
    seen = {check.title: check for check in checks(world, Subject(**subject))}  # type: ignore[arg-type]
    assert all(check.fix for check in seen.values() if not check.ok)
    return seen


# --- shells -------------------------------------------------------------------------------------------------


def test_shells_that_work(world: World, conda: Path) -> None:
    """With our block behind the guard all is green, the times are told, and the home is as before."""
    before = trees.picture(world.home)
    seen = tried(world, conda=conda)
    assert list(seen) == [LOGIN, EXTRA, SSHD]
    assert all(check.ok for check in seen.values())
    assert seen[LOGIN].detail == f"conda 26.7.0 in {conda}"
    assert "ms without our lines" in seen[EXTRA].detail
    assert seen[SSHD].detail == "0 bytes"
    assert trees.picture(world.home) == before


def test_shell_that_does_not_know_conda(world: World, conda: Path) -> None:
    """A login file that does not read the rc file is found out."""
    (world.home / ".bash_profile").write_text("PS1='$ '\n")
    seen = tried(world, conda=conda)
    assert not seen[LOGIN].ok
    assert "does not find it" in seen[LOGIN].detail


def test_another_conda_wins(world: World, conda: Path) -> None:
    """A conda that is not the one meant is named."""
    other = world.home / "other"
    make_conda(other)
    with (world.home / ".bashrc").open("a") as rc:
        rc.write(f". {other}/etc/profile.d/conda.sh\n")
    check = tried(world, conda=conda)[LOGIN]
    assert not check.ok
    assert f"{other}/bin/conda" in check.detail


def test_conda_that_prints_at_login(world: World, conda: Path) -> None:
    """What our lines print is told apart from what the user's own files print anyway, clocks included."""
    write_rc(world, GUARD + "echo Welcome to $HOME; date +%N\n", conda)
    assert tried(world, conda=conda)[EXTRA].ok
    with (conda / "etc/profile.d/conda.sh").open("a") as script:
        script.write("echo base is active\n")
    check = tried(world, conda=conda)[EXTRA]
    assert not check.ok
    assert check.detail == "It prints: base is active"


def test_rc_file_that_breaks_scp(world: World, conda: Path) -> None:
    """A start file that prints without a terminal is red, and it is said that it did so before us."""
    write_rc(world, "echo Hello from my cluster\n", conda)
    check = tried(world, conda=conda)[SSHD]
    assert not check.ok
    assert check.detail == "22 bytes, and did so before us: 'Hello from my cluster'"
    assert "case $- in" in check.fix


def test_our_own_noise_is_ours(world: World, conda: Path) -> None:
    """Where our block is what prints, it is said that it did not before."""
    write_rc(world, "", conda)
    with (conda / "etc/profile.d/conda.sh").open("a") as script:
        script.write("echo oops >&2\n")
    assert tried(world, conda=conda)[SSHD].detail == "5 bytes, and did not before us: 'oops'"


def test_start_file_that_leaves_a_program_behind(world: World, conda: Path) -> None:
    """A program that a start file leaves on the terminal does not hold the test up, and is ended with it."""
    write_rc(world, GUARD + "(trap '' HUP; exec sleep 600) &\necho $! >> ~/sleepers\n", conda)
    seen = tried(world, conda=conda)
    assert seen[LOGIN].ok
    assert seen[LOGIN].seconds < 30
    sleepers = (world.home / "sleepers").read_text().split()
    assert sleepers
    wait_until(lambda: not any(world.born(int(pid)) for pid in sleepers))


def wait_until(held: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not held():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_start_file_that_waits_for_an_answer(
    world: World, conda: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell that never gets ready is given up, and said to be so."""
    monkeypatch.setattr("setup_wizard.selftest.shells.PATIENCE", 1.0)
    write_rc(world, "read -p 'Which project? ' project\n", conda)
    seen = tried(world, conda=conda)
    assert not seen[LOGIN].ok
    assert "was not ready within 1 s" in seen[LOGIN].detail
    assert EXTRA not in seen


def test_without_conda_only_silence_is_tested(world: World) -> None:
    """Where no start file was edited, only what hurts anyway is looked for."""
    assert list(tried(world)) == [SSHD]


def test_missing_shell(world: World) -> None:
    """A login shell that is not there is said so."""
    world.env["SHELL"] = "/nonexistent/zsh99"
    assert not tried(world, shell="zsh99")["The login shell starts"].ok


# --- kernels ------------------------------------------------------------------------------------------------


def add_kernel(world: World, name: str, python: Path) -> None:
    folder = world.home / ".local/share/jupyter/kernels" / name
    folder.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (folder / "kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": name, "language": "python"})
    )


@pytest.mark.real
def test_kernel_and_welcome(world: World, jupyter_prefix: Path) -> None:
    """A real kernel answers from its environment, the notebook draws its plot; the home is as before."""
    add_kernel(world, "lab", jupyter_prefix / "bin/python")
    welcome = world.home / "welcome.ipynb"
    welcome.write_bytes(notebook_catalogue.welcome())
    before = trees.picture(world.home)
    seen = tried(world, environments=(Environment("lab", jupyter_prefix, "lab"),), welcome=welcome)
    kernel = seen["The kernel lab runs in its environment"]
    assert kernel.ok, kernel.detail
    assert kernel.detail.endswith(f"in {jupyter_prefix}")
    notebook = seen["The welcome notebook runs"]
    assert (notebook.ok, notebook.detail) == (True, "3 cells, a plot")
    assert trees.picture(world.home) == before


@pytest.mark.real
def test_kernel_of_another_environment(world: World, jupyter_prefix: Path, tmp_path: Path) -> None:
    """A kernelspec that starts another environment's Python is red, with both prefixes."""
    add_kernel(world, "mine", jupyter_prefix / "bin/python")
    other = tmp_path / "other"
    (other / "bin").mkdir(parents=True)
    (other / "bin/python").write_text(f'#!/bin/sh\nexec {jupyter_prefix}/bin/python "$@"\n')
    (other / "bin/python").chmod(0o755)
    (check,) = _kernels(tried(world, environments=(Environment("mine", other, "mine"),)))
    assert not check.ok
    assert check.detail == f"It runs in {jupyter_prefix}, not in {other}."


@pytest.mark.real
def test_kernels_that_do_not_start(world: World, jupyter_prefix: Path) -> None:
    """No such kernelspec, one that dies, an environment that is gone: each says why."""
    add_kernel(world, "dies", Path("/bin/false"))
    wanted = [("none", jupyter_prefix), ("dies", jupyter_prefix), ("gone", world.home / "gone")]
    environments = tuple(Environment(name, prefix, name) for name, prefix in wanted)
    none, dies, gone = _kernels(tried(world, environments=environments))
    assert not any(check.ok for check in (none, dies, gone))
    assert "No such kernel named none" in none.detail
    assert "died" in dies.detail
    assert "No such file" in gone.detail


@pytest.mark.real
def test_changed_welcome_is_not_run(world: World, jupyter_prefix: Path) -> None:
    """What the user wrote into the notebook is not run unasked; ours is, in its place."""
    add_kernel(world, "lab", jupyter_prefix / "bin/python")
    notebook = json.loads(notebook_catalogue.welcome())
    code = next(c for c in notebook["cells"] if c["cell_type"] == "code")
    code["source"] = [f"open({str(world.home / 'ran')!r}, 'w')"]
    welcome = world.home / "welcome.ipynb"
    welcome.write_text(json.dumps(notebook))
    seen = tried(world, environments=(Environment("lab", jupyter_prefix, "lab"),), welcome=welcome)
    assert seen["The welcome notebook runs"].ok
    assert not (world.home / "ran").exists()


@pytest.mark.real
def test_welcome_without_numpy_says_how_to_get_it(world: World, jupyter_prefix: Path, tmp_path: Path) -> None:
    """In an environment without numpy the notebook still ends well; the missing plot is told."""
    add_kernel(world, "bare", jupyter_prefix / "bin/python")
    startup = tmp_path / "sitecustomize.py"
    startup.write_text("import sys\nsys.modules['numpy'] = sys.modules['matplotlib'] = None\n")
    spec = world.home / ".local/share/jupyter/kernels/bare/kernel.json"
    spec.write_text(json.dumps({**json.loads(spec.read_text()), "env": {"PYTHONPATH": str(tmp_path)}}))
    environment = Environment("bare", jupyter_prefix, "bare")
    seen = tried(world, environments=(environment,), welcome=world.home / "welcome.ipynb")
    notebook = seen["The welcome notebook runs"]
    assert notebook.ok
    assert "no plot" in notebook.detail


def _kernels(seen: dict[str, Check]) -> list[Check]:
    return [check for title, check in seen.items() if title.startswith("The kernel")]
