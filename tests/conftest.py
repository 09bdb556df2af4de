"""What the tests share: how to import one chapter's modules, which all chapters name alike."""

import functools
import gc
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# A worker of pytest-xdist has one core: with a thread for each core they would mostly wait for each other.
for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(name, "1")
gc.set_threshold(100_000, 50, 50)  # graphs are made of many objects, and few of them are garbage


settings.register_profile("suite", derandomize=True, database=None, deadline=None)  # the same cases each time
settings.register_profile("hunt", max_examples=1000, print_blob=True, deadline=None)
settings.load_profile("suite")
LONGEST = ("hw08", "hw04", "hw05", "hw10", "hw03", "hw12", "hw06", "hw13", "hw09", "hw07", "hw14", "hw15")
taken = {}  # test -> processor seconds
loaded = SimpleNamespace(chapter=None)  # whose modules stand in sys.modules


def pytest_collection_modifyitems(items):
    """All tests of a chapter run in one worker, which imports its modules and trains it once.

    The longest chapters come first, so that no worker is left with one of them at the end.
    """
    for item in items:
        name = re.search(r"hw\d\d", item.nodeid)
        item.add_marker(pytest.mark.xdist_group(name[0] if name else item.path.stem))
    groups = [item.get_closest_marker("xdist_group").args[0] for item in items]
    order = {group: number for number, group in enumerate([*LONGEST, *sorted({*groups} - {*LONGEST})])}
    items[:] = [item for _, item in sorted(zip(groups, items), key=lambda pair: order[pair[0]])]


def switch_to(chapter):
    """Let `import train` and the like mean this chapter's modules, as when its scripts are started."""
    if loaded.chapter == chapter:
        return
    for path in ROOT.glob("hw*/*.py"):
        sys.modules.pop(path.stem, None)
    sys.path[:] = [str(ROOT / chapter), *(path for path in sys.path if not path.startswith(str(ROOT / "hw")))]
    loaded.chapter = chapter


PROCESSOR = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Note the processor seconds of each test, with its fixtures and the scripts that it starts."""
    item.stash[PROCESSOR] = sum(os.times()[:4])
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "teardown":
        report.user_properties.append(("processor", sum(os.times()[:4]) - item.stash[PROCESSOR]))
    return report


def pytest_runtest_logreport(report):
    if report.when == "teardown":
        taken[report.nodeid] = dict(report.user_properties).get("processor")


def pytest_sessionfinish(session):
    """Keep the seconds of the default tier for the full one, which watches them; see test_durations.py."""
    cache = getattr(session.config, "cache", None)  # none with -p no:cacheprovider
    if cache and session.config.option.markexpr == "not full" and not hasattr(session.config, "workerinput"):
        earlier = {} if len(taken) > 1000 else cache.get("processor_seconds", {})  # after a run of all: none
        cache.set("processor_seconds", {**earlier, **taken})


@pytest.fixture(autouse=True)
def _as_if_the_process_had_ended():
    """A test whose training was refused or stopped leaves no folder locked, and no precision behind."""
    yield
    if records := sys.modules.get("records"):
        records.release()
    if keras := sys.modules.get("keras"):
        keras.mixed_precision.set_global_policy("float32")


@pytest.fixture
def load_chapter():
    """load_chapter("hw01_regression") imports the chapter's modules as its scripts do, by bare name.

    It returns them as attributes: .dataset, .model, .train ...; without names all but report, with names only
    those. They stay until another chapter is loaded, so that what TensorFlow has compiled is compiled once.
    """

    def load(chapter, *names):
        switch_to(chapter)
        stems = [path.stem for path in sorted((ROOT / chapter).glob("*.py"))]
        names = names or [stem for stem in stems if stem != "report"]
        names = (*names, "scaffold", "records")
        modules = SimpleNamespace(**{name: importlib.import_module(name) for name in names})
        if tensorflow := sys.modules.get(
            "tensorflow"
        ):  # a graph that runs a few times is not worth optimising
            tensorflow.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
        return modules

    return load


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory):
    """synthetic("hw01_regression") is the folder of the chapter's synthetic set with seed 0, made once."""

    @functools.cache
    def make(chapter):
        switch_to(chapter)
        folder = tmp_path_factory.mktemp(chapter)
        return importlib.import_module("dataset").make_synthetic(folder, seed=0)

    return make


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """trained("hw01_regression", flags) is a copy of the chapter's folder alone, with the out/ of a training.

    `python train.py --synthetic` made it, once, as a command. What it printed is .stdout and .stderr.
    """

    @functools.cache
    def train(chapter, flags=""):
        folder = copy_alone(chapter, tmp_path_factory.mktemp(chapter))
        done = run_script(folder, "train.py", "--synthetic", *flags.split())
        return SimpleNamespace(folder=folder, out=folder / "out", stdout=done.stdout, stderr=done.stderr)

    return train


def copy_alone(chapter, folder):
    """A copy of a chapter's files, with nothing beside them."""
    ignored = shutil.ignore_patterns("data", "out", "__pycache__")
    return shutil.copytree(ROOT / chapter, folder / "alone" / chapter, ignore=ignored)


def start_script(folder, script, *flags):
    """Start a script from another current folder, with nothing of ours on the path."""
    ours = ("PYTHONPATH", "PYTEST")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    command = [sys.executable, folder / script, *flags]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=elsewhere, env=environment, **pipes)


def run_script(folder, script, *flags, status=0):
    """Run a script to its end. Returns what it printed: .stdout and .stderr."""
    process = start_script(folder, script, *flags)
    stdout, stderr = (stream.decode() for stream in process.communicate())
    assert process.returncode == status, stdout + stderr
    assert not any((folder.parent / "elsewhere").iterdir()), "a script wrote into the current folder"
    return SimpleNamespace(stdout=stdout, stderr=stderr)


@pytest.fixture
def whole_set(request, synthetic):
    """The synthetic set of the test module's CHAPTER, shared: a test that spoils it copies it first."""
    return synthetic(request.module.CHAPTER)


def check_sentence(chapter, capsys, argv, *words, script="train"):
    """Run a loaded chapter's script: it ends with status 2 and one sentence on stderr that has the words.

    A training without --out-dir gets a folder of its own, so that tests beside each other share none.
    """
    with tempfile.TemporaryDirectory() as out:
        own = ["--out-dir", out] if script == "train" else []
        with pytest.raises(SystemExit) as ended:
            sys.modules["scaffold"].run(lambda: getattr(chapter, script).main([*own, *map(str, argv)]))
    assert ended.value.code == 2
    sentence = capsys.readouterr().err
    assert sentence.count("\n") == 1
    assert sentence.endswith(".\n")
    for word in words:
        assert str(word) in sentence


def write_metrics(chapter, folder, *names, synthetic=False, **arguments):
    """A metrics.json in a folder, of a training whose files of these names are as they stand there."""
    files = {name: chapter.records.fingerprint(folder / name) for name in names}
    metrics = {"arguments": {"synthetic": synthetic, **arguments}, "files": files}
    (folder / "metrics.json").write_text(json.dumps(metrics))
