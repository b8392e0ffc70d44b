#!/bin/sh
# Makes a virtual environment with the Python glance_store: venv.sh DIRECTORY
# Does nothing when the environment already holds what requirements.txt asks for.
set -eu

directory=$1
requirements=$(dirname "$0")/requirements.txt
done_for=$directory/requirements.done

if cmp -s "$requirements" "$done_for"; then
    exit 0
fi
rm -rf "$directory"
${PYTHON:-python3} -m venv "$directory" || {
    echo "venv.sh: cannot make a virtual environment; on Debian install python3-venv" >&2
    exit 1
}
"$directory/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
cp "$requirements" "$done_for"
