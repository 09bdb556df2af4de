"""Homework 14: importances and penalties by algebra, matrices by hand, tasks, going on, and bad input."""

import bz2
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
from conftest import check_sentence, write_metrics
from PIL import Image
from sklearn.datasets import dump_svmlight_file

CHAPTER = "hw14_lifelong"
FLAGS = "--synthetic --examples 64 --batch-size 16 --epochs 2 --tasks svhn mnist"
TRIAL = FLAGS.split()


@pytest.fixture
def hw14(load_chapter):
    return load_chapter(CHAPTER)


@pytest.fixture
def hw14_light(load_chapter):
    """The modules that need no TensorFlow."""
    return load_chapter(CHAPTER, "dataset", "tasks", "metrics", "train", "predict")


def linear(weights, bias):
    """Logits = image @ weights + bias, as a Keras model of images (1, d, 1)."""
    import keras

    inputs = keras.Input((1, len(weights), 1))
    model = keras.Model(inputs, keras.layers.Dense(len(bias))(keras.layers.Flatten()(inputs)))
    model.set_weights([weights, bias])
    return model


@pytest.fixture
def regression(hw14):
    """A linear model, pixels uint8 (n, 1, 5, 1) and labels; n is no multiple of a chunk."""
    rng = np.random.default_rng(0)
    weights, bias = rng.normal(0, 0.3, (5, 10)), rng.normal(0, 0.3, 10)
    images = rng.integers(0, 4, (2 * hw14.importance.CHUNK + 7, 1, 5, 1)).astype(np.uint8)
    labels = rng.integers(0, 10, len(images))
    x = images.reshape(-1, 5).astype(float)
    logits = x @ weights + bias
    return linear(weights, bias), images, labels, x, logits


def softmax(logits):
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


# --- importances ----------------------------------------------------------


def test_the_fisher_of_a_logistic_regression_meets_the_closed_form(hw14, regression):
    """The gradient of log p(y) is x (y - p); its square, averaged."""
    model, images, labels, x, logits = regression
    kernel, bias = hw14.importance.fisher(model, images, labels)
    error = np.square(np.eye(10)[labels] - softmax(logits))  # (n, 10)
    np.testing.assert_allclose(kernel, np.square(x).T @ error / len(x), rtol=1e-4)
    np.testing.assert_allclose(bias, error.mean(axis=0), rtol=1e-4)


def test_labels_drawn_from_the_model_give_the_true_fisher(hw14, regression):
    """Over its own labels, E[(y - p)^2] = p (1 - p)."""
    model, images, _, x, logits = regression
    drawn = [hw14.importance.draw_labels(logits, np.random.default_rng(seed)) for seed in range(2000)]
    shares = np.mean([np.eye(10)[labels] for labels in drawn], axis=0)
    np.testing.assert_allclose(shares, softmax(logits), atol=0.06)
    many = np.tile(images[:40], (100, 1, 1, 1))
    labels = np.concatenate([labels[:40] for labels in drawn[:100]])
    kernel, _ = hw14.importance.fisher(model, many, labels)
    p = softmax(logits[:40])
    np.testing.assert_allclose(kernel, np.square(x[:40]).T @ (p * (1 - p)) / 40, rtol=0.1, atol=0.03)


def test_mas_of_a_linear_model(hw14, regression):
    model, images, _, x, logits = regression
    kernel, bias = hw14.importance.mas(model, images)
    np.testing.assert_allclose(kernel, np.abs(x).T @ np.abs(2 * logits) / len(x), rtol=1e-4)
    np.testing.assert_allclose(bias, np.abs(2 * logits).mean(axis=0), rtol=1e-4)


def test_scp_is_the_mean_over_drawn_directions(hw14, regression):
    """d (xi . mean f) / dW = mean x times xi: squared and averaged over xi on the unit sphere."""
    model, images, _, x, _ = regression
    kernel, bias = hw14.importance.scp(model, images)
    xi = np.random.default_rng(0).normal(size=(200_000, 10))
    xi /= np.linalg.norm(xi, axis=1, keepdims=True)
    squares = np.square(xi).mean(axis=0)
    np.testing.assert_allclose(kernel, np.outer(np.square(x.mean(axis=0)), squares), rtol=0.02)
    np.testing.assert_allclose(bias, squares, rtol=0.02)


@pytest.mark.parametrize("permuted", [False, True])
def test_gradients_at_once_equal_a_loop(hw14, permuted):
    import tensorflow as tf

    shape = (28, 28, 1) if permuted else (32, 32, 3)
    model, rng = hw14.model.build_model(shape, permuted), np.random.default_rng(0)
    images = tf.constant(rng.uniform(0, 255, (4, *shape)), tf.float32)
    labels = tf.constant(rng.integers(0, 10, 4))
    for loss in (hw14.importance.cross_entropy, hw14.importance.squared_length):
        at_once = hw14.importance.per_example_gradients(model, loss, images, labels)
        for number in range(4):
            with tf.GradientTape() as tape:
                value = loss(model(images[number : number + 1]), labels[number : number + 1])[0]
            for one, many in zip(tape.gradient(value, model.trainable_variables), at_once, strict=True):
                np.testing.assert_allclose(many[number], one, atol=1e-4 * np.abs(one).max())


# --- the penalty ----------------------------------------------------------


