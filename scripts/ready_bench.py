"""«Ready to use»: from the YAML file to the first answer of Jupyter; many environments; and nothing to do."""

from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import urllib.error
import urllib.request
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import sleep

from figures import Figure, ms
from making import ENVIRONMENT, apart, created, linked, the_mirror, the_spec
from stopwatch import US, Bench, account, quiet, report, seconds

from setup_wizard.conda import byte_code
from setup_wizard.conda.environment import create
from setup_wizard.conda.sources import of_file
from setup_wizard.conda.spec import EnvSpec
from setup_wizard.world import Progress, World

MANY = 10
JUPYTER = ("-I", "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1")
LONGEST = 120.0  # seconds for Jupyter to answer


@dataclass(frozen=True)
class Round:
    """Seconds: to make an environment cold and to start Jupyter in it; to compile it; both again, warm.

    `condas_start` is that of an environment whose every file was compiled at its place, as conda does it.
    """

    cold: float
    first_start: float
    compiling: float
    warm: float
    start: float
    plain: float  # warm, without byte code
    plain_start: float
    condas_start: float

    @property
    def usable(self) -> tuple[float, float]:
        """Cold: until Jupyter answers, and had everything been compiled before it was started."""
        return self.cold + self.first_start, self.cold + self.compiling + self.start


def ready(bench: Bench) -> list[Figure]:
    """From the YAML file to the first answer of Jupyter, cold and warm, with and without byte code."""
    spec = the_spec()
    rounds = [_round(bench, spec) for _ in range(bench.runs)]
    cold, compiled = (median(r.usable[n] for r in rounds) for n in (0, 1))
    warm = median(r.warm + r.start for r in rounds)
    plain = median(r.plain + r.plain_start for r in rounds)
    start, without = median(r.start for r in rounds), median(r.plain_start for r in rounds)
    condas = median(r.condas_start for r in rounds)
    return [
        _over("ready to use, cold", cold, "compiled before", compiled),
        _over("ready to use, warm, with byte code", warm, "without", plain),
        _over("first start of Jupyter, with byte code", start, "without", without),
        _over("first start of Jupyter, ours and conda's", start, "compiled as conda does", condas, 1.1),
    ]


def _over(what: str, ours: float, way: str, other: float, most: float = 1) -> Figure:
    ratio = ours / other
    return Figure(what, f"{ours:.2f} s", f"{way} {other:.2f} s", f"{ratio:.2f}", f"≤ {most:g}", ratio <= most)


def _round(bench: Bench, spec: EnvSpec) -> Round:
    home = bench.home()
    world, envs = account(home), home / "envs"
    envs.mkdir()
    cold, _ = created(world, envs / "first", spec)
    first_start = started(envs / "first", bench.home())
    report(Progress("Compiling"))
    compiling = apart(_compiled, world, envs / "first")
    plain, _ = created(world, envs / "plain", spec)
    plain_start = started(envs / "plain", bench.home())
    _compiled_in_place(envs / "plain")
    condas_start = started(envs / "plain", bench.home())
    warm, _ = created(world, envs / "second", spec, (), True)
    start = started(envs / "second", bench.home())
    return Round(cold, first_start, compiling, warm, start, plain, plain_start, condas_start)


def _compiled_in_place(prefix: Path) -> None:
    """Each file once more in this environment, with the time of its source."""
    compiler = ["-I", "-m", "compileall", "-q", "-f", "-j", "0", "--invalidation-mode", "timestamp"]
    subprocess.run([prefix / "bin/python", *compiler, prefix / "lib"], stdout=subprocess.DEVNULL)


def _compiled(world: World, prefix: Path) -> float:
    return seconds(lambda: byte_code.make(world, prefix))


def started(prefix: Path, home: Path) -> float:
    """Seconds until a Jupyter of the environment answers for the first time."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = [str(prefix / "bin/python"), *JUPYTER, f"--port={port}", "--ServerApp.port_retries=0"]
    os.sync()
    with (home / "jupyter.log").open("wb") as log:
        server = subprocess.Popen(argv, env=account(home).env, cwd=home, stdout=log, stderr=log)
        try:
            return seconds(lambda: _answers(f"http://127.0.0.1:{port}/api", server))
        finally:
            server.kill()
            server.wait()


def _answers(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(int(LONGEST / 0.01)):
        try:
            with urllib.request.urlopen(url, timeout=LONGEST):
                return
        except (urllib.error.URLError, OSError):
            if server.poll() is not None:
                break
            sleep(0.01)
    raise SystemExit(f"Jupyter did not answer at {url}")


# --- many, and none -------------------------------------------------------------------------------------


def many(bench: Bench) -> list[Figure]:
    """Ten environments at once from one lock, over the same links by `cp -al`, ten at once as well."""
    home = bench.home()
    mirror, lock, envs = the_mirror(), home / "class.lock", home / "envs"
    quiet(*US, "env", "lock", ENVIRONMENT, "--mirror", mirror, "-o", lock, home=home)()
    spec, world = of_file(lock), account(home)
    envs.mkdir()
    created(world, envs / "first", spec)
    times = []
    for run in range(bench.runs):
        report(Progress(f"{MANY} environments at once"))
        places = [envs / f"{run}-{n}" for n in range(MANY)]
        with ProcessPoolExecutor(MANY, multiprocessing.get_context("spawn")) as pool:
            list(pool.map(abs, range(MANY)))  # the processes are there
            os.sync()
            ours = seconds(lambda: list(pool.map(_one, [world] * MANY, places, [spec] * MANY)))  # noqa: B023
        with ThreadPoolExecutor(MANY) as threads:
            copies = [bench.fresh() for _ in range(MANY)]
            floor = seconds(lambda: list(threads.map(linked, [envs / "first"] * MANY, copies)))  # noqa: B023
        times.append((ours, floor))
    ours, floor = (median(column) for column in zip(*times, strict=True))
    what = f"{MANY} environments at once from one lock"
    return [Figure(what, f"{ours:.2f} s", f"`cp -al` {floor:.2f} s", f"{ours / floor:.2f}")]


def _one(world: World, prefix: Path, spec: EnvSpec) -> None:
    create(world, prefix, spec)


def again(bench: Bench) -> list[Figure]:
    """`env create` where all is there: the whole process."""
    home = bench.home()
    words = ["env", "create", ENVIRONMENT, "--yes", "--no-byte-code", "--mirror", str(the_mirror())]
    report(Progress("Making an environment to find again"))
    quiet(*US, *words, home=home)()
    ours, bare = bench.in_turn(
        4 * bench.runs, quiet(*US, *words, home=home), quiet(US[0], "-I", "-c", "pass")
    )
    over = f"`python -c pass` {ms(bare)}"
    what = "`env create`, nothing to do"
    return [Figure(what, ms(ours), over, f"{ours / bare:.1f}", "≤ 150 ms", ours <= 0.15)]
