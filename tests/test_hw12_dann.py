"""Homework 12: the reversal by hand, the ablation to the digit, a shift undone, views, and bad input."""

import json
import shutil
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from conftest import check_sentence
from PIL import Image, ImageDraw

CHAPTER = "hw12_dann"


@pytest.fixture
def hw12(load_chapter):
    return load_chapter(CHAPTER)


@pytest.fixture
def settles_soon(hw12, monkeypatch):
    """Few batches for the moving statistics: they need not be right here."""
    monkeypatch.setattr(hw12.model, "SETTLING", 5)


@pytest.fixture
def hw12_light(load_chapter):
    """The modules that need no Keras."""
    return load_chapter(CHAPTER, "dataset", "edges", "train", "predict")


class Same:
    """Views that change nothing, for vectors."""

    def weak(self, vectors, generator):
        return vectors

    strong = weak


def dense(sizes, name):
    """A chain of layers, ReLU in between."""
    import keras

    hidden = inputs = keras.Input((sizes[0],))
    for size in sizes[1:-1]:
        hidden = keras.layers.Dense(size, activation="relu")(hidden)
    return keras.Model(inputs, keras.layers.Dense(sizes[-1])(hidden), name=name)


def none(count):
    """No pseudo-labels."""
    return np.full(count, -1, np.int32)


