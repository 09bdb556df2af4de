"""Train on a graphics card, by JAX, within ten minutes: hw03 with twice the filters, and hw08.

    KERAS_BACKEND=jax python tests/on_card.py             on the course's files and CIFAR-10, in their data/
    KERAS_BACKEND=jax python tests/on_card.py --trial     on made-up ones, an epoch each; a processor will do

Prints a row of a table for each training: the device, what was trained, its score, the seconds that it took.
A training that the ten minutes are too short for is stopped, and its row says so.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 570
TRAININGS = (  # chapter, the folder of its files, flags
    ("hw03_cnn", "data/cifar10", "--width 2 --generations 1"),
    ("hw08_seq2seq", "data", ""),
    ("hw03_cnn", "data/cifar10", "--width 2 --generations 1 --full-precision"),
)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trial", action="store_true", help="made-up data, one epoch each")
    trial, ends = parser.parse_args(argv).trial, time.monotonic() + SECONDS
    print("| device | training | score | seconds |\n|---|---|---:|---:|", flush=True)
    for chapter, data, flags in TRAININGS:
        shown = f"`{chapter}/train.py --data-dir {chapter}/{data} {flags}`".replace(" `", "`")
        own = f"--data-dir {chapter}/{data} {flags}"
        if trial:
            own = f"--synthetic --epochs 1 {flags.replace('--width 2', '--width 0.25')}"
        with tempfile.TemporaryDirectory() as out:
            command = [sys.executable, f"{chapter}/train.py", *own.split(), "--out-dir", out]
            try:
                left = max(1, ends - time.monotonic())
                done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=left)
            except subprocess.TimeoutExpired:
                print(f"|  | {shown} | stopped |  |", flush=True)
                continue
            if done.returncode:
                sys.exit(done.stderr or done.returncode)
            metrics = json.loads((Path(out) / "metrics.json").read_text("utf-8"))
        head = next(line for line in done.stdout.splitlines() if line.startswith("model "))
        row = [head.split(", on ")[1], shown, f"{metrics['score']:.4f}", f"{metrics['seconds']['all']:.0f}"]
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("KERAS_BACKEND", "jax")
    main()
