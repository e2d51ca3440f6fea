"""An environment written into a squashed image: one file that is mounted in the place of its prefix.

Nothing in it is rewritten, so it works at that very place; a node reads one file in the place of 20,000.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from setup_wizard import files
from setup_wizard.conda.pack import NOT_PACKED, Survey
from setup_wizard.errors import CommandFailed, MachineBlocks
from setup_wizard.world import Progress, Report, World

PROGRAM = "mksquashfs"
HANDS = "2"  # processors: on a login node others work too
# gzip, since every kernel and squashfuse of the last ten years reads it; times of files stay, for byte code.
WORDS = ("-noappend", "-quiet", "-no-progress", "-all-root", "-mkfs-time", "0", "-processors", HANDS)


def needs(world: World) -> Path:
    """The program that makes images. Raises MachineBlocks where there is none."""
    if found := world.which(PROGRAM):
        return found
    raise MachineBlocks(
        f"{PROGRAM} makes such images, and it is not on this machine.",
        fix="Pack without it: --format tar.zst; or load its module, or ask for the package squashfs-tools.",
    )


def write(world: World, path: Path, what: Survey, report: Report) -> int:
    """Write the image, whole or not at all; its size in bytes. Raises MachineBlocks, CommandFailed."""
    program, prefix = needs(world), what.note.prefix
    report(Progress(f"Pack {what.note.name}"))
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            image, left_out = Path(folder, "image"), Path(folder, "left-out")
            left_out.write_text("".join(f"{name}\n" for name in sorted(NOT_PACKED)), "utf-8")
            made = world.run([program, prefix, image, *WORDS, "-ef", left_out])
            if made.code:
                raise CommandFailed(
                    f"{PROGRAM} could not write {path}: {(made.err or made.out).strip()[-500:]}",
                    fix="Is there room? df -h; or pack without it: --format tar.zst",
                )
            image.chmod(0o600 if what.secret else 0o644)
            os.replace(image, path)
    except OSError as e:
        raise files.cannot_write(path, e) from e
    files.sync_folder(path.parent)
    return path.stat().st_size