def on_vectors(hw12, strength, steps, seed=0, rate=0.01):
    """A DomainAdversary of points in the plane, two classes, compiled."""
    import keras

    keras.utils.set_random_seed(seed)
    parts = dense((2, 16, 8), "extractor"), dense((8, 2), "predictor"), dense((8, 16, 1), "discriminator")
    model = hw12.dann.DomainAdversary(*parts, Same(), steps, strength, seed=seed)
    model.compile(keras.optimizers.Adam(rate, beta_1=0.5), jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model


# --- the reversal ---------------------------------------------------------


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_the_reversal_is_the_identity_forward_and_minus_lambda_backward(hw12, strength):
    import tensorflow as tf

    values = tf.Variable(np.arange(6.0).reshape(2, 3), dtype=tf.float32)
    factors = np.array([[1.0, -2.0, 3.0], [0.5, 0.0, 7.0]], np.float32)

    @tf.function
    def forward_and_backward(strength):
        with tf.GradientTape() as tape:
            out = hw12.dann.reverse_gradient(values * 2, strength)
            total = tf.reduce_sum(out * factors)
        return out, tape.gradient(total, values)

    out, gradient = forward_and_backward(tf.constant(strength))
    np.testing.assert_array_equal(out, 2 * values.numpy())
    np.testing.assert_allclose(gradient, -strength * 2 * factors)


def test_the_schedule_of_the_paper(hw12):
    progress = np.array([0.0, 0.1, 0.5, 1.0], np.float32)
    found = np.array(hw12.dann.schedule(progress))
    np.testing.assert_allclose(found, np.tanh(5 * progress), rtol=1e-5, atol=1e-7)  # the same, rewritten


def test_the_strength_follows_the_steps_of_the_training(hw12):
    model = on_vectors(hw12, None, steps=4)
    x, y = np.zeros((8, 2), np.float32), np.zeros(8, np.int32)
    assert float(model.current_strength()) == 0
    model.fit((x, x, none(8)), y, batch_size=4, epochs=1, verbose=0)
    assert float(model.step) == 2
    assert float(model.current_strength()) == pytest.approx(np.tanh(5 * 0.5))


# --- lambda 0, and a shift ------------------------------------------------


def clouds(count, shift, seed):
    """Two classes beside one another and their labels; shifted, the second lies where the first was."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    points = rng.normal(0, 0.35, (count, 2)) + np.stack([2.0 * labels - 1, 0 * labels], axis=1)
    return (points + shift).astype(np.float32), labels.astype(np.int32)


def accuracy(model, points, labels):
    import keras

    logits = keras.ops.convert_to_numpy(model.predictor(model.extractor(points)))
    return np.mean(logits.argmax(axis=1) == labels)


def test_at_lambda_0_dann_is_training_on_the_source_alone(hw12):
    """The same weights as fit() of the two networks that classify, which never meet the target."""
    import keras

    (source, labels), (target, _) = clouds(64, 0.0, 0), clouds(64, 3.0, 1)
    dann = on_vectors(hw12, 0.0, steps=16)
    alone = on_vectors(hw12, 0.0, steps=16)
    classifier = keras.Sequential([alone.extractor, alone.predictor])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(keras.optimizers.Adam(0.01, beta_1=0.5), loss, jit_compile=False)
    before = classifier.get_weights()
    dann.fit((source, target, none(64)), labels, batch_size=16, epochs=4, shuffle=False, verbose=0)
    classifier.fit(source, labels, batch_size=16, epochs=4, shuffle=False, verbose=0)
    ours = [*dann.extractor.get_weights(), *dann.predictor.get_weights()]
    for one, other, start in zip(ours, classifier.get_weights(), before, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
        assert np.abs(one - start).max() > 1e-3
    assert dann.means["domain_accuracy"].result() > 0.8  # the discriminator watched all the same


def test_a_shift_of_two_gaussians_is_undone(hw12):
    """The shift leads one class over the source's border; aligned features bring it back."""
    (source, labels), (target, answers) = clouds(256, 0.0, 0), clouds(256, (1.85, 2.0), 1)
    found = {}
    for strength in (0.0, None):
        model = on_vectors(hw12, strength, steps=8 * 30)
        model.fit((source, target, none(256)), labels, batch_size=32, epochs=30, verbose=0)
        found[strength] = accuracy(model, target, answers)
        assert accuracy(model, source, labels) > 0.95
    assert found[0.0] < 0.7
    assert found[None] > 0.9
    assert abs(model.means["domain_accuracy"].result() - 0.5) < 0.2


# --- pseudo-labels --------------------------------------------------------


def test_the_loss_of_pseudo_labels_is_of_those_that_are_there(hw12):
    import keras

    logits = keras.ops.convert_to_tensor(np.array([[1.0, 0.0], [1.0, 0.0], [9.0, 0.0]], np.float32))
    loss = hw12.dann.pseudo_loss(keras.ops.convert_to_tensor(np.array([0, 1, -1], np.int32)), logits)
    right, wrong = np.log(1 + np.exp(-1)), np.log(1 + np.exp(1))
    assert float(loss) == pytest.approx((right + wrong) / 3, rel=1e-5)


def test_pseudo_labels_are_learnt_from_strong_views_when_they_are_believed(hw12):
    found = {}
    for use_pseudo_labels in (False, True):
        model = on_vectors(hw12, 0.0, steps=100)
        model.use_pseudo_labels = use_pseudo_labels
        model.compile(model.optimizer, jit_compile=False)
        (source, labels), (target, _) = clouds(64, 0.0, 0), clouds(64, (0.0, 9.0), 1)
        model.fit((source, target, np.ones(64, np.int32)), labels, batch_size=16, epochs=25, verbose=0)
        found[use_pseudo_labels] = accuracy(model, target, 1)
        assert float(model.means["pseudo_loss"].result()) < 0.2
    assert found[True] == 1
    assert found[False] < 0.9


def test_the_teacher_is_the_mean_of_the_weights(hw12):
    model = on_vectors(hw12, 0.0, steps=100)
    assert not any(copy.trainable_variables for copy in model.teacher)
    seen, (points, labels) = [], clouds(64, 0.0, 0)

    class Watch(hw12.training.keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            seen.append(model.extractor.get_weights())

    model.fit((points, points, none(64)), labels, batch_size=16, epochs=2, verbose=0, callbacks=[Watch()])
    for kept, *weights in zip(model.teacher[0].get_weights(), *seen, strict=True):
        np.testing.assert_allclose(kept, np.mean(weights, axis=0), atol=1e-5)


def test_a_class_that_is_predicted_too_often_is_lowered(hw12):
    p = np.array([[0.8, 0.2], [0.6, 0.4], [0.7, 0.3], [0.7, 0.3]])
    found = hw12.pseudo_labels.balanced(p, np.array([0.5, 0.5]))
    ratio = np.sqrt(0.5 / 0.7) / np.sqrt(0.5 / 0.3)  # the root of the classes' shares
    np.testing.assert_allclose(found[:, 0] / found[:, 1], ratio * p[:, 0] / p[:, 1], rtol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_the_surest_of_each_class_are_chosen_and_no_more(hw12):
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.4, 0.6], [0.95, 0.05]])
    assert hw12.pseudo_labels.chosen(p, [2, 3]).tolist() == [0, -1, -1, 1, 0]


def test_images_that_look_alike_get_one_label(hw12):
    """Two bundles of features; in each a few probabilities are for the other class."""
    rng = np.random.default_rng(0)
    truth = np.arange(200) % 2
    features = np.stack([8.0 * truth - 4, np.full(200, 1.0)], axis=1) + rng.normal(0, 0.3, (200, 2))
    own = np.where(rng.random(200) < 0.2, 0.45, 0.7)  # one in five is wrong
    first = np.where(truth == 0, own, 1 - own)
    p = np.stack([first, 1 - first], axis=1)
    assert 0.75 < np.mean(p.argmax(axis=1) == truth) < 0.85
    found = hw12.pseudo_labels.pseudo_labels(p, features.astype(np.float32), np.array([0.5, 0.5]), 1.5)
    assert np.mean(found == truth) > 0.95
    some = hw12.pseudo_labels.pseudo_labels(p, features.astype(np.float32), np.array([0.5, 0.5]), 0.1)
    assert sorted(some[some >= 0]) == [0] * 10 + [1] * 10


