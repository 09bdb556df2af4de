"""Homework 3: pictures read right, networks, batches, the moving average, going on, averaging, bad input."""

import shutil
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import check_sentence
from PIL import Image

CHAPTER = "hw03_cnn"
TINY = ["--width", "0.1", "--image-size", "16", "--batch-size", "64", "--epochs", "1", "--full-precision"]
TINY += ["--generations", "1"]


@pytest.fixture
def hw03(load_chapter):
    return load_chapter(CHAPTER)


@pytest.fixture
def hw03_light(load_chapter):
    """The modules that need no Keras."""
    return load_chapter(CHAPTER, "dataset", "images", "train", "predict")


@pytest.fixture
def small(whole_set, tmp_path):
    """A copy of a few of the synthetic pictures, to spoil: 22 to train, 11 to validate, 12 to test."""
    for part, count in (("training", 2), ("validation", 1), ("testing", 12)):
        folder = tmp_path / "small" / "food-11" / part
        folder.mkdir(parents=True)
        for path in sorted((whole_set / "food-11" / part).iterdir()):
            if int(path.stem.split("_")[-1]) < count:
                shutil.copy(path, folder)
    return tmp_path / "small"


def patches(kind, size=32):
    """Four squares of pure colours, so that what is upside down or another channel shows: (size, size, 3)."""
    half = size // 2
    pixels = np.zeros((size, size, 3), np.uint8)
    pixels[:half, :half], pixels[:half, half:], pixels[half:, :half] = kind
    return pixels


COLOURS = ([250, 0, 0], [0, 250, 0], [0, 0, 250])


# --- pictures -------------------------------------------------------------


def test_the_class_is_the_number_before_the_underscore(hw03_light, small):
    """Not the place of its name among the names, by which class 10 would come after 1."""
    _, labels = hw03_light.dataset.load_labelled(small / "food-11" / "training", 16)
    names = sorted(path.name for path in (small / "food-11" / "training").iterdir())
    assert names[2] == "10_0.jpg"
    assert labels.dtype == np.int64
    assert list(labels) == [int(name.split("_")[0]) for name in names]
    assert labels[2] == 10


def test_the_test_pictures_come_in_the_order_of_their_numbers(hw03_light, tmp_path):
    for number in (10, 9, 100, 2):
        Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(tmp_path / f"{number}.png")
    ids, pictures = hw03_light.dataset.load_test(tmp_path, 8)
    assert list(ids) == [2, 9, 10, 100]
    assert [int(picture[0, 0, 0]) for picture in pictures] == [2, 9, 10, 100]


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_a_picture_that_the_camera_turned_is_made_upright(hw03_light, tmp_path, turn):
    """EXIF's orientation 1, 3, 6 and 8: as it is, by 180, 90 and 270 degrees."""
    upright = patches(COLOURS)
    stored = np.rot90(upright, {1: 0, 3: 2, 6: 1, 8: 3}[turn])
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(stored).save(tmp_path / "0_0.png", exif=exif)
    np.testing.assert_array_equal(hw03_light.dataset.load_labelled(tmp_path, 32)[0][0], upright)


def test_all_kinds_of_pictures_become_rgb(hw03_light, tmp_path):
    upright = Image.fromarray(patches(COLOURS))
    grey = upright.convert("L")
    grey.save(tmp_path / "0_0.png")
    upright.convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "0_1.png")
    upright.convert("CMYK").save(tmp_path / "0_2.jpg", quality=100, subsampling=0)
    upright.convert("RGBA").save(tmp_path / "0_3.PNG")
    pictures, _ = hw03_light.dataset.load_labelled(tmp_path, 32)
    np.testing.assert_array_equal(pictures[0], np.repeat(np.asarray(grey)[..., None], 3, axis=2))
    for picture in pictures[1:]:
        np.testing.assert_allclose(picture.astype(int), patches(COLOURS), atol=12)


def test_other_sizes_are_squeezed_and_large_ones_not_cut(hw03_light, tmp_path):
    wide = np.repeat(patches(COLOURS, 256), 3, axis=1)  # 256 high, 768 wide
    Image.fromarray(wide).save(tmp_path / "0_0.jpg", quality=100, subsampling=0)
    pictures, _ = hw03_light.dataset.load_labelled(tmp_path, 32)
    inner = np.abs(pictures[0].astype(int) - patches(COLOURS))[2:14, 2:14]
    assert inner.max() < 12
    assert pictures[0][24, 4, 2] > 230


def test_the_common_side(hw03_light, tmp_path):
    for number, size in enumerate((20, 30, 30, 90)):
        Image.new("RGB", (size + 5, size)).save(tmp_path / f"0_{number}.png")
    assert hw03_light.images.common_side(tmp_path) == 30
    for number in range(10):
        Image.new("RGB", (500, 400)).save(tmp_path / f"1_{number}.png")
    assert hw03_light.images.common_side(tmp_path) == 128


