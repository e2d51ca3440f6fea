"""The mirror: its packages install and work, it is built once, and damage to it is seen."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from mirror_parts import install, kept_mirror, kept_tiny_mirror, output, write_wheel
from packaging.requirements import Requirement

from setup_wizard.errors import BadInput, MachineBlocks, NetworkTrouble
from setup_wizard.mirror import build, pypi, server
from setup_wizard.mirror.about import Mirror, read
from setup_wizard.mirror.archive import PLACEHOLDER, conda
from setup_wizard.mirror.packages import SUBDIR, Package, write_channel
from setup_wizard.mirror.python import SHORT, python_package
from setup_wizard.mirror.tiny import module, stub
from setup_wizard.mirror.verify import verify
from setup_wizard.mirror.wheels import conda_spec, package_of
from setup_wizard.world import Progress, World

TAG = f"cp{SHORT.replace('.', '')}"
BINARY = f"{TAG}-{TAG}-linux_{os.uname().machine}"

NATIVE = """\
VALUE = 42


class Tool:
    def run():
        print("native", VALUE)
"""


@pytest.fixture(scope="module")
def mirror() -> Mirror:
    """A tiny mirror."""
    return kept_tiny_mirror()


@pytest.fixture(scope="module")
def channel(mirror: Mirror) -> Iterator[str]:
    """The URL of the tiny mirror's channel."""
    with server.serve(mirror.path) as url:
        yield f"{url}/conda-forge"


@pytest.fixture
def own_mirror(tmp_path: Path, world: World, mirror: Mirror) -> Mirror:
    """A copy of the tiny mirror that may be damaged."""
    shutil.copytree(mirror.path, tmp_path / "mirror")
    return Mirror(tmp_path / "mirror", mirror.about)


# --- what is installed works ----------------------------------------------------------------------------


def test_the_python_of_the_channel_is_at_home_where_it_is_installed(channel: str, tmp_path: Path) -> None:
    """Python, its C modules and its libraries come from the prefix, not from where they were copied."""
    prefix = tmp_path / "env"
    assert install(channel, prefix, "python >=3.10")["type"] == "installed"
    code = (
        "import sys, ssl, sqlite3, ctypes, zlib, site, sysconfig;"
        "print(sys.prefix, sys.base_prefix, site.getsitepackages()[0], sysconfig.get_path('purelib'));"
        "print(open('/proc/self/maps').read())"
    )
    places, maps = output(prefix / "bin/python", "-I", "-c", code).split("\n", 1)
    site_packages = f"{prefix}/lib/python{SHORT}/site-packages"
    assert places.split() == [str(prefix), str(prefix), site_packages, site_packages]
    assert f"{sys.base_prefix}/lib/libpython" not in maps


def test_commands_of_noarch_packages_run_and_see_what_they_need(channel: str, tmp_path: Path) -> None:
    """An entry point of a package runs in its prefix, and its dependency came along."""
    prefix = tmp_path / "env"
    install(channel, prefix, "tiny-plots")
    assert output(prefix / "bin/tiny") == f"1.0 {prefix}"
    assert output(prefix / "bin/python", "-c", "import tiny_plots; print(tiny_plots.tiny_tools.__name__)")


def test_a_wheel_with_everything_becomes_a_package_that_works(tmp_path: Path, mirror: Mirror) -> None:
    """Modules, data, scripts, headers, commands and dependencies of a binary and a pure wheel arrive."""
    wheels = tmp_path / "wheels"
    pure = write_wheel(
        wheels,
        "pure_one-1.0-py3-none-any.whl",
        {
            "pure_one.py": "import native\ndef main(): print('pure', native.VALUE)\n",
            "pure_one-1.0.data/data/share/pure/hello.txt": "hello",
            "pure_one-1.0.data/scripts/pure-script": "#!python\nimport sys; print(sys.prefix)\n",
        },
        metadata=["Requires-Dist: native", "Requires-Python: >=3.8"],
        entry_points="[console_scripts]\npure = pure_one:main [extra]\n",
    )
    native = write_wheel(
        wheels,
        f"native-2.0-{BINARY}.whl",
        {
            "native/__init__.py": NATIVE,
            "native-2.0.data/platlib/native_more.py": "",
            "native-2.0.data/headers/native.h": "",
            "native-2.0.data/scripts/native-script": "#!python\nimport sys; print(sys.prefix)\n",
        },
        entry_points="[console_scripts]\nNative-Run = native:Tool.run\n",
    )
    wheels_by_name = {w.name: w for w in (pure, native)}
    packages = [package_of(w, wheels_by_name) for w in (pure, native)]
    write_channel(tmp_path / "channel", [python_package(), *packages])
    prefix = tmp_path / "env"
    assert install((tmp_path / "channel").as_uri(), prefix, "pure-one")["type"] == "installed"
    assert output(prefix / "bin/pure") == "pure 42"
    assert output(prefix / "bin/Native-Run") == "native 42"
    assert output(prefix / "bin/pure-script") == output(prefix / "bin/native-script") == str(prefix)
    assert (prefix / "share/pure/hello.txt").read_text() == "hello"
    assert (prefix / f"include/python{SHORT}/native/native.h").exists()
    assert (prefix / f"lib/python{SHORT}/site-packages/native_more.py").exists()


