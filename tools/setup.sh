#!/bin/bash
# Installs what building and testing need and this machine lacks; does nothing when all is there.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)

# Each line: a Debian package and the commands that show that it is installed.
packages='
build-essential  cc c++ make dpkg-shlibdeps readelf
cmake            cmake cpack ctest
pkg-config       pkg-config
file             file
fakeroot         fakeroot
gzip             gzip
man-db           man
groff-base       groff
python3          python3
python3-venv     python3-ensurepip
qemu-utils       qemu-img
e2fsprogs        mke2fs
valgrind         valgrind
util-linux       unshare mount
openssl          openssl
nginx            nginx
nbdkit           nbdkit
nbdkit-plugin-dev  nbdkit.pc
libnbd-bin       nbdcopy nbdinfo
ceph-mon         ceph-mon
ceph-osd         ceph-osd
ceph-common      ceph rbd ceph-authtool
radosgw          radosgw radosgw-admin
memcached        memcached
python3-rados    python3-rados
python3-rbd      python3-rbd
curl             curl
'

has()
{
    case $1 in
        # No commands, but what makes an environment that can install packages, and headers.
        python3-ensurepip) python3 -m ensurepip --version ;;
        nbdkit.pc) pkg-config --exists nbdkit ;;
        # Only the system's own Python can import them.
        python3-rados | python3-rbd) /usr/bin/python3 -c "import ${1#python3-}" ;;
        *) PATH=$PATH:/usr/sbin:/sbin command -v "$1" ;;
    esac >/dev/null 2>&1
}

missing_packages()
{
    local package commands command
    while read -r package commands; do
        for command in $commands; do
            if ! has "$command"; then
                echo "$package"
                break
            fi
        done
    done <<<"$packages"
}

as_root()
{
    if [[ $(id -u) == 0 ]]; then
        "$@"
    elif has sudo; then
        sudo "$@"
    else
        echo "setup: not root and no sudo; as root run: $*" >&2
        exit 1
    fi
}

install_packages()
{
    echo "setup: installing $*"
    if ! has apt-get; then
        echo "setup: no apt-get here; install what these Debian packages hold: $*" >&2
        exit 1
    fi
    as_root apt-get update -qq
    without_services as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-remove --no-install-recommends "$@"
    # Their programs are wanted, not servers that run from the next boot on.
    local server
    for server in nginx memcached; do
        [[ " $* " != *" $server "* ]] || as_root update-rc.d "$server" disable
    done
}

# A package that is installed for the tests starts nothing, unless the machine has its own rules for that.
policy=/usr/sbin/policy-rc.d
without_services()
{
    if [[ -e $policy ]]; then
        "$@"
        return
    fi
    trap 'as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    "$@"
    as_root rm -f "$policy"
    trap - EXIT
}

# Rust is left to its user: rustup, a distribution or a mirror may be what is wanted.
require_rust()
{
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
    if ! has cargo || ! has rustc; then
        cat >&2 <<ADVICE
setup: Rust is not installed; version $wanted or newer is needed. With rustup:
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y
    . "\$HOME/.cargo/env"
ADVICE
        exit 1
    fi
    found=$(rustc --version | cut -d' ' -f2)
    if [[ $(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1) != "$wanted" ]]; then
        echo "setup: Rust $found is too old, $wanted or newer is needed; with rustup: rustup update stable" >&2
        exit 1
    fi
    for component in rustfmt clippy; do
        if ! cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1; then
            echo "setup: cargo has no $component; with rustup: rustup component add $component" >&2
            exit 1
        fi
    done
}

mapfile -t missing < <(missing_packages)
if ((${#missing[@]} > 0)); then
    install_packages "${missing[@]}"
fi
require_rust
