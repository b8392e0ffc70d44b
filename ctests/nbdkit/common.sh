#!/bin/bash
# Sourced by every script here: a private directory with a file store in it, nbdkit over a socket, assertions.
# $PLUGIN is the plugin, $GLANCE_STORE the command line, $SERVERS the directory of the servers' scripts.
set -euo pipefail

work=$(mktemp -d)
nbdkit_pid=
cleanup()
{
    [[ ! -s $work/pid ]] || kill "$(<"$work/pid")" 2>/dev/null || true
    [[ ! -e $work/nginx/nginx.pid ]] || "$SERVERS/nginx" stop "$work/nginx" || true
    rm -rf "$work"
}
trap cleanup EXIT
cd "$work"

export LC_ALL=C
images=$work/images
mkdir "$images"
file_store=(set=glance_store.stores=file "set=glance_store.filesystem_store_datadir=$images")

for program in nbdkit nbdcopy nbdinfo qemu-img qemu-io nginx; do
    if ! PATH=$PATH:/usr/sbin command -v "$program" >/dev/null; then
        echo "skipped, because $program is not installed"
        exit 77
    fi
done

fail()
{
    echo "FAILED at line ${BASH_LINENO[${#BASH_LINENO[@]} - 2]}: $*" >&2
    for file in out err nbdkit.log nginx/error.log; do
        [[ ! -s $file ]] || { echo "--- $file" && tail -n 20 "$file"; } >&2
    done
    exit 1
}

# says TEXT: the message holds TEXT.
says()
{
    grep -qF -- "$1" err || fail "the message lacks '$1'"
}

# lacks FILE TEXT: a secret, say.
lacks()
{
    ! grep -qF -- "$2" "$1" || fail "$1 holds '$2'"
}

# wait_until COMMAND...: for a minute at most.
wait_until()
{
    for _ in {1..600}; do
        "$@" && return
        sleep 0.1
    done
    fail "never came true: $*"
}

# run CODE COMMAND...: the command exits with CODE; its output is in the files out and err.
run()
{
    local expected=$1 code=0
    shift
    "$@" >out 2>err || code=$?
    [[ $code == "$expected" ]] || fail "$*: exit code $code instead of $expected"
}

# refused PARAMETER...: nbdkit does not start, and says why.
refused()
{
    run 1 nbdkit -U - "$PLUGIN" "$@" --run 'touch started'
    [[ ! -e started ]] || fail "nbdkit served with $*"
    grep -q '^nbdkit: error: .' err || fail "nbdkit refused $* without a word"
}

# served COMMAND PARAMETER...: nbdkit serves while COMMAND runs; $uri in it is where.
served()
{
    local command=$1
    shift
    run 0 nbdkit -U - "$PLUGIN" "$@" --run "$command"
}

# start_nbdkit PARAMETER...: in the background, at $nbd; its messages go to nbdkit.log.
start_nbdkit()
{
    nbd="nbd+unix://?socket=$work/socket"
    rm -f socket pid
    nbdkit --foreground --pidfile pid --unix socket "$PLUGIN" "$@" 2>nbdkit.log &
    nbdkit_pid=$!
    wait_until test -s pid
}

# It ends when told to, and says nothing of it.
stop_nbdkit()
{
    kill "$nbdkit_pid"
    wait "$nbdkit_pid" || fail "nbdkit ended with $?"
    nbdkit_pid=
}

# open_client: a connection to $nbd that stays open, and reads what it is asked to.
open_client()
{
    coproc CLIENT { stdbuf -oL qemu-io -f raw -r "$nbd" 2>&1; }
    client=$CLIENT_PID
}

# asked COMMAND EXPECTED: what qemu-io answers.
asked()
{
    local line=
    echo "$1" >&"${CLIENT[1]}"
    while read -r -t 60 line <&"${CLIENT[0]}"; do
        [[ $line != *"$2"* ]] || return 0
        [[ $line != *failed* ]] || break
    done
    fail "$1: '$line' instead of '$2'"
}

