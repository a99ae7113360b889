#!/usr/bin/env python3
"""Prints what boostr-train plan says of each tiny recipe beside what a run measures.

    tests/benchmarks/plan.py [--program P] [--steps N] [--general] [RECIPE...]

A recipe runs on as many ranks as its comment names. Bytes are those of the event `memory` and of the
largest process; times are medians over steps after the warm-up. The machine is calibrated for each
recipe, or with --general once, on models that are not among the recipes.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
WARM_UP = 4


def call(*command):
    environment = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
                   "OMPI_MCA_rmaps_base_oversubscribe": "1", **os.environ}
    done = subprocess.run([str(word) for word in command], env=environment, text=True, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.stdout


def ranks_of(recipe):
    found = re.search(r"^#.* -n (\d+) ", recipe.read_text(), re.MULTILINE)
    return int(found.group(1)) if found else 1


def measured(options, recipe, ranks, work):
    run = work / recipe.stem
    call(options.program, "-n", ranks, recipe, f"output={run}", f"training.steps={options.steps}",
         "training.validation_batches=1", "metrics.interval=1", "metrics.tensorboard=false",
         "checkpoint.interval=10")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").open()]
    rows = [line for line in lines if "event" not in line]
    memory = [line for line in lines if line.get("event") == "memory"][-1]
    seconds = statistics.median(options.tokens / row["tokens_per_second"] for row in rows[WARM_UP:])
    return memory, rows[-1]["memory_bytes"], seconds


def planned(options, recipe, ranks, calibration):
    calibrate = [] if options.general else ["--calibrate"]
    return json.loads(call(options.program, "plan", recipe, "--ranks", ranks, "--json",
                           "--calibration", calibration, *calibrate))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipes", nargs="*", type=pathlib.Path)
    parser.add_argument("--program", default=ROOT / "build/bin/boostr-train", type=pathlib.Path)
    parser.add_argument("--steps", default=24, type=int)
    parser.add_argument("--general", action="store_true")
    options = parser.parse_args()
    recipes = options.recipes or [recipe for recipe in sorted((ROOT / "recipes").glob("*.yaml"))
                                  if not re.search(r"\dB_", recipe.name)]
    print("| recipe | ranks | bytes planned | measured | off | process planned | measured | off | step planned | "
          "measured | off |\n|---|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        if options.general:
            call(options.program, "plan", "--calibrate", "--calibration", work / "calibration.json")
        for recipe in recipes:
            ranks = ranks_of(recipe)
            plan = planned(options, recipe, ranks, work / "calibration.json")
            options.tokens = plan["tokens_per_second"] * plan["step_seconds"]
            memory, process, seconds = measured(options, recipe, ranks, work)
            held = sum(memory[use] for use in plan["bytes_per_rank"] if use in memory)
            bytes_planned = sum(plan["bytes_per_rank"].values())
            process_planned = plan.get("process_bytes_per_rank", 0)
            print(f"| {recipe.stem} | {ranks} | {bytes_planned / 2**20:.2f} MiB | {held / 2**20:.2f} MiB | "
                  f"{100 * (bytes_planned / held - 1):+.1f} % | {process_planned / 2**20:.1f} MiB | "
                  f"{process / 2**20:.1f} MiB | {100 * (process_planned / process - 1):+.1f} % | "
                  f"{plan['step_seconds'] * 1e3:.1f} ms | {seconds * 1e3:.1f} ms | "
                  f"{100 * (plan['step_seconds'] / seconds - 1):+.0f} % |", flush=True)


if __name__ == "__main__":
    main()
