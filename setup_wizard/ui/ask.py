"""The questions of the wizard, in their order: each asks what is still open, and every answer is kept.

    answers = ask(given, choices, world, keep=lambda a: remember(world, a))

What was answered last time is offered first, so that Enter goes the same way again. Ctrl-C raises
KeyboardInterrupt; the answers so far have been kept by then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from setup_wizard import orders
from setup_wizard.answers import Answers, fold, recall
from setup_wizard.choices import Choices, proposal
from setup_wizard.conda import distributions
from setup_wizard.steps.login_file import login_file
from setup_wizard.steps.rc_file import SHELLS, line_by_hand, rc_file
from setup_wizard.ui import options, prompt, words
from setup_wizard.ui.figures import tilde
from setup_wizard.ui.first_page import prefix_of
from setup_wizard.ui.prompt import Ask, Asker, Option
from setup_wizard.ui.questions import BY_FIELD, flags_for
from setup_wizard.ui.sheet import GAP
from setup_wizard.wish import Wish
from setup_wizard.world import World

__all__ = ["agree_licence", "ask", "confirm", "consent", "flags_for", "leave", "offered"]

Keep = Callable[[Answers], None]


def ask(answers: Answers, choices: Choices, world: World, keep: Keep) -> Answers:
    """Ask for what is None in the answers. `keep` is called with all that is known after every answer."""
    talk = Talk(choices, world, keep)
    prompt.say(world, [GAP])
    for question in (_conda, _channels, _environments, _notebooks, _shell, _mending, _launch):
        answers = question(talk, answers)
    return answers


def offered(choices: Choices, world: World) -> Answers:
    """What Enter takes: the answers of last time as far as they still fit, then the proposal."""
    proposed, last = proposal(choices, world), recall(world)
    return fold(options.still_there(last, choices), proposed)


class Talk:
    """One conversation: what can be chosen, what Enter takes, and how to ask."""

    def __init__(self, choices: Choices, world: World, keep: Keep) -> None:
        self.choices = choices
        self.world = world
        self.asker: Asker = prompt.asker(world)
        self.enter = offered(choices, world)
        self.more = False
        self._keep = keep
        self._last = recall(world)

    def kept(self, answers: Answers, **new: Any) -> Answers:
        """The answers with new ones, which are kept; what was not reached stays as it was last time."""
        answers = msgspec.structs.replace(answers, **new)
        self._keep(fold(answers, self._last))
        return answers

    def put(self, field: str) -> Ask:
        """The question for an answer, in its words."""
        home = self.world.home
        files = {
            "rc": tilde(rc_file(home, self.world.shell), home),
            "login": tilde(login_file(home), home),
            "blocks": tilde("; ".join(self.choices.old_blocks), home),
            "where": _where_it_runs(self.world) if field == "launch" else "",
        }
        q = BY_FIELD[field]
        return Ask(q.text.format(**files), q.help.format(**files))

    def yes(self, answers: Answers, field: str) -> Answers:
        """Ask for yes or no, unless it is answered."""
        if getattr(answers, field) is not None:
            return answers
        usual = "yes" if getattr(self.enter, field) else "no"
        return self.kept(answers, **{field: self.asker.one(self.put(field), prompt.YES_NO, usual) == "yes"})


# --- conda ----------------------------------------------------------------------------------------------


def _conda(talk: Talk, given: Answers) -> Answers:
    """Which, where, and on whose terms; who does not agree to these chooses again."""
    while True:
        answers = _licence(talk, _where(talk, _distribution(talk, given)))
        if answers:
            return answers
        given = msgspec.structs.replace(given, distribution=None)
        talk.enter = msgspec.structs.replace(talk.enter, distribution="miniforge")


def _distribution(talk: Talk, answers: Answers) -> Answers:
    if answers.distribution is not None:
        return answers
    usual = talk.enter.distribution or ""
    while True:
        shown = options.distributions(talk.choices, talk.world, more=not talk.more)
        chosen = talk.asker.one(talk.put("distribution"), shown, usual)
        if chosen != options.MORE:
            return talk.kept(answers, distribution=chosen)
        talk.more = True


def _where(talk: Talk, answers: Answers) -> Answers:
    """The place of a new conda; one that is there, or was begun by us, has its own."""
    family, mine = answers.distribution or "", talk.choices.mine
    if answers.prefix or family not in distributions.FAMILIES or (mine and mine.release.family == family):
        return answers
    last = talk.enter.prefix if talk.enter.distribution == family else None
    shown = options.prefixes(family, last, talk.choices, talk.world)
    usual = next((o.value for o in shown if not o.refused), options.ANOTHER)
    ask = talk.put("prefix")
    chosen = talk.asker.one(ask, shown, usual)
    if chosen == options.ANOTHER:
        chosen = talk.asker.folder(
            Ask("Which folder?", "A new one; Tab completes a path."),
            str(options.suggested(family, talk.choices)),
            lambda text: options.in_a_line(options.prefix_trouble(text, talk.world), text, talk.world),
        )
    return talk.kept(answers, prefix=options.path_of(chosen, talk.world))


def _licence(talk: Talk, answers: Answers) -> Answers | None:
    """The answers with the agreement that the distribution asks for; None when it was declined."""
    family = answers.distribution or ""
    terms = distributions.TERMS.get(family)
    if not terms or not terms.agreement or _is_mine(talk.choices, answers) or _agreed(answers, family):
        return answers
    if not agree_licence(family, talk.world):
        return None
    return talk.kept(answers, accept_licence=(*(answers.accept_licence or ()), family))


def _is_mine(choices: Choices, answers: Answers) -> bool:
    """The distribution is one that an earlier run of ours has installed, or has begun to."""
    mine = choices.mine
    return bool(
        mine and mine.release.family == answers.distribution and answers.prefix in (None, mine.prefix)
    )


def _agreed(answers: Answers, name: str) -> bool:
    return name in (answers.accept_licence or ())


def _channels(talk: Talk, answers: Answers) -> Answers:
    """Asked of those who wanted more choices, and of those who took Anaconda's channels last time."""
    if answers.channels is not None:
        return answers
    if not talk.more and talk.enter.channels != "anaconda":
        return msgspec.structs.replace(answers, channels=talk.enter.channels)
    while True:
        usual = talk.enter.channels or "conda-forge"
        chosen = talk.asker.one(talk.put("channels"), options.channels(), usual)
        if chosen != "anaconda" or agree_licence("anaconda", talk.world):
            return talk.kept(answers, channels=chosen)
        talk.enter = msgspec.structs.replace(talk.enter, channels="conda-forge")


