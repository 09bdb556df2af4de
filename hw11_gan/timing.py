"""Not part of the lesson: how fast a step is, of Keras and of PyTorch. The file is the same in each chapter
that has it.

throughput.py has the two steps. Each library gets a process of its own, since they do not share one well.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import time

from scaffold import HERE, BadInput, integer

import numpy as np
from device import start_keras

PARTS = 5  # whose median counts
PRECISIONS = {  # flags of throughput.py
    "float32": "keras",
    "float32, PyTorch": "torch",
    "bfloat16": "keras --bfloat16",
    "bfloat16, PyTorch": "torch --bfloat16",
}


def flags_of(doc, argv, **switches):
    """The flags of throughput.py: of all chapters, and switches, {name: help}, of its own."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("library", choices=["keras", "torch"])
    parser.add_argument("--steps", type=integer(), default=60, help="steps that are measured, in five parts")
    for name, text in switches.items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    return parser.parse_args(argv)


def start(bfloat16, **settings):
    """start_keras() in a precision. Raises BadInput where the processor has no units for bfloat16."""
    device = start_keras(0, full_precision=not bfloat16, **settings)
    if bfloat16 and "bfloat16" not in device:
        raise BadInput(f"--bfloat16: {device}, which has no units for it.")


def import_torch():
    """PyTorch, with as many threads as TensorFlow takes. Raises BadInput where it is not installed."""
    try:
        import torch
    except ModuleNotFoundError as error:
        raise BadInput("PyTorch is not installed; pip install torch brings it.") from error
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count())
    torch.set_num_threads(int(os.environ.get("TF_NUM_INTRAOP_THREADS") or len(cores)))
    return torch


def rate(step, examples, steps):
    """The examples a second of step(), a function that takes so many of them."""
    for _ in range(3):
        step()
    seconds, part = [], max(1, steps // PARTS)
    for _ in range(PARTS):
        started = time.perf_counter()
        for _ in range(part):
            step()
        seconds.append((time.perf_counter() - started) / part)
    return examples / np.median(seconds)


def speeds(trial, kinds=PRECISIONS, flags=""):
    """Yield the name of each of kinds, {name: flags of throughput.py}, and what it prints; "" in a trial."""
    for name, own in kinds.items():
        yield name, "" if trial else throughput(f"{own} {flags}")


def throughput(flags):
    """What throughput.py prints, as text; nothing where it refuses: no PyTorch, no units for bfloat16."""
    if "torch" in flags and not importlib.util.find_spec("torch"):
        return ""
    command = [sys.executable, str(HERE / "throughput.py"), *flags.split()]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, 2):
        done.check_returncode()
    return done.stdout.strip()
