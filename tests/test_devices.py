"""Several devices that share each batch: virtual ones, which a machine without a graphics card has too.

TensorFlow and JAX can each split the processor. What it takes is started as a process of its own, since the
number of devices is settled when a library is loaded.
"""

import importlib.util
import json
import os
import socket
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import check_sentence, copy_alone, run_script
from test_contract import ROOT

START = """
import os, sys
backend, devices, epochs, *flags = sys.argv[1:]
os.environ["KERAS_BACKEND"] = backend
if backend == "jax":
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    os.environ["NPROC"] = "16"  # threads of XLA: those that wait for another device must not be all
sys.path.insert(0, os.getcwd())
import scaffold
if backend == "tensorflow":
    import tensorflow as tf
    parts = [tf.config.LogicalDeviceConfiguration()] * int(devices)
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)
import checkpoint
save, saved = checkpoint.Checkpoint.save, []
def counted(self, variables):
    save(self, variables)
    saved.append(1)
    if len(saved) == int(epochs):
        raise KeyboardInterrupt
checkpoint.Checkpoint.save = counted
import train
scaffold.run(lambda: train.main(flags))
"""
TRIALS = {  # chapters whose batches are shared -> flags of a short training
    "hw03_cnn": "--epochs 1 --generations 2",
    "hw04_rnn_selftrain": "--epochs 2",
    "hw07_compression": "--epochs 2 --alpha 0 --prune 0",
    "hw08_seq2seq": "--epochs 2 --r-drop 1",
    "hw10_anomaly": "--epochs 2",
    "hw11_gan": "--epochs 2 --loop fit --feature-model none",
    "hw12_dann": "--epochs 2",
}
ONE_STEP = {  # flags of a training of one step, in which no device draws or normalises anything
    "hw03_cnn": "--epochs 1 --batch-size 1100 --without normalisation augmentation --full-precision",
    "hw07_compression": "--epochs 1 --batch-size 360 --alpha 0 --prune 0 --full-precision",
    "hw10_anomaly": "--epochs 1 --batch-size 216 --method fcn",
}
without_jax = pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="JAX is not installed")
on_jax = [pytest.mark.monday, without_jax]


def start(folder, backend, devices, *flags, epochs=0, status=0):
    """Run train.py of a copied chapter on virtual devices, and stop it after some saved epochs."""
    command = [sys.executable, "-c", START, backend, str(devices), str(epochs), "--synthetic", *flags]
    done = subprocess.run(command, cwd=folder, env=dict(os.environ), capture_output=True, text=True)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


@pytest.mark.full
@pytest.mark.parametrize("chapter", TRIALS)
def test_a_training_goes_on_with_another_number_of_devices(chapter, tmp_path):
    folder, flags = copy_alone(chapter, tmp_path), TRIALS[chapter].split()
    saves = 5 if chapter == "hw04_rnn_selftrain" else 1  # four of the language model
    output = start(folder, "tensorflow", 2, *flags, epochs=saves, status=130)
    assert "2 devices (cpu:0, cpu:1), each with" in output
    output = start(folder, "tensorflow", 1, *flags, "--resume")
    assert "2 devices" not in output
    run_script(folder, "predict.py", "--synthetic")
    assert json.loads((folder / "out/metrics.json").read_text())["arguments"]["resume"] is True


@pytest.mark.full
@pytest.mark.monday
@without_jax
@pytest.mark.parametrize("chapter", sorted({*TRIALS} - {"hw11_gan"}))
def test_four_devices_on_jax(chapter, tmp_path):
    folder = copy_alone(chapter, tmp_path)
    flags = TRIALS[chapter]
    if chapter == "hw04_rnn_selftrain":  # XLA compiles each length of tweets for each device: for minutes
        flags = "--epochs 1 --no-language-model --no-self-training"
    output = start(folder, "jax", 4, *flags.split())
    assert "4 devices" in output
    run_script(folder, "predict.py", "--synthetic")


