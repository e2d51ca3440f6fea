"""`launch`, `sessions`, `url`, `logs`, `stop`: Jupyter here or as a job, proven; what is running; its end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from setup_wizard.cli.options import Json, Yes

Id = Annotated[str, typer.Argument(metavar="SESSION", help="The session, or the start of its name.")]


def launch(
    environment: Annotated[
        str | None,
        typer.Option(
            "--environment", "--conda-env", "-e", metavar="NAME|PREFIX", help="Whose Jupyter to start."
        ),
    ] = None,
    conda_yml: Annotated[
        str, typer.Option("--conda-yml", metavar="FILE|NAME", help="Make the environment if need be.")
    ] = "",
    sif: Annotated[str, typer.Option(metavar="IMAGE|URI", help="Jupyter of a container image.")] = "",
    bind: Annotated[
        list[str] | None,
        typer.Option(metavar="SRC[:DST[:OPTS]],…", help="What the image sees of the machine."),
    ] = None,
    nv: Annotated[bool, typer.Option("--nv", help="NVIDIA cards in the image.")] = False,
    rocm: Annotated[bool, typer.Option("--rocm", help="AMD cards in the image.")] = False,
    interface: Annotated[
        str,
        typer.Option("--interface", "-i", "-s", metavar="lab|notebook|voila", help="Which page; else lab."),
    ] = "",
    folder: Annotated[
        Path | None,
        typer.Option("--notebook-dir", "-d", help="The folder that Jupyter shows; else your home."),
    ] = None,
    scratch_dir: Annotated[
        str, typer.Option(metavar="DIR", help="For what is temporary, as '/scratch/$USER'.")
    ] = "",
    packed: Annotated[
        bool | None,
        typer.Option("--packed/--no-packed", help="Unpack the environment on the node's own disk; or not."),
    ] = None,
    from_pack: Annotated[
        Path | None, typer.Option("--from-pack", metavar="FILE", help="The same, from what `env pack` wrote.")
    ] = None,
    idle: Annotated[
        float | None, typer.Option(help="Minutes without work until it stops, else 60; 0: never.")
    ] = None,
    account: Annotated[str, typer.Option("--account", "-A", help="Who pays for the job.")] = "",
    partition: Annotated[str, typer.Option("--partition", "-p", help="Partition or queue.")] = "",
    time_limit: Annotated[
        str, typer.Option("--time-limit", "-t", metavar="TIME", help="Minutes, HH:MM:SS or D-HH:MM:SS.")
    ] = "",
    cpus: Annotated[int, typer.Option("--cpus", "-c", help="Processors; 0: as the site does it.")] = 0,
    memory: Annotated[str, typer.Option("--memory", "-m", help="Memory of a node, as 16G.")] = "",
    gpus: Annotated[int, typer.Option("--gpus", "-g", help="Graphics processors of a node.")] = 0,
    gres: Annotated[str, typer.Option(help="Generic resources, in the scheduler's words.")] = "",
    nodes: Annotated[int, typer.Option("--nodes", "-N", help="Nodes; 0: one.")] = 0,
    qos: Annotated[str, typer.Option("--qos", "-q", help="Quality of service.")] = "",
    reservation: Annotated[str, typer.Option("--reservation", "-R", help="Nodes kept for a class.")] = "",
    constraint: Annotated[
        str, typer.Option("--constraint", "-C", help="Features that the node must have.")
    ] = "",
    env_modules: Annotated[
        str, typer.Option(metavar="A,B", help="Environment modules that the job loads before.")
    ] = "",
    append_modulepath: Annotated[str, typer.Option(metavar="DIR:DIR", help="More folders of modules.")] = "",
    site: Annotated[str, typer.Option(help="The system; else it is recognised.")] = "",
    scheduler: Annotated[
        str, typer.Option(metavar="slurm|torque|pbs|local", help="Who starts it; else as the site has it.")
    ] = "",
    access: Annotated[
        str, typer.Option(metavar="rps|tunnel|direct", help="The way in; else the site's best.")
    ] = "",
    here: Annotated[
        bool, typer.Option("--here", help="On this very machine, also if it is a login node.")
    ] = False,
    interactive: Annotated[
        bool,
        typer.Option(
            "--interactive", help="In this terminal: in the allocation you are in, else in a new one."
        ),
    ] = False,
    readable: Annotated[
        bool,
        typer.Option("--i-understand-http-is-readable", help="Consent to plain HTTP, for --access direct."),
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="The very same as last time.")] = False,
    afresh: Annotated[
        bool, typer.Option("--afresh", help="Nothing as last time: only what is given, and the site's own.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the whole script and what would be called.")
    ] = False,
    test_only: Annotated[
        bool, typer.Option("--test-only", help="Ask when it would start; submit nothing.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Submit, and do not wait.")] = False,
    patience: Annotated[float, typer.Option(metavar="MINUTES", help="How long to wait in the queue.")] = 720,
    yes: Yes = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the URL, and nothing else.")] = False,
    json: Json = False,
) -> int:
    """Start Jupyter, run a cell through its address, and print the address.

    On a cluster it runs as a job on a compute node; elsewhere on this machine.
    """
    from setup_wizard import container, walltime
    from setup_wizard.cli import launching, ordering
    from setup_wizard.cli.old_flags import PAGES
    from setup_wizard.schedulers import Resources
    from setup_wizard.wish import Wish
    from setup_wizard.world import World

    world = World.here()
    wish = Wish(
        folder=folder.expanduser().absolute() if folder else None,
        interface=PAGES.get(interface, interface),
        idle_minutes=idle,
        site=site,
        scheduler=scheduler,
        access=access,
        resources=Resources(
            account=account,
            reservation=reservation,
            partition=partition,
            qos=qos,
            nodes=nodes,
            cpus=cpus,
            memory=memory,
            gpus=gpus,
            gres=gres,
            time_limit=walltime.seconds(time_limit) if time_limit else 0,
            constraint=constraint,
        ),
        modules=tuple(filter(None, env_modules.split(","))),
        modulepaths=tuple(filter(None, append_modulepath.split(":"))),
        container=container.wanted(sif, bind or (), nv=nv, rocm=rocm),
        scratch=scratch_dir,
        packed=packed,
        pack=from_pack.expanduser().absolute() if from_pack else None,
        here=here,
        interactive=interactive,
        readable=readable,
    )
    source = ordering.Source(environment, conda_yml, again=again, afresh=afresh)
    manner = ordering.Manner(json, detach, patience * 60, quiet, dry_run, test_only, yes)
    return launching.run(world, wish, source, manner)


def sessions(
    fresh: Annotated[
        float, typer.Option(metavar="SECONDS", help="Let an answer of the scheduler do that is so old.")
    ] = 0,
    json: Json = False,
) -> int:
    """Show what is running: one line for each session. One that died is cleared away."""
    from setup_wizard.launch import sessions
    from setup_wizard.ui import show
    from setup_wizard.world import World

    world = World.here()
    rows = sessions(world, fresh=fresh)
    if json:
        show.put_json({"ok": True, "sessions": rows})
    else:
        show.put(show.sessions(rows, world.now()), world)
    return 0


def url(session: Id, json: Json = False) -> int:
    """Show how to open a session; wait for it when it has not begun."""
    from setup_wizard.cli import launching, ordering
    from setup_wizard.session import find
    from setup_wizard.world import World

    world = World.here()
    return launching.follow_it(world, find(world, session), ordering.Manner(json))


def logs(session: Id, json: Json = False) -> int:
    """Show what a session has said: its job, what watches it, and Jupyter."""
    from setup_wizard.schedulers import LOG
    from setup_wizard.session import find
    from setup_wizard.ui import show
    from setup_wizard.world import World

    mine = find(World.here(), session)
    paths = [mine.folder / name for name in (LOG, "serve.log", "jupyter.log")]
    found = {path.name: path.read_text(errors="replace") if path.exists() else "" for path in paths}
    if json:
        show.put_json({"ok": True, "session": mine.id, "folder": mine.folder, "logs": found})
        return 0
    for name, text in found.items():
        if text.strip():
            print(f"==> {mine.folder / name} <==\n{text.rstrip()}\n")
    return 0


def stop(
    session: Annotated[str | None, typer.Argument(help="The session, or the start of its name.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Stop them all.")] = False,
    json: Json = False,
) -> int:
    """Stop a session and clean up behind it."""
    from setup_wizard.errors import BadInput
    from setup_wizard.launch import stop, stop_all
    from setup_wizard.session import find
    from setup_wizard.ui import show
    from setup_wizard.world import World

    world = World.here()
    if not session and not every:
        raise BadInput("Which session?", fix="hpc-jupyter-setup sessions lists them; --all stops them all.")
    if session:
        mine = find(world, session)
        stopped = {mine.id: stop(world, mine)}
    else:
        stopped = stop_all(world)
    if json:
        show.put_json({"ok": True, "stopped": stopped})
    else:
        show.put(show.stopped(stopped), world)
    return 0
