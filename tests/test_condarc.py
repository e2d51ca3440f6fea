"""A condarc gets the chosen channels and nothing else; what is not safe to edit is refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rc_cases import age, make, photo, refused

from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.step import Done, Todo
from setup_wizard.steps import condarc_text
from setup_wizard.steps.condarc import Condarc
from setup_wizard.steps.condarc_text import Wish
from setup_wizard.world import World, silent

FORGE = ("conda-forge",)


@pytest.fixture
def step(world: World) -> Condarc:
    return Condarc(path=world.home / ".condarc", channels=FORGE)


def _edited(text: str, channels: tuple[str, ...] = FORGE) -> str:
    return condarc_text.write(text, condarc_text.wanted(condarc_text.read(text), channels, True))


# --- what comes out ---------------------------------------------------------------------------------------

NEW = "channels:\n  - conda-forge\nchannel_priority: strict\n"
TEXTS = {
    "empty": ("", NEW),
    "only comments": ("# mine\n", f"# mine\n{NEW}"),
    "comment without newline": ("# mine", f"# mine\n{NEW}"),
    "document mark only": ("---\n", f"---\n{NEW}"),
    "the installer's": (
        "channels:\n  - defaults\n",
        "channels:\n  - conda-forge\nchannel_priority: strict\n",
    ),
    "dashes at the margin": (
        "channels:\n- defaults\n- bioconda\nauto_activate: false\n",
        "channels:\n- conda-forge\n- bioconda\nauto_activate: false\nchannel_priority: strict\n",
    ),
    "comments, quotes and wide indentation": (
        "# top\nchannels:   # where from\n      # ours first\n      - 'lab'   # the lab's\n"
        '      - "defaults" # gone\n'
        "\n      - bioconda\n\n# below\nssl_verify:    'true'\nchannel_priority:  flexible   # was so\n",
        "# top\nchannels:   # where from\n      # ours first\n      - 'lab'   # the lab's\n"
        "      - conda-forge\n"
        "\n      - bioconda\n\n# below\nssl_verify:    'true'\nchannel_priority:  strict   # was so\n",
    ),
    "URLs of Anaconda": (
        "channels:\n  - https://repo.anaconda.com/pkgs/main\n  - https://repo.anaconda.com/pkgs/r/\n"
        "  - bioconda\n",
        "channels:\n  - conda-forge\n  - bioconda\nchannel_priority: strict\n",
    ),
    "ours is there, by its URL": (
        "channels:\n  - https://conda.anaconda.org/conda-forge/\n  - defaults\nchannel_priority: strict\n",
        "channels:\n  - https://conda.anaconda.org/conda-forge/\nchannel_priority: strict\n",
    ),
    "ours is not there, and nothing goes": (
        "channels:\n  - bioconda",
        "channels:\n  - bioconda\n  - conda-forge\nchannel_priority: strict\n",
    ),
    "twice the same": (
        "channels:\n  - defaults\n  - lab\n  - defaults\n",
        "channels:\n  - conda-forge\n  - lab\nchannel_priority: strict\n",
    ),
    "in brackets": (
        "channels: [defaults, 'bioconda']  # mine\n",
        "channels: [conda-forge, 'bioconda']  # mine\nchannel_priority: strict\n",
    ),
    "empty brackets": ("channels: []\n", "channels: [conda-forge]\nchannel_priority: strict\n"),
    "a single word": (
        "channels: defaults # mine\nx: 1\n",
        "channels: [conda-forge] # mine\nx: 1\nchannel_priority: strict\n",
    ),
    "no value": ("channels:\nx: 1\n", "channels: [conda-forge]\nx: 1\nchannel_priority: strict\n"),
    "no value, but final": (
        "channels: #!final\n",
        "channels: [conda-forge] #!final\nchannel_priority: strict\n",
    ),
    "final": (
        "channels: #!final\n  - defaults #!bottom\n  - lab #!top\n",
        "channels: #!final\n  - conda-forge\n  - lab #!top\nchannel_priority: strict\n",
    ),
    "the other name of the key": (
        "channel:\n  - defaults\n",
        "channel:\n  - conda-forge\nchannel_priority: strict\n",
    ),
    "windows line ends": (
        "channels:\r\n  - defaults\r\n  - lab\r\nx: 1\r\n",
        "channels:\r\n  - conda-forge\r\n  - lab\r\nx: 1\r\nchannel_priority: strict\r\n",
    ),
    "byte order mark": (
        "\ufeffchannels:\n  - defaults\n",
        "\ufeffchannels:\n  - conda-forge\nchannel_priority: strict\n",
    ),
    "byte order mark alone": ("\ufeff", f"\ufeff{NEW}"),
    "end mark": ("---\nx: 1\n...\n", f"---\nx: 1\n{NEW}...\n"),
    "all indented": ("  x: 1\n", "  x: 1\n  channels:\n    - conda-forge\n  channel_priority: strict\n"),
    "priority in another word": (
        "channels: [conda-forge]\nchannel_priority: true\n",
        "channels: [conda-forge]\nchannel_priority: strict\n",
    ),
    "priority without a value": (
        "channels: [conda-forge]\nchannel_priority:\n",
        "channels: [conda-forge]\nchannel_priority: strict\n",
    ),
    "other lists and nested keys": (
        "channels:\n  - defaults\ndefault_channels:\n  - defaults\nmore:\n  channels:\n    - defaults\n",
        "channels:\n  - conda-forge\ndefault_channels:\n  - defaults\nmore:\n  channels:\n    - defaults\n"
        "channel_priority: strict\n",
    ),
    "text in other letters": (
        "# Kanäle für die Übung\nchannels:\n  - defaults # früher\n",
        "# Kanäle für die Übung\nchannels:\n  - conda-forge\nchannel_priority: strict\n",
    ),
    "all as wanted": ("channel_priority: 'strict'\nchannels: [conda-forge]", None),
}


@pytest.mark.parametrize(("old", "new"), [pytest.param(*v, id=k) for k, v in TEXTS.items()])
def test_the_text_that_comes_out(old: str, new: str | None) -> None:
    """Exactly this text: channels and priority changed, every other byte as it was; once is enough."""
    once = _edited(old)
    assert once == (old if new is None else new)
    assert _edited(once) == once


@pytest.mark.parametrize("old", [pytest.param(v[0], id=k) for k, v in TEXTS.items()])
def test_undo_gives_the_old_bytes(old: str, world: World, step: Condarc) -> None:
    """Bytes, mode and mtime come back."""
    step.path.write_bytes(old.encode())
    age(step.path)
    before = photo(world.home)
    if isinstance(step.check(world), Todo):
        made = make(step, world)
        assert step.undo(made, world) == []
        assert step.undo(made, world) == []
    assert photo(world.home) == before


@pytest.mark.parametrize("old", [pytest.param(v[0], id=k) for k, v in TEXTS.items() if v[1] is not None])
def test_after_an_edit_only_our_keys_go_back(old: str, world: World, step: Condarc) -> None:
    """The user's new line is kept, and the two keys say again what they said."""
    step.path.write_bytes(old.encode())
    made = make(step, world)
    text = step.path.read_bytes().decode()
    head, dots, tail = text.partition("...")
    indent = "  " if text.startswith("  x") else ""
    step.path.write_bytes((head + f"{indent}auto_update_conda: false\n" + dots + tail).encode())
    assert step.undo(made, world) == []
    now = step.path.read_bytes().decode()
    assert "auto_update_conda: false" in now
    old_wish = condarc_text.read(old)
    assert condarc_text.read(now) == old_wish


