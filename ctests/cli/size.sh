#!/bin/bash
# size: the number of bytes, alone.
source "$(dirname "$0")/common.sh"

sample disk 123457
uri=$("$GLANCE_STORE" add -q disk)

run 0 size "$uri"
equal "$(cat out)" 123457
run 0 size --json "$uri"
equal "$(field size)" 123457
run 0 size --store file "$uri"
equal "$(cat out)" 123457
run 4 size "$uri-missing"
says "$uri-missing"
run 3 size --store elsewhere "$uri"
run 3 size rbd://pool/image
run 3 size no-scheme-at-all