def test_synthetic_pictures_are_of_one_kind_each_and_depend_on_the_seed(hw03_light, whole_set, tmp_path):
    load = hw03_light.dataset.load_labelled
    pictures, labels = load(whole_set / "food-11" / "validation", 32)
    assert list(np.bincount(labels)) == [20] * 11
    again, other = (
        hw03_light.dataset.make_synthetic(tmp_path / name, seed) for name, seed in (("a", 0), ("b", 1))
    )
    np.testing.assert_array_equal(load(again / "food-11" / "validation", 32)[0], pictures)
    assert (load(other / "food-11" / "validation", 32)[0] != pictures).mean() > 0.9


# --- networks -------------------------------------------------------------


@pytest.mark.parametrize("arch", ["airbench", "shallow", "resnet", "vgg", "plain", "dense"])
@pytest.mark.parametrize("size", [8, 50, 128])
def test_every_network_takes_every_size(hw03, arch, size):
    model = hw03.model.build_model(arch, size, 7, width=0.1)
    assert model.output_shape == (None, 7)
    assert model.layers[-1].compute_dtype == "float32"


def test_the_network_is_that_of_the_table(hw03):
    model = hw03.model.build_model("airbench", 32, 10)
    pools = [layer.output.shape[1:] for layer in model.layers if layer.__class__.__name__ == "MaxPooling2D"]
    assert model.get_layer("whitening").output.shape[1:] == (31, 31, 24)
    assert pools == [(15, 15, 64), (7, 7, 256), (3, 3, 256)]
    wide = hw03.model.build_model("airbench", 32, 10, width=2)
    assert [layer.filters for layer in wide.layers if hasattr(layer, "filters")] == [
        24,
        *[128] * 2,
        *[512] * 4,
    ]


@pytest.mark.parametrize("size", [32, 64])
def test_the_first_layer_whitens(hw03, size):
    """The components of patches are uncorrelated, at unit variance, and each is there with its negative."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (300, size, size, 1)) * [1.0, 0.7, 0.5] + rng.integers(0, 20, 3)
    images = images.clip(0, 255).astype(np.uint8)
    model = hw03.model.build_model("airbench", size, 10, whitened=images)
    layer = model.get_layer("whitening")
    assert not layer.trainable
    outputs = np.asarray(layer(images / 127.5 - 1)).reshape(-1, 24)
    np.testing.assert_allclose(outputs[:, :12], -outputs[:, 12:], atol=1e-4)
    moments = outputs[:, :12].T @ outputs[:, :12] / len(outputs)
    kept = np.diag(moments) > 0.5  # grey images have no more than four components, but for rounding
    assert kept.sum() >= 4
    np.testing.assert_allclose(moments[np.ix_(kept, kept)], np.eye(kept.sum()), atol=0.1)


def test_the_convolutions_start_as_the_identity(hw03):
    """What is positive passes a block unchanged, in as many filters as there are channels."""
    import keras

    model = hw03.model.build_model("airbench", 32, 10)
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)][1:]
    x = np.random.default_rng(0).random((1, 5, 5, 64)).astype(np.float32)
    np.testing.assert_allclose(convolutions[1](x), x, atol=1e-6)
    outputs = np.asarray(convolutions[2](x))
    np.testing.assert_allclose(outputs[..., :64], x, atol=1e-6)
    assert outputs.shape[-1] == 256
    assert np.abs(outputs[..., 64:]).mean() > 0.1
    random = hw03.model.build_model("airbench", 32, 10, identity=False)
    convolutions = [layer for layer in random.layers if isinstance(layer, keras.layers.Conv2D)][1:]
    assert np.abs(np.asarray(convolutions[1](x)) - x).max() > 0.1


def test_the_courses_sample_network(hw03):
    """Five convolutions, each normalised and pooled, three dense layers."""
    layers = hw03.model.build_model("plain", 128, 11).layers
    kinds = [layer.__class__.__name__ for layer in layers]
    expected = {"Conv2D": 5, "FusedBatchNormalization": 5, "MaxPooling2D": 5, "Dense": 3}
    assert {kind: kinds.count(kind) for kind in expected} == expected


def test_the_fused_kernel_is_batch_normalisation(hw03):
    """Outputs, gradients and moving statistics are those of Keras' own layer."""
    import tensorflow as tf

    x = np.random.default_rng(0).normal(2, 3, (64, 5, 5, 3)).astype(np.float32)
    found = []
    for kind in (hw03.fused_batch_norm.FusedBatchNormalization, hw03.model.layers.BatchNormalization):
        layer = kind(momentum=0.9, epsilon=1e-5)
        layer.build(x.shape)
        layer.gamma.assign([1.0, 2.0, 3.0])
        layer.beta.assign([0.5, 0.0, -0.5])
        inputs = tf.Variable(x)
        with tf.GradientTape() as tape:
            outputs = layer(inputs, training=True)
            loss = tf.reduce_sum(outputs**3)
        gradients = tape.gradient(loss, [inputs, *layer.trainable_variables])
        found.append(
            [outputs, *gradients, layer.moving_mean, layer.moving_variance, layer(x, training=False)]
        )
    for ours, keras_own in zip(*found):
        np.testing.assert_allclose(ours, keras_own, rtol=2e-3, atol=2e-3)


