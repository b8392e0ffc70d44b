#!/bin/bash
# Finds a qemu-img that has rbd: qemu.sh DIRECTORY; afterwards DIRECTORY/qemu-img is one.
# Where the installed one lacks it, Debian's qemu-utils and qemu-block-extra of one version are unpacked there:
# the latter cannot be installed beside the former of another version.
set -euo pipefail
. "$(dirname "$0")/unpacking.sh"

has_rbd()
{
    local complaint
    # It looks for the configuration first, which is none.
    complaint=$(LC_ALL=C "$1" info "rbd:pool/image:conf=$directory/missing.conf" 2>&1 || true)
    [[ $complaint == *'reading conf file'* ]]
}

# Into the working directory: download APT-OPTION...
download()
{
    local version
    apt-get -qq "$@" download qemu-block-extra || return 1
    version=$(dpkg-deb --field qemu-block-extra_*.deb Version)
    apt-get -qq "$@" download "qemu-utils=$version"
}

write_program()
{
    local modules
    modules=$(dirname "$(find "$directory/root" -name block-rbd.so)")
    cat >qemu-img <<PROGRAM
#!/bin/sh
QEMU_MODULE_DIR='$modules' exec '$directory/root/usr/bin/qemu-img' "\$@"
PROGRAM
    chmod +x qemu-img
}

if [[ -x qemu-img ]] && has_rbd ./qemu-img; then
    exit 0
fi
rm -f qemu-img
if has_rbd qemu-img; then
    ln -s "$(command -v qemu-img)" qemu-img
    exit 0
fi
obtain
write_program
has_rbd ./qemu-img || { echo "qemu.sh: $directory/qemu-img has no rbd" >&2; exit 1; }
