"""Homework 6: attacks on linear models and hand-made gradients, the files as saved, and bad input."""

import io
import shutil
import tarfile
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import check_sentence, write_metrics
from PIL import Image

CHAPTER = "hw06_adversarial"
SHAPE = (6, 5, 3)


@pytest.fixture
def hw06(load_chapter):
    return load_chapter(CHAPTER)


@pytest.fixture
def spoilt(whole_set, tmp_path):
    """A copy of the set, to spoil."""
    return shutil.copytree(whole_set, tmp_path / "spoilt")


@pytest.fixture
def crafted(hw06, whole_set, tmp_path):
    """crafted("--method", "fgsm", ...) runs train.py on the set; (metrics, attacked, images, labels)."""

    def craft(*flags):
        argv = ["--data-dir", whole_set, "--out-dir", tmp_path / "out", "--proxy", "classifier.keras", *flags]
        metrics = hw06.train.main([str(argument) for argument in argv])
        images, labels, _, names = hw06.dataset.load_images(whole_set)
        return metrics, hw06.dataset.read_image_files(tmp_path / "out" / "images", names), images, labels

    return craft


def linear(weights, biases=(0.0, 0.0)):
    """A classifier of two classes with logits pixels @ weights + biases."""
    inputs = keras.Input(SHAPE)
    dense = keras.layers.Dense(2)
    model = keras.Model(inputs, dense(keras.layers.Flatten()(inputs)))
    dense.set_weights([np.asarray(weights, np.float32), np.asarray(biases, np.float32)])
    return model


def grey(rng, count=4, low=0, high=256):
    return rng.integers(low, high, (count, *SHAPE)).astype(np.uint8)


def distances(attacked, images):
    return abs(attacked.astype(int) - images).max(axis=(1, 2, 3))


# --- the gradient ------------------------------------------------------------


@pytest.mark.parametrize("loss", ["cross_entropy", "margin"])
def test_slope_is_of_the_loss_at_the_true_label(hw06, loss):
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.01, (90, 2))
    images, labels = grey(rng), np.array([0, 1, 1, 0])
    logits = images.reshape(4, 90) @ weights
    towards = np.where(labels[:, None] == 0, weights[:, 1] - weights[:, 0], weights[:, 0] - weights[:, 1])
    gap = np.where(labels == 0, logits[:, 1] - logits[:, 0], logits[:, 0] - logits[:, 1])
    expected = towards if loss == "margin" else towards / (1 + np.exp(-gap))[:, None]
    query = hw06.attack.make_query(getattr(hw06.attack, loss), linear(weights), batch_size=3)
    margins, gradients = query(images, labels)
    np.testing.assert_allclose(margins, gap, rtol=1e-4)
    np.testing.assert_allclose(gradients.reshape(4, 90), expected, rtol=1e-4)


def test_margin_is_over_the_best_wrong_class(hw06):
    logits = np.float32([[1, 5, 3], [1, 5, 3], [1, 5, 3]])
    np.testing.assert_allclose(hw06.attack.margin(logits, np.array([0, 1, 2])), [4, -2, 2])


def test_a_step_up_the_slope_raises_the_loss(hw06, whole_set):
    images, labels, categories, _ = hw06.dataset.load_images(whole_set)
    model = hw06.model.load_proxy(["classifier.keras"], whole_set, images.shape[1:], len(categories))
    query = hw06.attack.make_query(hw06.attack.cross_entropy, model, 50)
    before, after = (
        hw06.attack.cross_entropy(hw06.model.logits_of(model, seen), labels).numpy()
        for seen in (images, hw06.attack.fgsm(query, images, labels, 1))
    )
    assert np.mean(after > before) > 0.9


def test_a_look_is_at_the_model_as_it_predicts(hw06):
    inputs = keras.Input(SHAPE)
    hidden = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(hidden)))
    images, labels = grey(np.random.default_rng(0)), np.array([0, 1, 1, 0])
    margins, gradients = hw06.attack.make_query(hw06.attack.margin, model, 4)(images, labels)
    for alone in range(4):  # neither chance nor the neighbours in the batch have a say
        rows = slice(alone, alone + 1)
        one, gradient = hw06.attack.make_query(hw06.attack.margin, model, 1)(images[rows], labels[rows])
        np.testing.assert_allclose(one, margins[rows], rtol=1e-3)
        np.testing.assert_allclose(gradient, gradients[rows], rtol=1e-3, atol=1e-6)


# --- the attacks ----------------------------------------------------------