def test_a_prediction_does_not_depend_on_its_batch(hw03):
    """The neighbours' statistics are for training."""
    model = hw03.model.build_model("airbench", 32, 4, width=0.1)
    x = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3)).astype(np.uint8)
    model(x, training=True)
    together = np.asarray(model(x, training=False))
    np.testing.assert_allclose(
        np.concatenate([model(x[[index]], training=False) for index in range(6)]), together, atol=1e-4
    )
    assert np.abs(np.asarray(model(x, training=True)) - together).max() > 0.01


def test_the_portable_model_is_the_same_and_of_keras_own_layers(hw03, tmp_path):
    """In a program that knows nothing of this chapter."""
    import keras

    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        x = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3)).astype(np.uint8)
        model = hw03.model.build_model("airbench", 16, 4, width=0.1, whitened=x)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    for _ in range(3):
        model(x, training=True)
    copy = hw03.model.portable(model, 16)
    np.testing.assert_allclose(
        copy(x, training=False), model(x, training=False), atol=0.1
    )  # bfloat16 has three digits
    assert {layer.__class__.__module__.split(".")[0] for layer in copy.layers} == {"keras"}
    assert {layer.compute_dtype for layer in copy.layers} == {"float32"}
    copy.save(tmp_path / "model.keras")
    keras.saving.get_custom_objects().clear()
    np.testing.assert_allclose(
        keras.saving.load_model(tmp_path / "model.keras")(x, training=False),
        copy(x, training=False),
        atol=1e-5,
    )


# --- training -------------------------------------------------------------


def test_an_epoch_has_every_image_once_with_its_label(hw03):
    """But for those that do not fill a batch; in a later epoch they are others."""
    images = np.arange(25, dtype=np.uint8).reshape(25, 1, 1, 1)
    batches = hw03.batches.Batches(images, np.arange(25) % 4, 4, 8, seed=3)
    orders = []
    for _ in range(2):
        found = [batches[number] for number in range(len(batches))]
        seen = np.concatenate([part for part, _ in found]).ravel()
        labels = np.concatenate([part for _, part in found])
        assert len(set(seen)) == len(seen) == 24
        np.testing.assert_array_equal(labels, np.eye(4)[seen % 4])
        orders.append(list(seen))
        batches.on_epoch_end()
    assert orders[0] != orders[1]
    later = hw03.batches.Batches(images, np.arange(25) % 4, 4, 25, seed=3, epoch=1)
    assert list(later[0][0].ravel())[:24] == orders[1]


def test_an_image_is_mirrored_every_other_epoch(hw03):
    images = np.zeros((10, 4, 4, 3), np.uint8)
    images[:, :, 0] = np.arange(1, 11)[:, None, None]
    batches = hw03.batches.Batches(images, np.zeros(10, int), 1, 10, 0, hw03.batches.Augmentation())
    mirrored = []
    for _ in range(3):
        shown = batches[0][0]
        numbers = shown.max(axis=(1, 2, 3)).astype(int)
        mirrored.append(shown[np.argsort(numbers), 0, 0, 0] == 0)
        batches.on_epoch_end()
    np.testing.assert_array_equal(mirrored[0], ~mirrored[1])
    np.testing.assert_array_equal(mirrored[0], mirrored[2])
    assert mirrored[0].sum() == 5


def test_cutmix_mixes_labels_by_the_area_of_the_box(hw03):
    images = np.repeat(np.arange(8, dtype=np.float32), 12 * 12 * 3).reshape(8, 12, 12, 3)
    shares = []
    for seed in range(20):
        mixed, labels = hw03.batches.cutmix(
            images.copy(), np.eye(8, dtype=np.float32), np.random.default_rng(seed)
        )
        counts = [[(image[..., 0] == label).mean() for label in range(8)] for image in mixed]
        np.testing.assert_allclose(labels, counts, atol=1e-6)
        shares.append(1 - np.diag(labels).min())
    assert min(shares) < 0.1
    assert max(shares) > 0.5


def test_a_shift_moves_each_image_by_up_to_its_most(hw03):
    """Pixels that say where they stand: all move alike, and all shifts of up to 2 pixels come."""
    ramp = np.arange(16, dtype=np.uint8)
    images = np.stack([*np.meshgrid(ramp, ramp), 0 * np.add.outer(ramp, ramp)], axis=-1)[None].repeat(300, 0)
    shifted = hw03.batches.random_shift(images, 2, np.random.default_rng(0)).astype(int)
    moves = shifted[:, 2:-2, 2:-2, :2] - images[:, 2:-2, 2:-2, :2]
    assert (moves == moves[:, :1, :1]).all()
    assert {tuple(move) for move in moves[:, 0, 0]} == {(x, y) for x in range(-2, 3) for y in range(-2, 3)}
    left = shifted[moves[:, 0, 0, 0] == -2]
    np.testing.assert_array_equal(left[0, 0, :4, 0], [2, 1, 0, 1])  # mirrored at the edge


