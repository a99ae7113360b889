#!/usr/bin/env python3
"""Measures what each way to divide training over ranks costs and saves.

    tests/benchmarks/meshes.py [--quick] [--pictures FOLDER] [--json OUT]

Two ranks of one thread train the GPT-2-124M-sized LLaMA of step.py under ZeRO 0 to 3 and under tensor
parallelism, beside one rank of two threads; the processes alternate, and medians are over all steps
after the warm-up of each. Then a smaller model is trained on 1, 2, 4 and 8 ranks under each stage, and
what a rank holds is drawn over the ranks (memory-ranks.svg) beside what the formulas say.
"""
import argparse
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import tempfile

import charts
import step

ONE = "1 rank x 2 threads"
BASE = "data parallel, ZeRO 0"
# name -> ranks, data-parallel ranks, parallelism
LAYOUTS = {
    ONE: (1, 1, "{}"),
    BASE: (2, 2, "{zero_stage: 0}"),
    "ZeRO 1": (2, 2, "{zero_stage: 1}"),
    "ZeRO 2": (2, 2, "{zero_stage: 2}"),
    "ZeRO 3": (2, 2, "{zero_stage: 3}"),
    "tensor parallel": (2, 1, "{tensor_parallel_degree: 2}"),
    "tensor and sequence parallel": (2, 1, "{tensor_parallel_degree: 2, sequence_parallel: true}"),
}
CATEGORIES = ("parameters", "gradients", "optimizer", "activations", "communication")
SMALL = {"vocabulary": 8192, "hidden": 512, "layers": 8, "heads": 8, "intermediate": 1408}
SMALL_LAYER = 4 * 512 * 512 + 3 * 512 * 1408 + 2 * 512
SMALL_PARAMETERS = 2 * 8192 * 512 + 8 * SMALL_LAYER + 512


def write_recipe(work, layout, shape, precision, steps, model=None):
    ranks, data_parallel, parallelism = layout
    batch, sequence = shape
    folder = pathlib.Path(tempfile.mkdtemp(dir=work))
    recipe = folder / "recipe.yaml"
    model = model or {"vocabulary": step.VOCABULARY, "hidden": step.HIDDEN, "layers": step.LAYERS,
                      "heads": step.HEADS, "intermediate": step.INTERMEDIATE}
    recipe.write_text(step.RECIPE.format(
        output=folder / "run", tokens=work / "tokens.u16", steps=steps, sequence=sequence,
        micro_batch=batch // data_parallel, batch=batch, threads=2 if ranks == 1 else 1,
        precision=precision, **model) + f"parallelism: {parallelism}\n")
    return recipe


def last_memory(recipe):
    lines = [json.loads(line) for line in (recipe.parent / "run/metrics.jsonl").open()]
    return [line for line in lines if line.get("event") == "memory"][-1]


def shares(options, work, layout, shape, precision):
    """What part of a step rank 0 spends in products, in the optimizer and in communication."""
    recipe = write_recipe(work, layout, shape, precision, 10)
    trace = recipe.parent / "trace.json"
    command = [options.program, "profile"] + (["-n", str(layout[0])] if layout[0] > 1 else [])
    subprocess.run(command + [str(recipe), "--steps=3", f"--trace={trace}"], check=True,
                   stdout=subprocess.DEVNULL)
    events = [event for event in json.loads(trace.read_text())["traceEvents"]
              if event["ph"] == "X" and event["pid"] == 1]  # rank 0
    whole = sum(event["dur"] for event in events if event["cat"] == "step")
    parts = {"gemm": 0, "adamw": 0, "communication": 0}
    for event in events:
        name = "communication" if event["cat"] == "communication" else event["name"]
        if name in parts:
            parts[name] += event["dur"] / whole
    return parts


