#!/usr/bin/env python3
"""Shows that the tests notice mistakes: builds the program with each, one at a time, and runs the tests.

    tests/mutants.py [--list] [--build DIR] [NAME ...]

Every mutant is one replacement in one source file; it must compile, and is caught when a test fails.
The work is done in a copy of the tree. Exit code 0: every mutant was caught.
"""
import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
# name, file, what it says, what the mutant says, the tests that should notice (a regular expression)
MUTANTS = [
    ("loss_scaled_once_per_rank", "trainer/trainer.cc",
     "const double targets = std::max(tokens, 1.0);",
     "const double targets = std::max(tokens, 1.0) * mesh_.dp().size();", "Parity"),
    ("loss_scaled_by_this_ranks_tokens", "trainer/trainer.cc",
     "const double tokens = all_ranks_sum(mesh_.dp(), static_cast<double>(batch.num_targets));",
     "const double tokens = static_cast<double>(batch.num_targets);", "Parity"),
    ("tied_gradient_not_summed", "ops/linear_cross_entropy.cc",
     "    if (accumulate)\n      add_into(grad, dweight,", "    if (accumulate && !grad.defined())\n      add_into(grad, dweight,",
     "Parity"),
    ("norm_gradient_not_reduced_over_tp", "parallel/tensor_parallel.cc",
     "return sequence_parallel_ ? in_parts(parameter) : parameter;", "return parameter;", "Parity|CutModel"),
    ("head_norm_gradient_not_reduced_over_tp", "parallel/tensor_parallel.cc",
     'return with_summed_gradient("in_parts", group_, parameter);', "return parameter;", "Parity|CutModel"),
    ("copied_key_gradient_not_reduced", "parallel/tensor_parallel.cc",
     'return with_summed_gradient("among_copies", *group->second, parameter);', "return parameter;", "CutModel"),
    ("input_gradient_not_reduced_over_tp", "parallel/tensor_parallel.cc",
     'if (!sequence_parallel_) return with_summed_gradient("enter_tensor_parallel", group_, x);',
     "if (!sequence_parallel_) return x;", "Parity|CutModel"),
    ("bucket_reduced_twice", "parallel/zero/whole_gradients.cc",
     "    scattering_.push_back(index);\n",
     "    bucket.work.wait();\n    bucket.work = groups_.shard.all_reduce(bucket.whole.out());\n"
     "    scattering_.push_back(index);\n", "Zero|Parity"),
    ("replicas_not_summed", "parallel/zero/scattered_gradients.cc",
     "groups_.replicate.all_reduce(bucket.owned.out(), ReduceOp::sum, bucket.about)", "Work()", "Zero|Parity"),
    ("microbatch_overwrites_the_earlier", "parallel/zero/scattered_gradients.cc",
     "    if (bucket.has_grad)\n      add_into(bucket.owned, piece(index));\n    else\n", "", "Zero|Parity"),
    ("gradients_of_the_last_step_kept", "parallel/zero/scattered_gradients.cc",
     "bucket.has_grad = false;  // the next step begins anew", "", "Zero|Parity"),
    ("stale_gathered_parameter", "parallel/zero/sharded_parameters.cc",
     "for (std::size_t i = 0; i < buckets_.size(); ++i) drop(i);", "", "Zero|Parity"),
    ("parameters_not_gathered", "parallel/zero/whole_parameters.cc",
     "if (bucket.owned.numel() != bucket.whole.numel())", "if (bucket.owned.numel() == 0)", "Zero|Parity"),
    ("clip_norm_counts_copies_twice", "parallel/zero/chunk_sums.cc",
     "run.counts ? run.count * width : 0", "run.count * width", "Parity"),
    ("clip_norm_of_this_rank_alone", "parallel/zero/chunk_sums.cc",
     "for (std::size_t rank = 0; rank < runs_.size(); ++rank) {",
     "for (std::size_t rank = 0; rank < 1; ++rank) {", "Zero|Parity"),
    ("vocabulary_parts_not_combined", "parallel/tensor_parallel.cc",
     "sum += part(rank)[1] * std::exp(part(rank)[0] - peak);", "sum = part(rank)[1];", "Parity|CutModel"),
    ("microbatch_dropped", "trainer/training_pipeline.cc",
     "const Tensor loss = model_.loss(stream, tokens, scale_);",
     "const Tensor loss = model_.loss(stream, tokens, microbatch == 1 ? 0.0 : scale_);", "PipelineParity"),
    ("microbatches_swapped_at_one_end", "trainer/training_pipeline.cc",
     "const Microbatch tokens = microbatch_of(batch_.rows(microbatch * rows_, rows_));",
     "const bool first = parts_[static_cast<std::size_t>(chunk)].embeds;\n"
     "    const int row = first && microbatch < 2 && batch_.batch > rows_ ? 1 - microbatch : microbatch;\n"
     "    const Microbatch tokens = microbatch_of(batch_.rows(row * rows_, rows_));", "PipelineParity"),
    ("weights_gradient_before_its_inputs", "parallel/pipeline/kinds.cc",
     "    order.backward_input();\n    if (order.owed() > 2 * rank || !forwards_left) order.backward_weight();",
     "    order.backward_weight();\n    if (order.owed() > 2 * rank || !forwards_left) order.backward_input();",
     "Pipeline"),
    ("weights_gradients_out_of_turn", "parallel/pipeline/runner.cc",
     "while (run.due.erase({chunk, next}) > 0) {", "while (!run.due.empty()) {\n    next = run.due.begin()->second;\n"
     "    run.due.erase(run.due.begin());", "Pipeline"),
    ("loss_scaled_once_per_stage", "trainer/trainer.cc",
     "const double targets = std::max(tokens, 1.0);",
     "const double targets = std::max(tokens, 1.0) * mesh_.pp().size();", "PipelineParity"),
    ("tied_embedding_summed_on_one_side", "parallel/pipeline/tied_parameter.cc",
     "    copy_into(last[i], first[i]);\n", "", "PipelineParity"),
    ("tied_embedding_not_summed_between_stages", "parallel/pipeline/tied_parameter.cc",
     "for (const Tensor& gradient : first.empty() ? last : first)",
     "for (const Tensor& gradient : first.empty() ? first : std::vector<Tensor>())", "PipelineParity"),
    ("message_of_the_wrong_microbatch", "parallel/pipeline/runner.cc",
     "if (auto found = run.incoming.find(position); found != run.incoming.end()) {",
     "const bool next = is_forward(pass) && run.incoming.contains(position + 1);\n"
     "  if (auto found = run.incoming.find(position + (next ? 1 : 0)); found != run.incoming.end()) {",
     "Pipeline"),
    ("copies_of_the_head_count_in_the_norm", "models/llama.cc", "  shard.copy = 1;\n", "", "PipelineParity"),
    ("trial_never_judged", "trainer/trainer.cc",
     "  if (clip_factor(open_->report) != 1.0) return false;\n", "", "PostValidation"),
    ("undo_keeps_the_update", "trainer/optimizer.cc",
     "  std::swap(state_, other_);\n  write_parameters();", "  write_parameters();", "PostValidation"),
    ("undo_keeps_the_rounded_weights", "trainer/optimizer.cc",
     "  std::swap(state_, other_);\n  write_parameters();", "  std::swap(state_, other_);", "PostValidation"),
    ("loss_scale_of_the_step_before", "trainer/trainer.cc",
     "  if (open_) scaler.update(true);\n", "", "PostValidation"),
]


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def build(folder):
    return run(["cmake", "--build", str(folder), "--target", "parity_test", "models_test", "parallel_test",
                "pipeline_test"])


