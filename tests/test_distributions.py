"""Which installers there are, which one fits this machine, and which condas are there already."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version
from web_server import WebServer, page, stall, status

from setup_wizard.conda import distributions, releases
from setup_wizard.conda.distributions import Found, catalogue, choose, consult, find, listing, parse_name
from setup_wizard.errors import MachineBlocks, NetworkTrouble
from setup_wizard.world import World

X86 = ("Linux", "x86_64")
ARM = ("Linux", "aarch64")
NEWEST = "Miniconda3-py314_26.5.3-1-Linux-x86_64.sh"
NEWER = "Miniconda3-py314_27.1.0-0-Linux-x86_64.sh"
SHA = "ab" * 32


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """A server in place of the makers' own."""
    with WebServer() as server:
        monkeypatch.setattr(releases, "MINICONDA", f"{server.url}/miniconda")
        monkeypatch.setattr(releases, "MINIFORGE", f"{server.url}/forge/releases")
        yield server


def serve_listing(web: WebServer, entries: Any, *faults: Any, family: str = "miniconda") -> str:
    """Serve a `.files.json`; give the address of the mirror."""
    web.serve(f"/{family}/.files.json", json.dumps(entries).encode(), *faults)
    return web.url


# --- the catalogue and the choice -----------------------------------------------------------------------


def test_every_release_of_the_catalogue_can_be_used() -> None:
    """Each has a SHA-256, a known glibc, one of our systems, and a name that says what its columns say."""
    assert len(catalogue()) > 300
    assert len({r.sha256 for r in catalogue()}) == len(catalogue())
    for release in catalogue():
        parts = parse_name(release.file_name)
        assert parts
        assert (parts["family"], parts["version"], parts["arch"]) == (
            release.family,
            release.version,
            release.arch,
        )
        assert release.family == "miniforge" or parts["python_tag"] == release.python_tag
        assert len(bytes.fromhex(release.sha256)) == 32
        assert Version(release.min_glibc) >= Version("2.12")
        assert release.attested in ("one source", "two sources agree")
        assert release.url.startswith("https://")
        assert release.url.endswith(f"/{release.file_name}")


@pytest.mark.parametrize(
    ("family", "system", "glibc", "wanted"),
    [
        ("miniconda", X86, "2.39", "Miniconda3-py314_26.5.3-1-Linux-x86_64.sh"),
        ("miniconda", X86, "2.28", "Miniconda3-py314_26.5.3-1-Linux-x86_64.sh"),
        ("miniconda", X86, "2.27", "Miniconda3-py313_25.7.0-2-Linux-x86_64.sh"),
        ("miniconda", X86, "2.17", "Miniconda3-py313_25.7.0-2-Linux-x86_64.sh"),
        ("miniconda", ("Linux", "AMD64"), "2.17", "Miniconda3-py313_25.7.0-2-Linux-x86_64.sh"),
        ("miniconda", ARM, "2.34", "Miniconda3-py314_26.5.3-1-Linux-aarch64.sh"),
        ("miniconda", ARM, "2.26", "Miniconda3-py311_23.5.2-0-Linux-aarch64.sh"),
        ("miniforge", X86, "2.39", "Miniforge3-26.3.2-3-Linux-x86_64.sh"),
        ("miniforge", X86, "2.17", "Miniforge3-26.3.2-3-Linux-x86_64.sh"),
        ("miniforge", X86, "2.12", "Miniforge3-24.3.0-0-Linux-x86_64.sh"),
        ("miniforge", ARM, "2.17", "Miniforge3-26.3.2-3-Linux-aarch64.sh"),
    ],
)
def test_the_newest_that_fits_is_chosen(
    family: str, system: tuple[str, str], glibc: str, wanted: str
) -> None:
    """Newest by version, not by spelling, of those that this system and its glibc can run."""
    assert choose(family, system, glibc, catalogue()).file_name == wanted


@pytest.mark.parametrize(
    ("family", "system", "glibc", "problem", "fix"),
    [
        (
            "miniconda",
            X86,
            "2.12",
            "needs glibc 2.17 or newer; this machine has 2.12",
            "--distribution miniforge",
        ),
        ("miniforge", X86, "2.5", "needs glibc 2.12 or newer", "Log in to a machine with a newer system"),
        ("miniconda", X86, "", "musl", "glibc"),
        ("miniconda", ("Darwin", "arm64"), "", "supported is Linux on x86_64 and aarch64", "Linux machine"),
        ("miniconda", ("Linux", "ppc64le"), "2.28", "Linux on ppc64le; supported is", "Linux machine"),
    ],
)
def test_a_machine_that_no_release_fits(
    family: str, system: tuple[str, str], glibc: str, problem: str, fix: str
) -> None:
    """The error says what is supported, and what to do."""
    with pytest.raises(MachineBlocks, match=problem) as e:
        choose(family, system, glibc, catalogue())
    assert fix in e.value.fix


