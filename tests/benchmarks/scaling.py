#!/usr/bin/env python3
"""Measures how the cost of training grows with the model, the sequence and the ranks.

    tests/benchmarks/scaling.py [--quick] [--pictures FOLDER] [--json OUT]

Small LLaMAs are trained for a few steps by the real program. The tokens/s of the fastest step,
which other programs disturbed least, and the peak memory of the largest rank are drawn over hidden
size, layers, sequence length and ranks, one picture each (scaling-hidden.svg and so on). The dashes
are what the best FLOP/s of a line would give at each of its points, and for ranks what the first
gives times the ranks that have a core: where a line keeps to its dashes, the cost grows as the
arithmetic does.
"""
import argparse
import datetime
import json
import os
import pathlib
import tempfile

import charts
import step

VOCABULARY = 4096
PRECISIONS = ("f32", "bf16")


class Case:
    """One model and batch; what is not given is that of the middle of all series."""

    def __init__(self, hidden=512, layers=4, sequence=256, tokens=1024, ranks=1, threads=None):
        self.hidden, self.layers, self.sequence = hidden, layers, sequence
        self.tokens, self.ranks, self.threads = tokens, ranks, threads

    def recipe(self, work, precision, steps):
        folder = pathlib.Path(tempfile.mkdtemp(dir=work))
        sequences = self.tokens // self.sequence
        recipe = folder / "recipe.yaml"
        recipe.write_text(step.RECIPE.format(
            output=folder / "run", vocabulary=VOCABULARY, hidden=self.hidden, layers=self.layers,
            heads=self.hidden // 64, intermediate=self.hidden * 8 // 3 // 64 * 64,
            tokens=work / "tokens.u16", steps=steps, sequence=self.sequence,
            micro_batch=sequences // self.ranks, batch=sequences,
            threads=self.threads or os.cpu_count(), precision=precision))
        return recipe


def all_series(quick):
    """name -> (what is varied, its values and their cases)."""
    sequences = (256, 1024) if quick else (256, 1024, 4096, 16384)
    return {
        "hidden": ("hidden size", {size: Case(hidden=size, layers=2)
                                   for size in ((256, 512) if quick else (256, 512, 1024, 2048))}),
        "layers": ("layers", {count: Case(layers=count)
                              for count in ((1, 2) if quick else (1, 2, 4, 8, 16))}),
        "sequence": ("sequence length", {
            length: Case(hidden=256, layers=1, sequence=length, tokens=sequences[-1])
            for length in sequences}),
        "ranks": ("ranks of one thread", {count: Case(tokens=1024 * count, ranks=count, threads=1)
                                          for count in (1, 2, 4)}),
    }


def measure(options, work, case, precision):
    recipe = case.recipe(work, precision, options.warm_up + options.steps)
    start, steps, _ = step.launch(options.program, recipe, case.ranks)
    return {
        "tokens_per_second": max(row["tokens_per_second"] for row in steps[options.warm_up:]),
        "peak_bytes": steps[-1]["memory_bytes"],
        "flops_per_token": start["flops_per_token"],
        "isa": start["isa"],
    }


def ideal_of_ranks(points):
    cores = os.cpu_count()
    first = points[min(points)]["tokens_per_second"]
    return [(ranks, first * min(ranks, cores)) for ranks in points]


def ideal_of_flops(points):
    best = max(point["tokens_per_second"] * point["flops_per_token"] for point in points.values())
    return [(x, best / point["flops_per_token"]) for x, point in points.items()]


def draw(name, across, measured):
    """The picture of one series; measured: precision -> value -> measurements."""
    ideal = ideal_of_ranks if name == "ranks" else ideal_of_flops
    speed = [(precision, [(x, point["tokens_per_second"]) for x, point in points.items()], False)
             for precision, points in measured.items()]
    dashes = [(f"{precision}, ideal", ideal(points), True)
              for precision, points in measured.items()]
    memory = [(precision, [(x, point["peak_bytes"] / 2**20) for x, point in points.items()], False)
              for precision, points in measured.items()]
    isa = next(iter(measured[PRECISIONS[0]].values()))["isa"]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    note = (f"{os.cpu_count()} cores, {isa}, load average {load}, "
            f"{datetime.date.today().isoformat()}")
    return charts.picture(f"Cost of training over {across}", note, [
        charts.Panel("tokens/s", across, speed + dashes),
        charts.Panel("peak memory of a rank, MiB", across, memory)])


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(step.ROOT / "build/bin/boostr-train"))
    parser.add_argument("--steps", type=int, default=2, help="measured steps of each run")
    parser.add_argument("--warm-up", type=int, default=1, help="steps before them")
    parser.add_argument("--pictures", type=pathlib.Path, help="draws scaling-*.svg in this folder")
    parser.add_argument("--quick", action="store_true", help="the small ends only")
    parser.add_argument("--json", type=pathlib.Path, help="also writes the numbers to this file")
    return parser.parse_args()


def main():
    options = parse()
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        step.write_tokens(work / "tokens.u16", VOCABULARY)
        for name, (across, cases) in all_series(options.quick).items():
            measured = results[name] = {precision: {} for precision in PRECISIONS}
            for value, case in cases.items():
                for precision in PRECISIONS:
                    point = measure(options, work, case, precision)
                    measured[precision][value] = point
                    print(f"{across} {value}, {precision}: "
                          f"{point['tokens_per_second']:.0f} tokens/s, "
                          f"{point['peak_bytes'] / 2**20:.0f} MiB", flush=True)
            if options.pictures:
                (options.pictures / f"scaling-{name}.svg").write_text(draw(name, across, measured))
    if options.json:
        options.json.write_text(json.dumps({"load": os.getloadavg(), "series": results}, indent=1))


if __name__ == "__main__":
    main()
