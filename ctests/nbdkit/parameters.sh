#!/bin/bash
# Parameters: what they do, and what is said when they are wrong.
source "$(dirname "$0")/common.sh"

sample "$images/disk" 100000
uri=file://$images/disk
size='[ "$(nbdinfo --size "$uri")" = 100000 ]'

# Every way to name the image.
served "$size" "${file_store[@]}" uri="$uri"
served "$size" "${file_store[@]}" "$uri"
echo "$uri" >uri.txt
served "$size" "${file_store[@]}" uri=+uri.txt
run 0 nbdkit -U - "$PLUGIN" "${file_store[@]}" uri=-7 --run "$size" 7<uri.txt

# Every way to configure the stores. A relative path is one from here, in the background too.
cat >glance.conf <<CONFIG
[DEFAULT]
enabled_backends = fast:file, cheap:file
[glance_store]
default_backend = fast
[fast]
filesystem_store_datadir = $work/fast
[cheap]
filesystem_store_datadir = $images
CONFIG
mkdir fast
served "$size" config=glance.conf "$uri"
served "$size" config=glance.conf store=cheap "$uri"
refused config=glance.conf store=fast "$uri"
says outside
refused config=glance.conf store=slow "$uri"
says "'slow'"

# Later ones win, whether of a file or of a single setting.
served "$size" config=glance.conf set=cheap.filesystem_store_datadir="$work/fast" \
    set=cheap.filesystem_store_datadir="$images" "$uri"
refused config=glance.conf set=cheap.filesystem_store_datadir="$work/fast" store=cheap "$uri"
served "$size" set=cheap.filesystem_store_datadir="$work/fast" config=glance.conf store=cheap "$uri"

# Wrong parameters.
refused "${file_store[@]}"
says 'uri=URI is missing'
refused "${file_store[@]}" uri=
says 'uri is empty'
refused "${file_store[@]}" "$uri" "$uri"
says 'uri was given twice'
refused "${file_store[@]}" uri=+absent.txt
says absent.txt
refused "${file_store[@]}" "$uri" size=1
says "'size'"
refused "${file_store[@]}" "$uri" store=
says 'store is empty'
refused "${file_store[@]}" "$uri" config=absent.conf
says absent.conf
for setting in x x=1 .key=1 group.=1 =1 ''; do
    refused "${file_store[@]}" "$uri" "set=$setting"
    says GROUP.KEY=VALUE
done
refused "${file_store[@]}" "$uri" set=secret=hunter2
lacks err hunter2
refused "${file_store[@]}" "$uri" set=glance_store.filesystem_store_datadri=/x
says '"filesystem_store_datadir"'

# Wrong images.
refused "${file_store[@]}" "file://$images/missing"
says missing
says 'not found'
refused "${file_store[@]}" file:///etc/passwd
says outside
refused "${file_store[@]}" no-uri
says no-uri
refused "${file_store[@]}" https://user:hunter2@host/disk
says https
lacks err hunter2
refused "${file_store[@]}" "file://$images"

# The log goes where nbdkit's goes.
run 0 nbdkit -v -U - "$PLUGIN" "${file_store[@]}" uri=+uri.txt --run true
grep -qE '^nbdkit: .*debug: .*(registry|store)' err || fail 'no log of the library with --verbose'

# Help, and what programs are told.
run 0 nbdkit "$PLUGIN" --help
for parameter in uri config set store; do
    grep -q "^$parameter=<" out || fail "--help lacks $parameter"
    grep -q "\\.BI $parameter= " "$MANUAL" || fail "the man page lacks $parameter"
done
run 0 nbdkit "$PLUGIN" --version
version=$("$GLANCE_STORE" --version | head -n 1 | cut -d' ' -f2)
grep -qx "glance-store $version" out || fail "it is not version $version"
run 0 nbdkit "$PLUGIN" --dump-plugin
for line in name=glance-store thread_model=parallel glance_store_version="$version" glance_store_driver_file=yes; do
    grep -qxF "$line" out || fail "--dump-plugin lacks $line"
done

# The man page.
groff -man -Tutf8 -ww -P-cbou "$MANUAL" >/dev/null 2>err
[[ ! -s err ]] || fail 'groff complains of the man page'
grep -q "glance-store $version" "$MANUAL" || fail "the man page is not of version $version"
