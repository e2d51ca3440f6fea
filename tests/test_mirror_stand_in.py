"""The stand-in installer answers as the real one does, and its conda as the self-test asks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pytest
from mirror_parts import install, kept_tiny_mirror, output

from setup_wizard.mirror import server
from setup_wizard.mirror.stand_in import FAMILIES, TEMPLATES, Family
from setup_wizard.world import sha256_of

READ = ". ~/miniconda3/etc/profile.d/conda.sh"
SHELLS = [s for s in ("bash", "dash", "sh") if shutil.which(s)]


@pytest.fixture(scope="module")
def installer() -> Path:
    """The stand-in of Miniconda."""
    return next((kept_tiny_mirror().path / "miniconda").glob("*.sh"))


@dataclass(frozen=True)
class Account:
    """A home, and what is run in it."""

    home: Path

    def run(self, *argv: str | Path, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        clean = {"HOME": str(self.home), "PATH": os.environ["PATH"], **env}
        return subprocess.run(
            [str(a) for a in argv],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            env=clean,
            cwd=self.home,
        )

    def sh(self, text: str, shell: str = "bash", **env: str) -> subprocess.CompletedProcess[str]:
        """Run shell text, without the user's files."""
        return self.run(shell, "-c", text, **env)

    @property
    def paths(self) -> list[str]:
        return sorted(str(p.relative_to(self.home)) for p in self.home.rglob("*"))


@pytest.fixture
def account(tmp_path: Path) -> Account:
    """An empty home."""
    (tmp_path / "home").mkdir()
    return Account(tmp_path / "home")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, installer: Path) -> Account:
    """A home with the stand-in in ~/miniconda3, a named environment `tools` in it, and one elsewhere."""
    home = tmp_path_factory.mktemp("account")
    account = Account(home)
    done = account.run("bash", installer, "-b", "-p", home / "miniconda3")
    assert done.returncode == 0, done.stderr
    with server.serve(kept_tiny_mirror().path) as url:
        assert (
            install(f"{url}/conda-forge", home / "miniconda3/envs/tools", "tiny-tools")["type"] == "installed"
        )
    shutil.copytree(home / "miniconda3/envs/tools/conda-meta", home / "elsewhere/conda-meta")
    with (home / ".conda/environments.txt").open("a") as register:
        register.write(f"{home}/elsewhere\n/gone\n")
    return account


# --- the installer --------------------------------------------------------------------------------------


def test_its_name_is_chosen_as_usual_and_its_head_tells_what_it_is(installer: Path) -> None:
    """The file name has the form of a release; the first lines say that it is a stand-in."""
    assert installer.name.startswith("Miniconda3-py3")
    assert installer.name.endswith(f"_99.1.0-0-Linux-{os.uname().machine}.sh")
    head = installer.read_bytes()[:500].decode(errors="replace")
    assert "REHEARSAL STAND-IN" in head
    assert "not the product of that name" in head


@pytest.mark.parametrize("family", FAMILIES)
def test_its_listing_tells_its_hashes(family: Family) -> None:
    """.files.json has sha256, md5, size and mtime; Miniforge has its sidecar, too."""
    folder = kept_tiny_mirror().path / family.folder
    listing = json.loads((folder / ".files.json").read_text())
    for name, entry in listing.items():
        assert entry["sha256"] == sha256_of(folder / name)
        assert entry["size"] == (folder / name).stat().st_size
        assert {"md5", "mtime"} < set(entry)
    if folder.name == "miniforge":
        sidecar = folder / f"{next(iter(listing))}.sha256"
        assert sidecar.read_text().split() == [entry["sha256"], f"./{name}"]


def test_help_is_exit_2(account: Account, installer: Path) -> None:
    """-h prints the usage on standard output and ends with 2."""
    done = account.run("bash", installer, "-h")
    assert done.returncode == 2
    assert "-p PREFIX" in done.stdout
    assert account.paths == []


