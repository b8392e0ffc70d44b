#!/bin/bash
# -v logs to standard error, and more of it the more often it is given.
source "$(dirname "$0")/common.sh"

sample disk 1000
run 0 add disk
[[ ! -s err ]] || fail 'it logged without being asked'
run 0 add -vvv disk
grep -qE '^glance-store: (error|warning|info|debug|trace): [^:]+: .' err || fail 'no log'
cp err everything
run 0 add --verbose disk
! grep -qE '^glance-store: (debug|trace)' err || fail '-v tells too much'
(($(wc -l <err) <= $(wc -l <everything))) || fail '-vvv tells less than -v'
run 0 add -vv disk
! grep -qE '^glance-store: trace' err || fail '-vv tells too much'
equal "$(wc -l <out)" 9
