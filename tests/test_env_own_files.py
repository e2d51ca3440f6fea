"""What a user has put into an environment, when that is copied or packed: it stays as it is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from setup_wizard.conda import contents
from setup_wizard.mirror.python import python_package
from setup_wizard.mirror.tiny import stub, tiny_packages
from tests.channels import channel, fruits
from tests.test_env_delete import KERNEL, Orchard


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A channel with Python, a module for any Python, and fruits."""
    launcher = stub("ipykernel", files=KERNEL, noarch="generic")
    packages = [*fruits(), python_package(), *tiny_packages(), launcher]
    return channel(tmp_path_factory.mktemp("channels") / "own", packages)


@pytest.fixture
def orchard(tmp_path: Path, url: str) -> Orchard:
    """An account with «orchard», which has a Python and a module of a package."""
    return Orchard(tmp_path / "home", url, ("python", "tiny-tools"))


def distribution(site: Path, name: str, *paths: str, direct_url: str = "") -> None:
    """What pip writes of a distribution that it has installed, which has these files."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "INSTALLER").write_text("pip\n")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    if direct_url:
        (info / "direct_url.json").write_text(direct_url)
    own = [f"{info.name}/{path.name}" for path in info.iterdir()]
    (info / "RECORD").write_text("".join(f"{path},,\n" for path in [*paths, *own, f"{info.name}/RECORD"]))


def test_a_module_edited_in_place_changes_one_environment(orchard: Orchard) -> None:
    """Linked is what a package or pip lists; the user's own modules, also beside those, are copies."""
    twin, inside = orchard.prefix.with_name("twin"), contents.site_packages(orchard.prefix)
    site = orchard.prefix / inside
    for name in ("mine", "cow", "linked_to"):
        (site / f"{name}.py").write_text(f"{name} = 1\n")
    distribution(site, "cow", "cow.py")
    editable = json.dumps({"url": "file:///src", "dir_info": {"editable": True}})
    distribution(site, "linked-to", "linked_to.py", direct_url=editable)
    record = next(orchard.prefix.glob("conda-meta/tiny-tools-*.json"))
    as_conda = record.read_bytes().replace(f'"{inside}/'.encode(), b'"site-packages/')
    record.write_bytes(as_conda)  # as in the archive: so conda writes it down
    orchard.good("clone", "orchard", "twin", "--yes")
    same = {n for n in os.listdir(site) if n.endswith(".py") and (site / n).samefile(twin / inside / n)}
    assert same == {"cow.py", "tiny_core.py", "tiny_tools.py"}
    with (twin / inside / "mine.py").open("a") as edited:
        edited.write("mine = 2\n")
    assert (site / "mine.py").read_text() == "mine = 1\n"