def test_anaconda_channels_stay_when_chosen() -> None:
    """Who has chosen `defaults` after seeing the terms gets it, and keeps the rest."""
    assert _edited("channels:\n  - lab\n", ("defaults",)).startswith("channels:\n  - lab\n  - defaults\n")
    kept = "channels:\n  - defaults\nchannel_priority: strict\n"
    assert _edited(kept, ("defaults",)) == kept


def test_a_mirror_is_a_channel_like_any_other() -> None:
    """A URL goes in as it is; one with odd characters in quotes."""
    assert "  - http://127.0.0.1:8080/conda-forge\n" in _edited("", ("http://127.0.0.1:8080/conda-forge",))
    assert '  - "file:///a/%20b/[c]"\n' in _edited("", ("file:///a/%20b/[c]",))


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("- conda-forge\n", "1:1", "keys with values"),
        ("conda-forge\n", "1:1", "keys with values"),
        ("{channels: [defaults]}\n", "1:1", "braces"),
        ("x: 1\nchannels: [a]\nchannels: [b]\n", "3:1", "«channels» is there twice"),
        ("x: 1\nx: 2\n", "2:1", "«x» is there twice"),
        ("x:\n  y: 1\n  y: 2\nz: 1\n", "3:3", "twice"),
        ("channels: [a]\nchannel: [b]\n", "2:1", "another name of «channels»"),
        ("channels:\n\t- defaults\n", "2:1", "a tab"),
        ("x: 1\n---\nchannels: [defaults]\n", "2:1", "second YAML document"),
        ("channels:\n  first: defaults\n", "1:1", "«channels» should be a list"),
        ("channels:\n  - [defaults]\n", "2:5", "name of one channel"),
        ("channels:\n  -\n", "2:4", "name of one channel"),
        ("channels: defaults, bioconda\n", "1:11", "name of one channel"),
        ("channels: [defaults,\n  lab, # the lab's\n]\n", "1:11", "comments inside"),
        ("channels: [defaults\n", "", "not YAML"),
        ("channels:\n  - 'defaults\n", "", "not YAML"),
        ("x: *nobody\n", "1:4", "not YAML"),
        ("channel_priority: [strict]\n", "1:1", "should be one word"),
        ("channels: &mine [defaults]\nmore: *mine\n", "1:1", "not edited here"),
        ("x: a\udce4b\n", "1:5", "not UTF-8"),
        ("x: a\x07b\n", "1:5", "control character"),
        ("channels:\r  - defaults\r", "1:10", "ends in an uncommon way"),
    ],
)
def test_odd_content_is_refused_with_its_place(
    text: str, place: str, words: str, world: World, step: Condarc
) -> None:
    """file:line:column, what is wrong, what to do; and nothing is changed."""
    step.path.write_bytes(text.encode("utf-8", "surrogateescape"))
    state = refused(step, world)
    assert state.problem.startswith(f"{step.path}:{place}")
    assert words in state.problem
    assert state.fix


