"""Files in archives: tar, and the `.conda` format. The same files always give the same bytes."""

from __future__ import annotations

import io
import json
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PLACEHOLDER = "/opt/placehold_" + "p" * 240  # 255 characters, as conda's own builds have it
MADE = 1_700_000_000  # seconds since 1970: the one date of everything in a mirror
LEVEL = 3  # of zstd: a mirror is made once, and used on the same machine


@dataclass(frozen=True)
class File:
    """A file in an archive: its bytes, or the target of a relative link."""

    data: bytes = b""
    executable: bool = False
    link: str = ""

    @property
    def holds_prefix(self) -> bool:
        """Whether an installer has to write the real prefix into it."""
        return PLACEHOLDER.encode() in self.data


Files = Mapping[str, File]  # by path, relative to the prefix


def tar(files: Files) -> bytes:
    """The files as a tar archive, sorted by path."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, file in sorted(files.items()):
            archive.addfile(_member(path, file), io.BytesIO(file.data))
    return out.getvalue()


def _member(path: str, file: File) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.mtime = MADE
    if file.link:
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, file.link, 0o777
    else:
        member.size, member.mode = len(file.data), 0o755 if file.executable else 0o644
    return member


def conda(stem: str, files: Files, notes: Files) -> bytes:
    """A `.conda` archive: a zip, stored, of two compressed tars, the package and the notes about it."""
    parts = {
        "metadata.json": json.dumps({"conda_pkg_format_version": 2}).encode(),
        f"pkg-{stem}.tar.zst": zstd.compress(tar(files), LEVEL),
        f"info-{stem}.tar.zst": zstd.compress(tar(notes), LEVEL),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as z:
        for name, data in parts.items():
            z.writestr(zipfile.ZipInfo(name), data)  # ZipInfo: dated 1980, not now
    return out.getvalue()
