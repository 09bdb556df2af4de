"""Killed three times in a row, who knows when, and resumed: each long training ends as if it had not been.

SIGKILL leaves a program no time for a last word. Left out of the suite: python -m pytest -n auto -m full
"""

import contextlib
import json
import signal
import subprocess
import zipfile

import numpy as np
import pandas as pd
import pytest
from conftest import copy_alone, run_script, start_script
from PIL import Image
from test_smoke import RESUMABLE, SMOKE, assert_same_training

pytestmark = [pytest.mark.full, pytest.mark.monday]

ANEW = {"hw15_rl"}  # goes on with new episodes: as long a training as it would have been, but not the same


@pytest.mark.parametrize("chapter", RESUMABLE)
def test_a_training_that_is_killed_three_times_is_the_same_training(chapter, tmp_path):
    flags, _, check = SMOKE[chapter]
    flags, folder = ["--synthetic", *flags.split()], copy_alone(chapter, tmp_path)
    whole, killed = folder / "whole", folder / "killed"
    run_script(folder, "train.py", *flags, "--out-dir", whole)
    seconds = json.loads((whole / "metrics.json").read_text())["seconds"]["all"]
    moments = np.random.default_rng().uniform(2, 6 + seconds, 3)  # six, for Python to begin with
    for resume, moment in zip(([], ["--resume"], ["--resume"]), moments):
        process = start_script(folder, "train.py", *flags, "--out-dir", killed, *resume)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=moment)
        process.kill()
        stdout, stderr = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), stdout + stderr
        check_whole(killed)
    run_script(folder, "train.py", *flags, "--out-dir", killed, "--resume")
    for out in (whole, killed):
        run_script(folder, "predict.py", "--synthetic", "--out-dir", out)
    check_whole(killed)
    check(killed)
    assert not list(killed.rglob("half-written*"))
    if chapter not in ANEW:
        assert_same_training(whole, killed, check)


def check_whole(out):
    """Every file of a folder that bears its own name can be read to its end."""
    for path in out.rglob("*"):
        if path.name.startswith("half-written") or path.is_dir() or out / "synthetic" in path.parents:
            continue
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".csv":
            assert len(pd.read_csv(path))
        elif path.suffix in (".keras", ".npz"):
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None
        elif path.suffix in (".gif", ".png"):
            with Image.open(path) as picture:
                picture.load()
