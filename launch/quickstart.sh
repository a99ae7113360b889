#!/usr/bin/env bash
# From a fresh machine to a trained model: installs Debian packages, builds, and trains recipes/quickstart.yaml on two
# MPI ranks. Needs root or sudo for the packages.
#   bash launch/quickstart.sh [key.path=value ...]     overrides of the recipe, for example training.steps=400
set -euo pipefail
cd "$(dirname "$0")/.."

# The Perl manual (perl-doc) is the text: 9 MB of English prose. openssh-client is what mpirun looks for at start-up.
bash launch/install_packages.sh perl-doc openssh-client

echo "Building (a few minutes)"
cmake --preset cpu -DBOOSTR_TESTS=OFF >build-configure.log 2>&1 || { cat build-configure.log; exit 1; }
rm -f build-configure.log
cmake --build build --target boostr-train

# mpirun refuses root and more ranks than cores unless told.
flags=()
[ "$(id -u)" -ne 0 ] || flags+=(--allow-run-as-root)
[ "$(nproc)" -ge 2 ] || flags+=(--oversubscribe)
echo "Training: mpirun -np 2 build/bin/boostr-train recipes/quickstart.yaml $*"
exec mpirun "${flags[@]}" -np 2 build/bin/boostr-train recipes/quickstart.yaml "$@"
