#!/usr/bin/env python3
"""Measures every pipeline schedule beside data parallelism.

    tests/benchmarks/pipelines.py [--quick] [--pictures FOLDER] [--json OUT]

Ranks of one thread train a small LLaMA under each schedule on 2 and 4 stages, and on as many
data-parallel ranks; the processes alternate. Of each: tokens/s, the bubble rate of the last step as
it ran, and that of the schedule simulated with the mean times of its passes. Two stages have a core
each on a machine of two; four fill each other's bubbles there. pipeline_bench shows the runner
without the machine's limits.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile

import step

MODEL = {"vocabulary": 8192, "hidden": 512, "layers": 8, "heads": 8, "intermediate": 1408}
SEQUENCE, MICROBATCHES = 128, 8
SCHEDULES = ("gpipe", "1f1b", "interleaved_1f1b", "zb_h1", "zb_h2", "zb_v", "auto")
POST_VALIDATION = " + post_validation"
POST_VALIDATED = tuple(schedule + POST_VALIDATION for schedule in ("1f1b", "zb_h1", "zb_h2", "zb_v"))
DATA_PARALLEL = "data parallel"


def write_recipe(work, ranks, schedule):
    folder = pathlib.Path(tempfile.mkdtemp(dir=work))
    recipe = folder / "recipe.yaml"
    kind = schedule.removesuffix(POST_VALIDATION)
    pipeline = "{}" if schedule == DATA_PARALLEL else (
        f"{{pipeline_parallel_degree: {ranks}, pipeline_parallel_schedule: {kind}, "
        "pipeline_parallel_memory_limit: 2}")
    recipe.write_text(step.RECIPE.format(
        output=folder / "run", tokens=work / "tokens.u16", steps=100, sequence=SEQUENCE, micro_batch=1,
        batch=MICROBATCHES, threads=1, precision="f32", **MODEL) + f"parallelism: {pipeline}\n")
    return recipe


def profile(options, work, ranks, schedule):
    """One process group: ms of a step, and the bubble rates as it ran and as planned."""
    recipe = write_recipe(work, ranks, schedule)
    result = subprocess.run(
        [options.program, "profile", "-n", str(ranks), str(recipe), f"--steps={options.steps}",
         f"--trace={recipe.parent}/trace.json", "training.max_norm=1000",  # nothing is clipped
         f"optimizer.post_validation={str(schedule in POST_VALIDATED).lower()}"]
        + picture(options, ranks, schedule),
        check=True, text=True, stdout=subprocess.PIPE)
    rates = [float(rate) for rate in re.findall(r"bubble rate ([0-9.]+)", result.stdout)]
    return float(re.search(r"([0-9.]+) ms a step", result.stdout)[1]), *(rates or [0.0, 0.0])


def picture(options, ranks, schedule):
    """The timelines of one schedule, as it ran and as planned, are kept."""
    if options.pictures and (ranks, schedule) == (2, "zb_h1"):
        return [f"--timeline={options.pictures}/pipeline-zb-h1.svg"]
    return []


def measure(options, work):
    cases = [(ranks, schedule) for ranks in (2, 4) for schedule in (DATA_PARALLEL, *SCHEDULES, *POST_VALIDATED)]
    found = {case: [] for case in cases}
    for _ in range(options.turns):
        for ranks, schedule in cases:
            found[ranks, schedule].append(profile(options, work, ranks, schedule))
            ms, ran, planned = found[ranks, schedule][-1]
            print(f"{ranks} ranks {schedule}: {ms:.0f} ms, bubble rate {ran:.3f}, planned {planned:.3f}",
                  flush=True)
    rows = []
    for (ranks, schedule), results in found.items():
        ms = statistics.median(result[0] for result in results)
        rows.append({"ranks": ranks, "who": schedule, "milliseconds": ms,
                     "fastest": min(result[0] for result in results),
                     "slowest": max(result[0] for result in results),
                     "tokens_per_second": 1e3 * SEQUENCE * MICROBATCHES / ms,
                     "over_dp": statistics.median(result[0] for result in found[ranks, DATA_PARALLEL]) / ms,
                     "bubble_rate": statistics.median(result[1] for result in results),
                     "planned": statistics.median(result[2] for result in results)})
    return rows


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(step.ROOT / "build/bin/boostr-train"))
    parser.add_argument("--turns", type=int, default=3, help="process groups of each schedule")
    parser.add_argument("--steps", type=int, default=4, help="measured steps of each")
    parser.add_argument("--pictures", type=pathlib.Path, metavar="FOLDER",
                        help="also draws the timeline of zb_h1 on two stages there")
    parser.add_argument("--quick", action="store_true", help="one short turn")
    parser.add_argument("--json", type=pathlib.Path, help="also writes the rows to this file")
    options = parser.parse_args()
    if options.quick:
        options.turns, options.steps = 1, 2
    return options


def main():
    options = parse()
    os.environ.setdefault("OMPI_MCA_rmaps_base_oversubscribe", "1")
    with tempfile.TemporaryDirectory(prefix="boostr-pipelines-") as folder:
        work = pathlib.Path(folder)
        step.write_tokens(work / "tokens.u16", MODEL["vocabulary"])
        rows = measure(options, work)
    if options.json:
        options.json.write_text(json.dumps({"load": os.getloadavg(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
