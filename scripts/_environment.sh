# Sourced by the other scripts: makes .venv once and keeps it in step with the requirements.
# usage: prepare_environment FILE...   (requirement files to install; the lock of the last holds all)

project="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$project"
venv="${EMOVIZ_VENV:-$project/.venv}"

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }

find_python() {
    local candidate
    for candidate in ${EMOVIZ_PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python; do
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
    # A half-made environment has a python without pip, which is the last to come into it.
    if ! { [ -x "$venv/bin/pip" ] && "$venv/bin/python" -c ""; } >/dev/null 2>&1; then
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
    say "Installing packages; the first time this takes some minutes and 7 GB of disk ..."
    local file="${*: -1}" requirements=()
    if [ -n "${EMOVIZ_UNLOCKED:-}" ]; then
        for file in "$@"; do requirements+=(-r "$file"); done
        install "${requirements[@]}"
    elif ! install --require-hashes -r "${file%.txt}-lock.txt"; then
        say "The packages cannot be had as they are locked, by version and hash. EMOVIZ_UNLOCKED=1 $0 takes others,"
        say "which nobody has checked: do that only where a platform or a mirror of packages wants it."
        exit 1
    fi
    install --no-deps --no-build-isolation -e .
    compile_pages
    printf '%s\n' "$wanted" "$@" >"$stamp"
}

# What the pages import, compiled once: uv leaves that to each start, which takes twice as long where nothing may be kept.
compile_pages() {
    PYTHONDONTWRITEBYTECODE="" "$venv/bin/python" -c '
import importlib, pkgutil, emoviz.ui
for found in pkgutil.walk_packages(emoviz.ui.__path__, "emoviz.ui."):
    importlib.import_module(found.name)
' >/dev/null 2>&1 || true # what fails here is told at the start
}

# usage: install ARGUMENT...   (as for pip install; by uv where it can be had, which is faster)
install() {
    local quiet=(--quiet --disable-pip-version-check)
    if ! "$venv/bin/python" -c 'import uv' 2>/dev/null; then
        local uv="$venv/uv.txt"
        awk '/^uv==/ { here = 1 } here { print } here && !/\\$/ { exit }' requirements-dev-lock.txt >"$uv"
        "$venv/bin/python" -m pip install "${quiet[@]}" --require-hashes -r "$uv" >/dev/null 2>&1 || true
    fi
    if "$venv/bin/python" -c 'import uv' 2>/dev/null && uv_install "$@"; then return; fi
    "$venv/bin/python" -m pip install "${quiet[@]}" "$@"
}

# uv with pip's settings: its registries, its folders of wheels, its certificates.
uv_install() {
    local arguments=(--quiet --python "$venv/bin/python" --index-strategy unsafe-best-match)
    local key value word
    while IFS='=' read -r key value; do
        value="${value//\'/}"
        for word in ${value//\\n/ }; do
            case "$key" in
                *.index-url) arguments+=(--default-index "$word") ;;
                *.extra-index-url) arguments+=(--index "$word") ;;
                *.find-links) arguments+=(--find-links "$word") ;;
                *.no-index) arguments+=(--no-index) ;;
                *.cert) export SSL_CERT_FILE="$word" ;;
            esac
        done
    done < <("$venv/bin/python" -m pip config list)
    "$venv/bin/python" -m uv pip install "${arguments[@]}" "$@"
}
