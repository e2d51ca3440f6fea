"""environment.yml changed by the program: every comment, every other line and the style stay."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from setup_wizard.conda.asked import edited, text_of
from setup_wizard.conda.spec import package_name, read_spec
from setup_wizard.errors import BadInput

FILE = Path("/w/env.yml")
names = st.from_regex(r"[a-z][a-z0-9_-]{0,8}[a-z0-9]", fullmatch=True).filter(
    lambda n: n not in ("pip", "true")
)
versions = st.sampled_from(["", "=1", "=1.2.*", " >=2,<3", "==3.0", " 1.26", "=1.0=py_0"])
comments = st.sampled_from(["", "  # why: it's «needed»", "   #"])
quotes = st.sampled_from(["", "'", '"'])
between = st.sampled_from(["", "# a line of mine", "\n", "  # - numpy"])
packages = st.lists(names, min_size=1, max_size=6, unique=True)


@st.composite
def block_files(draw: st.DrawFn) -> tuple[str, list[str]]:
    """An environment.yml in lines: comments anywhere, any indentation, quotes, pip; and its packages."""
    found = draw(packages)
    indent, newline = " " * draw(st.integers(0, 4)), draw(st.sampled_from(["\n", "\r\n"]))
    lines = [draw(between), f"name: x{draw(comments)}", "channels: [conda-forge]", "dependencies:"]
    asks = []
    for name in found:
        quote = draw(quotes)
        asks.append(name + draw(versions))
        lines += [draw(between), f"{indent}- {quote}{asks[-1]}{quote}{draw(comments)}"]
    if draw(st.booleans()):
        lines += [f"{indent}- pip", f"{indent}- pip:  # from PyPI", f"{indent}    - cowsay  # moo"]
        asks.append("pip")
    lines += [draw(between), "variables: {A: '1'}  # mine"]
    end = draw(st.sampled_from(["", newline]))
    return newline.join(lines).replace("\n", newline).replace("\r\r\n", "\r\n") + end, asks


def asked_for(text: str) -> list[str]:
    """What a text asks for, in its order."""
    return list(read_spec(FILE, text=text).dependencies)


@settings(max_examples=60, deadline=None)
@given(block_files(), names, versions)
@example(("dependencies:\n- pip:\n  - x", []), "numpy", "=1")
def test_a_line_comes_and_goes_and_nothing_else_moves(
    made: tuple[str, list[str]], name: str, version: str
) -> None:
    """Added and removed again, the text is what it was; replaced, one line is another; comments all stay."""
    text, asks = made
    there = {package_name(a) for a in asks}
    more = edited(text, FILE, [name + version], [])
    assert name + version in asked_for(more)
    assert re.findall(r"#.*", more) == re.findall(r"#.*", text)
    if name in there:
        assert len(more.splitlines()) == len(text.splitlines())
        return
    added = [line for line in more.splitlines() if line not in text.splitlines()]
    assert len(added) == 1
    back = edited(more, FILE, [], [name])
    assert back.rstrip("\r\n") == text.rstrip("\r\n")


@settings(max_examples=60, deadline=None)
@given(packages, names, versions, st.sampled_from(["[{}]", "[ {} ]  # all", "[{},]", "[\n  {}\n  ]"]))
def test_a_list_in_brackets_stays_one(found: list[str], name: str, version: str, style: str) -> None:
    """In brackets too, on one line or several: one comes, the first goes, the others and the comment stay."""
    text = "dependencies: " + style.format(", ".join(found)) + "\nname: x # me\n"
    rest = [f for f in found[1:] if f != name]
    new = edited(text, FILE, [name + version], [found[0]] if found[0] != name else [])
    assert set(asked_for(new)) == {*rest, name + version}
    assert new.endswith("name: x # me\n")
    assert ("# all" in new) == ("# all" in text)


@pytest.mark.parametrize(
    "text",
    [
        "dependencies:\n- &a numpy\n- scipy\nname: *a\n",
        "x: &d [numpy, scipy]\ndependencies: *d\n",
        "dependencies: [numpy]\n",
    ],
)
def test_what_cannot_be_changed_is_refused_in_words(text: str) -> None:
    """Anchors, keys that are not known, the last package: said with the file, never written wrong."""
    with pytest.raises(BadInput, match=str(FILE)):
        edited(text, FILE, [], ["numpy"])


@settings(max_examples=150, deadline=None)
@given(block_files(), st.data())
def test_whatever_is_broken_names_file_and_line(made: tuple[str, list[str]], data: st.DataObject) -> None:
    """A sign put in or taken out anywhere: read as it stands, or refused with FILE:LINE:COLUMN and a fix."""
    text, _ = made
    at = data.draw(st.integers(0, len(text) - 1))
    what = data.draw(
        st.sampled_from(["", "\t", "[", ": ", "'", "&", "*", "{", "\x00", "- ", "name: y\n", "%"])
    )
    broken = text[:at] + what + text[at + (not what) :]
    try:
        read_spec(FILE, text=broken)
        said = ""
    except BadInput as e:
        said = e.problem
    assert not said or re.match(rf"{FILE}:\d+:\d+: ", said)


def test_a_file_written_from_a_spec_says_the_same() -> None:
    """For an environment whose file is gone: packages, pip, variables and channels come back as they were."""
    text = """name: x
channels: [conda-forge, "https://h/c"]
dependencies: [python, "numpy >=2,<3", pip, pip: [cowsay, "x @ https://h/x.whl"]]
variables: {A: "it's 1", B: ""}
"""
    spec = read_spec(FILE, text=text)
    again = read_spec(FILE, text=text_of(spec, "x"))
    assert (again.channels, again.dependencies, again.pip, again.variables) == (
        spec.channels,
        spec.dependencies,
        spec.pip,
        spec.variables,
    )
