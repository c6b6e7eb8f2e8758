# Sourced by the scripts beside it: brings a fresh Debian or Ubuntu machine to where they can run.
# Each function does nothing, fast, where its work is done already.
#
#   ensure_packages WHY PACKAGE...   Debian packages; installs them with root or sudo, and says so
#   ensure_venv                      .venv with what requirements/dev.txt locks, and the project
#   ensure_engine                    a Docker Engine that answers, or what starting our own takes
#
# They return 1, having said what to run, where they lack the rights or the means.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
PATH=$PATH:/usr/sbin:/sbin  # dockerd and its helpers lie there, and a user's PATH lacks it

say() { printf '%s\n' "$*" >&2; }

join_words() { printf '%s' "$1"; shift; [ $# = 0 ] || printf ', %s' "$@"; }

# Runs a command as root. Asks for a password only where somebody is there to type it.
with_rights() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

have_rights() {
    [ "$(id -u)" = 0 ] && return 0
    command -v sudo >/dev/null || return 1
    sudo -n true 2>/dev/null || { [ -t 0 ] && [ -t 2 ]; }
}

ensure_packages() {
    local why=$1 package missing=()
    shift
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' ||
            missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return 0
    if ! command -v apt-get >/dev/null; then
        say "Needed $why: ${missing[*]} (names of Debian packages). This machine has no apt-get: install them by its own means."
        return 1
    fi
    if ! have_rights; then
        say "Needed $why, and only root may install it. Run:"
        say "    sudo apt-get install --no-install-recommends ${missing[*]}"
        return 1
    fi
    say "Installing Debian packages $why: ${missing[*]}"
    if ! (_apt_install "${missing[@]}"); then
        say "Could not install ${missing[*]}; apt's own words are above."
        return 1
    fi
}

# Never removes a package, and starts no service that a package brings: whoever runs tests did not
# ask for a new daemon. A subshell, so that its trap is its own.
_apt_install() {
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120)
    trap _let_services_start EXIT
    trap 'exit 130' INT TERM
    _hold_services_back
    with_rights "${apt[@]}" update >&2 || say "The package lists could not be refreshed; trying with what is here."
    with_rights "${apt[@]}" install --no-install-recommends --no-remove "$@" >&2 </dev/null
}

_policy=/usr/sbin/policy-rc.d
_policy_mark="# written by $root/scripts/setup.sh, removed when it is done"

_hold_services_back() {
    [ -e "$_policy" ] && return 0
    printf '#!/bin/sh\n%s\nexit 101\n' "$_policy_mark" | with_rights tee "$_policy" >/dev/null
    with_rights chmod 755 "$_policy"
}

# Ours alone, also one that a killed run of ours left behind.
_let_services_start() {
    if grep -qsF "$_policy_mark" "$_policy"; then with_rights rm -f "$_policy"; fi
}

ensure_venv() {
    local lock project wanted
    # One at a time; the lock file itself is what is locked, so that no file is needed for it.
    exec 9<"$root/requirements/dev.txt"
    flock 9
    lock=$(cd "$root" && sha256sum requirements/dev.txt)
    project=$(cd "$root" && sha256sum pyproject.toml)
    wanted="$root ${lock%% *} ${project%% *}"
    local done_before=
    [ -f "$venv/stamp" ] && done_before=$(<"$venv/stamp")
    if [ "$done_before" != "$wanted" ] || [ ! -x "$venv/bin/python" ]; then
        _make_venv "${done_before% *}" "${wanted% *}" || { exec 9<&-; return 1; }
        printf '%s\n' "$wanted" >"$venv/stamp.new"
        mv "$venv/stamp.new" "$venv/stamp"
    fi
    exec 9<&-
}

_make_venv() {
    local locked_before=$1 locked_wanted=$2 python
    local pip=("$venv/bin/python" -m pip --disable-pip-version-check --quiet --quiet)
    if [ "${locked_before% *}" != "$root" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
        python=$(_find_python) || return 1
        say "Making a virtual environment in .venv with $("$python" --version)"
        "$python" -m venv --clear "$venv" || return 1
        locked_before=
    fi
    if [ "$locked_before" != "$locked_wanted" ]; then
        say "Installing what requirements/dev.txt locks (the first time takes about a minute)"
        "${pip[@]}" install --require-hashes -r "$root/requirements/dev.txt" >&2 || return 1
    fi
    "${pip[@]}" install --no-deps --no-build-isolation -e "$root" >&2
}

_find_python() {
    local python
    python=$(_newest_python) || {
        ensure_packages "to run Python" python3 python3-venv >&2 || return 1
        python=$(_newest_python) || {
            say "Needed: Python 3.11 or newer; this system's newest is $(python3 --version 2>&1). Point PYTHON at one."
            return 1
        }
    }
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        local version
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        ensure_packages "to make a virtual environment" "python$version-venv" || return 1
    fi
    printf '%s\n' "$python"
}

_newest_python() {
    local name
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

# Whether a Docker Engine answers where DOCKER_HOST (or the usual place) points.
engine_answers() {
    (cd "$root" && "$venv/bin/python" - 2>/dev/null) <<'PYTHON'
import os, sys
from scripts.support.engine_http import EngineHttp
named = os.environ.get("IOTISTIC_TEST_DOCKER_HOST") or os.environ.get("DOCKER_HOST")
host = named or "unix:///var/run/docker.sock"
sys.exit(not EngineHttp(host, timeout_s=5.0).answers())
PYTHON
}

# What a Docker Engine for tests and demo takes: one that answers, or the means to start our own.
ensure_engine() {
    local wanted=()
    if ! _static_busybox; then wanted+=(busybox-static); fi
    if ! engine_answers; then
        if [ "$(id -u)" != 0 ]; then
            say "No Docker Engine answers, and only root may start one. Start Docker, or run this with sudo."
            return 1
        fi
        # Never a second engine beside one that is installed, whoever packaged it.
        if ! command -v dockerd >/dev/null; then wanted+=(docker.io); fi
        if ! command -v ip >/dev/null; then wanted+=(iproute2); fi
    fi
    [ ${#wanted[@]} = 0 ] || ensure_packages "to run containers in tests" "${wanted[@]}"
}

_static_busybox() {
    local path
    path=$(command -v busybox) && ! grep -qaF ld-linux "$path"
}
