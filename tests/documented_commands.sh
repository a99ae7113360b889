#!/usr/bin/env bash
# Runs every command of the bash blocks of README.md and docs/, page by page, in order; but for launch/test.sh,
# which calls for this after itself, and the benchmarks, which take hours.
set -euo pipefail
cd "$(dirname "$0")/.."
export OMPI_MCA_rmaps_base_oversubscribe=1

for page in README.md docs/*.md; do
  commands=$(awk '/^```bash$/ {on = 1; next} /^```$/ {on = 0} on' "$page")
  while IFS= read -r command <&3; do
    case $command in '' | 'bash launch/test.sh' | tests/benchmarks/run.sh*) continue ;; esac
    echo "+ $command"
    bash -c "$command" </dev/null || { echo "FAILED: $command ($page)"; exit 1; }
  done 3<<<"$commands"
done
echo "every command of README.md and docs/ works"
