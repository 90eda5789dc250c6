# Sourced by the other scripts: makes .venv once and keeps it in step with the requirements.
# usage: prepare_environment FILE...   (requirement files to install)

project="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$project"
venv="${EMOVIZ_VENV:-$project/.venv}"

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }

find_python() {
    local candidate
    for candidate in ${EMOVIZ_PYTHON:-} python3 python3.13 python3.12 python3.11 python; do
        if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    say "emoviz needs Python 3.11 or later with the venv module, and none was found."
    say "Install it (on Debian or Ubuntu: apt install python3 python3-venv), or name it: EMOVIZ_PYTHON=/path/to/python3.12 $0"
    exit 1
}

prepare_environment() {
    # A half-made environment has a python without pip.
    if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        local python
        python="$(find_python)"
        say "Making an environment in ${venv#"$project"/} with $("$python" --version) ..."
        "$python" -m venv --clear "$venv"
    fi
    local wanted stamp="$venv/.emoviz-installed"
    wanted="$(cat requirements*.txt pyproject.toml | cksum)"
    # First line: which versions; the others: which requirement files are installed.
    if [ -f "$stamp" ] && [ "$(head -n 1 "$stamp")" = "$wanted" ]; then
        local file missing=""
        for file in "$@"; do grep -qxF "$file" "$stamp" || missing=yes; done
        [ -n "$missing" ] || return 0
    fi
    say "Installing packages; the first time this takes some minutes and about 7 GB of disk ..."
    local arguments=(--quiet --disable-pip-version-check)
    for file in "$@"; do arguments+=(-r "$file"); done
    "$venv/bin/python" -m pip install "${arguments[@]}" -c requirements-constraints.txt
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -e .
    printf '%s\n' "$wanted" "$@" >"$stamp"
}
