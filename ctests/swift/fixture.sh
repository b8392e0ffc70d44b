#!/bin/bash
# Starts the Swift server of a group of tests from nothing, whatever an earlier run left, and ends it:
# fixture.sh SERVERS start|stop DIR
set -euo pipefail

swift=$1/swift
directory=$3
case $2 in
    start)
        "$swift" stop "$directory" 2>/dev/null || true
        rm -rf "$directory"
        "$swift" start "$directory"
        ;;
    stop)
        "$swift" stop "$directory"
        rm -rf "$directory"
        ;;
esac
