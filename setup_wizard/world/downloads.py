"""Downloads: large files whose SHA-256 is known, whole under their name or not there at all."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from setup_wizard.world import words
from setup_wizard.world.data import Progress, Report
from setup_wizard.world.web import Broken, Web, may_mend, path_of

if TYPE_CHECKING:
    import httpx

A_LOT = 1 << 20  # bytes: an attempt that brought so much was worth it, and does not count


@dataclass(frozen=True)
class Wanted:
    """A file to download: where from and to, its SHA-256, and its size in bytes (0: unknown)."""

    url: str
    path: Path
    sha256: str
    size: int = 0

    @property
    def part(self) -> Path:
        """Where it grows until it is whole."""
        return self.path.with_name(self.path.name + ".part")

    @property
    def have(self) -> int:
        """The bytes that are there already."""
        return self.part.stat().st_size if self.part.exists() else 0

    def verify(self, resumed: bool) -> None:
        """Nothing when the hash is right; else the part goes, and only a mended one is fetched once more."""
        got = sha256_of(self.part)
        if got == self.sha256:
            return
        self.refuse_page()
        self.part.unlink()
        trouble = words.wrong_bytes(self.url, self.sha256, got)
        raise Broken(trouble) if resumed else trouble

    def refuse_page(self) -> None:
        """Whatever the server called it: a page for people is not the file, nor the beginning of it."""
        with self.part.open("rb") as f:
            start = f.read(200).lstrip().lower()
        if start.startswith((b"<!doctype html", b"<html")):
            self.part.unlink()
            raise words.web_page(self.url)


def download(web: Web, wanted: Wanted, report: Report) -> Path:
    """Have the file under its final name, with the right hash, or nothing there at all."""
    if not wanted.sha256:
        raise words.no_hash(wanted.url)
    try:
        if wanted.path.exists():
            if sha256_of(wanted.path) == wanted.sha256:
                return wanted.path
            wanted.path.unlink()
        make_private(wanted.path.parent)
        if wanted.url.startswith("file:"):
            _copy(wanted)
        else:
            _until_whole(web, wanted, report)
        os.replace(wanted.part, wanted.path)
    except OSError as e:
        raise words.cannot_save(wanted.path, e) from e
    return wanted.path


def _until_whole(web: Web, wanted: Wanted, report: Report) -> None:
    """Bring `wanted.part` to its full length and right hash; an attempt goes on where the last ended."""
    attempt, trouble = 0, None
    while attempt < web.patience.tries:
        web.pause(attempt, trouble)
        have = wanted.have
        try:
            _go_on(web, wanted, report)
            return wanted.verify(resumed=have > 0)
        except Broken as e:
            trouble = e
        attempt = 1 if wanted.have - have > A_LOT else attempt + 1
    assert trouble
    raise trouble.trouble


def _go_on(web: Web, wanted: Wanted, report: Report) -> None:
    have = wanted.have
    if have and have == wanted.size:
        return
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    with web.stream("GET", wanted.url, headers) as r:
        may_mend(wanted.url, r)
        if r.status_code == 416 or (r.status_code == 206 and not _goes_on_at(r, have)):
            wanted.part.unlink()
            raise Broken(words.cut_short(wanted.url, "it could not be resumed"))
        if r.status_code >= 400:
            raise words.bad_status(wanted.url, r.status_code)
        if _is_page(r):
            raise words.web_page(wanted.url)
        _save(web, wanted, r, have if r.status_code == 206 else 0, report)


def _save(web: Web, wanted: Wanted, r: httpx.Response, have: int, report: Report) -> None:
    total = wanted.size or have + int(r.headers.get("content-length") or 0)
    with wanted.part.open("ab" if have else "wb") as f:
        for block in web.paced(wanted.url, r.iter_raw(), total - have if total else None):
            f.write(block)
            have += len(block)
            report(Progress(wanted.path.name, have, total, "B"))
    if have < total:
        wanted.refuse_page()
        raise Broken(words.cut_short(wanted.url, f"it ended after {have} of {total} bytes"))


def _copy(wanted: Wanted) -> None:
    source = path_of(wanted.url)
    if not os.access(source, os.R_OK):
        raise words.no_such_file(source)
    shutil.copyfile(source, wanted.part)
    wanted.verify(resumed=False)


def _goes_on_at(r: httpx.Response, have: int) -> bool:
    said: str = r.headers.get("content-range", "")
    return said.startswith(f"bytes {have}-")


def _is_page(r: httpx.Response) -> bool:
    return r.status_code == 200 and str(r.headers.get("content-type", "")).startswith("text/html")


def make_private(folder: Path) -> None:
    """Make a folder and what is missing above it, for its owner only (0700)."""
    if not folder.exists():
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in lower-case hex."""
    digest = hashlib.sha256()
    with path.open("rb") as f:
        while block := f.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
