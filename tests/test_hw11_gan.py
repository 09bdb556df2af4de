"""Homework 11: losses and distances by hand, both loops, what is drawn by lot, going on, and bad input."""

import json
import shutil
import sys

import numpy as np
import pytest
from conftest import check_sentence
from PIL import Image

CHAPTER = "hw11_gan"
TRIAL = ["--synthetic", "--image-size", "16", "--batch-size", "32", "--epochs", "1"]


@pytest.fixture
def hw11(load_chapter):
    return load_chapter(CHAPTER)


@pytest.fixture
def hw11_light(load_chapter):
    """The modules that need no TensorFlow."""
    return load_chapter(CHAPTER, "dataset", "sheets", "train", "predict")


@pytest.fixture
def few_faces(whole_set, tmp_path):
    """A copy of some of the drawn faces, to spoil; feature_model is beside them."""
    (tmp_path / "data" / "faces").mkdir(parents=True)
    for path in sorted((whole_set / "faces").iterdir())[:80]:
        shutil.copy(path, tmp_path / "data" / "faces")
    shutil.copy(whole_set / "features.keras", tmp_path / "data")
    return tmp_path / "data"


def columns(*values):
    import tensorflow as tf

    return tf.constant(values, tf.float32)[:, None]


def build(chapter, loss="dcgan", normalise="batch", **options):
    """A small gan for images of 16 pixels a side, in float32."""
    import keras

    keras.utils.set_random_seed(0)
    generator = chapter.model.build_generator(16, 4)
    discriminator = chapter.model.build_discriminator(16, 4, 4, normalise)
    return chapter.gan.GAN(generator, discriminator, loss, **options)


# --- the losses -----------------------------------------------------------


def test_the_loss_of_a_detective_who_does_not_know_is_two_ln_two(hw11):
    undecided = columns(0, 0, 0)
    of_discriminator, of_generator, _ = hw11.losses.LOSSES["dcgan"]
    np.testing.assert_allclose(of_discriminator(undecided, undecided), 2 * np.log(2), rtol=1e-6)
    np.testing.assert_allclose(of_generator(undecided), np.log(2), rtol=1e-6)


@pytest.mark.parametrize(
    ("loss", "of_discriminator", "of_generator"),
    [
        ("dcgan", -np.log([0.75 * (1 - 0.6), 0.2 * (1 - 0.1)]), -np.log([0.6, 0.1])),
        ("lsgan", [0.5 * 0.01 + 0.5 * 0.16, 0.5 * 5.76 + 0.5 * 4.84], [0.5 * 0.36, 0.5 * 10.24]),
        ("wgan", [-0.7, -0.8], [-0.4, 2.2]),
        ("wgan-gp", [-0.7, -0.8], [-0.4, 2.2]),
        ("sngan", [0 + 1.4, 2.4 + 0], [-0.4, 2.2]),
    ],
)
def test_losses_by_hand(hw11, loss, of_discriminator, of_generator):
    real, fake = columns(1.1, -1.4), columns(0.4, -2.2)
    if loss == "dcgan":  # from probabilities
        real, fake = columns(*np.log([3, 0.25])), columns(*np.log([1.5, 1 / 9]))
    by_discriminator, by_generator, _ = hw11.losses.LOSSES[loss]
    np.testing.assert_allclose(np.ravel(by_discriminator(real, fake)), of_discriminator, rtol=1e-5)
    np.testing.assert_allclose(np.ravel(by_generator(fake)), of_generator, rtol=1e-5)


def linear(length):
    """A critic with a slope of this length everywhere, of images (2, 2, 3)."""
    import keras

    weights = np.random.default_rng(0).normal(size=(12, 1))
    critic = keras.Sequential([keras.Input((2, 2, 3)), keras.layers.Flatten(), keras.layers.Dense(1)])
    critic.set_weights([length * weights / np.linalg.norm(weights), np.ones(1)])
    return critic


@pytest.mark.parametrize(("length", "penalty"), [(1, 0), (3, 4), (0.5, 0.25)])
def test_the_gradient_penalty_of_a_linear_critic(hw11, length, penalty):
    import tensorflow as tf

    real, fake = tf.random.normal((5, 2, 2, 3), seed=1), tf.random.normal((5, 2, 2, 3), seed=2)
    mix = tf.random.uniform((5, 1, 1, 1))
    measured = hw11.losses.gradient_penalty(linear(length), real, fake, mix)
    np.testing.assert_allclose(measured, penalty, atol=1e-5)
    plain, punished = (
        hw11.losses.discriminator_loss(name, linear(length), real, fake, mix) for name in ("wgan", "wgan-gp")
    )
    np.testing.assert_allclose(punished - plain, 10 * penalty, atol=1e-4)


def test_the_gradient_penalty_looks_between_true_and_generated_images(hw11):
    import tensorflow as tf

    def critic(images, training):  # its slope at x is x
        return tf.reduce_sum(tf.square(images), axis=(1, 2, 3))[:, None] / 2

    real, fake = tf.ones((2, 1, 1, 4)), tf.zeros((2, 1, 1, 4))
    mix = tf.constant([0.25, 1.0])[:, None, None, None]
    penalty = hw11.losses.gradient_penalty(critic, real, fake, mix)
    np.testing.assert_allclose(penalty, np.mean([(0.5 - 1) ** 2, (2 - 1) ** 2]), rtol=1e-5)


