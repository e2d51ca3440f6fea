"""The distribution: Miniconda or Miniforge, downloaded, checked, and installed into a prefix of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from setup_wizard import files, trees
from setup_wizard.conda import prefix as prefixes
from setup_wizard.conda import registry
from setup_wizard.conda.installer import install, room_of
from setup_wizard.conda.releases import Release
from setup_wizard.errors import MachineBlocks, SetupError
from setup_wizard.step import Before, Blocked, Done, Download, Forecast, State, Todo
from setup_wizard.world import Report, World

WHOLE = ("bin/conda", "etc/profile.d/conda.sh", "conda-meta/history")
USUAL_SIZE = 155_000_000  # bytes of an installer whose size nobody tells
UNPACKED = 6.5  # bytes on disk for each byte of the installer: 1 GB, as the makers say, for 155 MB
BYTES_A_FILE = 50_000  # and about 20,000 files in it
PATIENCE = 5.0  # seconds to ask for a size that no listing told


class Distribution(msgspec.Struct, frozen=True, tag="distribution"):
    """A release, installed at `prefix`; `agreed` says who agreed to its licence, "" where none is asked."""

    release: Release
    prefix: Path
    agreed: str = ""

    @property
    def title(self) -> str:
        return f"Install {self.release.family.capitalize()} {self.release.version} in {self.prefix}"

    @property
    def key(self) -> str:
        return f"distribution:{self.prefix}"

    def check(self, world: World) -> State:
        there = os.path.lexists(self.prefix)
        if there and trees.is_sealed(world, self.prefix):
            return self._inspect()
        if there and not trees.is_open(world, self.prefix):
            return Blocked(*self._exists())
        if trouble := prefixes.trouble(world, self.prefix):
            return Blocked(trouble.problem, trouble.fix)
        return Todo(self._preview(), trees.before(self.prefix, registry.path(world)))

    def forecast(self, world: World, report: Report) -> Forecast:
        """The download; on disk, in proportion to it, about 1 GB and 20,000 files for a real one."""
        r = self.release
        size = r.size or (0 if r.url.startswith("file:") else _size_of(world, r.url))
        on_disk = int(UNPACKED * (size or USUAL_SIZE))
        download = Download(r.file_name, r.url, size, r.sha256)
        return Forecast((download,), on_disk, on_disk // BYTES_A_FILE, self.prefix)

    def apply(self, world: World, report: Report) -> None:
        """Download, verify, install, verify. A failure leaves no prefix; a crash one that goes next time."""
        state = self.check(world)
        if isinstance(state, Done):
            return
        if isinstance(state, Blocked):
            raise MachineBlocks(state.problem, fix=state.fix)
        r = self.release
        target = world.cache / "downloads" / r.file_name
        installer = world.download(r.url, target, sha256=r.sha256, size=r.size, report=report)
        self._forget(world)
        trees.open_tree(world, self.prefix)
        try:
            install(world, installer, self.prefix, report)
        except SetupError:
            self._forget(world)
            raise
        registry.register(world, self.prefix, report)
        trees.seal_tree(world, self.prefix, at_ns=_clock_of(self.prefix))
        installer.unlink()

    def undo(self, before: Before, world: World) -> Sequence[Path]:
        assert isinstance(before, trees.NoTree)
        shutil.rmtree(room_of(self.prefix), ignore_errors=True)
        if not (trees.is_open(world, self.prefix) or trees.is_sealed(world, self.prefix)):
            files.remove_absent(before.absent)
            return []
        registry.unregister(world, self.prefix)
        return trees.take_back(world, before)

    def _inspect(self) -> State:
        missing = [name for name in WHOLE if not (self.prefix / name).is_file()]
        if missing:
            return Blocked(
                f"{self.prefix} was complete when it was made, and now {missing[0]} is missing.",
                f"Move it away and set up again: mv {self.prefix} {self.prefix}.old; hpc-jupyter-setup setup",
            )
        return Done(f"{self.release.family.capitalize()} {self.release.version} is in {self.prefix}")

    def _exists(self) -> tuple[str, str]:
        use = f", or use the conda that is there: --distribution {self.prefix}"
        conda = (self.prefix / "bin/conda").exists()
        return (
            f"{self.prefix} exists already and is not ours; it stays as it is.",
            f"Choose another place (--prefix){use if conda else ''}.",
        )

    def _forget(self, world: World) -> None:
        """Remove what an earlier run left of the prefix, and our notes of it."""
        try:
            trees.clear_open(world, self.prefix)
            trees.take_back(world, trees.NoTree(self.prefix))
        except OSError as e:
            raise files.cannot_write(self.prefix, e) from e

    def _preview(self) -> str:
        r = self.release
        size = f" ({r.size / 1e6:.0f} MB)" if r.size else ""
        agreed = f"\n# licence: agreed to by {self.agreed}" if self.agreed else ""
        return (
            f"download {r.url}{size}\n# SHA-256 {r.sha256} ({r.attested or 'given'}){agreed}\n"
            f"bash {r.file_name} -b -p {self.prefix}"
        )


def _size_of(world: World, url: str) -> int:
    """The size of a download in bytes as its server tells it, 0 when it does not."""
    try:
        reply = world.in_a_hurry(PATIENCE).fetch(url, method="HEAD")
    except SetupError:
        return 0
    length = reply.headers.get("content-length", "")
    return int(length) if reply.status == 200 and length.isdigit() else 0


def _clock_of(prefix: Path) -> int:
    """The time now (ns), as the file system below the prefix counts it."""
    mark = prefix / ".sealing"
    mark.touch()
    now = mark.stat().st_mtime_ns
    mark.unlink()
    return now
