#!/bin/bash
# The Debian packages: what they say, what they hold, that dpkg takes them and that they work.
source "$(dirname "$0")/common.sh"

cpack -G DEB --config "$BUILD/CPackConfig.cmake" -B "$work/packages" >"$work/log" 2>&1 || fail "$(cat "$work/log")"
cd "$work/packages"
names=$(for package in *.deb; do dpkg-deb -f "$package" Package; done | sort | tr '\n' ' ')
packages='glance-store-tools libglance-store-dev libglance-store0 nbdkit-plugin-glance-store '
[[ $names == "$packages" ]] || fail "the packages are: $names"

# has PACKAGE FIELD PATTERN: what the package says of itself.
has()
{
    [[ $(dpkg-deb -f "$1"_*.deb "$2") =~ $3 ]] || fail "$1: $2 is '$(dpkg-deb -f "$1"_*.deb "$2")'"
}

# holds PACKAGE PATTERN...: its files, each by a regular expression, and no other.
holds()
{
    local package=$1 pattern
    shift
    dpkg-deb --fsys-tarfile "$package"_*.deb | tar -t | grep -v '/$' | sed 's/^\.//' >files
    for pattern in "$@" "/usr/share/doc/$package/copyright"; do
        grep -qxE -- "$pattern" files || fail "$package lacks $pattern"
        grep -vxE -- "$pattern" files >rest || true
        mv rest files
    done
    [[ ! -s files ]] || fail "$package holds more: $(cat files)"
    dpkg-deb --fsys-tarfile "$package"_*.deb | tar -tv | grep -v ' root/root ' && fail "$package: files not of root"
    return 0
}

version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$SOURCE/Cargo.toml")
lib='/usr/lib(/[a-z0-9_-]+)?'
for package in $packages; do
    has "$package" Version "^$version-"
    has "$package" Architecture "^$(dpkg --print-architecture)$"
    has "$package" Maintainer '^.+ <.+@.+>$'
    has "$package" Description '^[a-z].{20,79}'$'\n'' [A-Z]'
done
has libglance-store0 Section '^libs$'
has libglance-store0 Depends 'libc6 \(>='
has libglance-store-dev Section '^libdevel$'
has libglance-store-dev Depends "^libglance-store0 \(= $version-1\)$"
has glance-store-tools Section '^admin$'
has glance-store-tools Depends 'libc6 \(>='
has glance-store-tools Depends "libglance-store0 \(>= $version\)"
has nbdkit-plugin-glance-store Section '^admin$'
has nbdkit-plugin-glance-store Depends "libglance-store0 \(>= $version\)"
has nbdkit-plugin-glance-store Depends 'nbdkit \(>='

holds libglance-store0 "$lib/libglance_store\.so\.0" "$lib/libglance_store\.so\.$version"
holds libglance-store-dev /usr/include/glance_store.h "$lib/libglance_store\.so" "$lib/libglance_store\.a" \
    "$lib/pkgconfig/glance_store\.pc" "$lib/cmake/glance_store/glance_store-config(-version)?\.cmake"
holds glance-store-tools /usr/bin/glance-store /usr/share/man/man1/glance-store.1.gz \
    /usr/share/bash-completion/completions/glance-store
holds nbdkit-plugin-glance-store "$(pkg-config --variable=plugindir nbdkit)/nbdkit-glance-store-plugin\.so" \
    /usr/share/man/man1/nbdkit-glance-store-plugin.1.gz

dpkg-deb -e libglance-store0_*.deb control
grep -qx 'libglance_store 0 libglance-store0 .*' control/shlibs || fail 'shlibs is wrong'
grep -qx 'activate-noawait ldconfig' control/triggers || fail 'no trigger for ldconfig'
if command -v lintian >/dev/null; then
    lintian --allow-root --fail-on error --suppress-tags bogus-mail-host,no-changelog ./*.deb || fail 'lintian'
fi

# dpkg unpacks and configures them together in a root of their own; not so that the
# machine's ldconfig runs for it.
root=$work/root
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$work/bin"
touch "$root/var/lib/dpkg/status"
ln -s /bin/true "$work/bin/ldconfig"
PATH=$work/bin:$PATH:/usr/sbin:/sbin fakeroot dpkg --root="$root" --log="$work/dpkg.log" --force-not-root \
    --force-script-chrootless --force-depends -i ./*.deb >"$work/log" 2>&1 || fail "$(cat "$work/log")"
for package in $packages; do
    dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${Status}\n' "$package" | grep -qx 'install ok installed' ||
        fail "$package is not installed"
done

# The programs have no library path of their own and work from there.
plugin=$(find "$root/usr/lib" -name nbdkit-glance-store-plugin.so)
for program in "$root/usr/bin/glance-store" "$plugin"; do
    ! readelf -d "$program" | grep -E 'RPATH|RUNPATH' || fail "$program has a library path"
done
library=$(dirname "$(find "$root/usr/lib" -name libglance_store.so.0)")
head -c 100000 /dev/urandom >"$work/disk"
export HOME=$work/home LD_LIBRARY_PATH=$library
mkdir "$HOME"
uri=$("$root/usr/bin/glance-store" add -q "$work/disk")
"$root/usr/bin/glance-store" get "$uri" "$work/copy"
cmp "$work/disk" "$work/copy"
nbdkit "$plugin" --version | grep -qx "glance-store $version" || fail 'nbdkit does not load the plugin'
for page in glance-store nbdkit-glance-store-plugin; do
    man -l "$root/usr/share/man/man1/$page.1.gz" >/dev/null
done

# And so does a program built with the development package.
export PKG_CONFIG_PATH=$library/pkgconfig
# shellcheck disable=SC2046 # words on purpose
"$CC" "$here/consumer.c" -o "$work/consumer" $(pkg-config --cflags --libs glance_store)
consumes "$work/consumer"
