#!/usr/bin/env python3
"""Times whole training steps of the GPT-2-124M-sized LLaMA by the real program.

    tests/benchmarks/step.py [--quick] [--torch VENV] [--shapes B4xT64,B4xT512] [--json OUT]

Every shape and precision is trained by boostr-train on one rank with all threads and on as many
ranks with one thread each; with --torch also by PyTorch, eager and compiled. The processes
alternate; medians are over all steps after the warm-up of each.
FLOPs of a step = 6 x (parameters without the input embedding) x tokens + 6 x layers x B x T^2 x
hidden: causal attention is counted once, recomputation not at all.
"""
import argparse
import array
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

FOLDER = pathlib.Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent
VOCABULARY, HIDDEN, LAYERS, HEADS, INTERMEDIATE = 50304, 768, 12, 12, 2048
LAYER_PARAMETERS = 4 * HIDDEN * HIDDEN + 3 * HIDDEN * INTERMEDIATE + 2 * HIDDEN
MULTIPLIED_PARAMETERS = VOCABULARY * HIDDEN + LAYERS * LAYER_PARAMETERS + HIDDEN
RECIPE = """\
output: {output}
model: {{type: llama, vocab_size: {vocabulary}, hidden_size: {hidden}, num_hidden_layers: {layers},
  num_attention_heads: {heads}, intermediate_size: {intermediate}, tie_word_embeddings: false}}
data: {{train: [{{tokens: {tokens}}}]}}
optimizer: {{name: AdamW, lr: 3.0e-4, betas: [0.9, 0.95], weight_decay: 0.1}}
training: {{steps: {steps}, seq_len: {sequence}, micro_batch_size: {micro_batch},
  global_batch_size: {batch}, max_norm: 1.0, threads: {threads}}}
precision: {{compute: {precision}}}
checkpoint: {{interval: 0, resume: never}}
metrics: {{interval: 1, tensorboard: false}}
"""


def flops_per_step(batch, sequence):
    tokens = batch * sequence
    return (6 * MULTIPLIED_PARAMETERS * tokens
            + 6 * LAYERS * batch * sequence * sequence * HIDDEN)


class Runner:
    """One way to train: what it is called, and run(shape, precision) -> measurements."""

    def __init__(self, name, run, ranks=None):
        self.name, self.run, self.ranks = name, run, ranks
        self.milliseconds, self.peak_bytes, self.start_up, self.first = [], [], [], []

    def turn(self, shape, precision, warm_up):
        result = self.run(shape, precision)
        self.milliseconds += result["milliseconds"][warm_up:]
        self.first.append(result["milliseconds"][0])
        self.peak_bytes.append(result["peak_bytes"])
        self.start_up.append(result["start_up"])
        return result

    def row(self, shape, precision, peak_flops):
        batch, sequence = shape
        milliseconds = statistics.median(self.milliseconds)
        return {
            "who": self.name, "batch": batch, "sequence": sequence, "precision": precision,
            "milliseconds": milliseconds,
            "fastest": min(self.milliseconds), "slowest": max(self.milliseconds),
            "tokens_per_second": 1e3 * batch * sequence / milliseconds,
            "mfu": 1e3 * flops_per_step(batch, sequence) / milliseconds / peak_flops,
            "peak_gib": max(self.peak_bytes) / 2**30,
            "start_up": statistics.median(self.start_up),
            "first_step": statistics.median(self.first) / 1e3,
            "steps": len(self.milliseconds),
        } | ({"ranks": self.ranks} if self.ranks else {})


