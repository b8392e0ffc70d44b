#!/bin/bash
# Sourced by every script here: a private directory, a store in it, and assertions.
# $GLANCE_STORE is the program, $TOOLS the directory of its sources.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

export HOME=$work/home LC_ALL=C
unset XDG_DATA_HOME GLANCE_STORE_CONFIG
mkdir "$HOME"
images=$HOME/.local/share/glance-store/images

fail()
{
    echo "FAILED at line ${BASH_LINENO[${#BASH_LINENO[@]} - 2]}: $*" >&2
    echo "--- standard output" >&2
    tail -n 20 out >&2 || true
    echo "--- standard error" >&2
    tail -n 20 err >&2 || true
    exit 1
}

# run CODE ARGUMENT...: the program exits with CODE; its output is in the files out and err.
run()
{
    local expected=$1 code=0
    shift
    "$GLANCE_STORE" "$@" >out 2>err || code=$?
    [[ $code == "$expected" ]] || fail "glance-store $*: exit code $code instead of $expected"
    if [[ $code != 0 ]]; then
        [[ ! -s out ]] || fail "glance-store $*: failed, yet wrote to standard output"
        grep -q '^glance-store: .' err || fail "glance-store $*: failed without a message"
    fi
}

equal()
{
    [[ $1 == "$2" ]] || fail "'$1' instead of '$2'"
}

# says TEXT: the error message holds TEXT.
says()
{
    grep -qF -- "$1" err || fail "the message lacks '$1'"
}

# prints PATTERN: a line of the output matches the extended regular expression.
prints()
{
    grep -qE -- "$1" out || fail "the output has no line '$1'"
}

# field KEY: the value of KEY in the JSON object in the file out.
field()
{
    python3 -c 'import json, sys; print(json.dumps(json.load(open("out"))[sys.argv[1]]))' "$1"
}

# listing DIRECTORY: its files in one line, sorted.
listing()
{
    find "$1" -mindepth 1 -printf '%P\n' | sort | paste -sd ' '
}

# holds NAME...: the store holds exactly these files, given sorted.
holds()
{
    equal "$(listing "$images")" "$*"
}

# sample NAME BYTES: a file of random bytes.
sample()
{
    head -c "$2" /dev/urandom >"$1"
}
