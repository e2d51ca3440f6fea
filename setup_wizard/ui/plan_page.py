"""The plan on screen: a table of contents that tells what each step changes, fetches and needs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from setup_wizard.step import Blocked, Done, Download, Forecast, Todo
from setup_wizard.ui import words
from setup_wizard.ui.figures import count, size, tilde
from setup_wizard.ui.sheet import GAP, Line, Page, Role, Words, grid, line, lines, title, whole
from setup_wizard.ui.totals import Need, Totals

if TYPE_CHECKING:
    from setup_wizard.apply import Reviewed

BODY = 4  # columns in, below the number of a step
SIGNS: dict[str, Role] = {"+": "added", "-": "removed", " ": "plain"}
SPOKEN = re.compile(r"[,;] (?:and|or|then)\b")  # two things to do, told in words
SHORT = 12  # lines of a change that the short form shows


def plan(reviewed: Sequence[Reviewed], sums: Totals, home: Path, *, long: bool = False) -> Page:
    """The whole plan; the long form has the reasons, every changed line and every download."""
    page: Page = [GAP, title("The plan"), GAP]
    number = 0
    for r in reviewed:
        number += isinstance(r.state, Todo)
        page += _step(r, number, home, long)
    return [*page, *([] if page[-1] == GAP else [GAP]), *altogether(sums, home)]


def altogether(sums: Totals, home: Path) -> Page:
    """What it costs, and what is free."""
    fetched = ("at least " if sums.open_ended and sums.download else "") + _download(sums)
    rows: list[tuple[Words, ...]] = [("to download", fetched)]
    for need in sums.needs:
        rows += _need(need, home)
    return [title("Altogether"), *grid(rows, indent=2)]


def _download(sums: Totals) -> str:
    if sums.open_ended and not sums.download:
        return "not known before it is asked for"
    return size(sums.download) if sums.download else "nothing"


def _need(need: Need, home: Path) -> list[tuple[Words, ...]]:
    needed = f"{size(need.bytes)}, {count(need.files, 'files')}"
    free = size(need.free_bytes)
    if need.free_files is not None:
        free += f", {count(need.free_files, 'files')}"
    free += f", by {need.by}" if need.by else ""
    return [
        ("on disk", needed if need.fits else (f"{needed}: more than there is", "bad")),
        ("free there", free),
        ("", (f"{tilde(need.where, home)} ({need.kind})", "dim")),
    ]


# --- a step ---------------------------------------------------------------------------------------------


def _step(r: Reviewed, number: int, home: Path, long: bool) -> Page:
    name = tilde(r.step.title, home)
    match r.state:
        case Done(note=note):
            said = f"  ({tilde(note, home)})" if note else ""
            return [line(name, (f"  already so{said}", "dim"), mark=(" ✔", "good"), indent=1)]
        case Blocked(problem=problem, fix=fix):
            return [
                line((name, "strong"), mark=(" ✘", "bad"), indent=1),
                *trouble(problem, fix, home, BODY),
                GAP,
            ]
        case Todo(preview=preview):
            head = line((name, "strong"), mark=(f"{number:>2}", "key"), indent=1)
            return [head, *_what(r, preview, home, long), GAP]
    return []


def _what(r: Reviewed, preview: str, home: Path, long: bool) -> Page:
    costs, preview = _costs(r.forecast), _with_packages(r, preview)
    page: Page = [line((words.why(r.step), "dim"), indent=BODY)] if long and words.why(r.step) else []
    page += [line(costs, indent=BODY)] if costs else []
    page += _change(preview, home) if long else _change_in_short(preview, home)
    untold = [d for d in r.forecast.downloads if d.sha256 not in preview or not d.sha256]
    return page + (_downloads(untold) if long else [])


def _with_packages(r: Reviewed, preview: str) -> str:
    """What is shown of a step, and what becomes of the packages where that is not in it yet."""
    told = r.forecast.difference.lines if r.forecast.difference else []
    return "\n".join([preview, *(f"  {text}" for text in told if text not in preview)])


def trouble(problem: str, fix: str, home: Path, indent: int) -> Page:
    """What is wrong, and below it what to do."""
    return [*lines(tilde(problem, home), indent), *remedy(fix, indent)]


def remedy(fix: str, indent: int = 0) -> Page:
    """What to do; a line that is a command stays in one piece, so that it can be copied."""
    return [
        whole(text, indent=indent) if is_command(text) else Line(((text, "command"),), indent)
        for text in fix.splitlines()
    ]


def is_command(text: str) -> bool:
    """Whether a line is for the shell, not for reading: it starts small, and is no sentence."""
    if not text[:1].strip():
        return True
    return not (text[0].isupper() or text.rstrip().endswith((".", "…")) or SPOKEN.search(text))


# --- what a step changes --------------------------------------------------------------------------------


def _costs(costs: Forecast) -> str:
    fetched = sum(d.size for d in costs.downloads)
    number = len(costs.downloads)
    parts = [f"{count(number, 'downloads')}, {size(fetched)}" if number > 1 else f"download {size(fetched)}"]
    parts = parts if fetched else []
    if costs.bytes_on_disk:
        parts.append(f"{size(costs.bytes_on_disk)} on disk")
    if costs.bytes_shared:
        parts.append(f"{size(costs.bytes_shared)} shared with the package cache")
    if costs.files > 1:
        parts.append(count(costs.files, "files"))
    if costs.byte_code:
        parts.append(f"{costs.byte_code:,} of them byte code (--no-byte-code: none)")
    return " · ".join(parts)


def is_diff(preview: str) -> bool:
    """Whether a preview is a change of a file (else it is commands, or words)."""
    return preview.startswith("--- ")


def changed(diff: str) -> list[str]:
    """The changed lines of a unified diff, without its headers."""
    return [text for text in diff.splitlines()[2:] if text[:1] in "+-" and text]


def _change_in_short(preview: str, home: Path) -> Page:
    if not is_diff(preview):
        return _told_in_short(preview.splitlines(), home)
    new = changed(preview)
    if len(new) > SHORT:
        gone = sum(text.startswith("-") for text in new)
        said = f"{count(len(new) - gone, 'new lines')}" + (f", {count(gone, 'lines')} less" if gone else "")
        return [line((f"{said} (see «explain»)", "dim"), indent=BODY)]
    return _diff(new)


def _told_in_short(said: Sequence[str], home: Path) -> Page:
    """What is not a diff: an indented list becomes a paragraph; what is long is cut, with a word on it."""
    if len(said) > 2 and all(text.startswith(" ") for text in said[1:]):
        listed = ", ".join(text.strip() for text in said[1:])
        return [*_change(said[0], home), *_change(listed, home)]
    rest = [line((f"… and {count(len(said) - SHORT, 'lines')} more", "dim"), indent=BODY)]
    return _change("\n".join(said[:SHORT]), home) + (rest if len(said) > SHORT else [])


def _change(preview: str, home: Path) -> Page:
    if is_diff(preview):
        head, body = preview.splitlines()[:2], preview.splitlines()[2:]
        return [*(_headline(tilde(text, home)) for text in head), *_diff(body)]
    return lines(tilde(preview, home), BODY, "dim")


def _diff(diff: Sequence[str]) -> Page:
    """The lines of a diff; what does not fit goes on behind the sign, so that it is not taken for a line."""
    return [_diff_line(text[:1], text[1:]) if text[:1] in SIGNS else _headline(text) for text in diff]


def _diff_line(sign: str, text: str) -> Line:
    role = SIGNS[sign]
    return Line(((text, role),), BODY, mark=(sign, role), gap=0)


def _headline(text: str) -> Line:
    return Line(((text, "dim"),), BODY)


def _downloads(downloads: Sequence[Download]) -> Page:
    """Every download, below the place where it comes from."""
    page: Page = []
    place = ""
    for d in downloads:
        folder, _, name = d.url.rpartition("/")
        if folder != place:
            page.append(whole(f"from {folder}/", "dim", BODY))
            place = folder
        page.append(line(name, (f"  {size(d.size) if d.size else 'size not known'}", "dim"), indent=BODY + 2))
        if d.sha256:
            page.append(whole(f"SHA-256 {d.sha256}", "dim", BODY + 2))
    return page