def test_project_rounds_and_bounds(hw06):
    image = np.full((1, 1, 6, 3), 100, np.uint8)
    moved = np.array([100.4, 100.6, 99.4, 103.7, 90, 300.0])[None, None, :, None] + np.zeros((1, 1, 6, 3))
    found = hw06.attack.project(moved, image, 3)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found[0, 0, :, 0], [100, 101, 99, 103, 97, 103])
    ends = np.array([0, 255], np.uint8).reshape(1, 1, 2, 1)  # must not wrap around
    np.testing.assert_array_equal(hw06.attack.project(ends + [[-9.0], [9.0]], ends, 9).ravel(), [0, 255])
    two = np.full((2, 1, 1, 1), 100, np.uint8)
    np.testing.assert_array_equal(hw06.attack.project(two + 9.0, two, np.array([1, 4])).ravel(), [101, 104])


def test_fgsm_on_a_linear_model_is_epsilon_times_the_sign_of_its_weight(hw06):
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(90, 2)) / 1000
    images, labels = grey(rng), np.array([0, 1, 1, 0])
    query = hw06.attack.make_query(hw06.attack.cross_entropy, linear(weights), 50)
    attacked = hw06.attack.fgsm(query, images, labels, 15)
    sign = np.sign(weights[:, 1] - weights[:, 0]).reshape(SHAPE)
    expected = images + 15 * np.where(labels == 0, 1, -1).reshape(4, 1, 1, 1) * sign
    np.testing.assert_array_equal(attacked, np.clip(expected, 0, 255))


def scripted(*gradients):
    """A query that gives these gradients of two pixels in turn, and remembers what it was shown."""
    shown, gradients = [], iter(gradients)

    def query(images, labels):
        shown.append(images.ravel().tolist())
        return np.float32([-1.0]), np.float32(next(gradients)).reshape(1, 1, 2, 1)

    return query, shown


def test_iterative_keeps_its_velocity_and_its_bound(hw06):
    query, shown = scripted((3, 1), (-1, -3), (1, 1), (-1, 0), (-1, 0), (0, 0))
    image = np.full((1, 1, 2, 1), 100, np.uint8)
    result, _ = hw06.attack.iterative(query, image, np.array([0]), 4, iterations=5, step=0.5)
    # Slopes over their mean size: (1.5, 0.5), (-0.5, -1.5), (1, 1), (-2, 0), (-2, 0); velocities: their
    # running sums (1.5, 0.5), (1, -1), (2, 0), (0, 0), (-2, 0). Steps are of two levels, at most four away.
    assert shown == [[100, 100], [102, 102], [104, 100], [104, 100], [104, 100], [102, 100]]
    assert result.ravel().tolist() == shown[-1]


def test_iterative_looks_at_whole_levels_and_walks_in_real_numbers(hw06):
    query, shown = scripted(*[(1, -1)] * 5)
    image = np.full((1, 1, 2, 1), 100, np.uint8)
    hw06.attack.iterative(query, image, np.array([0]), 1, iterations=4, step=0.3)
    assert shown == [[100, 100], [100, 100], [101, 99], [101, 99], [101, 99]]


def test_iterative_starts_where_it_is_told_within_the_bound(hw06):
    query, shown = scripted((-1, 1), (1, 1))
    image = np.full((1, 1, 2, 1), 100, np.uint8)
    start = np.float32([9, -1]).reshape(1, 1, 2, 1)
    hw06.attack.iterative(query, image, np.array([0]), 3, iterations=1, step=1.0, start=start)
    assert shown == [[103, 99], [100, 102]]


def test_a_picture_that_is_misread_walks_no_further(hw06):
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(90, 2)) / 1000
    images, labels = grey(rng, low=60, high=200), np.zeros(4, int)
    towards = weights[:, 1] - weights[:, 0]
    gaps = images.reshape(4, 90) @ towards
    biases = (0.0, -np.median(gaps))  # two of the four are misread as they come
    gaps += biases[1]
    query = hw06.attack.make_query(hw06.attack.margin, linear(weights, biases), 50)
    result, margins = hw06.attack.iterative(query, images, labels, 8, iterations=6, step=0.5, stop=0.0)
    np.testing.assert_array_equal(distances(result, images) == 0, gaps > 0)
    np.testing.assert_allclose(margins, result.reshape(4, 90) @ towards + biases[1], atol=1e-4)