def test_many_drawings_are_seen_in_fewer_epochs(hw12_light, tmp_path, monkeypatch):
    """The course's 100,000 drawings shall not take twelve times as long as 8,000."""
    folder = tmp_path / "real_or_drawing" / "test_data" / "0"
    folder.mkdir(parents=True)
    for number in range(50):
        (folder / f"{number:05d}.bmp").touch()
    flags = ["--data-dir", str(tmp_path)]
    for samples, epochs in ((800_000, 48), (500, 10), (50, 4)):
        monkeypatch.setattr(hw12_light.train, "SAMPLES", samples)
        assert hw12_light.train.parse_args(flags).epochs == epochs
    assert hw12_light.train.parse_args([*flags, "--epochs", "3"]).epochs == 3
    assert hw12_light.train.parse_args([*flags, "--pair", "nowhere", "--no-edges"]).epochs == 28


def test_neighbours_need_little_memory(hw12):
    """All pairs of 100,000 drawings would take 40 gigabytes."""
    points = np.random.default_rng(0).normal(size=(3000, 16)).astype(np.float32)
    tracemalloc.start()
    near = hw12.pseudo_labels.neighbours(points)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert near.shape == (3000, hw12.pseudo_labels.NEIGHBOURS)
    assert (near == np.arange(3000)[:, None]).any(axis=1).all(), "an image is not near itself"
    assert peak < 4 * 3000**2, "all angles at once"


def test_few_images_are_split_all_the_same(hw12_light):
    images, labels = np.zeros((9, 1, 4, 4, 1), np.uint8), np.arange(9) % 3
    for method, scored in (("dann", 4), ("target", 1)):
        args = hw12_light.train.parse_args(["--method", method, "--batch-size", "4"])
        training, held_out, rows = hw12_light.train.split(args, images, labels, images[:4, 0], labels[:4])
        assert (len(held_out[0]), len(rows)) == (1, scored)
        assert len(training[0]) == (8 if method == "dann" else 3)


@pytest.mark.full
@pytest.mark.usefixtures("settles_soon")
def test_pseudo_labels_come_late_and_are_more_each_epoch(hw12, pair):
    source, labels, target, _ = pair
    args = hw12.train.parse_args([*FEW, "--epochs", "8", "--pseudo-labels-from", "0.75"])
    model = hw12.training.build(args, source.shape[2:], (source, labels, target))
    counts = [
        int((hw12.training.pseudo_labels_of(args, model, (source, labels, target), epoch) >= 0).sum())
        for epoch in range(8)
    ]
    assert counts[:6] == [0] * 6
    assert 0 < counts[6] < counts[7] <= len(target)
    dann = hw12.train.parse_args([*FEW[:-2], "--method", "dann", "--epochs", "8"])
    assert (hw12.training.pseudo_labels_of(dann, model, (source, labels, target), 7) == -1).all()
    usual = [hw12.train.parse_args(flags).pseudo_labels_from for flags in ([], ["--no-edges"])]
    assert usual == [0.75, 0.5]


