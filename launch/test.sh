#!/usr/bin/env bash
# Installs what the tests need, builds everything and runs all tests; ends with ctest's summary.
#   bash launch/test.sh [ctest options]
set -euo pipefail
cd "$(dirname "$0")/.."

bash launch/install_packages.sh libgtest-dev libgmock-dev libeigen3-dev librandom123-dev perl-doc openssh-client
cmake --preset cpu -DBOOSTR_TESTS=ON
cmake --build build
ctest --preset cpu --parallel 2 "$@"  # two at a time: about half of the time a test waits
