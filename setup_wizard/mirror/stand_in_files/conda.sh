# etc/profile.d/conda.sh of the rehearsal stand-in: defines `conda`, prints nothing, starts no program.

export CONDA_EXE='@PREFIX@/bin/conda'
export CONDA_PYTHON_EXE='@PREFIX@/bin/python'

conda() {
    case "${1-}" in
        activate | deactivate)
            __stand_in_says="$("$CONDA_EXE" shell.posix "$@")" || return
            eval "$__stand_in_says"
            unset __stand_in_says
            hash -r 2>/dev/null || :
            ;;
        *)
            "$CONDA_EXE" "$@"
            ;;
    esac
}

if [ -z "${CONDA_SHLVL+x}" ]; then
    export CONDA_SHLVL=0
    export PATH="@PREFIX@/condabin${PATH:+:$PATH}"
fi
