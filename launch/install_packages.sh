#!/usr/bin/env bash
# Installs the Debian packages that boostr is built from. Needs root or sudo; does nothing if all are there.
#   bash launch/install_packages.sh [further packages]
set -euo pipefail

packages=(
  g++ cmake ninja-build pkg-config
  openmpi-bin libopenmpi-dev libhdf5-dev libyaml-cpp-dev libcli11-dev
  libfmt-dev nlohmann-json3-dev libxxhash-dev libzstd-dev zlib1g-dev
  "$@"
)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

if ! command -v apt-get >/dev/null; then
  echo "boostr: these packages are missing and apt-get is not here to install them: ${missing[*]}" >&2
  exit 2
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "boostr: run this as root, or install sudo; missing: ${missing[*]}" >&2; exit 2; }
  as_root=(sudo)
fi
echo "Installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