def test_a_turn_keeps_the_centre_and_lets_black_in(hw03):
    image = np.full((33, 33, 3), 200, np.uint8)
    image[16, 26:] = 0  # a ray to the right
    rng, angles = np.random.default_rng(0), []
    for _ in range(100):
        turned = hw03.batches.random_turn(image, 15, rng)
        assert (turned[16, 16] == 200).all()
        rows = np.flatnonzero(turned[:, 28, 0] == 0)
        rows = rows[abs(rows - 16) < 6]
        angles.append(np.degrees(np.arctan2(16 - rows.mean(), 12)))
    assert max(map(abs, angles)) < 17
    assert min(angles) < -10
    assert max(angles) > 10
    assert (hw03.batches.random_turn(image, 45, np.random.default_rng(1)) == 0).any()


def test_a_crop_has_at_least_the_smallest_area(hw03):
    """Of an image whose pixels say where they stand: what is seen of it is a box, scaled."""
    ramp = np.arange(64, dtype=np.uint8) * 4
    image = np.stack([*np.meshgrid(ramp, ramp), np.zeros((64, 64), np.uint8)], axis=-1)
    rng, areas = np.random.default_rng(0), []
    for _ in range(200):
        crop = hw03.batches.random_crop(image, 0.25, 56, rng).astype(float)
        assert crop.shape == (56, 56, 3)
        width, height = (crop[..., axis].max() - crop[..., axis].min() for axis in (0, 1))
        areas.append(width * height / (63 * 4) ** 2)
    assert 0.2 < min(areas) < 0.35
    assert max(areas) > 0.9


def test_colours_stay_in_range_and_grey_stays_grey(hw03):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 8, 8, 3)).astype(np.float32)
    images[0] = images[0, :, :, :1]
    changed = hw03.batches.random_colour(images, 0.3, rng)
    assert changed.dtype == np.float32
    assert changed.min() >= 0
    assert changed.max() <= 255
    assert np.ptp(changed[0], axis=-1).max() < 1e-3
    assert np.abs(changed - images).mean(axis=(1, 2, 3)).min() > 1


def test_what_is_saved_predicts_the_score(hw03, whole_set, tmp_path):
    """And the last row of the history is of it, too; beside it stand the names of its classes."""
    out = tmp_path / "out"
    flags = ["--data-dir", str(whole_set), "--out-dir", str(out), *TINY]
    metrics = hw03.train.main(flags)
    model = hw03.model.load_classifier(out / "model.keras")
    images, labels = hw03.dataset.load_labelled(whole_set / "food-11" / "validation", 16)
    assert hw03.training.accuracy(model, images, labels) == metrics["score"]
    history = pd.read_csv(out / "history.csv")
    assert history.val_accuracy.iloc[-1] == pytest.approx(metrics["score"], abs=0.005)
    assert (out / "classes.txt").read_text().split() == list(hw03.dataset.KINDS)


def test_fewer_images_are_seen_more_often_and_changed_more(hw03):
    often, between, seldom = (hw03.training.augmentation(epochs, 32) for epochs in (100, 40, 20))
    assert often.smallest < between.smallest == seldom.smallest == 1
    assert often.cutmix > between.cutmix > seldom.cutmix == 0
    assert between.shift == seldom.shift == 3
    assert (often.side, between.side, seldom.side) == (28, None, None)


def test_a_second_generation_where_images_are_few(hw03, tmp_path, monkeypatch):
    (tmp_path / "food-11" / "training").mkdir(parents=True)
    parse = hw03.train.parse_args
    argv = ["--data-dir", str(tmp_path)]
    assert (parse(argv).generations, parse(argv).epochs) == (2, 80)
    for others in ("--synthetic", "--generations 1", "--arch resnet"):
        assert parse([*argv, *others.split()]).generations == 1
    monkeypatch.setattr(hw03.train, "SAMPLES", 2000)
    for number in range(30):
        (tmp_path / "food-11" / "training" / f"0_{number}.jpg").touch()
    assert (parse(argv).generations, parse(argv).epochs) == (1, 67)


def test_a_student_learns_half_from_the_label_and_half_from_the_teacher(hw03):
    """In training; the validation loss is of the labels alone, and the teacher is what it was."""
    import keras

    teacher, network = (
        hw03.model.build_model("airbench", 16, 4, width=0.1, normalise=normalise) for normalise in (1, 0)
    )
    student = hw03.training.Student(network, teacher)
    student.compile(keras.optimizers.SGD(0.1), keras.losses.CategoricalCrossentropy(from_logits=True))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 16, 16, 3)).astype(np.float32)
    labels = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1]]
    logits, of_teacher = (np.array(model(images, training=False)) for model in (network, teacher))
    likelihood = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    probabilities = np.exp(of_teacher) / np.exp(of_teacher).sum(axis=1, keepdims=True)
    alone, mixed = (
        -(target * likelihood).sum(axis=1).mean() for target in (labels, (labels + probabilities) / 2)
    )
    assert abs(alone - mixed) > 1e-4
    before = teacher.get_weights(), network.get_weights()
    assert student.evaluate(images, labels, verbose=0) == pytest.approx(alone, rel=1e-4)
    assert float(student.train_on_batch(images, labels)) == pytest.approx(mixed, rel=1e-4)
    assert all(np.array_equal(old, new) for old, new in zip(before[0], teacher.get_weights()))
    assert not all(np.array_equal(old, new) for old, new in zip(before[1], network.get_weights()))


