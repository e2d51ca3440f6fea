"""The screen of `env search`: what there is of a package."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import msgspec

from setup_wizard.conda.channels import shown
from setup_wizard.conda.spec import package_name
from setup_wizard.conda.talk import Offer, Seen
from setup_wizard.ui.figures import count, size
from setup_wizard.ui.sheet import GAP, Line, Page, Words, grid, line, title

NEWEST = 10  # versions that are shown where not all were asked for
NAMES = 40


def found(asked: str, seen: Seen, everything: bool, depends: bool) -> Page:
    """The versions, or the names that match; how to see more."""
    if not seen.offers:
        return _names(asked, seen.names, everything)
    versions = [list(same) for _, same in groupby(seen.offers, key=lambda o: (o.version, o.channel))]
    rows = [_row([o]) for o in seen.offers] if everything else [_row(same) for same in versions[:NEWEST]]
    page: Page = [title(package_name(asked)), *grid(rows, indent=2, right=(3,), spare=(2,))]
    if older := 0 if everything else len(versions) - NEWEST:
        page += [_more(count(older, "older versions"))] if older > 0 else []
    if depends:
        newest = seen.offers[0]
        page += [GAP, line((f"{newest.version} {newest.build} needs", "strong"))]
        page += [line(text, indent=2) for text in newest.depends or ("nothing",)]
    return page


def plain(seen: Seen) -> list[Offer]:
    """The offers for programs, with no secret in the address of a channel."""
    return [msgspec.structs.replace(o, channel=shown(o.channel)) for o in seen.offers]


def _row(same: Sequence[Offer]) -> Sequence[Words]:
    """A version with its newest build."""
    first, more = same[0], len(same) - 1
    build = f"{first.build} and {more} more" if more else first.build
    channel = shown(first.channel).rstrip("/").rpartition("/")[2]
    return (
        (first.version, "strong"),
        (build, "dim"),
        (channel, "dim"),
        size(first.size) if first.size else "",
    )


def _names(asked: str, names: Sequence[str], everything: bool) -> Page:
    if not names:
        return [line(f"There is no package whose name is like {asked}.")]
    few = names if everything else names[:NAMES]
    more = [_more(count(len(names) - len(few), "more"))] if len(few) < len(names) else []
    return [*(line(name) for name in few), *more]


def _more(what: str) -> Line:
    return line((f"and {what}: ", "dim"), ("--all", "command"), indent=2)