@pytest.mark.full
@pytest.mark.parametrize(
    ("chapter", "backend", "devices"),
    [
        ("hw03_cnn", "tensorflow", 2),
        ("hw10_anomaly", "tensorflow", 2),
        *(pytest.param(chapter, "jax", 4, marks=on_jax) for chapter in ONE_STEP),
    ],
)
def test_a_step_on_several_devices_is_the_step_on_one(chapter, backend, devices, tmp_path):
    """On JAX batch normalisation and the mean over tokens are of the batch, on TensorFlow of its parts."""
    weights = []
    for count in (1, devices):
        folder = copy_alone(chapter, tmp_path / str(count))
        start(folder, backend, devices, *ONE_STEP[chapter].split(), "--devices", str(count))
        with np.load(next((folder / "out").glob("checkpoint*.npz"))) as found:
            weights.append([found[f"arr_{index}"] for index in range(len(found.files) - 2)])
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


@pytest.mark.full
@without_jax
def test_xla_itself_says_which_of_its_flags_it_does_not_know(tmp_path):
    command = [sys.executable, ROOT / "hw10_anomaly" / "train.py", "--synthetic", "--out-dir", tmp_path]
    environment = os.environ | {"KERAS_BACKEND": "jax", "XLA_FLAGS": "--xla_nonsense=1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    assert "Unknown flag in XLA_FLAGS: --xla_nonsense=1" in done.stderr


@pytest.mark.full
@pytest.mark.monday
@without_jax
def test_two_machines_train_as_one(tmp_path):
    """Two processes, each with its own rows of a batch, come to what one comes to with all rows."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    folder = copy_alone("hw03_cnn", tmp_path)
    flags = ["--synthetic", "--arch", "plain", "--epochs", "1", "--full-precision", "--out-dir"]
    several = {"KERAS_DISTRIBUTION_JOB_ADDRESSES": address, "KERAS_DISTRIBUTION_NUM_PROCESSES": "2"}
    histories, started = [], []
    for name, own in (
        ("first", several | {"KERAS_DISTRIBUTION_PROCESS_ID": "0"}),
        ("second", several | {"KERAS_DISTRIBUTION_PROCESS_ID": "1"}),
        ("alone", {}),
    ):
        environment = os.environ | {"KERAS_BACKEND": "jax"} | own
        command = [sys.executable, folder / "train.py", *flags, tmp_path / name]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        started.append(subprocess.Popen(command, env=environment, **pipes))
    for name, process in zip(("first", "second", "alone"), started):
        output, _ = process.communicate(timeout=500)
        assert process.returncode == 0, output
        assert ("2 devices" in output) == (name != "alone")
        predict = [sys.executable, folder / "predict.py", "--synthetic", "--out-dir", tmp_path / name]
        alone = os.environ | {"KERAS_BACKEND": "jax"} | several  # as exported: it must not wait for others
        assert subprocess.run(predict, env=alone, timeout=200).returncode == 0
        history = pd.read_csv(tmp_path / name / "history.csv")
        histories.append(history[["loss", "accuracy", "val_loss", "val_accuracy"]])
    pd.testing.assert_frame_equal(histories[0], histories[1])
    pd.testing.assert_frame_equal(histories[0], histories[2], rtol=1e-2)


@pytest.mark.parametrize("chapter", ["hw03_cnn", "hw07_compression", "hw08_seq2seq", "hw10_anomaly"])
def test_no_device_is_left_without_a_row(chapter, load_chapter, monkeypatch):
    """A batch of which one device gets nothing has no mean; where batches are uneven, JAX stops."""
    loaded, rng = load_chapter(chapter), np.random.default_rng(0)
    monkeypatch.setattr(loaded.device, "sharing", ["cpu:0", "cpu:1", "cpu:2"])
    images, labels = rng.integers(0, 256, (37, 8, 8, 3), np.uint8), rng.integers(0, 4, 37)
    if chapter == "hw03_cnn":
        batches = loaded.batches.Batches(images, labels, 4, 6, 0)
    elif chapter == "hw07_compression":
        batches = loaded.distillation.Views(images, labels, 4, 6, 0)
    elif chapter == "hw10_anomaly":
        batches = loaded.batches.Images(images, np.arange(37), 6)
    else:
        ids = rng.integers(4, 9, (37, 5), np.int32)
        batches = loaded.training.Batches(ids, ids + 10 * np.arange(37)[:, None], 6, twice=True)
    counts = [len(keras.tree.flatten(batches[number])[0]) for number in range(len(batches))]
    assert sum(counts) == (72 if chapter == "hw08_seq2seq" else 36)
    assert all(count % 3 == 0 for count in counts)


def test_each_device_has_both_copies_of_its_pairs(load_chapter, monkeypatch):
    """R-Drop compares two passes of one pair: both must be on the device that compares them."""
    loaded = load_chapter("hw08_seq2seq")
    monkeypatch.setattr(loaded.device, "sharing", ["cpu:0", "cpu:1"])
    ids = np.arange(4 * 3, dtype=np.int32).reshape(4, 3) + 4
    for backend, parts in (("tensorflow", 2), ("jax", 1)):  # JAX computes the loss of the whole batch
        monkeypatch.setenv("KERAS_BACKEND", backend)
        ((source, _), _) = loaded.training.Batches(ids, ids, 4, twice=True)[0]
        for part in np.split(source, parts):
            first, second = np.split(part, 2)
            np.testing.assert_array_equal(first, second)


def test_each_device_has_as_much_of_each_kind(load_chapter, monkeypatch):
    """Its batch normalisation sees its own part alone."""
    loaded = load_chapter("hw10_anomaly")
    monkeypatch.setattr(loaded.device, "sharing", ["gpu:0", "gpu:1"])
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), np.uint8)
    turned, quarters = loaded.rotation.RotatedImages(images, np.arange(40), 16)[0]
    assert [list(np.bincount(part)) for part in np.split(quarters, 2)] == [[8, 8, 8, 8]] * 2
    straight = loaded.dataset.as_floats(images[:16])
    np.testing.assert_array_equal(np.sort(turned[quarters == 0], axis=None), np.sort(straight, axis=None))
    both = loaded.finetuning.TrainingAndTest(images, images[:8], np.arange(48), 48, seed=0)
    shown, answers, weights = both[0]
    assert [part.sum() for part in np.split(answers, 2)] == [4, 4]
    assert len(set(zip(answers[:, 0], weights))) == 2
    monkeypatch.setattr(loaded.device, "sharing", ["gpu:0"])
    alone = both[0]
    order = np.r_[0:48:2, 1:48:2]
    for one, other in zip(alone, (shown, answers, weights)):
        np.testing.assert_array_equal(one[order], other)


@pytest.mark.full
def test_the_loss_of_two_devices_is_no_sum(tmp_path):
    """Of hw08's own compute_loss(), which TensorFlow adds up over the devices."""
    losses = []
    for count in (1, 2):
        folder = copy_alone("hw08_seq2seq", tmp_path / str(count))
        flags = f"--epochs 1 --units 16 --dropout 0 --devices {count}".split()
        start(folder, "tensorflow", 2, *flags)
        losses.append(pd.read_csv(folder / "out" / "history.csv")[["loss", "val_loss"]].to_numpy())
    np.testing.assert_allclose(*losses, rtol=0.02)


@pytest.mark.full
def test_two_devices_read_tweets_as_one(tmp_path):
    """hw04's losses without dropout, which falls on the same units on every device."""
    losses = []
    for count in (1, 2):
        folder = copy_alone("hw04_rnn_selftrain", tmp_path / str(count))
        for name, before, after in (
            ("model.py", "dropout=0.5", "dropout=0.0"),
            ("language_model.py", "DROPOUT = 0.002, 0.2", "DROPOUT = 0.002, 0.0"),
        ):
            text = (folder / name).read_text()
            assert before in text
            (folder / name).write_text(text.replace(before, after))
        start(folder, "tensorflow", 2, "--epochs", "1", "--devices", str(count))
        with np.load(folder / "out" / "checkpoint_language_model.npz") as found:
            rows = json.loads(str(found["words"]))["rows"]
        history = pd.read_csv(folder / "out" / "history.csv")
        pretraining = [row["cross_entropy"] for row in rows]
        losses.append([*pretraining, *history["loss"], *history["validation_loss"]])
    np.testing.assert_allclose(*losses, rtol=0.05)  # means of the devices' means


def test_devices_that_are_not_there(load_chapter, capsys):
    loaded = load_chapter("hw10_anomaly")
    flags = ["--synthetic", "--method", "fcn", "--devices"]
    check_sentence(loaded, capsys, [*flags, "64"], "--devices 64", "at most 1", "cpu:0")
    check_sentence(loaded, capsys, [*flags, "0"], "--devices 0", "expected 1 to 1,024")


def test_a_process_of_several_without_its_number(load_chapter, monkeypatch):
    loaded = load_chapter("hw03_cnn", "device")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", "2")
    monkeypatch.delenv("KERAS_DISTRIBUTION_PROCESS_ID", raising=False)
    with pytest.raises(loaded.scaffold.BadInput, match="expected the number of this process"):
        loaded.device.start_keras(share=(None, 128))


def test_libraries_that_find_no_memory(load_chapter, monkeypatch, capfd):
    """They say it in an ImportError, which otherwise speaks of an edited keras.json."""
    loaded = load_chapter("hw03_cnn", "device")

    def fail():
        os.write(2, b"lines of a library")
        raise ImportError("tf.so: failed to map segment from shared object")

    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.setattr(keras.distribution, "list_devices", fail)
    with pytest.raises(MemoryError):
        loaded.device.start_keras()
    assert "lines" not in capfd.readouterr().err


def test_a_batch_that_devices_cannot_share(load_chapter, monkeypatch):
    loaded = load_chapter("hw03_cnn")
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["gpu:0", "gpu:1", "gpu:2", "gpu:3"])
    with pytest.raises(loaded.scaffold.BadInput, match="--devices 3: expected a divisor of the 128"):
        loaded.device.share_batches(3, 128)


