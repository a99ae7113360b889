"""Rewrites the tables of docs/performance.md between their markers from what run.sh measured.

    tables.py RESULTS_FOLDER docs/performance.md

Every part of the suite leaves one JSON file; the table of a part that was not run stays as it is.
"""
import json
import pathlib
import re
import statistics
import sys


def percent(value):
    return f"{100 * value:.0f} %"


def times(value):
    return f"{value:.2f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def measured(context):
    """The circumstances of a Google Benchmark run, in one line."""
    load = ", ".join(f"{value:.1f}" for value in context["load_avg"])
    return (f"{context['cpu']}, {context['num_cpus']} cores, kernels for {context['level']}; load average {load} "
            f"when it began ({context['date'][:16]}); medians of {context['rounds']} rounds.")


def benchmarks(result):
    """(name without the tail that Google Benchmark adds, split at slashes; its counters)."""
    for entry in result["benchmarks"]:
        if "error_occurred" in entry:
            continue
        name = re.sub(r"/iterations:.*$", "", entry["name"])
        yield name.split("/"), entry


def threads_of(parts):
    return int(parts[-1].split(":")[1])


def grouped(result, key):
    """Benchmarks by key(parts), in order of appearance."""
    groups = {}
    for parts, entry in benchmarks(result):
        groups.setdefault(key(parts), []).append((parts, entry))
    return groups


def machine(result):
    names = {}
    for parts, entry in benchmarks(result):
        unit = ("GFLOP/s" if parts[0] == "peak" else "GB/s")
        names.setdefault(f"{parts[0]} {parts[1]}", {})[threads_of(parts)] = f"{entry['rate'] / 1e9:.1f} {unit}"
    return table(["", "1 thread", "2 threads"],
                 [[name, row.get(1, ""), row.get(2, "")] for name, row in names.items()])


def gemm(result):
    rows = []
    for (group, dtype, threads), members in grouped(
            result, lambda parts: (parts[0], parts[1], threads_of(parts))).items():
        fractions = [entry["fraction"] for _, entry in members]
        parts, worst = min(members, key=lambda member: member[1]["fraction"])
        row = [group.replace("_", " "), dtype, threads, len(members), percent(statistics.median(fractions)),
               f"{percent(worst['fraction'])} ({' '.join(parts[2:-1])})"]
        for other in ("openblas", "f32"):
            ratios = [entry["over_" + other] for _, entry in members if "over_" + other in entry]
            row.append(f"{times(statistics.median(ratios))} ({times(min(ratios))})" if ratios else "")
        rows.append(row)
    return table(["what", "type", "threads", "shapes", "median of peak", "worst shape",
                  "x OpenBLAS, median (worst)", "x own f32, median (worst)"], rows)


def attention(result):
    rows = []
    for key, members in grouped(result, lambda parts: tuple(parts[:-1])).items():
        by_threads = {threads_of(parts): entry for parts, entry in members}
        rows.append([key[0].replace("_", " "), key[1], " ".join(key[2:])]
                    + [percent(by_threads[n]["fraction"]) if n in by_threads else "" for n in (1, 2)])
    return table(["what", "type", "case", "1 thread, of peak", "2 threads, of peak"], rows)


def loss(result):
    rows = [[parts[1], threads_of(parts), f"{entry['ms']:.0f}", percent(entry["fraction"]),
             percent(entry["over_gemm"]), f"{entry['extra_MiB']:.0f} MiB"] for parts, entry in benchmarks(result)]
    return table(["type", "threads", "ms", "of peak", "of its three GEMMs' speed", "extra memory"], rows)


def rows(result):
    lines = []
    for (kernel, dtype), members in grouped(result, lambda parts: (parts[0], parts[1])).items():
        cells = []
        for size in ("2048x768", "2048x4096", "64MiB"):
            for threads in (1, 2):
                found = [entry for parts, entry in members if parts[2] == size and threads_of(parts) == threads]
                mark = "*" if found and found[0].get("label") == "instructions" else ""
                cells.append(percent(found[0]["fraction"]) + mark if found else "")
        lines.append([kernel, dtype] + cells)
    head = [f"{size}, {threads} thr." for size in ("2048x768", "2048x4096", "64 MiB") for threads in (1, 2)]
    return table(["kernel", "type"] + head, lines)


def optimizer(result):
    lines = [[parts[0], parts[1], threads_of(parts), f"{entry['ms']:.0f}", f"{entry['rate'] / 1e9:.1f} GB/s",
              times(entry["over_floor"])] for parts, entry in benchmarks(result)]
    return table(["pass", "state", "threads", "ms", "moved", "time over its floor"], lines)


def collectives(result):
    lines = [[parts[0], parts[1], parts[2].split(":")[1], f"{entry['window_us']:.0f}", f"{entry['copy_us']:.0f}",
              f"{entry['mpi_us']:.0f}", times(entry["over_mpi"]), times(entry["copy_over_mpi"])]
             for parts, entry in benchmarks(result)]
    return table(["collective", "size", "ranks", "shared window, us", "with copies, us", "Open MPI, us",
                  "x Open MPI, window", "x Open MPI, copies"], lines)


