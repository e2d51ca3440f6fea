"""The mirror's server: ranges, tags, refusals, many at a time, and git."""

from __future__ import annotations

import http.client
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mirror_parts import kept_tiny_mirror, output

from setup_wizard.mirror import server
from setup_wizard.mirror.notebooks import collections
from setup_wizard.mirror.repositories import write_repository
from setup_wizard.world import World, sha256_of

CONTENT = bytes(range(256)) * 40
Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file in it, and one beside it."""
    (tmp_path / "served/sub").mkdir(parents=True)
    (tmp_path / "served/sub/data.bin").write_bytes(CONTENT)
    (tmp_path / "served/empty").write_bytes(b"")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "served/link").symlink_to(tmp_path / "secret")
    return tmp_path / "served"


@pytest.fixture
def url(folder: Path) -> Iterator[str]:
    """The served folder."""
    with server.serve(folder) as url:
        yield url


@pytest.fixture(scope="module")
def git_url() -> Iterator[str]:
    """The repositories of a tiny mirror."""
    with server.serve(kept_tiny_mirror().path) as url:
        yield f"{url}/git"


def ask(url: str, path: str, method: str = "GET", **headers: str) -> Answer:
    """One request, its path sent as it is."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    reply = connection.getresponse()
    answer = reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()
    connection.close()
    return answer


def test_a_file_comes_whole_with_a_tag_that_must_be_checked(url: str) -> None:
    """A plain GET gives all bytes, a strong ETag, and says to ask again each time."""
    status, headers, body = ask(url, "/sub/data.bin")
    assert (status, body) == (200, CONTENT)
    assert headers["etag"].startswith('"')
    assert headers["cache-control"] == "no-cache"
    assert headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "first", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-", 100, 10240),
        ("bytes=-5", 10235, 10240),
        ("bytes=9-99999", 9, 10240),
    ],
)
def test_a_range_comes_as_asked(url: str, asked: str, first: int, stop: int) -> None:
    """A download goes on where it broke off."""
    status, headers, body = ask(url, "/sub/data.bin", Range=asked)
    assert (status, body) == (206, CONTENT[first:stop])
    assert headers["content-range"] == f"bytes {first}-{stop - 1}/10240"


@pytest.mark.parametrize(
    "asked", ["bytes=0-", "bytes=1-2,5-6", "lines=1-2", "bytes=-", "bytes=a-b", "bytes=-99999"]
)
def test_a_range_of_all_or_of_nothing_we_know_gives_all(url: str, asked: str) -> None:
    """What is no single range of bytes is answered with the whole file."""
    status, _, body = ask(url, "/sub/data.bin", Range=asked)
    assert (status, body) == (200, CONTENT)


@pytest.mark.parametrize(
    ("path", "asked"),
    [("/sub/data.bin", "bytes=10240-"), ("/empty", "bytes=0-"), ("/sub/data.bin", "bytes=-0")],
)
def test_a_range_past_the_end_is_refused(url: str, path: str, asked: str) -> None:
    """There is nothing to go on with: 416, and the size."""
    status, headers, body = ask(url, path, Range=asked)
    assert (status, body) == (416, b"")
    assert headers["content-range"].startswith("bytes */")


def test_an_unchanged_file_is_not_sent_again(url: str, folder: Path) -> None:
    """With the tag in hand the answer is 304, with the tag; after a change of the same size it is 200."""
    tag = ask(url, "/sub/data.bin")[1]["etag"]
    status, headers, body = ask(url, "/sub/data.bin", If_None_Match=f'"other", {tag}')
    assert (status, headers["etag"], body) == (304, tag, b"")
    (folder / "sub/data.bin").write_bytes(CONTENT[::-1])
    status, headers, body = ask(url, "/sub/data.bin", If_None_Match=tag)
    assert (status, body) == (200, CONTENT[::-1])
    assert headers["etag"] != tag


def test_a_range_of_another_file_is_not_mixed_in(url: str) -> None:
    """If-Range with another tag gives the whole file, with the right one the range."""
    tag = ask(url, "/sub/data.bin")[1]["etag"]
    assert ask(url, "/sub/data.bin", Range="bytes=5-", If_Range='"old"')[0] == 200
    assert ask(url, "/sub/data.bin", Range="bytes=5-", If_Range=tag)[0] == 206


