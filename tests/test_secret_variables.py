"""`variables:` whose values look like secrets: where the environment needs them, and nowhere else."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from setup_wizard import secrecy
from setup_wizard.conda import contents
from setup_wizard.conda.lock import Header, with_header
from setup_wizard.conda.secret_variables import unsaid
from setup_wizard.conda.spec import EnvSpec, read_spec, variables_in
from setup_wizard.errors import BadInput
from setup_wizard.mirror.tiny import stub
from setup_wizard.trees import picture
from tests.channels import channel, fruits
from tests.gardener import Gardener
from tests.test_env_delete import KERNEL

YAML = """\
name: basket
channels:
  - {url}
dependencies:
  - pear   # needs an old apple
  - ipykernel
variables:
  JAM: "2"
  API_TOKEN: hush-1   # mine
  KEY_SECRET: |
    hush-2
    hush-3
  DB: postgres://me:hush-4@h/db
"""
VALUES = {
    "JAM": "2",
    "API_TOKEN": "hush-1",
    "KEY_SECRET": "hush-2\nhush-3\n",
    "DB": "postgres://me:hush-4@h/db",
}
FILE = Path("/w/env.yml")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A channel of fruits, and what makes a kernel."""
    launcher = stub("ipykernel", files=KERNEL, noarch="generic")
    return channel(tmp_path_factory.mktemp("channels") / "garden", [*fruits(), launcher])


@pytest.fixture
def gardener(tmp_path: Path, url: str) -> Gardener:
    """An account with an environment.yml that holds such values."""
    made = Gardener(tmp_path / "home", url)
    made.file.write_text(YAML.format(url=url))
    return made


class Watched:
    """The commands of an account, none of which may tell a value."""

    def __init__(self, gardener: Gardener) -> None:
        self.gardener = gardener

    def run(self, *words: str) -> str:
        """A command of `env` that goes well; what it said."""
        said = self.gardener.run("env", *words)
        assert said.returncode == 0, said.stdout + said.stderr
        assert "hush" not in said.stdout + said.stderr
        return said.stdout

    @property
    def holding(self) -> dict[str, str]:
        """The files of the account that hold a value, with their modes."""
        found = subprocess.run(
            ["grep", "-rlaF", "hush", self.gardener.home], capture_output=True, text=True
        ).stdout
        paths = [Path(path) for path in found.splitlines() if path != str(self.gardener.file)]
        return {str(p.relative_to(self.gardener.home)): oct(p.stat().st_mode & 0o777) for p in paths}


def the_two(name: str) -> dict[str, str]:
    """Where the values of an environment are: what conda reads, and its kernel; for nobody else to read."""
    paths = (f".conda/envs/{name}/conda-meta/state", f".local/share/jupyter/kernels/{name}/kernel.json")
    return dict.fromkeys(paths, "0o600")


def test_they_reach_the_environment_and_nothing_else(gardener: Gardener) -> None:
    """Shown, made, changed, listed, exported, locked, checked: plans, journal and notes hold no value."""
    before, watched = picture(gardener.home), Watched(gardener)
    for more in ([], ["--json"]):
        assert "API_TOKEN (hidden)" in watched.run("create", str(gardener.file), "--dry-run", *more)
    watched.run("create", str(gardener.file), "--yes")
    assert contents.variables(gardener.envs / "basket") == VALUES
    assert watched.holding == the_two("basket")
    for words in (
        ("create", str(gardener.file), "--yes", "--json"),
        ("list", "--json"),
        ("show", "basket"),
        ("export", "basket"),
        ("export", "basket", "--lock"),
        ("check", "--fix", "--yes", "--json"),
        ("lint", str(gardener.file), "--json"),
    ):
        watched.run(*words)
    said = watched.run("install", "basket", "quince=1.1", "--dry-run")
    assert "+  - quince=1.1" in said, "the plan shows what becomes of the file"
    assert watched.holding == the_two("basket")
    watched.run("install", "basket", "quince=1.1", "--yes")
    assert contents.variables(gardener.envs / "basket") == VALUES
    kept = {path for path in watched.holding if path.startswith(".local/state/hpc-jupyter-setup/backups/")}
    assert len(kept) == 1, "the file as it was, which undo gives back"
    assert watched.holding == the_two("basket") | dict.fromkeys(kept, "0o600")
    assert gardener.run("undo", "--yes").returncode == 0
    assert picture(gardener.home) == before


def test_another_value(gardener: Gardener) -> None:
    """It is seen, and set; that of before is kept nowhere."""
    watched = Watched(gardener)
    watched.run("create", str(gardener.file), "--yes")
    gardener.file.write_text(YAML.format(url=gardener.url).replace("hush-1", "other-1"))
    assert "its file has another value for the variable API_TOKEN" in watched.run("show", "basket")
    watched.run("create", str(gardener.file), "--yes")
    assert contents.variables(gardener.envs / "basket") == VALUES | {"API_TOKEN": "other-1"}
    found = subprocess.run(["grep", "-rlaF", "hush-1", gardener.home], capture_output=True, text=True)
    assert found.stdout == ""
    assert "its file has" not in watched.run("show", "basket")


