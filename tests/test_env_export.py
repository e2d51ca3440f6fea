"""`env export`: an environment written down, and made again from that; secrets stay where they are."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from setup_wizard.conda import contents, damage, export
from setup_wizard.conda.spec import read_spec
from setup_wizard.mirror import build, server
from setup_wizard.trees import picture
from setup_wizard.world import World
from tests.channels import channel, fruits, serve
from tests.conftest import CACHE
from tests.gardener import Gardener, without_index
from tests.program import Account
from tests.real_conda import kept_conda
from tests.web_server import WebServer

FORMS = {"yaml": "yml", "from-history": "yml", "lock": "lock", "explicit": "txt"}


@pytest.fixture(scope="module")
def orchard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A channel of small packages, in a folder."""
    folder = tmp_path_factory.mktemp("channels") / "orchard"
    channel(folder, fruits())
    return folder


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture
def gardener(tmp_path: Path, orchard: Path, web: WebServer) -> Gardener:
    """The account with its environment «basket», beside a server of the channel."""
    made = Gardener(tmp_path / "home", serve(web, orchard))
    made.well("create", str(made.file), "--yes")
    return made


def there(home: Path) -> set[str]:
    """All paths of a home but for the cache, where packages are still being compiled in the background."""
    return {path for path in picture(home) if not path.startswith(".cache")}


@pytest.mark.parametrize("form", FORMS)
def test_exported_and_made_again_it_holds_the_same(gardener: Gardener, web: WebServer, form: str) -> None:
    """In each form: the same packages, and where the form has a place for them the same variables."""
    file = gardener.home / f"again.{FORMS[form]}"
    before = there(gardener.home)
    said = gardener.well("export", "basket", f"--{form}", "-o", str(file))
    assert (said["file"], said["form"]) == (str(file), form)
    assert there(gardener.home) - before == {file.name}
    if form in ("lock", "explicit"):
        without_index(web)
    gardener.well("create", str(file), "-n", "again", "--yes")
    assert contents.stems(gardener.envs / "again") == contents.stems(gardener.envs / "basket")
    variables = {} if form == "explicit" else {"JAM": "2"}
    assert contents.variables(gardener.envs / "again") == variables
    printed = gardener.run("env", "export", "basket", f"--{form}")
    assert printed.stdout == file.read_text()
    assert printed.stderr == ""


def test_what_conda_reads(gardener: Gardener) -> None:
    """The YAML and the list have the shape that conda itself writes: name=version=build; address#md5."""
    yaml = read_spec(Path("x.yml"), text=gardener.run("env", "export", "basket").stdout)
    assert (yaml.name, yaml.channels) == ("basket", (gardener.url,))
    assert yaml.dependencies == ("apple=1.5=0", "pear=1.0=0", "quince=1.1=0")
    asked = gardener.run("env", "export", "basket", "--from-history").stdout
    assert read_spec(Path("x.yml"), text=asked).dependencies == ("pear", "quince=1.1")
    lines = gardener.run("env", "export", "basket", "--explicit").stdout.splitlines()
    assert lines[1] == "@EXPLICIT"
    assert all(line.rpartition("#")[2].isalnum() and len(line.rpartition("#")[2]) == 32 for line in lines[2:])


def test_a_file_of_the_users_stays(gardener: Gardener) -> None:
    """Only what this program has written is written over; the environment's own YAML is not."""
    text = gardener.file.read_text()
    code, said = gardener.ill("export", "basket", "-o", str(gardener.file))
    assert (code, "stays" in said) == (2, True)
    assert gardener.file.read_text() == text
    other = gardener.home / "other.yml"
    for _ in range(2):
        gardener.well("export", "basket", "-o", str(other))
    assert gardener.ill("export", "basket", "--lock", "--explicit")[0] == 2
    assert gardener.ill("export", "bisket")[0] == 2
    (gardener.envs / "empty").mkdir()
    assert "no conda environment" in gardener.ill("export", "empty")[1]


def a_package_of_pip(prefix: Path, name: str, came_from: dict[str, object] | None = None) -> None:
    """What pip leaves of a package that it has installed."""
    info = prefix / f"lib/python3.12/site-packages/{name}-2.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.0\n")
    if came_from:
        (info / "direct_url.json").write_text(json.dumps(came_from))


