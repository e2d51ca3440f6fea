"""The two programs that touch the kernel for the cluster: `boot` is a node, `enter` runs a command on one.

    python inside.py boot            the node's description comes as one line of JSON on standard input
    python inside.py enter PID WHO   what to run comes after «--»; WHO is UID:GID:HOME, or «root»

A node lives as long as its standard input: when whoever started it is gone, however it went, the input ends,
the node's first process ends, and the kernel takes with it every process, mount and address the node had.
Nothing is imported but the standard library, as this runs by file name, before anything is set up.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from typing import Any, NoReturn

NEW_MOUNTS, NEW_UTS, NEW_IPC, NEW_USER, NEW_PIDS, NEW_NET = (
    0x20000,
    0x4000000,
    0x8000000,
    1 << 28,
    1 << 29,
    1 << 30,
)
NODE = NEW_MOUNTS | NEW_UTS | NEW_IPC | NEW_PIDS | NEW_NET
READ_ONLY, NO_SUID, NO_DEV, NO_EXEC, REMOUNT, BIND, TREE, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
libc = ctypes.CDLL(None, use_errno=True)


def must(result: int, what: str) -> None:
    """Raise when a system call has failed."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    arguments = [(x.encode() or None) for x in (source, target, kind)]
    must(libc.mount(*arguments, ctypes.c_ulong(flags), data.encode() or None), f"mount {source} on {target}")


# --- a node -----------------------------------------------------------------------------------------------


def boot() -> NoReturn:
    """Make a node and wait for its end; standard output says its first process's id, «up», or why not."""
    node = json.loads(hear())
    try:
        must(libc.unshare(NODE), "unshare")
    except OSError as e:
        print(f"cannot be made: {node['name']}: {e}", flush=True)
        os._exit(1)
    go, ready = os.pipe()
    first = os.fork()
    if first == 0:
        os.read(go, 1)
        live(node)
    print(first, flush=True)
    os.write(ready, b".")
    os.close(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.waitpid(first, 0)
    os._exit(0)


def live(node: dict[str, Any]) -> NoReturn:
    """The node's first process: prepare, start the daemons, then reap what ends until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    must(libc.prctl(1, signal.SIGKILL, 0, 0, 0), "prctl")
    doing = "cannot be furnished"
    try:
        furnish(node)
        hear()  # the link is there
        doing = "failed to start"
        for argv in node["start"]:
            start(argv, node["log"])
        print("up", flush=True)
    except OSError as e:
        print(f"{doing}: {node['name']}: {e}", flush=True)
        os._exit(1)
    signal.signal(signal.SIGCHLD, reap)
    reap()
    while os.read(0, 4096):
        pass
    os._exit(0)


def hear() -> bytes:
    """The next line of standard input, and nothing of what comes after it."""
    with open(0, "rb", buffering=0, closefd=False) as told:
        return told.readline()


def start(argv: list[str], log: str) -> None:
    """Run a program that becomes a daemon by itself, or fails."""
    with open(log, "ab") as said:
        code = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd="/").returncode
    if code != 0:
        with open(log, errors="replace") as said_before:
            raise OSError(code, f"{' '.join(argv)} ended with {code}: {said_before.read()[-2000:]}")


def reap(*_: object) -> None:
    """Bury the orphans, as a first process has to."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def furnish(node: dict[str, Any]) -> None:
    """Name the node and give it a view of its own of the file system.

    `keep` stays visible though `cover` hides what is around it; all but `write` can only be read.
    """
    socket.sethostname(node["name"])
    mount("", "/", "", TREE | PRIVATE)
    kept = {path: os.open(path, os.O_PATH) for path in node["keep"]}
    mount("proc", "/proc", "proc", NO_SUID | NO_DEV | NO_EXEC)
    for path, mode in node["cover"].items():
        mount("tmpfs", path, "tmpfs", NO_SUID | NO_DEV, f"mode={mode}")
    for path, handle in kept.items():
        target(path, os.fstat(handle).st_mode)
        mount(f"/proc/self/fd/{handle}", path, "", BIND | TREE)
        os.close(handle)
        if path not in node["write"]:
            read_only(path)
    for folder in node["folders"]:
        os.makedirs(folder, 0o755, exist_ok=True)
    for source, path in node["bind"]:
        mount(source, path, "", BIND)
    mount("devpts", "/dev/pts", "devpts", NO_SUID | NO_EXEC, "newinstance,ptmxmode=0666,mode=620")
    mount("/dev/pts/ptmx", "/dev/ptmx", "", BIND)
    read_only("/")


def target(path: str, mode: int) -> None:
    """What a thing of that kind can be mounted on."""
    if os.path.lexists(path):
        return
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    if mode & 0o170000 == 0o040000:
        os.mkdir(path, 0o755)
    else:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))