def test_nothing_to_choose_from() -> None:
    """A mirror without our architecture is said to be so."""
    only_arm = [r for r in catalogue() if r.arch == "aarch64"]
    with pytest.raises(MachineBlocks, match="no release of Miniconda for Linux on x86_64"):
        choose("miniconda", X86, "2.39", only_arm)


@pytest.mark.parametrize(
    "name",
    [
        "Miniconda3-latest-Linux-x86_64.sh",
        "Miniforge3-Linux-x86_64.sh",
        "Miniconda3-py312_26.1.1-1-Windows-x86_64.exe",
        "Miniconda3-py312_26.1.1-1-MacOSX-arm64.pkg",
        "Miniconda2-4.5.4-Linux-x86_64.sh",
        "Mambaforge-24.3.0-0-Linux-x86_64.sh",
        "index.json",
        "../Miniconda3-py312_26.1.1-1-Linux-x86_64.sh",
    ],
)
def test_names_that_are_no_release(name: str) -> None:
    """Aliases, other systems and anything else are not taken for a release."""
    assert parse_name(name) is None


def test_the_name_of_a_stand_in_is_told_apart() -> None:
    """A label in the name says that it only looks like Miniconda."""
    parts = parse_name("Miniconda3-rehearsal-py311_26.5.3-0-Linux-x86_64.sh")
    assert parts
    assert (parts["label"], parts["version"], parts["python_tag"]) == ("rehearsal", "26.5.3-0", "py311")


# --- the listings ---------------------------------------------------------------------------------------


def test_the_makers_listing_brings_what_is_new(world: World, web: WebServer) -> None:
    """A release newer than the catalogue is chosen, at its size and with the glibc of the last before it."""
    serve_listing(
        web,
        {
            "index.json": {"x": 1},
            "Miniconda3-latest-Linux-x86_64.sh": {"sha256": "cd" * 32, "size": 1},
            NEWER: {"md5": "x", "mtime": 1.5, "sha256": SHA, "size": 160_000_000},
            NEWEST: {
                "sha256": next(r.sha256 for r in catalogue() if r.file_name == NEWEST),
                "size": 155_000_000,
            },
            "Miniconda3-py314_28.1.0-0-Linux-x86_64.sh": {"md5": "no sha256", "size": 5},
        },
    )
    found, note = consult(world, "miniconda")
    assert note == ""
    best = choose("miniconda", X86, "2.39", found)
    assert (best.file_name, best.sha256, best.size, best.min_glibc) == (NEWER, SHA, 160_000_000, "2.28")
    assert best.url == f"{web.url}/miniconda/{NEWER}"
    assert next(r.size for r in found if r.file_name == NEWEST) == 155_000_000
    assert choose("miniconda", X86, "2.17", found).version == "25.7.0-2"


def test_the_catalogue_wins_over_a_listing_that_disagrees(world: World, web: WebServer) -> None:
    """A hash that we know is not replaced by what a server says today."""
    serve_listing(web, {NEWEST: {"sha256": SHA, "size": 3}})
    known = next(r for r in catalogue() if r.file_name == NEWEST)
    assert known in listing(world, "miniconda")


@pytest.mark.parametrize(
    ("entries", "faults"),
    [
        ({}, [page()]),
        ({}, [status(404)]),
        ({}, [status(500)]),
        ({}, [stall()]),
        (["a", "list"], []),
        ({NEWER: "no entry"}, []),
        ({NEWER: {"sha256": "short"}}, []),
        ({NEWER: {"sha256": None}}, []),
    ],
    ids=["page", "404", "500", "stall", "list", "text", "short hash", "no hash"],
)
def test_a_listing_that_lies_leaves_us_with_the_catalogue(
    world: World, web: WebServer, monkeypatch: pytest.MonkeyPatch, entries: Any, faults: list[Any]
) -> None:
    """Whatever the maker's server answers, there is something to choose from, and a note says why."""
    monkeypatch.setattr("setup_wizard.conda.upstream.PATIENCE", 0.4)
    serve_listing(web, entries, *faults)
    found, note = consult(world, "miniconda")
    assert found == [r for r in catalogue() if r.family == "miniconda"]
    assert "The catalogue of this version is used." in note


def test_a_truncated_listing(world: World, web: WebServer) -> None:
    """Half a JSON document is no listing."""
    web.serve("/miniconda/.files.json", b'{"' + NEWER.encode() + b'": {"sha256": "')
    assert "no listing" in consult(world, "miniconda")[1]


