"""What was used last is the default next time, where it is left open, and on the same site only."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from setup_wizard.container import Container
from setup_wizard.schedulers import Resources
from setup_wizard.session import Job
from setup_wizard.sites import Site
from setup_wizard.wish import Wish, as_last_time, as_then, last, remember, taken_over
from setup_wizard.world import World

SITE = Site(name="lab", title="Lab", scheduler="slurm")
ALL = Resources(account="proj1", partition="gpu", qos="long", gpus=2, cpus=8, memory="16G", time_limit=7200)


@pytest.fixture
def was(tmp_path: Path) -> Job:
    """What was used last, in an environment that is still there."""
    prefix = tmp_path / "env"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin/python").touch()
    return Job(
        prefix,
        tmp_path,
        interface="notebook",
        idle_minutes=5,
        site="lab",
        scheduler="slurm",
        access="direct",
        resources=ALL,
        modules=("gcc",),
        scratch="/scratch/$USER",
    )


def test_all_that_is_left_open_is_as_last_time(was: Job) -> None:
    """All but the way in, which is the site's best again; each thing is named by its flag."""
    wish = as_last_time(Wish(), was, SITE)
    assert (wish.prefix, wish.folder, wish.interface, wish.idle_minutes) == (
        was.prefix,
        was.folder,
        "notebook",
        5,
    )
    assert (wish.resources, wish.modules, wish.scratch) == (ALL, ("gcc",), "/scratch/$USER")
    assert wish.access == ""
    assert taken_over(Wish(), wish) == [
        f"--environment {was.prefix}",
        f"--notebook-dir {was.folder}",
        "--interface notebook",
        "--idle 5",
        "--env-modules gcc",
        "--scratch-dir /scratch/$USER",
        "--account proj1",
        "--partition gpu",
        "--qos long",
        "--cpus 8",
        "--memory 16G",
        "--gpus 2",
        "--time-limit 02:00:00",
    ]


def test_what_is_asked_for_counts(was: Job) -> None:
    """A flag overrules its own value of last time, and is not told as taken over."""
    given = Wish(interface="lab", idle_minutes=0, resources=Resources(time_limit=600, cpus=2))
    wish = as_last_time(given, was, SITE)
    assert (wish.interface, wish.idle_minutes) == ("lab", 0)
    assert wish.resources == msgspec.structs.replace(ALL, time_limit=600, cpus=2)
    said = " ".join(taken_over(given, wish))
    assert "--partition gpu" in said
    assert not any(flag in said for flag in ("--interface", "--idle", "--time-limit", "--cpus"))


@pytest.mark.parametrize("chosen", [{"partition": "debug"}, {"gpus": 1}, {"reservation": "course"}])
def test_who_chooses_nodes_gets_nothing_that_belongs_to_others(was: Job, chosen: dict[str, object]) -> None:
    """Another partition has other limits: of the resources only the account is taken over."""
    wanted = msgspec.convert(chosen, Resources)
    wish = as_last_time(Wish(resources=wanted), was, SITE)
    assert wish.resources == msgspec.structs.replace(wanted, account="proj1")


def test_another_account_has_qos_of_its_own(was: Job) -> None:
    """The QOS of last time is one of the account of last time."""
    wish = as_last_time(Wish(resources=Resources(account="proj2")), was, SITE)
    assert wish.resources == msgspec.structs.replace(ALL, account="proj2", qos="")


def test_another_environment_has_its_own_modules(was: Job, tmp_path: Path) -> None:
    """The modules of last time belong to the Jupyter of last time."""
    assert as_last_time(Wish(prefix=tmp_path / "other"), was, SITE).modules == ()
    assert as_last_time(Wish(prefix=was.prefix), was, SITE).modules == ("gcc",)


def test_an_image_comes_again_and_not_beside_an_environment(was: Job, tmp_path: Path) -> None:
    """Who named an image last time gets it again; who names an environment does not."""
    image = msgspec.structs.replace(was, container=Container("jupyter.sif"))
    assert as_last_time(Wish(), image, SITE).container == Container("jupyter.sif")
    assert as_last_time(Wish(), image, SITE).prefix is None
    assert as_last_time(Wish(prefix=tmp_path), image, SITE).container is None


def test_nothing_of_another_site_or_of_what_is_gone(was: Job) -> None:
    """Another system has other names; a deleted environment is none."""
    assert as_last_time(Wish(), was, msgspec.structs.replace(SITE, name="other")) == Wish()
    assert as_last_time(Wish(), None, SITE) == Wish()
    gone = msgspec.structs.replace(was, prefix=was.prefix / "gone", folder=was.folder / "gone")
    assert as_last_time(Wish(), gone, SITE).prefix is None
    assert as_last_time(Wish(), gone, SITE).folder is None


def test_on_this_machine_there_were_no_resources(was: Job) -> None:
    """A launch with --here says nothing about the next job."""
    here = msgspec.structs.replace(was, scheduler="local", resources=Resources(name="x"))
    assert as_last_time(Wish(), here, SITE).resources == Resources()


def test_it_is_kept_as_it_was(world: World, was: Job) -> None:
    """Written and read back; a torn file is as none."""
    assert last(world) is None
    remember(world, was)
    assert last(world) == was
    (world.state / "launch.json").write_text("{")
    assert last(world) is None


def test_the_very_same_again(was: Job, tmp_path: Path) -> None:
    """Way in, scheduler and the file that is unpacked, too; what is asked for now counts before it."""
    was = msgspec.structs.replace(was, packed=tmp_path / "env.tar.zst")
    wish = as_then(Wish(), was)
    assert (wish.access, wish.scheduler, wish.site, wish.pack) == ("direct", "slurm", "lab", was.packed)
    assert (wish.prefix, wish.resources, wish.modules) == (was.prefix, ALL, ("gcc",))
    asked = Wish(interface="lab", access="rps", packed=False, resources=Resources(time_limit=600))
    wish = as_then(asked, was)
    assert (wish.interface, wish.access, wish.pack, wish.packed) == ("lab", "rps", None, False)
    assert wish.resources == msgspec.structs.replace(ALL, time_limit=600)


def test_an_interactive_session_of_this_machine_takes_an_allocation_again(was: Job) -> None:
    """It was in an allocation that is no more: whether there is one now is seen anew."""
    here = msgspec.structs.replace(was, scheduler="local", access="local", interactive=True)
    wish = as_then(Wish(), here)
    assert (wish.scheduler, wish.access, wish.interactive) == ("", "", True)
