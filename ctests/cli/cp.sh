#!/bin/bash
# cp: from store to store, under a new id, verified.
source "$(dirname "$0")/common.sh"

cat >stores.conf <<CONFIG
[DEFAULT]
enabled_backends = fast:file, cheap:file
[glance_store]
default_backend = fast
[fast]
filesystem_store_datadir = $work/fast
[cheap]
filesystem_store_datadir = $work/cheap
CONFIG
export GLANCE_STORE_CONFIG=$work/stores.conf

sample disk 300000
md5=$(md5sum <disk | cut -d' ' -f1)
sha256=$(sha256sum <disk | cut -d' ' -f1)
uri=$("$GLANCE_STORE" add -q --id disk disk)

run 0 cp --store cheap --id copy "$uri"
prints "^uri +file://$work/cheap/copy$"
prints '^store +cheap$'
prints "^checksum +$md5$"
cmp disk cheap/copy
cmp disk fast/disk

run 0 cp -q --from fast --store cheap "$uri"
id=$(basename "$(cat out)")
[[ $id =~ ^[0-9a-f-]{36}$ ]] || fail "no UUID: $id"
cmp disk "cheap/$id"
rm "cheap/$id"

run 0 cp --json --id again "$uri"
equal "$(field store)" '"fast"'
equal "$(field size)" 300000
equal "$(field metadata)" '{"store": "fast"}'
run 0 cp --json --id hashed --store cheap --hash sha256 --no-checksum --expect "sha256:$sha256" "$uri"
equal "$(field multihash)" "\"$sha256\""
equal "$(field checksum)" null

run 5 cp --store cheap --id copy "$uri"
run 9 cp --store cheap --expect "${md5//[0-9]/a}" "$uri"
run 4 cp --store cheap "$uri-missing"
run 3 cp --store elsewhere "$uri"
run 3 cp --from elsewhere "$uri"
run 2 cp --store cheap --hash sha257 "$uri"
equal "$(listing cheap)" 'copy hashed'
equal "$(listing fast)" 'again disk'
