#!/bin/bash
# Standard streams that are closed or full.
source "$(dirname "$0")/common.sh"

sample disk 1000
uri=$("$GLANCE_STORE" add -q --id disk disk)

code=0
"$GLANCE_STORE" stores >/dev/full 2>err || code=$?
equal "$code" 7
says 'standard output'

# Messages must not end up in a file that took a closed stream's place.
"$GLANCE_STORE" get "$uri" copy >&- 2>&-
cmp disk copy
"$GLANCE_STORE" get "$uri" other <&- >&- 2>&-
cmp disk other
! "$GLANCE_STORE" get "$uri" copy >&- 2>&- || fail 'a file was replaced'
cmp disk copy

# A reader that leaves ends the program as it ends any other.
sample large 5000000
large=$("$GLANCE_STORE" add -q large)
code=0
{ "$GLANCE_STORE" get "$large" - || code=$?; echo "$code" >code; } 2>err | head -c 10 >/dev/null
equal "$(cat code)" 141
