"""Homework 13: the inner step and its derivatives by algebra, the networks, fair tasks, and bad input."""

import itertools
import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import check_sentence
from PIL import Image

CHAPTER = "hw13_meta"
TRIAL = "--iterations 4 --batch-size 2 --queries 2 --filters 4 --views 2"
SINE = "--task sine --batch-size 5 --queries 10"


@pytest.fixture
def hw13(load_chapter, monkeypatch):
    """The chapter with a narrow network, few tasks to judge by, and nothing compiled: quick for few steps."""
    import tensorflow as tf

    chapter = load_chapter(CHAPTER)
    monkeypatch.setattr(chapter.training, "EVALUATION_TASKS", 2)
    monkeypatch.setattr(chapter.training, "SCORE_TASKS", 3)
    monkeypatch.setattr(chapter.training, "EVALUATIONS", 4)
    monkeypatch.setattr(chapter.training, "STEPS", (1, 2))
    monkeypatch.setattr(chapter.training, "SCORED", {"sine": 1, "omniglot": 2})
    tf.config.run_functions_eagerly(True)
    yield chapter
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def hw13_light(load_chapter):
    return load_chapter(CHAPTER, "dataset", "tasks")


def run_main(module, words, *more):
    return module.main([*words.split(), *(str(argument) for argument in more)])


# --- the inner step, on parabolas -----------------------------------------
# Task t has the loss curve / 2 * (weight - x)^2 with its x for an optimum, so a step of rate r leaves
# (1 - r * curve) of the distance, and each further step as much again.

CURVE, RATE, STEPS = 0.5, 0.4, 3
LEFT = (1 - RATE * CURVE) ** STEPS
SUPPORT, QUERY, START = np.array([1.0, -2.0]), np.array([3.0, 5.0]), 7.0


def parabola(weights, x, y):
    return CURVE / 2 * (weights[0] - x) ** 2 + 0 * y + 0 * weights[1]


def parabola_batch(hw13):
    return hw13.tasks.Batch(SUPPORT, 0 * SUPPORT, QUERY, 0 * QUERY)


def test_adaptation_by_algebra(hw13):
    import tensorflow as tf

    start = [tf.constant([START, START], tf.float64), tf.zeros(2, tf.float64)]
    path = hw13.maml.adapt(parabola, start, [RATE, RATE], [(SUPPORT, 0.0)] * STEPS, range(2))
    assert len(path) == STEPS + 1
    for steps, (weight, other) in enumerate(path):
        kept = (1 - RATE * CURVE) ** steps
        np.testing.assert_allclose(weight, SUPPORT + kept * (START - SUPPORT))
        np.testing.assert_array_equal(other, 0)
    np.testing.assert_array_equal(start[0], START)  # nothing was changed in place


@pytest.mark.parametrize("second_order", [True, False])
def test_meta_gradient_by_algebra(hw13, second_order):
    """Of the mean of curve / 2 (end - query)^2, where d end / d start is LEFT, or taken as 1."""
    import tensorflow as tf

    start = [tf.constant(START, tf.float64), tf.constant(0.0, tf.float64)]
    with tf.GradientTape() as tape:
        tape.watch(start)
        begin, rates = hw13.maml.replicate(start, 2), [RATE, RATE]
        loss = hw13.maml.query_loss(
            parabola, begin, rates, parabola_batch(hw13), STEPS, range(2), second_order
        )
    end = SUPPORT + LEFT * (START - SUPPORT)
    np.testing.assert_allclose(loss, np.mean(CURVE / 2 * (end - QUERY) ** 2))
    expected = np.mean(CURVE * (end - QUERY) * (LEFT if second_order else 1.0))
    np.testing.assert_allclose(tape.gradient(loss, start)[0], expected)


def test_meta_gradient_of_a_rate_by_algebra(hw13):
    """One step: end = start - r g, so d loss / d r = -g * curve * (end - query)."""
    import tensorflow as tf

    start, rate = (
        [tf.constant(START, tf.float64), tf.constant(0.0, tf.float64)],
        tf.constant(RATE, tf.float64),
    )
    with tf.GradientTape() as tape:
        tape.watch(rate)
        begin = hw13.maml.replicate(start, 2)
        loss = hw13.maml.query_loss(parabola, begin, [rate, rate], parabola_batch(hw13), 1, range(2), True)
    gradient = CURVE * (START - SUPPORT)
    expected = np.mean(-gradient * CURVE * (START - RATE * gradient - QUERY))
    np.testing.assert_allclose(tape.gradient(loss, rate), expected)


def test_reptile_points_to_the_optimum_by_algebra(hw13):
    import tensorflow as tf

    start = [tf.constant(START, tf.float64), tf.constant(0.0, tf.float64)]
    batches = [(tf.constant(SUPPORT), 0.0)] * STEPS
    begin = hw13.maml.replicate(start, 2)
    direction, other = hw13.maml.reptile_direction(parabola, begin, [RATE, RATE], batches)
    np.testing.assert_allclose(direction, np.mean((1 - LEFT) * (START - SUPPORT)))
    assert abs(START - direction - SUPPORT.mean()) < abs(START - SUPPORT.mean())  # as descent takes it
    assert float(other) == 0


def test_only_what_may_move_moves(hw13):
    import tensorflow as tf

    def both(weights, x, y):
        return (weights[0] - x) ** 2 + (weights[1] - x) ** 2

    start = [tf.constant([1.0]), tf.constant([1.0])]
    path = hw13.maml.adapt(both, start, [0.1, 0.2], [(tf.constant([0.0]), 0.0)], [1])
    np.testing.assert_allclose(path[1], [[1.0], [0.6]])
    learner = hw13.model.Learner("omniglot", 3, 0.1, adapts="head", filters=4)
    x, y = np.zeros((2, 3, 28, 28, 1), np.float32), np.zeros((2, 3), np.int32)
    begin = learner.initial(learner.start, x, y, 3)
    assert [begin[index].shape for index in learner.adapted] == [(2, 16, 3), (2, 3)]


