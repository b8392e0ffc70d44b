#!/bin/bash
# JSON stays JSON whatever the names hold.
source "$(dirname "$0")/common.sh"

sample disk 10
uri=$("$GLANCE_STORE" add -q disk)

for command in "stores" "info $uri" "size $uri"; do
    # shellcheck disable=SC2086 # words on purpose
    run 0 $command --json
    python3 -m json.tool <out >/dev/null
    equal "$(wc -l <out)" 1
done

# name FILE TEXT: the JSON of a get to FILE decodes to TEXT, given as a Python string.
name()
{
    run 0 get --json "$uri" "$1"
    python3 -c 'import ast, json, sys; sys.exit(json.load(open("out"))["file"] != ast.literal_eval(sys.argv[1]))' "$2" ||
        fail "the name $2 came out as $(field file)"
    rm -- "$1"
}

name 'plain' '"plain"'
name 'quote"and\backslash' '"quote\"and\\backslash"'
name $'line\nfeed\ttab\x01\x7f' '"line\nfeed\ttab\x01\x7f"'
name $'gr\xc3\xbc\xc3\x9fe \xe2\x82\xac \xf0\x9f\x92\xbf' '"grüße € 💿"'
name $'stray\xff' '"stray\ufffd"'
name $'cut\xe2\x82' '"cut\ufffd\ufffd"'
name $'overlong\xc0\xaf' '"overlong\ufffd\ufffd"'
name $'surrogate\xed\xa0\x80' '"surrogate\ufffd\ufffd\ufffd"'
name $'beyond\xf4\x90\x80\x80' '"beyond\ufffd\ufffd\ufffd\ufffd"'