def test_batch_normalisation_settles_on_the_images_whatever_it_saw_before(hw12):
    extractor = hw12.model.build_extractor((16, 16, 1), 0.0, 1.0)
    images = np.random.default_rng(0).integers(0, 256, (64, 16, 16, 1)).astype(np.uint8)
    extractor.trainable = False
    found = []
    for some in (images, images // 4, images):
        hw12.model.recalibrate_batch_norm(extractor, some, batch=64)
        found.append(np.concatenate([weight.ravel() for weight in extractor.get_weights()]))
    assert not extractor.trainable
    first, other, again = found
    assert np.linalg.norm(first - again) < 0.01 * np.linalg.norm(first - other)


# --- views and edges ------------------------------------------------------


def view(hw12, images, strong=0, **changes):
    """What a Views without any change but these makes of images, as an array."""
    import keras

    still = {"degrees": (0, 0), "scales": ((1, 1), (1, 1)), "shifts": (0, 0)}
    still |= {"mirror": False, "colours": False, "fill": "constant"}
    views = hw12.augmentation.Augmentation(**still | changes)
    generator = keras.random.SeedGenerator(0)
    return np.array((views.strong if strong else views.weak)(images.astype(np.float32), generator))


@pytest.fixture
def corner():
    """Eight images 9x9 with one white pixel up and left of the middle."""
    images = np.zeros((8, 9, 9, 1), np.float32)
    images[:, 2, 3] = 255
    return images


def test_a_view_without_changes_is_the_image(hw12, corner):
    np.testing.assert_allclose(view(hw12, corner), corner, atol=1e-3)


def test_a_view_turns_about_the_middle_and_scales_outwards(hw12, corner):
    np.testing.assert_allclose(view(hw12, corner, scales=((2, 2), (1, 1)))[:, 0, 2, 0], 255, atol=1e-2)
    turned = view(hw12, corner, degrees=(180, 0))  # each by an angle of its own
    y, x = np.mgrid[:9, :9] - 4
    mass = turned[..., 0] / turned.sum(axis=(1, 2, 3))[:, None, None]
    distance = np.hypot((mass * y).sum(axis=(1, 2)), (mass * x).sum(axis=(1, 2)))
    np.testing.assert_allclose(distance, np.sqrt(5), atol=0.25)
    assert len({tuple(np.unravel_index(one.argmax(), one.shape)) for one in mass}) > 3


def test_a_view_mirrors_half_and_shifts_each_by_its_own(hw12, corner):
    mirrored = view(hw12, np.tile(corner, (25, 1, 1, 1)), mirror=True)
    left, right = (np.isclose(mirrored[:, 2, index, 0], 255, atol=1e-2) for index in (3, 5))
    assert (left ^ right).all()
    assert 0.4 < left.mean() < 0.6
    shifted = view(hw12, corner, shifts=(0.2, 0.0))
    assert len({tuple(np.unravel_index(one.argmax(), one.shape)) for one in shifted}) > 2


def test_strong_views_of_colours_are_inverted_half_the_time(hw12):
    images = np.full((200, 4, 4, 3), 255.0)
    assert np.ptp(view(hw12, images, strong=1)) == 0
    found = view(hw12, images, strong=1, colours=True)
    assert 0.4 < (found.mean(axis=(1, 2, 3)) < 127.5).mean() < 0.6
    assert np.ptp(found, axis=3).max() > 10
    np.testing.assert_allclose(np.ptp(found, axis=(1, 2)), 0, atol=1e-2)


def test_edges_of_a_square_are_its_border(hw12_light):
    image = np.zeros((1, 32, 32, 3), np.uint8)
    image[:, 8:24, 8:24] = 200
    (variants,) = hw12_light.edges.edges_of(image)[..., 0]
    assert len(variants) == hw12_light.edges.VARIANTS
    for edges in variants[-len(hw12_light.edges.GRADIENTS) :]:
        assert edges[8, 16] > 200 > 20 > edges[16, 16]
    edges = variants[0]  # Canny's, with its own thresholds
    assert edges[13:19, 13:19].max() == 0
    assert edges[:4].max() == edges[-4:].max() == 0
    for line in (edges[16], edges[:, 16]):
        first, second = line[:16].argmax(), 16 + line[16:].argmax()
        np.testing.assert_allclose([first, second], [7.5, 23.5], atol=1)
        assert line[first] > line[first - 1] > line[first - 2] > 0, "a pen's line is soft"


def test_what_is_drawn_is_moved_to_the_middle(hw12_light):
    images = np.zeros((3, 32, 32, 1), np.uint8)
    images[0, :10, 20:, 0] = np.arange(1, 121).reshape(10, 12) + 100  # in a corner
    images[1, 11:21, 10:22] = 200  # in the middle already
    before = images.copy()
    moved = hw12_light.edges.centred(images)
    np.testing.assert_array_equal(moved[0, 11:21, 10:22], before[0, :10, 20:])
    assert moved[0].sum() == before[0].sum()
    np.testing.assert_array_equal(moved[1:], before[1:])  # the last is empty
    np.testing.assert_array_equal(images, before)


def test_the_domains_are_brought_to_one_form(hw12_light, capsys):
    source = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)
    target = np.zeros((4, 28, 28, 1), np.uint8)
    target[:, :14] = 255
    shapes = [tuple(x.shape for x in hw12_light.edges.prepare(source, target, edges)) for edges in (1, 0)]
    assert shapes == [((3, 8, 32, 32, 1), (4, 32, 32, 1)), ((3, 1, 32, 32, 3), (4, 32, 32, 3))]
    assert capsys.readouterr().out.count("made 32x32") == 2
    kept, larger = hw12_light.edges.prepare(source, target, False)
    np.testing.assert_array_equal(kept[:, 0], source)
    assert (larger[:, :15] == 255).all()
    assert (larger[:, 17:] == 0).all()
    grey = hw12_light.edges.with_channels(np.array([[[[255, 0, 0], [0, 255, 0], [0, 0, 255]]]], np.uint8), 1)
    assert grey.ravel().tolist() == [76, 150, 29]