close_client()
{
    echo quit >&"${CLIENT[1]}"
    wait "$client" || true # it remembers reads that failed
}

# start_nginx: again on the ports that it had.
start_nginx()
{
    "$SERVERS/nginx" start "$work/nginx" >nginx.env || fail "nginx does not start"
    source "$work/nginx.env"
}

stop_nginx()
{
    "$SERVERS/nginx" stop "$work/nginx"
}

# sample FILE BYTES: random bytes.
sample()
{
    head -c "$2" /dev/urandom >"$1"
}

# sample_disks DIRECTORY: a qcow2 and a raw image with data, holes and an odd end.
sample_disks()
{
    sample data 5000000
    truncate -s 24M "$1/disk.raw"
    dd if=data of="$1/disk.raw" bs=64K seek=33 conv=notrunc status=none
    dd if=data of="$1/disk.raw" bs=512 seek=20001 conv=notrunc status=none
    qemu-img convert -f raw -O qcow2 "$1/disk.raw" "$1/disk.qcow2"
    sample "$1/odd" 3000001
    : >"$1/empty"
}

# clients BASE PARAMETER...: everything that QEMU and libnbd do with the sample disks at the URIs BASE/NAME.
clients()
{
    local base=$1
    shift
    served 'qemu-img info --output=json "$uri"' "$@" "uri=$base/disk.qcow2"
    python3 - <<'PYTHON' || fail 'qemu-img info says something else'
import json
info = json.load(open("out"))
assert info["format"] == "qcow2" and info["virtual-size"] == 24 << 20, info
PYTHON
    served "qemu-img compare -f qcow2 -F qcow2 '$images/disk.qcow2' \"\$uri\"" "$@" "uri=$base/disk.qcow2"
    served "qemu-img compare -f raw -F qcow2 '$images/disk.raw' \"\$uri\"" "$@" "uri=$base/disk.qcow2"
    served 'qemu-img convert -f qcow2 -O raw "$uri" converted' "$@" "uri=$base/disk.qcow2"
    cmp "$images/disk.raw" converted
    served 'nbdcopy --connections=4 --requests=16 "$uri" copied' "$@" "uri=$base/disk.qcow2"
    cmp "$images/disk.qcow2" copied

    served 'nbdinfo --size "$uri"; nbdcopy --connections=4 --request-size=4096 "$uri" copied' "$@" "uri=$base/odd"
    [[ $(cat out) == 3000001 ]] || fail "nbdinfo says $(cat out)"
    cmp "$images/odd" copied
    rm converted copied
}

# empty_image BASE PARAMETER...: there is nothing to read, and that is no error.
empty_image()
{
    local base=$1
    shift
    served 'nbdinfo --size "$uri"; nbdcopy "$uri" copied' "$@" "uri=$base/empty"
    [[ $(cat out) == 0 && -e copied && ! -s copied ]] || fail 'the empty image is not empty'
    rm copied
}

# hex_dump_bytes: the bytes that qemu-io's dump of a read shows.
hex_dump_bytes()
{
    grep -E '^[0-9a-f]{8,}:  ' | awk -F '  ' '{ print $2 }' |
        python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))'
}

# odd_offsets BASE PARAMETER...: qemu-io reads here and there, in an order that no read-ahead foresees.
odd_offsets()
{
    local base=$1 commands='' offset length
    shift
    : >expected
    while read -r offset length; do
        dd if="$images/odd" bs=1M iflag=skip_bytes,count_bytes skip="$offset" count="$length" status=none >>expected
        commands+=" -c 'read -v $offset $length'"
    done <<'READS'
0 1
2999999 2
1 1
511 2
1048575 65537
4095 4098
3000000 1
65535 2
17 200003
READS
    served "qemu-io -f raw -r \"\$uri\" $commands" "$@" "uri=$base/odd"
    hex_dump_bytes <out | cmp expected -
}
