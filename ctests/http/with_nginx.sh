#!/bin/bash
# Runs a program while an nginx of its own serves: with_nginx.sh SERVERS COMMAND...
set -euo pipefail

servers=$1
shift
if ! PATH=$PATH:/usr/sbin command -v nginx >/dev/null; then
    echo 'skipped, because nginx is not installed'
    exit 77
fi
work=$(mktemp -d)
cleanup()
{
    [[ ! -e $work/nginx.pid ]] || "$servers/nginx" stop "$work" || true
    rm -rf "$work"
}
trap cleanup EXIT

assignments=$("$servers/nginx" start "$work")
set -a
eval "$assignments"
export NGINX_DIR=$work NGINX_SCRIPT=$servers/nginx
"$@"
