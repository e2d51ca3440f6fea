#!/bin/sh
# @FAMILY@ @VERSION@: REHEARSAL STAND-IN.
#
# This is not the product of that name. It was made by hpc-jupyter-setup for its rehearsal and its tests, out
# of the Python of this machine; it takes the same options, asks the same questions and ends with the same
# exit codes as the real installer. Its `conda` looks, activates and runs, and installs nothing.

FAMILY='@FAMILY@'
MD5='@MD5@'
PAYLOAD_LINE=@PAYLOAD_LINE@
NEEDED_KB=@NEEDED_KB@
PLACEHOLDER='@PLACEHOLDER@'
PREFIX="${HOME:-/opt}/@HOME_NAME@"
BATCH=0 FORCE=0 UPDATE=0 INIT=0

say() { printf '%s\n' "$@"; }

complain() { printf '%s\n' "$@" >&2; }

fail() {
    complain "$@"
    exit 1
}

usage() {
    say "usage: $0 [options]" '' \
        "Installs the rehearsal stand-in of $FAMILY @VERSION@." '' \
        '-b           batch mode: no questions, the licence counts as accepted, no shell file is changed' \
        '-c           in batch mode: initialise the shell as well' \
        '-f           no error if the prefix exists already' \
        '-h           print this text and end' \
        '-m           make no shortcuts' \
        "-p PREFIX    where to install, $PREFIX otherwise" \
        '-s           skip the scripts before and after' \
        '-u           update an existing installation'
    exit 2
}

read_options() {
    while getopts ':bcfhmp:su' option; do
        case "$option" in
            b) BATCH=1 ;;
            c) INIT=1 ;;
            f) FORCE=1 ;;
            h) usage ;;
            p) PREFIX="$OPTARG" ;;
            m | s) ;;
            u) UPDATE=1 ;;
            *) fail "ERROR: did not recognize option '?', please try -h" ;;
        esac
    done
}

# Ask until the whole word yes or no is given; $1 is the question, $2 the answer of a bare ENTER.
ask() {
    printf '%s [yes|no]\n[%s] >>> ' "$1" "$2"
    while read -r reply; do
        case "${reply:-$2}" in
            [Yy][Ee][Ss]) return 0 ;;
            [Nn][Oo]) return 1 ;;
        esac
        say "Please answer 'yes' or 'no':"
        printf '>>> '
    done
    return 1
}

show_licence() {
    if [ -t 0 ] && [ -t 1 ]; then licence | more; else licence; fi
}

licence() {
    say "Licence of the rehearsal stand-in of $FAMILY" '' \
        'The Python in it is under the PSF licence, all else under BSD-3-Clause.' \
        'The real installer shows the terms of its own maker here.' ''
}

interview() {
    say "Welcome to $FAMILY @VERSION@ (rehearsal stand-in)" '' \
        'In order to continue the installation process, please review the license' 'agreement.' \
        'Please, press ENTER to continue'
    printf '>>> '
    read -r _
    show_licence
    if ! ask 'Do you accept the license terms?' no; then
        say "The license agreement wasn't approved, aborting installation."
        exit 2
    fi
    say '' "$FAMILY will now be installed into this location:" "$PREFIX" '' \
        '  - Press ENTER to confirm the location' \
        '  - Press CTRL-C to abort the installation' \
        '  - Or specify a different location below' ''
    printf '[%s] >>> ' "$PREFIX"
    read -r other
    PREFIX="${other:-$PREFIX}"
}

check_prefix() {
    case "$PREFIX" in *' '*) fail 'ERROR: Cannot install into directories with spaces' ;; esac
    case "$PREFIX" in
        "~/"*) PREFIX="$HOME/${PREFIX#"~/"}" ;;
        /*) ;;
        *) PREFIX="$PWD/$PREFIX" ;;
    esac
    if [ -e "$PREFIX" ] && [ $FORCE = 0 ] && [ $UPDATE = 0 ]; then
        fail "ERROR: File or directory already exists: '$PREFIX'" \
            'If you want to update an existing installation, use the -u option.'
    fi
}

check_space() {
    place="$PREFIX"
    while [ ! -d "$place" ]; do place="$(dirname "$place")"; done
    free_kb="$(df -Pk "$place" | awk 'NR == 2 { print $4 }')"
    free_kb="${free_kb:-0}"
    if [ "$free_kb" -lt "$NEEDED_KB" ]; then
        fail "ERROR: Not enough space in '$place': $((NEEDED_KB / 1024)) MB are needed, $((free_kb / 1024)) MB are free."
    fi
}

make_prefix() {
    if ! mkdir -p "$PREFIX" 2>/dev/null || [ ! -w "$PREFIX" ]; then
        fail "ERROR: Could not create directory: '$PREFIX'." \
            "Check permissions and available disk space ($((NEEDED_KB / 1024)) MB needed)."
    fi
    say "PREFIX=$PREFIX"
}

payload() { tail -n +"$PAYLOAD_LINE" "$0"; }

unpack() {
    say 'Unpacking bootstrapper...'
    found="$(payload | md5sum | cut -d ' ' -f 1)"
    if [ "$found" != "$MD5" ]; then
        complain 'WARNING: md5sum mismatch of tar archive' "expected: $MD5" "     got: $found"
    fi
    say 'Unpacking payload...'
    payload | tar -xzof - -C "$PREFIX" || fail 'ERROR: the payload could not be unpacked.'
}

# Write the real prefix into the text files that hold the placeholder.
settle() {
    say '' 'Installing base environment...' ''
    escaped="$(printf '%s' "$PREFIX" | sed 's/[&|\\]/\\&/g')"
    (cd "$PREFIX" && sed -i "s|$PLACEHOLDER|$escaped|g" @PREFIX_FILES@) || fail 'ERROR: the prefix could not be written.'
    [ -e "$PREFIX/.condarc" ] || printf 'channels:\n  - %s\n' '@CHANNEL@' >"$PREFIX/.condarc"
    mkdir -p "$PREFIX/envs" "$PREFIX/pkgs"
}

register() {
    list="$HOME/.conda/environments.txt"
    mkdir -p "$HOME/.conda"
    if ! grep -qxF "$PREFIX" "$list" 2>/dev/null; then say "$PREFIX" >>"$list"; fi
}

initialise() {
    say '' '# >>> conda initialize >>>' '# Written by the rehearsal stand-in of '"$FAMILY"'.' \
        ". '$PREFIX/etc/profile.d/conda.sh'" '# <<< conda initialize <<<' >>"$HOME/.bashrc"
    say "modified      $HOME/.bashrc"
}

main() {
    read_options "$@"
    [ $BATCH = 1 ] || interview
    check_prefix
    check_space
    make_prefix
    unpack
    settle
    register
    say 'installation finished.'
    if [ $BATCH = 0 ] && ask 'Proceed with initialization?' no; then INIT=1; fi
    [ $INIT = 0 ] || initialise
    if [ -n "${PYTHONPATH-}" ]; then
        say 'WARNING:' '    You currently have a PYTHONPATH environment variable set. This may cause' \
            "    unexpected behavior when running the Python interpreter in $FAMILY."
    fi
}

case "$0" in
    *.sh) ;;
    *)
        complain 'Please run using "bash"/"dash"/"sh"/"zsh", but not "." or "source".'
        # shellcheck disable=SC2317
        return 1 2>/dev/null || exit 1
        ;;
esac
main "$@"
exit 0
@@END_HEADER@@
