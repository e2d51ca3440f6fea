"""The screens before, after and around the work, as pages: the same data that `--json` prints, for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from setup_wizard.files import NoFile, OldFile
from setup_wizard.steps import KernelGone
from setup_wizard.ui import words
from setup_wizard.ui.figures import count, duration, tilde
from setup_wizard.ui.plan_page import remedy, trouble
from setup_wizard.ui.sheet import GAP, Page, Role, Words, grid, line, title, whole

if TYPE_CHECKING:
    from setup_wizard.apply import Outcome, TakenBack
    from setup_wizard.journal import Entry
    from setup_wizard.preflight import Finding
    from setup_wizard.running import Row
    from setup_wizard.selftest import Check

GOOD: Words = ("✔", "good")
WARN: Words = ("!", "warn")
BAD: Words = ("✘", "bad")
MOST_KEPT = 6  # lines of kept paths, at most


def error(problem: str, fix: str) -> Page:
    """What went wrong, and what to do."""
    first, *more = problem.splitlines() or [""]
    return [
        line((first, "bad"), mark=BAD),
        *(line(text, indent=2) for text in more),
        *remedy(fix, indent=2),
    ]


def findings(found: Sequence[Finding], home: Path) -> Page:
    """What was looked at: a line each, and below what is not well the way to mend it."""
    marks = {"good": GOOD, "warn": WARN, "bad": BAD}
    page: Page = []
    for f in found:
        page.append(line(tilde(f.title, home), *_detail(f.detail, home), mark=marks[f.level]))
        page += remedy(f.fix, indent=2) if f.fix and f.level != "good" else []
    return page


def checks(done: Iterable[Check], home: Path) -> Page:
    """What was tried, and whether it works."""
    page: Page = []
    for c in done:
        page += check(c, home)
    return page


def check(c: Check, home: Path) -> Page:
    """One thing that was tried."""
    took: Words = (f"  {duration(c.seconds)}", "dim") if c.seconds >= 1 else ""
    head = line(tilde(c.title, home), *_detail(c.detail, home), took, mark=GOOD if c.ok else BAD)
    return [head, *(remedy(c.fix, indent=2) if not c.ok else [])]


def _detail(detail: str, home: Path) -> tuple[Words, ...]:
    return ((f"  {tilde(detail, home)}", "dim"),) if detail else ()


def outcome(done: Outcome, seconds: float, home: Path) -> Page:
    """A step that is done."""
    name = tilde(done.step.title, home)
    if done.state == "found":
        return [line((f"{name}  {tilde(done.note, home) or 'already so'}", "dim"), mark=("•", "dim"))]
    took = f"  {duration(seconds)}" if seconds >= 0.05 else ""
    return [line(name, (took, "dim"), mark=GOOD)]


# --- undo -----------------------------------------------------------------------------------------------


def undo_list(entries: Sequence[Entry], running: Sequence[Row], home: Path) -> Page:
    """What an undo will take back: `entries` as the receipt has them, oldest first, shown newest first."""
    page: Page = [title("To take back, newest first"), GAP]
    page += [line(f"Stop the session {row.id}", mark=(" •", "key"), indent=1) for row in running]
    for number, entry in enumerate(reversed(entries), 1):
        name = tilde(entry.step.title, home)
        unfinished = "" if entry.made else "; it was begun and not finished"
        page.append(line(name, mark=(f"{number:>2}", "key"), indent=1))
        page.append(line((_way_back(entry, home) + unfinished, "dim"), indent=4))
    return [*page, GAP, line(words.YOURS_STAYS)]


def _way_back(entry: Entry, home: Path) -> str:
    path = tilde(entry.before.path, home)
    if isinstance(entry.step, KernelGone):
        return f"{path} comes back"
    if isinstance(entry.before, OldFile):
        return f"our lines in {path} go"
    return f"{path} goes" if isinstance(entry.before, NoFile) else f"what we put into {path} goes"


def taken_back(result: TakenBack, home: Path) -> Page:
    """A step that was taken back, with what stays because it is the user's; or why it could not be."""
    name = tilde(result.step.title, home)
    if result.trouble:
        return [
            line((name, "strong"), mark=BAD),
            *trouble(result.trouble.problem, result.trouble.fix, home, indent=2),
        ]
    kept = [line((f"kept, it is yours: {text}", "warn"), indent=2) for text in kept_paths(result.kept, home)]
    return [line(f"Taken back: {name}", mark=GOOD), *kept]


