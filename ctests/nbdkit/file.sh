#!/bin/bash
# QEMU's and libnbd's tools on images in a file store.
source "$(dirname "$0")/common.sh"

sample_disks "$images"
clients "file://$images" "${file_store[@]}"
empty_image "file://$images" "${file_store[@]}"
odd_offsets "file://$images" "${file_store[@]}"

# What a client learns before it reads.
served 'nbdinfo --json "$uri"' "${file_store[@]}" "file://$images/odd"
python3 - <<'PYTHON' || fail 'nbdinfo says something else'
import json
export = json.load(open("out"))["exports"][0]
assert export["is_read_only"] and export["can_multi_conn"], export
assert export["export-size"] == 3000001 and export["block_size_minimum"] == 1, export
PYTHON
served 'qemu-io -f raw "$uri" -c "write 0 512" && touch written || true' "${file_store[@]}" "file://$images/odd"
[[ ! -e written ]] || fail 'it can be written to'

# An image that loses bytes while it is served fails the reads of those, and no others.
start_nbdkit "${file_store[@]}" "file://$images/odd"
open_client
asked 'read 2999000 100' 'read 100/100 bytes'
truncate --size=2999050 "$images/odd"
asked 'read 2999000 100' 'read failed: Input/output error'
asked 'read 2998950 100' 'read 100/100 bytes'
close_client
stop_nbdkit
grep -q 'became shorter' nbdkit.log || fail 'nbdkit does not say why'