# --- batches, splits, going on --------------------------------------------


def test_batches_show_the_larger_domain_once_and_pair_images_with_their_labels(hw12):
    source = np.stack([np.arange(10), np.arange(50, 60)], axis=1).astype(np.uint8)[..., None]  # two variants
    target = np.arange(100, 125, dtype=np.uint8)[:, None]
    batches = hw12.batches.Pairs(source, np.arange(10) % 3, target, half=5, seed=0)
    seen = [batches[number] for number in range(len(batches))]
    assert sorted(np.concatenate([pair[1].ravel() for pair, _ in seen])) == list(range(100, 125))
    shown = np.concatenate([pair[0].ravel() for pair, _ in seen]).astype(int)
    assert (np.bincount(shown % 50) >= 2).all()
    assert 0 < (shown >= 50).sum() < len(shown)
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in seen]), shown % 50 % 3)
    assert all((pair[2] == -1).all() for pair, _ in seen)

    pseudo = np.where(np.arange(25) < 4, np.arange(25), -1).astype(np.int32)
    batches.begin(1, pseudo)
    later = [batches[number][0] for number in range(len(batches))]
    assert not np.array_equal(later[0][1], seen[0][0][1])
    labelled = np.concatenate([pair[1].ravel() for pair in later]).astype(int)
    assert set(labelled) == {100, 101, 102, 103}  # the others have no label
    np.testing.assert_array_equal(np.concatenate([pair[2] for pair in later]), labelled - 100)


def test_what_is_scored_takes_no_part_in_training(hw12_light):
    source, target = np.arange(50)[:, None], np.arange(100, 160)[:, None]
    labels, answers = np.arange(50) % 4, np.arange(60) % 4
    for method in ("dann", "target"):
        args = hw12_light.train.parse_args(["--method", method, "--batch-size", "8"])
        (x, y, unlabelled), held_out, scored = hw12_light.train.split(args, source, labels, target, answers)
        assert len(held_out[0]) == 5
        assert not set(x.ravel()) & set(held_out[0].ravel())
        np.testing.assert_array_equal(y, x.ravel() % 4)  # 100 is a multiple of 4
        if method == "target":
            assert sorted([*x.ravel(), *target[scored, 0]]) == list(range(100, 160))
            assert not set(unlabelled.ravel()) & set(target[scored, 0])
        else:
            np.testing.assert_array_equal(unlabelled, target)
            assert scored.tolist() == list(range(60))


@pytest.fixture
def pair(hw12, whole_set):
    """The smaller half of the synthetic colours, loaded."""
    source, labels, target, answers = hw12.train.load(whole_set / "mnist_to_mnistm", edges=False)
    return source[::2], labels[::2], target[::2], answers[::2]


FEW = ["--pair", "mnist_to_mnistm", "--no-edges", "--full-precision", "--batch-size", "40"]
FEW += ["--method", "pseudo-labels"]


