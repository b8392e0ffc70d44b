#!/bin/bash
# The conformance suite on Swift: conformance.sh FETCH 1|3 dlo|slo COMMAND...
# FETCH is the program of ctests/faults, then comes the version of authentication; the server's addresses are
# in the environment (with_swift.sh).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
fetch=$1
version=$2
manifest=$3
shift 3
case $version in
    1) address=$SWIFT_V1_URL user=$SWIFT_V1_USER key=$SWIFT_V1_KEY storage=$SWIFT_V1_STORAGE_URL ;;
    3) address=$SWIFT_KEYSTONE_URL user=$SWIFT_USER key=$SWIFT_KEY storage=$SWIFT_STORAGE_URL ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
container=conformance-$$
cat >"$work/glance.conf" <<CONFIG
[DEFAULT]
enabled_backends = cloud:swift
[glance_store]
default_backend = cloud
[cloud]
swift_store_config_file = $work/accounts.conf
swift_store_container = $container
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
token="X-Auth-Token: $(python3 "$here/log_in.py" "$version")"
"$fetch" PUT "$storage/$container" "$token"
export GS_TEST_CONFIG=$work/glance.conf GS_TEST_STORE=cloud GS_TEST_UNIT=1024000
export GS_TEST_LISTING="'$fetch' GET '$storage/$container?format=json' '$token'"
"$@"