def test_minimal_finds_the_smallest_level_of_a_linear_model(hw06):
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(90, 2)) / 1000
    towards = weights[:, 1] - weights[:, 0]
    images, labels = grey(rng, 12, 100, 156), np.zeros(12, int)
    gaps = images.reshape(12, 90) @ towards
    biases = (0.0, -gaps.max() - 0.02)  # now all are read as 0, each by another margin
    needed = np.ceil((hw06.minimal.CONFIDENCE - gaps - biases[1]) / abs(towards).sum()).astype(int)
    assert needed.min() >= 1
    limit = sorted(needed)[-2]
    query = hw06.attack.make_query(hw06.attack.margin, linear(weights, biases), 50)
    attacked = hw06.minimal.minimal(query, images, labels, limit, iterations=4, step=0.5)
    assert len(set(needed)) > 4
    np.testing.assert_array_equal(distances(attacked, images), np.where(needed <= limit, needed, 0))


def test_the_fewest_pixels_of_a_linear_model(hw06):
    """Of a linear model the best pixels are known: those with the largest weights that can still move."""
    rng = np.random.default_rng(4)
    weights, images = rng.normal(0, 1, (90, 2)), grey(rng, 12, 1, 255)
    images[:, :3] = 0  # these pixels can only become brighter
    towards = (weights[:, 1] - weights[:, 0]).reshape(SHAPE)
    able = np.where((images == 0) & (towards < 0), 0, abs(towards))
    gains = np.sort(able.sum(axis=-1).reshape(12, -1))[:, ::-1].cumsum(axis=1)  # of the best 1, 2, ... pixels
    counts = np.array([1, 2, 3, 4, 5, 8, 9, 16, 17, 29, 30, 30])
    gaps = gains[np.arange(12), counts - 1] - 0.05  # so many pixels suffice, and none fewer
    gaps[-1] = gains[-1, -1] + 1  # and here all do not
    biases = gaps + (images.reshape(12, 90) @ (weights[:, 1] - weights[:, 0]))
    needed = []
    for image, bias in zip(images, biases):
        query = hw06.attack.make_query(hw06.attack.margin, linear(weights, (bias, 0.0)), batch_size=12)
        needed += list(hw06.minimal.fewest_pixels(query, image[None], np.zeros(1, int), iterations=2))
    assert needed == [1, 2, 4, 4, 8, 8, 16, 16, 30, 30, 30, 0]


@pytest.mark.parametrize("method", ["minimal", "fgsm", "iterative", "transfer"])
def test_no_saved_pixel_is_further_than_epsilon(crafted, method):
    metrics, attacked, images, labels = crafted("--method", method, "--epsilon", "3")
    assert 1 <= distances(attacked, images).max() <= 3
    assert metrics["largest_distance"] == distances(attacked, images).max()
    np.testing.assert_allclose(metrics["mean_distance"], distances(attacked, images).mean())


def test_what_counts_is_read_from_the_disk(hw06, crafted, whole_set, monkeypatch):
    write = hw06.dataset.write_images
    monkeypatch.setattr(
        hw06.train, "write_images", lambda folder, attacked, names: write(folder, attacked * 0, names)
    )
    metrics, attacked, images, _ = crafted("--method", "fgsm")
    assert metrics["mean_distance"] == distances(images, 0).mean()
    assert not attacked.any()


def test_saving_is_lossless(hw06, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 9, 7, 3)).astype(np.uint8)
    images[1] //= 8  # a helper that rescales to the whole range would show here
    names = ["000.png", "001.png", "002.png"]
    hw06.dataset.write_images(tmp_path / "images", images, names)
    np.testing.assert_array_equal(hw06.dataset.read_image_files(tmp_path / "images", names), images)


def test_a_misread_picture_is_left_alone(hw06, spoilt, tmp_path):
    edit_table("labels.csv", "TrueLabel", 4, 3 - pd.read_csv(spoilt / "labels.csv").TrueLabel[4])(spoilt)
    images, labels, _, names = hw06.dataset.load_images(spoilt)
    for method, alone in (("minimal", True), ("fgsm", True), ("iterative", True), ("transfer", False)):
        argv = ["--data-dir", str(spoilt), "--out-dir", str(tmp_path / "out"), "--proxy", "classifier.keras"]
        metrics = hw06.train.main([*argv, "--method", method, "--epsilon", "9"])
        attacked = hw06.dataset.read_image_files(tmp_path / "out" / "images", names)
        assert metrics["misread_before"] == 1 / 40
        assert metrics["attacked"] == (39 if alone else 40)
        assert (distances(attacked, images)[4] == 0) == alone


# --- a target nobody can see ----------------------------------------------


