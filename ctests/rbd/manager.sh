#!/bin/bash
# Finds a ceph-mgr: manager.sh DIRECTORY; afterwards DIRECTORY/ceph-mgr is one.  Where none is installed, Debian's is
# unpacked there, without the packages that only its web pages need.
set -euo pipefail
. "$(dirname "$0")/unpacking.sh"

# Into the working directory: download APT-OPTION...
download()
{
    local version boost
    version=$(dpkg-query --show --showformat='${Version}' ceph-mon)
    apt-get -qq "$@" download "ceph-mgr=$version" "ceph-mgr-modules-core=$version" || return 1
    boost=$(dpkg-deb --field ceph-mgr_*.deb Depends | grep -o 'libboost-python[0-9.]*' | head -n 1)
    apt-get -qq "$@" download "$boost"
}

write_program()
{
    local libraries
    libraries=$(dirname "$(find "$directory/root" -name 'libboost_python*' -print -quit)")
    cat >ceph-mgr <<PROGRAM
#!/bin/sh
LD_LIBRARY_PATH='$libraries' exec '$directory/root/usr/bin/ceph-mgr' --mgr-module-path='$directory/root/usr/share/ceph/mgr' "\$@"
PROGRAM
    chmod +x ceph-mgr
}

[[ ! -x ceph-mgr ]] || exit 0
if command -v ceph-mgr >/dev/null; then
    ln -s "$(command -v ceph-mgr)" ceph-mgr
    exit 0
fi
obtain
write_program
./ceph-mgr --version
