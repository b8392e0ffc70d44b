#!/bin/bash
# The bash completion offers exactly the options that --help names.
source "$(dirname "$0")/common.sh"

PATH=$(dirname "$GLANCE_STORE"):$PATH
# shellcheck source=/dev/null
source "$TOOLS/completion/glance-store"

# offered WORD...: what completing the last word offers, sorted.
offered()
{
    COMP_WORDS=(glance-store "$@")
    COMP_CWORD=$#
    _glance_store
    printf '%s\n' "${COMPREPLY[@]}" | sort
}

named()
{
    grep -oE '^ +(-., )?--[a-z-]+' | grep -oE '\-\-[a-z-]+' | sort
}

equal "$(offered '' | tr '\n' ' ')" 'add cp get help info rm size stores '
equal "$(offered s | tr '\n' ' ')" 'size stores '
for command in stores add get size rm cp info; do
    equal "$(offered "$command" --)" "$("$GLANCE_STORE" "$command" --help | named)"
done
equal "$(offered add --hash sha3_ | tr '\n' ' ')" 'sha3_224 sha3_256 sha3_384 sha3_512 '
equal "$(offered add --store '')" file
equal "$(offered add --size '')" unknown
equal "$(offered add --id '')" ''
touch 'a disk'
equal "$(offered add a)" 'a disk'
equal "$(offered --config a)" 'a disk'
equal "$(complete -p glance-store)" 'complete -o filenames -F _glance_store glance-store'