def held(hw14, strength=3.0, values=((1.0, -2.0), (0.5,))):
    import tensorflow as tf

    weights = [tf.Variable(value, dtype=tf.float32) for value in values]
    return weights, hw14.penalty.Penalty(weights, strength)


def slope(weights, penalty):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        value = penalty()
    return float(value), np.concatenate([np.ravel(g) for g in tape.gradient(value, weights)])


def test_the_penalty_is_0_at_its_anchor_and_its_gradient_is_that_of_a_parabola(hw14):
    weights, penalty = held(hw14)
    assert slope(weights, penalty)[0] == 0
    penalty.add([np.array([2.0, 0.0]), np.array([5.0])])
    value, gradient = slope(weights, penalty)
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)
    weights[0].assign([2.0, 7.0])
    weights[1].assign([0.0])
    value, gradient = slope(weights, penalty)
    assert value == pytest.approx(3 / 2 * (2 * 1**2 + 0 * 9**2 + 5 * 0.5**2))
    np.testing.assert_allclose(gradient, 3 * np.array([2 * 1, 0, 5 * -0.5]))


def test_one_parabola_is_the_sum_of_all(hw14):
    rng = np.random.default_rng(0)
    weights, penalty = held(hw14)
    known = []
    for _ in range(4):
        weights[0].assign(rng.normal(size=2))
        weights[1].assign(rng.normal(size=1))
        importance = [rng.uniform(0, 1, 2) * [1, 0], rng.uniform(0, 1, 1)]  # one weight never matters
        known.append((importance, [weight.numpy() for weight in weights]))
        penalty.add(importance)
    for _ in range(3):
        weights[0].assign(rng.normal(size=2))
        weights[1].assign(rng.normal(size=1))
        by_hand = [
            sum(3 * f[index] * (weights[index].numpy() - w[index]) for f, w in known) for index in (0, 1)
        ]
        np.testing.assert_allclose(slope(weights, penalty)[1], np.concatenate(by_hand), atol=1e-5)


def test_the_latest_anchor_and_faded_importances(hw14):
    weights, penalty = held(hw14, 1.0)
    penalty.add([np.array([2.0, 4.0]), np.array([1.0])], decay=0.5, latest=True)
    weights[0].assign([0.0, 0.0])
    penalty.add([np.array([1.0, 0.0]), np.array([1.0])], decay=0.5, latest=True)
    assert slope(weights, penalty)[0] == 0
    weights[0].assign([1.0, 1.0])
    np.testing.assert_allclose(slope(weights, penalty)[1], [2.0, 2.0, 0.0])


# --- metrics --------------------------------------------------------------

BY_HAND = [[0.1, 0.1, 0.1], [0.9, 0.2, 0.1], [0.95, 0.8, 0.3], [0.5, 0.6, 0.7]]


def test_metrics_by_hand(hw14_light):
    metrics = hw14_light.metrics
    assert metrics.average_accuracy(BY_HAND) == pytest.approx(0.6)
    assert metrics.forgetting(BY_HAND) == pytest.approx((0.45 + 0.2) / 2)  # 0.95 is from after the second
    assert metrics.backward_transfer(BY_HAND) == pytest.approx((-0.4 - 0.2) / 2)
    assert metrics.forgetting([[0.1], [0.9]]) == metrics.backward_transfer([[0.1], [0.9]]) == 0
    assert metrics.forgetting([[0.9, 0.1], [0.8, 0.1], [0.7, 0.9]]) == pytest.approx(0.1)


def test_cross_entropy_and_accuracy_by_hand(hw14_light):
    metrics = hw14_light.metrics
    logits = np.array([[0, np.log(3)], [np.log(4), 0]])
    assert metrics.mean_cross_entropy(logits, np.array([1, 1])) == pytest.approx(
        -np.log([3 / 4, 1 / 5]).mean()
    )
    three = np.array([[0, 3], [4, 0], [0, 1]])
    assert metrics.accuracy(three, np.array([1, 1, 1])) == pytest.approx(2 / 3)
    assert metrics.mean_cross_entropy(np.zeros((3, 10)), np.arange(3)) == pytest.approx(np.log(10))
    huge = np.array([[1000.0, 0.0]], np.float32)
    assert metrics.mean_cross_entropy(huge, np.array([1])) == pytest.approx(1000)


# --- tasks ----------------------------------------------------------------


def test_names_of_tasks(hw14_light):
    expand = hw14_light.tasks.expand
    assert expand(["usps", "permuted:2", "mnist"]) == ["usps", "permuted-1", "permuted-2", "mnist"]
    assert hw14_light.tasks.only_permuted(expand(["permuted:3"]))
    assert not hw14_light.tasks.only_permuted(expand(["permuted:3", "mnist"]))


def test_a_permutation_is_undone_by_its_inverse(hw14_light, whole_set):
    tasks = hw14_light.tasks
    first, second = tasks.permutation(0, 1), tasks.permutation(0, 2)
    assert (first != second).any()
    assert (first != tasks.permutation(1, 1)).any()
    np.testing.assert_array_equal(np.sort(first), np.arange(784))
    plain = tasks.load_tasks(whole_set, ["mnist"], grey=True)[0]
    one, two = tasks.load_tasks(whole_set, ["permuted-1", "permuted-2"])
    for found, order in ((one, first), (two, second)):
        for part in ("train", "validation", "test"):
            images, labels = getattr(found, part)
            assert (images != getattr(plain, part)[0]).any()
            undone = tasks.permute(images[..., 0], np.argsort(order))[..., None]
            np.testing.assert_array_equal(undone, getattr(plain, part)[0])
            np.testing.assert_array_equal(labels, getattr(plain, part)[1])