def write_recipe(options, work, shape, precision, ranks):
    """A recipe in a folder of its own; returns the recipe's path."""
    batch, sequence = shape
    folder = pathlib.Path(tempfile.mkdtemp(dir=work))
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE.format(
        output=folder / "run", vocabulary=VOCABULARY, hidden=HIDDEN, layers=LAYERS, heads=HEADS,
        intermediate=INTERMEDIATE, tokens=work / "tokens.u16",
        steps=options.warm_up + options.steps, sequence=sequence, micro_batch=batch // ranks,
        batch=batch, threads=options.threads // ranks, precision=precision))
    return recipe


def launch(program, recipe, ranks):
    """Trains; returns the start event, the rows of the steps, and the seconds before the first."""
    command = [program] + (["-n", str(ranks)] if ranks > 1 else []) + [str(recipe)]
    environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                       OMPI_MCA_rmaps_base_oversubscribe="1")
    begin = time.time()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    lines = [json.loads(line) for line in (recipe.parent / "run/metrics.jsonl").open()]
    start = next(line for line in lines if line.get("event") == "start")
    return start, [line for line in lines if "event" not in line], start["time"] - begin


def boostr(options, work, ranks, peaks):
    def run(shape, precision):
        batch, sequence = shape
        recipe = write_recipe(options, work, shape, precision, ranks)
        start, steps, start_up = launch(options.program, recipe, ranks)
        peaks.append(start["peak_flops"])
        return {
            "milliseconds": [1e3 * batch * sequence / step["tokens_per_second"] for step in steps],
            "peak_bytes": steps[-1]["memory_bytes"],
            "start_up": start_up,
            "loss": steps[-1]["loss"],
        }

    return Runner(f"boostr, {ranks} x {options.threads // ranks}", run, ranks)


def pytorch(options, mode):
    def run(shape, precision):
        command = [str(options.torch / "bin/python"), str(FOLDER / "torch_step.py"),
                   f"--batch={shape[0]}", f"--sequence={shape[1]}", f"--precision={precision}",
                   f"--mode={mode}", f"--threads={options.threads}",
                   f"--steps={options.warm_up + options.steps}"]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        return json.loads(output.splitlines()[-1])

    return Runner(f"PyTorch {mode}", run)


def make_torch(folder):
    """A virtual environment with PyTorch: the CPU's wheel, or what PyPI has."""
    if not (folder / "bin/python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    has_torch = [str(folder / "bin/python"), "-c", "import torch"]
    if subprocess.run(has_torch, stderr=subprocess.DEVNULL).returncode == 0:
        return
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "-q", "torch", "numpy"]
    cpu_index = ["--index-url", "https://download.pytorch.org/whl/cpu"]
    if subprocess.run(pip + cpu_index, stderr=subprocess.DEVNULL).returncode != 0:
        print("no wheel for the CPU alone can be reached; installing PyPI's", flush=True)
        subprocess.run(pip, check=True)


def write_tokens(path, vocabulary=VOCABULARY):
    ids = array.array("H", os.urandom(2 << 20))
    path.write_bytes(array.array("H", (value % vocabulary for value in ids)).tobytes())


def compare(options, work, shape, precision):
    """Alternates the runners and returns a row for each."""
    peaks = []
    ranks = [1, options.threads] if options.threads > 1 else [1]
    runners = [boostr(options, work, count, peaks) for count in ranks if shape[0] % count == 0]
    if options.torch and not (precision == "bf16" and options.no_torch_bf16):
        runners += [pytorch(options, mode) for mode in options.torch_modes.split(",")]
    for _ in range(options.turns):
        for runner in runners:
            result = runner.turn(shape, precision, options.warm_up)
            print(f"B{shape[0]} T{shape[1]} {precision} {runner.name}: "
                  f"{' '.join(f'{ms:.0f}' for ms in result['milliseconds'])} ms, "
                  f"loss {result['loss']:.3f}", flush=True)
    peak = statistics.median(peaks)
    return [dict(runner.row(shape, precision, peak), peak_gflops=peak / 1e9)
            for runner in runners]


def profile(options, work, shape, precision):
    """Shows where the time of a step of one rank goes, kernel by kernel; returns the trace's events."""
    recipe = write_recipe(options, work, shape, precision, 1)
    trace = recipe.parent / "trace.json"
    print(f"\nB{shape[0]} T{shape[1]} {precision}, 1 x {options.threads}", flush=True)
    subprocess.run([options.program, "profile", str(recipe), f"--steps={options.steps}",
                    f"--trace={trace}"], check=True)
    return json.loads(trace.read_text())["traceEvents"]


