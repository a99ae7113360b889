#!/usr/bin/env bash
# The program as a user meets it: each case trains a tiny model on text that it makes, in a folder of its own.
#   end_to_end.sh <boostr-train> <case>
set -euo pipefail

program=$1
case_name=$2
recipes=$(cd "$(dirname "$0")/../../recipes" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# English prose that every Debian machine has; a few hundred KB are enough.
cat /usr/share/common-licenses/* >text.txt 2>/dev/null
cat >recipe.yaml <<'Y'
output: run
model: {type: llama, vocab_size: 256, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 2, intermediate_size: 64}
data: {train: [{text: text.txt}], validation_fraction: 0.02}
tokenizer: {type: byte}
optimizer: {name: AdamW, lr: 3.0e-3}
lr_schedule: {decay: cosine, warmup_steps: 4}
training: {steps: 20, seq_len: 32, micro_batch_size: 1, global_batch_size: 4, seed: 7, validation_batches: 2, threads: 1}
precision: {compute: bf16}
checkpoint: {interval: 5, keep_latest_k: 2}
metrics: {interval: 1, tensorboard: true}
Y

fail() {
  echo "FAILED: $*"
  tail -n 20 ./*.log 2>/dev/null || true
  exit 1
}
# expect_code <code> <command...>: runs it, output to last.log
expect_code() {
  local expected=$1 code=0
  shift
  "$@" >last.log 2>&1 || code=$?
  [ "$code" -eq "$expected" ] || fail "exit code $code, not $expected: $*"
}
expect_text() { grep -qF -- "$1" last.log || fail "the output does not say '$1'"; }
train() { "$program" recipe.yaml "$@"; }
# "step loss grad_norm" of each row of a run
rows() { sed -nE 's/^\{"step": ([0-9]+), "loss": ([^,]+), "grad_norm": ([^,]+),.*/\1 \2 \3/p' "$1/metrics.jsonl"; }
same_rows() { diff <(rows "$1") <(rows "$2") || fail "the rows of $1 and $2 differ"; }
close_rows() {  # of f64 runs: equal to rounding
  paste <(rows "$1") <(rows "$2") | awk '{
    d = $2 - $5; if (d < 0) d = -d; if (d > 1e-10 * $2) { print "step " $1 ": " $2 " and " $5; exit 1 } }' ||
    fail "the rows of $1 and $2 differ"
}
wait_for_step() {  # <run> <step>
  for _ in $(seq 600); do
    if rows "$1" 2>/dev/null | grep -q "^$2 "; then return; fi
    sleep 0.05
  done
  fail "$1 did not reach step $2"
}
# interrupted <signal>: a run stopped by the signal in the middle, then resumed, equals one never stopped
interrupted() {
  local signal=$1 code=0
  expect_code 0 train output=whole training.steps=400
  "$program" recipe.yaml output=parts training.steps=400 >first.log 2>&1 &
  local pid=$!
  wait_for_step parts 12
  kill "-$signal" "$pid"
  wait "$pid" || code=$?
  case $signal in KILL) [ "$code" -eq 137 ] ;; *) [ "$code" -eq 75 ] ;; esac || fail "exit code $code after SIG$signal"
  [ "$(rows parts | wc -l)" -lt 400 ] || fail "the run ended before the signal"
  expect_code 0 train output=parts training.steps=400
  expect_text "resumed from"
  same_rows whole parts
  local last=checkpoints/step-000400/rank-00000.h5
  cmp whole/$last parts/$last || fail "weights or optimizer state differ"
}