def test_a_view_is_the_picture_smaller_and_elsewhere(hw06):
    keras.utils.set_random_seed(0)
    images = np.full((2, 20, 10, 3), 200, np.float32)
    view = hw06.transfer.input_diversity(0.5)
    boxes = set()
    for _ in range(30):
        seen = np.asarray(view(images))
        assert seen.shape == images.shape
        rows, columns = np.flatnonzero(seen[0, :, :, 0].any(1)), np.flatnonzero(seen[0, :, :, 0].any(0))
        box = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        np.testing.assert_allclose(seen[:, box[0] : box[1], box[2] : box[3]], 200, rtol=1e-5)
        assert seen.sum() == pytest.approx(2 * 3 * 200 * (box[1] - box[0]) * (box[3] - box[2]))
        assert 10 <= box[1] - box[0] <= 20
        assert 5 <= box[3] - box[2] <= 10
        boxes.add(box)
    assert len({box[1] - box[0] for box in boxes}) > 4
    assert len({box[0] for box in boxes}) > 4
    np.testing.assert_allclose(hw06.transfer.input_diversity(1.0)(images), images)


def test_the_blur_is_a_mean_over_shifts(hw06):
    impulse = np.zeros((1, 11, 11, 3), np.float32)
    impulse[0, 5, 5] = 1, 2, 3
    found = np.asarray(hw06.transfer.gaussian_smoothing(7)(impulse))
    np.testing.assert_allclose(found.sum(axis=(1, 2)), [[1, 2, 3]], rtol=1e-5)  # channels do not mix
    np.testing.assert_allclose(found, found[:, ::-1, ::-1], rtol=1e-5)
    assert found[0, 5, 5, 0] > found[0, 5, 6, 0] > found[0, 5, 8, 0] > 0 == found[0, 5, 9, 0]
    np.testing.assert_allclose(hw06.transfer.gaussian_smoothing(1)(impulse), impulse)


def test_looks_are_averaged(hw06):
    queries = iter([(np.array([1.0]), np.array([4.0])), (np.array([3.0]), np.array([8.0]))])
    margins, gradients = hw06.transfer.averaged(lambda images, labels: next(queries), 2)(None, None)
    assert (margins, gradients) == ([2.0], [6.0])


def test_an_ensemble_gives_the_mean_of_the_logits(hw06, whole_set):
    images, _, categories, _ = hw06.dataset.load_images(whole_set)
    names = ["classifier.keras", "other.keras"]
    one, two, both = (
        hw06.model.logits_of(hw06.model.load_proxy(some, whole_set, images.shape[1:], 4), images)
        for some in (names[:1], names[1:], names)
    )
    assert not np.allclose(one, two, atol=0.1)
    np.testing.assert_allclose(both, (one + two) / 2, rtol=1e-3, atol=1e-4)
    twice = hw06.model.load_proxy(names[:1] * 2, whole_set, images.shape[1:], 4)  # two models of one name
    np.testing.assert_allclose(hw06.model.logits_of(twice, images), one, rtol=1e-3, atol=1e-4)


# --- classifiers ----------------------------------------------------------


def test_read_gives_raw_pixels_and_every_picture(hw06):
    rng = np.random.default_rng(0)
    weights, images = rng.normal(size=(90, 2)), grey(rng, 7)
    found = hw06.model.logits_of(linear(weights), images, batch_size=3)
    np.testing.assert_allclose(found, images.reshape(7, 90) @ weights, rtol=1e-3, atol=0.1)


@pytest.mark.parametrize("ending", ["activation", "layer", "nested", "nested layer"])
def test_a_softmax_is_taken_off(hw06, tmp_path, monkeypatch, ending):
    inputs = keras.Input(SHAPE)
    dense = keras.layers.Dense(2, activation=None if "layer" in ending else "softmax")
    outputs = dense(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, keras.layers.Softmax()(outputs) if "layer" in ending else outputs)
    if "nested" in ending:
        model = keras.Sequential([keras.Input(SHAPE), model])
    model.save(tmp_path / "soft.keras")
    monkeypatch.setenv("HOME", str(tmp_path))  # ~ after --proxy= is not put in by a shell
    name = "~/soft.keras" if ending == "layer" else "soft.keras"
    found = hw06.model.load_classifier(name, tmp_path, SHAPE, 2)
    images = grey(np.random.default_rng(0))
    kernel, bias = dense.get_weights()
    np.testing.assert_allclose(
        hw06.model.logits_of(found, images), images.reshape(4, 90) @ kernel + bias, rtol=1e-3, atol=1e-2
    )


