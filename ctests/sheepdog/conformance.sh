#!/bin/bash
# The conformance suite on the cluster that with_sheepdog.sh has chosen: conformance.sh COMMAND...
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/glance.conf" <<CONFIG
[DEFAULT]
enabled_backends = kennel:sheepdog
[glance_store]
default_backend = kennel
[kennel]
sheepdog_store_address = $SHEEPDOG_ADDRESS
sheepdog_store_port = $SHEEPDOG_PORT
CONFIG
unit=$(python3 "$here/cluster.py" object_size)
export GS_TEST_CONFIG=$work/glance.conf GS_TEST_STORE=kennel GS_TEST_UNIT=$unit
# The cluster in memory shows every object; another one, the VDIs that the suite has named.
if [[ -n ${SHEEPDOG_ADDR:-} ]]; then
    export GS_TEST_LISTING="python3 '$here/cluster.py' list"
else
    export GS_TEST_LISTING="'$SHEEPDOG_SERVER' list $SHEEPDOG_PORT"
fi
"$@"