case $case_name in
  falls_below_unigram_entropy)
    expect_code 0 train training.steps=150 metrics.interval=10 lr_schedule.warmup_steps=10
    entropy=$(sed -nE 's/.*"unigram_entropy": ([0-9.]+).*/\1/p' run/metrics.jsonl)
    loss=$(sed -nE 's/.*"event": "validation".*"loss": ([0-9.]+).*/\1/p' run/metrics.jsonl | tail -n 1)
    awk "BEGIN { exit !($loss < $entropy) }" || fail "loss $loss is not below the entropy $entropy"
    for file in recipe.yaml metrics.jsonl loss.svg checkpoints/step-000150/manifest.json; do
      [ -s "run/$file" ] || fail "run/$file is missing"
    done
    grep -q '"steady_system_allocations": 0' run/metrics.jsonl || fail "steady steps allocate from the system"
    ;;
  same_loss_on_1_2_and_4_ranks)
    common=(precision.compute=f64 metrics.tensorboard=false checkpoint.interval=0)
    for ranks in 1 2 4; do
      expect_code 0 mpirun --bind-to none -np $ranks "$program" recipe.yaml "${common[@]}" output=ranks$ranks
      [ "$(rows ranks$ranks | wc -l)" -eq 20 ] || fail "not 20 rows on $ranks ranks"
    done
    for ranks in 2 4; do close_rows ranks1 ranks$ranks; done
    ;;
  resumes_to_the_bit_after_SIGUSR1) interrupted USR1 ;;
  resumes_to_the_bit_after_SIGTERM) interrupted TERM ;;
  resumes_to_the_bit_after_Ctrl_C) interrupted INT ;;
  resumes_to_the_bit_after_kill_9) interrupted KILL ;;
  resumes_on_another_number_of_ranks)
    expect_code 0 train output=whole precision.compute=f64
    expect_code 0 mpirun --bind-to none -np 2 "$program" recipe.yaml output=parts precision.compute=f64 training.steps=10 lr_schedule.decay=cosine
    expect_code 0 mpirun --bind-to none -np 4 "$program" recipe.yaml output=parts precision.compute=f64
    expect_text "resumed from parts/checkpoints/step-000010"
    [ "$(rows parts | wc -l)" -eq 20 ] || fail "a step is missing or there twice"
    ;;
  offloads_to_files_that_leave_no_trace)
    mkdir scratch
    expect_code 0 train output=files parallelism.offload_path=scratch training.steps=10
    expect_code 0 train output=files parallelism.offload_path=scratch
    grep -q '"offload": [1-9]' files/metrics.jsonl || fail "nothing was offloaded"
    [ -z "$(ls -A scratch)" ] || fail "files are left"
    expect_code 0 train output=memory training.steps=10
    expect_code 0 train output=memory
    same_rows memory files
    expect_code 2 train output=nowhere parallelism.offload_path=no/such/folder
    expect_text "parallelism.offload_path: cannot make a file in 'no/such/folder'"
    ;;
  moves_between_meshes_without_a_flag)
    common=(recipe.yaml precision.compute=f64 lr_schedule.decay=constant)
    tp2=(parallelism.tensor_parallel_degree=2 parallelism.sequence_parallel=true)
    expect_code 0 "$program" "${common[@]}" output=whole
    expect_code 0 mpirun --bind-to none -np 4 "$program" "${common[@]}" "${tp2[@]}" parallelism.zero_stage=3 training.steps=5
    expect_code 0 mpirun --bind-to none -np 4 "$program" "${common[@]}" parallelism.zero_stage=2 training.steps=10
    expect_text "resumed from run/checkpoints/step-000005"
    expect_code 0 mpirun --bind-to none -np 2 "$program" "${common[@]}" "${tp2[@]}" training.steps=15
    expect_code 0 "$program" "${common[@]}" parallelism.zero_stage=1
    expect_text "resumed from run/checkpoints/step-000015"
    [ "$(rows run | wc -l)" -eq 20 ] || fail "a step is missing or there twice"
    close_rows whole run
    ;;
  every_recipe_trains_as_one_process)
    for recipe in "$recipes"/*.yaml; do
      [[ $recipe != *[0-9]B_* ]] || continue  # of a real size
      ranks=$(sed -nE 's/^#.* -n ([0-9]+) .*/\1/p' "$recipe" | head -n 1)
      expect_code 0 "$program" verify -n "${ranks:-1}" "$recipe" --steps 1 data.train.0.text=text.txt training.seq_len=32
      expect_text "no loss, gradient or parameter differs"
      ! grep -q warning last.log || fail "$recipe raises a warning"
    done
    ;;
  verifies_meshes_under_mpirun)
    common=(verify recipe.yaml --steps 3 --precision configured training.global_batch_size=8 parallelism.bucket_bytes=20000)
    for precision in f32 bf16; do
      for mesh in "4 2 2 1 selective" "4 3 1 1 full" "4 1 1 2 none" "8 3 2 2 full" "8 2 1 2 selective" "8 1 1 4 none"; do
        read -r ranks stage replicate tensor mode <<<"$mesh"
        expect_code 0 mpirun --bind-to none -np "$ranks" "$program" "${common[@]}" precision.compute=$precision \
          parallelism.zero_stage="$stage" parallelism.data_parallel_replicate_degree="$replicate" \
          parallelism.tensor_parallel_degree="$tensor" parallelism.sequence_parallel=true activation_checkpoint.mode="$mode"
        expect_text "$ranks ranks against one process, $precision, 3 steps"
        expect_text "no loss, gradient or parameter differs"
      done
      for pipeline in "4 2 zb_h1 2 1" "8 2 zb_v 1 2" "8 4 1f1b 3 1" "4 4 auto 0 1"; do
        read -r ranks stages schedule stage tensor <<<"$pipeline"
        expect_code 0 mpirun --bind-to none -np "$ranks" "$program" "${common[@]}" precision.compute=$precision \
          model.num_hidden_layers=6 model.tie_word_embeddings=true parallelism.pipeline_parallel_degree="$stages" \
          parallelism.pipeline_parallel_schedule="$schedule" parallelism.zero_stage="$stage" \
          parallelism.tensor_parallel_degree="$tensor"
        expect_text "$ranks ranks against one process, $precision, 3 steps"
        expect_text "no loss, gradient or parameter differs"
      done
    done
    ;;
  pipelines_change_their_schedule_in_the_middle)
    # All schedules give the same bits, so a run may be killed in one and go on in another.
    pp=(mpirun --bind-to none -np 4 "$program" recipe.yaml model.num_hidden_layers=6 training.global_batch_size=12
      parallelism.pipeline_parallel_degree=2 parallelism.zero_stage=2)
    expect_code 0 "${pp[@]}" output=whole parallelism.pipeline_parallel_schedule=1f1b
    "${pp[@]}" parallelism.pipeline_parallel_schedule=zb_h1 training.steps=20 >last.log 2>&1 &
    pid=$!
    wait_for_step run 8
    kill -9 "$(cat /proc/$pid/task/*/children | cut -d ' ' -f 2)"
    wait "$pid" && fail "nobody noticed that a stage died"
    expect_code 0 "${pp[@]}" parallelism.pipeline_parallel_schedule=zb_v
    expect_text "resumed from run/checkpoints/step-000005"
    same_rows whole run
    grep -q '"bubble_rate": 0\.[0-9]' run/metrics.jsonl || fail "no bubble rate"
    printf 'F0,F1,F2,BW2,BW1,BW0\nF0,F1,F2,B2,B1,BW0,W1,W2\n' >mine.csv
    expect_code 0 "${pp[@]}" output=mine parallelism.pipeline_parallel_schedule=mine.csv training.global_batch_size=6
    printf 'F0,F1,BW0,BW1,F2,BW2\nF0,BW0,F1,BW1,BW2,F2\n' >wrong.csv
    expect_code 2 "${pp[@]}" output=wrong parallelism.pipeline_parallel_schedule=wrong.csv training.global_batch_size=6
    expect_text "wrong.csv:2:"
    [ "$(grep -c 'error:' last.log)" -eq 1 ] || fail "more than one error"
    [ ! -e wrong ] || fail "a run that could not start left a folder"
    ;;
  a_stage_of_several_ranks_that_hangs_is_named)
    # A stage that is stopped between its passes is missed in a collective, which knows no microbatch: then another try.
    for run in first second third; do
      mpirun --bind-to none -np 4 "$program" recipe.yaml output=$run model.num_hidden_layers=4 training.steps=100000 \
        training.global_batch_size=64 communication.timeout=5 parallelism.pipeline_parallel_degree=4 >last.log 2>&1 &
      pid=$!
      wait_for_step $run 6
      read -r -a stages <<<"$(cat /proc/$pid/task/*/children | tr '\n' ' ')"
      begin=$SECONDS code=0
      kill -STOP "${stages[1]}"
      wait "$pid" || code=$?
      [ $((SECONDS - begin)) -le 11 ] || fail "the run ended only after $((SECONDS - begin)) s"
      [ "$code" -eq 7 ] || fail "exit code $code"
      grep -Eq "rank 1 has (not sent it|not received it|not entered it|entered it, but not done)" last.log ||
        fail "the rank is not named"
      if grep -Eq "(activations|gradients) of microbatch [0-9]+, which stage 1 makes in [FB][0-9]+ and stage [02] takes" last.log; then
        named=yes
        break
      fi
    done
    [ "${named:-}" = yes ] || fail "the stage is not named"
    ;;
  a_rank_that_hangs_ends_the_run)
    ranks=(mpirun --bind-to none -np 2 "$program" recipe.yaml parallelism.zero_stage=3 communication.timeout=5 training.steps=100000)
    "${ranks[@]}" >last.log 2>&1 &
    pid=$!
    wait_for_step run 12
    children=$(cat /proc/$pid/task/*/children)
    begin=$SECONDS code=0
    kill -STOP "${children%% *}"
    wait "$pid" || code=$?
    [ $((SECONDS - begin)) -le 11 ] || fail "the run ended only after $((SECONDS - begin)) s"
    [ "$code" -eq 7 ] || fail "exit code $code"
    grep -Eq "rank 0 has (not entered it|entered it, but not done its part)" last.log || fail "the rank is not named"
    expect_text ", operation #"
    expect_code 0 "${ranks[@]}" training.steps=40
    expect_text "resumed from"
    ;;
  launcher_turns_Ctrl_C_into_a_checkpoint)
    "$program" -n 2 recipe.yaml training.steps=5000 >first.log 2>&1 &
    pid=$!
    wait_for_step run 8
    kill -INT "$pid"
    code=0
    wait "$pid" || code=$?
    [ "$code" -eq 75 ] || fail "exit code $code"
    "$program" profile -n 2 recipe.yaml --steps=100000 >last.log 2>&1 &  # has nothing to save
    pid=$!
    sleep 3
    kill -INT "$pid"
    code=0
    wait "$pid" || code=$?
    [ "$code" -eq 130 ] || fail "exit code $code of a profile"
    ! grep -q "error: a rank" last.log || fail "a wish is told as an error"
    expect_code 0 "$program" -n 2 recipe.yaml output=short training.steps=2 lr_schedule.warmup_steps=3
    [ "$(grep -c 'warning:' last.log)" -eq 1 ] || fail "the warning was not said once"
    compgen -G 'run/checkpoints/step-*' >/dev/null || fail "no checkpoint"
    ;;
  without_MPI_runs_one_process_only)
    expect_code 2 env OMPI_COMM_WORLD_SIZE=2 "$program" recipe.yaml
    expect_text "built without MPI"
    [ "$(wc -l <last.log)" -eq 1 ] || fail "more than one line"
    expect_code 2 "$program" -n 2 recipe.yaml
    expect_text "built without MPI"
    [ "$(wc -l <last.log)" -eq 1 ] || fail "more than one line"
    [ ! -e run ] || fail "a run that could not start left a folder"
    expect_code 0 train
    ;;
  launcher_says_that_a_rank_was_killed)
    "$program" -n 2 recipe.yaml training.steps=5000 >last.log 2>&1 &
    pid=$!
    wait_for_step run 8
    mpirun=$(cat /proc/$pid/task/$pid/children)
    ranks=$(cat /proc/"${mpirun% }"/task/*/children)
    kill -9 "${ranks%% *}"
    code=0
    wait "$pid" || code=$?
    [ "$code" -eq 7 ] || fail "exit code $code"
    expect_text "a rank was ended by signal 9"
    ;;
  finished_run_says_so)
    expect_code 0 train
    expect_code 0 train
    expect_text "nothing to do"
    expect_code 0 train training.steps=24
    expect_text "training.steps 20 -> 24"
    [ "$(rows run | tail -n 1 | cut -d' ' -f1)" -eq 24 ] || fail "the last row is not step 24"
    [ "$(rows run | wc -l)" -eq 24 ] || fail "a step is missing or there twice"
    kept=(run/checkpoints/step-*)
    [ ${#kept[@]} -eq 2 ] || fail "keep_latest_k: 2 kept ${kept[*]}"
    ;;
  damaged_checkpoint_is_passed_over)
    expect_code 0 train
    printf x | dd of=run/checkpoints/step-000020/rank-00000.h5 bs=1 seek=5000 conv=notrunc status=none
    expect_code 0 train
    expect_text "passed over run/checkpoints/step-000020"
    expect_text "resumed from run/checkpoints/step-000015"
    ;;
  refuses_what_would_lose_work)
    expect_code 0 train training.steps=10
    expect_code 4 train checkpoint.resume=never
    expect_code 4 train model.hidden_size=64 training.steps=12
    expect_text "model.hidden_size"
    "$program" recipe.yaml training.steps=5000 >first.log 2>&1 &
    pid=$!
    wait_for_step run 12
    expect_code 4 train training.steps=5000
    kill -9 "$pid"
    wait "$pid" || true
    expect_code 0 train training.steps=14
    ;;
  exits_when_the_time_is_up)
    expect_code 75 train training.steps=100000 training.exit_after=2s
    expect_text "saved"
    ;;
  stops_or_skips_where_a_gradient_is_not_finite)
    ranks=(mpirun --bind-to none -np 2 "$program" recipe.yaml optimizer.lr=1e30 lr_schedule.warmup_steps=0 checkpoint.interval=1)
    expect_code 6 "${ranks[@]}"
    expect_text "gradient norm nan is not finite"
    expect_text "the gradients of"
    [ "$(grep -c 'error:' last.log)" -eq 1 ] || fail "the error was said more than once"
    [ "$(rows run | wc -l)" -eq 1 ] || fail "the step that failed has a row"
    expect_code 0 "${ranks[@]}" output=skip training.non_finite=skip
    expect_text "the update was skipped"
    [ "$(rows skip | wc -l)" -eq 20 ] || fail "not 20 rows"
    ;;
  profiles_on_1_and_2_ranks)
    expect_code 0 "$program" profile recipe.yaml --steps 2 --trace new/folder/profile.json
    expect_text "mean of 2 steps of 4 x 32 tokens | 1 rank x 1 thread"
    expect_text "attention_grad"
    expect_code 0 "$program" profile -n 2 recipe.yaml --by-shape
    expect_text "mean of 5 steps of 4 x 32 tokens | 2 ranks x 1 thread"
    expect_text "all_reduce wait"
    grep -q '"rank 1"' profile.json || fail "the trace has no second rank"
    [ -s new/folder/profile.json ] || fail "no trace in a folder that was not there"
    expect_code 2 "$program" profile recipe.yaml --trace recipe.yaml/profile.json
    expect_text "cannot write 'recipe.yaml/profile.json': Not a directory; choose another file with --trace"
    expect_code 0 "$program" profile -n 2 recipe.yaml parallelism.pipeline_parallel_degree=2 --timeline pipeline.svg
    expect_text "pipeline as it ran: bubble rate 0."
    expect_text "pipeline as planned from the mean times of its passes: bubble rate 0."
    grep -q '"cat": "pass"' profile.json || fail "the trace has no passes"
    grep -q 'F3' pipeline.svg || fail "the picture has no pass"
    [ -s pipeline-planned.svg ] || fail "no picture of the plan"
    [ ! -e run ] || fail "a profile left a run's folder"
    "$program" recipe.yaml training.steps=100000 >first.log 2>&1 &
    pid=$!
    wait_for_step run 3
    expect_code 0 "$program" profile recipe.yaml --steps 1
    kill -9 "$pid"
    wait "$pid" || true
    ;;
  bad_input_ends_all_ranks_with_one_message)
    ranks=(mpirun --bind-to none -np 2 "$program" recipe.yaml)
    expect_code 2 "${ranks[@]}" training.stpes=3
    expect_text "did you mean 'steps'"
    for _ in $(seq 5); do  # a silent rank that ends first must not take the word from the one that speaks
      expect_code 2 mpirun --bind-to none -np 4 "$program" recipe.yaml --foo
      expect_text "boostr-train: error: unknown argument '--foo'"
    done
    expect_code 3 "${ranks[@]}" data.train.0.text=nothing-here.txt
    expect_text "nothing-here.txt"
    : >empty.txt
    expect_code 3 "${ranks[@]}" data.train.0.text=empty.txt
    head -c 20 text.txt >short.txt
    expect_code 3 "${ranks[@]}" data.train.0.text=short.txt
    printf 'tokens' >odd.u32
    sed 's/{text: text.txt}/{tokens: odd.u32}/' recipe.yaml >tokens.yaml
    expect_code 3 mpirun --bind-to none -np 2 "$program" tokens.yaml
    for _ in $(seq 200); do printf '\377\377\377\377'; done >large.u32
    sed 's/{text: text.txt}/{tokens: large.u32}/' recipe.yaml >tokens.yaml
    expect_code 3 mpirun --bind-to none -np 2 "$program" tokens.yaml
    expect_code 2 "${ranks[@]}" training.global_batch_size=3
    expect_code 2 mpirun --bind-to none -np 3 "$program" recipe.yaml parallelism.data_parallel_shard_degree=2
    [ "$(grep -c 'error:' last.log)" -eq 1 ] || fail "the error was said more than once"
    expect_code 2 "${ranks[@]}" output=other optimizer.groups.0.pattern='*.nothing'
    expect_text "optimizer.groups.0.pattern: '*.nothing' matches none"
    touch file
    expect_code 4 "${ranks[@]}" output=file/run
    [ ! -e run ] || fail "a run that could not start left a folder"
    ;;
  *) fail "unknown case '$case_name'" ;;
esac
echo "passed: $case_name"
