#!/bin/bash
# --config, --set and GLANCE_STORE_CONFIG: who wins, and what wrong ones get.
source "$(dirname "$0")/common.sh"

sample disk 10
config()
{
    printf '[glance_store]\nstores = file\nfilesystem_store_datadir = %s\n' "$2" >"$1"
}
config a.conf "$work/a"
config b.conf "$work/b"
config environment.conf "$work/environment"

# added DIRECTORY ARGUMENT...: adding with these puts the image there.
added()
{
    local directory=$1
    shift
    run 0 add -q "$@" disk
    equal "$(dirname "$(cat out)")" "file://$directory"
}

added "$images"
added "$work/a" --config a.conf
added "$work/b" --config a.conf --config=b.conf
added "$work/set" --set "glance_store.filesystem_store_datadir=$work/set"
added "$work/set" --set "glance_store.filesystem_store_datadir=$work/set" --config a.conf
added "$work/last" --config a.conf --set "glance_store.filesystem_store_datadir=$work/first" \
    --set "glance_store.filesystem_store_datadir=$work/last"
export GLANCE_STORE_CONFIG=$work/environment.conf
added "$work/environment"
added "$work/a" --config a.conf
added "$work/set" --set "glance_store.filesystem_store_datadir=$work/set"
export GLANCE_STORE_CONFIG=
added "$images"

# Groups with dots, values with equals signs.
run 0 stores --json --set 'DEFAULT.enabled_backends=a.b:file' --set 'glance_store.default_backend=a.b' \
    --set "a.b.filesystem_store_datadir=$work/dots" --set 'a.b.store_description=x=y'
python3 -c '
import json
store, = json.load(open("out"))
assert store["id"] == "a.b" and store["description"] == "x=y", store'

for setting in '' x x=y .x=y group.=y =y; do
    run 2 stores --set "$setting"
    says --set
done
run 3 stores --config missing.conf
says missing.conf
run 3 stores --set glance_store.filesystem_store_datadirr=/x
says filesystem_store_datadirr
run 3 stores --set glance_store.stores=fiel
says fiel
printf '[glance_store\n' >broken.conf
run 3 stores --config broken.conf
says broken.conf
