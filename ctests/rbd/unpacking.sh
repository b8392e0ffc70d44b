# Programs of Debian packages that are unpacked rather than installed; sourced by scripts whose first argument is the
# directory for them, which becomes the working directory. Such a script has a function `download APT-OPTION...` that
# puts packages there.
#
#   obtain   downloads the packages and unpacks them into $directory/root

mkdir -p "$1"
directory=$(cd "$1" && pwd)
cd "$directory"

obtain()
{
    local package
    rm -f ./*.deb
    download || download_with_own_lists
    for package in *.deb; do
        dpkg-deb --extract "$package" root
    done
}

# Where the machine has no lists of packages.
download_with_own_lists()
{
    local options=(-o "Dir::State::lists=$directory/apt/lists" -o "Dir::Cache=$directory/apt/cache")
    mkdir -p apt/lists/partial apt/cache/archives/partial
    rm -f ./*.deb
    apt-get -qq "${options[@]}" update
    download "${options[@]}"
}