# --- environments, notebooks, files ---------------------------------------------------------------------


def _environments(talk: Talk, answers: Answers) -> Answers:
    if answers.environments is not None:
        return answers
    usual = talk.enter.environments or ()
    shown = options.environments(talk.choices, usual)
    return talk.kept(answers, environments=talk.asker.many(talk.put("environments"), shown, usual))


def _notebooks(talk: Talk, answers: Answers) -> Answers:
    if answers.notebooks is None:
        usual, shown = talk.enter.notebooks or (), options.notebooks(talk.choices)
        answers = talk.kept(answers, notebooks=talk.asker.many(talk.put("notebooks"), shown, usual))
    folder = talk.enter.notebook_folder
    if answers.notebook_folder is None and not answers.notebooks:
        return msgspec.structs.replace(answers, notebook_folder=folder)
    if answers.notebook_folder is None:
        typed = talk.asker.folder(
            talk.put("notebook_folder"),
            tilde(folder or "~", talk.world.home),
            lambda text: options.in_a_line(options.folder_trouble(text, talk.world), text, talk.world),
        )
        answers = talk.kept(answers, notebook_folder=options.path_of(typed, talk.world))
    return answers


def _shell(talk: Talk, answers: Answers) -> Answers:
    """A shell whose files we do not edit gets the line to add."""
    world = talk.world
    if answers.shell is None and world.shell not in SHELLS:
        by_hand = line_by_hand(world.shell, prefix_of(answers, talk.choices))
        prompt.say(
            world,
            words.other_shell(world.shell, tilde(rc_file(world.home, world.shell), world.home), by_hand),
        )
        return msgspec.structs.replace(answers, shell=False)
    return talk.yes(answers, "shell")


def _mending(talk: Talk, answers: Answers) -> Answers:
    """What may be mended in the files of the shell, where there is something to mend."""
    if talk.choices.login_file_reads_rc or not answers.shell:
        answers = fold(answers, Answers(login_file=False))
    if not talk.choices.old_blocks:
        answers = fold(answers, Answers(old_blocks=False))
    answers = talk.yes(answers, "login_file")
    return talk.yes(answers, "old_blocks")


def _launch(talk: Talk, answers: Answers) -> Answers:
    return talk.yes(answers if answers.environments else fold(answers, Answers(launch=False)), "launch")


def _where_it_runs(world: World) -> str:
    """On a cluster: as a job of which system, and reached in which way."""
    site = orders.site_of(world, Wish())
    if site.scheduler == "local" or site.instead:
        return ""
    return f"As a job on {site.title}, reached by {words.WAYS_IN[orders.best_way(site)]}. "


# --- agreeing -------------------------------------------------------------------------------------------


def agree_licence(name: str, world: World) -> bool:
    """Show the terms of a distribution, or of Anaconda's channels, in short; whether the person says yes."""
    terms = distributions.TERMS["miniconda" if name == "anaconda" else name]
    prompt.say(world, words.terms(name, terms.summary, terms.url))
    ask = Ask(words.AGREE.format(name=words.TERMS_OF[name]), words.IF_READ)
    said = prompt.asker(world).text(ask, "", lambda t: "" if t.lower() in ("yes", "no") else words.WHOLE_WORD)
    return said.lower() == "yes"


def confirm(text: str, world: World, *, explain: bool = True) -> str:
    """«yes», «no» or, where there is more to say, «explain»; keys pressed before do not count."""
    choices = [Option(name, name, note, key=name[0]) for name, note in words.CONFIRM.items()]
    return _agreed_to(text, choices if explain else choices[:2], "yes", world)


def leave(text: str, what: str, world: World) -> bool:
    """Whether what is at work or waits is to be left so, which Enter does; «no» ends it."""
    choices = [Option("yes", "yes", "it goes on", key="y"), Option("no", "no", f"end {what}", key="n")]
    return _agreed_to(text, choices, "yes", world) == "yes"


def consent(text: str, notes: Mapping[str, str], world: World) -> bool:
    """Whether the person says yes to what may harm them: Enter says no; `notes` explain the two answers."""
    choices = [Option(name, name, note, key=name[0]) for name, note in notes.items()]
    return _agreed_to(text, choices, "no", world) == "yes"


def _agreed_to(text: str, choices: Sequence[Option], enter: str, world: World) -> str:
    prompt.say(world, [GAP])
    prompt.forget_keys()
    said = prompt.asker(world).one(Ask(text), choices, enter)
    prompt.say(world, [GAP])
    return said


def typed(text: str, word: str, world: World) -> bool:
    """Whether the person types that very word; what is typed else ends the question."""
    prompt.say(world, [GAP])
    prompt.forget_keys()
    return prompt.asker(world).text(Ask(text), "", lambda _: "") == word
