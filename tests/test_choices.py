"""What answers name: an environment that was made of the very same before is not read again."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from setup_wizard.answers import Answers
from setup_wizard.choices import environment

MIRROR = Answers(mirror="file:///srv/mirror")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lab.yml"
    path.write_text("name: lab\ndependencies: [python=3.12]\n")
    return path


def test_what_came_of_the_very_same_is_not_read_again(file: Path) -> None:
    """The spec of an earlier run stands for its file as long as file and answers are the same."""
    _, first = environment(str(file), MIRROR)
    marked = msgspec.structs.replace(first, pip=("a mark",))
    assert environment(str(file), MIRROR, (marked,)) == ("lab", marked)


@pytest.mark.parametrize("answers", [Answers(), Answers(mirror="file:///srv/other")])
def test_other_answers_are_read_anew(file: Path, answers: Answers) -> None:
    """With another mirror, or none, the channels are those of now."""
    made = environment(str(file), MIRROR)[1]
    assert environment(str(file), answers, (made,))[1] == environment(str(file), answers)[1] != made


def test_a_changed_file_is_read_anew(file: Path) -> None:
    """An edit of the file counts at once."""
    made = environment(str(file), MIRROR)[1]
    file.write_text("name: lab\ndependencies: [python=3.12, numpy]\n")
    assert environment(str(file), MIRROR, (made,))[1].dependencies == ("python=3.12", "numpy")