def test_a_file_that_is_not_kept_in_step(gardener: Gardener) -> None:
    """Gone: the copy inside names them, and what is set stays through changes and repairs."""
    watched, prefix = Watched(gardener), gardener.envs / "basket"
    watched.run("create", str(gardener.file), "--yes")
    gardener.file.unlink()
    watched.run("install", "basket", "quince=1.1", "--yes")
    assert variables_in((prefix / contents.FILE).read_text(), "x")["API_TOKEN"] == secrecy.HIDDEN
    watched.run("install", "basket", "quince=1.2", "--yes")
    (prefix / "share/quince").unlink()
    watched.run("check", "--fix", "--yes")
    assert contents.variables(prefix) == VALUES
    assert watched.holding == the_two("basket")
    watched.run("clone", "basket", "twin", "--yes")
    watched.run("install", "twin", "quince=1.1", "--yes")
    watched.run("pack", "twin", "-o", str(gardener.home.parent / "twin.tar.gz"))
    watched.run("unpack", str(gardener.home.parent / "twin.tar.gz"), "-n", "third", "--yes")
    watched.run("install", "third", "quince=1.2", "--yes")
    assert contents.variables(gardener.envs / "twin") == contents.variables(gardener.envs / "third") == VALUES
    assert watched.holding == the_two("basket") | the_two("twin") | the_two("third")


def test_a_lock_is_for_others(gardener: Gardener) -> None:
    """It leaves the values out and says so; made from it, the user is told to set them."""
    watched = Watched(gardener)
    assert "Left out is the value of API_TOKEN, which may be a secret" in watched.run(
        "lock", str(gardener.file)
    )
    said = gardener.run("env", "create", str(gardener.lock), "--yes")
    assert said.returncode == 0
    told = " ".join(said.stderr.split() + said.stdout.split())
    assert "Set it: conda env vars set -p ~/.conda/envs/basket API_TOKEN=…" in told
    assert contents.variables(gardener.envs / "basket") == {"JAM": "2"}
    assert watched.holding == {}


def test_killed_and_gone_on_with(gardener: Gardener, tmp_path: Path) -> None:
    """What a kill leaves holds no value; the same address again goes on, and finds it there."""
    watched, log = Watched(gardener), tmp_path / "log"
    words = ("env", "create", gardener.file.as_uri(), "--yes")
    assert gardener.run(*words, fuse=("after journal line Began | 1", log)).returncode == -9
    assert watched.holding == {}
    watched.run(*words[1:])
    assert contents.variables(gardener.envs / "basket") == VALUES
    assert watched.holding == the_two("basket")


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("  API_TOKEN: hush: hush\n", "9:18"),
        ("  API_TOKEN: *hush\n", "9:14"),
        ("  API_TOKEN: [hush]\n", "9:14"),
        ("  API_TOKEN: 15.00771\n", "9:14"),
    ],
)
def test_a_mistake_in_such_a_line(gardener: Gardener, line: str, place: str) -> None:
    """It is told with its place, and the line is not repeated."""
    head = YAML.format(url=gardener.url).partition("  API_TOKEN")[0]
    gardener.file.write_text(head + line)
    with pytest.raises(BadInput) as e:
        read_spec(gardener.file)
    said = e.value.problem + e.value.fix
    assert f"{gardener.file}:{place}" in said
    assert "hush" not in said
    assert "15.00771" not in said


def test_no_spec_holds_a_value() -> None:
    """Wherever a spec came from, also from a lock or a journal that others have written."""
    spec = EnvSpec("x", ("c",), ("d",), variables=VALUES)
    assert (spec.variables, set(spec.secret)) == ({"JAM": "2"}, {"API_TOKEN", "KEY_SECRET", "DB"})
    assert "hush" not in with_header("text", spec, ("linux-64",))
    assert Header.__struct_fields__[-1] == "secret"


words = st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=9, max_size=30)
plain = st.dictionaries(st.from_regex(r"[A-L]_?[A-L]{0,5}", fullmatch=True), st.integers(0, 99), max_size=3)


@settings(max_examples=60, deadline=None)
@given(plain, words, st.sampled_from(["|", ">", ">-", "'", '"']))
@example({}, "a: b # c", "'")
def test_the_text_without_them(others: dict[str, int], value: str, style: str) -> None:
    """The other lines stay to the byte, whatever the style in which the value is written."""
    quoted: Any = {
        "'": "'" + value.replace("'", "''") + "'",
        '"': '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"',
    }
    said = quoted.get(style) or f"{style}\n    x{value.strip()}\n    x{value.strip()}"
    head = ["dependencies: [x]  # mine", "variables:", *(f"  {n}: {v}  # {n}" for n, v in others.items())]
    tail = ["  # between", "  Z: last"]
    text = "\n".join([*head, f"  MY_TOKEN: {said}", *tail]) + "\n"
    shown = unsaid(text, FILE)
    assert value.strip() not in shown or value.strip() == ""
    assert shown.startswith("\n".join(head) + "\n")
    assert shown.endswith("\n".join(tail) + "\n")
    assert variables_in(shown, "x") == variables_in(text, "x") | {"MY_TOKEN": secrecy.HIDDEN}


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  API_TOKEN: abc  # mine", "  API_TOKEN: …"),
        ('   "HF_TOKEN": "a",', '   "HF_TOKEN": …'),
        ("export GITHUB_TOKEN=abc def", "export GITHUB_TOKEN=…"),
        ("variables: {API_KEY: a, X: 2}", "variables: {API_KEY: …"),
        ("DB: 'postgres://me:pw@h/x'", "DB: 'postgres://…@h/x'"),
        ("  - tokenizers=0.15", "  - tokenizers=0.15"),
        ("  - private::numpy", "  - private::numpy"),
        ("export PATH=/opt/bin:$PATH", "export PATH=/opt/bin:$PATH"),
    ],
)
def test_lines_that_are_shown(line: str, shown: str) -> None:
    """A diff of any file shows no value of a variable that may be a secret, and all else."""
    assert secrecy.masked(line) == shown
