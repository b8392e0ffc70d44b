#!/bin/bash
# The conformance suite on the file driver: on_files.sh COMMAND...
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/images"
cat >"$work/glance.conf" <<CONFIG
[DEFAULT]
enabled_backends = disk:file
[glance_store]
default_backend = disk
[disk]
filesystem_store_datadir = $work/images
CONFIG
export GS_TEST_CONFIG=$work/glance.conf GS_TEST_STORE=disk GS_TEST_UNIT=65536
export GS_TEST_LISTING="find $work/images -printf '%P %y %m %s\n' | sort"
"$@"
