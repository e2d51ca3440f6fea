"""Flags that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Agree to the plan and take the defaults.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object in place of text.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show all that would be done; change nothing.")]
Mirror = Annotated[str | None, typer.Option(help="URL or folder of a mirror that stands in for all hosts.")]
Offline = Annotated[bool, typer.Option("--offline", help="Ask no server; take what is cached.")]
ByteCode = Annotated[
    bool | None, typer.Option(help="Compile packages in the background, for a quick start; the default.")
]
Engine = Annotated[str, typer.Option(metavar="conda|mamba", help="Let your own conda or mamba do the work.")]
AsJob = Annotated[bool, typer.Option("--as-job", help="Let a batch job do the work; follow it here.")]
Partition = Annotated[str, typer.Option(help="Partition or queue of that job; else as launched last.")]
Account = Annotated[str, typer.Option(help="Who pays for that job; else as launched last.")]
TimeLimit = Annotated[
    str, typer.Option(metavar="TIME", help="Longest time of that job, as for launch; else half an hour.")
]
Memory = Annotated[str, typer.Option(help="Memory of that job, as 4G; else as the site does it.")]
WhileRunning = Annotated[
    bool, typer.Option("--while-running", help="Also while a session uses the environment.")
]
