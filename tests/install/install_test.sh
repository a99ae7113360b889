#!/usr/bin/env bash
# Installs the build into a folder and builds and runs a program that finds it there.
#   install_test.sh <cmake> <source> <build>
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" --install "$3" --prefix "$work/prefix" >/dev/null
"$work/prefix/bin/boostr-train" version
"$1" -S "$2/tests/install/consumer" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" >/dev/null
"$1" --build "$work/build" >/dev/null
"$work/build/consumer"
