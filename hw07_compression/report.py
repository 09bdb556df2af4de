"""Answer the report questions of homework 7: every table and figure of README.md.

    python hw07_compression/report.py --teacher hw03_cnn/out/model.keras    into results/: two hours
    python hw07_compression/report.py --other hw03_cnn/data/cifar10 --other-teacher cifar10.keras   its chain
    python hw07_compression/report.py --synthetic                           into out/results/

What does each step of the chain cost? What is a teacher worth, how many channels can go, which convolution
is worth its bytes, and how few bits do? All learn from all images. Networks are compared as they are trained,
with four bytes a parameter. Trainings are kept, so an interrupted report goes on. Remove <out-dir>/report to
measure all anew.
"""

import json
import shlex
import shutil

from scaffold import BadInput, Parser, file_path, replacing, run

from dataset import load_part, make_synthetic
from device import start_keras
from images import image_files
from records import finished, measured_since, publish, read_metrics


def parse_args(argv=None):
    parser = Parser(__doc__, "report", "folder that holds food-11")
    parser.add_argument("--teacher", type=file_path, help="whole Keras classifier, else one is trained first")
    parser.add_argument("--other", type=file_path, help="folder of another set, for the chain alone")
    parser.add_argument("--other-teacher", type=file_path, help="whole Keras classifier of that set")
    parser.add_argument("--full-precision", action="store_true", help="train in float32, not in bfloat16")
    parser.set_defaults(seeds=3)
    args = parser.parse(argv)
    if bool(args.other) != bool(args.other_teacher):
        parser.error("--other, --other-teacher: expected both or neither")
    return args


def check_inputs(args):
    """Whether the files are there; made-up files are not missing."""
    for part in () if args.synthetic else ("training", "validation"):
        image_files(args.data_dir / "food-11" / part)


if __name__ == "__main__":  # --help, wrong flags and files need not wait for the imports below
    run(lambda: check_inputs(parse_args()))
    run(start_keras)

import keras
import numpy as np
import pandas as pd
import train
from compressed import read_compressed, write_compressed
from matplotlib.figure import Figure
from model import accuracy
from pruning import prune_weights

COMPARE = "--epochs 30"
SMALL, LARGE = "--width 0.5", "--width 1"  # the student of the comparisons; the weak teacher
TINY = "--width 0.05"  # for a trial, which also prunes by one share alone
SHARES = (0.25, 0.5)
KINDS = {"depthwise + pointwise": "--width 1.4 --block depthwise", "grouped": "--width 1 --block grouped"}
ONE = 1  # seed, where the row is not what the question turns on
CODES = {"grid": 8, "shared values": 6}  # from so many bits down
SPARSE = (0.3, 0.5, 0.7)
TRIAL_BATCH = 128
THOUSANDS = (50, 100, 200, 500)  # parameters, marked in the figure
COLUMNS = ["table", "row", "bytes", "parameters", "multiply_adds", "before", "accuracy", "deviation"]


def main(argv=None):
    args = parse_args(argv)
    results = args.results
    data_dir = make_synthetic(args.out_dir / "synthetic", 0) if args.synthetic else args.data_dir
    results.mkdir(parents=True, exist_ok=True)

    def trained(name, flags, seed=0, start=None, data_dir=data_dir):
        """train.main() with these flags, on top of the student in `start`; (its folder, its metrics)."""
        out = args.trainings / f"{name}_{seed}"
        argv = [*shlex.split(flags), "--data-dir", data_dir, "--out-dir", out, "--seed", seed]
        argv += ["--full-precision"] if args.full_precision else []
        argv += ["--epochs", args.epochs, "--batch-size", TRIAL_BATCH] if args.epochs else []
        parsed = train.parse_args(argv := [str(word) for word in argv])
        older = [path for path in (start and start / "metrics.json", parsed.teacher) if path]
        stale = not all(measured_since(out / "metrics.json", path) for path in older)
        if stale or not finished(parsed):
            out.mkdir(parents=True, exist_ok=True)
            if start:
                shutil.copyfile(start / "checkpoint_student.npz", out / "checkpoint_student.npz")
            train.main([*argv, "--resume"])
        return out, read_metrics(out)

    def of_seeds(name, flags, seeds=args.seeds):
        return [trained(name, f"{COMPARE} {flags} --prune 0", seed) for seed in range(seeds)]

    small, large = (TINY, TINY) if args.epochs else (SMALL, LARGE)
    default = TINY if args.epochs and not args.teacher else ""  # a given one is copied at its own width
    flags = f"{default} {teacher_flags(args.teacher)} --from-teacher"
    chain, metrics = trained("default", flags)
    strong = args.teacher or chain / "teacher.keras"
    files = of_files(chain, metrics["plan"], data_dir / "food-11" / "validation")

    others = []  # steps of the chain on another set
    if args.other:
        copied = f"{teacher_flags(args.other_teacher)} --from-teacher"
        others = trained("other", copied, data_dir=args.other)[1]["steps"]

    alone = "--alpha 0"
    copies = {
        "f: half of b, by labels alone": trained("labels", f"{flags} {alone}"),
        "g: half of b, it learns from b": (chain, metrics),
    }
    weak, weak_metrics = of_seeds("weak", f"{large} {alone}", ONE)[0]
    students = {"c: the student alone": of_seeds("alone", f"{small} {alone}")}
    flags = f"{small} {teacher_flags(strong)}"
    of_strong = of_seeds("from_strong", flags)
    of_weak = of_seeds("from_weak", f"{small} {teacher_flags(weak / 'model.keras')}", ONE)
    students |= {"d: it learns from a": of_weak, "e: it learns from b": of_strong}

    pruned = []
    starts = {"small": students["c: the student alone"][0], "large": (weak, weak_metrics)}
    for (size, (start, found)), width in zip(starts.items(), (small, large)):
        pruned.append((size, "nothing", found["steps"][:1] * 2))
        for share in SHARES:
            tried = SHARES[0] if args.epochs else share
            flags = f"{COMPARE} {width} {alone} --prune {tried:g}"
            found = trained(f"{size}_{tried:g}", flags, start=start)[1]["steps"]
            pruned.append((size, f"{share:g}", found[1:3]))
    kinds = {"normal": students["c: the student alone"][:ONE]}
    for name, flags in KINDS.items():
        kinds[name] = of_seeds(name.split()[0], f"{flags} {alone} {TINY if args.epochs else ''}", ONE)

    rows = [
        ["chain", step["step"], *costs(step), "", f"{step['accuracy']:.4f}", ""] for step in metrics["steps"]
    ]
    for row, name in zip(("a: the weak teacher", "b: the strong teacher"), list(students)[1:]):
        step = students[name][0][1]["steps"][0]
        rows.append(["distillation", row, *costs(step), "", f"{step['accuracy']:.3f}", ""])
    rows += [["distillation", name, *of_runs(runs)] for name, runs in students.items()]
    rows += [["distillation", name, *of_runs([run])] for name, run in copies.items()]
    for size, name, (before, after) in pruned:
        cells = [f"{step['accuracy']:.3f}" for step in (before, after)]
        rows.append(["pruning", f"{size}, {name}", *costs(after), *cells, ""])
    rows += [["architecture", name, *of_runs(runs)] for name, runs in kinds.items()]
    rows += files

    with replacing(results / "other_set.csv") as path:
        cells = [[step["step"], *costs(step), f"{step['accuracy']:.4f}"] for step in others]
        pd.DataFrame(cells, columns=["step", *COLUMNS[2:5], "accuracy"]).to_csv(path, index=False)
    with replacing(results / "curves.png") as path:
        plot_curves(pruned, files).savefig(path)
    publish(results, pd.DataFrame(rows, columns=COLUMNS), read_metrics(chain))


