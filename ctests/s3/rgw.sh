#!/bin/bash
# Starts the radosgw of a group of tests from nothing, whatever an earlier run left, and ends it:
# rgw.sh SERVERS start|stop DIR
set -euo pipefail

ceph=$1/ceph
directory=$3
if [[ ! -x /usr/bin/radosgw ]]; then
    echo 'skipped, because radosgw is not installed'
    exit 77
fi

make_role()
{
    local admin=(/usr/bin/radosgw-admin -c "$directory/ceph.conf")
    "${admin[@]}" role create --role-name=images --assume-role-policy-doc='{"Version": "2012-10-17", "Statement":
        [{"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam:::user/glance"]}, "Action": ["sts:AssumeRole"]}]}'
    "${admin[@]}" role-policy put --role-name=images --policy-name=all --policy-doc='{"Version": "2012-10-17", "Statement":
        [{"Effect": "Allow", "Action": ["s3:*"], "Resource": "arn:aws:s3:::*"}]}'
}

case $2 in
    start)
        "$ceph" stop "$directory" 2>/dev/null || true
        rm -rf "$directory"
        # By host, buckets are below localhost; and users may have temporary keys of the role `images`.
        export CEPH_RGW_EXTRA=$'rgw dns name = localhost\nrgw s3 auth use sts = true\nrgw sts key = 0123456789abcdef'
        assignments=$("$ceph" start "$directory" radosgw)
        make_role
        echo "$assignments" | tee "$directory/assignments"
        ;;
    stop)
        "$ceph" stop "$directory"
        rm -rf "$directory"
        ;;
esac