def test_preprocessing_is_inside(hw06):
    """Raw pixels in: a grey level is a grey level for every network."""
    names = ["vgg16", "vgg19", "resnet50", "resnet101", "densenet121", "densenet169"]
    assert list(hw06.model.APPLICATIONS) == names

    def identity(weights, classifier_activation):
        assert (weights, classifier_activation) == ("imagenet", None)
        inputs = keras.Input(SHAPE)
        return keras.Model(inputs, keras.layers.Activation("linear")(inputs))

    images = grey(np.random.default_rng(0))
    red = np.float32(images[..., 0])
    for name, (_, preprocess) in hw06.model.APPLICATIONS.items():
        found = hw06.model.logits_of(hw06.model.with_preprocessing(identity, preprocess, "imagenet"), images)
        np.testing.assert_allclose(found, preprocess(images.astype(np.float32)), rtol=1e-3, atol=1e-4)
        if name.startswith("densenet"):
            np.testing.assert_allclose(found[..., 0], (red / 255 - 0.485) / 0.229, atol=1e-4)
        else:  # caffe's order: blue first, red last
            np.testing.assert_allclose(found[..., 2], red - 123.68, atol=1e-4)


def test_without_network_a_sentence_names_the_file_and_the_place(hw06):
    def offline(weights, classifier_activation):
        raise Exception(
            "URL fetch failure on https://host/vgg16_weights.h5: None -- no address"
        )  # as Keras does

    with pytest.raises(hw06.scaffold.BadInput) as raised:
        hw06.model.with_preprocessing(offline, None, "imagenet")
    for word in ("https://host/vgg16_weights.h5 could", "~/.keras/models", ".keras", "--synthetic"):
        assert word in str(raised.value)


# --- claims on the synthetic set ------------------------------------------


def test_minimal_fools_all_with_less_than_fgsm(crafted):
    metrics, attacked, images, _ = crafted("--method", "minimal")
    assert metrics["score"] == 1.0
    assert metrics["misread_before"] < 0.1
    one_step = crafted("--method", "fgsm", "--epsilon", str(round(metrics["mean_distance"])))[0]
    assert one_step["score"] < 0.7, "one step of the same mean distance fools as many"
    assert crafted("--method", "minimal", "--epsilon", "3")[0]["score"] < 1.0, (
        "there is less to do than epsilon 3"
    )


def test_many_steps_fool_more_than_one(crafted):
    shares = [crafted("--method", method, "--epsilon", "8")[0]["score"] for method in ("fgsm", "iterative")]
    assert shares[1] > shares[0] + 0.1


def test_momentum_transfers_better_than_one_step(hw06, crafted, whole_set):
    shares = []
    for flags in ("--method fgsm", "--method transfer --diversity 1 --translation 1"):
        _, attacked, images, labels = crafted(*flags.split(), "--epsilon", "15")
        other = hw06.model.load_proxy(["other.keras"], whole_set, images.shape[1:], 4)
        shares.append(np.mean(hw06.model.logits_of(other, attacked).argmax(axis=1) != labels))
    assert shares[1] > shares[0] + 0.1


# --- the hand-in ----------------------------------------------------------


def test_the_hand_in_says_what_the_files_say(hw06, crafted, whole_set, tmp_path):
    _, attacked, images, labels = crafted("--method", "minimal")
    predict = ["--data-dir", str(whole_set), "--out-dir", str(tmp_path / "out")]
    submission = hw06.predict.main(predict)
    categories = np.array(hw06.dataset.SHAPES)
    assert list(submission.true) == list(categories[labels])
    assert list(submission.distance) == list(distances(attacked, images))
    assert (submission.after != submission.true).all()
    assert submission.before_probability.between(0.25, 1).all()
    written = pd.read_csv(tmp_path / "out" / "submission.csv")
    assert len(written) == 40
    other = hw06.predict.main([*predict, "--model", "other.keras"])
    assert (other.after == other.true).any(), "--model was not used"
    with tarfile.open(tmp_path / "out" / "images.tgz") as archive:
        assert archive.getnames() == [f"{number:03d}.png" for number in range(40)]
        for number, name in enumerate(archive.getnames()):
            shown = np.asarray(Image.open(io.BytesIO(archive.extractfile(name).read())))
            np.testing.assert_array_equal(shown, attacked[number])


def test_an_archive_has_the_same_bytes_under_any_name(hw06, tmp_path):
    hw06.dataset.write_images(tmp_path, grey(np.random.default_rng(0), 2), ["000.png", "001.png"])
    for name in ("images.tgz", "half-written-7-images.tgz"):
        hw06.predict.pack(tmp_path, ["000.png", "001.png"], tmp_path / name)
    assert (tmp_path / "images.tgz").read_bytes() == (tmp_path / "half-written-7-images.tgz").read_bytes()


