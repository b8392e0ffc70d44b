#!/bin/bash
# Runs a program that a Sheepdog cluster of its own serves: with_sheepdog.sh SERVERS [WORD=NUMBER...] -- COMMAND...
# The words are what ctests/servers/sheepdog takes; a + before one says that any other number would do. With
# SHEEPDOG_ADDR=host:port the cluster there serves instead: it is not formatted, its images stay, and what needs a
# cluster of another kind is skipped.
set -euo pipefail

servers=$1
shift
words=()
while [[ $1 != -- ]]; do
    words+=("$1")
    shift
done
shift

if [[ -n ${SHEEPDOG_ADDR:-} ]]; then
    for word in "${words[@]}"; do
        if [[ $word != +* ]]; then
            echo "skipped, because a cluster with $word is needed, not the one at $SHEEPDOG_ADDR"
            exit 77
        fi
    done
    export SHEEPDOG_PORT=${SHEEPDOG_ADDR##*:}
    SHEEPDOG_ADDRESS=${SHEEPDOG_ADDR%:*}
    SHEEPDOG_ADDRESS=${SHEEPDOG_ADDRESS#[}
    export SHEEPDOG_ADDRESS=${SHEEPDOG_ADDRESS%]}
    exec "$@"
fi

work=$(mktemp -d)
cleanup()
{
    "$servers/sheepdog" stop "$work" || true
    rm -rf "$work"
}
trap cleanup EXIT

assignments=$("$servers/sheepdog" start "$work" "${words[@]#+}")
set -a
eval "$assignments"
"$@"