def test_text_with_the_placeholder_gets_the_prefix(tmp_path: Path) -> None:
    """A made-up package may hold the prefix in its text."""
    package = stub("note", files={"etc/note": f"at {PLACEHOLDER}!".encode()}, noarch="generic")
    write_channel(tmp_path / "channel", [package])
    install((tmp_path / "channel").as_uri(), tmp_path / "env", "note")
    assert (tmp_path / "env/etc/note").read_text() == f"at {tmp_path / 'env'}!"


@pytest.mark.parametrize(
    ("packages", "wish", "kind"),
    [
        ([stub("a", depends=["b <2"]), stub("b", "2.0")], "a", "conflict"),
        ([stub("a", constrains=["b <2"]), stub("b", "2.0")], "a b", "conflict"),
        ([stub("needs-gpu", depends=["__cuda >=12"])], "needs-gpu", "machine"),
        ([stub("a", "1.0"), stub("a", "2.0")], "a>=3", "version"),
    ],
)
def test_made_up_packages_quarrel_as_real_ones_do(
    tmp_path: Path, packages: list[Package], wish: str, kind: str
) -> None:
    """Versions, constraints and virtual packages of stubs count for the solver."""
    write_channel(tmp_path / "channel", packages)
    said = install((tmp_path / "channel").as_uri(), tmp_path / "env", *wish.split())
    assert (said["type"], said["kind"]) == ("failed", kind)


def test_what_is_published_anew_is_seen_at_once(tmp_path: Path) -> None:
    """A solver that has just read the listing is told by the server when there is another one."""
    (tmp_path / "served").mkdir()
    with server.serve(tmp_path / "served") as url:
        for version in ("1.0", "1.0", "2.0"):
            write_channel(tmp_path / "served", [stub("news", version, noarch="generic")])
            assert install(url, tmp_path / "env", f"news =={version}")["type"] == "installed"
    assert [p.stem for p in (tmp_path / "env/conda-meta").glob("news-*.json")] == ["news-2.0-0"]


# --- from wheels to packages ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("required", "expected"),
    [
        ("Jinja2", "jinja2"),
        ("jinja2>=3,!=3.1.*", "jinja2 !=3.1.*,>=3"),
        ("httpcore==1.*", "httpcore 1.*"),
        ("a.b_c~=1.4", "a-b-c ~=1.4"),
        ("x===1.0", "x ==1.0"),
        ("matplotlib>3", "matplotlib-base >3"),
        ("jupyter-server", "jupyter_server"),
    ],
)
def test_requirements_are_said_in_condas_words(required: str, expected: str) -> None:
    """A requirement keeps its meaning, under the name that conda-forge uses."""
    assert conda_spec(Requirement(required)) == expected


def test_markers_are_evaluated_and_extras_folded_in(tmp_path: Path) -> None:
    """What only another system needs is left out; what an extra needs, and its extra's extra, is named."""
    app = write_wheel(
        tmp_path,
        "app-1.0-py3-none-any.whl",
        {},
        metadata=[
            "Requires-Dist: lib[fast]>=2",
            "Requires-Dist: pywin32; sys_platform == 'win32'",
            "Requires-Dist: plain; python_version >= '3'",
            "Requires-Dist: docs; extra == 'docs'",
        ],
    )
    lib = write_wheel(
        tmp_path,
        "lib-2.0-py3-none-any.whl",
        {},
        metadata=[
            "Requires-Dist: speed; extra == 'fast'",
            "Requires-Dist: lib[more]; extra == 'fast'",
            "Requires-Dist: deep; extra == 'more'",
        ],
    )
    package = package_of(app, {"app": app, "lib": lib})
    assert package.depends == ("python", "deep", "lib", "lib >=2", "plain", "speed")


def test_the_same_files_give_the_same_archive() -> None:
    """Archives do not hold the hour of their making."""
    package = module("same", "1.0", b"x = 1\n")
    assert conda(package.stem, package.files, {}) == conda(package.stem, dict(package.files), {})