def test_whole_images_are_enlarged_after_a_training_on_crops(hw03):
    """The saved model takes images of their own size, and sees them larger than crops were in training."""
    flags = [*TINY, "--image-size", "32", "--epochs", "60"]
    args = hw03.train.parse_args(flags)
    assert hw03.training.sides(args) == (28, 36)
    for others in ("--arch plain", "--arch dense", "--without augmentation", "--epochs 2"):
        assert hw03.training.sides(hw03.train.parse_args([*flags, *others.split()])) == (32, 32)
    built = hw03.model.build_model("airbench", 32, 4, width=0.1, side=28)
    saved = hw03.model.portable(built, 32, 36)
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.float32)
    assert saved.input_shape == (None, 32, 32, 3)
    larger = hw03.model.build_model("airbench", 32, 4, width=0.1, side=36)
    larger.set_weights(built.get_weights())
    found = saved(images, training=False)
    np.testing.assert_allclose(found, larger(images, training=False), atol=1e-5)
    assert np.abs(found - built(images, training=False)).max() > 1e-4


@pytest.mark.full
def test_a_training_that_was_killed_goes_on_to_the_same_end(hw03, small, tmp_path, monkeypatch):
    """In the second generation, whose teacher the checkpoint holds."""
    flags = ["--data-dir", str(small), *TINY, "--epochs", "2", "--generations", "2", "--arch", "shallow"]
    whole = hw03.train.main([*flags, "--out-dir", str(tmp_path / "whole")])
    save, saved = np.savez, []

    def savez(*arguments, **keywords):
        if len(saved) == 3:
            raise KeyboardInterrupt
        saved.append(save(*arguments, **keywords))

    monkeypatch.setattr(np, "savez", savez)
    with pytest.raises(KeyboardInterrupt):
        hw03.train.main([*flags, "--out-dir", str(tmp_path / "cut")])
    monkeypatch.undo()
    resumed = hw03.train.main([*flags, "--out-dir", str(tmp_path / "cut"), "--resume"])
    assert resumed["score_by_generation"] == whole["score_by_generation"]
    whole_rows, rows = (pd.read_csv(tmp_path / name / "history.csv") for name in ("whole", "cut"))
    assert list(rows.epoch) == [1, 2, 3, 4]
    np.testing.assert_allclose(
        rows.drop(columns=["seconds", "processor"]),
        whole_rows.drop(columns=["seconds", "processor"]),
        rtol=1e-5,
    )


@pytest.mark.full
def test_convolutions_beat_dense_layers(hw03, whole_set, tmp_path):
    """A shape is known wherever it lies."""
    scores = {}
    for arch, width in (("shallow", "0.25"), ("dense", "0.25")):
        flags = [
            "--arch",
            arch,
            "--width",
            width,
            "--epochs",
            "6",
            "--batch-size",
            "32",
            "--image-size",
            "24",
        ]
        argv = ["--data-dir", str(whole_set), "--out-dir", str(tmp_path / arch), *flags]
        scores[arch] = hw03.train.main(argv)["score"]
    assert scores["shallow"] > scores["dense"] + 0.15


# --- prediction -----------------------------------------------------------


def sided(size=8, sign=1.0):
    """A classifier of two: is the left half brighter (0), or the right (1)?"""
    import keras

    pixels = keras.Input((size, size, 3))
    model = keras.Model(pixels, keras.layers.Dense(2)(keras.layers.Flatten()(pixels)))
    kernel = np.zeros((size, size, 3, 2), np.float32)
    kernel[:, : size // 2, :, 0] = kernel[:, size // 2 :, :, 1] = sign / 3000
    model.set_weights([kernel.reshape(-1, 2), np.zeros(2)])
    model.compile(jit_compile=False)
    return model


def test_averaging_over_flips_makes_both_sides_alike(hw03):
    pictures = np.zeros((3, 8, 8, 3), np.uint8)
    pictures[0, :, :4], pictures[1, :, 4:] = 200, 200
    single, averaged = (hw03.averaging.probabilities(sided(), pictures, tta) for tta in (False, True))
    assert single[0, 0] > 0.9
    assert single[1, 1] > 0.9
    np.testing.assert_allclose(averaged, 0.5, atol=0.01)
    np.testing.assert_allclose(averaged.sum(axis=1), 1, rtol=1e-5)


def test_averaging_moves_a_picture_to_all_four_corners(hw03):
    """A probe that looks at one pixel finds a dot that lies a step away in any of them, and none farther."""
    seen = []

    class Probe:
        def predict(self, pictures, **_):
            seen.append(pictures.copy())
            return np.zeros((len(pictures), 2))

    picture = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(1, 16, 16, 3)
    hw03.averaging.probabilities(Probe(), picture, tta=True)
    assert len(seen) == 10
    np.testing.assert_array_equal(seen[0], picture)
    np.testing.assert_array_equal(seen[5], picture[:, :, ::-1])
    centres = {bytes(version[0, 8, 8]) for version in seen[:5]}
    assert centres == {
        bytes(picture[0, 8 + y, 8 + x]) for y, x in [(0, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)]
    }


def test_averaging_shows_an_image_at_several_sizes_to_a_model_that_scales_it(hw03):
    """Of a model that was trained on crops: the mean of what it says at four sizes, mirrored and not."""
    built = hw03.model.build_model("airbench", 32, 4, width=0.1, side=28)
    model = hw03.model.portable(built, 32, 36)
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3)).astype(np.uint8)
    expected = 0
    for side in (28, 32, 36, 40):
        larger = hw03.model.build_model("airbench", 32, 4, width=0.1, side=side)
        larger.set_weights(built.get_weights())
        for version in (images, images[:, :, ::-1]):
            logits = np.asarray(larger(version.astype(np.float32), training=False))
            expected = expected + np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(hw03.averaging.probabilities(model, images, tta=True), expected / 8, atol=1e-4)
    plain = hw03.model.build_model("airbench", 32, 4, width=0.1)
    assert hw03.model.at_other_sizes(plain, (1,)) == []


