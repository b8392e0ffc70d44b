#!/bin/bash
# Signals stop a running transfer; nothing of it remains.
source "$(dirname "$0")/common.sh"

# More than a pipe holds: once it is written, its reader has begun.
begun=8000000
sample disk $begun
uri=$("$GLANCE_STORE" add -q --id disk disk)
mkfifo pipe

# With job control a background process gets its signals as in a terminal.
set -m

# interrupted SIGNAL CODE: an add from a source that never ends.
interrupted()
{
    local code=0
    "$GLANCE_STORE" add pipe >out 2>err &
    exec 3>pipe
    cat disk >&3
    kill -"$1" $!
    wait $! || code=$?
    exec 3>&-
    equal "$code" "$2"
    [[ ! -s out ]] || fail 'it printed a result'
    grep -q '^glance-store: ' err || fail 'no message'
    holds disk
}

interrupted INT 130
interrupted TERM 143
interrupted HUP 129

# Before there is anything to clean up, a signal ends the program at once.
code=0
"$GLANCE_STORE" add pipe >out 2>err &
until [[ /proc/$!/exe -ef $GLANCE_STORE ]]; do :; done # no longer this shell's own copy
kill -INT $!
wait $! || code=$?
equal "$code" 130
holds disk

# A get whose reader stops reading.
code=0
"$GLANCE_STORE" get "$uri" pipe >out 2>err &
exec 3<pipe
head -c 100000 <&3 >/dev/null
kill -INT $!
wait $! || code=$?
exec 3<&-
equal "$code" 130

# What was ignored, as by nohup, stays ignored.
set +m
(
    trap '' HUP
    exec "$GLANCE_STORE" add -q --id ignored pipe
) >out 2>err &
exec 3>pipe
cat disk >&3
kill -HUP $!
exec 3>&-
wait $! || fail 'an ignored signal ended it'
cmp disk "$images/ignored"
holds disk ignored