@pytest.mark.parametrize("kind", ["read-only", "directory", "dangling"])
def test_a_place_that_is_not_to_be_written_is_refused(kind: str, world: World, step: Condarc) -> None:
    """With the lines to write by hand."""
    if kind == "directory":
        step.path.mkdir()
    elif kind == "dangling":
        step.path.symlink_to("nowhere")
    else:
        step.path.write_text("channels: [defaults]\n")
        step.path.chmod(0o444)
    assert "channels:\n      - conda-forge\n    channel_priority: strict" in refused(step, world).fix


_names = st.lists(
    st.sampled_from(["defaults", "conda-forge", "bioconda", "lab", "pkgs/main", "x"]), max_size=6
)


@given(_names, st.sampled_from(["block", "margin", "flow"]), st.booleans())
def test_any_list_ends_up_right(names: list[str], style: str, comments: bool) -> None:
    """Whatever was there: ours is in, Anaconda's are out, the others keep their order, comments stay."""
    note = "  # note" if comments else ""
    if style == "flow" or not names:
        text = f"channels: [{', '.join(names)}]{note}\n"
    else:
        dash = "  - " if style == "block" else "- "
        text = "channels:\n" + "".join(f"{dash}{n}{note}\n" for n in names)
    text = f"# top\n{text}# end\nx: 1\n"
    new = _edited(text)
    channels = condarc_text.read(new).channels or ()
    others = [n for n in names if n not in ("defaults", "pkgs/main", "conda-forge")]
    assert [c for c in channels if c != "conda-forge"] == others
    assert channels.count("conda-forge") == max(1, names.count("conda-forge"))
    assert new.startswith("# top\n")
    assert new.endswith("# end\nx: 1\nchannel_priority: strict\n")


