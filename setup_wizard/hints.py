"""«Did you mean»: near names for a misspelt one."""

from __future__ import annotations

from collections.abc import Iterable


def near(word: str, known: Iterable[str]) -> list[str]:
    """Up to three known names near to `word`, best first."""
    import difflib  # only where something was misspelt

    by_lower = {name.lower(): name for name in known}
    return [by_lower[n] for n in difflib.get_close_matches(word.lower(), by_lower, n=3, cutoff=0.6)]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """« Did you mean jupyterlab?» with a space before it; "" when nothing is near."""
    names = near(word, known)
    return f" Did you mean {' or '.join(names)}?" if names else ""
