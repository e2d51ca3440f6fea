"""Answers: how the layers fold, what files may say, what is remembered."""

from __future__ import annotations

from pathlib import Path

import pytest

from setup_wizard.answers import Answers, fold, missing, normal_mirror, read_file, recall, remember
from setup_wizard.errors import BadInput
from setup_wizard.world import World


def test_the_first_layer_that_answers_wins() -> None:
    """Flags beat the file, the file beats last time; «no» and «none of them» are answers too."""
    flags = Answers(shell=False, environments=())
    last = Answers(shell=True, environments=("jupyter",), launch=True)
    assert fold(flags, last) == Answers(shell=False, environments=(), launch=True)


def test_what_is_missing_is_named() -> None:
    """Everything that has no default of its own is asked for; licence, mirror and prefix are not."""
    names = missing(Answers(distribution="miniforge"))
    assert "environments" in names
    assert not {"distribution", "accept_licence", "mirror", "prefix"} & set(names)


def test_a_file_answers_with_the_names_of_the_flags(tmp_path: Path) -> None:
    """The keys of an answers file are the flags without dashes."""
    path = tmp_path / "answers.yml"
    path.write_text(
        "distribution: miniforge\nnotebook-folder: /data/nb\nenvironments: [jupyter]\nlaunch: false\n"
    )
    assert read_file(path) == Answers(
        distribution="miniforge", notebook_folder=Path("/data/nb"), environments=("jupyter",), launch=False
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("distribution: miniforge\nenviroments: [jupyter]\n", ":2:1"),
        ("launch: 3\n", ":1:9"),
        ("channels: bioconda\n", ":1:11"),
        ("launch: true\nlaunch: false\n", ":2:1"),
        ("launch:\ttrue\n", ":1:8"),
    ],
)
def test_a_bad_file_is_told_with_its_place(tmp_path: Path, text: str, place: str) -> None:
    """Unknown key, wrong type, unknown choice, duplicate key, tab: file:line:column, and a fix."""
    path = tmp_path / "answers.yml"
    path.write_text(text)
    with pytest.raises(BadInput) as e:
        read_file(path)
    assert f"{path}{place}" in e.value.problem
    assert e.value.fix


def test_answers_are_remembered_but_no_licence(world: World) -> None:
    """What was answered comes back next time; agreeing to a licence does not."""
    given = Answers(distribution="miniconda", accept_licence=("miniconda",), prefix=Path("/x"), shell=True)
    remember(world, given)
    assert recall(world) == Answers(distribution="miniconda", prefix=Path("/x"), shell=True)


def test_unreadable_memory_is_no_memory(world: World) -> None:
    """A damaged note of the answers is ignored, never an error."""
    remember(world, Answers(shell=True))
    (world.state / "answers.json").write_text("{oops")
    assert recall(world) == Answers()


def test_a_mirror_is_a_url_or_a_folder(tmp_path: Path) -> None:
    """A folder becomes a file: URL; a place that is neither is refused."""
    assert normal_mirror("https://m.example/x/", tmp_path) == "https://m.example/x"
    assert normal_mirror(".", tmp_path) == tmp_path.as_uri()
    with pytest.raises(BadInput, match="neither a URL nor a folder"):
        normal_mirror("nowhere", tmp_path)