@pytest.mark.full
def test_a_training_that_was_stopped_ends_with_the_same_numbers(hw12, pair, tmp_path, monkeypatch):
    whole = [*FEW, "--epochs", "2", "--out-dir", str(tmp_path / "whole")]
    expected = hw12.train.main(whole, pair)
    stopped = [*FEW, "--epochs", "2", "--out-dir", str(tmp_path / "stopped")]
    save = hw12.checkpoint.Checkpoint.save

    def interrupted(self, variables):
        save(self, variables)
        raise KeyboardInterrupt

    monkeypatch.setattr(hw12.checkpoint.Checkpoint, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        hw12.train.main(stopped, pair)
    monkeypatch.undo()
    found = hw12.train.main([*stopped, "--resume"], pair)
    for name in ("score", "source_accuracy", "domain_accuracy", "target_confidence"):
        assert found[name] == expected[name]
    histories = [pd.read_csv(tmp_path / name / "history.csv") for name in ("whole", "stopped")]
    timeless = [history.drop(columns=["seconds", "processor"]) for history in histories]
    pd.testing.assert_frame_equal(*timeless)


def test_a_checkpoint_of_other_flags_or_images(hw12, pair, tmp_path, capsys):
    model = on_vectors(hw12, None, 1)
    model.optimizer.build(model.trainable_variables)
    model.optimizer.learning_rate = 0.0
    args = hw12.train.parse_args(["--out-dir", str(tmp_path)])
    variables = [*model.variables, *model.optimizer.variables]
    hw12.checkpoint.Checkpoint(args).save(variables)
    for flags, words in (
        (["--method", "dann"], ["--method pseudo-labels", "expected dann"]),
        (["--lambda", "0.2"], ["--lambda 0.1", "expected 0.2"]),
        ([], ["another network or other classes"]),
    ):
        argv = ["--out-dir", tmp_path, *flags, "--resume"]
        with pytest.raises(hw12.scaffold.BadInput) as raised:
            hw12.train.main([str(flag) for flag in argv], pair)
        assert all(word in str(raised.value) for word in words)
    (tmp_path / "checkpoint.npz").write_bytes(b"PK half of it")
    with pytest.raises(hw12.scaffold.BadInput, match="is damaged"):
        hw12.checkpoint.Checkpoint(args).restore(variables)


def test_a_loss_that_is_no_number_keeps_the_last_good_epoch(hw12, tmp_path):
    model = on_vectors(hw12, None, steps=8)
    x, y = np.ones((8, 2), np.float32), np.zeros(8, np.int32)
    args = hw12.train.parse_args(["--out-dir", str(tmp_path)])
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    callback = hw12.checkpoint.Checkpoint(args).callback(variables)
    model.fit((x, x, none(8)), y, batch_size=4, verbose=0, callbacks=[callback])
    good = (tmp_path / "checkpoint.npz").read_bytes()
    model.predictor.set_weights([weight * np.nan for weight in model.predictor.get_weights()])
    with pytest.raises(hw12.scaffold.BadInput, match="epoch 2: the loss is not a number"):
        model.fit(
            (x, x, none(8)), y, batch_size=4, initial_epoch=1, epochs=2, verbose=0, callbacks=[callback]
        )
    assert (tmp_path / "checkpoint.npz").read_bytes() == good


# --- bad input ------------------------------------------------------------


@pytest.fixture
def spoilt(whole_set, tmp_path):
    """A copy of the synthetic drawings that a test may spoil: its folder, and train.py's flags for it."""
    folder = shutil.copytree(whole_set / "real_or_drawing", tmp_path / "real_or_drawing")
    return folder, ["--data-dir", tmp_path, "--out-dir", tmp_path / "out"]


def removed(folder, inner):
    shutil.rmtree(folder / inner)
    return folder / inner


def emptied(folder, inner):
    removed(folder, inner).mkdir()
    return folder / inner


def renamed(folder, inner, name):
    (folder / inner).rename((folder / inner).with_name(name))
    return (folder / inner).with_name(name)


def rewritten(folder, inner, text):
    (folder / inner).write_text(text)
    return folder / inner


FIRST = "train_data/1/00000.bmp"
SPOIL = {
    "no source": (removed, ["train_data"], ["is missing"]),
    "no target": (removed, ["test_data"], ["is missing"]),
    "an empty source": (emptied, ["train_data"], ["is empty"]),
    "an empty class": (emptied, ["train_data/2"], ["holds no images"]),
    "an empty target": (emptied, ["test_data/0"], ["holds no images"]),
    "no number": (renamed, ["train_data/2", "cats"], ["class's number"]),
    "a gap": (renamed, ["train_data/2", "7"], ["[0, 1, 3, 7]", "without a gap"]),
    "no image": (rewritten, [FIRST, "text"], ["cannot be decoded as an image"]),
    "another file": (rewritten, ["train_data/1/notes.txt", "text"], ["is no image", ".bmp"]),
    "not numbered": (renamed, ["test_data/0/00003.bmp", "last.bmp"], ["the name is no number"]),
    "a number missing": (renamed, ["test_data/0/00003.bmp", "00999.bmp"], ["expected the number"]),
    "answers cut": (rewritten, ["answers.csv", "id,label\n0,1\n"], ["ids 0 to 239"]),
    "answers of words": (rewritten, ["answers.csv", "id,label\n0,cat\n"], ["expected the ids"]),
    "an answer too large": (
        rewritten,
        ["answers.csv", "id,label\n" + "".join(f"{number},4\n" for number in range(240))],
        ["labels 0 to 3"],
    ),
}


@pytest.mark.parametrize("case", SPOIL)
def test_bad_files_end_in_a_sentence(hw12_light, spoilt, capsys, case):
    folder, argv = spoilt
    spoil, arguments, words = SPOIL[case]
    spoil(folder, *arguments)
    check_sentence(hw12_light, capsys, argv, str(folder), *words)
    assert not list((folder.parent / "out").iterdir())


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--epochs 0", "--epochs 0"),
        ("--batch-size 7", "even number"),
        ("--batch-size 2000", "too few"),
        ("--learning-rate nan", "--learning-rate nan"),
        ("--lambda -1", "--lambda -1"),
        ("--lambda soon", "schedule, or a number"),
        ("--lambda nan", "--lambda nan"),
        ("--seed -1", "--seed -1"),
        ("--pair elsewhere", "elsewhere/train_data is missing"),
    ],
)
def test_bad_flags_end_in_a_sentence(hw12_light, whole_set, tmp_path, capsys, flags, words):
    argv = ["--data-dir", whole_set, "--out-dir", tmp_path, *flags.split()]
    check_sentence(hw12_light, capsys, argv, words)


