"""What is said of an environment packed into a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from setup_wizard.ui.figures import count, size
from setup_wizard.ui.sheet import GAP, Page, line, whole

if TYPE_CHECKING:
    from setup_wizard.environments.packs import Packing


def facts(wanted: Packing, written: int) -> dict[str, Any]:
    """The same for JSON; `written` is the size of the file in bytes, 0 where it was only forecast."""
    note = wanted.survey.note
    return {
        "name": note.name,
        "prefix": note.prefix,
        "file": wanted.file,
        "format": wanted.form,
        "size": written,
        "forecast": wanted.forecast,
        "free": wanted.free,
        "unpacked": {"bytes": note.bytes, "files": note.files},
        "platform": note.platform,
        "glibc": note.glibc,
        "notes": wanted.survey.notes,
    }


def packed(wanted: Packing, written: int) -> Page:
    """The file with its size, what else to know, and what it is good for."""
    note = wanted.survey.note
    inside = f"{count(note.files, 'files')}, {size(note.bytes)} unpacked"
    notes = [line(text, mark=("!", "warn")) for text in wanted.survey.notes]
    if not written:
        told = f"about {size(wanted.forecast)}; {size(wanted.free)} are free there"
        return [line("Would write: ", (str(wanted.file), "path")), line(f"{told} ({inside})."), *notes]
    return [
        line("Packed: ", (str(wanted.file), "path"), f" ({size(written)}; {inside})"),
        *notes,
        GAP,
        line("An environment from it, also on another account or machine:"),
        whole(f"hpc-jupyter-setup env unpack {wanted.file}", indent=2),
        *(_mounted(wanted) if wanted.form == "squashfs" else []),
    ]


def _mounted(wanted: Packing) -> Page:
    file, prefix = wanted.file, wanted.survey.note.prefix
    return [
        line("A session that reads from it, wherever it is mounted:"),
        whole(f"hpc-jupyter-setup launch --from-pack {file}", indent=2),
        line(
            "By hand it is mounted where the environment is, at that very path; on a node, or in a container:"
        ),
        whole(f"squashfuse {file} {prefix}", indent=2),
        whole(f"apptainer exec --bind {file}:{prefix}:image-src=/ IMAGE {prefix}/bin/python", indent=2),
    ]
