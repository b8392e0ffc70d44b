#!/bin/sh
# Makes a virtual environment of Python: venv.sh DIRECTORY [REQUIREMENTS]
# Without REQUIREMENTS, with the Python glance_store that requirements.txt names.
# Does nothing when the environment already holds what is asked for.
# VENV_OPTIONS are options of Python's venv.
set -eu

directory=$1
requirements=${2:-$(dirname "$0")/requirements.txt}
done_for=$directory/requirements.done

# Two that want the same environment at once: the second waits and finds it made.
mkdir -p "$(dirname "$directory")"
exec 9>"$directory.lock"
flock 9

if cmp -s "$requirements" "$done_for"; then
    exit 0
fi
rm -rf "$directory"
# shellcheck disable=SC2086 # words on purpose
${PYTHON:-python3} -m venv ${VENV_OPTIONS:-} "$directory" 9>&- || {
    echo "venv.sh: cannot make a virtual environment; on Debian install python3-venv" >&2
    exit 1
}
"$directory/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements" 9>&-
cp "$requirements" "$done_for"
