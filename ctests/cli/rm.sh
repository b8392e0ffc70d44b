#!/bin/bash
# rm: the image goes, and only that.
source "$(dirname "$0")/common.sh"

sample disk 1000
first=$("$GLANCE_STORE" add -q --id first disk)
second=$("$GLANCE_STORE" add -q --id second disk)
third=$("$GLANCE_STORE" add -q --id third disk)

run 0 rm "$first"
[[ ! -s out ]] || fail 'rm printed something'
holds second third
run 4 rm "$first"
says first
run 0 rm --json "$second"
equal "$(field removed)" true
run 6 rm "file://$work/disk"
run 6 rm "file://$images"
run 3 rm --store elsewhere "$third"
holds third
[[ -e disk ]] || fail 'a file outside the store was removed'
