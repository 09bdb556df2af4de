"""Measure how time and memory grow with the data, and write growth.csv: the table of the cover.

    python tests/growth.py                 on the files in the chapters' data/, half an hour on one core
    python tests/growth.py hw12_dann       one chapter, whose row is replaced
    python tests/growth.py --trial         on made-up files; prints the table and writes nothing

Each chapter is trained for one epoch on half of its examples, for one on all, and for two on all. Processor
seconds are taken as  start + N (reading + epochs x step),  the peak of memory as a line in N. That gives both
for the course's number of examples, in the epochs that the chapter's recipe has there.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "tests" / "growth.csv"


class Growing(NamedTuple):
    """What grows in a chapter's data, and what its recipe makes of the course's own set."""

    what: str
    files: str  # a pattern in data/: many files, or one of lines or of an array
    course: int  # examples of the course's own set
    epochs: int  # that the recipe has there
    most: int = 10**9  # examples that an epoch shows
    flags: str = ""
    folder: str = "data"


CHAPTERS = {
    "hw03_cnn": Growing(
        "photographs", "food-11/training/*.jpg", 9_866, 80, flags="--generations 1", folder="data/dishes"
    ),
    "hw04_rnn_selftrain": Growing(
        "tweets without labels", "training_nolabel.txt", 1_178_614, 3, 175_000, "--no-self-training"
    ),
    "hw08_seq2seq": Growing("pairs of sentences", "training.txt", 18_000, 32, flags="--networks 1"),
    "hw10_anomaly": Growing("pictures", "train.npy", 40_000, 8),
    "hw11_gan": Growing("faces", "faces/*", 71_314, 10, flags="--feature-model none"),
    "hw12_dann": Growing("drawings", "real_or_drawing/test_data/0/*", 100_000, 8, flags="--method dann"),
}
COLUMNS = ("chapter", "examples", "measured", "course", "epochs", "seconds an epoch here", "minutes", "GB")


def take_half(data, pattern, folder):
    """Link the files of data into folder, but half of those that grow, or write half of their one.

    Returns how many examples there were.
    """
    growing = sorted(data.glob(pattern))
    for path in data.rglob("*"):
        if path.is_file() and path.name != "answers.csv":  # these are of all examples
            link = folder / path.relative_to(data)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    if len(growing) > 1:
        numbered = growing[0].stem.isdigit()  # without a gap; the others are of a class each
        for path in growing[len(growing) // 2 :] if numbered else growing[1::2]:
            (folder / path.relative_to(data)).unlink()
        return len(growing)
    half = folder / growing[0].relative_to(data)
    half.unlink()
    if half.suffix == ".npy":
        examples = np.load(growing[0], mmap_mode="r")
        np.save(half, examples[: len(examples) // 2])
    else:
        examples = growing[0].read_text("utf-8").splitlines(keepends=True)
        half.write_text("".join(examples[: len(examples) // 2]), "utf-8")
    return len(examples)


def train(chapter, data, flags, out):
    """Train a chapter. Returns its processor seconds and the peak of its memory in GB."""
    command = [sys.executable, f"{chapter}/train.py", "--data-dir", data, "--out-dir", out, *flags.split()]
    with tempfile.TemporaryFile("w+") as log:
        training = subprocess.Popen([str(part) for part in command], cwd=ROOT, stdout=log, stderr=log)
        _, status, used = os.wait4(training.pid, 0)
        training.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        if training.returncode:
            sys.exit(log.read())
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6


def measure(chapter, trial):
    """A row of the table."""
    growing = CHAPTERS[chapter]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        data = ROOT / chapter / growing.folder
        if trial:
            train(chapter, data, "--synthetic --epochs 1", folder / "made")
            data = folder / "made" / "synthetic"
        count = take_half(data, growing.files, folder / "half")
        runs = {}
        for name, source, epochs in (("half", folder / "half", 1), ("one", data, 1), ("two", data, 2)):
            flags = f"--epochs {epochs} {growing.flags}"
            runs[name] = train(chapter, source, flags, folder / f"out-{name}")
    (half, less), (one, more), (two, _) = runs.values()
    step = (two - one) / count
    reading = max(0.0, 2 * (one - half) / count - step)
    start = one - count * (reading + step)
    shown = min(growing.course, growing.most)
    seconds = start + growing.course * reading + shown * growing.epochs * step
    memory = more + 2 * (more - less) / count * (growing.course - count)
    measured = f"{count // 2} and {count}"
    cells = [growing.course, growing.epochs, f"{two - one:.0f}", f"{seconds / 60:.0f}", f"{memory:.1f}"]
    return [chapter, growing.what, measured, *cells]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", metavar="chapter", help=f"of {', '.join(CHAPTERS)}; else all")
    parser.add_argument("--trial", action="store_true", help="made-up files; nothing is written")
    args = parser.parse_args(argv)
    if unknown := set(args.chapters) - set(CHAPTERS):
        parser.error(f"{' '.join(unknown)}: expected some of {' '.join(CHAPTERS)}")
    kept = TABLE.read_text("utf-8").splitlines() if TABLE.is_file() else []
    rows = {row[0]: row for row in csv.reader(kept)}
    for chapter in args.chapters or CHAPTERS:
        rows[chapter] = measure(chapter, args.trial)
        print(f"| {' | '.join(map(str, rows[chapter]))} |", flush=True)
    if not args.trial:
        with TABLE.open("w", encoding="utf-8", newline="") as table:
            writer = csv.writer(table, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(rows[chapter] for chapter in CHAPTERS if chapter in rows)


if __name__ == "__main__":
    main()