def test_r1_is_half_the_squared_gradient_at_true_images_each_eighth_step(hw11):
    import tensorflow as tf

    def discriminator(images, training):  # its gradient at x is x
        return tf.reduce_sum(tf.square(images), axis=(1, 2, 3))[:, None] / 2

    real, fake = tf.constant([1.0, 3.0])[:, None, None, None] * tf.ones((2, 1, 1, 4)), tf.ones((2, 1, 1, 4))
    expected = np.mean([4 * 1, 4 * 9]) / 2
    np.testing.assert_allclose(hw11.losses.r1_penalty(discriminator, real), expected, rtol=1e-5)
    plain = hw11.losses.discriminator_loss("dcgan", discriminator, real, fake, 0)
    added = [
        float(hw11.losses.discriminator_loss("dcgan", discriminator, real, fake, 0, 0.5, tf.constant(step)))
        - float(plain)
        for step in range(17)
    ]
    often = hw11.recipes.R1_EVERY  # so that it weighs as much as if it were taken in each step
    np.testing.assert_allclose(added, [often * 0.5 * expected * (step % often == 0) for step in range(17)])


@pytest.mark.parametrize("loop", ["gradients", "fit"])
def test_only_the_default_has_r1(hw11, loop, monkeypatch):
    """In its first step each loop hands the recipe's strength over; the course's settings have none."""
    strengths = {}
    for name, flags in {"default": [], "course's": ["--original"], "lsgan": ["--loss", "lsgan"]}.items():
        gan = hw11.training.build_gan(hw11.train.parse_args([*TRIAL, *flags]))

        def seen(*given, name=name):
            strengths[name] = given[5:]
            raise KeyboardInterrupt

        monkeypatch.setattr(hw11.gan, "discriminator_loss", seen)
        train = hw11.gan.train_by_gradients if loop == "gradients" else hw11.gan.train_by_fit
        with pytest.raises(KeyboardInterrupt):
            train(gan, np.zeros((64, *gan.generator.output_shape[1:]), np.uint8), 8, 0, 1, None)
    assert {name: given[0] for name, given in strengths.items()} == {
        "default": hw11.recipes.LOSS_RECIPES["dcgan"].r1,
        "course's": 0,
        "lsgan": 0,
    }
    assert hw11.recipes.LOSS_RECIPES["dcgan"].r1 > 0


def test_the_spectral_norm_of_every_layer_is_at_most_one(hw11):
    import keras

    discriminator = hw11.model.build_discriminator(16, 8, 4, "spectral")
    for layer in discriminator.layers:
        if isinstance(layer, keras.layers.SpectralNormalization):
            layer.kernel.assign(100 * layer.kernel)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 16, 16, 3)).astype(np.float32)
    for _ in range(60):  # each call takes one step of the power iteration
        discriminator(images, training=True)
    kernels = [weight for weight in discriminator.trainable_weights if "kernel" in weight.path]
    norms = [np.linalg.norm(np.reshape(kernel, (-1, kernel.shape[-1])), 2) for kernel in kernels]
    assert len(norms) == 3
    np.testing.assert_allclose(norms, 1, atol=0.02)


def test_clipped_weights(hw11):
    gan = build(hw11, "wgan")
    for variable in gan.discriminator.trainable_variables:
        variable.assign(5 * variable - 0.001)
    hw11.losses.clip(gan.discriminator)
    largest = [np.abs(variable).max() for variable in gan.discriminator.trainable_variables]
    np.testing.assert_allclose(max(largest), 0.01, rtol=1e-6)


def test_a_clipped_critic_is_normalised_all_the_same(hw11):
    """With Keras' epsilon of 0.001 its last layer has a hundredth of this, and wgan draws no face."""
    import keras

    epsilon = hw11.recipes.LOSS_RECIPES["wgan"].epsilon
    critic = hw11.model.build_discriminator(32, 16, epsilon=epsilon)
    hw11.losses.clip(critic)
    layers = [layer.output for layer in critic.layers if "normalization" in layer.name]
    images = np.random.default_rng(0).uniform(-1, 1, (64, 32, 32, 3)).astype(np.float32)
    deviations = [np.asarray(x).std() for x in keras.Model(critic.input, layers)(images, training=True)]
    assert len(deviations) == 2
    assert min(deviations) > 0.2 * hw11.losses.CLIP, "the scales of the normalisation are clipped too"


def test_sameness_is_the_noises_distance_by_the_images(hw11):
    noise = np.array([[0.0, 2], [1, 2], [1, 0]], np.float32)
    fake = np.array([0.0, 1, 0], np.float32)[:, None, None, None] * np.ones((3, 2, 2, 3), np.float32)
    # neighbours, in a ring: noise 0.5 + 1 + 1.5, images 1 + 1 + 0
    np.testing.assert_allclose(hw11.losses.mode_seeking_loss(fake, noise), 3.0 / 2.0, rtol=1e-4)


# --- the distances --------------------------------------------------------


def test_kid_by_a_loop(hw11):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 3)), rng.normal(1, 1, size=(4, 3))
    kernel = lambda a, b: (a @ b / 3 + 1) ** 3  # noqa: E731
    of_x = np.mean([kernel(x[i], x[j]) for i in range(5) for j in range(5) if i != j])
    of_y = np.mean([kernel(y[i], y[j]) for i in range(4) for j in range(4) if i != j])
    between = np.mean([kernel(a, b) for a in x for b in y])
    np.testing.assert_allclose(hw11.metrics.discrepancy(x, y), of_x + of_y - 2 * between)
    mean, deviation = hw11.metrics.kid(x, y)  # subsets of four of each
    drawn = hw11.metrics.discrepancy(np.delete(x, 0, axis=0), y)
    assert deviation > 0
    assert abs(mean - drawn) < abs(drawn)


def test_kid_of_a_distribution_with_itself_is_zero_and_grows_with_noise(hw11):
    rng = np.random.default_rng(0)
    values = [
        hw11.metrics.discrepancy(rng.normal(size=(40, 8)), rng.normal(size=(40, 8))) for _ in range(300)
    ]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values)), "biased"
    x = rng.normal(size=(600, 8))
    noisy = [
        hw11.metrics.kid(x[:300], x[300:] + noise * rng.normal(size=(300, 8)))[0] for noise in (0, 0.5, 1, 2)
    ]
    assert abs(noisy[0]) < 0.1
    assert (np.diff(noisy) > 0).all()


