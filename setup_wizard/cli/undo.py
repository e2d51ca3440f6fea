"""`undo`: show what will be taken back, agree, take it back, say what stays."""

from __future__ import annotations

from setup_wizard.cli.options import DryRun, Json, Yes


def undo(yes: Yes = False, dry_run: DryRun = False, json: Json = False) -> int:
    """Take back everything that was made on this account, newest first.

    What you made yourself since then is kept and named.
    """
    from setup_wizard import launch
    from setup_wizard.cli.work import How, agree
    from setup_wizard.journal import Journal
    from setup_wizard.ui import show
    from setup_wizard.world import World, scratch

    world = World.here()
    journal = Journal(world)
    entries = list(journal.receipt.values())
    running = [row for row in launch.sessions(world) if row.alive]
    if not json:
        show.put(show.undo_list(entries, running, world.home), world)
    if dry_run:
        if json:
            show.put_json({"ok": True, "would_undo": [e.step.title for e in reversed(entries)]})
        return 0
    if not journal.is_there:
        if json:
            show.put_json({"ok": True, "undone": [], "kept": [], "left": []})
        return 0
    agree("Take all this back?", How(yes=yes, json=json))
    launch.stop_all(world)
    scratch.sweep(world)
    with journal:
        return _take_back(journal, json)


def _take_back(journal: object, json: bool) -> int:
    from setup_wizard.apply import undo
    from setup_wizard.journal import Journal
    from setup_wizard.ui import show

    assert isinstance(journal, Journal)
    world, results = journal.world, []
    for result in undo(world, journal):
        results.append(result)
        if not json:
            show.put(show.taken_back(result, world.home), world)
    left = [r for r in results if r.trouble]
    if json:
        show.put_json(
            {
                "ok": not left,
                "undone": [r.step.title for r in results if not r.trouble],
                "kept": [path for r in results for path in r.kept],
                "left": [{"title": r.step.title, "error": r.trouble} for r in left],
            }
        )
    else:
        show.put(show.undo_result(results, world.home), world)
    return 1 if left else 0
