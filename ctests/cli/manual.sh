#!/bin/bash
# The man page renders, and tells of everything that --help tells of.
source "$(dirname "$0")/common.sh"

page=$TOOLS/man/glance-store.1
groff -man -Tutf8 -ww -P-cbou "$page" >rendered 2>warnings
[[ ! -s warnings ]] || fail "$(cat warnings)"
# Hyphenation would split the words that are looked for.
groff -man -Tascii -P-cbou -rHY=0 -rLL=200n "$page" >rendered

version=$("$GLANCE_STORE" --version | cut -d' ' -f2)
grep -q "glance-store $version" rendered || fail "the page is not of version $version"
for command in stores add get size rm cp info; do
    grep -qE "^ +glance-store $command" rendered || fail "the page lacks $command"
    "$GLANCE_STORE" "$command" --help | grep -oE '^ +(-., )?--[a-z-]+' | grep -oE '\-\-[a-z-]+' >options
    while read -r option; do
        grep -qE "^ +.*$option" rendered || fail "the page lacks $option"
    done <options
done
"$GLANCE_STORE" --help | sed -n '/^Exit codes:/,/^$/p' | grep -oE '^ +[0-9]+' >codes
while read -r code; do
    grep -qE "^ +$code" rendered || fail "the page lacks exit code $code"
done <codes
for word in GLANCE_STORE_CONFIG XDG_DATA_HOME SIGINT EXAMPLES /glance-store/images; do
    grep -qF "$word" rendered || fail "the page lacks $word"
done
