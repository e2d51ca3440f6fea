"""environment.yml as data: what is taken from it, what is refused, and the environments that ship with us."""

from __future__ import annotations

from pathlib import Path

import pytest

from setup_wizard.conda.channels import shown
from setup_wizard.conda.spec import EnvSpec, catalogue, check_name, digest, named, read_spec
from setup_wizard.errors import BadInput


def spec_of(tmp_path: Path, text: str, *, anaconda: bool = False) -> EnvSpec:
    path = tmp_path / "env.yml"
    path.write_text(text)
    return read_spec(path, anaconda=anaconda)


WHOLE = """\
name: workshop
channels: [conda-forge, nodefaults, ./mine, https://example.org/chan/]
dependencies:
  - python=3.12.*
  - numpy >=1.26,<3   # a comment
  - conda-forge::pandas
  - pip:
      - cowsay
variables:
  OMP_NUM_THREADS: 4
prefix: /somebody/elses/folder
"""


def test_a_whole_file(tmp_path: Path) -> None:
    """Everything that conda knows in such a file comes out, folders relative to the file, pip added."""
    (tmp_path / "mine").mkdir()
    spec = spec_of(tmp_path, WHOLE)
    assert spec.name == "workshop"
    assert spec.channels == ("conda-forge", (tmp_path / "mine").as_uri(), "https://example.org/chan")
    assert spec.urls[0] == "https://conda.anaconda.org/conda-forge"
    assert spec.dependencies == ("python=3.12.*", "numpy >=1.26,<3", "conda-forge::pandas", "pip")
    assert spec.pip == ("cowsay",)
    assert spec.variables == {"OMP_NUM_THREADS": "4"}
    assert spec.at("numpy >=1.26,<3") == f"{tmp_path / 'env.yml'}:5:5: "


def test_without_channels_it_is_conda_forge(tmp_path: Path) -> None:
    """No channels, or only «nodefaults», never means Anaconda's."""
    assert spec_of(tmp_path, "dependencies: [python]").channels == ("conda-forge",)
    assert spec_of(tmp_path, "channels: [nodefaults]\ndependencies: [python]").channels == ("conda-forge",)


@pytest.mark.parametrize("channel", ["defaults", "main", "https://repo.anaconda.com/pkgs/main", "anaconda"])
def test_anacondas_channels_need_their_terms(tmp_path: Path, channel: str) -> None:
    """They are refused with the terms and the place, and taken once the user has agreed."""
    text = f"channels:\n  - {channel}\ndependencies: [python]\n"
    with pytest.raises(BadInput, match=r"env\.yml:2:5: the channel .*anaconda\.com/legal"):
        spec_of(tmp_path, text)
    assert spec_of(tmp_path, text, anaconda=True).channels[0].endswith(("main", "anaconda"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("dependencies: []\n", "1:15: no packages are listed"),
        ("name: x\n", "1:1: the file needs the key «dependencies»"),
        ("dependencies:\n  - numpy\n  - ' '\n", "3:5: an empty dependency"),
        ("dependencies:\n  - pip: [3]\n", "2:11: «dependencies[1].pip[1]» should be a text"),
        ("dependencies:\n  - sel(linux): [x]\n", "2:5: «sel(linux):» is not known"),
        (
            "dependencies: [git+https://example.org/x]\n",
            "1:16: «git+https://example.org/x» is something for pip",
        ),
        ("dependecies: [x]\n", "1:1: the key «dependecies» is not known here. Did you mean dependencies?"),
        ("name: base\ndependencies: [x]\n", "1:7: «base» is conda's own environment"),
        ("name: a/b\ndependencies: [x]\n", "1:7: «a/b» cannot name an environment"),
        ("channels: [./none]\ndependencies: [x]\n", "1:12: there is no folder"),
        ("channels: ['a b']\ndependencies: [x]\n", "1:12: «a b» is no channel"),
        ("dependencies: [x]\nvariables: {A-B: c}\n", "2:18: «A-B» cannot name a variable"),
    ],
)
def test_each_mistake_has_its_place(tmp_path: Path, text: str, problem: str) -> None:
    """The problem starts with the file, line and column, and there is a fix."""
    with pytest.raises(BadInput) as caught:
        spec_of(tmp_path, text)
    assert caught.value.problem.startswith(f"{tmp_path / 'env.yml'}:{problem}")
    assert caught.value.fix


def test_names_that_lead_out_of_the_folder_are_refused() -> None:
    """A name becomes a folder, so nothing that is a path can be one."""
    for name in ("..", ".", "../x", ".hidden", "a b", "x:y", ""):
        with pytest.raises(BadInput):
            check_name(name, "-n")
    assert check_name("my-env_3.12", "-n") == "my-env_3.12"


def test_the_digest_tells_what_is_asked_and_nothing_else(tmp_path: Path) -> None:
    """Comments, order and the name do not change it; a package, a channel, a pip line or a variable do."""
    one = digest(spec_of(tmp_path, "name: a\ndependencies: [x, y]\n"))
    assert one == digest(spec_of(tmp_path, "# note\nname: b\ndependencies:\n  - y\n  - x\n"))
    others = [
        "dependencies: [x]",
        "dependencies: [x, y >=2]",
        "channels: [bioconda]\ndependencies: [x, y]",
        "dependencies: [x, y, pip: [z]]",
        "dependencies: [x, y]\nvariables: {A: b}",
    ]
    assert len({one, *(digest(spec_of(tmp_path, text)) for text in others)}) == 6


@pytest.mark.parametrize(
    ("channel", "fix"),
    [
        ("https://me:s3cret@example.org/chan", "netrc (chmod 600): machine example.org"),
        ("https://example.org/t/s3cret/chan", "RATTLER_AUTH_FILE"),
    ],
)
def test_secrets_are_kept_out_of_files(tmp_path: Path, channel: str, fix: str) -> None:
    """A password or token in a channel is refused, unshown, with the place where it belongs."""
    with pytest.raises(BadInput, match=r"env\.yml:1:12: the channel https://example\.org") as caught:
        spec_of(tmp_path, f"channels: ['{channel}']\ndependencies: [x]\n")
    assert fix in caught.value.fix
    assert "s3cret" not in caught.value.problem + caught.value.fix


def test_secrets_in_channels_are_not_shown() -> None:
    """Neither a password nor a token gets into a message."""
    assert shown("https://me:secret@example.org/chan") == "https://example.org/chan"
    assert shown("https://example.org/t/tk-123/chan") == "https://example.org/t/<TOKEN>/chan"
    assert shown("conda-forge") == "conda-forge"


def test_the_environments_that_ship_with_us() -> None:
    """Each can be read, says what it is for and how big it is, and asks for no unsafe server."""
    names = catalogue()
    assert {"jupyter", "jupyterlab", "notebooks"} <= {n.name for n in names}
    for n in names:
        spec = read_spec(n.path)
        assert spec.name == n.name
        assert n.purpose
        assert n.bytes > 100_000_000
        assert not spec.pip
        if any(d.split()[0] in ("notebook", "jupyterlab") for d in spec.dependencies):
            assert "jupyter_server >=2.20.0" in spec.dependencies


def test_a_misspelt_name_is_answered_with_near_ones() -> None:
    """An unknown name says what was perhaps meant, and what there is."""
    with pytest.raises(BadInput, match="Did you mean jupyterlab") as caught:
        named("jupiterlab")
    assert "notebooks" in caught.value.fix