def undo_result(results: Sequence[TakenBack], home: Path) -> Page:
    """How an undo ended."""
    left = sum(r.trouble is not None for r in results)
    if left:
        text = f"{count(left, 'steps')} could not be taken back. Mend what is named above, then run again:"
        return [GAP, line((text, "bad")), whole("hpc-jupyter-setup undo", indent=2)]
    kept = sum(len(r.kept) for r in results)
    if kept:
        return [GAP, line(f"All is taken back, but for {count(kept, 'files')} of yours, which stay.")]
    return [GAP, line(("All is taken back; your account is as it was before.", "good"))]


def kept_paths(paths: Sequence[Path], home: Path) -> list[str]:
    """The paths for people: many below one folder become one line with their number."""
    groups = dict.fromkeys(paths, 1)
    while len(groups) > MOST_KEPT:
        deepest = max(len(path.parts) for path in groups)
        folded: dict[Path, int] = {}
        for path, number in groups.items():
            key = path.parent if len(path.parts) == deepest else path
            folded[key] = folded.get(key, 0) + number
        groups = folded
    own = set(paths)
    return [
        tilde(path, home) if path in own else f"{tilde(path, home)}/ ({count(number, 'files')})"
        for path, number in groups.items()
    ]


# --- sessions, and afterwards ---------------------------------------------------------------------------


def sessions(rows: Sequence[Row], now: float) -> Page:
    """One line each, and below the addresses of those that answer and the fixes of those that died."""
    if not rows:
        return [line("There are no sessions. Start one:"), whole("hpc-jupyter-setup launch", indent=2)]
    roles: dict[str, Role] = {"ready": "good", "died": "bad", "damaged": "bad", "ended": "dim"}
    table: list[tuple[Words, ...]] = [
        (
            (row.id, "strong"),
            (row.state, roles.get(row.state, "warn")),
            Path(row.environment).name,
            duration(now - row.started) if row.started and row.alive else "",
            (row.node, "dim"),
        )
        for row in rows
    ]
    page = grid(table)
    for row in rows:
        page += _more(row, now)
    return page


def _cost(row: Row, now: float) -> str:
    """Of a job: the way in, the time that is left, and what it has used so far."""
    left = f"{duration(row.until - now)} left" if row.until > now else ""
    used = f"{row.core_hours:.2f} core-hours so far" if row.core_hours else ""
    return " · ".join(filter(None, (row.way if left or used else "", left, used)))


def _more(row: Row, now: float) -> Page:
    page: Page = []
    if row.url:
        page += [GAP, line((row.id, "strong"))]
        page += [whole(row.command, indent=2)] if row.command else []
        page.append(whole(row.url, indent=2))
        page += [line((said, "dim"), indent=2)] if (said := _cost(row, now)) else []
    if row.warning:
        page.append(line((row.warning, "warn"), indent=2))
    if row.detail and row.state not in ("ready", "ended"):
        page += [GAP, line((f"{row.id}: ", "strong"), row.detail), *remedy(row.fix, indent=2)]
    return page


def what_now(rc: Path | None, script: Path, environments: Sequence[str], home: Path) -> Page:
    """How to go on: `rc` is the edited file of the shell, `script` conda's own, for where none was edited."""
    source = tilde(rc or script, home)
    first = "open a new terminal, or here: " if rc else "in each new terminal: "
    page: Page = [GAP, (line(("Ready.", "good"), " What now?"))]
    rows: list[Sequence[Words]] = [
        ("Use conda", first),
        ("", (f"source {source}", "command")),
    ]
    if environments:
        rows.append(("", (f"conda activate {environments[0]}", "command")))
        rows.append(("Start Jupyter", ("hpc-jupyter-setup launch", "command")))
    rows += [
        ("See what is there", ("hpc-jupyter-setup status", "command")),
        ("Something is wrong", ("hpc-jupyter-setup doctor", "command")),
        ("Take it all back", ("hpc-jupyter-setup undo", "command")),
    ]
    return [*page, GAP, *grid(rows, indent=2), GAP]