# --- the networks ---------------------------------------------------------


def omniglot_tasks(hw13, seed=0, tasks=3, ways=3, items=2):
    """A learner with every weight drawn anew, and a batch of noise."""
    import keras

    keras.utils.set_random_seed(seed)
    learner, rng = hw13.model.Learner("omniglot", ways, 0.1, filters=4), np.random.default_rng(seed)
    for weight in learner.start:
        weight.assign(weight + rng.normal(0, 0.3, weight.shape))
    x = rng.random((2, tasks, ways * items, 28, 28, 1)).astype(np.float32)
    y = np.tile(np.arange(ways, dtype=np.int32), (tasks, items))
    return learner, hw13.tasks.Batch(x[0], y, x[1], y)


def test_the_network_is_that_of_keras_layers(hw13):
    import keras

    learner, batch = omniglot_tasks(hw13)
    x = batch.query_x[0]
    weights = [weight.numpy() for weight in learner.start]
    for block in range(4):
        kernel, scale, offset = weights[3 * block : 3 * block + 3]
        kernel = kernel.reshape(3, 3, x.shape[-1], 4)
        x = keras.ops.convert_to_numpy(keras.ops.conv(x, kernel, strides=2, padding="same"))
        normal = (x - x.mean(axis=(0, 1, 2))) / np.sqrt(x.var(axis=(0, 1, 2)) + hw13.model.EPSILON)
        x = np.maximum(normal * scale + offset, 0)
    features = x.reshape(len(x), -1)
    np.testing.assert_allclose(learner(batch.query_x[0]), features, atol=1e-3)
    head = np.random.default_rng(1).normal(size=(16, 3)), np.arange(3.0)
    one = [weight[None].astype(np.float32) for weight in (*weights, *head)]
    np.testing.assert_allclose(
        learner.forward(one, batch.query_x[:1])[0], features @ head[0] + head[1], atol=1e-2
    )


@pytest.mark.parametrize("task", ["omniglot", "sine"])
def test_adapting_all_at_once_equals_the_loop(hw13, task):
    if task == "omniglot":
        learner, batch = omniglot_tasks(hw13)
    else:
        learner = hw13.model.Learner("sine", 1, 0.01)
        batch = hw13.tasks.Waves(5, 4).draw(np.random.default_rng(0), 3)
    transductive = hw13.scoring.Evaluator(learner, [0, 1, 3], 3).predict(batch)
    for one in range(3):
        single = hw13.tasks.Batch(*(array[one : one + 1] for array in batch))
        single_prediction = hw13.scoring.Evaluator(learner, [0, 1, 3], 1).predict(single)
        for way, answers in single_prediction.items():
            np.testing.assert_allclose(answers[:, 0], transductive[way][:, one], atol=2e-3)
    assert np.abs(transductive["transductive"][0] - transductive["transductive"][2]).max() > 0.01


def test_second_derivatives_of_the_network_meet_differences(hw13):
    """The query loss along its own gradient: the batch statistics are differentiated twice too."""
    import tensorflow as tf

    learner, batch = omniglot_tasks(hw13)
    x, y = (
        (tf.constant(batch.support_x, tf.float64), tf.constant(batch.support_y)),
        tf.constant(batch.query_y),
    )
    batch = hw13.tasks.Batch(*x, tf.constant(batch.query_x, tf.float64), y)
    head = [tf.random.normal((16, 3)), tf.random.normal((3,))]
    start, gradients = [tf.cast(weight, tf.float64) for weight in (*learner.start, *head)], []

    def value(start, second_order=True):
        loss, rates = hw13.methods.loss_of(learner), [0.5] * len(start)
        begin = hw13.maml.replicate(start, 3)
        return hw13.maml.query_loss(loss, begin, rates, batch, 2, learner.adapted, second_order)

    for second_order in (True, False):
        with tf.GradientTape() as tape:
            tape.watch(start)
            found = value(start, second_order)
        gradients.append(tape.gradient(found, start))
    length = float(tf.linalg.global_norm(gradients[0]))
    step = [1e-6 / length * gradient for gradient in gradients[0]]
    ahead, behind = (value([w + sign * s for w, s in zip(start, step)]) for sign in (1, -1))
    assert float(ahead - behind) / 2e-6 == pytest.approx(length, rel=1e-3)
    first = sum(float(tf.reduce_sum(a * b)) for a, b in zip(*gradients)) / length
    assert abs(first / length - 1) > 0.01  # the first order is another


def test_a_head_of_prototypes_gives_the_distances(hw13):
    """Before any adaptation, and without |q|^2; classes of several drawings have their mean."""
    learner, batch = omniglot_tasks(hw13)
    learner = hw13.model.Learner("omniglot", 3, 0.1, adapts="nothing", prototypes=True, filters=4)
    answers = hw13.scoring.Evaluator(learner, [0, 2], 3).predict(batch)["transductive"]
    np.testing.assert_array_equal(*answers)  # nothing is adapted
    support, queries = (np.stack([learner(x) for x in found]) for found in (batch.support_x, batch.query_x))
    means = support.reshape(3, 2, 3, -1).mean(axis=1)  # (tasks, ways, features): item i is of class i % ways
    distances = ((queries[:, :, None] - means[:, None]) ** 2).sum(axis=3)
    lengths = (queries**2).sum(axis=2, keepdims=True)
    np.testing.assert_allclose(answers[0], lengths - distances, atol=1e-2 * np.abs(answers).max())
    np.testing.assert_array_equal(answers[0].argmax(axis=2), distances.argmin(axis=2))


