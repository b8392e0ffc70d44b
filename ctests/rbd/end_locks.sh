#!/bin/bash
# Ends all locks of names, as the time does for which who does not go on holds them; with_ceph.sh says where.
set -euo pipefail

rados()
{
    timeout 60 rados --conf "$CEPH_GLANCE_CONF" --id "$CEPH_USER" --pool "$CEPH_POOL" lock "$@"
}

# What the JSON of the standard input has under that key.
field()
{
    sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"
}

for name in $(rados list rbd_trash --format json | grep -o 'glance_store[.][0-9]*'); do
    lock=$(rados info rbd_trash "$name" --format json)
    owner=$(field name <<<"${lock#*lockers}")
    [[ -z $owner ]] || rados break rbd_trash "$name" "$owner" --lock-cookie "$(field cookie <<<"$lock")"
done