@pytest.mark.parametrize(("grey", "shape"), [(False, (32, 32, 3)), (True, (28, 28, 1))])
def test_tasks_have_one_shape_and_share_no_image(hw14_light, whole_set, grey, shape):
    for task in hw14_light.tasks.load_tasks(whole_set, ["usps", "mnist", "svhn"], grey):
        assert [len(labels) for _, labels in (task.train, task.validation, task.test)] == [540, 60, 200]
        seen = set()
        for images, labels in (task.train, task.validation, task.test):
            assert images.shape == (len(labels), *shape)
            assert images.dtype == np.uint8
            seen |= {image.tobytes() for image in images}
        assert len(seen) == 800
    few = hw14_light.tasks.load_tasks(whole_set, ["usps"], grey, seed=5, examples=7)[0]
    all_of_it = hw14_light.tasks.load_tasks(whole_set, ["usps"], grey)[0]
    np.testing.assert_array_equal(few.train[0], all_of_it.train[0][:7])
    np.testing.assert_array_equal(few.validation[0], all_of_it.validation[0])
    assert len(few.test[1]) == 200


def test_a_sorted_file_is_mixed_before_it_is_split(hw14_light, whole_set, tmp_path):
    with np.load(whole_set / "mnist.npz") as file:
        arrays = dict(file)
    order = np.argsort(arrays["y_train"], kind="stable")
    arrays["x_train"], arrays["y_train"] = arrays["x_train"][order], arrays["y_train"][order]
    np.savez(tmp_path / "mnist.npz", **arrays)
    task = hw14_light.tasks.load_tasks(tmp_path, ["mnist"], examples=200)[0]
    assert len(set(task.train[1])) == len(set(task.validation[1])) == 10


def test_images_keep_their_place_and_their_labels(hw14_light, tmp_path):
    """A bright spot in the corner, a colour, a digit: through the file and the margin."""
    x = np.zeros((32, 32, 3, 12), np.uint8)
    x[0, 1, 2, 3] = 200  # row 0, column 1, blue, image 3
    for part in ("train", "test"):
        y = np.array([10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1])[:, None]
        scipy.io.savemat(tmp_path / f"{part}_32x32.mat", {"X": x, "y": y})
    (images, labels), _ = hw14_light.dataset.read_svhn(tmp_path)
    assert images[3, 0, 1, 2] == 200
    assert images.sum() == 200
    assert list(labels) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    small = np.zeros((1, 28, 28), np.uint8)
    small[0, 0, 27] = 9
    large = hw14_light.tasks.reshape(small, grey=False)
    assert large[0, 2, 29].tolist() == [9, 9, 9]
    assert large.sum() == 27
    usps = hw14_light.tasks.reshape(np.full((1, 16, 16), 7, np.uint8), grey=True)
    assert usps[0, 6:22, 6:22, 0].min() == 7
    assert usps.sum() == 7 * 256
    white = hw14_light.tasks.reshape(np.full((1, 32, 32, 3), 255, np.uint8), grey=True)
    assert white.min() == 255


def test_usps_is_the_same_from_both_files(hw14_light, whole_set, tmp_path):
    plain = hw14_light.dataset.read_usps(whole_set)
    for (images, labels), name in zip(plain, ("usps", "usps.t")):
        values = images.reshape(len(images), -1) / 127.5 - 1
        dump_svmlight_file(values, labels + 1, str(tmp_path / name), zero_based=False)
        (tmp_path / f"{name}.bz2").write_bytes(bz2.compress((tmp_path / name).read_bytes()))
    for ours, theirs in zip(hw14_light.dataset.read_usps(tmp_path), plain):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])
    with h5py.File(whole_set / "usps.h5") as file:
        np.testing.assert_allclose(plain[0][0].reshape(-1, 256) / 255, file["train/data"][()], atol=1e-6)


# --- the training ---------------------------------------------------------


def fitted(hw14, whole_set, folder, *flags):
    """fit() as train.main() calls it, on the shared set: args, model, tasks, progress."""
    import keras

    args = hw14.train.parse_args([*TRIAL, "--out-dir", str(folder), *flags])
    folder.mkdir(exist_ok=True)
    names = hw14.tasks.expand(args.tasks)
    tasks = hw14.tasks.load_tasks(whole_set, names, args.grey, args.seed, args.examples)
    keras.utils.set_random_seed(args.seed)
    model = hw14.model.build_model(tasks[0].train[0].shape[1:], hw14.tasks.only_permuted(names))
    return args, model, tasks, hw14.training.fit(args, model, tasks)


