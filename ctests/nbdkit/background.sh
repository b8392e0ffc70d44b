#!/bin/bash
# nbdkit in the background: the library works on both sides of the fork.
source "$(dirname "$0")/common.sh"

sample_disks "$images"
nbd="nbd+unix://?socket=$work/socket"

# What is wrong is said before nbdkit leaves its user.
run 1 nbdkit --pidfile pid --unix socket "$PLUGIN" "${file_store[@]}" "file://$images/missing"
says 'not found'
[[ ! -e pid && ! -e socket ]] || fail 'it left a pid file or a socket'

run 0 nbdkit --pidfile pid --unix socket "$PLUGIN" "${file_store[@]}" "file://$images/disk.raw"
wait_until test -s pid
nbdkit_pid=$(cat pid)

# Several clients, each with several connections.
clients=()
for number in 1 2 3; do
    nbdcopy --connections=4 "$nbd" "copy$number" &
    clients+=($!)
done
for client in "${clients[@]}"; do
    wait "$client" || fail "a client ended with $?"
done
for number in 1 2 3; do
    cmp "$images/disk.raw" "copy$number"
done

# An image that goes is missed by new connections only; nbdkit goes on.
mv "$images/disk.raw" "$images/elsewhere"
run 1 nbdinfo "$nbd"
mv "$images/elsewhere" "$images/disk.raw"
run 0 nbdinfo "$nbd"

has_ended()
{
    ! kill -0 "$nbdkit_pid" 2>/dev/null
}
kill "$nbdkit_pid"
wait_until has_ended
nbdkit_pid=