def caught(tree, folder, mutant):
    """How the mutant was noticed, or None."""
    _, file, before, after, tests = mutant
    path = tree / file
    source = path.read_text()
    if source.count(before) != 1:
        sys.exit(f"{file}: '{before}' is there {source.count(before)} times; the mutant must follow the source")
    path.write_text(source.replace(before, after))
    try:
        result = build(folder)
        if result.returncode != 0:
            sys.exit(f"{mutant[0]} does not compile, which proves nothing:\n{result.stdout[-3000:]}")
        result = run(["ctest", "--test-dir", str(folder), "-R", tests, "-j2", "--stop-on-failure",
                      "--timeout", "120"])
        failed = [line.strip() for line in result.stdout.splitlines() if "(Failed)" in line or "(Timeout)" in line]
        return failed[0] if result.returncode != 0 and failed else None
    finally:
        path.write_text(source)


def not_sources(folder, names):
    """Of the top level: builds, and what begins with a dot."""
    return [name for name in names if pathlib.Path(folder) == ROOT and name.startswith(("build", "."))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="only names the mutants")
    parser.add_argument("--build", type=pathlib.Path, help="keeps the copy and its build in this folder")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if not options.names or mutant[0] in options.names]
    if options.list:
        print("\n".join(mutant[0] for mutant in chosen))
        return 0
    work = options.build or pathlib.Path(tempfile.mkdtemp(prefix="boostr-mutants-"))
    tree, folder = work / "tree", work / "build"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(ROOT, tree, ignore=not_sources, copy_function=shutil.copy2)
    run(["cmake", "-S", str(tree), "-B", str(folder), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
         "-DBOOSTR_TESTS=ON", "-DBOOSTR_CPU_LEVELS=avx2"], check=True)
    result = build(folder)
    if result.returncode != 0:
        sys.exit("without a mutant it does not build:\n" + result.stdout[-3000:])
    survivors = 0
    for mutant in chosen:
        how = caught(tree, folder, mutant)
        print(f"{'caught ' if how else 'MISSED '} {mutant[0]:42} {how or ''}", flush=True)
        survivors += how is None
    if not options.build:
        shutil.rmtree(work)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