def test_the_folder_is_replaced_as_a_whole_or_not_at_all(hw06, tmp_path, monkeypatch):
    images, names = grey(np.random.default_rng(0), 3), ["000.png", "001.png", "002.png"]
    hw06.dataset.write_images(tmp_path / "images", images, names)
    (tmp_path / "images" / "of another run.png").touch()
    hw06.dataset.write_images(tmp_path / "images", images // 2, names[:2])
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["000.png", "001.png", "images"]

    def save(self, path, real=Image.Image.save):
        if path.name == "001.png":
            raise OSError(28, "No space left on device", str(path))
        real(self, path)

    monkeypatch.setattr(Image.Image, "save", save)
    with pytest.raises(OSError, match="No space"):
        hw06.dataset.write_images(tmp_path / "images", images, names)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["000.png", "001.png", "images"]
    np.testing.assert_array_equal(
        hw06.dataset.read_image_files(tmp_path / "images", names[:2]), images[:2] // 2
    )
    monkeypatch.undo()

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", stopped)  # stopped when the old folder is away, before the new one
    with pytest.raises(KeyboardInterrupt):
        hw06.dataset.write_images(tmp_path / "images", images, names)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["000.png", "001.png", "images"]


# --- the defences ---------------------------------------------------------


def test_defences_smooth_and_leave_even_ground_alone(hw06):
    even = np.full((2, 16, 16, 3), 90, np.uint8)
    dotted = even.copy()
    dotted[:, 8, 8], dotted[:, 3, 3] = 255, 0
    for smooth in (
        lambda images: hw06.defence.gaussian_blur(images, 1),
        lambda images: hw06.defence.median(images, 3),
        lambda images: hw06.defence.jpeg(images, 50),
    ):
        np.testing.assert_allclose(smooth(even), even, atol=1)
        assert smooth(dotted)[0, 8, 8].max() < 250
        assert smooth(dotted)[0, 3, 3].min() > 5
        assert smooth(dotted).dtype == np.uint8
    np.testing.assert_array_equal(hw06.defence.median(dotted, 3), even)


# --- reading --------------------------------------------------------------


def test_pictures_follow_the_rows_of_labels_csv(hw06, spoilt):
    images, labels, _, _ = hw06.dataset.load_images(spoilt)
    table = pd.read_csv(spoilt / "labels.csv")
    table.iloc[::-1].to_csv(spoilt / "labels.csv", index=False)
    turned, turned_labels, _, names = hw06.dataset.load_images(spoilt)
    np.testing.assert_array_equal(turned, images[::-1])
    np.testing.assert_array_equal(turned_labels, labels[::-1])
    assert names[0] == "039.png"
    table[["TrueLabel"]].to_csv(spoilt / "labels.csv", index=False)  # rows count from 0
    np.testing.assert_array_equal(hw06.dataset.load_images(spoilt)[0], images)


def test_categories_may_be_called_numbers_or_null(hw06, spoilt):
    names = ["0", "01", "null", "NA"]
    pd.DataFrame({"CategoryId": range(4), "CategoryName": names}).to_csv(
        spoilt / "categories.csv", index=False
    )
    assert hw06.dataset.load_images(spoilt)[2] == names


def test_grey_and_palette_pictures_are_read(hw06, spoilt):
    image = Image.open(spoilt / "images" / "000.png")
    image.convert("L").save(spoilt / "images" / "000.png")
    image.quantize(16).save(spoilt / "images" / "001.png")
    assert hw06.dataset.load_images(spoilt)[0].shape == (40, 32, 32, 3)


# --- bad input ------------------------------------------------------------


def edit_table(name, column, row, value):
    def edit(folder):
        table = pd.read_csv(folder / name, dtype={column: object})
        table.loc[row, column] = value
        table.to_csv(folder / name, index=False)

    return edit


def cut(folder):
    path = folder / "images" / "007.png"
    path.write_bytes(path.read_bytes()[:400])


SPOILT = {
    "an image is missing": (lambda folder: (folder / "images" / "007.png").unlink(), "007.png is missing"),
    "an image is cut": (cut, "007.png cannot be decoded as an image"),
    "an image is no image": (
        lambda folder: (folder / "images" / "007.png").write_text("no"),
        "007.png cannot be decoded as an image",
    ),
    "an image of another size": (
        lambda folder: Image.new("RGB", (31, 32)).save(folder / "images" / "007.png"),
        "007.png is 31x32, expected 32x32",
    ),
    "an image without a label": (
        lambda folder: Image.new("RGB", (32, 32)).save(folder / "images" / "040.png"),
        "040.png has no row",
    ),
    "no folder": (lambda folder: shutil.rmtree(folder / "images"), "images is missing"),
    "no labels": (lambda folder: (folder / "labels.csv").unlink(), "labels.csv is missing"),
    "an empty file": (lambda folder: (folder / "labels.csv").write_text(""), "labels.csv: No columns"),
    "no rows": (lambda folder: (folder / "labels.csv").write_text("ImgId,TrueLabel\n"), "no rows"),
    "no such column": (
        lambda folder: (folder / "labels.csv").write_text("a,b\n1,2\n"),
        "TrueLabel is missing",
    ),
    "not text": (lambda folder: (folder / "labels.csv").write_bytes(b"\xff\xfe\xff"), "not UTF-8"),
    "a label above": (edit_table("labels.csv", "TrueLabel", 4, 4), "line 6: TrueLabel is 4, expected 0..3"),
    "a label below": (edit_table("labels.csv", "TrueLabel", 4, -1), "line 6: TrueLabel is -1"),
    "a label of text": (edit_table("labels.csv", "TrueLabel", 4, "disc"), "line 6: TrueLabel is 'disc'"),
    "an image twice": (edit_table("labels.csv", "ImgId", 4, 5), "occurs twice"),
    "categories from 1": (edit_table("categories.csv", "CategoryId", 0, 9), "CategoryId is not 0, 1, 2"),
    "more categories": (
        lambda folder: (folder / "categories.csv").write_text(
            "CategoryId,CategoryName\n0,a\n1,b\n2,c\n3,d\n4,e\n"
        ),
        "4 classes apart, but categories.csv has 5",
    ),
    "no classifier": (lambda folder: (folder / "classifier.keras").unlink(), "classifier.keras is missing"),
    "text as classifier": (
        lambda folder: (folder / "classifier.keras").write_text("no"),
        "is no whole Keras model",
    ),
    "an archive as classifier": (
        lambda folder: zipfile.ZipFile(folder / "classifier.keras", "w").close(),
        "is no whole Keras model",
    ),
}


@pytest.mark.parametrize("case", SPOILT)
def test_bad_input(hw06, spoilt, tmp_path, capsys, case):
    edit, words = SPOILT[case]
    edit(spoilt)
    out = tmp_path / "out"
    argv = ["--data-dir", spoilt, "--out-dir", out, "--proxy", "classifier.keras"]
    check_sentence(hw06, capsys, argv, words)
    assert not any(out.iterdir())


def test_a_classifier_of_other_pictures(hw06, whole_set, tmp_path, capsys):
    inputs = keras.Input((16, 16, 3))
    keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Flatten()(inputs))).save(tmp_path / "small.keras")
    keras.Model(inputs, keras.layers.Conv2D(4, 3)(inputs)).save(tmp_path / "map.keras")
    argv = ["--data-dir", whole_set, "--out-dir", tmp_path / "out", "--proxy"]
    check_sentence(hw06, capsys, [*argv, tmp_path / "small.keras"], "takes images of 16x16x3", "are 32x32x3")
    check_sentence(hw06, capsys, [*argv, tmp_path / "map.keras"], "map.keras")
    check_sentence(hw06, capsys, [*argv, "vgg17"], "'vgg17' is no classifier", "vgg16")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--epsilon 0", "--epsilon 0: expected 1 to 255"),
        ("--epsilon 256", "--epsilon 256: expected 1 to 255"),
        ("--iterations 0", "--iterations 0"),
        ("--batch-size 0", "--batch-size 0"),
        ("--learning-rate 0", "--learning-rate 0"),
        ("--learning-rate nan", "--learning-rate nan"),
        ("--method fgsm --iterations 3", "fgsm takes one step"),
        ("--diversity 0", "--diversity 0"),
        ("--translation 0", "--translation 0"),
        ("--method transfer --translation 4", "--translation 4: expected an odd"),
        ("--seed -1", "--seed -1"),
    ],
)
def test_flags_out_of_range(hw06, capsys, tmp_path, flags, words):
    check_sentence(hw06, capsys, ["--out-dir", tmp_path / "out", *flags.split()], words)
    assert not list(tmp_path.iterdir())


