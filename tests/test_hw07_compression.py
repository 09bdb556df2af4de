"""Homework 7: grids and codebooks, idle channels, blocks that agree, targets, the file, bad input."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import check_sentence
from PIL import Image

CHAPTER = "hw07_compression"


@pytest.fixture
def hw07(load_chapter):
    return load_chapter(CHAPTER)


@pytest.fixture
def hw07_light(load_chapter):
    """The modules that need no Keras."""
    return load_chapter(CHAPTER, "dataset", "quantisation", "train", "predict")


def images_of(count, size=16, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


def stirred(hw07, kind="normal", size=16, classes=3, width=0.5):
    """An untrained student whose batch normalisation has something to do, and its plan."""
    plan = hw07.model.make_plan(size, classes, "normal" if kind == "airbench" else kind, width)
    if kind == "airbench":
        plan |= {"layout": "airbench", "side": size + 2, "stem": 24}
    hw07.model.keras.utils.set_random_seed(0)
    student = hw07.model.build_student(plan)
    rng = np.random.default_rng(1)
    for name in hw07.model.units(plan):
        layer = student.get_layer(f"{name}_normalisation")
        gamma, beta, mean, variance = (rng.normal(0, 0.3, w.shape) for w in layer.get_weights())
        layer.set_weights([1 + gamma, beta, mean, np.exp(variance)])
    return student, plan


def keras_classifier(size=16, classes=6, softmax=False):
    """A classifier that no chapter built."""
    import keras

    pixels = keras.Input((size, size, 3))
    small = keras.layers.Rescaling(1 / 255)(keras.layers.AveragePooling2D(4)(pixels))
    dense = keras.layers.Dense(classes, activation="softmax" if softmax else None)
    return keras.Model(pixels, dense(keras.layers.Flatten()(small)))


# --- quantisation ---------------------------------------------------------


@pytest.mark.parametrize("bits", [2, 3, 5, 8])
@pytest.mark.parametrize("sign", [np.positive, np.abs, lambda rows: -np.abs(rows), np.zeros_like])
def test_a_weight_moves_by_half_a_step_at_most(hw07_light, bits, sign):
    rows = sign(np.random.default_rng(bits).normal(0, 10.0 ** np.arange(-4, 2)[:, None], (6, 200)))
    rows = rows.astype(np.float32)
    rows[:, 7] = 0
    if bits == 2:  # a side that is nearly no side
        rows[0, :9] = 1, -0.19, 0, 0, 0, 0, 0, 0, 0
        rows[0, 9:] = 0.5
        rows = sign(rows)
    codes, zeros, steps = hw07_light.quantisation.uniform(rows, bits)
    assert codes.dtype == zeros.dtype == np.uint8
    assert steps.dtype == np.float16
    assert codes.max() < 2**bits
    back = hw07_light.quantisation.from_uniform(codes, zeros, steps)
    assert (np.abs(back - rows) <= steps[:, None].astype(np.float64) / 2 * (1 + 1e-5)).all()
    assert (back[:, 7] == 0).all()
    span = np.maximum(rows.max(axis=1), 0) - np.minimum(rows.min(axis=1), 0)
    assert (steps <= 2 * span / (2**bits - 1) + 2e-7).all()  # and the grid is not wider than it has to be


def test_shared_values_find_the_clusters(hw07_light):
    rng = np.random.default_rng(0)
    middles = np.array([-1.5, -0.25, 0.5, 2.0])
    values = (rng.choice(middles, 4000) + rng.normal(0, 0.01, 4000)).astype(np.float32)
    codes, book = hw07_light.quantisation.shared(values, 2)
    np.testing.assert_allclose(book, middles, atol=0.01)
    assert np.abs(book[codes] - values).max() < 0.06
    values = rng.normal(0.3, 1, 4000).astype(np.float32)
    values[np.abs(values) < 0.1] = 0
    codes, book = hw07_light.quantisation.shared(values, 3)
    assert (book[codes[values == 0]] == 0).all()
    assert (np.diff(book) >= 0).all()


def test_shared_values_are_the_means_and_each_code_the_nearest(hw07_light):
    values = np.random.default_rng(2).normal(0, 1, 3000).astype(np.float32)
    codes, book = hw07_light.quantisation.shared(values, 3)
    nearest = np.abs(values[:, None] - book.astype(np.float32)).argmin(axis=1)
    assert (codes == nearest).mean() > 0.999
    means = [values[codes == code].mean() for code in range(8)]
    np.testing.assert_allclose(book, means, atol=0.02)


# --- architecture ---------------------------------------------------------


def test_the_two_separable_blocks_agree(hw07):
    plans = [hw07.model.make_plan(16, 3, kind) for kind in ("depthwise", "separable")]
    by_hand, by_keras = (hw07.model.build_student(plan) for plan in plans)
    assert [w.shape for w in by_hand.weights] == [w.shape for w in by_keras.weights]
    by_keras.set_weights(by_hand.get_weights())
    found, meant = (hw07.model.logits_of(model, images_of(4)) for model in (by_hand, by_keras))
    np.testing.assert_allclose(found, meant, atol=1e-5)
    assert np.ptp(found) > 1e-3
    assert hw07.architecture.multiply_adds(by_hand) == hw07.architecture.multiply_adds(by_keras)


def test_the_grouped_block_is_keras_grouped_convolution(hw07):
    import keras

    x = keras.Input((6, 6, 8))
    parts = keras.Model(x, hw07.architecture.grouped(x, 12, "parts", folded=False))
    whole = keras.layers.Conv2D(12, 3, padding="same", use_bias=False, groups=4)
    y = whole(x)
    whole.set_weights([np.concatenate(parts.get_weights(), axis=-1)])
    values = np.random.default_rng(0).normal(size=(2, 6, 6, 8)).astype(np.float32)
    np.testing.assert_allclose(parts(values), keras.Model(x, y)(values), atol=1e-5)


def test_multiply_adds_are_counted_by_hand(hw07):
    plan = {"layout": "residual", "size": 8, "classes": 5, "kind": "normal", "stem": 4, "stages": [[6, 7]]}
    by_hand = 64 * 9 * 3 * 4 + 64 * 9 * 4 * 6 + 16 * 9 * (6 * 7 + 7 * 6) + 6 * 5
    assert hw07.architecture.multiply_adds(hw07.model.build_student(plan)) == by_hand
    plan |= {"kind": "depthwise"}
    by_hand = 64 * 9 * 3 * 4 + 64 * (9 * 4 + 4 * 6) + 16 * (9 * 6 + 6 * 7 + 9 * 7 + 7 * 6) + 6 * 5
    assert hw07.architecture.multiply_adds(hw07.model.build_student(plan)) == by_hand


@pytest.mark.parametrize("kind", ["normal", "airbench", "depthwise", "separable", "grouped"])
def test_folding_changes_no_output_and_pruning_of_idle_channels_neither(hw07, kind):
    student, plan = stirred(hw07, kind)
    folded = hw07.model.fold(student, plan)
    images = images_of(3)
    before = hw07.model.logits_of(student, images)
    assert np.ptp(before) > 1e-3
    np.testing.assert_allclose(hw07.model.logits_of(folded, images), before, atol=1e-4 * np.abs(before).max())
    assert not [layer for layer in folded.layers if "normalisation" in layer.name]
    if kind == "grouped":  # which cannot lose single channels
        return
    for name in hw07.model.units(plan):
        layer = student.get_layer(f"{name}_normalisation")
        gamma, beta, *others = layer.get_weights()
        idle = np.arange(len(gamma)) % 2 == 0
        layer.set_weights([np.where(idle, 0, gamma), np.where(idle, 0, beta), *others])
    before = hw07.model.logits_of(student, images)
    pruned, smaller = hw07.pruning.prune_channels(student, plan, 0.5, "scale")
    assert np.ptp(before) > 1e-4
    np.testing.assert_allclose(hw07.model.logits_of(pruned, images), before, atol=1e-5)
    assert smaller == plan | {"stages": [[8, 8], [40, 40]]}  # eight channels of the stem are a multiple of 8
    assert plan["stages"] == [[16, 16], [80, 80]]
    assert hw07.model.build_student(smaller).count_params() == pruned.count_params()


def test_scales_after_pooling_stay_above_0_for_else_nothing_can_be_folded(hw07):
    import keras

    student, plan = stirred(hw07, "airbench")
    layer = student.get_layer("stage1_normalisation")
    student.compile(keras.optimizers.SGD(1e6), "mse", jit_compile=False)
    student.train_on_batch(images_of(8), np.ones((8, 3)))
    assert layer.get_weights()[0].min() >= 0
    student, plan = stirred(hw07, "airbench")
    gamma, *others = student.get_layer("stage1_normalisation").get_weights()
    student.get_layer("stage1_normalisation").set_weights([-gamma, *others])
    with pytest.raises(hw07.scaffold.BadInput, match="not built like a student"):
        hw07.model.adopt(student, "some.keras")


# --- pruning --------------------------------------------------------------


def test_the_rank_says_which_channels_stay(hw07):
    student, plan = stirred(hw07, width=0.5)
    layer, convolution = (
        student.get_layer(f"stage1_inner_{part}") for part in ("normalisation", "convolution")
    )
    order = np.random.default_rng(3).permutation(16)
    gamma, *others = layer.get_weights()
    layer.set_weights(
        [np.where(order % 3 == 0, -1, 1) * (1.0 + order), *others]
    )  # the size counts, not the sign
    kernel = convolution.get_weights()[0]
    scales = 1.0 + order[::-1]
    convolution.set_weights([kernel / np.sqrt((kernel**2).sum(axis=(0, 1, 2))) * scales])
    for rank, worth in (("scale", order), ("norm", order[::-1])):
        pruned, smaller = hw07.pruning.prune_channels(student, plan, 0.5, rank)
        assert smaller["stages"][0][1] == 8
        kept = np.flatnonzero(worth >= 8)
        left = pruned.get_layer("stage1_inner_normalisation").get_weights()
        for value, old in zip(left, layer.get_weights()):
            np.testing.assert_array_equal(value, old[kept])


def test_added_channels_stand_or_fall_together(hw07):
    student, plan = stirred(hw07, width=0.5)
    scales = sum(
        np.abs(student.get_layer(f"{name}_normalisation").get_weights()[0])
        for name in ("stage1", "stage1_outer")
    )
    found = hw07.pruning.importance(student, ["stage1", "stage1_outer"], "scale")
    np.testing.assert_allclose(found, scales, rtol=1e-6)


def test_small_weights_become_zero_and_stay_so(hw07):
    import keras

    student, _ = stirred(hw07, width=0.25)
    before = {w.path: keras.ops.convert_to_numpy(w) for w in student.trainable_variables}
    hw07.pruning.prune_weights(student, 0.4)
    student.compile(keras.optimizers.SGD(0.1, 0.9), "mse", jit_compile=False)
    zero = {w.path: keras.ops.convert_to_numpy(w) == 0 for w in student.trainable_variables}
    for path, at_zero in zero.items():
        if before[path].ndim > 1:
            assert at_zero.mean() == pytest.approx(0.4, abs=0.03)
            assert np.abs(before[path][at_zero]).max() <= np.abs(before[path][~at_zero]).min()
    student.train_on_batch(images_of(8), np.ones((8, 3)))
    for weight in student.trainable_variables:
        if len(weight.shape) > 1:
            after = keras.ops.convert_to_numpy(weight)
            assert (after[zero[weight.path]] == 0).all()
            assert (after != before[weight.path])[~zero[weight.path]].any()


# --- distillation ---------------------------------------------------------


def test_without_alpha_distillation_is_cross_entropy(hw07):
    import keras

    rng = np.random.default_rng(0)
    labels = np.eye(4, dtype=np.float32)[rng.integers(0, 4, 32)]
    teacher, logits = rng.normal(0, 3, (2, 32, 4)).astype(np.float32)
    y = np.concatenate([labels, teacher], axis=1)
    found = hw07.distillation.Distillation(5.0, 0.0)(y, logits)
    np.testing.assert_allclose(
        found, keras.losses.CategoricalCrossentropy(from_logits=True)(labels, logits), rtol=1e-5
    )


def test_distillation_is_the_divergence_at_a_temperature(hw07):
    rng = np.random.default_rng(1)
    labels = np.eye(3, dtype=np.float32)[[0, 2]]
    teacher, logits = rng.normal(0, 3, (2, 2, 3)).astype(np.float32)
    p, q = (np.exp(x / 2.5) / np.exp(x / 2.5).sum(axis=1, keepdims=True) for x in (teacher, logits))
    soft = 2.5**2 * (p * np.log(p / q)).sum(axis=1).mean()
    hard = -(labels * np.log(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))).sum(axis=1).mean()
    loss = hw07.distillation.Distillation(2.5, 0.7)
    y = np.concatenate([labels, teacher], axis=1)
    np.testing.assert_allclose(loss(y, logits), 0.3 * hard + 0.7 * soft, rtol=1e-4)
    perfect = hw07.distillation.Distillation(2.5, 1.0)(y, teacher + 5)
    assert abs(float(perfect)) < 1e-5
    assert list(np.asarray(hw07.distillation.true_class_accuracy(y, labels * 9))) == [1, 1]


class Looker:
    """A teacher that says where the bright pixel is and what it is worth, so that nobody else can know."""

    def __call__(self, images, training):
        assert not training
        flat = images[..., 0].reshape(len(images), -1)
        return np.stack([flat.argmax(axis=1), flat.max(axis=1), flat.sum(axis=1) * 1e-3], axis=1)


def test_the_teacher_sees_the_pixels_that_the_student_sees(hw07):
    """The trap: targets that belong to other images, or to another crop."""
    images = images_of(50)
    labels = np.arange(50) % 3
    views = hw07.distillation.Views(images, labels, 3, 16, 0, Looker(), views=4, mixed=0.5)
    views.label_with_teacher()
    shown, orders = [], []
    for epoch in range(5):
        views.start(epoch)
        batches = [views[number] for number in range(len(views))]
        assert [len(x) for x, _ in batches] == [16, 16, 16, 2]
        for x, y in batches:
            np.testing.assert_allclose(y[:, 3:], Looker()(x, False), rtol=1e-5)
        indices = views.order
        np.testing.assert_array_equal(np.sort(indices), np.arange(50))
        answers = np.concatenate([y for _, y in batches])
        whole = views.boxes[indices, 0] == views.boxes[indices, 2]  # without a box of another image
        assert whole.sum() > 15
        np.testing.assert_array_equal(answers[whole, :3].argmax(axis=1), labels[indices][whole])
        shown.append(np.concatenate([x for x, _ in batches])[np.argsort(indices)])
        orders.append(indices)
    assert (shown[0] != shown[1]).any(axis=(1, 2, 3)).mean() > 0.9
    np.testing.assert_array_equal(shown[0], shown[4])  # the first version again, in another order
    assert (orders[0] != orders[4]).any()


def test_a_version_is_the_image_cropped_and_flipped(hw07):
    images = np.zeros((64, 16, 16, 3), np.uint8)  # all alike, so that a box of another one changes nothing
    images[..., 0], images[..., 1] = 8 * np.arange(16)[:, None], 8 * np.arange(16)
    views = hw07.distillation.Views(images, np.zeros(64, int), 1, 64, 0, mixed=0.5)
    rows, columns = np.moveaxis(views.augmented(np.arange(64))[..., :2].astype(int), -1, 0)
    down = (rows[:, 10, 8] - rows[:, 5, 8]) / 40  # input pixels an output pixel
    assert 0.55 < down.min() < 0.7 < 1.1 < down.max() < 1.25
    across = (columns[:, 8, 10] - columns[:, 8, 5]) / 40
    np.testing.assert_array_equal(across < 0, views.flipped)
    assert 10 < views.flipped.sum() < 54
    np.testing.assert_allclose(np.abs(across), down, atol=0.08)  # squares stay squares
    middles = views.crops[:, [1, 3]].mean(axis=1)
    np.testing.assert_allclose(rows[:, 7:9, 8].mean(axis=1) / 8, middles - 0.5, atol=0.5)


def test_a_box_of_another_image_brings_its_share_of_the_label(hw07):
    count = 200
    images = np.zeros((count, 32, 32, 3), np.uint8) + (np.arange(count) % 2 * 250)[:, None, None, None]
    views = hw07.distillation.Views(images.astype(np.uint8), np.arange(count) % 2, 2, 64, 0, mixed=0.5)
    indices = np.random.default_rng(0).permutation(count)
    bright, named = views.augmented(indices).mean(axis=(1, 2, 3)) / 250, views.mixed_labels(indices)
    np.testing.assert_allclose(named.sum(axis=1), 1, rtol=1e-6)
    assert 30 < (named.max(axis=1) < 1).sum() < 70  # half of the partners are of the same class
    np.testing.assert_allclose(np.median(np.abs(bright - named[:, 1])), 0, atol=0.01)
    assert np.abs(bright - named[:, 1]).max() < 0.3  # what the border mirrors is not counted


def test_a_teacher_that_ends_in_a_softmax_is_read_right(hw07):
    plain, ending = keras_classifier(), keras_classifier(softmax=True)
    ending.set_weights(plain.get_weights())
    odds, logs = (hw07.distillation.logits(model, images_of(20)) for model in (plain, ending))
    odds -= odds.max(axis=1, keepdims=True)
    np.testing.assert_allclose(logs - logs.max(axis=1, keepdims=True), odds, atol=1e-3)


# --- the file -------------------------------------------------------------


@pytest.mark.parametrize("kind", ["normal", "airbench", "depthwise", "grouped"])
def test_the_file_holds_the_model(hw07, kind, tmp_path):
    student, plan = stirred(hw07, kind)
    folded, images, path = hw07.model.fold(student, plan), images_of(3), tmp_path / "compressed.npz"
    hw07.compressed.write_compressed(path, folded, plan, 8)
    again, read = hw07.compressed.read_compressed(path)
    assert read == plan
    for new, old in zip(again.get_weights(), folded.get_weights()):
        if old.ndim == 1:
            np.testing.assert_allclose(new, old, rtol=1e-3, atol=1e-6)
        else:
            axis = old.ndim - (2 if old.shape[-1] == 1 else 1)
            others = tuple(a for a in range(old.ndim) if a != axis)
            span = np.maximum(old.max(axis=others, keepdims=True), 0)
            span = span - np.minimum(old.min(axis=others, keepdims=True), 0)
            assert (np.abs(new - old) <= span / 255 * 0.52 + 1e-6).all()  # each channel has a grid of its own
    found, meant = (hw07.model.logits_of(model, images) for model in (again, folded))
    np.testing.assert_allclose(found, meant, atol=0.05 * np.abs(meant).max())
    with np.load(path, allow_pickle=False) as file:
        assert {file[name].dtype.name for name in file.files} == {"uint8", "float16"}
    hw07.compressed.write_compressed(path, folded, plan, 6, codebook=True)
    again, _ = hw07.compressed.read_compressed(path)
    if kind == "normal":
        kernel = again.get_layer("stage2_inner_convolution").get_weights()[0]
        assert len(np.unique(kernel)) <= 64
        known = folded.get_layer("stage2_inner_convolution").get_weights()[0]
        assert np.abs(kernel - known).max() < np.ptp(kernel) / 40


def test_a_small_kernel_has_more_bits_than_the_others(hw07, tmp_path):
    """That which whitens: its weights are of very different sizes, and all that follows depends on them."""
    student, plan = stirred(hw07, "airbench")
    layer = student.get_layer("stem_convolution")
    kernel = np.random.default_rng(0).normal(size=(2, 2, 3, 24)) * np.geomspace(0.5, 20, 24)
    layer.set_weights([kernel])
    folded, path = hw07.model.fold(student, plan), tmp_path / "compressed.npz"
    for codebook in (False, True):
        hw07.compressed.write_compressed(path, folded, plan, 4, codebook)
        again, _ = hw07.compressed.read_compressed(path)
        found = again.get_layer("stem_convolution").get_weights()[0]
        assert np.median(np.abs(found - kernel) / np.abs(kernel)) < 0.02


def test_the_file_has_the_most_bits_that_fit(hw07, tmp_path):
    student, plan = stirred(hw07, width=0.5)
    folded, path = hw07.model.fold(student, plan), tmp_path / "compressed.npz"
    sizes = {bits: hw07.compressed.write_compressed(path, folded, plan, bits) for bits in range(2, 9)}
    assert list(sizes.values()) == sorted(sizes.values())
    for limit, expected in ((sizes[8], 8), (sizes[8] - 1, 7), (sizes[4], 4), (1000, 2)):
        bits, size = hw07.compressed.write_within(path, folded, plan, limit)
        assert (bits, size) == (expected, path.stat().st_size)
    assert hw07.compressed.write_within(path, folded, plan, 10**6, bits=3)[0] == 3


def test_the_file_that_was_published_is_within_the_limit():
    """What the README tells of."""
    from test_contract import ROOT

    metrics = json.loads((ROOT / CHAPTER / "results" / "metrics.json").read_text())
    assert metrics["bytes"] == metrics["steps"][-1]["bytes"] <= 300_000
    assert metrics["steps"][-1]["accuracy"] == metrics["score"]


# --- the chain ------------------------------------------------------------


@pytest.fixture(scope="module")
def out_of_training(tmp_path_factory):
    """A folder for trainings, and a teacher of six classes that is as good as none."""
    folder = tmp_path_factory.mktemp("chain")
    keras_classifier().save(folder / "teacher.keras")
    return folder


def flags(folder, whole_set, *more):
    common = [
        "--width",
        "0.05",
        "--epochs",
        "4",
        "--batch-size",
        "120",
        "--teacher",
        folder / "teacher.keras",
    ]
    return [str(word) for word in ("--data-dir", whole_set, *common, *more)]


@pytest.mark.full
def test_an_interrupted_chain_goes_on_where_it_stopped(hw07, out_of_training, whole_set, monkeypatch, capsys):
    argv = flags(out_of_training, whole_set, "--prune", 0)
    straight = hw07.train.main([*argv, "--out-dir", str(out_of_training / "straight")])
    assert [step["step"] for step in straight["steps"]] == ["teacher", "student", "file"]

    save = hw07.checkpoint.Checkpoint.save

    def stop(self, variables):
        save(self, variables)
        if len(self.rows) == 2:
            raise KeyboardInterrupt

    stopped = str(out_of_training / "stopped")
    with monkeypatch.context() as patch:
        patch.setattr(hw07.checkpoint.Checkpoint, "save", stop)
        with pytest.raises(KeyboardInterrupt):
            hw07.train.main([*argv, "--out-dir", stopped])
    resumed = hw07.train.main([*argv, "--out-dir", stopped, "--resume"])
    assert resumed["steps"] == straight["steps"]
    histories = [pd.read_csv(out_of_training / name / "history.csv") for name in ("straight", "stopped")]
    assert list(histories[1].epoch) == [1, 2, 3, 4]
    assert list(histories[1].stage) == [1, 1, 1, 1]
    pd.testing.assert_frame_equal(
        *(history.drop(columns=["seconds", "processor"]) for history in histories), rtol=1e-5
    )

    # and from the same training another file: too large for its limit, it is kept
    with pytest.raises(SystemExit) as ended:
        hw07.train.main([*argv, "--out-dir", stopped, "--resume", "--bits", "3", "--limit", "500"])
    assert "more than --limit 500; it is kept" in ended.value.code  # a text: exit status 1
    again = json.loads((out_of_training / "stopped" / "metrics.json").read_text())
    assert again["bits"] == 3
    assert again["bytes"] == (out_of_training / "stopped" / "compressed.npz").stat().st_size > 500
    capsys.readouterr()
    changed = [*argv, "--out-dir", stopped, "--resume", "--alpha", "0.5"]
    check_sentence(hw07, capsys, changed, "--alpha 0.9, expected 0.5")
    (out_of_training / "other").mkdir()
    other = out_of_training / "other" / "teacher.keras"  # another one of the same name
    keras_classifier().save(other)
    taught_by_other = [*argv, "--out-dir", stopped, "--resume", "--teacher", str(other)]
    check_sentence(hw07, capsys, taught_by_other, "with --teacher teacher.keras (", "leave out --resume")
    (out_of_training / "stopped" / "checkpoint_student.npz").write_bytes(b"PK\x03\x04")
    check_sentence(hw07, capsys, [*argv, "--out-dir", stopped, "--resume"], "is damaged", "--resume")


@pytest.mark.full
def test_a_network_survives_the_file_and_teaches_more_than_labels(hw07, out_of_training, whole_set):
    """The claim, on the synthetic set: what a trained network knows survives the small file, and a student of
    few images learns more from it than from their labels.
    """
    import keras

    keras.utils.set_random_seed(0)
    training, validation = (
        hw07.dataset.load_part(whole_set / "food-11" / part, 16) for part in ("training", "validation")
    )
    plan = hw07.model.make_plan(16, 6, width=0.5)

    def learnt(model, views, epochs, alpha, rate):
        model.compile(
            keras.optimizers.SGD(rate, 0.9, nesterov=True),
            hw07.distillation.Distillation(2.0, alpha),
            jit_compile=False,
        )
        model.optimizer.build(model.trainable_variables)
        model.fit(views, epochs=epochs, shuffle=False, verbose=0)
        return model

    views = hw07.distillation.Views(*training, 6, 16, 0)
    teacher = learnt(hw07.model.build_student(plan), views, 20, 0.0, 0.01)
    folded = hw07.model.fold(teacher, plan)
    known = hw07.model.accuracy(folded, *validation)
    assert known > 0.6

    path = out_of_training / "known.npz"
    hw07.compressed.write_compressed(path, folded, plan, 8)
    assert hw07.model.accuracy(hw07.compressed.read_compressed(path)[0], *validation) > known - 0.02
    assert path.stat().st_size < folded.count_params() * 1.05

    few = slice(None, None, 5)  # 48 images
    small = hw07.model.make_plan(16, 6, width=0.25)
    scores = {}
    for alpha in (0.0, 0.9):
        keras.utils.set_random_seed(1)
        views = hw07.distillation.Views(training[0][few], training[1][few], 6, 16, 0, folded)
        views.label_with_teacher()
        student = learnt(hw07.model.build_student(small), views, 60, alpha, 0.01)
        scores[alpha] = hw07.model.accuracy(hw07.model.fold(student, small), *validation)
    assert scores[0.9] > scores[0.0] + 0.05


@pytest.mark.parametrize("kind", ["normal", "airbench"])
def test_homework_3s_networks_are_adopted_and_others_are_not(hw07, tmp_path, kind):
    import keras

    student, plan = stirred(hw07, kind, width=0.5)

    def own(layer):
        normalisation = isinstance(layer, keras.layers.BatchNormalization)
        kind = keras.layers.BatchNormalization if normalisation else type(layer)
        return kind.from_config(layer.get_config() | {"name": f"another_{layer.name}"})

    copy = keras.models.clone_model(student, clone_function=own)
    copy.set_weights(student.get_weights())
    copy.save(tmp_path / "model.keras")
    again, found = hw07.model.adopt(hw07.model.load_teacher(tmp_path / "model.keras"))
    assert found == plan
    for new, old in zip(again.get_weights(), student.get_weights()):
        np.testing.assert_array_equal(new, old)
    quick = hw07.model.inference_copy(copy, "float32")
    assert not [layer for layer in quick.layers if isinstance(layer, keras.layers.BatchNormalization)]
    images = images_of(3)
    np.testing.assert_allclose(
        hw07.model.logits_of(quick, images), hw07.model.logits_of(copy, images), atol=1e-3
    )
    with pytest.raises(hw07.scaffold.BadInput, match="not built like a student"):
        hw07.model.adopt(keras_classifier(), "some.keras")
    pixels = keras.Input((8, 8, 3))
    others = keras.Model(pixels, keras.layers.Dense(4)(keras.layers.Flatten()(pixels / 255.0)))
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3))
    np.testing.assert_allclose(
        hw07.model.logits_of(hw07.model.inference_copy(others, "float32"), images),
        hw07.model.logits_of(others, images),
        atol=1e-5,
    )
    average = keras.models.clone_model(
        copy,
        clone_function=lambda layer: (
            keras.layers.GlobalAveragePooling2D()
            if isinstance(layer, keras.layers.GlobalMaxPooling2D)
            else type(layer).from_config(layer.get_config())
        ),
    )
    with pytest.raises(hw07.scaffold.BadInput, match="not built like a student"):
        hw07.model.adopt(average, "some.keras")


# --- bad input ------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (["--seed", "-1"], "--seed -1"),
        (["--epochs", "0"], "--epochs 0"),
        (["--batch-size", "0"], "--batch-size 0"),
        (["--learning-rate", "nan"], "--learning-rate nan"),
        (["--temperature", "0"], "--temperature 0"),
        (["--alpha", "1.1"], "--alpha 1.1"),
        (["--block", "dense"], "--block dense"),
        (["--width", "0"], "--width 0"),
        (["--prune", "1"], "--prune 1"),
        (["--rank", "luck"], "--rank luck"),
        (["--block", "grouped"], "grouped"),
        (["--bits", "1"], "--bits 1"),
        (["--bits", "9"], "--bits 9"),
        (["--limit", "0"], "--limit 0"),
    ],
)
def test_flags_out_of_range(hw07_light, capsys, tmp_path, argv, word):
    check_sentence(hw07_light, capsys, [*argv, "--out-dir", tmp_path / "out"], word)


@pytest.fixture
def spoilt(whole_set, tmp_path):
    """A copy of the synthetic set that may be spoilt: its food-11."""
    return shutil.copytree(whole_set, tmp_path / "data") / "food-11"


def spoil(folder, fault):
    training, validation = folder / "training", folder / "validation"
    if fault == "no training":
        shutil.rmtree(training)
    elif fault == "no images":
        shutil.rmtree(validation)
        validation.mkdir()
    elif fault == "no image":
        (training / "0_9999.png").write_bytes(b"not an image")
    elif fault == "truncated":
        path = training / "3_7.png"
        path.write_bytes(path.read_bytes()[:200])
    elif fault == "no class":
        (training / "cake.png").write_bytes((training / "3_7.png").read_bytes())
    elif fault == "another format":
        (training / "3_7.txt").write_text("a note")
    elif fault == "unknown class":
        shutil.copy(validation / "0_0.png", validation / "11_0.png")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("no training", ["training is missing", "--synthetic"]),
        ("no images", ["validation holds no images"]),
        ("no image", ["0_9999.png cannot be decoded as an image"]),
        ("truncated", ["3_7.png cannot be decoded as an image"]),
        ("no class", ["cake.png: the name has no class", "{class}_{n}"]),
        ("another format", ["3_7.txt"]),
        ("unknown class", ["class 11", "expected 0 to 5"]),
    ],
)
def test_images_that_cannot_be_used(hw07_light, capsys, tmp_path, spoilt, fault, words):
    spoil(spoilt, fault)
    check_sentence(hw07_light, capsys, ["--data-dir", spoilt.parent, "--out-dir", tmp_path / "out"], *words)


def test_a_class_without_images_is_worth_a_note(hw07_light, capsys, tmp_path):
    assert hw07_light.train.count_classes(np.array([0, 0, 3, 1]), np.array([1]), tmp_path) == 4
    assert capsys.readouterr().err == "note: training/ has no image of class 2\n"


def test_greyscale_palette_cmyk_and_turned_images_become_upright_rgb(hw07_light, tmp_path):
    wide = np.zeros((8, 16, 3), np.uint8)
    wide[:, :8] = 200, 40, 40
    image = Image.fromarray(wide).resize((64, 32), Image.Resampling.NEAREST)
    turned = Image.Exif()
    turned[0x0112] = 3  # upside down
    for name, mode in (("0_0.png", "RGB"), ("0_1.png", "P"), ("0_2.jpg", "CMYK"), ("0_3.png", "L")):
        image.convert(mode).save(tmp_path / name)
    image.rotate(180).save(tmp_path / "0_4.jpg", exif=turned, quality=95)
    (tmp_path / ".hidden").write_text("does not count")
    images, labels = hw07_light.dataset.load_part(tmp_path, 8)
    assert images.shape == (5, 8, 8, 3)
    assert images.dtype == np.uint8
    assert list(labels) == [0] * 5
    for number, values in enumerate(images.astype(int)):
        expected = [87, 87, 87] if number == 3 else [200, 40, 40]
        assert np.abs(values[:, :3] - expected).max() < 25
        assert values[:, 5:].max() < 25


def test_ids_are_numbers_in_their_order(hw07_light, tmp_path):
    for number, name in enumerate(("10.png", "9.png", "0011.jpg")):
        Image.new("RGB", (4, 4), (80 * number, 0, 0)).save(tmp_path / name)
    images, ids = hw07_light.dataset.load_part(tmp_path, 4, labelled=False)
    assert list(ids) == [9, 10, 11]
    np.testing.assert_allclose(images[:, 0, 0, 0], [80, 0, 160], atol=3)
    for name, word in (("011.png", "has the number of"), ("x.png", "the name is no number")):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
        with pytest.raises(hw07_light.scaffold.BadInput, match=word):
            hw07_light.dataset.load_part(tmp_path, 4, labelled=False)
        (tmp_path / name).unlink()


@pytest.mark.parametrize(
    ("teacher", "words"),
    [
        ("text", ["is no whole Keras model"]),
        ("weights", ["has weights that are no numbers"]),
        ("classes", ["tells 4 classes apart, expected 6"]),
        ("shape", ["is no classifier of square RGB", "(None, 16, 12, 3)"]),
        ("built", ["is not built like a student", "--from-teacher"]),
    ],
)
def test_teachers_that_cannot_teach(hw07, capsys, tmp_path, whole_set, teacher, words):
    import keras

    path, more = tmp_path / "teacher.keras", []
    if teacher == "text":
        path.write_text("not a model")
    elif teacher == "weights":
        broken = keras_classifier()
        broken.set_weights([weight * np.nan for weight in broken.get_weights()])
        broken.save(path)
    elif teacher == "classes":
        keras_classifier(classes=4).save(path)
    elif teacher == "shape":
        pixels = keras.Input((16, 12, 3))
        keras.Model(pixels, keras.layers.Dense(6)(keras.layers.Flatten()(pixels))).save(path)
    else:
        keras_classifier().save(path)
        more = ["--from-teacher"]
    argv = ["--data-dir", whole_set, "--out-dir", tmp_path / "out", "--teacher", path, *more]
    check_sentence(hw07, capsys, argv, path, *words)


def test_a_teacher_that_is_missing(hw07, capsys, tmp_path, whole_set):
    argv = ["--data-dir", whole_set, "--out-dir", tmp_path, "--teacher", "nowhere.keras"]
    check_sentence(hw07, capsys, argv, "nowhere.keras is missing")
    argv[-1] = tmp_path / "model.keras"  # of this chapter's own name
    check_sentence(hw07, capsys, argv, "model.keras would be overwritten")


def test_a_file_that_cannot_be_read(hw07, capsys, tmp_path, whole_set):
    student, plan = stirred(hw07, width=0.25)
    path = tmp_path / "compressed.npz"
    argv = ["--data-dir", whole_set, "--out-dir", tmp_path]
    check_sentence(hw07, capsys, argv, f"{path} is missing; run train.py first", script="predict")
    hw07.compressed.write_compressed(path, hw07.model.fold(student, plan), plan, 4)
    whole = path.read_bytes()
    with np.load(path) as file:
        members = {name: file[name] for name in file.files}
    cases = {
        "cut": whole[:-500],
        "text": b"no file",
        "short": members | {"codes": members["codes"][:-1]},
        "long": members | {"biases": np.append(members["biases"], np.float16(0))},
        "no plan": members | {"about": np.frombuffer(b'{"bits": 3}', np.uint8)},
        "large": members
        | {"about": np.frombuffer(members["about"].tobytes().replace(b'"stem": ', b'"stem": 999'), np.uint8)},
        "objects": members | {"codes": np.array([{}, []], dtype=object)},
    }
    for content in cases.values():
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            np.savez(path, **content)
        check_sentence(hw07, capsys, [*argv, "--model", path], path, "run train.py again", script="predict")
    assert not (tmp_path / "submission.csv").exists()


def test_a_loss_that_is_no_number_ends_in_a_sentence(hw07, tmp_path):
    checkpoint = hw07.checkpoint.Checkpoint(SimpleNamespace(out_dir=tmp_path, learning_rate=9.0))
    callback = checkpoint.callback([])
    callback.on_epoch_begin(0)
    with pytest.raises(hw07.scaffold.BadInput, match="the loss is not a number, --learning-rate 9.0"):
        callback.on_epoch_end(0, {"loss": np.nan})
    assert not list(tmp_path.iterdir())


# --- settings that reach the method -----------------------------------------


def compiled_by_fit(hw07, tmp_path, monkeypatch, stage, *more, teacher=None):
    """A student as fit() leaves it, without a step of training, and the args."""
    import keras

    monkeypatch.setattr(keras.Model, "fit", lambda *_, **__: None)
    argv = ["--out-dir", str(tmp_path), "--data-dir", str(tmp_path), "--epochs", "8", *more]
    args = hw07.train.parse_args(argv)
    model = hw07.model.build_student(hw07.model.make_plan(16, 3, width=0.25))
    images, labels = images_of(40), np.arange(40) % 3
    views = hw07.distillation.Views(images, labels, 3, 4, 0, teacher)
    hw07.training.fit(args, stage, model, views, (images, labels))
    return model, args


@pytest.mark.parametrize(("stage", "part"), [("student", 1), ("pruned", 4)])
def test_fine_tuning_has_a_fourth_of_the_rate(hw07, tmp_path, monkeypatch, stage, part):
    model, args = compiled_by_fit(hw07, tmp_path, monkeypatch, stage)
    steps = 8 // part * 10
    rates = []
    for step in range(steps):
        model.optimizer.iterations.assign(step)
        rates.append(float(model.optimizer.learning_rate))
    assert max(rates) == pytest.approx(args.learning_rate / part, rel=1e-3)
    assert rates[-1] < 0.05 * max(rates)


@pytest.mark.parametrize("stage", ["student", "pruned"])
def test_each_stage_learns_from_the_teacher_if_there_is_one(hw07, tmp_path, monkeypatch, stage):
    flags = ["--alpha", "0.7", "--temperature", "3"]
    model, _ = compiled_by_fit(hw07, tmp_path, monkeypatch, stage, *flags, teacher=Looker())
    assert (model.loss.alpha, model.loss.temperature) == (0.7, 3)
    model, _ = compiled_by_fit(hw07, tmp_path, monkeypatch, stage, *flags)
    assert model.loss.alpha == 0


def test_a_channel_that_hardly_varies_is_folded_as_it_was(hw07):
    """EPSILON stands beside its variance, and is not small there."""
    student, plan = stirred(hw07)
    for name in hw07.model.units(plan):
        layer = student.get_layer(f"{name}_normalisation")
        *others, variance = layer.get_weights()
        layer.set_weights([*others, np.where(np.arange(len(variance)) % 2, variance, 1e-5)])
    images = images_of(3)
    before = hw07.model.logits_of(student, images)
    found = hw07.model.logits_of(hw07.model.fold(student, plan), images)
    np.testing.assert_allclose(found, before, atol=1e-3 * np.abs(before).max())


def test_another_set_of_the_report_needs_its_teacher(load_chapter):
    chapter = load_chapter("hw07_compression", "report")
    with pytest.raises(chapter.scaffold.BadInput, match="expected both or neither"):
        chapter.report.parse_args(["--other", "cifar10"])
