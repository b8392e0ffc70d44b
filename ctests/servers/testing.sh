# Sourced by the tests of the scripts that start servers: what all of them need.
# $script is the script and $name what it calls itself; $work is a private directory, and servers in $work/a and
# $work/b are stopped at the end.

name=$(basename "$script")
work=$(mktemp -d)
cleanup()
{
    "$script" stop "$work/a" 2>/dev/null || true
    "$script" stop "$work/b" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

fail()
{
    echo "FAILED at line ${BASH_LINENO[0]}: $*" >&2
    exit 1
}

# refused ARGUMENT...: with a word of why, and nothing for a shell to take.
refused()
{
    ! "$script" "$@" >"$work/out" 2>"$work/err" || fail "$name $* succeeded"
    [[ ! -s $work/out ]] || fail "$name $* failed, yet printed assignments"
    grep -q "^$name: ." "$work/err" || fail "$name $* failed without a word"
}