def test_what_pip_has_put_there_is_a_section_of_its_own(gardener: Gardener) -> None:
    """By version, by commit, by address; what came of a folder cannot be had again, and that is said."""
    prefix = gardener.envs / "basket"
    a_package_of_pip(prefix, "cowsay")
    commit = {"vcs": "git", "commit_id": "abc123"}
    a_package_of_pip(prefix, "mooed", {"url": "https://me:hush@h.org/moo.git", "vcs_info": commit})
    a_package_of_pip(prefix, "wheeled", {"url": "https://h.org/w.whl", "archive_info": {}})
    a_package_of_pip(prefix, "mine", {"url": "file:///home/me/mine", "dir_info": {"editable": True}})
    text = gardener.run("env", "export", "basket").stdout
    assert read_spec(Path("x.yml"), text=text).pip == (
        "cowsay==2.0",
        "mooed @ git+https://h.org/moo.git@abc123",
        "wheeled @ https://h.org/w.whl",
    )
    assert "# left out: mine 2.0, which pip has from file:///home/me/mine" in text
    assert "hush" not in text


def test_variables_that_may_be_secrets_stay_out(gardener: Gardener) -> None:
    """By their names, and by a password in an address; they are named, so that nobody misses them."""
    secret = {"API_TOKEN": "tok-1", "DB": "postgres://me:hush@h/db", "GREETING": 'it\'s "ü" 😀: #1'}
    contents.write_variables(gardener.envs / "basket", secret)
    for form in FORMS:
        text = gardener.run("env", "export", "basket", f"--{form}").stdout
        assert "tok-1" not in text
        assert "hush" not in text
    text = gardener.run("env", "export", "basket").stdout
    assert "# left out: the variable API_TOKEN" in text
    assert "# left out: the variable DB" in text
    spec = read_spec(Path("x.yml"), text=text)
    assert spec.variables == {"GREETING": 'it\'s "ü" 😀: #1'}


@pytest.mark.real
def test_conda_itself_goes_there_and_back(gardener: Gardener) -> None:
    """A real conda makes the same from what we export, and we make the same from what it exports."""
    conda, ours = kept_conda() / "bin/conda", contents.stems(gardener.envs / "basket")
    env = {**gardener.env, "CONDA_PKGS_DIRS": str(gardener.home / "pkgs")}

    def run(*words: str | Path) -> str:
        said = subprocess.run([conda, *words], env=env, capture_output=True, text=True)
        assert said.returncode == 0, said.stderr
        return said.stdout

    yaml, listed = gardener.home / "out.yml", gardener.home / "out.txt"
    gardener.well("export", "basket", "-o", str(yaml))
    gardener.well("export", "basket", "--explicit", "-o", str(listed))
    run("env", "create", "-q", "-f", yaml, "-p", gardener.home / "by-yaml")
    run("create", "-q", "-y", "--file", listed, "-p", gardener.home / "by-list")
    assert contents.stems(gardener.home / "by-yaml") == contents.stems(gardener.home / "by-list") == ours
    assert contents.variables(gardener.home / "by-yaml") == {"JAM": "2"}

    theirs = gardener.home / "theirs"
    theirs.with_suffix(".yml").write_text(run("env", "export", "-p", gardener.home / "by-yaml"))
    theirs.with_suffix(".txt").write_text(run("list", "--explicit", "--md5", "-p", gardener.home / "by-list"))
    for n, ending in enumerate((".yml", ".txt")):
        gardener.well("create", str(theirs.with_suffix(ending)), "-n", f"back{n}", "--yes")
        assert contents.stems(gardener.envs / f"back{n}") == ours


# --- for real --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_channel() -> Iterator[str]:
    """The rehearsal's channel of about 105 packages, served on loopback."""
    made = build.build(World.here(), CACHE / "mirror")
    with server.serve(made.path) as url:
        yield f"{url}/conda-forge"


@pytest.mark.real
def test_a_real_environment_comes_back_from_each_form(tmp_path: Path, real_channel: str) -> None:
    """105 packages exported, made again: the same records, every file whole, and Jupyter starts."""
    account = Account(tmp_path / "home")
    file = account.home / "lab.yml"
    file.write_text(f"name: lab\nchannels: [{real_channel}]\ndependencies: [python, jupyterlab, numpy]\n")
    assert account.run("env", "create", str(file), "--yes").returncode == 0
    envs = account.home / ".conda/envs"
    assert export.by_pip(envs / "lab") == ([], []), "what conda has installed is not pip's"
    for form, ending in FORMS.items():
        out = account.home / f"{form}.{ending}"
        assert account.run("env", "export", "lab", f"--{form}", "-o", str(out)).returncode == 0
        made = account.run("env", "create", str(out), "-n", form, "--yes")
        assert made.returncode == 0, made.stderr
        assert contents.stems(envs / form) == contents.stems(envs / "lab")
        assert damage.look(envs / form).flaws == {}
        version = [str(envs / form / "bin/jupyter"), "lab", "--version"]
        assert subprocess.run(version, env=account.env, capture_output=True).returncode == 0