def test_a_query_asked_alone_is_read_whatever_else_is_asked(hw13):
    learner, batch = omniglot_tasks(hw13)
    other = batch.query_x.copy()
    other[:, 1:] = 1 - other[:, 1:]
    first, second = (
        hw13.scoring.Evaluator(learner, [1], 3).predict(batch._replace(query_x=x))
        for x in (batch.query_x, other)
    )
    np.testing.assert_allclose(first["inductive"][0, :, 0], second["inductive"][0, :, 0], atol=1e-4)
    assert np.abs(first["transductive"][0, :, 0] - second["transductive"][0, :, 0]).max() > 0.01


def test_scores_by_hand(hw13):
    logits = np.zeros((2, 10, 5))
    logits[..., 3] = 1.0
    logits[:, 0, :] = [9, 8, 7, 6, 5]  # over the items, column 0 to 4 would have their largest here
    y = np.tile(np.arange(5), (2, 2))
    y[:, 0] = 1
    np.testing.assert_allclose(hw13.scoring.accuracy(logits, y), [0.2, 0.2])
    predictions = np.array([[[1.0], [2.0]], [[0.0], [3.0]]])
    np.testing.assert_allclose(hw13.scoring.squared_error(predictions, np.ones((2, 2, 1))), [0.5, 2.5])
    assert hw13.scoring.interval(np.array([0.0, 1.0] * 50)) == pytest.approx(1.96 * 0.5025 / 10, rel=1e-3)


# --- tasks ----------------------------------------------------------------


def marked(ways=6, drawings=5):
    """Characters whose drawings are of one grey each, so that each is known by it."""
    grey = iter(range(1, 256))
    return {
        f"{'AB'[name % 2]}/character{name}": np.stack(
            [np.full((28, 28), next(grey), np.uint8) for _ in range(drawings)]
        )
        for name in range(ways)
    }