def test_classifiers_of_others_may_end_with_a_softmax_or_hold_to_one_side(hw03, tmp_path):
    import keras
    from keras import layers

    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3)).astype(np.uint8)
    logits, pixels = sided(), keras.Input((8, 8, 3))
    softmax = keras.Model(logits.inputs, layers.Softmax()(logits.output))
    softmax.compile(jit_compile=False)
    found = [hw03.averaging.probabilities(model, images) for model in (logits, softmax)]
    np.testing.assert_allclose(*found, atol=1e-6)

    flat = keras.Model(pixels, layers.Dense(2)(layers.Flatten()(layers.Resizing(4, 4)(pixels))))
    flat.compile(jit_compile=False)
    shifted = hw03.averaging.probabilities(flat, images, tta=True)
    np.testing.assert_allclose(shifted.sum(axis=1), 1, rtol=1e-5)

    anything = keras.Input((None, None, 3))
    mean = layers.Dense(2)(layers.GlobalAveragePooling2D()(anything))
    keras.Model(anything, mean).save(tmp_path / "model.keras")
    with pytest.raises(hw03.scaffold.BadInput, match="is no classifier of square RGB images"):
        hw03.averaging.load_models([tmp_path / "model.keras"])


def test_several_models_are_averaged(hw03, small, tmp_path):
    """A strong voice against a weak one: the mean of their probabilities decides."""
    for name, sign in (("strong", 5.0), ("weak", -1.0)):
        sided(8, sign).save(tmp_path / f"{name}.keras")
    labels = {}
    for names in (["strong"], ["weak"], ["strong", "weak"]):
        models = [str(tmp_path / f"{name}.keras") for name in names]
        table = hw03.predict.main(["--data-dir", str(small), "--out-dir", str(tmp_path), "--model", *models])
        assert list(table.columns) == ["Id", "Category"]
        assert list(table.Id) == list(range(12))
        labels[len(names), names[0]] = list(table.Category)
    assert labels[1, "strong"] != labels[1, "weak"]
    assert labels[2, "strong"] == labels[1, "strong"]


def test_ones_own_picture(hw03, whole_set, tmp_path, capsys):
    """Any format and size, beside a submission that stays as it is; probabilities are columns more."""
    flags = ["--data-dir", str(whole_set), "--out-dir", str(tmp_path)]
    hw03.train.main([*flags, *TINY])
    table = hw03.predict.main([*flags, "--probabilities"])
    assert list(table.columns) == ["Id", "Category", *hw03.dataset.KINDS]
    np.testing.assert_allclose(table[list(hw03.dataset.KINDS)].sum(axis=1), 1, atol=0.001)
    (tmp_path / "other").mkdir()
    shutil.copy(tmp_path / "model.keras", tmp_path / "other")
    names = ["Id", "Id (class)", "Category", *map(str, range(3, len(hw03.dataset.KINDS)))]
    (tmp_path / "other" / "classes.txt").write_text("\n".join(names))
    more = ["--model", str(tmp_path / "other" / "model.keras"), "--probabilities"]
    assert hw03.predict.main([*flags, *more]).columns.nunique() == 2 + len(names)
    hw03.predict.main([*flags, "--probabilities"])
    submission = (tmp_path / "submission.csv").read_bytes()
    Image.fromarray(patches(COLOURS, 90)).convert("L").resize((70, 200)).save(tmp_path / "my lunch.webp")
    capsys.readouterr()
    found = hw03.predict.main(["--out-dir", str(tmp_path), "--picture", str(tmp_path / "my lunch.webp")])
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith(f"{tmp_path / 'my lunch.webp'}   {hw03.dataset.KINDS[found[0].argmax()]} ")
    assert line.count(",") == 2
    assert (tmp_path / "submission.csv").read_bytes() == submission