def test_the_bound_needs_answers(hw12_light, spoilt, capsys):
    folder, argv = spoilt
    (folder / "answers.csv").unlink()
    check_sentence(hw12_light, capsys, [*argv, "--method", "target"], "answers.csv")


def test_mixed_sizes_and_modes_are_made_one_and_said(hw12_light, spoilt, capsys):
    folder, _ = spoilt
    Image.new("RGB", (40, 20), (10, 20, 30)).save(folder / "test_data/0/00002.bmp")
    Image.new("P", (28, 28)).save(folder / "test_data/0/00003.bmp")
    images = hw12_light.dataset.load_target(folder)
    assert images.shape == (240, 28, 28, 3)
    assert images[2].tolist() == np.full((28, 28, 3), [10, 20, 30]).tolist()
    output = capsys.readouterr().out
    assert "modes L, RGB were all made RGB" in output
    assert "1 images of another size were made 28x28" in output


def test_targets_are_in_the_order_of_their_numbers(hw12_light, tmp_path):
    """9.bmp before 10.bmp, which the order of names would not have; and .png beside .bmp."""
    for number in range(12):
        path = tmp_path / "test_data" / "0" / f"{number}.{'png' if number % 2 else 'bmp'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), number).save(path)
    (tmp_path / "test_data" / "0" / ".DS_Store").write_text("hidden")
    assert hw12_light.dataset.load_target(tmp_path)[:, 0, 0, 0].tolist() == list(range(12))


def test_classes_are_in_the_order_of_their_numbers(hw12_light, tmp_path):
    for label in range(11):
        path = tmp_path / "train_data" / str(label) / "0.bmp"
        path.parent.mkdir(parents=True)
        Image.new("L", (8, 8), label).save(path)
    images, labels = hw12_light.dataset.load_source(tmp_path)
    np.testing.assert_array_equal(images[:, 0, 0, 0], labels)
    assert labels.tolist() == list(range(11))


def test_predict_says_what_is_missing_or_broken(hw12_light, spoilt, tmp_path, capsys):
    _, argv = spoilt
    out = tmp_path / "out"
    check_sentence(hw12_light, capsys, argv, "run train.py first", script="predict")
    check_sentence(
        hw12_light, capsys, [*argv, "--synthetic"], "run train.py --synthetic first", script="predict"
    )
    out.mkdir()
    (out / "model.keras").write_bytes(b"PK half of it")
    (out / "metrics.json").write_text("{}")
    check_sentence(hw12_light, capsys, argv, "metrics.json is not what train.py wrote", script="predict")
    metrics = {"arguments": {"pair": "real_or_drawing", "synthetic": False}}
    metrics["files"] = {"model.keras": hw12_light.records.fingerprint(out / "model.keras")}
    (out / "metrics.json").write_text(json.dumps(metrics))
    check_sentence(hw12_light, capsys, argv, "model.keras is no whole Keras model", script="predict")


@pytest.mark.full
@pytest.mark.usefixtures("settles_soon")
def test_predictions_are_those_that_were_scored_and_own_drawings_are_named(hw12, tmp_path, capsys):
    """Also where the target's drawings lie aside, as what is drawn is moved to the middle in training."""
    data = hw12.dataset.make_synthetic(tmp_path / "data", 0)
    target = data / "real_or_drawing" / "test_data" / "0"
    for path in target.iterdir():
        image = np.roll(np.asarray(Image.open(path)), (5, -4), axis=(0, 1))
        Image.fromarray(image).save(path)
    argv = ["--data-dir", str(data), "--out-dir", str(tmp_path)]
    metrics = hw12.train.main([*argv, "--epochs", "1", "--method", "source-only"])
    capsys.readouterr()
    table = hw12.predict.main(argv)
    np.testing.assert_array_equal(table.label, np.load(tmp_path / "guesses.npy"))
    assert f"accuracy {metrics['score']:.4f} by" in capsys.readouterr().out
    drawings = []
    for name, paper, ink in (("one.png", 255, 0), ("other.png", 20, 240)):
        image = Image.new("L", (300, 200), paper)
        ImageDraw.Draw(image).ellipse((90, 30, 210, 150), outline=ink, width=3)
        image.save(tmp_path / name)
        drawings.append(hw12.dataset.read_drawing(tmp_path / name))
    assert drawings[0].shape == (1, 28, 28, 1)
    np.testing.assert_allclose(*map(np.float64, drawings), atol=3)  # white on black, whatever it was
    assert drawings[0][0, 14, 14] == 0
    assert drawings[0].max() == 255
    image = Image.new("L", (20, 700), 255)
    image.paste(0, (9, 100, 10, 600))  # a line of one pixel
    image.save(tmp_path / "thin.png")
    assert hw12.dataset.read_drawing(tmp_path / "thin.png").max() == 255
    own = ["--picture", str(tmp_path / "one.png"), str(tmp_path / "other.png")]
    found = hw12.predict.main([*argv, *own])
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    assert f"one.png: {found.iloc[0].idxmax()} {found.iloc[0].max():.3f}," in capsys.readouterr().out
    Image.new("L", (20, 20), 90).save(tmp_path / "one.png")
    check_sentence(hw12, capsys, [*argv, *own], "one.png is of one colour", script="predict")