@pytest.mark.parametrize("vary", [False, True])
def test_support_and_queries_share_nothing(hw13, vary):
    characters = marked()
    episodes = hw13.tasks.Episodes(characters, 3, 2, 3, vary=vary)
    batch = episodes.draw(np.random.default_rng(0), 200)
    support, query = (np.rint(255 * x[:, :, 14, 14, 0]).astype(int) for x in (batch.support_x, batch.query_x))
    assert support.shape == (200, 6)
    assert query.shape == (200, 9)
    seen = set()
    for task in range(200):
        greys = [*support[task], *query[task]]
        assert len(set(greys)) == 15  # no drawing twice
        owners = (np.array(greys) - 1) // 5
        classes = [*batch.support_y[task], *batch.query_y[task]]
        pairs = set(zip(owners, classes))
        assert len(pairs) == 3  # a class is a character, in support and queries alike
        assert {way for _, way in pairs} == {0, 1, 2}
        seen |= pairs
    assert len(seen) == 18  # any character may be any class
    one_alphabet = np.mean([len(set((row - 1) // 5 % 2)) == 1 for row in support])
    assert one_alphabet == pytest.approx(0.55 if vary else 0.1, abs=0.12)


def test_alphabets_are_parted_whole_and_before_they_are_varied(hw13, whole_set):
    characters = hw13.dataset.load_characters(whole_set)
    seen, unseen = hw13.dataset.split(characters, None)
    assert hw13.dataset.alphabets(unseen) == ["Loops"]  # every sixth, from the third on
    assert hw13.dataset.alphabets(seen) == ["Arcs", "Lines"]
    assert len(seen) + len(unseen) == len(characters)
    _, unseen = hw13.dataset.split(characters, "Loops,Lines")
    assert hw13.dataset.alphabets(unseen) == ["Lines", "Loops"]
    seen, unseen = hw13.dataset.split(characters, "random")  # as in the papers
    assert len(unseen) == 6  # of 34
    assert not seen.keys() & unseen.keys()
    assert hw13.dataset.split(characters, "random")[1].keys() == unseen.keys()
    args = hw13.train.parse_args([])
    training, test_sampler = hw13.training.samplers(args, *hw13.dataset.split(characters, None))
    assert training.vary
    assert not test_sampler.vary
    pools = [{drawing.tobytes() for drawing in sampler.pool} for sampler in (training, test_sampler)]
    assert not pools[0] & pools[1]


def test_drawings_are_ink_on_paper(hw13_light, tmp_path):
    folder = tmp_path / "Omniglot" / "images_background" / "Latin" / "character01"
    folder.mkdir(parents=True)
    picture = Image.new("1", (56, 56), 1)
    picture.paste(0, (0, 0, 28, 56))  # the left half is black
    picture.save(folder / "0001_02.png")
    Image.new("1", (56, 56), 1).save(folder / "0001_01.png")
    (drawings,) = hw13_light.dataset.load_characters(tmp_path).values()
    assert drawings.shape == (2, 28, 28)
    assert (drawings[0] == 0).all()
    assert (drawings[1, :, :14] == 255).all()
    assert (drawings[1, :, 14:] == 0).all()


def test_waves(hw13_light):
    batch = hw13_light.tasks.Waves(4, 300).draw(np.random.default_rng(0), 200)
    assert batch.support_x.shape == (200, 4, 1)
    assert batch.query_x.min() < -4.99
    assert batch.query_x.max() > 4.99
    for task in range(200):  # A sin(x - phase) is a sin x + b cos x
        x, y = batch.query_x[task, :, 0], batch.query_y[task, :, 0]
        parts, *_ = np.linalg.lstsq(np.stack([np.sin(x), np.cos(x)], 1), y, rcond=None)
        assert 0.1 <= np.hypot(*parts) <= 5.0
        x, y = batch.support_x[task, :, 0], batch.support_y[task, :, 0]
        np.testing.assert_allclose(np.stack([np.sin(x), np.cos(x)], 1) @ parts, y, atol=1e-3)
    assert not set(batch.support_x[0].ravel()) & set(batch.query_x[0].ravel())


@pytest.mark.parametrize(("phase", "falls"), [("pi", 0.0), ("2pi", 0.5)])
def test_phases(hw13_light, phase, falls):
    """y = A sin(x - phase) = A cos(phase) sin(x) - A sin(phase) cos(x): the last is at most 0 up to pi."""
    batch = hw13_light.tasks.Waves(1, 50, phase).draw(np.random.default_rng(0), 400)
    parts = [
        np.linalg.lstsq(np.stack([np.sin(x), np.cos(x)], 1), y, rcond=None)[0]
        for x, y in zip(batch.query_x[..., 0], batch.query_y[..., 0])
    ]
    assert np.mean(np.array(parts)[:, 1] > 1e-3) == pytest.approx(falls, abs=0.1)


def own_drawings(folder, size=(300, 200), paper=255, ink=0):
    """Two characters, a bar that stands and one that lies, and a bar that stands to read."""
    for name, box in (
        ("stands/1.png", (140, 40, 160, 160)),
        ("lies/1.png", (90, 90, 210, 110)),
        ("lies/2.jpg", (90, 80, 210, 100)),
        ("what.png", (145, 40, 165, 160)),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        image = Image.new("L", size, paper)
        image.paste(ink, box)
        image.save(folder / name)


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (30, 220), (200, 120)])
def test_own_drawings_are_ink_on_paper_whatever_their_colours(hw13_light, tmp_path, paper, ink):
    own_drawings(tmp_path, paper=paper, ink=ink)
    characters, drawings = hw13_light.dataset.load_own_drawings(tmp_path)
    assert {name: found.shape for name, found in characters.items()} == {
        "lies": (2, 28, 28),
        "stands": (1, 28, 28),
    }
    (drawing,) = drawings.values()
    assert drawing.max() == 255
    assert drawing[0].max() == 0
    rows, columns = (np.ptp(np.flatnonzero(drawing.max(axis=axis) > 60)) for axis in (1, 0))
    assert rows == pytest.approx(10, abs=1)  # 120 of 300 pixels
    assert columns <= 2


def test_transforms(hw13_light):
    tasks, rng = hw13_light.tasks, np.random.default_rng(0)
    x = rng.random((3, 28, 28, 1)).astype(np.float32)
    np.testing.assert_allclose(tasks.transform(x, np.stack([np.eye(3)] * 3)), x, atol=1e-5)
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    turned = tasks.transform(x, np.stack([quarter] * 3))
    np.testing.assert_allclose(turned, np.rot90(x, 1, axes=(1, 2)), atol=1e-4)
    shift = np.eye(3)
    shift[0, 2] = 2.0
    moved = tasks.transform(x, np.stack([shift] * 3))
    np.testing.assert_allclose(moved[:, :, :-2], x[:, :, 2:], atol=1e-5)
    np.testing.assert_allclose(moved[:, :, -2:], 0, atol=1e-5)


def test_new_characters_are_turned_and_mirrored(hw13_light, monkeypatch):
    tasks = hw13_light.tasks
    monkeypatch.setattr(tasks, "OF_A_CHARACTER", {"angle": 0, "stretch": 0, "slant": 0, "shift": 0})
    maps = tasks.new_characters(np.random.default_rng(0), (500,))
    np.testing.assert_allclose(np.abs(np.linalg.det(maps)), 1)
    assert len(np.unique(np.rint(maps), axis=0)) == 8  # all ways to lay a square on itself
    bent = tasks.affine(np.random.default_rng(0), (500,), angle=10, stretch=0.1, slant=0.1, shift=2)
    assert np.abs(bent[:, :2, 2]).max() <= 2 * np.exp(0.2) * 2
    assert 0.75 < np.linalg.det(bent).min() < 0.95
    np.testing.assert_array_equal(bent[:, 2], [[0, 0, 1]] * 500)


def test_the_characters_of_an_episode_are_turned_alike(hw13_light, monkeypatch):
    """Else they would be told apart by how each is turned, which no alphabet allows."""
    tasks, rng = hw13_light.tasks, np.random.default_rng(0)
    still = dict.fromkeys(("angle", "stretch", "slant", "shift"), 0)
    for name in ("OF_A_CHARACTER", "OF_A_DRAWING"):
        monkeypatch.setattr(tasks, name, still)
    noise = rng.integers(0, 256, (6, 1, 28, 28)).astype(np.uint8)
    characters = {f"A/{number}": drawings.repeat(3, axis=0) for number, drawings in enumerate(noise)}
    ways_to_lie = np.stack(
        [np.rot90(x, turn, axes=(1, 2)) for x in (noise[:, 0], noise[:, 0, :, ::-1]) for turn in range(4)]
    )  # (8, characters, 28, 28)
    batch, seen = tasks.Episodes(characters, 4, 1, 2, vary=True).draw(rng, 20), set()
    for items in np.concatenate([batch.support_x, batch.query_x], axis=1)[..., 0] * 255:
        lies = {int(np.abs(ways_to_lie - item).max(axis=(2, 3)).min(axis=1).argmin()) for item in items}
        assert len(lies) == 1
        seen |= lies
    assert len(seen) > 4  # and those of other episodes otherwise


def test_views_are_the_drawing_then_the_drawing_moved_a_little(hw13):
    _, batch = omniglot_tasks(hw13)
    views, again = (hw13.tasks.with_views(batch, 3) for _ in range(2))
    for name in ("support", "query"):
        x, y = (getattr(batch, f"{name}_{part}") for part in "xy")
        own = getattr(views, f"{name}_x").reshape(x.shape[0], 3, *x.shape[1:])
        np.testing.assert_array_equal(own[:, 0], x)
        assert 0 < np.abs(own[:, 1:] - x[:, None]).mean() < 0.3  # 1 / 3 of other noise
        assert not np.array_equal(own[:, 1], own[:, 2])
        np.testing.assert_array_equal(getattr(views, f"{name}_y"), np.concatenate([y] * 3, axis=1))
        np.testing.assert_array_equal(getattr(again, f"{name}_x"), getattr(views, f"{name}_x"))


def test_the_logits_of_a_query_are_the_mean_over_its_views(hw13):
    _, batch = omniglot_tasks(hw13)
    learner = hw13.model.Learner("omniglot", 3, 0.1, prototypes=True, filters=4, views=2)
    answers = hw13.scoring.Evaluator(learner, [0, 1], 3).predict(batch)["transductive"]
    single = hw13.model.Learner("omniglot", 3, 0.1, prototypes=True, filters=4)
    single.set_weights(learner.get_weights())
    of_views = hw13.scoring.Evaluator(single, [0, 1], 3).predict(hw13.tasks.with_views(batch, 2))
    halves = np.split(of_views["transductive"], 2, axis=2)
    assert answers.shape == halves[0].shape
    np.testing.assert_allclose(answers, np.mean(halves, axis=0), rtol=1e-4, atol=1e-4)
    assert np.abs(halves[0] - halves[1]).max() > 1e-3


def test_ordinary_training_sees_each_character_as_itself(hw13, monkeypatch):
    monkeypatch.setattr(hw13.tasks, "OF_A_DRAWING", {"angle": 0, "stretch": 0, "slant": 0, "shift": 0})
    batch = hw13.tasks.Characters(marked()).draw(np.random.default_rng(0), 20)
    assert batch.query_x.shape == (1, 120, 28, 28, 1)
    owners = (np.rint(255 * batch.query_x[0, :, 14, 14, 0]).astype(int) - 1) // 5
    np.testing.assert_array_equal(owners, batch.query_y[0])
    assert batch.support_x.shape[1] == 0


# --- claims ---------------------------------------------------------------


def test_learning_to_learn_beats_ordinary_training(load_chapter, tmp_path, monkeypatch):
    """By far, after one step from ten points of a wave never seen; MAML learns its inner rates here."""
    chapter, scores = load_chapter(CHAPTER), {}
    monkeypatch.setattr(chapter.training, "EVALUATIONS", 2)
    monkeypatch.setattr(chapter.training, "STEPS", (1,))
    for method in ("meta-sgd", "pretrain"):
        flags = f"--task sine --method {method} --iterations 250 --learning-rate 0.01 --out-dir"
        scores[method] = run_main(chapter.train, flags, tmp_path / method)["scores"]["transductive"]
    assert scores["meta-sgd"]["1"] < 0.7 * scores["pretrain"]["1"]


def learn(hw13, task, method, inner_steps=2):
    """The weights by name before and after two updates by a method, and the learner."""
    import keras

    keras.utils.set_random_seed(0)
    chosen = hw13.methods.METHODS[method]
    ways = 1 if task == "sine" else 3
    learner = hw13.model.Learner(task, ways, 0.05, chosen.adapts, chosen.prototypes, filters=4)
    trainer = hw13.methods.Trainer(learner, method, inner_steps, 100, 0.01, 3, 6)
    if task == "sine":
        sampler = hw13.tasks.Waves(5, 10)
    elif chosen.episodic:
        sampler = hw13.tasks.Episodes(marked(), 3, 1, 2, vary=True)
    else:
        sampler = hw13.tasks.Characters(marked())
    rng, before = np.random.default_rng(0), {weight.name: weight.numpy() for weight in learner.weights}
    for _ in range(2):
        trainer.update(sampler.draw(rng, 2))
    return before, {weight.name: weight.numpy() for weight in learner.weights}, learner


@pytest.mark.parametrize(
    ("task", "method"),
    [
        *itertools.product(
            ["sine", "omniglot"], ["maml", "meta-sgd", "fomaml", "anil", "reptile", "pretrain"]
        ),
        ("omniglot", "protonet"),
        ("omniglot", "proto-maml"),
    ],
)
def test_every_method_moves_what_it_should(hw13, task, method):
    before, after, learner = learn(hw13, task, method)
    moved = {name for name in before if np.abs(before[name] - after[name]).max() > 0}
    expected = {weight.name for weight in learner.start}
    if method == "meta-sgd":
        expected |= {factor.name for factor in learner.factors} & moved
        assert len(expected & {factor.name for factor in learner.factors}) > 4
    assert moved == expected


def test_ordinary_training_learns_from_the_queries_of_waves(hw13, capsys):
    assert hw13.train.parse_args(["--task", "sine", "--method", "pretrain", "--queries", "7"]).queries == 7
    check_sentence(hw13, capsys, ["--method", "pretrain", "--queries", "7"], "--queries is not used")


@pytest.mark.parametrize("method", ["maml", "reptile"])
def test_inner_steps_are_taken(hw13, method):
    one, three = (learn(hw13, "sine", method, inner_steps)[1] for inner_steps in (1, 3))
    assert np.abs(one["layer_1_kernel"] - three["layer_1_kernel"]).max() > 1e-5


def test_first_and_second_order_differ_and_reptile_differs_from_both(hw13):
    ends = [learn(hw13, "sine", method)[1]["layer_1_kernel"] for method in ("maml", "fomaml", "reptile")]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(ends[one] - ends[other]).max() > 1e-5


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
@pytest.mark.parametrize("where", ["save", "np.savez", "record"])
def test_a_training_that_was_killed_ends_as_one_that_was_not(hw13, tmp_path, monkeypatch, where):
    flags = f"{SINE} --method meta-sgd --iterations 8 --out-dir"
    whole = run_main(hw13.train, flags, tmp_path / "whole")
    with monkeypatch.context() as patch:
        if where == "np.savez":
            patch.setattr(hw13.checkpoint.np, "savez", killer(np.savez, 3))
        else:
            home = hw13.checkpoint.Checkpoint if where == "save" else hw13.train
            patch.setattr(home, where, killer(getattr(home, where), 3 if where == "save" else 1))
        with pytest.raises(KeyboardInterrupt):
            run_main(hw13.train, flags, tmp_path / "cut")
    resumed = run_main(hw13.train, flags, tmp_path / "cut", "--resume")
    assert resumed["scores"] == whole["scores"]
    first, second = (
        pd.read_csv(tmp_path / name / "history.csv").drop(columns=["seconds", "processor"])
        for name in ("whole", "cut")
    )
    assert len(first) == 4
    pd.testing.assert_frame_equal(first, second)
    assert not list((tmp_path / "cut").glob("half-written*"))


def test_resuming_wants_the_same_training(hw13, tmp_path, capsys):
    run_main(hw13.train, f"{SINE} --iterations 4 --out-dir", tmp_path)
    capsys.readouterr()
    argv = [*SINE.split(), "--iterations", "4", "--out-dir", tmp_path, "--resume"]
    for more in ("--method maml", "--seed 1", "--inner-steps 7", "--iterations 5"):
        name, value = more.split()
        check_sentence(hw13, capsys, [*argv, name, value], f"{name} ", f"expected {value}")
    whole = (tmp_path / "checkpoint.npz").read_bytes()
    for spoilt in (whole[: len(whole) // 2], b"", b"not a zip file"):
        (tmp_path / "checkpoint.npz").write_bytes(spoilt)
        check_sentence(hw13, capsys, argv, "checkpoint.npz is damaged")


def test_not_a_number_stops(hw13, tmp_path, capsys):
    argv = [*SINE.split(), "--iterations", "40", "--inner-rate", "1000", "--out-dir", tmp_path]
    check_sentence(hw13, capsys, argv, "the loss is not a number", "--inner-rate 1000.0")
    assert not (tmp_path / "model.keras").exists()


# --- the hand-in ----------------------------------------------------------


def test_predict_asks_only_of_characters_never_seen(hw13, tmp_path, whole_set, capsys):
    flags = f"{TRIAL} --data-dir {whole_set} --out-dir {tmp_path}"
    metrics = run_main(hw13.train, flags)
    predict = f"--steps 2 --data-dir {whole_set} --out-dir {tmp_path}"
    table = run_main(hw13.predict, f"--episodes 3 {predict}")  # as many as train.py scores by, here
    assert table.accuracy_transductive.mean() == pytest.approx(metrics["score"], abs=1e-9)
    table = run_main(hw13.predict, f"--episodes 20 {predict}")
    assert len(table) == 20
    assert all(name.startswith("Loops/") for row in table.characters for name in row.split())
    assert "12 characters never seen" in capsys.readouterr().out
    listed = pd.read_csv(tmp_path / "characters.csv")
    assert list(listed.character[~listed.learnt_from].str.split("/").str[0].unique()) == ["Loops"]
    assert len(listed) == 34

    other = shutil.copytree(whole_set, tmp_path / "other")
    root = other / "Omniglot" / "images_background"
    shutil.rmtree(root / "Loops")
    argv = ["--data-dir", other, "--out-dir", tmp_path]
    check_sentence(hw13, capsys, argv, "0 of 22 characters", "at least 5", script="predict")
    (root / "Lines").rename(root / "Runes")  # an alphabet that the training has not seen counts whole
    run_main(hw13.predict, "--episodes 2 --steps 2", *argv)
    assert "12 characters never seen" in capsys.readouterr().out


def test_predict_fits_the_points_of_a_file(hw13, tmp_path):
    run_main(
        hw13.train,
        "--task sine --method maml --iterations 40 --inner-steps 2 --learning-rate 0.01 --out-dir",
        tmp_path,
    )
    x = np.linspace(-4, 4, 10)
    pd.DataFrame({"y": 2 * np.sin(x - 1), "x": x}).to_csv(tmp_path / "points.csv", index=False)
    table = run_main(hw13.predict, "--steps 5 --points", tmp_path / "points.csv", "--out-dir", tmp_path)
    assert list(table.columns) == ["x", "steps_0", "steps_1", "steps_5"]
    wave = 2 * np.sin(table.x - 1)
    errors = [np.mean((table[column] - wave) ** 2) for column in table.columns[1:]]
    assert errors[2] < 0.9 * errors[0]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "curve.csv"), table, rtol=1e-4, check_dtype=False)


def test_predict_sorts_a_persons_own_drawings(hw13, tmp_path, whole_set, capsys):
    run_main(hw13.train, f"{TRIAL} --data-dir {whole_set} --out-dir {tmp_path}")
    own_drawings(tmp_path / "mine")
    table = run_main(hw13.predict, "--drawings", tmp_path / "mine", "--out-dir", tmp_path)
    assert list(table.columns) == ["lies", "stands"]
    assert table.loc["what.png"].sum() == pytest.approx(1)
    assert table.loc["what.png"].idxmax() == "stands"  # nothing was learnt, but it looks most like that
    assert "what.png: stands 0." in capsys.readouterr().out
    assert (tmp_path / "own.png").is_file()

    def refused(*words):
        argv = ["--drawings", tmp_path / "mine", "--out-dir", tmp_path]
        check_sentence(hw13, capsys, argv, *words, script="predict")

    Image.new("L", (20, 20), 255).save(tmp_path / "mine" / "blank.png")
    refused("blank.png is of one colour")
    specks = np.full((3000, 3000), 255, np.uint8)
    specks[[10, 2990], [10, 2990]] = 0  # in a picture in which nothing is left of them
    Image.fromarray(specks).save(tmp_path / "mine" / "blank.png")
    refused("blank.png: what is drawn is too thin")
    (tmp_path / "mine" / "blank.png").rename(tmp_path / "mine" / "notes.txt")
    run_main(hw13.predict, "--drawings", tmp_path / "mine", "--out-dir", tmp_path)
    assert "notes.txt and the like are left out, 1 files" in capsys.readouterr().out
    (tmp_path / "curve.csv").write_text("x,y\n1,2\n3,4\n")
    argv = ["--points", tmp_path / "curve.csv", "--out-dir", tmp_path]
    check_sentence(hw13, capsys, argv, "curve.csv would be overwritten", script="predict")
    shutil.rmtree(tmp_path / "mine" / "lies")
    refused("one sub-folder", "2 characters or more")
    (tmp_path / "mine" / "what.png").unlink()
    refused("no images beside its sub-folders")
    shutil.rmtree(tmp_path / "mine" / "stands")
    refused("has no sub-folders")
    shutil.rmtree(tmp_path / "mine")
    refused("is no folder")


# --- bad input: one sentence, status 2, nothing half-written --------------


@pytest.mark.parametrize(
    "flag",
    [
        "--iterations 0",
        "--batch-size 0",
        "--ways 1",
        "--shots 0",
        "--queries 0",
        "--inner-steps 0",
        "--inner-rate 0",
        "--inner-rate nan",
        "--learning-rate -1",
        "--seed -1",
        "--task sine --method protonet",
    ],
)
def test_bad_flags(hw13, tmp_path, capsys, flag):
    argv = ["--synthetic", *flag.split(), "--out-dir", tmp_path / "out"]
    check_sentence(hw13, capsys, argv, flag.split()[-2], "expected")
    assert not (tmp_path / "out").exists()


def test_an_unknown_task_is_refused(hw13, capsys):
    check_sentence(hw13, capsys, ["--task", "cosine"], "--task cosine", "omniglot")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--ways 13", ["--ways 13", "12 characters"]),
        ("--ways 23 --held-out Lines", ["--ways 23", "12 characters"]),
        ("--shots 10", ["--shots 10", "5 queries", "need 15 drawings", "has 12"]),
        ("--queries 12", ["12 queries", "need 13 drawings", "has 12"]),
        ("--held-out Greek", ["--held-out Greek", "Arcs, Lines, Loops"]),
        ("--held-out Arcs,Lines,Loops", ["--held-out Arcs,Lines,Loops", "fewer alphabets"]),
    ],
)
def test_too_little_for_the_task(hw13, capsys, tmp_path, whole_set, flags, words):
    argv = [*flags.split(), "--data-dir", whole_set, "--out-dir", tmp_path]
    check_sentence(hw13, capsys, argv, *words)
    assert not list(tmp_path.iterdir())


def test_bad_files(hw13, capsys, tmp_path, whole_set):
    data = shutil.copytree(whole_set, tmp_path / "data")
    argv, root = ["--data-dir", data, "--out-dir", tmp_path / "out"], data / "Omniglot" / "images_background"
    drawing = root / "Arcs" / "character01" / "0001_01.png"
    whole = drawing.read_bytes()
    for spoilt in (b"no picture", b"", whole[: len(whole) // 2]):
        drawing.write_bytes(spoilt)
        check_sentence(hw13, capsys, argv, drawing, "cannot be decoded as an image")
    other = (root / "Arcs").rename(root / os.fsdecode(b"\xff"))
    check_sentence(hw13, capsys, argv, root, "name is not UTF-8")
    other.rename(root / "Arcs")
    shutil.rmtree(drawing.parent)
    drawing.parent.mkdir()
    check_sentence(hw13, capsys, argv, drawing.parent, "holds no images")
    for alphabet in root.iterdir():
        shutil.rmtree(alphabet)
    check_sentence(hw13, capsys, argv, root, "holds no <alphabet>/<character> folders")
    shutil.rmtree(root)
    check_sentence(hw13, capsys, argv, root, "is missing; see hw13_meta/README.md")


def test_bad_points_and_models(hw13, capsys, tmp_path, whole_set):
    def refused(*words, more=("--points", tmp_path / "points.csv")):
        argv = ["--out-dir", tmp_path, *more]
        check_sentence(hw13, capsys, argv, *words, script="predict")

    refused("points.csv is missing")
    for text, words in {
        "": ["No columns to parse"],
        "a,y\n1,2\n3,4\n": ["the column x is missing"],
        "x,y\n1,2,3\n3,4,5\n": ["more cells than the header"],
        "x,z\n1,2\n3,4\n": ["the column y is missing"],
        "x,y\n1,2\n": ["has 1 points", "at least 2"],
        "x,y\n1,2\n3,four\n": ["line 3", "two numbers"],
        "\nx,y\n\n1,2\n  \n3,four\n": ["line 6", "two numbers"],
        "x,y\n1,2\n3,\n": ["line 3", "two numbers"],
        "x,y\ninf,2\n3,4\n": ["line 2", "two numbers"],
        "x,y\n1,1e300\n3,4\n": ["line 2", "two numbers from -1,000 to 1,000"],
    }.items():
        (tmp_path / "points.csv").write_text(text)
        refused("points.csv", *words)
    (tmp_path / "points.csv").write_text("x,y\n1,2\n3,4\n")
    refused("model.keras is missing; run train.py first")
    for flag in ("--episodes 0", "--steps 0", "--shots 0", "--queries 0", "--seed -1"):
        refused(flag, "expected", more=flag.split())
    (tmp_path / "model.keras").write_bytes(b"not a model")
    (tmp_path / "characters.csv").write_text("")
    refused("metrics.json is missing; run train.py first")
    with pytest.raises(hw13.scaffold.BadInput, match="no whole Keras model"):
        hw13.scoring.load_learner(tmp_path / "model.keras")
    run_main(hw13.train, f"{TRIAL} --data-dir", whole_set, "--out-dir", tmp_path)
    capsys.readouterr()
    refused("--points", "expected with a model of sine")
    refused("was trained on real data", "run train.py --synthetic first", more=["--synthetic"])
    refused("--shots 9", "need 14 drawings", more=["--shots", "9", "--data-dir", whole_set])
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["scores"].keys() == {"transductive", "inductive"}
    del metrics["files"]["metrics.json"]
    for shots in ("many", 1.0, True, []):
        metrics["arguments"]["shots"] = shots
        (tmp_path / "metrics.json").write_text(json.dumps(metrics))
        refused("metrics.json is not what train.py wrote", more=["--data-dir", whole_set])


# --- settings that reach the method -----------------------------------------


def test_each_inner_step_of_reptile_sees_other_points_while_there_are_any(hw13, monkeypatch):
    import tensorflow as tf

    learner, seen = hw13.model.Learner("sine", 1, 0.05), []
    trainer = hw13.methods.Trainer(learner, "reptile", 3, 100, 0.01, 1)

    def direction(loss, begin, rates, batches):
        seen.extend(batches)
        return [tf.zeros(weight.shape) for weight in learner.start]

    monkeypatch.setattr(hw13.methods, "reptile_direction", direction)
    batch = hw13.tasks.Waves(5, 15).draw(np.random.default_rng(0), 2)
    trainer.update(batch)
    x = np.concatenate([batch.support_x, batch.query_x], axis=1)
    y = np.concatenate([batch.support_y, batch.query_y], axis=1)
    for step, part in enumerate((slice(0, 10), slice(10, 20), slice(0, 10))):  # of twenty points
        np.testing.assert_array_equal(seen[step][0], x[:, part])
        np.testing.assert_array_equal(seen[step][1], y[:, part])


def test_all_drawings_of_a_character_are_varied_alike(hw13, monkeypatch):
    """Else what is turned in the support would be upright in the queries: another character."""
    monkeypatch.setattr(hw13.tasks, "OF_A_DRAWING", {"angle": 0, "stretch": 0, "slant": 0, "shift": 0})
    rng = np.random.default_rng(0)
    drawn = {f"A/{name}": np.repeat(rng.integers(0, 256, (1, 28, 28)), 4, axis=0) for name in range(3)}
    characters = {name: drawings.astype(np.uint8) for name, drawings in drawn.items()}
    batch = hw13.tasks.Episodes(characters, 3, 2, 2, vary=True).draw(rng, 20)
    x = np.concatenate([batch.support_x, batch.query_x], axis=1).reshape(20, 4, 3, 28, 28)
    np.testing.assert_allclose(x, np.broadcast_to(x[:, :1], x.shape), atol=1e-5)
    assert np.abs(x[0] - x[1]).mean() > 0.01  # another task has it otherwise


def test_the_gradient_passes_through_the_prototypes(hw13):
    import tensorflow as tf

    _, batch = omniglot_tasks(hw13)
    learner = hw13.model.Learner("omniglot", 3, 0.1, adapts="nothing", prototypes=True, filters=4)
    start = [tf.convert_to_tensor(weight) for weight in learner.start]
    with tf.GradientTape() as tape:
        tape.watch(start)
        kernel, bias = learner.initial(start, batch.support_x, batch.support_y, 3)[-2:]
        total = tf.reduce_sum(tf.square(kernel)) + tf.reduce_sum(bias)
    gradients = tape.gradient(total, start, unconnected_gradients="zero")
    assert all(np.abs(gradient).max() > 0 for gradient in gradients[1:3])  # scale and offset


def test_predict_adapts_to_as_many_points_as_train_did(hw13, tmp_path, capsys, monkeypatch):
    flags = ["--task", "sine", "--phase", "pi", "--shots", "4", "--iterations", "1", "--batch-size", "2"]
    hw13.train.main([*flags, "--out-dir", str(tmp_path)])
    drawn, draw = [], hw13.scoring.draw_wave
    monkeypatch.setattr(hw13.scoring, "draw_wave", lambda *wave: drawn.append(wave) or draw(*wave))
    hw13.predict.main(["--out-dir", str(tmp_path)])
    assert "at the 4 points by steps" in capsys.readouterr().out
    assert drawn == [(hw13.dataset.TEST_SEED, 4, "pi")]
