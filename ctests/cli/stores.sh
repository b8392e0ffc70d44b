#!/bin/bash
# stores: what is configured, and which of it takes images.
source "$(dirname "$0")/common.sh"

run 0 stores
prints '^id +file$'
prints '^driver +file$'
prints '^schemes +file, filesystem$'
prints '^default +true$'
! grep -q add_disabled out || fail 'a working store is called disabled'

cat >stores.conf <<CONFIG
[DEFAULT]
enabled_backends = fast:file, broken:file
[glance_store]
default_backend = fast
[fast]
filesystem_store_datadir = $work/fast
store_description = quick "disks"
weight = 7
[broken]
filesystem_store_datadir = /dev/null/images
CONFIG

run 0 stores -q --config stores.conf
equal "$(cat out)" $'fast\nbroken'
run 0 stores --config stores.conf
prints '^description +quick "disks"$'
prints '^add_disabled +.'
run 0 stores --json --config stores.conf
python3 -c '
import json
fast, broken = json.load(open("out"))
assert fast["id"] == "fast" and fast["driver"] == "file" and fast["schemes"] == ["file", "filesystem"], fast
assert fast["description"] == "quick \"disks\"" and fast["weight"] == 7, fast
assert fast["default"] is True and broken["default"] is False and fast["reserved"] is False, (fast, broken)
assert fast["add_disabled"] is None and fast["capabilities"] == 0x4f, fast
assert "/dev/null/images" in broken["add_disabled"] and broken["capabilities"] == 0x47, broken'

sample disk 10
run 3 add --config stores.conf --store broken disk
says /dev/null/images