def test_fid_by_a_matrix_root(hw11):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 4)) @ rng.normal(size=(4, 4)), rng.normal(1, 2, size=(30, 4))
    s, t = np.cov(x.T), np.cov(y.T)
    roots = np.sqrt(np.linalg.eigvals(s @ t).real)
    expected = np.square(x.mean(0) - y.mean(0)).sum() + np.trace(s + t) - 2 * roots.sum()
    np.testing.assert_allclose(hw11.metrics.fid(x, y), expected)
    np.testing.assert_allclose(hw11.metrics.fid(x, x), 0, atol=1e-8)


def test_collapse(hw11):
    rng = np.random.default_rng(0)
    true = rng.normal(size=(200, 30))
    one = np.repeat(rng.normal(size=(1, 30)), 100, axis=0) + 1e-6 * rng.normal(size=(100, 30))
    spread, duplicates = hw11.metrics.collapse(true, one)
    assert spread < 1e-3
    assert duplicates == 1
    spread, duplicates = hw11.metrics.collapse(true, 0.5 * rng.normal(size=(200, 30)))
    assert 0.45 < spread < 0.55
    spread, duplicates = hw11.metrics.collapse(true, true)
    assert spread == pytest.approx(1)
    assert duplicates == 0, "an image was compared with itself"
    pairs = np.concatenate([true[:60], true[:40] + 1e-3, rng.normal(size=(20, 30))])
    assert hw11.metrics.collapse(true, pairs)[1] == pytest.approx(80 / 120)
    usual = np.mean([np.linalg.norm(true[i] - true[j]) for i in range(200) for j in range(i)])
    for share, near in ((0.19, 1), (0.21, 0)):
        two = np.zeros((2, 30))
        two[1, 0] = share * usual
        assert hw11.metrics.collapse(true, two)[1] == near


# --- what is drawn by lot -------------------------------------------------


def test_batches_are_every_face_at_most_once_an_epoch_and_go_on_where_they_were(hw11):
    faces = np.arange(10, dtype=np.uint8)[:, None, None, None]
    source = hw11.gan.batches(faces, 3, seed=1)
    epochs = [[next(source).ravel().tolist() for _ in range(3)] for _ in range(3)]
    for epoch in epochs:
        assert len({number for batch in epoch for number in batch}) == 9
    assert epochs[0] != epochs[1]
    assert len({number for epoch in epochs for batch in epoch for number in batch}) == 10
    later = hw11.gan.batches(faces, 3, seed=1, first_epoch=2)
    assert [next(later).ravel().tolist() for _ in range(3)] == epochs[2]
    other = hw11.gan.batches(faces, 3, seed=2)
    assert [next(other).ravel().tolist() for _ in range(3)] != epochs[0]


def test_noise_is_of_one_distribution_in_training_and_in_sampling(hw11):
    gan = build(hw11, seed=3)
    first = np.asarray(gan.draw(200, 0).noise)
    for noise in (first, hw11.model.draw_noise(200, 0)):
        assert noise.shape == (200, hw11.model.NOISE)
        assert abs(noise.mean()) < 0.03
        assert abs(noise.std() - 1) < 0.03
        assert abs((noise**4).mean() - 3) < 0.3, "not normal"
    np.testing.assert_array_equal(hw11.model.draw_noise(5, 0), hw11.model.draw_noise(200, 0)[:5])
    np.testing.assert_array_equal(gan.draw(200, 0).noise, first)
    assert not np.allclose(gan.draw(200, 1).noise, first), "the generator's noise is the discriminator's"
    gan.step.assign_add(1)
    assert not np.allclose(gan.draw(200, 0).noise, first)
    changes = gan.draw(200, 0).changes
    assert not np.array_equal(*changes), "true and generated images would be changed alike"


