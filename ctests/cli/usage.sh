#!/bin/bash
# Wrong command lines, and the texts that teach the right ones.
source "$(dirname "$0")/common.sh"

# wrong TEXT ARGUMENT...: refused as usage, naming TEXT and where help is.
wrong()
{
    local text=$1
    shift
    run 2 "$@"
    says "$text"
    says "--help' explains."
}

wrong 'no command'
wrong "'frobnicate'" frobnicate
wrong "'frobnicate'" help frobnicate
wrong "'--frobnicate'" stores --frobnicate
wrong "'--frobnicate'" stores --frobnicate=1
wrong "'--sto'" size --sto x URI
wrong "'-x'" stores -x
wrong "'-x'" stores -qx
wrong '--json takes no value' stores --json=yes
wrong '--store needs a value: ID' size URI --store
wrong "unexpected operand 'two'" size one two
wrong "unexpected operand 'one'" stores one
wrong 'needs FILE' add
wrong 'needs URI FILE' get URI
wrong 'an operand is empty' size ''
wrong '--id does not apply' size --id x URI
wrong '--force does not apply' add --force FILE
wrong '--offset does not apply' stores --offset 1
for timeout in 0 -1 x '' 1x nan inf 1e9; do
    wrong --timeout size --timeout "$timeout" URI
done

# Options anywhere; "--" ends them; "-x" can be a file.
cd "$work"
sample -x 10 2>/dev/null || head -c 10 /dev/urandom >./-x
run 0 --json add --id a -- -x
run 0 add -q --id=b --json ./-x
equal "$(field id)" '"b"'

# Help.
run 0 --help
cp out help
for command in stores add get size rm cp info; do
    grep -qE "^  $command " help || fail "--help does not name $command"
    run 0 "$command" --help
    prints "^Usage: glance-store $command "
    prints '^Options:$'
    prints '^Examples:$'
    prints "^  .*glance-store $command"
    cp out command_help
    run 0 help "$command"
    cmp out command_help
    run 0 "$command" -h
    cmp out command_help
    equal "$(awk 'length > 100' command_help)" ''
done
run 0 help
cmp out help
grep -q '^Exit codes:$' help
equal "$(awk 'length > 100' help)" ''

run 0 --version
prints '^glance-store [0-9]+\.[0-9]+\.[0-9]+ \(library [0-9]+\.[0-9]+\.[0-9]+\)$'
run 0 stores -V
prints '^glance-store '