def compare(options, work, shape, precision):
    times, peaks, memory = ({name: [] for name in LAYOUTS} for _ in range(3))
    for _ in range(options.turns):
        for name, layout in LAYOUTS.items():
            recipe = write_recipe(work, layout, shape, precision, options.warm_up + options.steps)
            _, steps, _ = step.launch(options.program, recipe, layout[0])
            tokens = shape[0] * shape[1]
            times[name] += [1e3 * tokens / row["tokens_per_second"] for row in steps[options.warm_up:]]
            peaks[name].append(steps[-1]["memory_bytes"])
            memory[name].append(last_memory(recipe))
            print(f"B{shape[0]} T{shape[1]} {precision} {name}: "
                  f"{' '.join(f'{ms:.0f}' for ms in times[name][-options.steps:])} ms", flush=True)
    medians = {name: statistics.median(values) for name, values in times.items()}
    return [{"who": name, "batch": shape[0], "sequence": shape[1], "precision": precision,
             "milliseconds": medians[name], "fastest": min(times[name]), "slowest": max(times[name]),
             "over_zero0": medians[BASE] / medians[name], "over_one": medians[ONE] / medians[name],
             "peak_gib": max(peaks[name]) / 2**30,
             "memory": {key: max(entry[key] for entry in memory[name]) for key in CATEGORIES},
             "shares": shares(options, work, layout, shape, precision)}
            for name, layout in LAYOUTS.items()]


def formula(stage, ranks):
    """Bytes of parameters, gradients and optimizer on a rank, bf16 compute (arXiv 1910.02054)."""
    return SMALL_PARAMETERS * ((2 / ranks if stage == 3 else 2) + (4 / ranks if stage >= 2 else 4)
                               + (12 / ranks if stage >= 1 else 12))


def measure_memory(options, work):
    """stage -> ranks -> bytes of parameters, gradients and optimizer."""
    held = {}
    for stage in range(4):
        for ranks in (1, 2) if options.quick else (1, 2, 4, 8):
            recipe = write_recipe(work, (ranks, ranks, f"{{zero_stage: {stage}, bucket_bytes: 4Mi}}"),
                                  (8, 64), "bf16", 2, SMALL)
            step.launch(options.program, recipe, ranks)
            memory = last_memory(recipe)
            held.setdefault(stage, {})[ranks] = sum(memory[key] for key in CATEGORIES[:3])
            print(f"ZeRO {stage}, {ranks} ranks: {held[stage][ranks] / 2**20:.1f} MiB, formula "
                  f"{formula(stage, ranks) / 2**20:.1f}", flush=True)
    return held


def draw(held):
    panels = []
    for stage, points in held.items():
        measured = [(ranks, value / 2**20) for ranks, value in points.items()]
        expected = [(ranks, formula(stage, ranks) / 2**20) for ranks in points]
        panels.append(charts.Panel(f"ZeRO {stage}: MiB of a rank", "ranks",
                                   [("measured", measured, False), ("formula", expected, True)]))
    low = min(panel.low for panel in panels)
    high = max(panel.high for panel in panels)
    for panel in panels:
        panel.low, panel.high = low, high
    note = (f"Parameters, gradients and optimizer of a {SMALL_PARAMETERS / 1e6:.1f} M model, bf16 compute, "
            f"f32 gradients; buckets of 4 MiB; {datetime.date.today().isoformat()}")
    return charts.picture("Peak memory of a rank over data-parallel ranks", note, panels)


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(step.ROOT / "build/bin/boostr-train"))
    parser.add_argument("--shapes", default="B4xT512")
    parser.add_argument("--precisions", default="f32,bf16")
    parser.add_argument("--turns", type=int, default=2, help="processes of each layout")
    parser.add_argument("--steps", type=int, default=4, help="measured steps of each process")
    parser.add_argument("--warm-up", type=int, default=2, help="steps before them")
    parser.add_argument("--pictures", type=pathlib.Path, help="draws memory-ranks.svg in this folder")
    parser.add_argument("--quick", action="store_true", help="B4 T64 in bf16, one turn, fewer ranks")
    parser.add_argument("--json", type=pathlib.Path, help="also writes the numbers to this file")
    options = parser.parse_args()
    if options.quick:
        options.shapes, options.precisions, options.turns, options.steps = "B4xT64", "bf16", 1, 2
    return options


def main():
    options = parse()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        step.write_tokens(work / "tokens.u16", SMALL["vocabulary"])
        held = measure_memory(options, work)
        for shape in options.shapes.split(","):
            sizes = tuple(int(number[1:]) for number in shape.split("x"))
            for precision in options.precisions.split(","):
                rows += compare(options, work, sizes, precision)
    if options.pictures:
        (options.pictures / "memory-ranks.svg").write_text(draw(held))
    if options.json:
        options.json.write_text(json.dumps({"load": os.getloadavg(), "rows": rows, "held": held}, indent=1))


if __name__ == "__main__":
    main()