def test_the_newest_miniforge_is_found_by_its_release_page(world: World, web: WebServer) -> None:
    """The tag that «latest» leads to, with the hash of the versioned name's sidecar."""
    name = "Miniforge3-27.1.0-0-Linux-x86_64.sh"
    web.serve("/forge/releases/latest", b"", status(302, Location=f"{web.url}/forge/releases/tag/27.1.0-0"))
    web.serve("/forge/releases/tag/27.1.0-0", b"a page")
    web.serve(f"/forge/releases/download/27.1.0-0/{name}.sha256", f"{SHA}  ./{name}\n".encode())
    best = choose("miniforge", X86, "2.39", listing(world, "miniforge"))
    assert (best.file_name, best.sha256, best.min_glibc) == (name, SHA, "2.17")
    assert best.url == f"{web.url}/forge/releases/download/27.1.0-0/{name}"


@pytest.mark.parametrize(
    "sidecar", [b"<html>", SHA.encode() + b"  ./Other.sh\n", SHA[:-1].encode() + b"  ./{name}"]
)
def test_a_sidecar_that_lies(world: World, web: WebServer, sidecar: bytes) -> None:
    """A sidecar that is none, or speaks of another file, vouches for nothing."""
    name = b"Miniforge3-27.1.0-0-Linux-x86_64.sh"
    web.serve("/forge/releases/latest", b"", status(302, Location=f"{web.url}/forge/releases/tag/27.1.0-0"))
    web.serve("/forge/releases/tag/27.1.0-0", b"a page")
    web.serve(f"/forge/releases/download/27.1.0-0/{name.decode()}.sha256", sidecar.replace(b"{name}", name))
    assert choose("miniforge", X86, "2.39", listing(world, "miniforge")).version == "26.3.2-3"


def test_a_mirror_is_the_only_one_asked(world: World, web: WebServer) -> None:
    """With a mirror its listing counts alone, its files lie beside it, and a stand-in needs no glibc."""
    name = "Miniconda3-rehearsal-py311_26.5.3-0-Linux-x86_64.sh"
    mirror = serve_listing(web, {name: {"sha256": SHA.upper(), "size": 7}})
    (release,) = listing(world, "miniconda", mirror + "/")
    assert (release.url, release.sha256, release.size) == (f"{mirror}/miniconda/{name}", SHA, 7)
    assert (release.min_glibc, release.label) == ("", "rehearsal")
    assert [a.path for a in web.asked] == ["/miniconda/.files.json"]


def test_a_mirror_in_a_folder(world: World, tmp_path: Path) -> None:
    """A mirror on a shared disk works without a server."""
    (tmp_path / "miniforge").mkdir()
    name = "Miniforge3-27.1.0-0-Linux-x86_64.sh"
    (tmp_path / "miniforge" / ".files.json").write_text(json.dumps({name: {"sha256": SHA}}))
    (release,) = listing(world, "miniforge", tmp_path.as_uri())
    assert release.url == (tmp_path / "miniforge" / name).as_uri()


@pytest.mark.parametrize(
    ("entries", "faults", "words"),
    [
        ({}, [page()], "a web page"),
        ({}, [status(404)], "offers no Miniconda"),
        ({}, [status(500)] * 9, "in trouble"),
        ([], [], "no listing"),
        ({NEWER: {"size": 5}}, [], "lists no Miniconda for Linux with a SHA-256"),
        ({NEWEST: {"sha256": SHA}}, [], "another SHA-256"),
    ],
    ids=["page", "404", "500", "list", "no hash", "other hash"],
)
def test_a_mirror_that_lies_is_an_error(
    world: World, web: WebServer, entries: Any, faults: list[Any], words: str
) -> None:
    """The catalogue is no way out when only the mirror may be asked; the error names the mirror."""
    mirror = serve_listing(web, entries, *faults)
    with pytest.raises(NetworkTrouble, match=words) as e:
        listing(world, "miniconda", mirror)
    assert mirror in e.value.problem
    assert e.value.fix


def test_the_terms_of_each_family_are_known() -> None:
    """Only Miniconda asks a person to agree; each family says where its terms are."""
    assert set(distributions.TERMS) == set(distributions.FAMILIES) == set(distributions.FOLDERS)
    assert [f for f, terms in distributions.TERMS.items() if terms.agreement] == ["miniconda"]


# --- condas that are there ------------------------------------------------------------------------------


def make_conda(prefix: Path, version: str = "25.7.0", channel: str = "pkgs/main") -> Path:
    """A prefix that looks like a conda: what is read of one, and nothing else."""
    for folder in ("bin", "conda-meta", "etc/profile.d"):
        (prefix / folder).mkdir(parents=True)
    (prefix / "bin/python").write_text("")
    (prefix / "bin/conda").write_text(f"#!{prefix}/bin/python\n")
    (prefix / "bin/conda").chmod(0o755)
    (prefix / "etc/profile.d/conda.sh").write_text("")
    (prefix / "conda-meta/history").write_text("")
    record = {"channel": f"https://example.org/{channel}/linux-64"}
    (prefix / f"conda-meta/conda-{version}-py313h06a4308_0.json").write_text(json.dumps(record))
    return prefix


