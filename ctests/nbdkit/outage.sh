#!/bin/bash
# The web server goes away under load and comes back: reads resume or fail, nbdkit stays.
source "$(dirname "$0")/common.sh"

start_nginx
sample "$NGINX_IMAGES/disk" 1500000
web=(set=glance_store.stores=http set=glance_store.default_store=http)

has_data()
{
    [[ -e $1 ]] && (($(stat -c %b "$1") > 0))
}

# copy_slowly: at 128 KiB a second for a connection, so that it runs while things happen.
copy_slowly()
{
    rm -f copied
    nbdcopy --connections=4 --requests=4 --request-size=65536 "$nbd" copied 2>copy.log &
    copy=$!
    wait_until has_data copied
}

# A short absence is bridged by the retries.
start_nbdkit "${web[@]}" "$NGINX_URL/slow/disk"
copy_slowly
stop_nginx
start_nginx
wait "$copy" || fail "nbdcopy did not survive a restart of the server: $(cat copy.log)"
cmp "$NGINX_IMAGES/disk" copied
stop_nbdkit

# A long one is an I/O error to whoever reads, and over when the server is back.
start_nbdkit "${web[@]}" set=glance_store.http_retries=0 "$NGINX_URL/slow/disk"
copy_slowly
stop_nginx
code=0
wait "$copy" || code=$?
[[ $code != 0 ]] || fail 'nbdcopy succeeded without a server'
grep -qi 'input/output error' copy.log || fail "nbdcopy got no I/O error: $(cat copy.log)"
run 1 nbdinfo "$nbd"
start_nginx
copy_slowly
wait "$copy" || fail "nbdcopy fails with the server back: $(cat copy.log)"
cmp "$NGINX_IMAGES/disk" copied
stop_nbdkit

# One connection of a client outlives the absence.
start_nbdkit "${web[@]}" set=glance_store.http_retries=0 "$NGINX_URL/disk"
open_client
asked 'read 0 512' 'read 512/512 bytes'
stop_nginx
asked 'read 1200000 512' 'read failed: Input/output error'
start_nginx
asked 'read 1200000 512' 'read 512/512 bytes'

close_client
stop_nbdkit

# A server that keeps silent is given up on as the configuration says.
start_nbdkit "${web[@]}" set=glance_store.http_retries=0 set=glance_store.http_read_timeout=1 "$NGINX_URL/disk"
kill -STOP "$NGINX_PID"
run 1 nbdinfo "$nbd"
kill -CONT "$NGINX_PID"
run 0 nbdinfo "$nbd"
stop_nbdkit