@pytest.mark.parametrize("shell", SHELLS)
def test_batch_mode_installs_and_touches_no_shell_file(account: Account, installer: Path, shell: str) -> None:
    """-b -p NEW says what it does, makes a base that works, registers it, and changes nothing else."""
    prefix = account.home / "new/miniconda3"
    done = account.run(shell, installer, "-b", "-p", prefix)
    assert (done.returncode, done.stderr) == (0, "")
    said = [line for line in done.stdout.splitlines() if line]
    assert said == [
        f"PREFIX={prefix}",
        "Unpacking bootstrapper...",
        "Unpacking payload...",
        "Installing base environment...",
        "installation finished.",
    ]
    assert sorted(os.listdir(account.home)) == [".conda", "new"]
    assert (account.home / ".conda/environments.txt").read_text() == f"{prefix}\n"
    assert (prefix / ".condarc").read_text() == "channels:\n  - defaults\n"
    assert (prefix / "conda-meta/history").exists()
    assert account.run(prefix / "bin/conda", "--version").stdout == "conda 99.1.0\n"
    python = account.run(prefix / "bin/python", "-c", "import sys, ssl; print(sys.prefix)")
    assert python.stdout == f"{prefix}\n"
    assert "placehold_" not in account.run("grep", "-rIl", "placehold_", prefix).stdout


def test_miniforge_names_conda_forge(account: Account) -> None:
    """The other family differs in its name and its channel."""
    twin = next((kept_tiny_mirror().path / "miniforge").glob("*.sh"))
    assert account.run("bash", twin, "-b").returncode == 0
    assert (account.home / "miniforge3/.condarc").read_text() == "channels:\n  - conda-forge\n"


@pytest.mark.parametrize("there", ["folder", "file"])
def test_an_existing_prefix_is_refused(account: Account, installer: Path, there: str) -> None:
    """-b -p EXISTING, even an empty folder, is exit 1 and leaves it as it was."""
    prefix = account.home / "there"
    prefix.mkdir() if there == "folder" else prefix.write_text("mine")
    done = account.run("bash", installer, "-b", "-p", prefix)
    assert done.returncode == 1
    assert f"ERROR: File or directory already exists: '{prefix}'" in done.stderr
    assert "If you want to update an existing installation, use the -u option." in done.stderr
    assert account.paths == ["there"]


def test_u_and_f_install_into_an_existing_prefix(account: Account, installer: Path) -> None:
    """-u and -f go on; what was configured and registered stays as it is."""
    prefix = account.home / "miniconda3"
    account.run("bash", installer, "-b")
    (prefix / ".condarc").write_text("channels:\n  - conda-forge\n")
    (prefix / "bin/conda").unlink()
    for option in ("-u", "-f"):
        assert account.run("bash", installer, "-b", "-s", "-m", option).returncode == 0
    assert account.run(prefix / "bin/conda", "--version").returncode == 0
    assert (prefix / ".condarc").read_text() == "channels:\n  - conda-forge\n"
    assert (account.home / ".conda/environments.txt").read_text() == f"{prefix}\n"


def test_a_prefix_with_a_space_is_refused(account: Account, installer: Path) -> None:
    """Exit 1, and nothing is made."""
    done = account.run("bash", installer, "-b", "-p", account.home / "with space")
    assert done.returncode == 1
    assert "ERROR: Cannot install into directories with spaces" in done.stderr
    assert account.paths == []


def test_a_parent_that_cannot_be_written_is_said(account: Account, installer: Path) -> None:
    """Exit 1, with the prefix and the space that is needed."""
    prefix = account.home / "file/miniconda3"
    (account.home / "file").write_text("")
    done = account.run("bash", installer, "-b", "-p", prefix)
    assert done.returncode == 1
    assert f"ERROR: Could not create directory: '{prefix}'." in done.stderr
    assert "Check permissions and available disk space (" in done.stderr
    assert "MB needed)." in done.stderr


