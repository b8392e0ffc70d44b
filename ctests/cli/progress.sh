#!/bin/bash
# A progress bar on a terminal, and nowhere else.
source "$(dirname "$0")/common.sh"

sample disk 20000000
terminal()
{
    python3 "$here/on_terminal.py" "$@" >screen
}

run 0 add --id pipe disk
[[ ! -s err ]] || fail 'something was written to a standard error that is no terminal'

terminal "$GLANCE_STORE" add --id bar disk
grep -qE $'\r100% \\[=+\\]  19\\.1 MiB of 19\\.1 MiB  [0-9.]+ [KMG]?i?B/s  [0-9]+:[0-9]{2}' screen || fail 'no complete bar'
tr '\r' '\n' <screen | sed 's/\x1b\[K//' | awk 'length > 99 { exit 1 }' || fail 'a line is wider than the terminal'
terminal "$GLANCE_STORE" get "file://$images/bar" copy
grep -qE $'\r100% \\[' screen || fail 'no bar on get'
terminal "$GLANCE_STORE" cp --id copied "file://$images/bar"
grep -qE $'\r100% \\[' screen || fail 'no bar on cp'

# While the size is unknown, it shows what is there, without a percentage or an end.
counter=$'\r[0-9.]+ [KMG]iB  [0-9.]+ [KMG]iB/s  [0-9]+:[0-9]{2}\x1b'
export counter
# shellcheck disable=SC2016 # expanded by the inner shell
terminal bash -c 'until grep -qE "$counter" screen; do cat disk; done | "$GLANCE_STORE" add --id unknown -'
grep -qE "$counter" screen || fail 'no counter'
first=$(tr '\r' '\n' <screen | sed -n 2p)
[[ $first != *%* && $first != *left* ]] || fail "it knows the unknown: $first"

: >empty
terminal "$GLANCE_STORE" add --id empty empty
grep -q '100%' screen || fail 'an empty image is not complete'

terminal "$GLANCE_STORE" add -q --id quiet disk
[[ ! -s screen ]] || fail '-q showed something'

# A failure starts on a line of its own.
code=0
terminal "$GLANCE_STORE" add --id bad --expect 00000000000000000000000000000000 disk || code=$?
equal "$code" 9
tr '\r' '\n' <screen | grep -q '^glance-store: ' || fail 'the message is behind the bar'