def test_a_bad_second_run_leaves_the_first_alone(hw06, crafted, spoilt, tmp_path, capsys):
    crafted("--method", "fgsm")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    (spoilt / "images" / "007.png").unlink()
    argv = ["--data-dir", spoilt, "--out-dir", tmp_path / "out", "--proxy", "classifier.keras"]
    check_sentence(hw06, capsys, argv, "007.png is missing")
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


def test_predict_wants_the_pictures_of_train(hw06, crafted, whole_set, spoilt, tmp_path, capsys):
    argv = ["--data-dir", whole_set, "--out-dir", tmp_path / "out"]
    check_sentence(hw06, capsys, argv, "images is missing; run train.py first", script="predict")
    crafted("--method", "fgsm")
    (tmp_path / "out" / "images" / "003.png").unlink()
    check_sentence(hw06, capsys, argv, "images and metrics.json are of two trainings", script="predict")
    for path in (tmp_path / "out" / "images").iterdir():
        Image.new("RGB", (8, 8)).save(path)
    Image.new("RGB", (8, 8)).save(tmp_path / "out" / "images" / "003.png")
    write_metrics(hw06, tmp_path / "out", "images", proxy=["classifier.keras"], method="fgsm")
    check_sentence(hw06, capsys, argv, "is of other images", script="predict")
    for proxy in ([3], []):
        write_metrics(hw06, tmp_path / "out", "images", proxy=proxy, method="fgsm")
        check_sentence(hw06, capsys, argv, "is not of this chapter", script="predict")
    for text in ("{", "[" * 100_000, '{"arguments": {}, "files": {}}'):
        (tmp_path / "out" / "metrics.json").write_text(text)
        check_sentence(hw06, capsys, argv, "metrics.json", script="predict")