def test_head_gives_the_size_and_no_bytes(url: str) -> None:
    """HEAD says what GET would."""
    status, headers, body = ask(url, "/sub/data.bin", "HEAD")
    assert (status, headers["content-length"], body) == (200, "10240", b"")
    assert ask(url, "/absent", "HEAD")[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/../secret",
        "/sub/../../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "//etc/passwd",
        "/link",
        "/sub",
        "/",
        "/a%00b",
    ],
)
def test_nothing_outside_and_no_folder_is_given(url: str, path: str) -> None:
    """Only files below the mirror can be had, whatever the path and wherever links lead."""
    status, _, body = ask(url, path)
    assert status == 404
    assert b"secret" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_changed(url: str, method: str, folder: Path) -> None:
    """The server only gives."""
    assert ask(url, "/sub/data.bin", method)[0] in (405, 501)
    assert (folder / "sub/data.bin").read_bytes() == CONTENT


def test_many_are_served_at_a_time(url: str) -> None:
    """Sixty requests at once are all answered in full."""
    with ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(lambda _: ask(url, "/sub/data.bin")[2], range(60)))
    assert answers == [CONTENT] * 60


def test_a_connection_is_kept_for_the_next_request(url: str) -> None:
    """Several answers, whole, partial and unchanged, come over one connection."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    sock = None
    for headers, expected in [({}, 200), ({"Range": "bytes=3-"}, 206), ({"Range": "bytes=99999-"}, 416)]:
        connection.request("GET", "/sub/data.bin", headers=headers)
        reply = connection.getresponse()
        reply.read()
        assert reply.status == expected
        assert sock in (None, connection.sock)
        sock = connection.sock
    connection.close()


def test_the_port_is_free_again_afterwards(folder: Path) -> None:
    """The server ends with its context, though a client keeps its connection open."""
    with server.serve(folder) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
        connection.request("GET", "/empty")
        connection.getresponse().read()
    with pytest.raises(ConnectionRefusedError):
        ask(url, "/empty")
    connection.close()


def test_our_own_download_resumes_from_it(url: str, world: World, tmp_path: Path, folder: Path) -> None:
    """World.download goes on with a broken download and checks it."""
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:5000])
    wanted = sha256_of(folder / "sub/data.bin")
    path = world.download(f"{url}/sub/data.bin", tmp_path / "data.bin", sha256=wanted, size=len(CONTENT))
    assert path.read_bytes() == CONTENT


# --- git ------------------------------------------------------------------------------------------------


def test_a_shallow_clone_works(git_url: str, tmp_path: Path) -> None:
    """`git clone --depth 1` gives the notebook, one commit, and the branch main."""
    output("git", "clone", "--quiet", "--depth", "1", f"{git_url}/plots.git", tmp_path / "plots")
    assert sorted(os.listdir(tmp_path / "plots")) == [".git", "LICENSE", "README.md", "plots.ipynb"]
    clone = ["git", "-C", str(tmp_path / "plots")]
    assert output(*clone, "rev-parse", "--is-shallow-repository") == "true"
    assert output(*clone, "log", "--format=%s by %an") == "Add the notebook by hpc-jupyter-setup"
    assert output(*clone, "branch", "--show-current") == "main"


def test_a_clone_without_blobs_works(git_url: str, tmp_path: Path) -> None:
    """The mirror allows partial clones, and fetches what they need later."""
    output(
        "git",
        "clone",
        "--quiet",
        "--filter=blob:none",
        "--no-checkout",
        f"{git_url}/tables.git",
        tmp_path / "t",
    )
    output("git", "-C", tmp_path / "t", "checkout", "--quiet", "main")
    assert (tmp_path / "t/tables.ipynb").exists()


def test_nothing_can_be_pushed(git_url: str, tmp_path: Path) -> None:
    """The repositories of the mirror are for reading."""
    output("git", "clone", "--quiet", f"{git_url}/plots.git", tmp_path / "plots")
    commit = ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--allow-empty", "-m", "mine"]
    output("git", "-C", tmp_path / "plots", *commit)
    pushed = subprocess.run(
        ["git", "-C", tmp_path / "plots", "push"], capture_output=True, text=True, timeout=20
    )
    assert pushed.returncode != 0
    assert "403" in pushed.stderr


@pytest.mark.parametrize("path", ["absent.git", "../mirror.json", "%2e%2e/%2e%2e/etc"])
def test_what_is_no_repository_is_not_found(git_url: str, path: str) -> None:
    """An unknown name, or a way out of the folder, is not found."""
    assert ask(git_url.removesuffix("/git"), f"/git/{path}/info/refs?service=git-upload-pack")[0] == 404


def test_the_same_notebooks_give_the_same_commit(tmp_path: Path, world: World, git_url: str) -> None:
    """Who clones from two mirrors of one version has the same history."""
    made = write_repository(world, tmp_path, next(c for c in collections() if c.name == "plots"))
    assert made.licence == "BSD-3-Clause"
    ours = output("git", "-C", tmp_path / "plots.git", "rev-parse", "main")
    assert output("git", "ls-remote", f"{git_url}/plots.git", "refs/heads/main").split()[0] == ours
