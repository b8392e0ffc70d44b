#!/bin/bash
# --timeout ends a transfer that would go on for ever.
source "$(dirname "$0")/common.sh"

sample disk 1000
run 0 add -q --id disk --timeout 60 disk
run 0 size --timeout 60.5 "$(cat out)"

mkfifo pipe
exec 3<>pipe
cat disk >&3
run 124 add --timeout 0.2 pipe
holds disk
run 124 add --timeout 0.2 - <pipe
holds disk