def test_a_persons_own_images_are_not_replaced(hw06, whole_set, tmp_path, capsys):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "holiday.jpg").write_bytes(b"mine")
    argv = ["--data-dir", whole_set, "--out-dir", tmp_path]
    check_sentence(hw06, capsys, argv, "holiday.jpg would be lost")
    assert (tmp_path / "images" / "holiday.jpg").read_bytes() == b"mine"


# --- the loss, and one's own picture --------------------------------------------


def test_the_textbooks_loss_is_a_flag(hw06, crafted, capsys):
    """On this set its gradients have other signs here and there than the margin's."""
    found = [crafted("--method", "fgsm", "--loss", loss)[1] for loss in ("margin", "cross-entropy")]
    assert (found[0] != found[1]).any()
    argv = ["--synthetic", "--method", "minimal", "--loss", "cross-entropy"]
    check_sentence(hw06, capsys, argv, "--loss")


def test_a_picture_of_ones_own_is_attacked(hw06, crafted, whole_set, tmp_path, capsys):
    images, *_ = hw06.dataset.load_images(whole_set)
    crafted("--method", "fgsm")
    Image.fromarray(images[0]).resize((90, 64)).save(tmp_path / "own.jpg")
    out = tmp_path / "out"
    argv = ["--data-dir", str(whole_set), "--out-dir", str(out)]
    hw06.predict.main([*argv, "--picture", str(tmp_path / "own.jpg")])
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed[-3:]] == ["before", "after", "distance"]
    assert printed[-3].split()[1] != printed[-2].split()[1], "the class is still the same"
    assert (out / "picture.png").stat().st_size > 5000
    attacked = np.asarray(Image.open(out / "attacked.png"))
    assert attacked.shape == images.shape[1:]
    model = hw06.model.load_proxy(["classifier.keras"], whole_set, images.shape[1:], 4)
    categories = hw06.dataset.load_images(whole_set)[2]
    assert categories[hw06.model.logits_of(model, attacked[None]).argmax()] == printed[-2].split()[1]
    assert not (out / "submission.csv").exists()


# --- settings that reach the method -----------------------------------------


def test_the_random_start_goes_both_ways(hw06, crafted, monkeypatch):
    starts, iterative = [], hw06.attack.iterative

    def spy(query, images, labels, epsilon, iterations, step, start=0.0, stop=np.inf):
        starts.append(start)
        return iterative(query, images, labels, epsilon, iterations, step, start, stop)

    monkeypatch.setattr(hw06.attack, "iterative", spy)
    crafted("--method", "iterative", "--epsilon", "4", "--iterations", "1")
    assert -4 <= starts[0].min() < -3.9
    assert 3.9 < starts[0].max() <= 4
    assert abs(starts[0].mean()) < 0.05
    crafted("--method", "transfer", "--epsilon", "4", "--iterations", "1")
    assert not starts[1].any()


def test_gradients_are_smoothed_and_seen_through_the_view_when_asked(hw06):
    rng = np.random.default_rng(0)
    model, images, labels = linear(rng.normal(size=(90, 2))), grey(rng), np.array([0, 1, 1, 0])
    plain, other = (
        hw06.attack.make_query(hw06.attack.margin, model, 50, view, smooth)(images, labels)
        for view, smooth in ((None, None), (lambda x: 0.5 * x, lambda gradients: 3 * gradients))
    )
    np.testing.assert_allclose(other[1], 1.5 * plain[1], rtol=1e-4)
    np.testing.assert_allclose(other[0], 0.5 * plain[0], rtol=1e-3, atol=0.1)
