"""What a person gets to read when a YAML file is not as it should be."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
import pytest

from setup_wizard import yamlfile
from setup_wizard.errors import BadInput


class Room(msgspec.Struct, frozen=True):
    seats: int
    light: Literal["dim", "bright"] = "dim"


class House(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    parts: tuple[str | dict[str, list[str]], ...] = ()
    rooms: dict[str, Room] = {}
    labels: dict[str, str] = {}
    path: Path | None = None


GOOD = """\
# a comment
name: hut
parts:
  - door
  - pip: [hinge, nail]
rooms:
  hall: {seats: 4}
  attic:
    seats: 1
    light: bright
path: /opt/hut
"""


def test_a_good_file_becomes_a_value() -> None:
    """Types, defaults, nested records and paths come out as declared."""
    house = yamlfile.parse(GOOD, "h.yml", House).value
    assert house.parts == ("door", {"pip": ["hinge", "nail"]})
    assert house.rooms == {"hall": Room(4), "attic": Room(1, "bright")}
    assert house.path == Path("/opt/hut")


def test_every_value_knows_where_it_stands() -> None:
    """`at` gives file, line and column, counted from 1, of values in maps, lists and flow style."""
    loaded = yamlfile.parse(GOOD, "h.yml", House)
    assert loaded.at("name") == "h.yml:2:7"
    assert loaded.at("parts", 0) == "h.yml:4:5"
    assert loaded.at("parts", 1, "pip", 1) == "h.yml:5:18"
    assert loaded.at("rooms", "attic", "light") == "h.yml:10:12"
    assert loaded.at("rooms", "cellar") == "h.yml:7:3", "what is not there points to what is around it"


@pytest.mark.parametrize(
    ("text", "problem", "fix"),
    [
        ("", "h.yml:1:1: the file is empty", "Write into it"),
        ("# only a comment\n", "h.yml:1:1: the file is empty", "Write into it"),
        (
            "nam: x\n",
            "h.yml:1:1: the key «nam» is not known here. Did you mean name?",
            "name, parts, rooms",
        ),
        ("name: x\nrooms:\n  a:\n    seat: 1\n", "h.yml:4:5: the key «seat»", "seats, light"),
        ("name: x\nname: y\n", "h.yml:2:1: the key «name» is there twice", "Remove one"),
        ("name: 3.10\n", "h.yml:1:7: «name» should be a text, and is a number", '"3.10"'),
        ("name: x\nparts:\n  - a\n  - 3\n", "h.yml:4:5: «parts[2]» should be a text or keys", '"3"'),
        ("name: x\nparts: a\n", "h.yml:2:8: «parts» should be a list, and is a text", "a list"),
        ("name: x\nlabels:\n  a: b\n  c: 1\n", "h.yml:4:6: «labels.c» should be a text", '"1"'),
        (
            "name: x\nrooms: {a: {seats: two}}\n",
            "h.yml:2:20: «rooms.a.seats» should be a whole number",
            "a whole",
        ),
        ("name: x\nrooms: {a: {light: dim}}\n", "h.yml:2:12: «rooms.a» needs the key «seats»", "seats:"),
        ("name: x\nrooms: {a: {seats: 1, light: brigth}}\n", "Did you mean bright?", "bright, dim"),
        ("name:\tx\n", "h.yml:1:6: a tab", "expand -t 2"),
        ("name: x\nparts:\n\t- a\n", "h.yml:3:1: a tab", "expand -t 2"),
        ("name: x\nparts:\n  - a\n - b\n", "h.yml:4:2: this is not YAML", "line 4"),
        ("name: x: y\n", "h.yml:1:8: this is not YAML", "line 1"),
        ("parts: [a\n", "h.yml:1:8: this is not YAML", "line 1"),
        ("name: 'x\n", "h.yml:1:7: this is not YAML", "quote"),
        ("name: x\n---\nname: y\n", "h.yml:2:1: this is not YAML", "line 2"),
        ("1: x\n", "h.yml:1:1: the key 1 is not a text", '"1"'),
        ("name: !secret x\n", "h.yml:1:1: a YAML tag", "plain text"),
        ("name: \x01\n", "h.yml:1:7: this is not YAML: a control character", "line 1"),
        ("- a\n", "h.yml:1:1: the file should be keys with values, and is a list", "keys with values"),
    ],
)
def test_each_mistake_is_named_with_its_place(text: str, problem: str, fix: str) -> None:
    """The problem starts with file:line:column (or holds the hint), and the fix says what to write."""
    with pytest.raises(BadInput) as caught:
        yamlfile.parse(text, "h.yml", House)
    assert problem in caught.value.problem
    assert caught.value.problem.startswith("h.yml:")
    assert fix in caught.value.fix


def test_aliases_cannot_fill_the_memory() -> None:
    """Nine levels of ten aliases stand for a thousand million texts: refused, not unfolded."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    with pytest.raises(BadInput, match="too deep, or too large"):
        yamlfile.parse("\n".join(lines), "h.yml", House)


def test_a_file_that_is_missing_or_not_text_is_said_so(tmp_path: Path) -> None:
    """Missing, a folder, not UTF-8: each with the path, and the place of the bad byte."""
    with pytest.raises(BadInput, match=r"no\.yml:1:1: there is no such file"):
        yamlfile.read(tmp_path / "no.yml", House)
    with pytest.raises(BadInput, match=r":1:1: it cannot be read: Is a directory"):
        yamlfile.read(tmp_path, House)
    latin = tmp_path / "latin.yml"
    latin.write_bytes("name: x\nparts: [Tür]\n".encode("latin-1"))
    with pytest.raises(BadInput, match=r"latin\.yml:2:10: the byte 0xfc is not UTF-8"):
        yamlfile.read(latin, House)


def test_windows_files_read_the_same(tmp_path: Path) -> None:
    """A byte order mark and CRLF change nothing."""
    path = tmp_path / "w.yml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert yamlfile.read(path, House).value == yamlfile.parse(GOOD, "h.yml", House).value
