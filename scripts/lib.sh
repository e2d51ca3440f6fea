# What the scripts share; sourced, not run. It finds a Python and prepares the private environment .venv.
# All of it speaks on standard error: standard output belongs to the command that follows (--json).

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit

# These would lead our Python to other people's modules.
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP

# find_python: sets $python to the first Python >= 3.10. A name in PATH may not work (a pyenv shim whose
# version is not there, a library that is missing): only running it tells.
find_python() {
    for python in "${PYTHON:-python3}" python3 python3.13 python3.12 python3.11 python3.10 python3.14 \
        /usr/bin/python3 /usr/local/bin/python3 python; do
        if "$python" -I -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; then
            return 0
        fi
    done
    cat >&2 <<'END'
No Python 3.10 or newer was found in PATH.
Install one, or load one, then run again:
  Debian 12, Ubuntu 22.04 or newer   apt-get install python3 python3-venv git
  Fedora, Rocky, Alma, RHEL          dnf install python3.11 git
  on a cluster                       module load python
  one in an unusual place            PYTHON=/path/of/python3 scripts/…
END
    return 1
}

# prepare [PROGRAM...]: brings .venv up to date, sets $py to its Python, and looks for the programs needed.
prepare() {
    find_python || exit 3
    "$python" -I "$root/scripts/prepare.py" "$@" >&2 </dev/null || exit
    py=$root/.venv/bin/python
}