# --- bad input ------------------------------------------------------------


@pytest.mark.parametrize("part", ["training", "validation"])
def test_a_folder_without_pictures(hw03_light, small, capsys, part):
    folder = small / "food-11" / part
    for path in folder.iterdir():
        path.unlink()
    check_sentence(hw03_light, capsys, ["--data-dir", small], folder, "no images")


def spoil_text(path):
    path.write_text("no picture")


def spoil_cut(path):
    path.write_bytes(path.read_bytes()[:300])


@pytest.mark.parametrize("spoil", [spoil_text, spoil_cut])
@pytest.mark.parametrize("part", ["training", "validation"])
def test_a_file_that_is_no_whole_picture(hw03_light, small, capsys, spoil, part):
    path = small / "food-11" / part / "7_0.jpg"
    spoil(path)
    check_sentence(hw03_light, capsys, ["--data-dir", small], path, "cannot be decoded as an image")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bread.jpg", "no class"),
        ("bread_1.jpg", "no class"),
        ("notes.txt", "no image"),
        ("12.jpg", "no class"),
    ],
)
def test_a_name_that_says_nothing(hw03_light, small, capsys, name, words):
    folder = small / "food-11" / "training"
    shutil.copy(folder / "0_0.jpg", folder / name)
    check_sentence(hw03_light, capsys, ["--data-dir", small], folder / name, words)


def test_hidden_files_do_not_count(hw03_light, small):
    folder = small / "food-11" / "training"
    (folder / ".DS_Store").write_text("not a picture")
    assert len(hw03_light.dataset.load_labelled(folder, 16)[1]) == 22


def test_a_class_that_training_never_saw(hw03_light, small, capsys):
    folder = small / "food-11" / "validation"
    shutil.copy(folder / "0_0.jpg", folder / "11_0.jpg")
    check_sentence(hw03_light, capsys, ["--data-dir", small], folder, "class 11", "0 to 10")


@pytest.mark.parametrize(
    ("arch", "part"),
    [("dense", "normalisation"), ("plain", "whitening"), ("resnet", "whitening"), ("vgg", "identity")],
)
def test_a_part_that_a_network_does_not_have(hw03_light, small, capsys, arch, part):
    argv = ["--data-dir", small, "--arch", arch, "--without", "augmentation", part]
    check_sentence(hw03_light, capsys, argv, f"--without {part}: --arch {arch} has no such part")


def test_a_class_without_pictures_is_named(hw03_light, small, capsys):
    labels = np.array([0, 1, 3, 5])
    assert hw03_light.train.count_classes(labels, labels, small) == 6
    assert "of class 2, 4" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["a\nb\n", "a\n" * 11, "", "\xff"])
def test_names_of_another_number_of_classes(hw03_light, small, capsys, text):
    path = small / "food-11" / "classes.txt"
    path.write_text(text, "latin-1")
    check_sentence(
        hw03_light, capsys, ["--data-dir", small], path, "UTF-8" if text == "\xff" else "11 classes"
    )


def test_names_of_classes(hw03_light, tmp_path):
    names = hw03_light.images.class_names
    assert names(tmp_path, 11)[4] == "fried food"
    assert names(tmp_path, 3) == ["0", "1", "2"]
    (tmp_path / "classes.txt").write_text("apple pie\r\n\nsushi\n", "utf-8-sig")
    assert names(tmp_path, 2) == ["apple pie", "sushi"]


def test_a_picture_that_is_none(hw03, whole_set, capsys, tmp_path):
    hw03.train.main(["--data-dir", str(whole_set), "--out-dir", str(tmp_path), *TINY])
    spoil_text(tmp_path / "lunch.jpg")
    argv = ["--out-dir", tmp_path, "--picture"]
    for name, words in (("lunch.jpg", "cannot be decoded"), ("dinner.jpg", "dinner.jpg")):
        check_sentence(hw03, capsys, [*argv, tmp_path / name], tmp_path / name, words, script="predict")


@pytest.mark.parametrize(
    "flag",
    ["--seed -1", "--epochs 0", "--batch-size 0", "--learning-rate 0", "--learning-rate nan", "--width 0"]
    + ["--image-size 7", "--width inf"],
)
def test_a_flag_out_of_range(hw03_light, small, capsys, flag):
    check_sentence(hw03_light, capsys, ["--data-dir", small, *flag.split()], flag, "expected")


@pytest.mark.parametrize(("name", "words"), [("a.jpg", "no number"), ("00003.jpg", "expected each once")])
def test_a_test_picture_without_a_number_of_its_own(hw03_light, small, capsys, tmp_path, name, words):
    folder = small / "food-11" / "testing"
    shutil.copy(folder / "0000.jpg", folder / name)
    with pytest.raises(hw03_light.scaffold.BadInput, match=words):
        hw03_light.dataset.load_test(folder, 16)