def test_every_package_is_listed_with_its_hashes(mirror: Mirror) -> None:
    """Both listings are there, and name every archive with sha256, md5 and size."""
    for folder in ("noarch", SUBDIR):
        listing = json.loads((mirror.path / "conda-forge" / folder / "repodata.json").read_bytes())
        archives = {p.name: p.stat().st_size for p in (mirror.path / "conda-forge" / folder).glob("*.conda")}
        assert {name: r["size"] for name, r in listing["packages.conda"].items()} == archives != {}
        assert all(len(r["sha256"]) == 64 and len(r["md5"]) == 32 for r in listing["packages.conda"].values())
        assert listing["packages"] == {}


# --- a folder of wheels ---------------------------------------------------------------------------------


def test_of_a_folder_of_wheels_the_newest_that_fits_is_taken(tmp_path: Path) -> None:
    """Wheels for other machines or Pythons, older ones and other files are passed over."""
    for version, tags in [("1.0", "py3-none-any"), ("1.10", "py3-none-any"), ("2.0", "cp27-cp27m-win32")]:
        write_wheel(tmp_path, f"thing-{version}-{tags}.whl", {})
    write_wheel(tmp_path, "thing-3.0-py3-none-any.whl", {}, metadata=["Requires-Python: <3"])
    (tmp_path / "no-wheel.whl").write_text("")
    assert pypi.gather(tmp_path, ["thing"])["thing"].version == "1.10"


def test_what_a_folder_of_wheels_lacks_is_named(tmp_path: Path) -> None:
    """A need that no wheel meets, however deep, is named with the command that fetches it."""
    write_wheel(tmp_path, "top-1.0-py3-none-any.whl", {}, metadata=["Requires-Dist: middle"])
    write_wheel(tmp_path, "middle-1.0-py3-none-any.whl", {}, metadata=["Requires-Dist: bottom>=2"])
    write_wheel(tmp_path, "bottom-1.0-py3-none-any.whl", {})
    with pytest.raises(BadInput, match=r"bottom>=2") as error:
        pypi.gather(tmp_path, ["top", "absent"])
    assert "absent" in error.value.problem
    assert f"pip download --only-binary=:all: --dest {tmp_path} top absent" in error.value.fix


@pytest.mark.parametrize("content", [b"<html>", b"PK\x05\x06" + bytes(18)])
def test_a_damaged_wheel_is_named(tmp_path: Path, content: bytes) -> None:
    """A wheel that is no archive, or an empty one, is an error with its path."""
    (tmp_path / "thing-1.0-py3-none-any.whl").write_bytes(content)
    with pytest.raises(BadInput, match=r"thing-1.0-py3-none-any.whl is not a whole wheel"):
        pypi.gather(tmp_path, ["thing"])


def test_a_mirror_is_built_from_a_folder_of_wheels(tmp_path: Path, world: World) -> None:
    """The wheels given are the only source; a new wheel in the folder makes a new mirror."""
    wheels = tmp_path / "wheels"
    write_wheel(wheels, "first-1.0-py3-none-any.whl", {})
    made = build.build(world, tmp_path / "m/mirror", wheels=wheels, packages=["first"])
    assert verify(world, made.path) == []
    write_wheel(wheels, "first-1.1-py3-none-any.whl", {})
    again = build.build(world, tmp_path / "m/mirror", wheels=wheels, packages=["first"])
    assert again.about.inputs != made.about.inputs
    assert [p.name for p in (made.path / "conda-forge/noarch").glob("*.conda")] == ["first-1.1-py_0.conda"]
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == [".mirror.lock", "mirror"]


