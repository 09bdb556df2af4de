"""What the tests share: how to import one chapter's modules, which all chapters name alike."""

import functools
import importlib
import os
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# A worker of pytest-xdist has one core: with a thread for each core they would mostly wait for each other.
for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(name, "1")


# The suite tries the same 200 cases each time; a hunt is for finding new ones.
settings.register_profile("suite", max_examples=200, derandomize=True, database=None)
settings.register_profile("hunt", max_examples=1000, print_blob=True)
settings.load_profile("suite")


def pytest_collection_modifyitems(items):
    """The long tests first, so that no worker is left with one in the end."""
    items.sort(key=lambda item: item.path.name != "test_smoke.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A worker that has nothing left takes tests from the other's end."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


@pytest.fixture
def load_chapter(monkeypatch):
    """load_chapter("hw01_regression") imports the chapter's modules as its scripts do, by bare name.

    It returns them as attributes: .dataset, .model, .train ...; without names all but report, with names only
    those. The modules are forgotten when the test ends, so that the next may import another `model`.
    """
    loaded = []

    def load(folder, *names):
        folder = ROOT / folder
        names = names or [path.stem for path in sorted(folder.glob("*.py")) if path.stem != "report"]
        monkeypatch.syspath_prepend(folder)
        loaded.extend(path.stem for path in folder.glob("*.py"))
        forget(loaded)
        return SimpleNamespace(**{name: importlib.import_module(name) for name in names})

    yield load
    forget(loaded)


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory):
    """synthetic("hw01_regression") is the folder of the chapter's synthetic set with seed 0, made once."""

    @functools.cache
    def make(folder):
        own = [path.stem for path in (ROOT / folder).glob("*.py")]
        others = {name: sys.modules.pop(name) for name in own if name in sys.modules}
        sys.path.insert(0, str(ROOT / folder))  # make_synthetic may need the chapter's model
        try:
            make_synthetic = runpy.run_path(str(ROOT / folder / "dataset.py"))["make_synthetic"]
            return make_synthetic(tmp_path_factory.mktemp(folder), seed=0)
        finally:
            sys.path.remove(str(ROOT / folder))
            forget(own)
            sys.modules.update(others)

    return make


@pytest.fixture
def whole_set(request, synthetic):
    """The synthetic set of the test module's CHAPTER, shared: a test that spoils it copies it first."""
    return synthetic(request.module.CHAPTER)


def check_sentence(chapter, capsys, argv, *words, script="train"):
    """Run a loaded chapter's script: it ends with status 2 and one sentence on stderr that has the words."""
    world = chapter.environment if hasattr(chapter, "environment") else chapter.dataset
    with pytest.raises(SystemExit) as ended:
        world.run(lambda: getattr(chapter, script).main([str(argument) for argument in argv]))
    assert ended.value.code == 2
    sentence = capsys.readouterr().err
    assert sentence.count("\n") == 1
    assert sentence.endswith(".\n")
    for word in words:
        assert str(word) in sentence


def forget(names):
    for name in names:
        sys.modules.pop(name, None)
