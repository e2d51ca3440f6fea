"""What a student reads when packages quarrel: who, in which line, and the one change that helps."""

from __future__ import annotations

import re
import sys

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from setup_wizard.conda import environment
from setup_wizard.conda.spec import EnvSpec, package_name
from setup_wizard.errors import PackagesQuarrel
from setup_wizard.mirror.packages import Package
from setup_wizard.mirror.tiny import stub
from setup_wizard.world import Patience, World
from tests.channels import channel, spec


def a(name: str, version: str = "1.0", *depends: str) -> Package:
    """A package that needs others."""
    return stub(name, version, depends=depends, noarch="generic")


def scene() -> list[Package]:
    """Packages as in a student's life: a library in versions, what needs the old or the new one, and more."""
    return [
        *(a("python", v) for v in ("3.11", "3.12", "3.13")),
        *(a("numpy", v) for v in ("1.26", "2.0", "2.1")),
        a("oldies", "1.0", "numpy <2"),
        a("oldies", "2.0", "numpy <2", "python <3.13"),
        a("newies", "1.0", "numpy >=2"),
        a("newies", "0.9", "numpy"),
        a("upto", "1.0", "numpy <2.1"),
        a("exactly", "1.0", "numpy =2.0"),
        a("one-of", "1.0", "numpy !=2.0"),
        a("haunted", "1.0", "ghost >=1"),
        a("haunted", "0.5"),
        a("possessed", "1.0", "ghost >=1"),
        a("xz", "5.0"),
    ]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The channel of these."""
    return channel(tmp_path_factory.mktemp("channels") / "scene", scene())


def said(world: World, asked: EnvSpec) -> tuple[list[str], PackagesQuarrel]:
    """The lines of those that quarrel ("env.yml:4:5: pear"), and the error."""
    with pytest.raises(PackagesQuarrel) as caught:
        environment.solve(world, world.home / "env", asked)
    lines = [line.strip() for line in caught.value.problem.splitlines()[1:]]
    places = [line for line in lines if "env.yml:" in line or line.endswith("pinned)")]
    return [re.sub(r"^/\S*/", "", p) for p in places], caught.value


@pytest.mark.parametrize(
    ("asks", "quarrel", "fix"),
    [
        (
            ["xz", "oldies", "python", "newies>=1"],
            ["env.yml:5:5: oldies", "env.yml:7:5: newies>=1"],
            "Write newies=0.9 in the place of newies>=1",
        ),
        (
            ["numpy=1.26", "xz", "newies=1.0"],
            ["env.yml:4:5: numpy=1.26", "env.yml:6:5: newies=1.0"],
            "Write numpy=2.1 in the place of numpy=1.26",
        ),
        (
            ["python=3.13", "oldies=2"],
            ["env.yml:4:5: python=3.13", "env.yml:5:5: oldies=2"],
            "Write python=3.12 in the place of python=3.13",
        ),
        (
            ["upto", "xz", "newies>=1", "one-of"],  # each two of them go together
            ["env.yml:4:5: upto", "env.yml:6:5: newies>=1", "env.yml:7:5: one-of"],
            "Write newies=0.9 in the place of newies>=1",
        ),
        (
            ["exactly", "one-of"],
            ["env.yml:4:5: exactly", "env.yml:5:5: one-of"],
            "Leave out one-of",
        ),
        (["xz", "haunted=1"], ["env.yml:5:5: haunted=1"], "Write haunted=0.5 in the place of haunted=1"),
        (["xz", "possessed"], ["env.yml:5:5: possessed"], "Leave out possessed"),
    ],
)
def test_who_quarrels_and_one_change(
    world: World, url: str, asks: list[str], quarrel: list[str], fix: str
) -> None:
    """Those who quarrel, all of them and nobody else, each with its line; and a change that is enough."""
    asked = spec(world.home.parent, [url], asks)
    places, error = said(world, asked)
    assert places == quarrel
    assert fix in error.fix
    assert "numpy" in error.problem or "ghost" in error.problem or "python" in error.problem
    environment.solve(world, world.home / "env", changed(asked, error.fix))


def changed(asked: EnvSpec, fix: str) -> EnvSpec:
    """The spec with the change that a fix proposes."""
    write = re.match(r"Write (\S+) in the place of (.*?) in /", fix)
    leave = re.match(r"Leave out (.*?) in /", fix)
    assert write or leave, fix
    gone = write[2] if write else leave[1] if leave else ""
    assert gone in asked.dependencies
    kept = tuple(d for d in asked.dependencies if d != gone)
    more = (write[1],) if write else ()
    return msgspec.structs.replace(asked, dependencies=kept + more, places=())


def test_two_quarrels_at_once(world: World, url: str) -> None:
    """The first is told, with its own two; no single change is promised where none would be enough."""
    asked = spec(world.home.parent, [url], ["numpy=1.26", "newies=1.0", "python=3.13", "oldies=2"])
    places, error = said(world, asked)
    assert len(places) == 2
    assert "all can be had then" not in error.fix
    assert "no single change is enough" in error.fix


def test_a_pin_is_named_too(world: World, url: str) -> None:
    """What conda-meta/pinned holds back takes part in the quarrel, and is told where it stands."""
    prefix = world.home / "env"
    environment.create(world, prefix, spec(world.home.parent, [url], ["xz"]))
    (prefix / "conda-meta/pinned").write_text("numpy <2\n")
    places, error = said(world, spec(world.home.parent, [url], ["xz", "newies=1.0"]))
    assert places == ["env.yml:5:5: newies=1.0", "numpy <2 (conda-meta/pinned)"]
    assert "Write newies=0.9" in error.fix


def test_a_name_that_does_not_exist_is_met_with_near_ones(world: World, url: str) -> None:
    """Before any quarrel: the line, near names; of a version that is not there, those that are."""
    _, error = said(world, spec(world.home.parent, [url], ["nunpy", "oldies", "newies=1.0"]))
    assert "env.yml:4:5: there is no package «nunpy»" in error.problem
    assert "Did you mean numpy?" in error.problem
    _, error = said(world, spec(world.home.parent, [url], ["xz", "numpy=3"]))
    assert "env.yml:5:5: «numpy=3» does not exist. There is numpy 2.1, 2.0, 1.26." in error.problem
    assert error.fix.endswith("numpy=2.1")


def frugal(world: World) -> World:
    """The same machine, where a process may have only 700 MB of addresses."""
    world.own_python = lambda module: [  # type: ignore[method-assign]
        *("/bin/sh", "-c", 'ulimit -v 700000; exec "$@"', "sh", sys.executable, "-m", module)
    ]
    return world


def test_reasons_without_end(world: World) -> None:
    """Where packages need each other in a circle, rattler would tell its reasons for ever: it is stopped."""
    circle = [
        a("b", "1", "a =2", "d >=2"),
        a("b", "3", "a >=2"),
        a("a", "2", "b <2", "d =2", "e =1"),
        a("c", "3", "e =1"),
        a("d", "2"),
        a("e", "1", "b >=2", "c >=2", "d =2"),
    ]
    asked = spec(world.home.parent, [channel(world.home.parent / "circle", circle)], ["b"])
    with pytest.raises(PackagesQuarrel, match="too many to be told") as caught:
        environment.solve(frugal(world), world.home / "env", asked)
    assert "env.yml" in caught.value.fix


# --- any channel, any wishes ------------------------------------------------------------------------------

NAMES = "abcde"
bounds = st.sampled_from(["", " <2", " >=2", " =3", " !=2"])
exact = st.sampled_from([" =1", " =2", " =3", " <2", " >=2"])
needs = st.lists(st.tuples(st.sampled_from(NAMES), exact), max_size=2, unique_by=lambda n: n[0])


@st.composite
def gardens(draw: st.DrawFn) -> tuple[list[Package], list[str]]:
    """A channel of five packages in three versions that need each other at random; and what is asked."""
    made = [
        a(name, f"{version}", *(f"{n}{b}" for n, b in draw(needs) if n != name))
        for name in NAMES
        for version in draw(st.sampled_from([(1, 2, 3), (1, 2), (2, 3)]))
    ]
    asks = draw(st.lists(st.tuples(st.sampled_from(NAMES), bounds), min_size=3, unique_by=lambda n: n[0]))
    return made, [f"{n}{b}" for n, b in asks]


def fits(world: World, asked: EnvSpec, dependencies: tuple[str, ...]) -> bool:
    """Whether these can be had."""
    try:
        environment.solve(
            world, world.home / "env", msgspec.structs.replace(asked, dependencies=dependencies, places=())
        )
    except PackagesQuarrel:
        return False
    return True


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(gardens())
def test_what_is_said_of_any_quarrel_is_true(
    tmp_path_factory: pytest.TempPathFactory, garden: tuple[list[Package], list[str]]
) -> None:
    """Those named cannot be had together, but without any one of them; the change makes all possible."""
    folder = tmp_path_factory.mktemp("garden")
    world = World(folder, {"PATH": "/usr/bin:/bin", "HOME": str(folder)}, patience=Patience(silence=20))
    frugal(world)
    asked = spec(folder, [channel(folder / "channel", garden[0])], [f'"{d}"' for d in garden[1]])
    try:
        environment.solve(world, folder / "env", asked)
        return
    except PackagesQuarrel as e:
        error = e
    listed = re.findall(r"env\.yml:\d+:\d+: (.*)", error.problem)
    if "does not exist" in error.problem or "too many" in error.problem:
        return
    core = tuple(d for d in asked.dependencies if d in listed)
    assert core
    assert not fits(world, asked, core)
    for one in core if len(core) > 1 else ():
        assert fits(world, asked, tuple(d for d in core if d != one)), (one, error.problem)
    if "no single change" not in error.fix:
        assert fits(world, asked, changed(asked, error.fix).dependencies), error.fix
    assert {package_name(d) for d in core} <= set(NAMES)
