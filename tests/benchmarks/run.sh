#!/usr/bin/env bash
# Builds and runs the benchmarks and rewrites the tables of docs/performance.md from what they measured.
#   tests/benchmarks/run.sh [options] [parts]
# Parts: machine gemm attention loss row optimizer comm step mesh pipeline schedule emulation scaling checkpoint (all of them without any).
#   --quick       smaller sizes, fewer rounds
#   --level=NAME  a build with the kernels of this instruction-set level alone (avx2, avx512, ...), into
#                 docs/performance-NAME.md if there is such a page
#   --torch VENV  trains steps beside PyTorch too; makes this virtual environment if it is absent
#   --results DIR keeps the measurements there (default: build/benchmarks)
#   --no-tables   leaves docs/performance.md and its pictures as they are
# Run it on a quiet machine; the load average is printed into the tables. OpenBLAS, Open MPI and PyTorch
# are compared where they are installed.
set -euo pipefail
cd "$(dirname "$0")/../.."

quick=() torch=() parts=() build=build levels=() results='' tables=yes page=docs/performance.md pictures=docs
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=(--quick) ;;
    --level=*) build=build-${1#*=} levels=("-DBOOSTR_CPU_LEVELS=${1#*=}") page=docs/performance-${1#*=}.md pictures='' ;;
    --torch) torch=(--torch "$2"); shift ;;
    --results) results=$2; shift ;;
    --no-tables) tables=no ;;
    -*) sed -n '2,13s/^# \{0,1\}//p' "$0"; exit 2 ;;
    *) parts+=("$1") ;;
  esac
  shift
done
[ ${#parts[@]} -gt 0 ] || parts=(machine gemm attention loss row optimizer comm step mesh pipeline schedule emulation scaling checkpoint)

cmake --preset cpu -B "$build" -DBOOSTR_TESTS=ON "${levels[@]}" >/dev/null
cmake --build "$build" --target benchmarks boostr-train
: "${results:=$build/benchmarks}"
mkdir -p "$results"  # results of parts that are not run now stay, and so do their tables
[ $tables = yes ] && [ -n "$pictures" ] || pictures=$results

# The libraries beside ours for the same instruction set.
if [ "$build" = build-avx2 ]; then export OPENBLAS_CORETYPE=Haswell MKL_ENABLE_INSTRUCTIONS=AVX2 ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2; fi
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1

# out NAME: where the results of a part go, as options of Google Benchmark.
out() { echo "--benchmark_out=$results/$1.json" --benchmark_out_format=json; }

for part in "${parts[@]}"; do
  echo "== $part (load average $(cut -d' ' -f1-3 /proc/loadavg))"
  case $part in
    machine | gemm | attention | loss | row | optimizer)
      # shellcheck disable=SC2046
      "$build/bin/${part}_bench" "${quick[@]}" $(out "$part") ;;
    comm)
      for ranks in 2 4; do
        # shellcheck disable=SC2046
        mpirun --bind-to none -np "$ranks" "$build/bin/comm_bench" "${quick[@]}" $(out "comm$ranks")
      done ;;
    step)
      python3 tests/benchmarks/step.py --profile "${quick[@]}" "${torch[@]}" \
        --program "$build/bin/boostr-train" --json "$results/step.json" ;;
    mesh)
      python3 tests/benchmarks/meshes.py "${quick[@]}" --program "$build/bin/boostr-train" \
        --pictures "$pictures" --json "$results/mesh.json" ;;
    pipeline)
      python3 tests/benchmarks/pipelines.py "${quick[@]}" --program "$build/bin/boostr-train" \
        --pictures "$pictures" --json "$results/pipeline.json" ;;
    schedule)
      for stages in 2 4; do
        mpirun --bind-to none -np "$stages" "$build/bin/schedule_bench" --json "$results/schedule$stages.json"
      done ;;
    emulation)
      for stages in 4 8; do
        mpirun --bind-to none -np "$stages" "$build/bin/pipeline_bench" --json "$results/emulation$stages.json"
      done ;;
    scaling)
      python3 tests/benchmarks/scaling.py "${quick[@]}" --program "$build/bin/boostr-train" \
        --pictures "$pictures" --json "$results/scaling.json" ;;
    checkpoint) "$build/bin/checkpoint_bench" "$results/checkpoint" ;;
    *) echo "run.sh: there is no part '$part'" >&2; exit 2 ;;
  esac
done
if [ $tables = yes ] && [ -e "$page" ]; then python3 tests/benchmarks/tables.py "$results" "$page"; fi
