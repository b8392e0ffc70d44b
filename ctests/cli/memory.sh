#!/bin/bash
# The program frees what it takes and touches nothing else.
source "$(dirname "$0")/common.sh"

# clean CODE ARGUMENT...: runs under valgrind without an error.
clean()
{
    local expected=$1 code=0
    shift
    valgrind -q --leak-check=full --error-exitcode=99 "$GLANCE_STORE" "$@" >out 2>err || code=$?
    [[ $code == "$expected" ]] || fail "glance-store $*: exit code $code instead of $expected"
}

sample disk 100000
uri=$("$GLANCE_STORE" add -q disk)

clean 0 --help
clean 0 stores --json
clean 0 add --json --id a --set glance_store.filesystem_thin_provisioning=true disk
clean 9 add --expect 00000000000000000000000000000000 disk
clean 0 get "$uri" copy
clean 5 get "$uri" copy
clean 4 get "$uri-missing" other
clean 0 info --hash sha256 --expect "md5:$(md5sum <disk | cut -d' ' -f1)" "$uri"
clean 0 cp "$uri"
clean 0 rm "$uri"
clean 2 stores --set x --config y
clean 3 stores --config missing