def test_too_little_space_is_said(account: Account, installer: Path) -> None:
    """It asks df, and stops before it makes anything."""
    (account.home / "df").write_text("#!/bin/sh\necho header; echo disk 100000 99000 1000 99% /\n")
    (account.home / "df").chmod(0o755)
    done = account.run("bash", installer, "-b", PATH=f"{account.home}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert "ERROR: Not enough space" in done.stderr
    assert account.paths == ["df"]


@pytest.mark.parametrize("options", [["-x"], ["--batch"], ["-b", "-p"]])
def test_an_unknown_option_is_refused(account: Account, installer: Path, options: list[str]) -> None:
    """Exit 1, with the hint at -h."""
    done = account.run("bash", installer, *options)
    assert done.returncode == 1
    assert "ERROR: did not recognize option '?', please try -h" in done.stderr


def test_a_name_without_sh_is_refused(account: Account, installer: Path, tmp_path: Path) -> None:
    """The script wants its name to end in .sh."""
    shutil.copy(installer, tmp_path / "installer")
    done = account.run("bash", tmp_path / "installer", "-b")
    assert done.returncode == 1
    assert 'Please run using "bash"/"dash"/"sh"/"zsh", but not "." or "source".' in done.stderr
    assert account.paths == []


@pytest.mark.parametrize("damage", ["truncated", "changed"])
def test_a_damaged_installer_warns_goes_on_and_leaves_a_half_prefix(
    account: Account, installer: Path, tmp_path: Path, damage: str
) -> None:
    """As the real one: only a warning about the hash, then exit 1 and half a prefix."""
    data = bytearray(installer.read_bytes())
    data[len(data) // 2] ^= 0xFF
    bad = tmp_path / "bad.sh"
    bad.write_bytes(data if damage == "changed" else data[: len(data) // 2])
    done = account.run("bash", bad, "-b")
    assert done.returncode == 1
    assert "WARNING: md5sum mismatch of tar archive" in done.stderr
    assert "installation finished." not in done.stdout
    assert (account.home / "miniconda3").is_dir()
    assert not (account.home / ".conda").exists()


def test_pythonpath_is_warned_of(account: Account, installer: Path) -> None:
    """A warning at the end, and exit 0."""
    done = account.run("bash", installer, "-b", PYTHONPATH="/somewhere")
    assert done.returncode == 0
    assert "PYTHONPATH" in done.stdout.partition("installation finished.")[2]


def test_a_prefix_may_hold_what_sed_takes_for_its_own(account: Account, installer: Path) -> None:
    """Odd letters of a path end up in the files as they are; a relative path becomes absolute."""
    assert account.run("bash", installer, "-b", "-p", "a&b|c").returncode == 0
    assert account.run(account.home / "a&b|c/bin/conda", "info", "--base").stdout == f"{account.home}/a&b|c\n"


# --- its questions --------------------------------------------------------------------------------------


def answer(account: Account, installer: Path, answers: list[tuple[str, str]]) -> tuple[int, str]:
    """Answer the installer's questions on a terminal; its exit code and all that it said."""
    env = {"HOME": str(account.home), "PATH": os.environ["PATH"], "TERM": "dumb"}
    child = pexpect.spawn(
        "bash", [str(installer)], env=env, timeout=30, encoding="utf-8", dimensions=(50, 100)
    )
    said = ""
    for question, reply in answers:
        while child.expect_exact([question, "(END)"]):
            child.send("q")  # a pager that waits at the end of the licence
        said += child.before + child.after
        child.sendline(reply)
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus, said + child.before


def test_the_questions_in_order(account: Account, installer: Path) -> None:
    """ENTER, the licence, the place, the installation, and the shell, which `no` leaves alone."""
    code, said = answer(
        account,
        installer,
        [
            ("press ENTER to continue", ""),
            ("Do you accept the license terms? [yes|no]", "yes"),
            (f"[{account.home}/miniconda3] >>>", f"{account.home}/mine"),
            ("Proceed with initialization? [yes|no]", "no"),
        ],
    )
    assert code == 0
    assert "installation finished." in said
    assert sorted(os.listdir(account.home)) == [".conda", "mine"]


def test_the_licence_wants_a_whole_word(account: Account, installer: Path) -> None:
    """`y` is asked again, `no` is exit 2, and nothing is made."""
    code, said = answer(
        account,
        installer,
        [
            ("press ENTER to continue", ""),
            ("[yes|no]", "y"),
            ("Please answer 'yes' or 'no':", "no"),
        ],
    )
    assert code == 2
    assert "The license agreement wasn't approved, aborting installation." in said
    assert account.paths == []


def test_yes_to_the_shell_writes_condas_block(account: Account, installer: Path) -> None:
    """The block has conda's marks, and a new shell finds conda."""
    answers = [("continue", ""), ("terms?", "yes"), ("miniconda3] >>>", ""), ("initialization?", "yes")]
    assert answer(account, installer, answers)[0] == 0
    bashrc = (account.home / ".bashrc").read_text()
    assert "# >>> conda initialize >>>" in bashrc
    assert "# <<< conda initialize <<<" in bashrc
    assert account.sh(". ~/.bashrc; conda --version").stdout == "conda 99.1.0\n"


def test_without_any_answer_nothing_is_installed(account: Account, installer: Path) -> None:
    """A closed standard input is no agreement to the licence."""
    assert account.run("bash", installer).returncode == 2
    assert account.paths == []


# --- its conda ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
def test_reading_conda_sh_prints_nothing_and_starts_nothing(installed: Account, shell: str) -> None:
    """The file for the shell is silent, survives strict shells, and needs no PATH at all."""
    done = installed.sh(f"set -eu; PATH=/nowhere; {READ}; echo $CONDA_SHLVL $PATH", shell)
    assert done.stdout == f"0 {installed.home}/miniconda3/condabin:/nowhere\n"
    assert done.stderr == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_activate_and_deactivate(installed: Account, shell: str) -> None:
    """PATH, CONDA_PREFIX, CONDA_DEFAULT_ENV and CONDA_SHLVL follow, there and back again."""
    show = "echo $CONDA_SHLVL ${CONDA_DEFAULT_ENV-none} ${CONDA_PREFIX-none} $(command -v tiny || echo -)"
    steps = ["conda activate", "conda activate tools", "conda deactivate", "conda deactivate"]
    there_and_back = "".join(f"{step}; {show}; " for step in steps)
    done = installed.sh(
        f"{READ}; before=$PATH; {there_and_back} [ $PATH = $before ] && echo same; conda deactivate", shell
    )
    base = f"{installed.home}/miniconda3"
    assert (done.stderr, done.stdout.splitlines()) == (
        "",
        [
            f"1 base {base} -",
            f"2 tools {base}/envs/tools {base}/envs/tools/bin/tiny",
            f"1 base {base} -",
            "0 none none -",
            "same",
        ],
    )


def test_an_unknown_environment_is_an_error(installed: Account) -> None:
    """Activation of what is not there ends with 1, changes nothing, and says so."""
    done = installed.sh(f"{READ}; conda activate nosuch || echo $? $CONDA_SHLVL")
    assert done.stdout == "1 0\n"
    assert done.stderr == "EnvironmentNameNotFound: Could not find conda environment: nosuch\n"


def test_variables_and_scripts_of_an_environment_come_and_go(installed: Account) -> None:
    """`variables:` of a YAML and activate.d scripts act on entering, and are gone on leaving."""
    prefix = installed.home / "miniconda3/envs/tools"
    (prefix / "conda-meta/state").write_text('{"version": 1, "env_vars": {"GREETING": "it\'s me"}}')
    for when, text in (("activate", "export HOOK=in"), ("deactivate", "unset HOOK")):
        (prefix / f"etc/conda/{when}.d").mkdir(parents=True, exist_ok=True)
        (prefix / f"etc/conda/{when}.d/x.sh").write_text(text)
    show = 'echo "${GREETING-none} ${HOOK-none}"'
    steps = ["conda activate tools", "conda activate", "conda deactivate"]
    done = installed.sh("; ".join([READ, *(f"{step}; {show}" for step in steps)]))
    assert done.stdout.splitlines() == ["it's me in", "none none", "it's me in"]
    assert (
        installed.run(prefix.parents[1] / "bin/conda", "run", "-n", "tools", "sh", "-c", show).stdout
        == "it's me in\n"
    )


def conda(installed: Account, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Call the stand-in's conda."""
    return installed.run(installed.home / "miniconda3/bin/conda", *words, **env)


def test_it_lists_environments(installed: Account) -> None:
    """`env list` and `info --envs` name the base, named ones and registered ones, not those that are gone."""
    base = f"{installed.home}/miniconda3"
    expected = [base, f"{base}/envs/tools", f"{installed.home}/elsewhere"]
    assert json.loads(conda(installed, "env", "list", "--json").stdout) == {"envs": expected}
    table = conda(installed, "env", "list", CONDA_PREFIX=f"{base}/envs/tools").stdout
    rows = [line.split() for line in table.splitlines() if line and not line.startswith("#")]
    assert rows == [["base", base], ["tools", "*", expected[1]], [expected[2]]]
    assert conda(installed, "info", "--envs").stdout == conda(installed, "env", "list").stdout


def test_it_runs_commands_in_an_environment(installed: Account) -> None:
    """`run` by name or by path, with its exit code; without a command or in no environment it says so."""
    prefix = f"{installed.home}/miniconda3/envs/tools"
    assert conda(installed, "run", "-n", "tools", "tiny").stdout == f"1.0 {prefix}\n"
    assert conda(installed, "run", "--no-capture-output", "-p", prefix, "--cwd", "/", "pwd").stdout == "/\n"
    assert conda(installed, "run", "-n", "tools", "sh", "-c", "exit 7").returncode == 7
    assert conda(installed, "run", "-n", "tools").returncode == 2
    assert conda(installed, "run", "-n", "nosuch", "true").returncode == 1


def test_it_lists_packages(installed: Account) -> None:
    """`list` reads conda-meta, of an environment by name or path and of the base."""
    rows = json.loads(conda(installed, "list", "-n", "tools", "--json").stdout)
    assert {r["name"] for r in rows} == {"python", "tiny-core", "tiny-tools"}
    assert "tiny-tools" in conda(installed, "list", "-p", f"{installed.home}/elsewhere").stdout
    assert [r["name"] for r in json.loads(conda(installed, "list", "--json").stdout)] == ["python"]


@pytest.mark.parametrize(
    ("condarc", "expected"),
    [
        ("", ["defaults"]),
        ("channels:\n  - conda-forge  # ours\nssl_verify: true\n", ["conda-forge", "defaults"]),
        ("channels: [a, 'b']\n", ["a", "b", "defaults"]),
        ("# channels:\n#  - x\nchannels:\n- c\n", ["c", "defaults"]),
    ],
)
def test_it_merges_the_channels_of_all_condarc_files(
    installed: Account, condarc: str, expected: list[str]
) -> None:
    """The user's channels come first, and the root's `defaults` stays in: lists merge."""
    (installed.home / ".condarc").write_text(condarc)
    assert json.loads(conda(installed, "config", "--show", "channels", "--json").stdout) == {
        "channels": expected
    }
    assert conda(installed, "config", "--show", "channels").stdout.splitlines() == [
        "channels:",
        *(f"  - {c}" for c in expected),
    ]
    (installed.home / ".condarc").unlink()


def test_it_tells_about_itself(installed: Account) -> None:
    """`info --json` gives what programs ask for, and says that it is a stand-in."""
    facts = json.loads(conda(installed, "info", "--json").stdout)
    assert facts["root_prefix"] == f"{installed.home}/miniconda3"
    assert facts["conda_version"] == "99.1.0"
    assert facts["rehearsal_stand_in"] is True
    assert str(installed.home / "miniconda3/envs") in facts["envs_dirs"]


@pytest.mark.parametrize(
    "words",
    [["create", "-n", "x"], ["install", "numpy"], ["env", "create"], ["config", "--add", "channels", "x"]],
)
def test_what_it_does_not_do_it_says(installed: Account, words: list[str]) -> None:
    """Everything else is exit 2 and one clear line."""
    done = conda(installed, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"The rehearsal stand-in does not do this: conda {' '.join(words[:2])}.")


def test_the_hook_defines_conda(installed: Account) -> None:
    """`eval "$(conda shell.bash hook)"` gives the same conda as the file."""
    text = 'eval "$(~/miniconda3/bin/conda shell.bash hook)"; conda activate tools; echo $CONDA_DEFAULT_ENV'
    assert installed.sh(text).stdout == "tools\n"


def test_its_scripts_are_sound() -> None:
    """The files that it is made of pass the shells' and Python's own checks."""
    for shell in SHELLS:
        output(shell, "-n", TEMPLATES / "installer.sh")
        output(shell, "-n", TEMPLATES / "conda.sh")
    compile((TEMPLATES / "conda").read_text(), "conda", "exec")