def test_a_model_that_is_none(hw03, small, capsys, tmp_path):
    (tmp_path / "model.keras").write_text("nothing")
    argv = ["--data-dir", small, "--out-dir", tmp_path, "--model", tmp_path / "model.keras"]
    check_sentence(hw03, capsys, argv, tmp_path / "model.keras", "no whole Keras model", script="predict")


def test_models_of_other_inputs_or_classes(hw03, small, capsys, tmp_path):
    import keras

    for name, shape, classes in (("grey", (8, 8, 1), 2), ("two", (8, 8, 3), 2), ("three", (9, 9, 3), 3)):
        pixels = keras.Input(shape)
        outputs = keras.layers.Dense(classes)(keras.layers.Flatten()(pixels))
        keras.Model(pixels, outputs).save(tmp_path / f"{name}.keras")
    argv = ["--data-dir", small, "--out-dir", tmp_path, "--model"]
    grey, two, three = (tmp_path / f"{name}.keras" for name in ("grey", "two", "three"))
    check_sentence(hw03, capsys, [*argv, grey], grey, "no classifier of square RGB", script="predict")
    check_sentence(hw03, capsys, [*argv, two, three], three, "3 classes, expected 2", script="predict")
    assert not (tmp_path / "submission.csv").exists()


def test_a_checkpoint_that_does_not_fit(hw03, small, capsys, tmp_path):
    argv = ["--data-dir", small, "--out-dir", tmp_path, *TINY]
    hw03.train.main([str(argument) for argument in argv])
    check_sentence(hw03, capsys, [*argv, "--seed", "1", "--resume"], "--seed 0", "expected 1")
    checkpoint = tmp_path / "checkpoint.npz"
    checkpoint.write_bytes(checkpoint.read_bytes()[:5000])
    check_sentence(hw03, capsys, [*argv, "--resume"], checkpoint, "is damaged")


def test_a_loss_that_is_not_a_number(hw03, small, capsys, tmp_path):
    argv = ["--data-dir", small, "--out-dir", tmp_path, *TINY, "--arch", "plain", "--learning-rate", "1e30"]
    check_sentence(hw03, capsys, [*argv, "--epochs", "3"], "not a number", "--learning-rate 1e+30")
    assert not (tmp_path / "model.keras").exists()


# --- settings that reach the method -----------------------------------------


def test_contrast_is_about_each_images_own_mean(hw03):
    """An image of one grey has no contrast to change: only its brightness does, whatever is beside it."""
    images = np.repeat(np.repeat([20.0, 150.0], 100), 4 * 4 * 3).reshape(200, 4, 4, 3).astype(np.float32)
    ratio = hw03.batches.random_colour(images, 0.3, np.random.default_rng(0)) / images
    assert 0.7 - 1e-3 <= ratio.min() < 0.75
    assert 1.25 < ratio.max() <= 1.3 + 1e-3


@pytest.mark.parametrize(("arch", "smoothing"), [("airbench", 0.2), ("plain", 0.0)])
def test_labels_are_smoothed_but_for_the_courses_network(hw03, tmp_path, monkeypatch, arch, smoothing):
    import keras

    monkeypatch.setattr(keras.Model, "fit", lambda *_, **__: None)
    flags = [*TINY, "--arch", arch, "--out-dir", str(tmp_path), "--data-dir", str(tmp_path)]
    args = hw03.train.parse_args(flags)
    model, rng = hw03.model.build_model(arch, 16, 4, width=0.1), np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (70, 16, 16, 3)).astype(np.uint8), np.arange(70) % 4
    hw03.training.fit(args, [model], (images, labels), (images, labels), 4)
    logits, one_hot = rng.normal(size=(5, 4)), np.eye(4)[[0, 1, 2, 3, 0]]
    log_probability = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -(((1 - smoothing) * one_hot + smoothing / 4) * log_probability).sum(axis=1).mean()
    assert float(model.loss(one_hot, logits)) == pytest.approx(expected, rel=1e-5)


def test_a_residual_block_that_says_nothing_hands_on_its_input(hw03):
    import keras

    model = hw03.model.build_model("resnet", 16, 4, width=0.25)
    add = next(layer for layer in model.layers if isinstance(layer, keras.layers.Add))
    pool = next(layer for layer in model.layers if isinstance(layer, keras.layers.MaxPooling2D))
    index = model.layers.index(add)
    for layer in model.layers[model.layers.index(pool) : index]:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.gamma.assign(0 * layer.gamma)
    both = keras.Model(model.input, [pool.output, add.output])
    x = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3)).astype(np.float32)
    before, after = both(x, training=False)
    assert np.ptp(before) > 0.1
    np.testing.assert_allclose(after, before, atol=1e-6)


# --- throughput -------------------------------------------------------------


def test_the_peer_is_asked_for_in_a_sentence(hw03, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    with pytest.raises(hw03.scaffold.BadInput, match="PyTorch is not installed"):
        hw03.throughput.main(["torch", "--steps", "5"])


@pytest.mark.full
def test_throughput_is_a_number(hw03, capsys):
    hw03.throughput.main(["keras", "--small", "--steps", "5"])
    assert int(capsys.readouterr().out) > 0