# --- undo -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "made", "now", "expected"),
    [
        (("defaults",), ("conda-forge",), ("conda-forge",), ("defaults",)),
        (("defaults",), ("conda-forge",), ("conda-forge", "bioconda"), ("defaults", "bioconda")),
        (
            ("lab", "defaults"),
            ("lab", "conda-forge"),
            ("new", "lab", "conda-forge"),
            ("new", "lab", "defaults"),
        ),
        (("lab",), ("lab", "conda-forge"), ("conda-forge",), ()),
        (("defaults",), ("conda-forge",), ("lab",), ("lab",)),
        (
            ("conda-forge", "defaults"),
            ("conda-forge",),
            ("conda-forge", "x"),
            ("conda-forge", "defaults", "x"),
        ),
        (None, ("conda-forge",), ("conda-forge",), None),
        (None, ("conda-forge",), ("conda-forge", "lab"), ("lab",)),
        (("defaults",), ("conda-forge",), None, None),
        (
            ("conda-forge", "defaults"),
            ("conda-forge",),
            ("conda-forge", "defaults"),
            ("conda-forge", "defaults"),
        ),
    ],
)
def test_the_list_that_undo_leaves(
    old: tuple[str, ...] | None,
    made: tuple[str, ...],
    now: tuple[str, ...] | None,
    expected: tuple[str, ...] | None,
) -> None:
    """The user's changes since are kept, ours are taken back; where the user has decided anew, it stays."""
    back = condarc_text.given_back(Wish(old, None), Wish(made, "strict"), Wish(now, "strict"))
    assert back == Wish(expected, None)


def test_a_priority_that_the_user_changed_since_is_kept(world: World, step: Condarc) -> None:
    """Only a value that is still ours goes back."""
    step.path.write_text("channels: [defaults]\n")
    made = make(step, world)
    step.path.write_text(step.path.read_text().replace("strict", "flexible"))
    step.undo(made, world)
    assert step.path.read_text() == "channels: [defaults]\nchannel_priority: flexible\n"


def test_a_file_that_we_made_goes(world: World, step: Condarc) -> None:
    """A missing file is made, and gone after undo."""
    made = make(step, world)
    assert step.path.read_text() == NEW
    assert step.undo(made, world) == []
    assert photo(world.home) == {}


def test_a_file_that_we_made_stays_with_what_the_user_wrote(world: World, step: Condarc) -> None:
    """Our keys go, theirs stay, and the file is named."""
    made = make(step, world)
    step.path.write_text("# mine\n" + step.path.read_text() + "ssl_verify: true\n")
    assert step.undo(made, world) == [step.path]
    assert step.path.read_text() == "# mine\nssl_verify: true\n"


def test_undo_of_a_file_that_is_broken_now_says_where(world: World, step: Condarc) -> None:
    """The user is told what to mend; nothing is changed."""
    step.path.write_text("channels: [defaults]\n")
    made = make(step, world)
    step.path.write_text("channels: [conda-forge\n\tx\n")
    with pytest.raises(BadInput, match=r"\.condarc:\d+:\d+: "):
        step.undo(made, world)
    assert step.path.read_text() == "channels: [conda-forge\n\tx\n"


# --- the file of the distribution -------------------------------------------------------------------------


def test_the_file_of_a_distribution_that_is_not_there_yet(world: World) -> None:
    """It is to be done, but making its folder would keep the installer from going there."""
    step = Condarc(path=world.home / "miniconda3/.condarc", channels=FORGE)
    assert isinstance(step.check(world), Todo)
    with pytest.raises(MachineBlocks):
        step.apply(world, silent)
    assert photo(world.home) == {}
    step.path.parent.mkdir()
    step.path.write_text("channels:\n  - defaults\n")
    age(step.path)
    before = photo(world.home)
    made = make(step, world)
    assert step.path.read_text() == NEW
    step.undo(made, world)
    assert photo(world.home) == before


def test_through_a_link(world: World, step: Condarc) -> None:
    """A condarc in a folder of dotfiles is changed there; the link stays."""
    (world.home / "dotfiles").mkdir()
    (world.home / "dotfiles/condarc").write_text("channels: [defaults]\n")
    step.path.symlink_to("dotfiles/condarc")
    before = photo(world.home)
    made = make(step, world)
    assert step.path.is_symlink()
    step.undo(made, world)
    assert photo(world.home) == before


def test_without_strict_the_priority_is_left(world: World) -> None:
    """Only the channels are changed then."""
    step = Condarc(path=Path(world.home / ".condarc"), channels=FORGE, strict=False)
    make(step, world)
    assert step.path.read_text() == "channels:\n  - conda-forge\n"
    assert isinstance(step.check(world), Done)
