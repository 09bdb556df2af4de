"""Every command of every README, as written, on synthetic data and with few epochs; and Keras on JAX.

That takes half an hour, so it is left out of the suite: python -m pytest -n auto -m full
"""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
from conftest import copy_alone
from PIL import Image
from test_contract import CHAPTERS, ON_JAX, documented_commands
from test_smoke import SMOKE

pytestmark = [pytest.mark.full, pytest.mark.monday]

# Commands that end in a sentence here, and what it is about: networks that are downloaded for pictures of
# another size; and labels, alphabets, pictures and drawings that the synthetic sets have not.
REFUSED = {
    "densenet121": "densenet121",
    "vgg16": "vgg16",
    "squeezenet.keras": "squeezenet",
    "--labelled 500": "--labelled 500",
    "Latin,Korean": "Latin",
    "--ways 20": "--ways",
    "--drawings mine": "mine",
    "8598": "4218",
}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_commands_run_as_written(chapter, tmp_path):
    commands = [command for where, command in documented_commands() if where == f"{chapter}/README.md"]
    needed = {chapter, *re.findall(r"hw\d\d_\w+", " ".join(commands))}
    for name in sorted(needed):  # homework 3 first, whose model others take
        root = copy_alone(name, tmp_path).parent
        run(root, f"{name}/train.py", "--synthetic", *SMOKE[name][0].split())
    trained = shutil.copytree(root / chapter / "out", tmp_path / "trained")
    text = (root / chapter / "README.md").read_text("utf-8")
    for name, content in re.findall(r"`(my\.\w+)`[^`]*```\n(.*?)```", text, re.S):  # a reader's own input
        (root / name).write_text(content, "utf-8")
    for name in re.findall(r"--picture (\w+\.\w+)", text):  # and a reader's own picture
        Image.radial_gradient("L").save(root / name)
    for command in dict.fromkeys(commands):
        script, *flags = shlex.split(command)
        if script.endswith("report.py"):  # has its own test
            continue
        shutil.rmtree(root / chapter / "out")
        shutil.copytree(trained, root / chapter / "out")
        pictures = (
            ["--data-dir", "hw03_cnn/out/synthetic"] if "hw03_cnn" in " ".join(flags) else ["--synthetic"]
        )
        trial = SMOKE[chapter][0].split() if script.endswith("train.py") else []
        if {"--trees", "--method"} <= {*trial, *flags}:  # no other method has trees
            trial = []
        refused = [about for part, about in REFUSED.items() if part in command]
        run(root, script, *flags, *pictures, *trial, refused=refused)


def run(folder, script, *flags, refused=(), **variables):
    """Run a command from the folder's root: it ends well, or in one sentence about what is refused."""
    command, environment = [sys.executable, script, *flags], os.environ | variables
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    output = f"{script} {' '.join(flags)}\n{done.stdout}{done.stderr}"
    assert done.returncode in ((0, 2) if refused else (0,)), output
    if done.returncode == 2:
        assert refused[0] in done.stderr.splitlines()[-1], output


@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="JAX is not installed")
@pytest.mark.parametrize("chapter", ON_JAX)
def test_keras_may_run_on_jax(chapter, tmp_path):
    folder = copy_alone(chapter, tmp_path)
    run(folder, "train.py", "--synthetic", *SMOKE[chapter][0].split(), KERAS_BACKEND="jax")
    run(folder, "predict.py", "--synthetic", KERAS_BACKEND="jax")
    SMOKE[chapter][-1](folder / "out")
