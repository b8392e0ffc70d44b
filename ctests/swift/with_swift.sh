#!/bin/bash
# Runs a program that the Swift server of a whole group of tests serves: with_swift.sh DIR COMMAND...
# DIR is that of ctests/servers/swift start.
set -euo pipefail

directory=$1
shift
set -a
. "$directory/assignments"
set +a
exec "$@"