def test_augmentation_moves_what_it_should(hw11):
    import tensorflow as tf

    images = np.random.default_rng(0).uniform(-1, 1, (64, 16, 16, 3)).astype(np.float32)
    down = hw11.augment.shifting(tf.constant([[2], [-1], [0]]), 16)
    moved = np.einsum("bij,bjkc->bikc", down, images[:3])
    np.testing.assert_allclose(moved[0, 2:], images[0, :-2])
    np.testing.assert_allclose(moved[0, :2], 0)
    np.testing.assert_allclose(moved[1, :-1], images[1, 1:])
    np.testing.assert_allclose(moved[2], images[2])

    grey = np.zeros((500, 16, 16, 3), np.float32)
    changed = np.asarray(hw11.augment.augment(tf.constant(grey), [0, 1]))
    assert np.abs(changed).max() <= 0.5
    assert abs(changed.max(axis=(1, 2, 3)).mean() - 0.125) < 0.03  # brightness is uniform, half below 0
    marked = grey.copy()
    marked[:, 8, 8] = 1000
    shown = np.asarray(hw11.augment.augment(tf.constant(marked), [0, 1]))
    indices = shown[..., 0].reshape(500, -1).argmax(1)
    for steps in (indices // 16 - 8, indices % 16 - 8):
        assert sorted(set(steps.tolist())) == [-2, -1, 0, 1, 2]
    with tf.GradientTape() as tape:
        x = tf.constant(images)
        tape.watch(x)
        total = tf.reduce_sum(tf.square(hw11.augment.augment(x, [0, 1])))
    assert (np.abs(tape.gradient(total, x)).sum(axis=(1, 2, 3)) > 0).all()


def test_flips_are_whole_mirrors_of_half(hw11):
    import tensorflow as tf

    images = np.random.default_rng(0).uniform(-1, 1, (300, 4, 4, 3)).astype(np.float32)
    flipped = np.asarray(hw11.augment.flip(tf.constant(images), [0, 1]))
    same = (flipped == images).all(axis=(1, 2, 3))
    assert 120 < same.sum() < 180
    np.testing.assert_array_equal(flipped[~same], images[~same][:, :, ::-1])


def test_images_are_scaled_as_the_generator_draws_them(hw11):
    gan = build(hw11)
    ends = np.array([0, 255], np.uint8)[:, None, None, None] * np.ones((2, 16, 16, 3), np.uint8)
    np.testing.assert_allclose(gan.real(ends, [0, 1])[:, 0, 0, 0], [-1, 1])
    images = hw11.model.generate(lambda noise, training: noise[:, :48].reshape(-1, 4, 4, 3), ends_of_noise())
    np.testing.assert_array_equal(images[:, 0, 0, 0], [0, 255])


def ends_of_noise():
    return np.array([-1, 1], np.float32)[:, None] * np.ones((2, 100), np.float32)


# --- sampling -------------------------------------------------------------


def test_recalibrated_statistics_do_what_those_of_a_batch_do(hw11):
    generator = hw11.model.build_generator(16, 4, momentum=0.99)
    noise = hw11.model.draw_noise(1000, 5)
    by_batch = np.asarray(generator(noise, training=True))
    before = np.abs(np.asarray(generator(noise, training=False)) - by_batch).mean()
    hw11.model.recalibrate_batch_norm(generator)
    after = np.abs(np.asarray(generator(noise, training=False)) - by_batch).mean()
    assert after < 0.1 * before
    layer = next(
        layer
        for layer in generator.layers
        if isinstance(layer, hw11.fused_batch_norm.FusedBatchNormalization)
    )
    assert layer.momentum == 0.99
    variance = np.var(hw11.model.draw_noise(640, 0) @ generator.layers[1].kernel.numpy(), axis=0)
    np.testing.assert_allclose(layer.moving_variance.numpy().mean(), variance.mean(), rtol=0.01)


def test_averaged_weights_by_hand(hw11):
    gan = build(hw11)
    variable, mean = gan.generator.trainable_variables[0], gan.averaged.trainable_variables[0]
    start = variable.numpy()
    variable.assign(start + 1)
    gan.average()  # the start has a weight of 1/10
    np.testing.assert_allclose(mean, start + 0.9, rtol=1e-5)
    gan.average()
    np.testing.assert_allclose(mean, start + 1 - 0.1 * 2 / 11, rtol=1e-5)
    assert int(gan.step) == 2
    last = build(hw11, averaging=False)
    last.generator.trainable_variables[0].assign(start + 1)
    last.average()
    np.testing.assert_allclose(last.averaged.trainable_variables[0], start + 1, rtol=1e-5)


def test_the_average_is_over_the_last_tenth_of_the_steps(hw11):
    gan = build(hw11)
    variable, mean = gan.generator.trainable_variables[0], gan.averaged.trainable_variables[0]
    for step in range(1000):
        variable.assign(np.full(variable.shape, step, np.float32))
        gan.average()
    np.testing.assert_allclose(mean, 900, rtol=0.01)  # as old as a tenth of all steps, in the mean


def test_a_walk_stays_on_the_sphere(hw11_light):
    first, last = np.random.default_rng(0).normal(size=(2, 100))
    last *= np.linalg.norm(first) / np.linalg.norm(last)
    steps = hw11_light.sheets.walk(first, last, 7)
    np.testing.assert_allclose(steps[[0, -1]], [first, last], rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(steps, axis=1), np.linalg.norm(first), rtol=1e-5)
    apart = np.linalg.norm(np.diff(steps, axis=0), axis=1)
    np.testing.assert_allclose(apart, apart[0], rtol=1e-4)


def test_many_faces_are_seen_in_fewer_epochs(hw11_light, tmp_path, monkeypatch):
    """The default trains for so many updates, whether there are three thousand faces or seventy."""
    (tmp_path / "faces").mkdir()
    for number in range(64):
        (tmp_path / "faces" / f"{number}.png").touch()
    flags = ["--data-dir", str(tmp_path)]
    for updates, epochs in ((23_400, 50), (60, 30), (1, 1)):
        monkeypatch.setattr(sys.modules["recipes"], "UPDATES", updates)
        assert hw11_light.train.parse_args(flags).epochs == epochs
        assert hw11_light.train.parse_args([*flags, "--epochs", "7"]).epochs == 7
        assert hw11_light.train.parse_args([*flags, "--original"]).epochs == 10
    monkeypatch.setattr(sys.modules["recipes"], "UPDATES", 60)
    assert hw11_light.train.parse_args([*flags, "--batch-size", "16"]).epochs == 15


def test_rows_with_names(hw11_light):
    images = np.zeros((9, 16, 16, 3), np.uint8)
    figure = hw11_light.sheets.plot_rows({"one": images, "another": images[:3]}, columns=8)
    assert [axes.get_ylabel() for axes in figure.axes] == ["one", "another"]
    assert [axes.images[0].get_array().shape for axes in figure.axes] == [(16, 128, 3), (16, 48, 3)]


def test_sheet_and_nearest(hw11_light):
    images = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.full((3, 16, 16, 3), 60, np.uint8)
    drawn = np.asarray(hw11_light.sheets.sheet(images, columns=2))
    assert drawn.shape == (2 * 18 - 2, 2 * 18 - 2, 3)
    assert [drawn[0, 0, 0], drawn[0, 18, 0], drawn[18, 0, 0], drawn[18, 18, 0]] == [0, 60, 120, 255]
    found = hw11_light.sheets.nearest(images[[2, 0]] + 5, images)
    np.testing.assert_array_equal(found, images[[2, 0]])


# --- the two loops --------------------------------------------------------


@pytest.fixture
def eagerly():
    """So few steps are not worth compiling."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.filterwarnings("ignore:Even though")
@pytest.mark.usefixtures("eagerly")
def test_both_loops_give_the_same_losses_step_by_step(hw11):
    faces = np.random.default_rng(0).integers(0, 256, (9, 16, 16, 3)).astype(np.uint8)
    ends = []
    for train in (hw11.gan.train_by_gradients, hw11.gan.train_by_fit):
        gan, heard = build(hw11, "wgan", discriminator_steps=2, generator_steps=3, diversity=1.0), []
        train(gan, faces, 2, 1, 3, lambda epoch, losses, heard=heard: heard.append((epoch, losses)))
        ends.append((heard, [variable.numpy() for variable in gan.variables]))
    (by_hand, variables), (by_fit, same) = ends
    assert [epoch for epoch, _ in by_hand] == [epoch for epoch, _ in by_fit] == [2, 3]
    assert [len(losses) for _, losses in by_hand] == [2, 2]
    np.testing.assert_allclose([e[1] for e in by_fit], [e[1] for e in by_hand], rtol=1e-6)
    for one, other in zip(variables, same, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    assert int(variables[-1]) == 4


@pytest.mark.usefixtures("eagerly")
def test_each_update_of_the_critic_has_true_images_of_its_own(hw11, monkeypatch):
    import tensorflow as tf

    gan, seen = build(hw11, discriminator_steps=3), []
    monkeypatch.setattr(
        gan, "real", lambda pixels, seed: seen.append(pixels.numpy()) or hw11.gan.GAN.real(gan, pixels, seed)
    )
    pixels = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3)).astype(np.uint8)
    hw11.gan.make_step(gan)(tf.constant(pixels))
    np.testing.assert_array_equal(seen, pixels.reshape(3, 2, 16, 16, 3))
    assert [int(optimizer.iterations) for optimizer in gan.optimizers] == [1, 3]


def test_the_papers_of_wgan_update_the_critic_five_times(hw11_light):
    steps = {
        loss: hw11_light.train.parse_args(["--loss", loss]).discriminator_steps
        for loss in ("dcgan", "lsgan", "wgan", "wgan-gp", "sngan")
    }
    assert steps == {"dcgan": 1, "lsgan": 1, "wgan": 5, "wgan-gp": 5, "sngan": 1}
    assert (
        hw11_light.train.parse_args(["--loss", "wgan", "--discriminator-steps", "2"]).discriminator_steps == 2
    )


@pytest.mark.usefixtures("eagerly")
def test_the_discriminator_alone_learns_from_its_loss(hw11):
    """One step with a rate of 0 for one of the two leaves it where it was."""
    import tensorflow as tf

    pixels = tf.constant(np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3)).astype(np.uint8))
    for rates, still in (((0.0, 0.01), "generator"), ((0.01, 0.0), "discriminator")):
        gan = build(hw11, learning_rates=rates)
        networks = {"generator": gan.generator, "discriminator": gan.discriminator}
        before = {name: [v.numpy() for v in net.trainable_variables] for name, net in networks.items()}
        losses = hw11.gan.make_step(gan)(pixels)
        assert all(np.isfinite(losses))
        for name, net in networks.items():
            moved = [np.abs(v.numpy() - b).max() for v, b in zip(net.trainable_variables, before[name])]
            assert (max(moved) == 0) == (name == still)


def test_the_mode_seeking_loss_keeps_a_generator_from_one_image(hw11, whole_set):
    """The claim: against a discriminator that stands still, one best image would do; with the loss, not."""
    import tensorflow as tf

    faces, aside, _ = hw11.dataset.load_faces(whole_set, 16)
    found = []
    for strength in (0.0, 1.0):
        gan = build(
            hw11,
            normalise=None,
            diversity=strength,
            learning_rates=(2e-3, 0.0),
            augmented=False,
            averaging=False,
        )
        step = hw11.gan.make_step(gan)
        for _ in range(100):
            step(tf.constant(faces[:16]))
        hw11.model.recalibrate_batch_norm(gan.averaged)
        drawn = hw11.model.generate(gan.averaged, hw11.model.draw_noise(100, 0))
        found.append(hw11.metrics.collapse(*(hw11.sheets.shrunk(x, 2) for x in (aside, drawn))))
    (spread, duplicates), (kept_spread, kept_duplicates) = found
    assert kept_spread > 1.5 * spread
    assert kept_duplicates < 0.75 * duplicates


# --- training, going on, predicting ---------------------------------------


@pytest.mark.full
def test_a_training_in_two_parts_and_by_two_loops_is_one_training(hw11, tmp_path, capsys, monkeypatch):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    flags = [*TRIAL, "--loss", "sngan"]
    hw11.train.main([*flags, "--epochs", "2", "--out-dir", str(whole)])
    save = hw11.checkpoint.Checkpoint.save

    def stopped(self, variables):
        save(self, variables)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(hw11.checkpoint.Checkpoint, "save", stopped)
        with pytest.raises(KeyboardInterrupt):
            hw11.train.main([*flags, "--epochs", "2", "--out-dir", str(parts)])
    first = (parts / "samples" / "epoch_001.png").read_bytes()
    (parts / "samples" / "epoch_009.png").write_bytes(first)  # of an earlier, longer training
    hw11.train.main([*flags, "--epochs", "2", "--out-dir", str(parts), "--resume", "--loop", "fit"])
    with Image.open(parts / "faces.gif") as book:
        assert book.n_frames == 2
    one, other = (json.loads((folder / "metrics.json").read_text()) for folder in (whole, parts))
    assert one["score"] == pytest.approx(other["score"], rel=1e-4)
    assert (whole / "samples" / "epoch_001.png").read_bytes() == first
    assert first != (whole / "samples" / "epoch_002.png").read_bytes()

    # a checkpoint of another loss or size, or none at all
    sentence = [*flags, "--out-dir", parts, "--resume", "--epochs", 2]
    check_sentence(hw11, capsys, [*sentence, "--loss", "lsgan"], "--loss sngan", "expected lsgan")
    check_sentence(hw11, capsys, [*sentence, "--image-size", "32"], "--image-size 16", "expected 32")
    kept = (parts / "checkpoint.npz").read_bytes()
    (parts / "checkpoint.npz").write_bytes(kept[:2000])
    check_sentence(hw11, capsys, sentence, "checkpoint.npz is damaged")

    # predictions, to the byte
    drawn = []
    for count in (3, 60, 60):
        hw11.predict.main(["--synthetic", "--out-dir", str(whole), "--count", str(count), "--seed", "4"])
        drawn.append([path.read_bytes() for path in sorted((whole / "generated").iterdir())])
    assert [len(files) for files in drawn] == [3, 60, 60]
    assert drawn[0] == drawn[1][:3]
    assert drawn[1] == drawn[2]
    (whole / "generated" / "my face.png").write_bytes(b"mine")
    argv = ["--synthetic", "--out-dir", whole]
    check_sentence(hw11, capsys, argv, "my face.png would be lost", script="predict")
    with Image.open(whole / "faces.gif") as book, Image.open(whole / "samples" / "epoch_001.png") as first:
        assert book.n_frames == 2
        shown = np.asarray(book.convert("RGB").crop((0, 16, first.width, first.height + 16))).astype(float)
        assert np.abs(shown - np.asarray(first)).mean() < 8  # but for its 128 colours
    (whole / "model.keras").write_bytes((whole / "model.keras").read_bytes()[:1000])
    argv = ["--synthetic", "--out-dir", whole]
    check_sentence(hw11, capsys, argv, "model.keras and metrics.json are of two", script="predict")
    with pytest.raises(hw11.scaffold.BadInput, match="no whole Keras model"):
        hw11.model.load_generator(whole / "model.keras")


def test_losses_that_are_no_numbers_stop_the_run_and_keep_the_checkpoint(hw11, tmp_path, capsys):
    import tensorflow as tf

    args = hw11.train.parse_args([*TRIAL, "--out-dir", str(tmp_path)])
    (tmp_path / "samples").mkdir()
    gan, checkpoint = hw11.training.build_gan(args), hw11.checkpoint.Checkpoint(args)
    rows, finish = checkpoint.rows, hw11.training.EpochEnd(args, gan, checkpoint)
    finish(1, [(1.0, 2.0)])
    kept = (tmp_path / "checkpoint.npz").read_bytes()
    for losses in ([(1.0, 2.0), (np.nan, 2.0)], [(1.0, np.inf)]):
        with pytest.raises(
            hw11.scaffold.BadInput, match=r"epoch 2: a loss is not a number, .*checkpoint.npz"
        ):
            finish(2, losses)
    gan.averaged.trainable_variables[0].assign_add(tf.fill(gan.averaged.trainable_variables[0].shape, np.nan))
    with pytest.raises(hw11.scaffold.BadInput):
        finish(2, [(1.0, 2.0)])
    assert (tmp_path / "checkpoint.npz").read_bytes() == kept
    assert len(rows) == 1
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["epoch_001.png"]


# --- faces ----------------------------------------------------------------


def test_faces_kept_aside_are_in_no_training_and_the_same_whatever_the_order(hw11_light, few_faces):
    training, aside, done = hw11_light.dataset.load_faces(few_faces, 32)
    assert (training.shape, aside.shape, done) == ((70, 32, 32, 3), (10, 32, 32, 3), "")
    assert not {face.tobytes() for face in training} & {face.tobytes() for face in aside}
    with Image.open(few_faces / "faces" / "00008.png") as image:
        expected = np.asarray(image.resize((32, 32), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(aside[1], expected)
    assert list(hw11_light.dataset.kept_aside(8000)[:3]) == [0, 16, 32]


def test_images_of_other_sizes_and_modes_are_made_alike_and_it_is_said(hw11_light, few_faces):
    faces = few_faces / "faces"
    Image.new("L", (90, 60), 200).save(faces / "grey.png")
    Image.new("RGBA", (48, 48), (255, 0, 0, 255)).save(faces / "clear.PNG")
    (faces / "Thumbs.db").write_text("of another kind")
    training, aside, done = hw11_light.dataset.load_faces(few_faces, 16)
    assert len(training) + len(aside) == 82
    assert done.startswith("most are 48x48 RGB; ")
    assert "1 of 90x60 L" in done
    assert "1 of 48x48 RGBA" in done
    assert (training[-1] == 200).all() or (aside[-1] == 200).all()


def test_bad_faces(hw11_light, few_faces, tmp_path, capsys):
    flags = ["--data-dir", few_faces, "--out-dir", tmp_path / "out", "--image-size", 16]
    broken = few_faces / "faces" / "00003.png"
    check_sentence(hw11_light, capsys, [*flags, "--batch-size", 71], "70 faces", "--batch-size 71")
    more = [*flags, "--batch-size", 36, "--discriminator-steps", 2]
    check_sentence(hw11_light, capsys, more, "the 72 of a step", "--discriminator-steps 2")
    whole = broken.read_bytes()
    for content in (b"", b"no image", whole[: len(whole) // 2]):
        broken.write_bytes(content)
        check_sentence(hw11_light, capsys, flags, broken, "cannot be decoded as an image")
    for path in sorted((few_faces / "faces").iterdir())[10:]:
        path.unlink()
    check_sentence(hw11_light, capsys, flags, "holds 10 images, expected at least 16")
    shutil.rmtree(few_faces / "faces")
    check_sentence(hw11_light, capsys, flags, "faces is missing")


def test_bad_feature_models(hw11, few_faces, capsys):
    import keras

    load = hw11.metrics.load_features
    (few_faces / "text.keras").write_text("no model")
    flat = keras.Sequential([keras.Input((7,)), keras.layers.Dense(2)])
    flat.save(few_faces / "flat.keras")
    for name, words in (
        ("absent.keras", "there is no such file"),
        ("text.keras", "no whole Keras model"),
        ("flat.keras", "no whole Keras model|expected RGB"),
    ):
        with pytest.raises(hw11.scaffold.BadInput, match=words):
            load(name, few_faces)


@pytest.mark.parametrize("kind", ["sequential", "nested"])
def test_a_model_in_a_model_and_a_sequential_one_can_measure(hw11, few_faces, kind, monkeypatch):
    import keras
    from keras import layers

    if kind == "sequential":
        last = layers.Conv2D(8, 3, activation="relu")
        model = keras.Sequential([keras.Input((16, 16, 3)), layers.Rescaling(1 / 255), last])
        model.add(layers.Flatten())
    else:
        inner, pixels = keras.Input((16, 16, 3)), keras.Input((16, 16, 3))
        body = keras.Model(inner, layers.Conv2D(8, 3, activation="relu")(inner))
        model = keras.Model(pixels, layers.Dense(4)(layers.GlobalMaxPooling2D()(body(pixels))))
    model.save(few_faces / "own.keras")
    monkeypatch.setenv("HOME", str(few_faces))  # ~ after --feature-model= is not put in by a shell
    name = "~/own.keras" if kind == "nested" else "own.keras"
    features = hw11.metrics.load_features(name, few_faces)
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3)).astype(np.uint8)
    part = last if kind == "sequential" else body
    maps = np.asarray(part(images / np.float32(255 if kind == "sequential" else 1)))
    np.testing.assert_allclose(hw11.metrics.features_of(features, images), maps.mean(axis=(1, 2)), rtol=1e-3)


def test_a_model_of_two_outputs_cannot_measure(hw11, few_faces):
    import keras

    pixels = keras.Input((16, 16, 3))
    keras.Model(pixels, [pixels + 1, pixels + 2]).save(few_faces / "two.keras")
    with pytest.raises(hw11.scaffold.BadInput, match="several outputs"):
        hw11.metrics.load_features("two.keras", few_faces)


def test_inception_takes_pixels_from_minus_one_to_one_or_says_that_it_cannot_be_had(hw11, monkeypatch):
    import keras

    pixels = keras.Input((None, None, 3))
    total = keras.layers.Conv2D(1, 1, kernel_initializer="ones")(pixels)
    sums = keras.Model(pixels, keras.layers.AveragePooling2D(100)(total))
    monkeypatch.setattr(keras.applications, "InceptionV3", lambda include_top: sums)
    model = hw11.metrics.load_features("inceptionv3", None)
    images = np.array([0, 255], np.uint8)[:, None, None, None] * np.ones((2, 16, 16, 3), np.uint8)
    np.testing.assert_allclose(hw11.metrics.features_of(model, images), [[-3], [3]], rtol=1e-5)
    assert model.name == "inceptionv3"

    def no_network(include_top):
        raise OSError("name resolution")

    monkeypatch.setattr(keras.applications, "InceptionV3", no_network)
    with pytest.raises(hw11.scaffold.BadInput, match="inceptionv3: it cannot be downloaded, give a"):
        hw11.metrics.load_features("inceptionv3", None)


def test_features_are_the_means_of_the_last_maps_and_kept_in_a_file(hw11, few_faces, tmp_path):
    import keras

    pixels = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(5, 3, name="maps")(pixels)
    outputs = keras.layers.Dense(4)(keras.layers.GlobalMaxPooling2D()(maps))
    keras.Model(pixels, outputs).save(few_faces / "own.keras")
    model = hw11.metrics.load_features("own.keras", few_faces)
    images = np.random.default_rng(0).integers(0, 256, (53, 8, 8, 3)).astype(np.uint8)
    kernel, bias = keras.saving.load_model(few_faces / "own.keras").get_layer("maps").get_weights()
    window = np.lib.stride_tricks.sliding_window_view(images.astype(float), (3, 3), axis=(1, 2))
    expected = np.einsum("nyxcij,ijcf->nf", window, kernel) / 36 + bias
    found = hw11.metrics.features_once(model, images, tmp_path / "kept.npz")
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-2)
    model.predict_on_batch = None  # a second look would fail
    again = hw11.metrics.features_once(model, images, tmp_path / "kept.npz")
    np.testing.assert_array_equal(again, found)
    with pytest.raises(TypeError):  # other images are looked at
        hw11.metrics.features_once(model, images[::-1], tmp_path / "kept.npz")


@pytest.mark.parametrize(
    "flag",
    [
        "--seed -1",
        "--epochs 0",
        "--batch-size 1",
        "--learning-rate 0",
        "--learning-rate nan",
        "--generator-steps 0",
        "--generator-steps 17",
        "--discriminator-steps 0",
        "--discriminator-steps 17",
        "--diversity -1",
    ],
)
def test_flags_out_of_range(hw11_light, capsys, flag):
    check_sentence(hw11_light, capsys, flag.split(), *flag.split(), "expected")


def test_other_bad_flags(hw11_light, capsys, tmp_path):
    check_sentence(hw11_light, capsys, ["--original", "--loss", "wgan"], "--loss wgan", "--original")
    for flag in ("--count 0", "--seed -1"):
        check_sentence(hw11_light, capsys, flag.split(), flag, script="predict")
    there = ["--out-dir", tmp_path]
    check_sentence(hw11_light, capsys, there, "run train.py first", script="predict")
    check_sentence(
        hw11_light, capsys, [*there, "--synthetic"], "run train.py --synthetic first", script="predict"
    )


def test_the_own_features_know_a_face_again(hw11):
    """In views that it was not trained on, far more often than a random network of the same kind."""
    rng = np.random.default_rng(0)
    import keras

    faces = np.stack([np.asarray(hw11.dataset.draw_face(rng).resize((16, 16))) for _ in range(64)])
    shares = []
    for steps in (1, 60):
        keras.utils.set_random_seed(0)
        model = hw11.feature_network.train_feature_network(faces, 0, steps)
        views = [
            model(hw11.feature_network.view(faces.astype(np.float32), np.int32([[seed, 1], [seed, 2]])))
            .numpy()
            .mean((1, 2))
            for seed in (10**6, 10**6 + 1)
        ]
        first, second = (codes / np.linalg.norm(codes, axis=1, keepdims=True) for codes in views)
        shares.append(np.mean((first @ second.T).argmax(axis=1) == np.arange(64)))
    assert shares[1] > shares[0] + 0.1, shares


@pytest.mark.full
def test_training_needs_no_network_that_measures(hw11, few_faces, tmp_path, monkeypatch, capsys):
    """automatic takes the chapter's own features where InceptionV3 cannot be had; none measures nothing."""
    import keras

    def offline(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(keras.applications, "InceptionV3", offline)
    monkeypatch.setattr(hw11.feature_network.train_feature_network, "__defaults__", (2,))
    argv = ["--data-dir", str(few_faces), "--out-dir", str(tmp_path / "out"), "--image-size", "16"]
    argv += ["--epochs", "1", "--batch-size", "16", "--full-precision"]
    metrics = hw11.train.main(argv)
    assert metrics["metric"].endswith("by this training's own features")
    assert "features.keras" in metrics["files"]
    assert "InceptionV3 cannot be downloaded" in capsys.readouterr().out
    assert hw11.train.main([*argv, "--resume"])["kid"] == metrics["kid"]
    other = [*argv, "--feature-model", str(tmp_path / "out" / "features.keras"), "--resume"]
    other[other.index("--out-dir") + 1] = str(tmp_path / "other")  # measured by what the first has learnt
    metrics = hw11.train.main(other)
    assert metrics["metric"] == "KID x 1000 to the faces kept aside"
    assert "features.keras" not in metrics["files"]
    bare = hw11.train.main([*argv, "--feature-model", "none"])
    assert "kid" not in bare
    assert np.isfinite(bare["score"])


def test_only_inceptions_features_are_taken_as_they_are(hw11, tmp_path, monkeypatch):
    from types import SimpleNamespace

    rng = np.random.default_rng(0)
    true, fake = 7 * rng.normal(1, 1, (40, 5)), 7 * rng.normal(0, 1, (40, 5))
    monkeypatch.setattr(hw11.metrics, "features_once", lambda model, images, path: true)
    monkeypatch.setattr(hw11.metrics, "features_of", lambda model, images: fake)
    for name, scale in (("inceptionv3", 1.0), ("features", np.sqrt((true**2).mean()))):
        found = hw11.metrics.measure(SimpleNamespace(name=name), None, None, None)
        mean, deviation = hw11.metrics.kid(true / scale, fake / scale)
        np.testing.assert_allclose([found["kid"], found["kid_deviation"]], [1000 * mean, 1000 * deviation])
        np.testing.assert_allclose(found["fid"], hw11.metrics.fid(true / scale, fake / scale))
        collapse = hw11.metrics.collapse(true, fake)  # shares, whatever the scale
        np.testing.assert_allclose([found["spread"], found["duplicates"]], collapse)


# --- settings that reach the method -----------------------------------------


def test_an_image_is_changed_in_its_colours_by_one_factor(hw11, monkeypatch):
    """Saturation and contrast: what two channels of a pixel differ by, in every pixel times the same."""
    import tensorflow as tf

    monkeypatch.setattr(hw11.augment, "SHIFT", 0.0)
    images = np.random.default_rng(0).uniform(-1, 1, (200, 8, 8, 3)).astype(np.float32)
    changed = np.asarray(hw11.augment.augment(tf.constant(images), [0, 1]))
    before, after = (x[..., :2] - x[..., 1:] for x in (images, changed))
    factors = (before * after).sum(axis=(1, 2, 3)) / np.square(before).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(after, factors[:, None, None, None] * before, atol=1e-4)
    assert 0 <= factors.min() < 0.2
    assert 2 < factors.max() <= 3  # twice the saturation, half as much contrast again


@pytest.mark.parametrize(("loss", "times"), [("dcgan", 1), ("wgan-gp", 2), ("sngan", 2)])
def test_some_critics_learn_twice_as_fast(hw11, loss, times):
    args = hw11.train.parse_args([*TRIAL, "--loss", loss, "--learning-rate", "0.001"])
    of_generator, of_critic = hw11.training.build_gan(args).optimizers
    assert float(of_generator.learning_rate) == pytest.approx(0.001)
    assert float(of_critic.learning_rate) == pytest.approx(0.001 * times)


def test_kid_draws_no_image_twice(hw11):
    """Of two sets that are no larger than a draw, every draw is the whole."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 3)), rng.normal(1, 1, size=(30, 3))
    mean, deviation = hw11.metrics.kid(x, y)
    assert mean == pytest.approx(hw11.metrics.discrepancy(x, y))
    assert deviation == pytest.approx(0, abs=1e-9)


def test_a_saved_model_does_not_know_its_folders_name(hw11):
    """A folder that was copied under another name reads the models that came with it."""
    import keras

    name = keras.saving.get_registered_name(hw11.fused_batch_norm.FusedBatchNormalization)
    assert name == "fused_batch_norm>FusedBatchNormalization"


def test_the_peer_is_asked_for_in_a_sentence(hw11, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    with pytest.raises(hw11.scaffold.BadInput, match="PyTorch is not installed"):
        hw11.throughput.main(["torch", "--steps", "5"])


@pytest.mark.full
def test_throughput_is_a_number(hw11, capsys):
    hw11.throughput.main(["keras", "--steps", "5"])
    assert int(capsys.readouterr().out) > 0


@pytest.mark.parametrize("loop", ["gradients", "fit"])
def test_the_mode_seeking_loss_compares_what_was_drawn_not_its_augmentations(hw11, monkeypatch, loop):
    import tensorflow as tf

    monkeypatch.setattr(hw11.gan.GAN, "augment", lambda self, images, changes: 0 * images)
    gan = build(hw11, diversity=1.0)
    if loop == "gradients":
        pixels = tf.constant(np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3)).astype(np.uint8))
        loss = hw11.gan.make_step(gan)(pixels)[1]
    else:
        trainer = hw11.gan.TrainableGAN(gan)
        trainer.compile(*gan.optimizers)
        loss = trainer.update_generator(4, 1)
    assert float(loss) < 1000  # alike images would give some 100,000
