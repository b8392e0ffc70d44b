#!/bin/bash
# The conformance suite on Swift: conformance.sh 1|3 dlo|slo COMMAND...
# The first is the version of authentication; the server's addresses are in the environment (with_swift.sh).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
version=$1
manifest=$2
shift 2
case $version in
    1) address=$SWIFT_V1_URL user=$SWIFT_V1_USER key=$SWIFT_V1_KEY ;;
    3) address=$SWIFT_KEYSTONE_URL user=$SWIFT_USER key=$SWIFT_KEY ;;
esac
work=$(mktemp -d)
container=conformance-$$
trap 'rm -rf "$work"' EXIT
cat >"$work/glance.conf" <<CONFIG
[DEFAULT]
enabled_backends = cloud:swift
[glance_store]
default_backend = cloud
[cloud]
swift_store_config_file = $work/accounts.conf
swift_store_container = $container
swift_store_create_container_on_put = true
swift_store_large_object_size = 1
swift_store_large_object_chunk_size = 1
swift_store_manifest = $manifest
CONFIG
cat >"$work/accounts.conf" <<CONFIG
[ref1]
auth_version = $version
auth_address = $address
user = $user
key = $key
CONFIG
listing=(python3 "$here/listing.py" "$version" "$container")
export GS_TEST_CONFIG=$work/glance.conf GS_TEST_STORE=cloud GS_TEST_UNIT=1024000
"${listing[@]}" create
export GS_TEST_LISTING="${listing[*]}"
"$@"
