#!/bin/bash
# The conformance suite on the rbd driver, with the Ceph that with_ceph.sh started: conformance.sh COMMAND...
set -euo pipefail

cat >"$CEPH_DIR/glance-api.conf" <<CONFIG
[DEFAULT]
enabled_backends = ceph:rbd
[glance_store]
default_backend = ceph
[ceph]
rbd_store_pool = $CEPH_POOL
rbd_store_user = $CEPH_USER
rbd_store_ceph_conf = $CEPH_GLANCE_CONF
rbd_store_chunk_size = 1
CONFIG
export GS_TEST_CONFIG=$CEPH_DIR/glance-api.conf GS_TEST_STORE=ceph GS_TEST_UNIT=1048576
# All objects of images: what a removed one must not leave behind.
export GS_TEST_LISTING="rados --conf $CEPH_GLANCE_CONF --id $CEPH_USER -p images ls | sed -n '/^rbd_\(data\|header\|id\|object_map\)/p' | sort"
# What librbd uses after it has freed it shows.
export MALLOC_PERTURB_=165
"$@"