def test_strength_0_equals_naive(hw14, whole_set, tmp_path):
    flags = ["--tasks", "permuted:2", "--method"]
    _, naive, _, before = fitted(hw14, whole_set, tmp_path / "naive", *flags, "naive")
    _, loose, _, after = fitted(hw14, whole_set, tmp_path / "ewc", *flags, "ewc", "--strength", "0")
    assert before.accuracy == after.accuracy
    assert before.cross_entropy == after.cross_entropy
    for ours, theirs in zip(naive.get_weights(), loose.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_rows_of_the_matrix_are_after_each_task_on_the_test_parts(hw14, whole_set, tmp_path):
    args, model, tasks, progress = fitted(hw14, whole_set, tmp_path)
    assert np.shape(progress.accuracy) == np.shape(progress.cross_entropy) == (3, 2)
    metrics, logits_of = hw14.metrics, hw14.metrics.logits_of
    for task, accuracy, loss in zip(tasks, progress.accuracy[-1], progress.cross_entropy[-1]):
        found = logits_of(model, task.test[0]), task.test[1]
        assert (accuracy, loss) == (metrics.accuracy(*found), metrics.mean_cross_entropy(*found))
    assert progress.cross_entropy[0] == pytest.approx([np.log(10)] * 2, abs=0.3)
    assert progress.cross_entropy[1][0] < progress.cross_entropy[0][0]  # the first task is learnt first
    assert progress.cross_entropy[2][1] < progress.cross_entropy[1][1]
    assert [(row["task"], row["steps"]) for row in progress.history] == [(1, 4), (1, 8), (2, 12), (2, 16)]
    for row in progress.history[:2]:
        assert row["penalty"] == 0
    assert progress.history[-1]["penalty"] > 0


def test_each_stage_begins_anew_and_sees_each_image_once_an_epoch(hw14, whole_set, tmp_path, monkeypatch):
    """The optimiser's moments are gone, and the rate is full again; the batches are the stage's images."""
    seen, make_step = [], hw14.training.make_step

    def watching(model, optimizer, penalty):
        step = make_step(model, optimizer, penalty)

        def call(images, labels):
            moments = max(np.abs(v.numpy()).max() for v in optimizer.variables[2:])
            seen.append((float(optimizer.learning_rate.numpy()), moments, list(labels), images))
            return step(images, labels)

        return call

    monkeypatch.setattr(hw14.training, "make_step", watching)
    args, _, tasks, _ = fitted(hw14, whole_set, tmp_path, "--tasks", "permuted:2")
    rates = args.learning_rate * (1 - np.arange(8) / 8)
    np.testing.assert_allclose([rate for rate, *_ in seen], [*rates, *rates], rtol=1e-5)
    assert [moments == 0 for _, moments, *_ in seen] == [number in (0, 8) for number in range(16)]
    for epoch, task in enumerate([tasks[0], tasks[0], tasks[1], tasks[1]]):
        batches = seen[4 * epoch : 4 * epoch + 4]
        images = np.concatenate([batch[-1] for batch in batches])
        assert {p.tobytes() for p in images} == {p.tobytes() for p in task.train[0]}
        assert len(images) == 64
    assert seen[0][2] != seen[4][2]  # another order in each epoch


def test_what_each_method_learns_from(hw14, whole_set, tmp_path):
    parse, tasks = hw14.train.parse_args, hw14.tasks.load_tasks(whole_set, ["svhn", "mnist", "usps"])
    (together,) = hw14.training.stages_of(parse(["--method", "joint"]), tasks)
    assert len(together.labels) == len(together.images) == 3 * 540
    for method in ("naive", "ewc"):
        stages = hw14.training.stages_of(parse(["--method", method]), tasks)
        assert [(stage.name, stage.number, stage.memory) for stage in stages] == [
            ("svhn", 1, None),
            ("mnist", 2, None),
            ("usps", 3, None),
        ]
        for stage, task in zip(stages, tasks):
            assert stage.images is task.train[0]
            assert stage.labels is task.train[1]
    stages = hw14.training.stages_of(parse(["--method", "replay", "--memory", "30"]), tasks)
    assert stages[0].memory is None
    for stage in stages[1:]:
        earlier, size = tasks[: stage.number - 1], 30
        for part in (0, 1):
            expected = np.concatenate([task.train[part][:size] for task in earlier])
            np.testing.assert_array_equal(stage.memory[part], expected)


def test_replay_repeats_as_many_old_images(hw14, whole_set, tmp_path, monkeypatch):
    sizes, make_step = [], hw14.training.make_step

    def watching(*args):
        step = make_step(*args)
        return lambda images, labels: sizes.append(len(labels)) or step(images, labels)

    monkeypatch.setattr(hw14.training, "make_step", watching)
    fitted(hw14, whole_set, tmp_path, "--method", "replay", "--tasks", "permuted:2")
    assert sizes == [16] * 8 + [32] * 8


@pytest.mark.parametrize(
    ("flags", "name", "own", "latest", "decay"),
    [
        ("--method ewc", "fisher", True, False, 1.0),
        ("--method ewc --empirical", "fisher", False, False, 1.0),
        ("--method online-ewc", "fisher", True, True, 0.95),
        ("--method mas", "mas", None, True, 1.0),
        ("--method scp", "scp", None, True, 1.0),
    ],
)
def test_what_each_method_holds(hw14, whole_set, monkeypatch, flags, name, own, latest, decay):
    args = hw14.train.parse_args(["--synthetic", *flags.split()])
    (task,) = hw14.tasks.load_tasks(whole_set, ["mnist"], examples=100)
    stage, calls = hw14.training.Stage("mnist", 1, *task.train), []
    model = hw14.model.build_model((32, 32, 3), False)  # untrained: its own labels are others

    class Recorder:
        def add(self, importance, decay, latest):
            calls.append((importance, decay, latest))

    monkeypatch.setattr(hw14.training, name, lambda model, *arrays: arrays)
    hw14.training.consolidate(args, model, Recorder(), stage)
    ((images, *labels), *rest), *_ = calls
    assert rest == [decay, latest]
    np.testing.assert_array_equal(images, task.train[0])
    if own is not None:
        assert (labels[0] != task.train[1]).any() == own


def test_the_network_does_the_same_in_training_and_out_of_it(hw14):
    images = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype(np.float32)
    model = hw14.model.build_model((32, 32, 3), False)
    np.testing.assert_array_equal(model(images, training=True), model(images, training=False))
    assert len(model.weights) == len(model.trainable_weights)  # no running statistics
    np.testing.assert_allclose(
        hw14.metrics.logits_of(model, images.astype(np.uint8), batch=2), model(np.floor(images)), atol=1e-5
    )


# --- claims ---------------------------------------------------------------


@pytest.mark.full
def test_what_is_held_is_forgotten_less(hw14, tmp_path):
    found = {}
    for method in ("naive", "ewc"):
        argv = ["--synthetic", "--examples", "300", "--tasks", "svhn", "mnist", "--out-dir", str(tmp_path)]
        found[method] = hw14.train.main([*argv, "--method", method])
    assert found["naive"]["forgetting"] > 0.3
    assert found["ewc"]["forgetting"] < found["naive"]["forgetting"] - 0.2
    assert found["ewc"]["score"] > found["naive"]["score"] + 0.1


def test_predictions_are_those_that_were_scored(hw14, tmp_path):
    argv = ["--synthetic", "--out-dir", str(tmp_path)]
    metrics = hw14.train.main([*TRIAL[1:], "--method", "scp", "--grey", "--seed", "3", *argv])
    table = hw14.predict.main(argv)
    assert list(table.columns) == ["task", "id", "label"]
    for task, expected in zip(
        hw14.tasks.load_tasks(tmp_path / "synthetic", ["svhn", "mnist"], True), metrics["accuracy"][-1]
    ):
        rows = table[table.task == task.name]
        assert list(rows.id) == list(range(200))
        assert np.mean(rows.label.to_numpy() == task.test[1]) == expected
    matrix = pd.read_csv(tmp_path / "matrix.csv")
    assert list(matrix.columns) == ["measure", "after", "svhn", "mnist"]
    assert list(matrix.after) == ["random initialisation", "after svhn", "after mnist"] * 2
    np.testing.assert_allclose(matrix[["svhn", "mnist"]][3:], metrics["accuracy"])


def test_own_digits_are_read_after_each_task_and_what_was_forgotten_is_shown(hw14, tmp_path, capsys):
    argv = ["--synthetic", "--out-dir", str(tmp_path)]
    hw14.train.main([*TRIAL[1:], "--method", "naive", "--examples", "300", "--epochs", "3", *argv])
    for name, paper, ink in (("one.png", 255, 0), ("other.png", 40, 200)):
        image = Image.new("L", (200, 150), paper)
        image.paste(ink, (95, 30, 105, 120))
        image.save(tmp_path / name)
    digits = [hw14.dataset.read_digit(tmp_path / name) for name in ("one.png", "other.png")]
    np.testing.assert_array_equal(*digits)  # white on black, whatever it was
    assert digits[0].shape == (28, 28)
    assert np.ptp(np.flatnonzero(digits[0].max(axis=1))) == 19  # 20 pixels, in the middle
    assert digits[0].max() > 200
    image = Image.new("L", (200, 150), 255)
    image.paste(0, (95, 20, 97, 130))  # a line of two pixels
    image.save(tmp_path / "thin.png")
    assert hw14.dataset.read_digit(tmp_path / "thin.png").max() == 255
    capsys.readouterr()
    own = ["--picture", str(tmp_path / "one.png"), str(tmp_path / "other.png")]
    table = hw14.predict.main(["--out-dir", str(tmp_path), *own])
    assert list(table.after) == ["after svhn", "after mnist"] * 2
    assert list(table.digit[:2]) == list(table.digit[2:])
    last = hw14.predict.load_model(tmp_path / "model.keras", (32, 32, 3))
    image = hw14.tasks.reshape(digits[0][None], False)
    assert table.digit[1] == hw14.metrics.logits_of(last, image).argmax()
    assert "one.png: after svhn" in capsys.readouterr().out
    assert (tmp_path / "own.png").is_file()
    hw14.predict.main(argv)
    assert (tmp_path / "forgotten.png").is_file()  # of svhn, when mnist was learnt
    specks = np.full((3000, 3000), 255, np.uint8)
    specks[[10, 2990], [10, 2990]] = 0  # in a picture in which nothing is left of them
    Image.fromarray(specks).save(tmp_path / "one.png")
    check_sentence(hw14, capsys, [*argv, *own], "one.png: what is drawn is too thin", script="predict")
    Image.new("L", (20, 20), 90).save(tmp_path / "one.png")
    check_sentence(hw14, capsys, [*argv, *own], "one.png is of one colour", script="predict")
    (tmp_path / "after-1.keras").unlink()
    check_sentence(hw14, capsys, argv, "after-1.keras is missing", script="predict")


def test_the_networks_after_each_task_are_read_in_the_order_of_the_tasks(hw14, tmp_path):
    """Of eleven, where the names' own order would have after-10 before after-2."""
    argv = ["--synthetic", "--out-dir", str(tmp_path)]
    flags = ["--tasks", "permuted:11", "--method", "naive", "--examples", "20", "--epochs", "1"]
    hw14.train.main([*argv, *flags])
    Image.radial_gradient("L").save(tmp_path / "one.png")
    table = hw14.predict.main([*argv, "--picture", str(tmp_path / "one.png")])
    assert list(table.after) == [f"after permuted-{number}" for number in range(1, 12)]
    image = hw14.dataset.read_digit(tmp_path / "one.png")[None]
    image = hw14.tasks.permute(image, hw14.tasks.permutation(0, 1))  # as of the first task
    image = hw14.tasks.reshape(image, True)
    for number in (2, 10):
        model = hw14.predict.load_model(tmp_path / f"after-{number}.keras", (28, 28, 1))
        logits = hw14.metrics.logits_of(model, image)[0].astype(float)
        probability = np.exp(logits.max()) / np.exp(logits).sum()
        assert table.probability[number - 1] == pytest.approx(probability, abs=1e-4)


# --- going on -------------------------------------------------------------


def killer(function, count):
    """The function, until its count-th call raises KeyboardInterrupt."""
    calls = []

    def call(*args, **kwargs):
        calls.append(1)
        if len(calls) == count:
            raise KeyboardInterrupt
        return function(*args, **kwargs)

    return call


@pytest.mark.full
def test_a_training_that_was_killed_ends_with_the_same_numbers(hw14, whole_set, tmp_path, monkeypatch):
    flags = ["--method", "online-ewc", "--tasks", "permuted:2"]
    _, whole, _, expected = fitted(hw14, whole_set, tmp_path / "whole", *flags)
    for where, count in (("train_epoch", 4), ("consolidate", 1)):
        with monkeypatch.context() as patch:
            patch.setattr(hw14.training, where, killer(getattr(hw14.training, where), count))
            with pytest.raises(KeyboardInterrupt):
                fitted(hw14, whole_set, tmp_path / where, *flags)
        _, resumed, _, progress = fitted(hw14, whole_set, tmp_path / where, *flags, "--resume")
        assert progress.accuracy == expected.accuracy
        assert progress.cross_entropy == expected.cross_entropy
        for row, other in zip(progress.history, expected.history, strict=True):
            assert {**row, "seconds": 0} == {**other, "seconds": 0}
        for ours, theirs in zip(resumed.get_weights(), whole.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert {path.name for path in (tmp_path / where).iterdir()} == {"checkpoint.npz", "after-1.keras"}


def test_a_checkpoint_of_another_training(hw14, tmp_path, capsys):
    argv = [*TRIAL, "--epochs", "1", "--tasks", "mnist", "--out-dir", tmp_path]
    hw14.train.main([str(argument) for argument in argv])
    capsys.readouterr()
    for flags in ("--strength 5", "--seed 1", "--method mas", "--grey"):
        check_sentence(hw14, capsys, [*argv, *flags.split(), "--resume"], "checkpoint.npz", "expected")
    whole = (tmp_path / "checkpoint.npz").read_bytes()
    for spoilt in (whole[: len(whole) // 2], b"", b"not a zip file"):
        (tmp_path / "checkpoint.npz").write_bytes(spoilt)
        check_sentence(hw14, capsys, [*argv, "--resume"], "checkpoint.npz is damaged")


def test_not_a_number_stops_with_the_last_good_files(hw14, tmp_path, capsys, monkeypatch):
    train_epoch, calls = hw14.training.train_epoch, []

    def diverge(*args):
        calls.append(1)
        losses = train_epoch(*args)
        return [np.nan, 0.0] if len(calls) == 3 else losses

    monkeypatch.setattr(hw14.training, "train_epoch", diverge)
    argv = [*TRIAL, "--tasks", "permuted:2", "--method", "naive", "--out-dir", tmp_path]
    check_sentence(hw14, capsys, argv, "epoch 3", "not a number", "--strength")
    metrics = hw14.train.main([*map(str, argv), "--resume"])
    assert len(calls) == 3 + 2
    assert np.isfinite(metrics["score"])


# --- bad input: one sentence, status 2, nothing half-written --------------


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--tasks cifar", ["--tasks cifar", "expected mnist, svhn, usps"]),
        ("--tasks permuted:0", ["--tasks permuted:0", "from 1"]),
        ("--tasks permuted:51", ["--tasks permuted:51"]),
        ("--tasks permuted", ["--tasks permuted"]),
        ("--tasks", ["--tasks is empty"]),
        ("--tasks mnist svhn mnist", ["expected each task once"]),
        ("--strength -0.1", ["--strength -0.1", "at least 0"]),
        ("--strength nan", ["--strength nan"]),
        ("--strength inf", ["--strength inf"]),
        ("--method naive --strength 1", ["--strength is not used by --method naive"]),
        ("--method mas --empirical", ["--empirical is not used by --method mas"]),
        ("--examples 0", ["--examples 0"]),
        ("--epochs 0", ["--epochs 0"]),
        ("--batch-size 0", ["--batch-size 0"]),
        ("--learning-rate 0", ["--learning-rate 0"]),
        ("--seed -1", ["--seed -1"]),
    ],
)
def test_bad_flags(hw14_light, tmp_path, capsys, flags, words):
    argv = ["--synthetic", "--out-dir", tmp_path / "out", *flags.split()]
    check_sentence(hw14_light, capsys, argv, *words)
    assert not (tmp_path / "out").exists()


def spoil_npz(**changes):
    def spoil(folder):
        with np.load(folder / "mnist.npz") as file:
            arrays = dict(file)
        for key, change in changes.items():
            found = change(arrays[key])
            arrays = {name: found if name == key else array for name, array in arrays.items()}
        np.savez(folder / "mnist.npz", **{name: array for name, array in arrays.items() if array is not None})

    return spoil


def spoil_mat(key, change):
    def spoil(folder):
        found = scipy.io.loadmat(folder / "train_32x32.mat", variable_names=["X", "y"])
        arrays = {name: found[name] for name in ("X", "y")}
        arrays[key] = change(arrays[key])
        scipy.io.savemat(folder / "train_32x32.mat", {k: v for k, v in arrays.items() if v is not None})

    return spoil


def spoil_h5(key, change):
    def spoil(folder):
        with h5py.File(folder / "usps.h5", "r+") as file:
            found = change(file[key][()])
            del file[key]
            if found is not None:
                file[key] = found

    return spoil


def with_entry(value, index=0):
    def change(array):
        array = array.copy()
        array.flat[index] = value
        return array

    return change


def cut(name, share=0.5):
    def spoil(folder):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: int(len(whole) * share)])

    return spoil


