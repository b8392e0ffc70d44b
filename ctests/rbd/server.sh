#!/bin/bash
# The script that the tests start Ceph with: server.sh SERVERS
set -euo pipefail

for tool in ceph-mon ceph-osd ceph rbd radosgw; do
    if ! PATH=$PATH:/usr/sbin command -v "$tool" >/dev/null; then
        echo "skipped, because $tool is not installed"
        exit 77
    fi
done
ceph=$1/ceph
script=$ceph
. "$1/testing.sh"

# glance RBD-ARGUMENT...: as the user whom an image service gets.
glance()
{
    timeout 60 rbd --conf "$CEPH_GLANCE_CONF" --id "$CEPH_USER" "$@"
}

object_stores_answer()
{
    /usr/bin/python3 - "$S3_ENDPOINT" "$S3_ACCESS_KEY" "$S3_SECRET_KEY" "$SWIFT_AUTH_URL" "$SWIFT_USER" "$SWIFT_KEY" <<'PYTHON'
import base64, email.utils, hashlib, hmac, sys, urllib.request
endpoint, access, secret, auth, user, key = sys.argv[1:]
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
date = email.utils.formatdate(usegmt=True)
signature = base64.b64encode(hmac.new(secret.encode(), f"GET\n\n\n{date}\n/".encode(), hashlib.sha1).digest())
headers = {"Date": date, "Authorization": f"AWS {access}:{signature.decode()}"}
assert b"ListAllMyBuckets" in direct.open(urllib.request.Request(endpoint + "/", headers=headers)).read()
token = direct.open(urllib.request.Request(auth, headers={"X-Auth-User": user, "X-Auth-Key": key})).headers
assert token["X-Auth-Token"] and token["X-Storage-Url"].startswith(endpoint + "/swift/v1")
PYTHON
}

eval "$("$ceph" start "$work/a" radosgw)"
object_stores_answer
head -c 3000000 /dev/urandom >"$work/image"
glance import --no-progress "$work/image" images/one
! glance import --no-progress "$work/image" volumes/one 2>/dev/null || fail 'glance changes volumes'
timeout 60 rbd --conf "$CEPH_CINDER_CONF" --id cinder export --no-progress images/one - | cmp - "$work/image"
refused start "$work/a"
refused start-osd "$work/a"
first=$CEPH_MON_PORT

# The OSD comes back with what it had.
"$ceph" stop-osd "$work/a"
refused stop-osd "$work/a"
eval "$("$ceph" start-osd "$work/a")"
glance export --no-progress images/one - | cmp - "$work/image"
first_osd=$CEPH_OSD_PID

# And so does the monitor.
"$ceph" stop-mon "$work/a"
refused stop-mon "$work/a"
eval "$("$ceph" start-mon "$work/a")"
refused start-mon "$work/a"
glance export --no-progress images/one - | cmp - "$work/image"

# Another directory has another cluster.
eval "$("$ceph" start "$work/b")"
[[ $CEPH_MON_PORT != "$first" && $CEPH_OSD_PID != "$first_osd" ]] || fail 'two clusters have one monitor'
[[ -z $(glance ls images) ]] || fail 'a new cluster has images'

# Killed, it leaves pid files, which are nobody's; it comes back where it was, empty.
second=$CEPH_MON_PORT
glance import --no-progress "$work/image" images/two
kill -KILL "$CEPH_MON_PID" "$CEPH_OSD_PID"
eval "$("$ceph" start "$work/b")"
[[ $CEPH_MON_PORT == "$second" ]] || fail 'it comes back elsewhere'
[[ -z $(glance ls images) ]] || fail 'a new cluster has images'
"$ceph" stop "$work/b"
refused stop "$work/b"

# A port that another has is not taken from it.
cp "$work/a/ports" "$work/b/ports"
refused start "$work/b"

"$ceph" stop "$work/a"
refused stop "$work/a"
! kill -0 "$first_osd" 2>/dev/null || [[ ! -s /proc/$first_osd/cmdline ]] || fail 'its OSD runs after its end'
refused start
refused restart "$work/a"
refused start "$work/a" mgr
refused start "$work/with space"
