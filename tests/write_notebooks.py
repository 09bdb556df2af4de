"""Write colab.ipynb into every chapter, from its README's commands: python tests/write_notebooks.py

A notebook is kept without outputs. tests/test_notebooks.py compares all with what this script makes.
"""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SETUP = """REPOSITORY = ""  # its address, to clone it; empty where this notebook already lies in it
FLAGS = "--synthetic"  # "" for the course's own files, put into {chapter}/data/

if REPOSITORY:
    !git clone --quiet {{REPOSITORY}} ml2020
    %cd ml2020
else:
    %cd ..
!pip install --quiet -r requirements.txt"""
PICTURES = """from pathlib import Path

from IPython.display import Image, display

for path in sorted(Path("{chapter}/out").iterdir()):
    if path.suffix in (".png", ".jpg", ".gif"):
        print(path.name)
        display(Image(filename=path))"""


def notebook(chapter):
    """The notebook of a chapter, a folder's name: what its README says, as a dict of nbformat 4."""
    readme = (ROOT / chapter / "README.md").read_text("utf-8")
    title, question = re.search(r"^# (.*?)\n.*?^## The question\n\n(.*?)\n\n", readme, re.M | re.S).groups()
    lines = re.search(r"^```sh\n(.*?)^```", readme, re.M | re.S)[1].splitlines()
    commands = [line for line in lines if line.startswith("python ")]
    train, predict = (
        next(line.split("#")[0].strip() for line in commands if f"{script}.py" in line)
        for script in ("train", "predict")
    )
    more = "\n".join(["More of what one can do, each after a `!`:", "", "```sh", *commands, "```"])
    return {
        "cells": [
            cell(0, f"# {title}\n\n{' '.join(question.split())}\n\nHow and why: README.md of this folder."),
            cell(1, SETUP.format(chapter=chapter), code=True),
            cell(2, f"!{train} {{FLAGS}}", code=True),
            cell(3, f"!{predict} {{FLAGS}}", code=True),
            cell(4, PICTURES.format(chapter=chapter), code=True),
            cell(5, more),
        ],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def cell(number, text, code=False):
    """A cell of Markdown, or of code that has not been run."""
    found = {
        "cell_type": "code" if code else "markdown",
        "id": f"cell-{number}",
        "metadata": {},
        "source": text.splitlines(keepends=True),
    }
    return {**found, "execution_count": None, "outputs": []} if code else found


def text_of(chapter):
    """The notebook's file."""
    return json.dumps(notebook(chapter), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for path in sorted(ROOT.glob("hw*/README.md")):
        path.with_name("colab.ipynb").write_text(text_of(path.parent.name), "utf-8")
