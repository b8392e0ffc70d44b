#!/bin/bash
# add: sources, sizes, ids, hashes, and that a failure leaves nothing.
source "$(dirname "$0")/common.sh"

sample disk 300000
md5=$(md5sum <disk | cut -d' ' -f1)
sha256=$(sha256sum <disk | cut -d' ' -f1)
sha512=$(sha512sum <disk | cut -d' ' -f1)

# What it prints.
run 0 add --id one disk
prints "^uri +file://$images/one$"
prints '^id +one$'
prints '^store +file$'
prints '^size +300000 \(293\.0 KiB\)$'
prints "^checksum +$md5$"
prints '^hash_name +sha512$'
prints "^multihash +$sha512$"
prints '^metadata +\{'
prints '^speed +[0-9.]+ [KMG]iB/s \([0-9.]+ s\)$'
cmp disk "$images/one"

run 0 add --json --id two disk
equal "$(field uri)" "\"file://$images/two\""
equal "$(field id)" '"two"'
equal "$(field store)" '"file"'
equal "$(field size)" 300000
equal "$(field checksum)" "\"$md5\""
equal "$(field hash_name)" '"sha512"'
equal "$(field multihash)" "\"$sha512\""
equal "$(field metadata)" '{}'
field seconds >seconds
grep -qE '^[0-9.]+$' seconds

run 0 add -q --id three disk
equal "$(cat out)" "file://$images/three"
holds one three two

# Ids: a random UUID unless given, never used twice.
run 0 add -q disk
id=$(basename "$(cat out)")
[[ $id =~ ^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$ ]] || fail "no UUIDv4: $id"
rm "$images/$id"
run 5 add --id one disk
says one
for id in '' . .. a/b ../escape 'a?b' ' a'; do
    run 2 add --id "$id" disk
done
holds one three two
rm "$images"/*

# Standard input: a pipe, a redirected file, one that was read in part.
"$GLANCE_STORE" add -q --id pipe - < <(cat disk) >out
"$GLANCE_STORE" add -q --id file - <disk >out
{
    head -c 100000 >/dev/null
    "$GLANCE_STORE" add --json --id rest -
} <disk >out
cmp disk "$images/pipe"
cmp disk "$images/file"
tail -c +100001 disk | cmp - "$images/rest" || fail 'the rest of a half-read file differs'
: >empty
run 0 add --json --id empty empty
equal "$(field size)" 0
rm "$images"/*

# Sizes: kept to the byte, with suffixes, or unknown.
run 0 add -q --id a --size 300000 disk
sample round 65536
run 0 add -q --id b --size 64K round
run 0 add -q --id c --size unknown disk
cmp disk "$images/c"
rm "$images"/*
run 9 add --size 299999 disk
run 9 add --size 300001 disk
holds
for size in x -1 12x 1KB '' ' 1' 99999999999999999999 17000000T; do
    run 2 add --size "$size" disk
    says --size
done
holds

# Hashes.
run 0 add --json --id a --hash sha256 disk
equal "$(field hash_name)" '"sha256"'
equal "$(field multihash)" "\"$sha256\""
run 0 add --json --id b --hash none disk
equal "$(field hash_name)" null
equal "$(field multihash)" null
equal "$(field checksum)" "\"$md5\""
run 0 add --json --id c --no-checksum disk
equal "$(field checksum)" null
equal "$(field multihash)" "\"$sha512\""
run 0 add --id d --no-checksum --hash none disk
! grep -qE '^(checksum|hash_name|multihash)' out || fail 'a hash was printed that was not asked for'
rm "$images"/*
run 2 add --hash sha257 disk
says sha257

# Expected hashes.
run 0 add --json --id a --expect "$md5" disk
run 0 add --json --id b --expect "sha256:$sha256" disk
equal "$(field multihash)" "\"$sha256\""
run 0 add --id c --expect "md5:$md5" --expect "sha512:$sha512" --hash sha512 disk
rm "$images"/*
wrong=${md5//[0-9]/a}
run 9 add --expect "$wrong" disk
run 9 add --expect "sha256:${sha256//[0-9]/a}" disk
run 2 add --expect "$sha256" disk
says "sha256:$sha256"
run 2 add --expect sha256:12 disk
run 2 add --expect nothing:12 disk
run 2 add --hash sha512 --expect "sha256:$sha256" disk
run 2 add --no-checksum --expect "$md5" disk
holds

# Sources that are none.
run 4 add missing
says missing
mkdir directory
run 2 add directory
says directory
run 3 add --store elsewhere disk
says elsewhere
holds