def milliseconds(row):
    floor = f", floor {row['floor']:.0f}" if "floor" in row else ""
    return f"{row['milliseconds']:.0f} ({row['fastest']:.0f} to {row['slowest']:.0f}{floor})"


def step(result):
    lines = [[f"B{row['batch']} T{row['sequence']}", row["precision"], row["who"], milliseconds(row),
              f"{row['tokens_per_second']:.0f}", f"{100 * row['mfu']:.1f} % of {row['peak_gflops']:.0f} GFLOP/s",
              f"{row['peak_gib']:.2f}", f"{row['start_up']:.1f}", f"{row['first_step']:.1f}", row["steps"]]
             for row in result["rows"]]
    load = ", ".join(f"{value:.1f}" for value in result["load"])
    return (table(["batch", "type", "who", "ms/step", "tokens/s", "MFU", "peak RSS, GiB", "s to step 1",
                   "s of step 1", "steps"], lines) + f"\n\nLoad average {load} at the end.")


def mesh(result):
    lines = [[f"B{row['batch']} T{row['sequence']}", row["precision"], row["who"], milliseconds(row),
              times(row["over_zero0"]), times(row["over_one"]), f"{row['peak_gib']:.2f}",
              " / ".join(f"{value / 2**30:.2f}" for value in row["memory"].values()),
              " / ".join(percent(value) for value in row["shares"].values())] for row in result["rows"]]
    load = ", ".join(f"{value:.1f}" for value in result["load"])
    return (table(["batch", "type", "layout", "ms/step", "x ZeRO 0", "x one rank", "peak RSS, GiB",
                   "parameters / gradients / optimizer / activations / communication, GiB",
                   "GEMM / AdamW / communication of the step"], lines)
            + f"\n\nLoad average {load} at the end.")


def pipeline(result):
    lines = [[row["ranks"], row["who"], milliseconds(row), f"{row['tokens_per_second']:.0f}",
              times(row["over_dp"]), f"{row['bubble_rate']:.3f}", f"{row['planned']:.3f}"]
             for row in result["rows"]]
    load = ", ".join(f"{value:.1f}" for value in result["load"])
    return (table(["ranks", "schedule", "ms/step", "tokens/s", "x data parallel", "bubble rate as it ran",
                   "as planned"], lines)
            + f"\n\nLoad average {load} at the end.")


def schedule(result):
    lines = [[row["stages"], row["rounds"], row["kind"], f"{row['milliseconds']:.0f}",
              f"{row['times_1f1b']:.3f} ({row['lower']:.3f} to {row['upper']:.3f})", f"{row['promised']:.3f}",
              f"{row['bubble_rate']:.3f}"]
             for row in result["rows"]]
    return table(["stages", "rounds", "schedule", "ms/step", "x 1f1b (quartiles)", "promised", "bubble rate"], lines)


def emulation(result):
    lines = [[row["kind"], row["stages"], row["chunks"], row["microbatches"], f"{row['simulated']:.4f}",
              f"{row['measured']:.4f}", f"{100 * (row['measured'] - row['simulated']):+.1f}",
              f"{row['makespan']:.0f}", f"{row['waiting']:.0f}", f"{row['busiest']:.0f}",
              f"{row['post_validated']:.0f}", f"{100 * row['stolen']:.1f} %"]
             for row in result["rows"]]
    return ("Stages that sleep 20, 20 and 12 ms in F, B and W. Bubble rates; then ms: what the simulator says that a "
            "step takes\nfrom its first begin to its last end, and steps that wait for the norm; what the busiest rank "
            "takes, and steps with\n`optimizer.post_validation`; last, how much of the cores' time other guests of the "
            "host took meanwhile.\n\n"
            + table(["schedule", "stages", "chunks", "microbatches", "simulated", "as it ran", "points more",
                     "makespan", "steps that wait", "busiest rank", "post-validated", "taken"], lines))


TABLES = {"machine": machine, "gemm": gemm, "attention": attention, "loss": loss, "row": rows,
          "optimizer": optimizer, "comm": collectives, "step": step, "mesh": mesh,
          "pipeline": pipeline, "schedule": schedule, "emulation": emulation}


def merged(files):
    """One result of several runs of the same program (other numbers of ranks)."""
    results = [json.loads(file.read_text()) for file in files]
    for other in results[1:]:
        for rows in {"benchmarks", "rows"} & other.keys():
            results[0][rows] += other[rows]
    return results[0]


def main():
    folder, document = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    text = document.read_text()
    for name, make in TABLES.items():
        files = sorted(folder.glob(f"{name}*.json"))
        if not files:
            continue
        result = merged(files)
        body = make(result)
        if "context" in result:
            body = measured(result["context"]) + "\n\n" + body
        begin, end = f"<!-- table: {name} -->", f"<!-- end: {name} -->"
        if begin not in text or end not in text:
            sys.exit(f"{document}: no markers '{begin}' ... '{end}'")
        before, rest = text.split(begin, 1)
        text = f"{before}{begin}\n{body}\n{end}{rest.split(end, 1)[1]}"
    document.write_text(text)


if __name__ == "__main__":
    main()
