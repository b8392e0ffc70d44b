#!/bin/bash
# The plugin gives back what it took, also when it refuses to serve.
source "$(dirname "$0")/common.sh"

if ! command -v valgrind >/dev/null; then
    echo 'skipped, because valgrind is not installed'
    exit 77
fi
sample "$images/disk" 300000

# NBDKIT_VALGRIND keeps the plugin loaded, so that valgrind can name its functions.
checked()
{
    NBDKIT_VALGRIND=1 valgrind --quiet --error-exitcode=9 --leak-check=full \
        --errors-for-leak-kinds=definite,indirect --show-leak-kinds=definite,indirect "$@"
}

start_checked()
{
    checked nbdkit --foreground --pidfile pid --unix socket "$PLUGIN" "${file_store[@]}" "file://$images/disk" \
        2>nbdkit.log &
    nbdkit_pid=$!
    wait_until test -s pid
}

start_checked
nbdcopy --connections=4 "nbd+unix://?socket=$work/socket" copied
cmp "$images/disk" copied
kill "$(cat pid)"
wait "$nbdkit_pid" || fail "nbdkit under valgrind ended with $?"
nbdkit_pid=

run 0 checked nbdkit "$PLUGIN" --dump-plugin