def read_only(path: str) -> None:
    """Let nothing be written below a mount; what else it forbids stays forbidden."""
    kept = os.statvfs(path).f_flag & (NO_SUID | NO_DEV | NO_EXEC | 1024 | 2048 | 4096)
    times = (kept & 1024) | (kept & 2048) | ((1 << 21) if kept & 4096 else 0)
    mount("", path, "", REMOUNT | BIND | READ_ONLY | (kept & 15) | times)


# --- a command on a node ----------------------------------------------------------------------------------


def enter(pid: int, who: str, argv: list[str]) -> NoReturn:
    """Run a command on the node of that first process, hand signals on to it, and end with its code."""
    wanted = {signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1}
    signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    spaces = NODE
    with open(f"/proc/{pid}/ns/user") as theirs, open("/proc/self/ns/user") as ours:
        if os.fstat(theirs.fileno()).st_ino != os.fstat(ours.fileno()).st_ino:
            spaces |= NEW_USER
    handle = os.pidfd_open(pid)
    must(libc.setns(handle, spaces & ~same_spaces(pid)), f"setns {pid}")
    os.close(handle)
    child = os.fork()
    if child == 0:
        become(who)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, wanted)
        execute(argv)
    while True:
        news = signal.sigwaitinfo(wanted)
        if news.si_signo == signal.SIGCHLD:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                leave(status)
        elif news.si_code <= 0:  # from a process; what the terminal sends has reached the child as well
            os.kill(child, news.si_signo)


def same_spaces(pid: int) -> int:
    """The kinds of namespaces that a process shares with us: those need no entering."""
    kinds = {"mnt": NEW_MOUNTS, "uts": NEW_UTS, "ipc": NEW_IPC, "net": NEW_NET}
    same = {k for k in kinds if os.stat(f"/proc/{pid}/ns/{k}").st_ino == os.stat(f"/proc/self/ns/{k}").st_ino}
    pids = os.stat(f"/proc/{pid}/ns/pid").st_ino == os.stat("/proc/self/ns/pid").st_ino
    return sum(kinds[k] for k in same) | (NEW_PIDS if pids else 0)


def become(who: str) -> None:
    """Turn into a user of the node: in its home folder, with nothing left of what we may."""
    if who == "root":
        os.chdir("/")
        if os.getuid() != 0:
            keep_rights()
    else:
        uid, gid, home = who.split(":")
        if os.getuid() == 0:
            os.setgroups([int(gid)])
            os.setresgid(*[int(gid)] * 3)
            os.setresuid(*[int(uid)] * 3)
        os.chdir(home)
        os.environ["PWD"] = home
    must(libc.prctl(1, signal.SIGKILL, 0, 0, 0), "prctl")  # our end is the command's end


def keep_rights() -> None:
    """Keep the rights over the own user namespace when another program is started in our place."""
    header = struct.pack("Ii", 0x20080522, 0)
    rights = ctypes.create_string_buffer(24)
    must(libc.capget(header, rights), "capget")
    words = list(struct.unpack("6I", rights.raw))
    words[2], words[5] = words[1], words[4]  # inheritable: all that is permitted
    must(libc.capset(header, struct.pack("6I", *words)), "capset")
    for right in range(64):
        if (words[1] if right < 32 else words[4]) >> (right % 32) & 1:
            libc.prctl(47, 2, ctypes.c_ulong(right), 0, 0)


def execute(argv: list[str]) -> NoReturn:
    """Become the command, or end as a shell does when there is none."""
    try:
        os.execvp(argv[0], argv)
    except OSError as e:
        os.write(2, f"{argv[0]}: {e.strerror}\n".encode())
        os._exit(127 if isinstance(e, FileNotFoundError) else 126)


def leave(status: int) -> NoReturn:
    """End as the command did, by the same signal where it was one."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1)


if __name__ == "__main__":
    if sys.argv[1] == "boot":
        boot()
    enter(int(sys.argv[2]), sys.argv[3], sys.argv[sys.argv.index("--") + 1 :])
