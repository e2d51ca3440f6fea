"""`env lint`: every mistake of an environment.yml at once, each with its place; advice; and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from setup_wizard.conda.lint import Remark, lint
from setup_wizard.conda.spec import catalogue, package_name, read_spec
from setup_wizard.errors import BadInput
from setup_wizard.world import World
from tests.program import Account

NAMES = ["numpy", "scipy", "ipykernel", "r-base", "_libgcc_mutex", "conda-forge::mamba", "xz"]
names = st.sampled_from(NAMES)
versions = st.sampled_from(
    ["", "=1.2", "=1.2.*", "==2.0", " >=2,<3", " 1.26", "=1.*=cuda*", "!=1.3", "~=1.4", " >=1|0.5"]
)
good_channels = st.lists(
    st.sampled_from(["conda-forge", "bioconda", "https://h.org/chan", "nodefaults"]), unique=True
)
variables = st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,5}", fullmatch=True), st.integers(0, 9))
BAD = {  # a line of its own, by the section that it stands in
    "dependencies": [
        "- ''",
        "- ./x.whl",
        "- git+https://h/x",
        "- [numpy]",
        "- scipy: [x]",
        "- 1.5",
        "- numpy >=1,<<2",
        "- numpy>>2",
        "-",
    ],
    "channels": ["- a b", "- https://me:pw@h/c", "- 3", "- /no/such/folder", "- {a: b}"],
    "variables": ["1A: x", "A-B: y", "LIST: [1]", "EMPTY: {}"],
    "": ["nmae: x", "platforms: [linux-64]", "category: main"],
}


@st.composite
def broken_files(draw: st.DrawFn) -> tuple[str, set[int]]:
    """An environment.yml with any number of mistakes, each on a line of its own; and those lines."""
    lines, wrong = ["name: x  # mine"], set[int]()
    for section, bad in BAD.items():
        found = draw(st.lists(st.sampled_from(bad), max_size=2, unique=True))
        if section:
            lines.append(f"{section}:")
            good = {"dependencies": "- python=3.12", "channels": "- conda-forge", "variables": "OK: '1'"}
            lines.append("  " + good[section])
        for line in found:
            lines += draw(st.lists(st.sampled_from(["", "  # a remark"]), max_size=1))
            lines.append("  " * bool(section) + line)
            wrong.add(len(lines))
    return "\n".join(lines) + "\n", wrong


def remarks(folder: Path, text: str) -> list[Remark]:
    """What is said of a text."""
    path = folder / "env.yml"
    path.write_text(text)
    return lint(World.here(), path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(broken_files())
def test_every_mistake_is_found_in_its_line(tmp_path: Path, made: tuple[str, set[int]]) -> None:
    """Not only the first: each line that is wrong, no other, and each with what to do."""
    text, wrong = made
    found = [r for r in remarks(tmp_path, text) if r.kind == "mistake"]
    assert {r.line for r in found} == wrong, text
    assert all(r.fix and r.column >= 1 for r in found)
    assert "pw" not in "".join(r.text + r.fix for r in found)


@st.composite
def good_files(draw: st.DrawFn) -> tuple[str, list[str], list[str]]:
    """A valid environment.yml in block or flow style; what it asks for, of conda and of pip."""
    found = draw(st.lists(names, min_size=1, unique_by=package_name))
    asks = [n + draw(versions) for n in found]
    pip = draw(st.lists(st.sampled_from(["cowsay==6", "x @ https://h/x.whl", "-r more.txt"]), unique=True))
    quoted = [f'"{a}"' for a in asks]
    sections = [f"pip: [{', '.join(repr(p) for p in pip)}]"] if pip else []
    if draw(st.booleans()):
        deps = "dependencies: [" + ", ".join([*quoted, *(f"{{{s}}}" for s in sections)]) + "]"
    else:
        deps = "\n".join(["dependencies:", *(f"  - {q}" for q in quoted), *(f"  - {s}" for s in sections)])
    kept = {k: str(v) for k, v in draw(variables).items()}
    lines = [f"channels: {draw(good_channels)!r}", deps]
    lines += [f"variables: {kept!r}"] if kept else []
    return "\n".join(draw(st.permutations(lines))) + "\n", asks, pip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(good_files())
def test_what_is_right_is_read_and_not_found_fault_with(
    tmp_path: Path, made: tuple[str, list[str], list[str]]
) -> None:
    """Any way in which people write versions, lists and variables: all of it comes out, and no mistake."""
    text, asks, pip = made
    assert [r for r in remarks(tmp_path, text) if r.kind == "mistake"] == [], text
    spec = read_spec(tmp_path / "env.yml")
    assert list(spec.dependencies) == [*asks, *(["pip"] if pip else [])]
    assert list(spec.pip) == pip


@pytest.mark.parametrize("path", [n.path for n in catalogue()], ids=lambda p: p.name)
def test_our_own_environments_are_well(path: Path) -> None:
    """Not even advice is to be given on what ships with us."""
    assert lint(World.here(), path) == []


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("channels:\n  - defaults\ndependencies: [python]\n", (2, 5), "terms of use"),
        ("dependencies: [python]\nchannels: [conda-forge, main]\n", (2, 25), "terms of use"),
        ("dependencies: [python]\n", (1, 1), "no channels are named"),
        ("dependencies: [python]\n", (1, 1), "it has no name"),
        ("name: x\ndependencies:\n  - python\n", (3, 5), "no version of Python"),
        ("dependencies:\n  - numpy\n  - numpy>2\n", (3, 5), "«numpy» is there 2 times"),
        ("dependencies:\n  - scipy\n  - pip: [scipy==1]\n", (2, 5), "from conda and from pip"),
        ("dependencies:\n  - pip: [a==1, cowsay]\n", (2, 17), "«cowsay» has no version"),
        ("dependencies:\n  - pip:\n      - cowsay\n", (2, 5), "the package pip is not listed"),
        ("name: x\nprefix: /x\ndependencies: [xz]\n", (2, 9), "one machine only"),
        ("name: x\ndependencies:\n  - python=3.12\n", (3, 3), "no ipykernel"),
        ("dependencies:\n  - xz=5.2=h1\n", (2, 5), "names a build"),
    ],
)
def test_advice(tmp_path: Path, text: str, place: tuple[int, int], said: str) -> None:
    """What works, and could be better, with its place; none of it is a mistake."""
    found = remarks(tmp_path, text)
    assert place in [(r.line, r.column) for r in found if said in r.text], found
    assert {r.kind for r in found} == {"advice"}


def test_the_command(tmp_path: Path) -> None:
    """Red for mistakes only; FILE:LINE:COLUMN as editors read it; --json; a file of another tool; none."""
    account = Account(tmp_path / "home")
    file = account.home / "env.yml"
    file.write_text("dependencies:\n  - numpy >=1,<<2\n  - ./x.whl\n")
    ended = account.run("env", "lint", str(file))
    assert ended.returncode == 1
    assert re.findall(rf"{re.escape(str(file))}:(\d+:\d+): ", ended.stdout)[:2] == ["2:5", "3:5"]
    facts = account.facts("env", "lint", str(file))
    assert facts["ok"] is False
    assert [r["line"] for r in facts["remarks"] if r["kind"] == "mistake"] == [2, 3]
    file.write_text("dependencies: [numpy]\n")
    assert account.run("env", "lint", str(file)).returncode == 0
    file.write_bytes(b"name: x\ndependencies:\n  - xz  # f\xfcr\n  - 1.5\n")
    ended = account.run("env", "lint", str(file))
    assert (":3:12: the byte 0xfc" in ended.stdout, ":4:5: " in ended.stdout) == (True, True)
    file.write_text("services:\n  web: {}\n")
    assert "docker compose" in account.run("env", "lint", str(file)).stdout
    assert account.run("env", "lint", "none.yml").returncode == 2
    assert sorted(p.name for p in account.home.iterdir()) == [".bashrc", ".profile", "env.yml"]


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    """Said as what it is."""
    with pytest.raises(BadInput, match="cannot be read"):
        lint(World.here(), tmp_path)
