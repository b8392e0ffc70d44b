#!/bin/bash
# The first run needs no configuration and no directory.
source "$(dirname "$0")/common.sh"

sample disk 1000
run 0 stores
run 0 add -q --id disk disk
equal "$(cat out)" "file://$images/disk"
cmp disk "$images/disk"

export XDG_DATA_HOME=$work/data
run 0 add -q --id disk disk
equal "$(cat out)" "file://$work/data/glance-store/images/disk"
export XDG_DATA_HOME=relative # which the XDG specification says to ignore
run 0 size "file://$images/disk"
equal "$(cat out)" 1000
unset XDG_DATA_HOME

# A dollar sign in a name is no reference to another option.
export HOME="$work/\$stores and \${more}"
mkdir "$HOME"
run 0 add -q --id disk disk
equal "$(cat out)" "file://$HOME/.local/share/glance-store/images/disk"
cmp disk "$HOME/.local/share/glance-store/images/disk"
run 0 size "$(cat out)"
equal "$(cat out)" 1000

HOME=$work/$(printf 'x%.0s' {1..5000})
run 3 stores
says --config
