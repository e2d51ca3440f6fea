"""Channels that ask who is there: logins from variables, secrets that leave no trace; and --offline."""

from __future__ import annotations

import base64
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from setup_wizard.conda import damage
from setup_wizard.conda.channels import bare, has_secret, logins
from setup_wizard.mirror.tiny import stub
from tests.channels import ALWAYS, channel, fruits, serve
from tests.gardener import Gardener
from tests.web_server import Fault, WebServer

SECRET = "p@ss/w0rd hush"


@pytest.fixture(scope="module")
def orchard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A channel of small packages, in a folder."""
    folder = tmp_path_factory.mktemp("channels") / "orchard"
    channel(folder, fruits())
    return folder


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


def asks_for_a_password(handler: Any, body: bytes) -> None:
    """Answers only who knows it."""
    known = "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()
    if handler.headers.get("Authorization") == known:
        return handler.good(body)
    return handler.answer(401, b"who is it?")


@pytest.fixture
def gardener(tmp_path: Path, orchard: Path, web: WebServer) -> Gardener:
    """An account whose channel takes a name and a password, both in variables."""
    url = serve(web, orchard, {"": [asks_for_a_password] * ALWAYS})
    made = Gardener(tmp_path / "home", url.replace("//", "//${WHO}:${WORD}@"))
    made.env |= {"WHO": "me", "WORD": SECRET}
    return made


def assert_no_trace(gardener: Gardener, *more: str) -> None:
    """The secret is in no file of the account, neither as it is nor as addresses or headers have it."""
    traces = [SECRET, "p%40ss", "w0rd", base64.b64encode(f"me:{SECRET}".encode()).decode()]
    for trace in traces:
        found = subprocess.run(["grep", "-rlaF", trace, str(gardener.home)], capture_output=True, text=True)
        assert found.stdout == ""
        assert not any(trace in text for text in more)


def test_a_channel_whose_name_and_password_are_variables(gardener: Gardener) -> None:
    """As conda has them in a YAML; made, changed, locked, exported, made again: no trace of it."""
    made = gardener.run("env", "create", str(gardener.file), "--yes")
    assert made.returncode == 0, made.stderr
    more = [
        gardener.run("env", *words)
        for words in (
            ("install", "basket", "quince=1.2", "--yes"),
            ("lock", str(gardener.file)),
            ("create", str(gardener.lock), "-n", "locked", "--yes", "--json"),
            ("export", "basket", "--yaml"),
            ("export", "basket", "--explicit"),
            ("export", "basket", "--lock"),
            ("lint", str(gardener.file)),
            ("create", str(gardener.file), "-n", "other", "--dry-run", "--json"),
        )
    ]
    assert [m.returncode for m in more] == [0] * len(more), [m.stderr for m in more]
    assert "pear-1.0" in gardener.packages("locked")
    gardener.file.unlink()
    kept = gardener.run("env", "install", "basket", "melon<1", "--yes")
    assert (kept.returncode, "melon" in kept.stderr) == (5, True), "the copy inside still knows how to get in"
    assert_no_trace(gardener, *(m.stdout + m.stderr for m in (made, *more, kept)))


def test_packages_from_such_a_channel(gardener: Gardener) -> None:
    """On the command line too; the shell does not put the values in, where the words are quoted."""
    ended = gardener.run("env", "create", "-n", "bowl", "plum", "-c", gardener.url, "--yes")
    assert ended.returncode == 0, ended.stderr
    assert_no_trace(gardener, ended.stdout, ended.stderr)


def test_a_variable_that_is_not_set_or_wrong(gardener: Gardener) -> None:
    """Which one is missing, and how it is given without being seen; that a password is wrong is said."""
    gardener.env["WORD"] = "wronghush"
    code, said = gardener.ill("create", str(gardener.file), "--yes")
    assert (code, "is not for everybody" in said, "wronghush" in said) == (4, True, False)
    del gardener.env["WORD"]
    code, said = gardener.ill("create", str(gardener.file), "--yes")
    assert code == 2
    assert "needs the variable WORD, which is not set" in " ".join(said.split())
    assert "read -rs WORD && export WORD" in said


def test_a_token_in_a_variable(gardener: Gardener, orchard: Path, web: WebServer) -> None:
    """As anaconda.org and the servers of some centres have it: /t/TOKEN/ in the path."""
    for path in sorted(p for p in orchard.rglob("*") if p.is_file()):
        web.serve(f"/t/tok-1/closed/{path.relative_to(orchard)}", path.read_bytes())
    gardener.file.write_text(f"name: t\nchannels: ['{web.url}/t/${{KEY}}/closed']\ndependencies: [pear]\n")
    gardener.env["KEY"] = "tok-1"
    ended = gardener.run("env", "create", str(gardener.file), "--yes")
    assert ended.returncode == 0, ended.stderr
    assert gardener.packages("t") == ["apple-1.5", "pear-1.0"]
    found = subprocess.run(["grep", "-rlaF", "tok-1", str(gardener.home)], capture_output=True, text=True)
    assert (found.stdout, "tok-1" in ended.stdout + ended.stderr) == ("", False)


def asks(word: str) -> Fault:
    """Answers only who says just that name and password."""
    known = "Basic " + base64.b64encode(word.encode()).decode()

    def guard(handler: Any, body: bytes) -> None:
        said = handler.headers.get("Authorization")
        return handler.good(body) if said == known else handler.answer(401, b"who is it?")

    return guard


def stall(web: WebServer, root: Path, name: str, word: str = "") -> str:
    """A channel with one fruit, called like its last folder; behind a name and a password, perhaps."""
    fruit = name.rpartition("/")[2]
    channel(root / name, [stub(fruit, files={f"share/{fruit}": b"x"}, noarch="generic")])
    guards = [asks(word)] * ALWAYS if word else []
    for path in sorted(p for p in (root / name).rglob("*") if p.is_file()):
        web.serve(f"/{path.relative_to(root)}", path.read_bytes(), *guards)
    return f"{web.url}/{name}"


def test_channels_of_one_host_with_a_log_in_each(tmp_path: Path, web: WebServer) -> None:
    """Two passwords, a token, what ~/.netrc says for the rest of the host: to each its own, and no other."""
    east, west = stall(web, tmp_path, "east", "me:one/1@"), stall(web, tmp_path, "west", "you:two 2")
    stall(web, tmp_path, "t/tok-1/closed")
    south = stall(web, tmp_path, "south", "them:three")
    gardener = Gardener(tmp_path / "home", south)
    (gardener.home / ".netrc").write_text("machine 127.0.0.1 login them password three\n")
    gardener.env |= {"A": "me", "B": "one/1@", "C": "you", "D": "two 2", "TOKEN": "tok-1"}
    listed = (
        east.replace("//", "//${A}:${B}@"),
        west.replace("//", "//${C}:${D}@"),
        f"{web.url}/t/${{TOKEN}}/closed",
        south,
    )
    lines = "".join(f"  - '{url}'\n" for url in listed)
    gardener.file.write_text(f"name: all\nchannels:\n{lines}dependencies: [east, west, closed, south]\n")
    gardener.well("create", str(gardener.file), "--yes")
    gardener.well("lock", str(gardener.file))
    gardener.well("create", str(gardener.lock), "-n", "again", "--yes")
    assert gardener.packages("all") == ["closed-1.0", "east-1.0", "south-1.0", "west-1.0"]
    assert gardener.packages("again") == gardener.packages("all")
    heard = {(a.path.split("/")[1], a.headers.get("authorization", "")) for a in web.asked}
    assert len(heard) == 4, "each channel has heard one and the same word"
    for trace in ("one/1", "one%2F1", "two 2", "two%202", "tok-1"):
        found = subprocess.run(["grep", "-rlaF", trace, gardener.home], capture_output=True, text=True)
        assert found.stdout == ""


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("channels: ['https://me:hush@h/c']\ndependencies: [x]\n", "1:12"),
        ("channels: ['https://h/t/hush/c']\ndependencies: [x]\n", "1:12"),
        ("dependencies:\n  - https://me:hush@h/c::x\n", "2:5"),
        ("dependencies:\n  - pip: ['x @ https://me:hush@h/x.whl']\n", "2:11"),
        ("dependencies:\n  - pip: ['--extra-index-url https://hush@h/simple']\n", "2:11"),
    ],
)
def test_a_secret_itself_is_refused_and_not_repeated(gardener: Gardener, text: str, place: str) -> None:
    """Wherever it stands: with its place, and how a variable does it."""
    gardener.file.write_text(text)
    code, said = gardener.ill("create", str(gardener.file), "-n", "x", "--yes")
    assert code == 2
    assert f"{gardener.file}:{place}: " in said
    assert "ariable" in said
    assert "hush" not in said


@pytest.mark.parametrize(
    ("address", "secret", "plain"),
    [
        ("https://h/c", False, "https://h/c"),
        ("https://${A}:${B}@h/c", False, "https://h/c"),
        ("https://me:$B@h:8080/c/", False, "https://h:8080/c"),
        ("https://h/t/${T}/c", False, "https://h/c"),
        ("https://me:pw@h/c", True, "https://h/c"),
        ("https://tok@h/c", True, "https://h/c"),
        ("https://h/t/tok/c", True, "https://h/c"),
        ("git+ssh://git@github.com/x/y", False, "git+ssh://github.com/x/y"),
    ],
)
def test_what_is_a_secret(address: str, secret: bool, plain: str) -> None:
    """A password or a token is, the name of a variable is not; without either, the address may be written."""
    assert (has_secret(address), bare(address)) == (secret, plain)
    assert logins([address]) == ((address,) if "$" in address else ())


# --- without a network, and with care for the server -------------------------------------------------------


@pytest.fixture
def plain(tmp_path: Path, orchard: Path, web: WebServer) -> Gardener:
    """An account whose channel asks nothing."""
    return Gardener(tmp_path / "home", serve(web, orchard))


def test_offline_takes_what_is_cached(plain: Gardener, web: WebServer) -> None:
    """After it was made once: again from the YAML, from a lock, from a list; nobody is asked."""
    plain.well("create", str(plain.file), "--yes")
    plain.well("lock", str(plain.file))
    listed = plain.home / "list.txt"
    plain.well("export", "basket", "--explicit", "-o", str(listed))
    web.asked.clear()
    for n, source in enumerate((plain.file, plain.lock, listed)):
        plain.well("create", str(source), "-n", f"again{n}", "--offline", "--yes")
        assert plain.packages(f"again{n}") == plain.packages("basket")
    plain.env["CONDA_OFFLINE"] = "true"
    plain.well("create", str(plain.file), "-n", "as-conda-says", "--yes")
    plain.well("lock", str(plain.file))
    assert web.asked == []


def test_offline_says_what_is_not_there(plain: Gardener) -> None:
    """An index that was never seen; packages that were never fetched; both with the way on."""
    code, said = plain.ill("create", str(plain.file), "--offline", "--yes")
    assert (code, "--offline allows no question" in " ".join(said.split())) == (4, True)
    plain.well("create", "-n", "one", "quince=1.1", "-c", plain.url, "--yes")
    code, said = plain.ill("create", str(plain.file), "--offline", "--yes")
    assert code == 4
    assert "Not in the package cache, and --offline allows no download: apple, pear." in " ".join(
        said.split()
    )
    assert not (plain.envs / "basket").exists()


def test_offline_changes_with_what_is_cached(plain: Gardener, web: WebServer) -> None:
    """Install, update, remove: nobody is asked; a package that was never fetched is named."""
    plain.well("create", str(plain.file), "--yes")
    was = plain.packages("basket")
    code, said = plain.ill("install", "basket", "quince=1.2", "--offline", "--yes")
    assert (code, "allows no download: quince." in " ".join(said.split())) == (4, True)
    assert plain.packages("basket") == was
    plain.well("create", "-n", "one", "quince=1.2", "-c", plain.url, "--yes")
    web.asked.clear()
    plain.well("install", "basket", "quince=1.2", "--offline", "--yes")
    assert plain.packages("basket") == [*was[:-1], "quince-1.2"]
    plain.well("update", "basket", "--offline", "--yes")
    plain.well("remove-package", "basket", "quince", "--offline", "--yes")
    assert plain.packages("basket") == was[:-1]
    assert web.asked == []


def test_a_channel_in_a_folder(plain: Gardener, orchard: Path) -> None:
    """file:// and a path relative to the YAML; offline all of it is there."""
    (plain.home / "mine").symlink_to(orchard)
    plain.file.write_text("name: x\nchannels: [./mine]\ndependencies: [pear]\n")
    plain.well("create", str(plain.file), "--yes")
    plain.file.write_text(f"name: y\nchannels: ['{orchard.as_uri()}']\ndependencies: [pear]\n")
    plain.well("create", str(plain.file), "--offline", "--yes")
    assert plain.packages("x") == plain.packages("y") == ["apple-1.5", "pear-1.0"]
    assert damage.look(plain.envs / "y").flaws == {}


def test_never_more_than_eight_questions_at_a_time(plain: Gardener, web: WebServer, tmp_path: Path) -> None:
    """A class behind one address is not turned away: forty packages, and at most eight under way."""
    many = [stub(f"seed{n}", files={f"lib/{n}": b"x" * 1000}, noarch="generic") for n in range(40)]
    channel(tmp_path / "seeds", many)
    under_way, most, lock = 0, 0, threading.Lock()

    def counts(handler: Any, body: bytes) -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        handler.web.over.wait(0.05)  # a server that takes its time
        handler.good(body)
        with lock:
            under_way -= 1

    url = serve(web, tmp_path / "seeds", {"": [counts] * ALWAYS})
    names = [f"seed{n}" for n in range(40)]
    plain.well("create", "-n", "seeds", *names, "-c", url, "--yes")
    assert len(plain.packages("seeds")) == 40
    assert 2 <= most <= 8