@pytest.fixture
def machine(world: World, tmp_path: Path) -> World:
    """A machine whose /opt is ours to fill."""
    world.root = tmp_path / "root"
    world.env["PATH"] = "/usr/bin:/bin"
    return world


def test_a_bare_machine_has_no_conda(machine: World) -> None:
    """Nothing is found where nothing is, odd environment and files included."""
    machine.env["PATH"] = "::relative:/no/such/folder:/usr/bin"
    (machine.home / ".bashrc").mkdir()
    (machine.home / ".profile").write_text('. "$HOME/venv/bin/activate"\nexport PATH=/usr/local/bin:$PATH\n')
    assert find(machine) == []


def test_condas_are_found_wherever_they_are(machine: World, tmp_path: Path) -> None:
    """PATH, CONDA_EXE, rc files, environments.txt, usual places: each with how it was found."""
    machine.env["PATH"] = f"{make_conda(tmp_path / 'a')}/condabin:/usr/bin"
    (tmp_path / "a/condabin").mkdir()
    (tmp_path / "a/condabin/conda").write_text("")
    machine.env["CONDA_EXE"] = f"{make_conda(tmp_path / 'b')}/bin/conda"
    make_conda(machine.home / "c")
    (machine.home / ".bashrc").write_text("__conda_setup=\"$('$HOME/c/bin/conda' shell.bash hook)\"\n")
    make_conda(tmp_path / "d")
    (machine.home / ".zshrc").write_text(f"export PATH={tmp_path}/d/bin:$PATH\n")
    make_conda(tmp_path / "e")
    (machine.home / ".conda").mkdir()
    (machine.home / ".conda/environments.txt").write_text(f"{tmp_path}/e/envs/work\n/gone\n")
    make_conda(machine.home / "miniforge3", "26.3.2", "conda-forge")
    make_conda(machine.root / "opt/anaconda3")
    (machine.root / "opt/anaconda3/conda-meta/anaconda-2025.06-0.json").write_text("{}")
    assert find(machine) == [
        Found(tmp_path / "a", "miniconda", "25.7.0", "in PATH"),
        Found(tmp_path / "b", "miniconda", "25.7.0", "CONDA_EXE"),
        Found(machine.home / "c", "miniconda", "25.7.0", "in ~/.bashrc"),
        Found(tmp_path / "d", "miniconda", "25.7.0", "in ~/.zshrc"),
        Found(tmp_path / "e", "miniconda", "25.7.0", "in ~/.conda/environments.txt"),
        Found(machine.home / "miniforge3", "miniforge", "26.3.2", "in a usual place"),
        Found(machine.root / "opt/anaconda3", "anaconda", "25.7.0", "in a usual place"),
    ]
    assert all(found.healthy for found in find(machine))


def test_a_conda_is_found_once(machine: World, tmp_path: Path) -> None:
    """Links and mentions of the same prefix are one conda."""
    prefix = make_conda(machine.home / "miniconda3")
    (tmp_path / "link").symlink_to(prefix)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/conda").symlink_to(prefix / "bin/conda")
    machine.env["PATH"] = f"{tmp_path}/link/bin:{prefix}/bin:{tmp_path}/bin"
    (machine.home / ".bashrc").write_text(". ~/miniconda3/etc/profile.d/conda.sh\n")
    assert [f.how for f in find(machine)] == ["in PATH"]


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda p: (p / "bin/conda").unlink(), "bin/conda is missing"),
        (lambda p: (p / "etc/profile.d/conda.sh").unlink(), "conda.sh is missing"),
        (lambda p: (p / "conda-meta/history").unlink(), "history is missing"),
        (lambda p: (p / "bin/conda").chmod(0o644), "may not be executed"),
        (lambda p: (p / "bin/conda").write_text("#!/elsewhere/bin/python\n"), "was moved, perhaps"),
    ],
)
def test_a_broken_conda_is_marked(machine: World, harm: Any, words: str) -> None:
    """A conda that cannot work is found, with what is wrong, and is not healthy."""
    harm(make_conda(machine.home / "miniconda3"))
    (found,) = find(machine)
    assert words in found.problem
    assert not found.healthy


def test_an_rc_file_that_names_a_conda_which_is_gone(machine: World) -> None:
    """A left-over block is told of; a commented-out one is not."""
    (machine.home / ".bashrc").write_text("# . /old/etc/profile.d/conda.sh\n. /gone/etc/profile.d/conda.sh\n")
    (found,) = find(machine)
    assert (found.prefix, found.how) == (Path("/gone"), "in ~/.bashrc")
    assert "not there" in found.problem
