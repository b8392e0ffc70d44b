#!/bin/bash
# Makes a real disk image, stores it, fetches it back and compares: demo.sh GLANCE-STORE
set -euo pipefail

glance_store=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work"
export XDG_DATA_HOME=$work/data
unset GLANCE_STORE_CONFIG

say()
{
    printf '\n%s\n' "$*"
}

say 'A disk image: 512 MiB with an ext4 file system and 192 MiB of files in it'
mkdir files
echo 'Hello from inside the image.' >files/hello.txt
head -c 96M /dev/urandom >files/random.bin
yes 'a line of text like any other' | head -c 96M >files/text.log || [[ $? == 141 ]]
truncate -s 512M disk.raw
PATH=$PATH:/usr/sbin:/sbin mke2fs -q -t ext4 -d files disk.raw
qemu-img convert -f raw -O qcow2 disk.raw disk.qcow2
qemu-img info disk.qcow2 | grep -E '^(file format|virtual size|disk size)'

say '$ glance-store add disk.qcow2'
"$glance_store" add --id demo disk.qcow2 | tee added
uri=$(awk '$1 == "uri" { print $2 }' added)

say "\$ glance-store get $uri copy.qcow2"
"$glance_store" get --expect "sha512:$(awk '$1 == "multihash" { print $2 }' added)" "$uri" copy.qcow2

say '$ qemu-img compare disk.raw copy.qcow2'
qemu-img compare -f raw -F qcow2 disk.raw copy.qcow2
cmp disk.qcow2 copy.qcow2

say "\$ glance-store rm $uri"
"$glance_store" rm "$uri"
[[ -z $(ls -A "$XDG_DATA_HOME/glance-store/images") ]]
say 'The image came back byte for byte, and nothing of it remains in the store.'