def test_without_pip_it_is_said_what_is_missing(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Python without pip gets an error that names both ways out."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(MachineBlocks, match="no pip") as error:
        build.build(world, tmp_path / "mirror")
    assert "--wheels" in error.value.fix


def test_without_pypi_the_way_round_is_said(tmp_path: Path, world: World) -> None:
    """When PyPI gives nothing, the fix is the command that fills a folder of wheels elsewhere."""
    away = {"PIP_CONFIG_FILE": "/dev/null", "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    world.env.update(away)
    with pytest.raises(NetworkTrouble, match="PyPI did not give") as error:
        build.build(world, tmp_path / "mirror", packages=["no-such-package-anywhere"])
    assert "--dest FOLDER no-such-package-anywhere" in error.value.fix
    assert not (tmp_path / "mirror").exists()


# --- built once -----------------------------------------------------------------------------------------


def test_a_mirror_that_is_there_is_kept(tmp_path: Path, world: World) -> None:
    """The second build does nothing: same date, same files, nothing reported."""
    reports: list[Progress] = []
    first = build.tiny(world, tmp_path / "mirror", report=reports.append)
    assert reports
    reports.clear()
    stamps = {p: p.stat().st_mtime_ns for p in first.path.rglob("*")}
    assert build.tiny(world, tmp_path / "mirror", report=reports.append) == first == read(first.path)
    assert stamps == {p: p.stat().st_mtime_ns for p in first.path.rglob("*")}
    assert reports == []


def test_a_build_that_was_killed_is_cleared_and_done_again(tmp_path: Path, world: World) -> None:
    """What a killed build left is not taken for a mirror, and does not stay."""
    (tmp_path / ".mirror.new/conda-forge").mkdir(parents=True)
    (tmp_path / ".mirror.old").mkdir()
    made = build.tiny(world, tmp_path / "mirror")
    assert verify(world, made.path) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == [".mirror.lock", "home", "mirror"]


def test_a_foreign_folder_is_left_alone(tmp_path: Path, world: World) -> None:
    """A folder with something else in it is neither filled nor replaced."""
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter").write_text("1")
    with pytest.raises(BadInput, match="something else"):
        build.tiny(world, tmp_path / "thesis")
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["chapter"]


def test_two_builders_make_one_mirror(tmp_path: Path, world: World) -> None:
    """The second builder says that it waits, and takes what the first one made."""
    waits = threading.Event()
    made: list[Mirror] = []

    def second() -> None:
        made.append(build.tiny(world, tmp_path / "mirror", report=lambda p: waits.set()))

    with (tmp_path / ".mirror.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(10)
        assert not (tmp_path / ".mirror.new").exists()
    thread.join(60)
    assert made[0] == build.tiny(world, tmp_path / "mirror")


def test_without_git_the_mirror_has_no_repositories(tmp_path: Path, world: World) -> None:
    """A machine without git still gets its channel and installers."""
    world.env["PATH"] = "/nowhere"
    made = build.tiny(world, tmp_path / "mirror")
    assert made.about.repositories == ()
    assert verify(world, made.path) == []


def test_a_closed_place_is_said(tmp_path: Path, world: World) -> None:
    """A folder that cannot be made is an error with its fix, not a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineBlocks, match="could not be written"):
        build.tiny(world, tmp_path / "file/mirror")


def test_a_full_disk_is_said_and_nothing_stays(tmp_path: Path, world: World) -> None:
    """When the space ends on the way, the error says where, and the half-made mirror is gone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(MachineBlocks, match="mirror could not be written") as error:
            build.tiny(world, tmp_path / "mirror")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "df -h" in error.value.fix
    assert sorted(p.name for p in tmp_path.iterdir()) == [".mirror.lock", "home"]


# --- damage is seen -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "damage"),
    [
        ("conda-forge/noarch/tiny-core-*.conda", "change"),
        ("conda-forge/noarch/tiny-core-*.conda", "remove"),
        ("conda-forge/*/python-*.conda", "cut"),
        ("miniconda/Miniconda3-*.sh", "change"),
        ("miniforge/Miniforge3-*.sh", "remove"),
        ("miniforge/.files.json", "remove"),
        ("git/plots.git/objects/??/*", "remove"),
        ("mirror.json", "cut"),
    ],
)
def test_damage_is_found(own_mirror: Mirror, world: World, pattern: str, damage: str) -> None:
    """A file that changed, shrank or went is named by verify; all else is not."""
    path = sorted(own_mirror.path.glob(pattern))[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.unlink()
    if damage != "remove":
        path.write_bytes(data if damage == "change" else data[:-9])
    problems = verify(world, own_mirror.path)
    named = "plots.git" if "git" in pattern else path.parent.name if path.name == ".files.json" else path.name
    assert problems
    assert all(named in p for p in problems)


def test_a_package_that_nobody_listed_is_found(own_mirror: Mirror, world: World) -> None:
    """An archive beside the listed ones is named."""
    (own_mirror.path / "conda-forge/noarch/stray-1.0-0.conda").write_bytes(b"")
    assert [p.rpartition("/")[2] for p in verify(world, own_mirror.path)] == [
        "stray-1.0-0.conda is not listed"
    ]


# --- the whole ------------------------------------------------------------------------------------------


@pytest.mark.real
def test_the_rehearsals_mirror_gives_a_working_jupyter(tmp_path: Path) -> None:
    """Out of a channel made of PyPI's wheels, JupyterLab, numpy, pandas and matplotlib work together."""
    made = kept_mirror()
    assert verify(World.here(), made.path) == []
    prefix = tmp_path / "env"
    wishes = ["jupyterlab", "notebook", "ipykernel", "jupyter_server", "numpy", "pandas", "matplotlib", "pip"]
    with server.serve(made.path) as url:
        assert install(f"{url}/conda-forge", prefix, *wishes)["type"] == "installed"
    assert output(prefix / "bin/jupyter", "lab", "--version")[0].isdigit()
    assert output(prefix / "bin/python", "-m", "pip", "check") == "No broken requirements found."
    output(prefix / "bin/python", "-c", "import ssl, sqlite3, numpy, pandas, matplotlib.pyplot")
