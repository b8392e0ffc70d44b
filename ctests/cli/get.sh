#!/bin/bash
# get: whole files or none, existing files kept, ranges, holes, hashes.
source "$(dirname "$0")/common.sh"

sample disk 300000
uri=$("$GLANCE_STORE" add -q --id disk disk)
md5=$(md5sum <disk | cut -d' ' -f1)
sha256=$(sha256sum <disk | cut -d' ' -f1)

# What it prints and writes.
mkdir target
run 0 get "$uri" target/copy
prints '^file +target/copy$'
prints '^size +300000 \(293\.0 KiB\)$'
prints '^speed '
cmp disk target/copy
run 0 get --json "$uri" target/json
equal "$(field file)" '"target/json"'
equal "$(field size)" 300000
run 0 get -q "$uri" target/quiet
[[ ! -s out ]] || fail 'get -q printed something'
(cd target && "$GLANCE_STORE" get -q "$uri" here)
cmp disk target/here
run 0 get "$uri" -
cmp disk out
(umask 027 && "$GLANCE_STORE" get -q "$uri" target/masked)
equal "$(stat -c %a target/masked)" 640
rm target/*

# An existing file stays unless --force is given.
echo precious >target/kept
run 5 get "$uri" target/kept
says --force
equal "$(cat target/kept)" precious
run 0 get --force "$uri" target/kept
cmp disk target/kept
run 0 get -f "$uri" target/new
ln -s kept target/link
run 5 get "$uri" target/link
run 0 get --force "$uri" target/link
[[ ! -L target/link ]] || fail '--force wrote through a symbolic link'
ln -s nowhere target/dangling
run 5 get "$uri" target/dangling
equal "$(listing target)" 'dangling kept link new'
rm target/*

# No failure leaves a file, half or whole, or harms an existing one.
run 0 get --expect "$md5" "$uri" target/md5
run 0 get --expect "sha256:$sha256" "$uri" target/sha256
rm target/*
run 9 get --expect "${md5//[0-9]/a}" "$uri" target/wrong
run 9 get --expect "sha256:${sha256//[0-9]/a}" "$uri" target/wrong
run 4 get "file://$images/missing" target/missing
run 2 get 'file://' target/empty
run 3 get swift://somewhere/else target/other
run 6 get "file://$work/disk" target/outside
run 6 get "file://$images/../../../../../../disk" target/outside
holds disk
equal "$(listing target)" ''
echo precious >target/kept
run 9 get --force --expect "${md5//[0-9]/a}" "$uri" target/kept
equal "$(cat target/kept)" precious
equal "$(listing target)" kept

# Files that cannot be.
run 4 get "$uri" absent/copy
run 2 get "$uri" target
says target
run 2 get --json "$uri" -

# Devices and pipes are written in place.
run 0 get "$uri" /dev/null
[[ -c /dev/null ]] || fail '/dev/null was replaced'
mkfifo pipe
cat pipe >through &
run 0 get "$uri" pipe
wait $!
cmp disk through
run 7 get "$uri" /dev/full

# Ranges.
range()
{
    "$GLANCE_STORE" get "$@" "$uri" - | cmp - expected || fail "get $*"
}
tail -c +200001 disk >expected
range --offset 200000
head -c 1024 disk >expected
range --length 1K
head -c 1034 disk | tail -c 10 >expected
range --offset 1K --length 10
tail -c +299991 disk >expected
range --offset 299990 --length 1000
: >expected
range --offset 300000
range --offset 1G
run 2 get --length 0 "$uri" -
says --length
run 2 get --offset x "$uri" -
run 2 get --offset 1 --expect "$md5" "$uri" target/part

# Holes.
truncate -s 64M holes
sample data 65536
dd if=data of=holes bs=64K seek=100 conv=notrunc status=none
dd if=data of=holes bs=64K seek=800 conv=notrunc status=none
sparse=$("$GLANCE_STORE" add -q holes)
run 0 get --sparse "$sparse" target/holes
cmp holes target/holes
(($(stat -c %b target/holes) < 8192)) || fail "--sparse allocated $(stat -c %b target/holes) blocks"

# An image does not garble a terminal.
code=0
python3 "$here/on_terminal.py" --stdout "$GLANCE_STORE" get "$uri" - >screen || code=$?
equal "$code" 2
grep -q terminal screen