BAD_FILES = {
    "mnist missing": ("mnist", lambda folder: (folder / "mnist.npz").unlink(), ["mnist.npz is missing"]),
    "mnist cut": ("mnist", cut("mnist.npz"), ["mnist.npz is cut short"]),
    "mnist empty file": ("mnist", cut("mnist.npz", 0), ["mnist.npz is cut short"]),
    "mnist without labels": ("mnist", spoil_npz(y_train=lambda y: None), ["y_train is missing"]),
    "mnist shape": ("mnist", spoil_npz(x_train=lambda x: x[:, :27]), ["uint8", "28 x 28"]),
    "mnist floats": ("mnist", spoil_npz(x_train=lambda x: x / 255), ["float64", "expected uint8"]),
    "mnist label": ("mnist", spoil_npz(y_test=with_entry(10, 4)), ["label 4 is 10", "expected 0 to 9"]),
    "mnist fewer labels": ("mnist", spoil_npz(y_train=lambda y: y[1:]), ["(599,)", "600 images"]),
    "mnist no test": (
        "mnist",
        spoil_npz(x_test=lambda x: x[:0], y_test=lambda y: y[:0]),
        ["mnist.npz holds no images"],
    ),
    "mnist too few": (
        "permuted:2",
        spoil_npz(x_train=lambda x: x[:9], y_train=lambda y: y[:9]),
        ["mnist has 9 training images, expected at least 10"],
    ),
    "svhn missing": ("svhn", lambda folder: (folder / "test_32x32.mat").unlink(), ["test_32x32.mat is miss"]),
    "svhn cut": ("svhn", cut("train_32x32.mat"), ["train_32x32.mat is cut short"]),
    "svhn no X": ("svhn", spoil_mat("X", lambda x: None), ["X is missing"]),
    "svhn grey": ("svhn", spoil_mat("X", lambda x: x[:, :, 0]), ["(32, 32, 600)", "(32, 32, 3, N)"]),
    "svhn order": ("svhn", spoil_mat("X", lambda x: np.moveaxis(x, -1, 0)), ["expected uint8, 32 x 32 x 3"]),
    "svhn label 0": ("svhn", spoil_mat("y", with_entry(0, 2)), ["label 2 is 0", "expected 1 to 10"]),
    "svhn label 11": ("svhn", spoil_mat("y", with_entry(11)), ["label 0 is 11"]),
    "usps cut": ("usps", cut("usps.h5"), ["usps.h5 is cut short"]),
    "usps no data": ("usps", spoil_h5("test/data", lambda x: None), ["test/data is missing"]),
    "usps NaN": ("usps", spoil_h5("train/data", with_entry(np.nan, 256 * 3 + 5)), ["row 3, column 5", "nan"]),
    "usps range": ("usps", spoil_h5("train/data", with_entry(-0.5)), ["-0.5", "expected 0 to 1"]),
    "usps shape": ("usps", spoil_h5("train/data", lambda x: x[:, :255]), ["(600, 255)", "(N, 256)"]),
    "usps label": ("usps", spoil_h5("train/target", with_entry(-1)), ["label 0 is -1"]),
    "usps NaN label": ("usps", spoil_h5("train/target", lambda y: y * np.nan), ["label 0 is nan"]),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files(hw14_light, whole_set, tmp_path, capsys, case):
    task, spoil, words = BAD_FILES[case]
    folder = shutil.copytree(whole_set, tmp_path / "data")
    spoil(folder)
    argv = ["--data-dir", folder, "--out-dir", tmp_path / "out", "--tasks", task]
    check_sentence(hw14_light, capsys, argv, "README.md, or try --synthetic", *words)
    assert not list((tmp_path / "out").iterdir())


def test_a_file_of_another_name_is_named(hw14_light, whole_set, tmp_path, capsys):
    (tmp_path / "MNIST").mkdir()
    shutil.copy(whole_set / "mnist.npz", tmp_path / "MNIST" / "MNIST.npz")
    shutil.copy(whole_set / "usps.h5", tmp_path / "usps.t.bz2")
    argv = ["--data-dir", tmp_path, "--out-dir", tmp_path / "out", "--tasks"]
    there = f"but there is {tmp_path / 'MNIST' / 'MNIST.npz'}: rename it, or name its folder by --data-dir"
    check_sentence(hw14_light, capsys, [*argv, "permuted:2"], "mnist.npz is missing", there)
    check_sentence(hw14_light, capsys, [*argv, "usps"], "usps.bz2 is missing; see")  # the other is the test


@pytest.mark.parametrize(
    "edit",
    [
        {"seed": float("inf")},
        {"seed": "9" * 5000},
        {"seed": None},
        {"tasks": 3},
        {"tasks": [["mnist"]]},
        {"tasks": ["cifar"]},
    ],
)
def test_metrics_edited_by_hand(hw14_light, tmp_path, capsys, edit):
    (tmp_path / "model.keras").write_bytes(b"never read")
    known = {"tasks": ["mnist"], "grey": False, "seed": 0}
    write_metrics(hw14_light, tmp_path, "model.keras", **(known | edit))
    argv = ["--out-dir", tmp_path]
    check_sentence(hw14_light, capsys, argv, "metrics.json is not of this chapter", script="predict")


def test_bad_libsvm_files(hw14_light, whole_set, tmp_path, capsys):
    (tmp_path / "usps.bz2").write_bytes(bz2.compress(b"11 1:0.5 256:-1\n"))
    argv = ["--data-dir", tmp_path, "--out-dir", tmp_path / "out", "--tasks", "usps"]
    check_sentence(hw14_light, capsys, argv, "usps.bz2", "label 0 is 11", "expected 1 to 10")
    (tmp_path / "usps.bz2").write_bytes(b"BZh9 not really")
    check_sentence(hw14_light, capsys, argv, "usps.bz2 is cut short")


def test_models_of_another_training(hw14, tmp_path, capsys):
    argv = ["--synthetic", "--out-dir", tmp_path]
    check_sentence(hw14, capsys, argv, "run train.py --synthetic first", script="predict")
    hw14.train.main([*TRIAL, "--epochs", "1", "--tasks", "mnist", "--out-dir", str(tmp_path)])
    capsys.readouterr()
    whole = (tmp_path / "model.keras").read_bytes()
    for spoilt in (whole[: len(whole) // 2], b"", b"not a zip file"):
        (tmp_path / "model.keras").write_bytes(spoilt)
        check_sentence(hw14, capsys, argv, "model.keras and metrics.json are of two", script="predict")
        with pytest.raises(hw14.scaffold.BadInput, match="no whole Keras model"):
            hw14.predict.load_model(tmp_path / "model.keras", (32, 32, 3))
    hw14.model.build_model((28, 28, 1), False).save(tmp_path / "model.keras")
    with pytest.raises(hw14.scaffold.BadInput, match="reads images .28, 28, 1., expected .32, 32, 3."):
        hw14.predict.load_model(tmp_path / "model.keras", (32, 32, 3))
    (tmp_path / "model.keras").unlink()
    check_sentence(
        hw14, capsys, argv, "model.keras is missing; run train.py --synthetic first", script="predict"
    )
    (tmp_path / "metrics.json").write_text("{")
    (tmp_path / "model.keras").write_bytes(whole)
    check_sentence(hw14, capsys, argv, "metrics.json is not what train.py wrote", script="predict")
    assert not (tmp_path / "predictions.csv").exists()


# --- settings that reach the method -----------------------------------------


def test_what_is_repeated_keeps_its_label(hw14, whole_set, tmp_path, monkeypatch):
    pairs, make_step = set(), hw14.training.make_step

    def watching(*args):
        step = make_step(*args)

        def call(images, labels):
            pairs.update((image.tobytes(), int(label)) for image, label in zip(images, labels))
            return step(images, labels)

        return call

    monkeypatch.setattr(hw14.training, "make_step", watching)
    _, _, tasks, _ = fitted(hw14, whole_set, tmp_path, "--method", "replay", "--tasks", "permuted:2")
    known = {(image.tobytes(), int(label)) for task in tasks for image, label in zip(*task.train)}
    assert pairs <= known


def test_the_history_is_of_the_validation_parts(hw14, whole_set, tmp_path):
    _, model, tasks, progress = fitted(hw14, whole_set, tmp_path)
    for task in tasks:
        found = hw14.training.logits_of(model, task.validation[0])
        expected = hw14.metrics.accuracy(found, task.validation[1])
        assert progress.history[-1][f"accuracy_{task.name}"] == expected


def test_own_labels_are_drawn_and_not_the_likeliest(hw14, whole_set, monkeypatch):
    """An untrained network finds all ten nearly as likely: it draws each about as often."""
    args = hw14.train.parse_args(["--synthetic", "--method", "ewc"])
    (task,) = hw14.tasks.load_tasks(whole_set, ["mnist"], examples=300)
    model, drawn = hw14.model.build_model((32, 32, 3), False), []
    monkeypatch.setattr(hw14.training, "fisher", lambda model, images, labels: drawn.append(labels))
    penalty = type("Nothing", (), {"add": lambda *_, **__: None})()
    hw14.training.consolidate(args, model, penalty, hw14.training.Stage("mnist", 1, *task.train))
    predicted = hw14.training.logits_of(model, task.train[0]).argmax(axis=1)
    assert np.mean(drawn[0] == predicted) < 0.5
    assert len(set(drawn[0].tolist())) == 10
