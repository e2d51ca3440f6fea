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


@st.composite
def flow_files(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Brackets over several lines, a comment behind any comma and between any two lines; and its packages."""
    found = draw(packages)
    lines, asks = [f"dependencies: [{draw(comments)}"], []
    for n, name in enumerate(found):
        quote = draw(quotes) or "'"
        asks.append(name + draw(versions))
        comma = "," if n + 1 < len(found) or draw(st.booleans()) else ""
        lines += [draw(between), f"  {quote}{asks[-1]}{quote}{comma}{draw(comments)}"]
        if n + 1 < len(found) and draw(st.booleans()):  # two on a line
            lines[-1] = re.sub(r" +#.*", "", lines[-1])
    text = "\n".join([*lines, draw(between), f"  ]{draw(comments)}", "name: x  # me"])
    return text + "\n", asks


@settings(max_examples=100, deadline=None)
@given(flow_files(), names, versions)
def test_comments_within_brackets_stay(made: tuple[str, list[str]], name: str, version: str) -> None:
    """One comes, or another version of one: every comment stays; it goes again, and the text is as it was."""
    text, asks = made
    more = edited(text, FILE, [name + version], [])
    rest = {a for a in asks if package_name(a) != name}
    assert set(asked_for(more)) == {*rest, name + version}
    assert re.findall(r"#.*", more) == re.findall(r"#.*", text)
    if name not in {package_name(a) for a in asks}:
        back = edited(more, FILE, [], [name])
        assert asked_for(back) == asks
        assert re.findall(r"#.*", back) == re.findall(r"#.*", text)


@settings(max_examples=60, deadline=None)
@given(flow_files(), st.data())
def test_what_goes_from_brackets_takes_no_comment_of_others(
    made: tuple[str, list[str]], data: st.DataObject
) -> None:
    """Of a package that goes only its own line may go: no other comment, and no other package."""
    text, asks = made
    if len(asks) < 2:
        return
    gone = data.draw(st.sampled_from(asks))
    new = edited(text, FILE, [], [package_name(gone)])
    assert asked_for(new) == [a for a in asks if a != gone]
    (own,) = [line for line in text.splitlines() if re.search(rf"""['"]{re.escape(gone)}['"]""", line)]
    others = "\n".join(line for line in text.splitlines() if line != own)
    kept = re.findall(r"#.*", new)
    assert [c for c in kept if c not in re.findall(r"#.*", own)] == [
        c for c in re.findall(r"#.*", others) if c not in re.findall(r"#.*", own)
    ]


pips = st.lists(
    st.sampled_from(["cowsay", "x @ https://h/x.whl", "y[z]>=1", "./w.whl"]), min_size=1, unique=True
)


@st.composite
def pip_files(draw: st.DrawFn) -> tuple[str, list[str], list[str]]:
    """A section for pip anywhere among the packages, with comments around and within; what is asked for."""
    found, by_pip = draw(packages), draw(pips)
    indent = " " * draw(st.integers(0, 4))
    inner = indent + "  " + " " * draw(st.integers(0, 3))
    if draw(st.booleans()):
        section = [f"{indent}- pip:{draw(comments)}"]
        for line in by_pip:
            quote = draw(quotes)
            section += [draw(between), f"{inner}- {quote}{line}{quote}{draw(comments)}"]
        section.append(draw(st.sampled_from(["", f"{inner}# below pip", "# at the edge"])))
    else:
        listed = ", ".join(f"'{line}'" for line in by_pip)
        section = [f"{indent}- pip: [{listed}]{draw(comments)}"]
    blocks = [[draw(between), f"{indent}- {name}{draw(comments)}"] for name in ["pip", *found]]
    blocks.insert(draw(st.integers(0, len(blocks))), section)
    lines = ["dependencies:", *(line for block in blocks for line in block), "name: x  # me"]
    return "\n".join(lines) + "\n", ["pip", *found], by_pip


@settings(max_examples=150, deadline=None)
@given(pip_files(), names, versions)
def test_what_stands_below_pip_stays(made: tuple[str, list[str], list[str]], name: str, version: str) -> None:
    """A package comes or changes, and goes again: the section for pip and each comment stay in place."""
    text, asks, by_pip = made
    more = edited(text, FILE, [name + version], [])
    spec = read_spec(FILE, text=more)
    rest = {a for a in asks if package_name(a) != name}
    assert (set(spec.dependencies), list(spec.pip)) == ({*rest, name + version}, by_pip)
    assert re.findall(r"#.*", more) == re.findall(r"#.*", text)
    if name not in asks:
        assert edited(more, FILE, [], [name]) == text
    elif len(asks) > 2:
        less = edited(text, FILE, [], [name])
        spec = read_spec(FILE, text=less)
        assert (set(spec.dependencies), list(spec.pip)) == (rest, by_pip)
        assert len(text.splitlines()) - len(less.splitlines()) == 1


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