def teacher_flags(path):
    return f"--teacher {shlex.quote(str(path))}" if path else ""


def costs(step):
    """Bytes, parameters and multiply-adds of a step, as cells; four bytes a parameter unless it is a file."""
    return [f"{step[name]:,}" for name in ("bytes", "parameters", "multiply_adds")]


def of_runs(runs):
    """Some seeds' students: their costs, mean accuracy and its deviation; COLUMNS from the third."""
    steps = [metrics["steps"][-2] for _, metrics in runs]  # the last one is the file
    scores = [step["accuracy"] for step in steps]
    deviation = f"{np.std(scores, ddof=1):.3f}" if len(scores) > 1 else ""
    return [*costs(steps[0]), "", f"{np.mean(scores):.3f}", deviation]


def of_files(chain, plan, folder):
    """Rows of two tables about the chain's float network: its files by bits, and by zeros at 8 bits.

    Kept in files.json beside it.
    """
    kept = chain / "files.json"
    if measured_since(kept):
        try:
            return json.loads(kept.read_text("utf-8"))
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{kept} is damaged; remove it, and it is made anew.") from error
    validation = load_part(folder, plan["size"])
    model, path = keras.saving.load_model(chain / "model.keras", compile=False), chain / "trial.npz"
    weights, parameters = model.get_weights(), f"{model.count_params():,}"

    def row(table, name, bits, codebook=False):
        size = write_compressed(path, model, plan, bits, codebook)
        reached = accuracy(read_compressed(path)[0], *validation)
        return [table, name, f"{size:,}", parameters, "", "", f"{reached:.4f}", ""]

    reached = f"{accuracy(model, *validation):.4f}"
    rows = [["bits", "32, as trained", f"{4 * model.count_params():,}", parameters, "", "", reached, ""]]
    for codebook, (name, most) in enumerate(CODES.items()):
        rows += [row("bits", f"{bits}, {name}", bits, bool(codebook)) for bits in range(most, 1, -1)]
    for share in SPARSE:
        model.set_weights(weights)
        prune_weights(model, share)
        rows.append(row("zeros", f"{share:.0%} of the weights zero, 8 bits", 8))
    path.unlink()
    with replacing(kept) as temporary:
        temporary.write_text(json.dumps(rows))
    return rows


def plot_curves(pruned, files):
    """Left: accuracy against parameters, before and after fine-tuning. Right: accuracy against bits."""
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for size in ("small", "large"):
        steps = [both for start, _, both in pruned if start == size]
        for index, style, word in ((1, "o-", "fine-tuned"), (0, "x:", "before")):
            left.plot(
                [both[1]["parameters"] / 1000 for both in steps],
                [both[index]["accuracy"] for both in steps],
                style,
                label=f"{size}, {word}",
            )
    for name in CODES:
        points = [row for row in files if row[1].endswith(name)]
        right.plot(
            [int(row[1].split(",")[0]) for row in points], [float(row[6]) for row in points], "o-", label=name
        )
    right.axhline(float(files[0][6]), color="grey", linestyle="--", label="32 bits")
    left.set(title="pruned channels", xscale="log", xlabel="thousand parameters")
    left.set_ylabel("validation accuracy")
    left.set_xticks(THOUSANDS, map(str, THOUSANDS))
    left.minorticks_off()
    right.set(title="the chain's files", xlabel="bits a weight", ylabel="validation accuracy")
    left.set_ylim(0, 1.4 * left.get_ylim()[1])  # room for the legend
    left.legend(loc="upper left", ncols=2, fontsize=8)
    right.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure


if __name__ == "__main__":
    run(main)
