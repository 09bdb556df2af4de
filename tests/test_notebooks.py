"""The notebooks say what the READMEs say, and run."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from conftest import copy_alone
from test_contract import CHAPTERS, ROOT
from write_notebooks import text_of


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_notebook_is_made_of_its_readme(chapter):
    written = (ROOT / chapter / "colab.ipynb").read_text("utf-8")
    assert written == text_of(chapter), "run python tests/write_notebooks.py"


@pytest.mark.full
def test_a_notebook_runs_whole(tmp_path, monkeypatch):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    folder = copy_alone("hw01_regression", tmp_path)
    shutil.copy(ROOT / "requirements.txt", folder.parent)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    notebook = nbformat.read(folder / "colab.ipynb", as_version=4)
    nbformat.validate(notebook)
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": folder}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    text = "".join(output.get("text", "") for output in outputs)
    assert "Traceback" not in text
    assert "submission.csv" in text, text
    assert [output for output in outputs if "image/png" in output.get("data", {})], "no picture is shown"