def add_floors(rows, events, shape, precision):
    """What several ranks cannot beat, in their rows: the step of one rank, and what they do more.

    Each further replica updates all parameters again, and the gradients are summed, each input read
    and each result written once. This takes as long as AdamW does for as many bytes.
    """
    updates = [event for event in events if event["name"] == "adamw"]
    state_bytes = updates[0]["args"]["bytes"]
    bytes_per_ms = 1e3 * statistics.median(state_bytes / event["dur"] for event in updates)
    gradient_bytes = sum(event["args"]["bytes"] for event in events if event["name"] == "all_reduce"
                         and event["args"]["dtype"] == "f32") / len(updates)
    ours = [row for row in rows if (row["batch"], row["sequence"], row["precision"]) == (*shape, precision)
            and "ranks" in row]
    for row in ours:
        if row["ranks"] > 1:
            more = (row["ranks"] - 1) * state_bytes + 2 * row["ranks"] * gradient_bytes
            row["floor"] = ours[0]["milliseconds"] + more / bytes_per_ms


def print_rows(rows):
    print(f"{'':16}{'who':18}{'ms/step':>9}{'tokens/s':>10}{'MFU %':>7}{'GiB':>7}"
          f"{'start s':>9}{'step 1 s':>9}   fastest to slowest, ms")
    for row in rows:
        label = f"B{row['batch']} T{row['sequence']} {row['precision']}"
        print(f"{label:16}{row['who']:18}{row['milliseconds']:9.0f}"
              f"{row['tokens_per_second']:10.1f}{100 * row['mfu']:7.1f}{row['peak_gib']:7.2f}"
              f"{row['start_up']:9.2f}{row['first_step']:9.2f}"
              f"   {row['fastest']:.0f} to {row['slowest']:.0f}")


def print_floors(rows):
    for row in rows:
        if "floor" in row:
            print(f"B{row['batch']} T{row['sequence']} {row['precision']} {row['who']}: {row['milliseconds']:.0f} ms; "
                  f"one rank's step, the further updates and the sum of gradients: {row['floor']:.0f} ms")


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build/bin/boostr-train"))
    parser.add_argument("--shapes", default="B4xT64,B4xT512,B2xT1024")
    parser.add_argument("--precisions", default="f32,bf16")
    parser.add_argument("--threads", type=int, default=2, help="on all ranks together")
    parser.add_argument("--turns", type=int, default=2, help="processes of each way to train")
    parser.add_argument("--steps", type=int, default=4, help="measured steps of each process")
    parser.add_argument("--warm-up", type=int, default=2, help="steps before them")
    parser.add_argument("--torch", type=pathlib.Path, metavar="VENV",
                        help="beside PyTorch; makes this virtual environment if it is absent")
    parser.add_argument("--torch-modes", default="eager,compiled")
    parser.add_argument("--no-torch-bf16", action="store_true",
                        help="PyTorch in f32 only (its bf16 is very slow without AVX512-BF16)")
    parser.add_argument("--profile", action="store_true",
                        help="also shows where the time goes, kernel by kernel")
    parser.add_argument("--quick", action="store_true", help="B4 T64 only, one short turn")
    parser.add_argument("--json", type=pathlib.Path, help="also writes the rows to this file")
    options = parser.parse_args()
    if options.quick:
        options.shapes, options.turns, options.steps, options.warm_up = "B4xT64", 1, 3, 1
    return options


def main():
    options = parse()
    if options.torch:
        options.torch = options.torch.absolute()
        make_torch(options.torch)
    shapes = [tuple(int(number[1:]) for number in shape.split("x"))
              for shape in options.shapes.split(",")]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        write_tokens(work / "tokens.u16")
        cases = [(shape, precision) for shape in shapes
                 for precision in options.precisions.split(",")]
        for shape, precision in cases:
            rows += compare(options, work, shape, precision)
        print_rows(rows)
        for shape, precision in cases if options.profile else []:
            add_floors(rows, profile(options, work, shape, precision), shape, precision)
        print_floors(rows)
    if options.json:
        options.json.write_text(json.dumps({"load": os.getloadavg(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