def test_one_large_image_does_not_set_the_size_of_all(hw12_light, spoilt, capsys):
    folder, _ = spoilt
    Image.new("RGB", (3000, 3000), "white").save(folder / FIRST)
    images, _ = hw12_light.dataset.load_source(folder)
    assert images.shape[1:3] == (32, 32)
    assert "1 images of another size were made 32x32" in capsys.readouterr().out


# --- the claim ------------------------------------------------------------


@pytest.mark.full
def test_the_adversary_beats_the_source_alone(hw12, pair, tmp_path, monkeypatch):
    monkeypatch.setattr(hw12.model, "SETTLING", 20)
    flags = ["--epochs", "30", "--out-dir", str(tmp_path), "--method"]
    scores = {
        method: hw12.train.main([*FEW[:-2], *flags, method], pair)["score"]
        for method in ("source-only", "dann")
    }
    assert scores["dann"] > scores["source-only"] + 0.05


# --- settings that reach the method -----------------------------------------


@pytest.mark.usefixtures("settles_soon")
def test_the_target_is_read_with_statistics_of_its_own(hw12, pair, tmp_path, monkeypatch):
    settled, asked = [], []
    recalibrate, outputs_of = hw12.model.recalibrate_batch_norm, hw12.model.outputs_of

    def settling(extractor, images, **more):
        settled.append(images)
        recalibrate(extractor, images, **more)

    monkeypatch.setattr(hw12.training, "recalibrate_batch_norm", settling)
    monkeypatch.setattr(
        hw12.training,
        "outputs_of",
        lambda model, images: asked.append((images, settled[-1])) or outputs_of(model, images),
    )
    flags = [*FEW[:-1], "dann", "--epochs", "1", "--out-dir", str(tmp_path)]
    hw12.train.main(flags, pair)
    (_, of_source), (images, of_target) = asked[-2:]
    np.testing.assert_array_equal(images, pair[2])
    np.testing.assert_array_equal(of_target, pair[2])
    assert len(of_source) == len(pair[0]) - len(pair[0]) // 10  # of those that were learnt from


@pytest.mark.usefixtures("settles_soon")
def test_pseudo_labels_are_the_teachers(hw12, pair, monkeypatch):
    source, labels, target, _ = pair
    args, asked = hw12.train.parse_args([*FEW, "--epochs", "4"]), []
    model = hw12.training.build(args, source.shape[2:], (source, labels, target))
    monkeypatch.setattr(hw12.training, "whole_model", lambda *parts: asked.append(parts))
    logs, features = np.zeros((len(target), labels.max() + 1)), np.ones((len(target), 4), np.float32)
    monkeypatch.setattr(hw12.training, "outputs_of", lambda model, images: (logs, features))
    hw12.training.pseudo_labels_of(args, model, (source, labels, target), 3)
    ((extractor, predictor),) = asked
    assert extractor is model.teacher[0]
    assert predictor is model.teacher[1]


class Marked:
    """A view of vectors says what it is: weak ones are moved by 1, strong ones by 5."""

    def weak(self, vectors, generator):
        return vectors + 1.0

    def strong(self, vectors, generator):
        return vectors + 5.0


def test_which_network_sees_which_view(hw12):
    model = on_vectors(hw12, 0.0, steps=10)
    model.augmentation, model.use_pseudo_labels = Marked(), True
    (source, _), (target, _) = clouds(6, 0.0, 0), clouds(6, 3.0, 1)
    logits, strong, domains = model((source, target, none(6)), training=True)

    def output(points, head):
        return np.asarray(head(model.extractor(points)))

    np.testing.assert_allclose(logits, output(source + 1, model.predictor), atol=1e-5)
    np.testing.assert_allclose(strong, output(target + 5, model.predictor), atol=1e-5)
    both = np.concatenate([source, target]) + 1
    np.testing.assert_allclose(domains, output(both, model.discriminator), atol=1e-5)
