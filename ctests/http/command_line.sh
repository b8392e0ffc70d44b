#!/bin/bash
# The command line on images of a web server; started by with_nginx.sh, $GLANCE_STORE is the program.
set -euo pipefail

cd "$NGINX_DIR"
mkdir work home
cd work
export HOME=$NGINX_DIR/home LC_ALL=C
unset XDG_DATA_HOME GLANCE_STORE_CONFIG

fail()
{
    echo "FAILED at line ${BASH_LINENO[0]}: $*" >&2
    tail -n 20 out err >&2
    exit 1
}

# run CODE ARGUMENT...: as for the other tests of the command line.
run()
{
    local expected=$1 code=0
    shift
    "$GLANCE_STORE" "$@" --config web.conf >out 2>err || code=$?
    [[ $code == "$expected" ]] || fail "glance-store $*: exit code $code instead of $expected"
    ! grep -qF -e se/cret -e se%2Fcret err out || fail "glance-store $* told the password"
}

cat >web.conf <<CONFIG
[DEFAULT]
enabled_backends = web:http, disk:file
[glance_store]
default_backend = disk
[web]
https_ca_certificates_file = $NGINX_CA
http_retries = 0
[disk]
filesystem_store_datadir = $NGINX_DIR/disk
CONFIG
head -c 5000000 /dev/urandom >"$NGINX_IMAGES/image"
sha256=$(sha256sum <"$NGINX_IMAGES/image" | cut -d' ' -f1)
authorized=${NGINX_URL/:\/\//://$NGINX_CREDENTIALS@}/auth/image

run 0 stores --quiet
[[ $(<out) == $'web\ndisk' ]] || fail 'the stores are others'
for uri in "$NGINX_URL/image" "$NGINX_TLS_URL/image" "$authorized" "$NGINX_URL/redirect/relative/303/image"; do
    run 0 size "$uri"
    run 0 get --expect "sha256:$sha256" "$uri" got
    cmp "$NGINX_IMAGES/image" got
    rm got
done
run 0 get --offset 1M --length 3 "$NGINX_URL/image" part
dd if="$NGINX_IMAGES/image" iflag=skip_bytes,count_bytes skip=1M count=3 status=none | cmp - part

# From the web into the store, and only with the right bytes.
run 0 cp --id copy --expect "sha256:$sha256" "$NGINX_TLS_URL/image"
cmp "$NGINX_IMAGES/image" "$NGINX_DIR/disk/copy"
run 9 cp --id other --expect "sha256:${sha256//[0-9]/a}" "$NGINX_URL/image"
[[ $(ls -A "$NGINX_DIR/disk") == copy ]] || fail "the store holds $(ls -A "$NGINX_DIR/disk")"

run 0 info "$authorized"
grep -qF '***' out || fail 'info shows no redacted URI'

# Exit codes, and nothing left behind.
rm part
run 4 get "$NGINX_URL/missing" got
run 4 get "$NGINX_URL/status/410" got
run 6 get "$NGINX_URL/auth/image" got
run 6 get "${authorized/se%2F/x}" got
run 6 get "$NGINX_URL/status/403" got
run 10 get "$NGINX_URL/status/503" got
run 10 get "$NGINX_URL/loop" got
run 10 get "$NGINX_WRONG_HOST_URL/image" got
run 124 get --timeout 0.2 "$NGINX_URL/slow/image" got
run 8 rm "$NGINX_URL/image"
run 3 add --store web "$NGINX_IMAGES/image"
[[ $(ls) == $'err\nout\nweb.conf' ]] || fail "left behind: $(ls)"

# A signal ends a transfer, and the connection with it.
mkfifo pipe
"$GLANCE_STORE" --config web.conf get "$NGINX_URL/slow/image" pipe 2>err &
# Held open, so that it is the signal that ends it.
exec 5<pipe
head -c 1000 <&5 >/dev/null
kill -TERM $!
code=0
wait $! || code=$?
exec 5<&-
[[ $code == 143 ]] || fail "exit code $code after a signal"
