#!/bin/bash
# info: where an image is, how large, and its hashes when asked for.
source "$(dirname "$0")/common.sh"

sample disk 300000
md5=$(md5sum <disk | cut -d' ' -f1)
sha256=$(sha256sum <disk | cut -d' ' -f1)
uri=$("$GLANCE_STORE" add -q disk)

run 0 info "$uri"
prints "^uri +$uri$"
prints '^store +file$'
prints '^driver +file$'
prints '^size +300000 '
! grep -qE '^(checksum|multihash)' out || fail 'hashes were computed without being asked for'

run 0 info --hash sha256 "$uri"
prints "^checksum +$md5$"
prints '^hash_name +sha256$'
prints "^multihash +$sha256$"

run 0 info --json --expect "sha256:$sha256" --expect "$md5" "$uri"
equal "$(field uri)" "\"$uri\""
equal "$(field store)" '"file"'
equal "$(field driver)" '"file"'
equal "$(field size)" 300000
equal "$(field checksum)" "\"$md5\""
equal "$(field hash_name)" '"sha256"'
equal "$(field multihash)" "\"$sha256\""

run 9 info --expect "${md5//[0-9]/a}" "$uri"
run 9 info --expect "sha256:${sha256//[0-9]/a}" "$uri"
run 2 info --hash sha257 "$uri"
run 4 info "$uri-missing"
run 6 info "file://$work/disk"
