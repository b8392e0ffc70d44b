#!/bin/bash
# Unpacks Ceph's client libraries of another release of Debian: client_libraries.sh RELEASE DIRECTORY
# Afterwards DIRECTORY/run PROGRAM... runs a program with these instead of the installed ones.
set -euo pipefail

release=$1
mkdir -p "$2"
directory=$(cd "$2" && pwd)
cd "$directory"
[[ ! -x run ]] || exit 0

# A place of their own for all that apt keeps, as if nothing were installed.
fetch()
{
    mkdir -p state/lists/partial cache/archives/partial
    : >status
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $1 $release main" >sources.list
    local apt=(apt-get -qq -o "Dir::State=$directory/state" -o "Dir::State::status=$directory/status"
               -o "Dir::Cache=$directory/cache" -o "Dir::Etc::sourcelist=$directory/sources.list"
               -o Dir::Etc::sourceparts=- -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false)
    "${apt[@]}" update && "${apt[@]}" -y --no-install-recommends --download-only install librbd1
}

# The C library and its loader belong together, and the newer serves both.
is_newer_here()
{
    dpkg --compare-versions "$(dpkg-query --show --showformat '${Version}' libc6)" ge \
        "$(dpkg-deb --field cache/archives/libc6_*.deb Version)"
}

unpack()
{
    local package
    for package in cache/archives/*.deb; do
        case $package in
            */libc6_* | */libstdc++6_* | */libgcc-s1_*) ! is_newer_here || continue ;;
        esac
        dpkg-deb --extract "$package" root
    done
    path=$(find "$directory/root" -name '*.so.*' -printf '%h\n' | sort -u | paste -sd :)
    loader=$(find "$directory/root" -name 'ld-linux*.so.*' -print -quit)
    loader=${loader:-$(readelf --program-headers /bin/sh | sed -n 's/.*interpreter: \(.*\)]/\1/p')}
}

fetch http://deb.debian.org/debian || fetch http://archive.debian.org/debian
unpack
rm -rf cache state
loaded=$("$loader" --list --library-path "$path" "$(find "$directory/root" -name librbd.so.1)")
for library in librados.so.2 libceph-common.so; do
    grep -q "$library.* => $directory/root/" <<<"$loaded" ||
        { echo "client_libraries.sh: $library of $release is not the one that is loaded" >&2; exit 1; }
done
printf '#!/bin/sh\nexec "%s" --library-path "%s" "$@"\n' "$loader" "$path" >run
chmod +x run
