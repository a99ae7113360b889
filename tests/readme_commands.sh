#!/usr/bin/env bash
# Runs every command of README.md's bash blocks in order, but for launch/test.sh, which calls for this after itself.
set -euo pipefail
cd "$(dirname "$0")/.."
export OMPI_MCA_rmaps_base_oversubscribe=1

awk '/^```bash$/ {on = 1; next} /^```$/ {on = 0} on' README.md | grep -v '^bash launch/test.sh$' >/tmp/readme-commands.$$
trap 'rm -f /tmp/readme-commands.$$' EXIT
while IFS= read -r command <&3; do
  [ -n "$command" ] || continue
  echo "+ $command"
  bash -c "$command" </dev/null || { echo "FAILED: $command"; exit 1; }
done 3</tmp/readme-commands.$$
echo "every command of README.md works"