@pytest.mark.full
@pytest.mark.parametrize("backend", ["tensorflow", pytest.param("jax", marks=on_jax)])
def test_what_is_run_on_a_card_runs_on_a_processor(backend):
    command = [sys.executable, str(ROOT / "tests" / "on_card.py"), "--trial"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"KERAS_BACKEND": backend}
    )
    assert done.returncode == 0, done.stderr
    _, _, *rows = done.stdout.splitlines()
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    assert [trained.split("/")[0] for _, trained, *_ in cells] == ["`hw03_cnn", "`hw08_seq2seq", "`hw03_cnn"]
    assert all(backend in device and float(score) > 0 for device, _, score, _ in cells)


@pytest.mark.full
def test_growth_is_measured_on_half_and_on_all():
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "growth.py"), "--trial", "hw12_dann"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    chapter, examples, measured, course, *cells = [cell.strip() for cell in done.stdout.split("|")[1:-1]]
    assert (chapter, examples, measured, course) == ("hw12_dann", "drawings", "120 and 240", "100000")
    assert np.isfinite([float(cell) for cell in cells]).all()  # of so few drawings these are mostly noise
    assert len(cells) == 4


def test_half_of_what_grows(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tests"))
    import growth

    data = tmp_path / "data"
    (data / "training").mkdir(parents=True)
    for name in ("0_1.jpg", "0_2.jpg", "1_1.jpg", "1_2.jpg"):
        (data / "training" / name).write_text(name)
    (data / "lines.txt").write_text("a\nb\nc\nd\n")
    np.save(data / "train.npy", np.arange(6))
    assert growth.take_half(data, "training/*", tmp_path / "files") == 4
    assert sorted(path.name for path in (tmp_path / "files" / "training").iterdir()) == ["0_1.jpg", "1_1.jpg"]
    assert (tmp_path / "files" / "lines.txt").read_text() == "a\nb\nc\nd\n"
    assert growth.take_half(data, "lines.txt", tmp_path / "lines") == 4
    assert (tmp_path / "lines" / "lines.txt").read_text() == "a\nb\n"
    assert growth.take_half(data, "train.npy", tmp_path / "array") == 6
    assert np.load(tmp_path / "array" / "train.npy").tolist() == [0, 1, 2]
    assert (data / "lines.txt").read_text() == "a\nb\nc\nd\n"
