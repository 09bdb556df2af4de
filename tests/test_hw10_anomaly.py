"""Homework 10: divergence, densities, turns and comparison by hand, planted anomalies, and bad input."""

import json
import pickle
import shutil
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, check_sentence
from scipy.spatial.distance import mahalanobis
from sklearn.decomposition import PCA
from sklearn.metrics import f1_score

CHAPTER = "hw10_anomaly"


@pytest.fixture
def hw10(load_chapter):
    return load_chapter(CHAPTER)


@pytest.fixture
def hw10_light(load_chapter):
    """The modules that need no TensorFlow."""
    return load_chapter(CHAPTER, "dataset", "train", "predict", "density", "comparison")


@pytest.fixture
def tiny(tmp_path):
    """tiny(count, test_count, dtype) writes random images of 8x8 and returns their folder."""

    def make(count=60, test_count=20, dtype=np.float32, size=8):
        rng, folder = np.random.default_rng(0), tmp_path / "tiny"
        folder.mkdir(exist_ok=True)
        for name, number in (("train", count), ("test", test_count)):
            images = rng.uniform(-1, 1, (number, size, size, 3))
            if dtype == np.uint8:
                images = np.rint((images + 1) * 127.5)
            np.save(folder / f"{name}.npy", images.astype(dtype))
        ids = rng.permutation(test_count) + 1
        table = pd.DataFrame({"id": ids, "anomaly": (ids <= 5).astype(int)})
        table.to_csv(folder / "answers.csv", index=False)
        return folder

    return make


def flags(folder, out, *more):
    return ["--data-dir", str(folder), "--out-dir", str(out), *more]


# --- the variational autoencoder -----------------------------------------------------------


def test_a_unit_gaussian_code_costs_nothing_and_others_what_the_integral_says(hw10):
    assert np.allclose(hw10.vae.divergence(np.zeros((3, 5)), np.zeros((3, 5))), 0)
    z = np.linspace(-40, 40, 400_001)
    total = 0.0
    for mean, variance in ((0.7, 0.3), (-1.5, 2.0)):
        log_p = -((z - mean) ** 2) / (2 * variance) - 0.5 * np.log(2 * np.pi * variance)
        log_unit = -(z**2) / 2 - 0.5 * np.log(2 * np.pi)
        total += np.trapezoid(np.exp(log_p) * (log_p - log_unit), z)
    found = hw10.vae.divergence(np.array([[0.7, -1.5]]), np.log([[0.3, 2.0]]))
    np.testing.assert_allclose(found, [total], rtol=1e-4)


def test_codes_are_drawn_in_training_and_the_mean_in_predict(hw10):
    keras.utils.set_random_seed(0)
    layer = hw10.vae.Sampling()
    mean, log_variance = np.full((20_000, 2), (1.0, -2.0)), np.log(np.full((20_000, 2), (0.25, 4.0)))
    np.testing.assert_array_equal(layer([mean, log_variance]), mean.astype(np.float32))
    drawn = np.asarray(layer([mean, log_variance], training=True))
    np.testing.assert_allclose(drawn.mean(axis=0), [1, -2], atol=0.06)
    np.testing.assert_allclose(drawn.std(axis=0), [0.5, 2], atol=0.04)
    assert not np.array_equal(drawn, layer([mean, log_variance], training=True))
    expected = 2 * hw10.vae.NOISE * np.mean(hw10.vae.divergence(mean, log_variance))
    np.testing.assert_allclose(layer.losses[-1], expected, rtol=1e-5)


def test_errors_are_summed_and_the_bound_is_theirs_and_the_divergence(hw10):
    images, drawn = np.zeros((2, 4, 4, 3)), np.zeros((2, 4, 4, 3))
    drawn[1] = 0.5
    np.testing.assert_allclose(hw10.vae.squared_error(images, drawn), [0, 48 * 0.25])
    bound = hw10.vae.elbo(images, drawn, np.ones((2, 3)), np.zeros((2, 3)))
    np.testing.assert_allclose(bound, [-1.5, -12 / (2 * hw10.vae.NOISE) - 1.5], rtol=1e-6)


def test_scores_of_images_follow_the_network(hw10):
    keras.utils.set_random_seed(1)
    model = hw10.model.prepared(hw10.model.build_model("vae", (8, 8, 3), 4))
    x = np.random.default_rng(0).uniform(-1, 1, (7, 8, 8, 3)).astype(np.float32)
    mean, log_variance = (np.asarray(part) for part in model.get_layer("encoder")(x))
    drawn = np.asarray(model.get_layer("decoder")(mean))
    np.testing.assert_allclose(hw10.scoring.errors(model, x), np.sum((x - drawn) ** 2, (1, 2, 3)), rtol=1e-4)
    expected = -np.asarray(hw10.vae.elbo(x, drawn, mean, log_variance))
    np.testing.assert_allclose(hw10.scoring.bounds(model, x), expected, rtol=1e-4)
    np.testing.assert_allclose(hw10.scoring.codes_of(model, x, np.array([4, 1])), mean[[4, 1]], atol=1e-5)


# --- networks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("code_size", [1, 7, 64])
@pytest.mark.parametrize("network", ["fcn", "cnn", "vae", "pca"])
def test_encoder_and_decoder_mirror_each_other(hw10, network, code_size):
    model = hw10.model.build_model(network, (16, 24, 3), code_size)
    encoder, decoder = (model.get_layer(name) for name in ("encoder", "decoder"))

    def shapes(part):
        found = [part.input_shape[1:], *(tuple(layer.output.shape[1:]) for layer in part.layers)]
        return [shape for index, shape in enumerate(found) if index == 0 or shape != found[index - 1]]

    assert shapes(encoder) == shapes(decoder)[::-1]
    assert shapes(encoder)[-1] == (code_size,)
    assert model.output_shape == model.input_shape == (None, 16, 24, 3)


def test_principal_components_as_an_autoencoder(hw10):
    x = np.random.default_rng(0).normal(size=(50, 4, 4, 3)).astype(np.float32)
    flat = x.reshape(50, -1)
    space = PCA(5, svd_solver="full").fit(flat)
    model = hw10.model.prepared(hw10.model.build_model("pca", (4, 4, 3), 5))
    hw10.model.set_components(model, space.mean_, space.components_)
    expected = space.inverse_transform(space.transform(flat)).reshape(x.shape)
    np.testing.assert_allclose(hw10.scoring.predict(model, x), expected, atol=1e-4)
    np.testing.assert_allclose(
        hw10.scoring.codes_of(model, x, np.arange(50)), space.transform(flat), atol=1e-4
    )


def test_a_image_is_scored_alone_and_any_number_at_once(hw10):
    """Batch normalisation with its running means: who else is in the batch does not matter."""
    keras.utils.set_random_seed(0)
    model = hw10.model.prepared(hw10.model.build_model("rotation", (8, 8, 3), 4))
    rng = np.random.default_rng(0)
    for weight in model.get_layer("encoder").weights:
        if "moving" in weight.path:
            weight.assign(rng.uniform(0.5, 2, weight.shape))
    x = rng.uniform(-1, 1, (hw10.scoring.BATCH + 3, 8, 8, 3)).astype(np.float32)
    x[5:] *= 0.1
    together = hw10.scoring.predict(model, x)
    assert len(together) == len(x)
    np.testing.assert_allclose(together[:5], hw10.scoring.predict(model, x[:5]), atol=1e-5)
    np.testing.assert_allclose(together[-2:], np.asarray(model(x[-2:], training=False)), atol=1e-4)


# --- turned images ---------------------------------------------------------------------------


def test_images_are_turned_and_the_answers_follow(hw10):
    x = np.arange(2 * 3 * 3 * 3).reshape(2, 3, 3, 3)
    turns, quarters = hw10.rotation.rotated(x)
    assert list(quarters) == [0, 0, 1, 1, 2, 2, 3, 3]
    for index, quarter in enumerate(quarters):
        back = np.rot90(turns[index], -quarter, axes=(0, 1))
        np.testing.assert_array_equal(back, x[index % 2])
    np.testing.assert_array_equal(turns[2][0], x[0][:, -1])  # counter-clockwise: the right edge comes up


def test_the_score_is_summed_over_the_turns_of_one_image(hw10):
    probabilities = np.full((8, 4), 0.1)
    probabilities[np.arange(8), np.repeat(np.arange(4), 2)] = 0.7
    probabilities[3] = [0.4, 0.3, 0.2, 0.1]  # the second image, turned by one quarter: 0.3 right
    scores = hw10.rotation.rotation_score(np.log(probabilities) + 5, np.repeat(np.arange(4), 2))
    np.testing.assert_allclose(scores, [-4 * np.log(0.7), -3 * np.log(0.7) - np.log(0.3)])
    assert np.isfinite(hw10.rotation.rotation_score(np.full((4, 4), 900.0), np.arange(4))).all()


def test_images_are_moved_and_mirrored_in_training_alone(hw10):
    margin, x = hw10.rotation.MARGIN, np.zeros((400, 32, 32, 3), np.float32)
    x[:, 16, 10] = 1
    moved = hw10.rotation.jittered(x, np.random.default_rng(0))
    indices = np.argwhere(moved[..., 0])  # (400, 3): one point each
    assert len(indices) == 400
    assert set(indices[:, 1]) == set(range(16 - margin, 16 + margin + 1))
    columns = {10 + shift for shift in range(-margin, margin + 1)}
    assert set(indices[:, 2]) == columns | {31 - column for column in columns}
    rows = np.arange(6)
    still, quarters = hw10.rotation.RotatedImages(x, rows, 6)[0]
    np.testing.assert_array_equal(still, hw10.rotation.rotated(x[:6])[0])
    jittered, _ = hw10.rotation.RotatedImages(x, rows, 6, training=True)[0]
    assert not np.array_equal(still, jittered)
    assert list(quarters) == list(np.repeat(range(4), 6))


def test_a_rotation_code_is_the_four_turns_side_by_side(hw10):
    keras.utils.set_random_seed(0)
    model = hw10.model.prepared(hw10.model.build_model("rotation", (8, 8, 3), 4))
    x = np.random.default_rng(0).uniform(-1, 1, (3, 8, 8, 3)).astype(np.float32)
    codes = hw10.scoring.codes_of(model, x, np.arange(3))
    for quarter in range(4):
        features = np.asarray(model.get_layer("encoder")(np.rot90(x, quarter, (1, 2)).copy()))
        width = features.shape[1]
        expected = np.sqrt(features)
        np.testing.assert_allclose(codes[:, quarter * width : (quarter + 1) * width], expected, atol=1e-4)


# --- views -------------------------------------------------------------------------------------


def test_a_crop_is_enlarged_linearly_and_mirrored_where_it_runs_backwards(hw10):
    line = np.array([0.0, 1, 5, 2])
    whole, back, half = hw10.contrastive.interpolation(np.array([0, 4, 1]), np.array([4, 0, 3]), 4)
    np.testing.assert_allclose(whole @ line, line, atol=1e-6)
    np.testing.assert_allclose(back @ line, line[::-1], atol=1e-6)
    np.testing.assert_allclose(half @ line, [0.75, 2, 4, 4.25], atol=1e-6)  # at 0.75, 1.25, 1.75, 2.25


def test_crops_are_parts_of_their_image_and_half_of_them_are_mirrored(hw10):
    down, right = np.mgrid[:16, :24] / 24
    ramp = np.repeat(np.stack([down, right, 0 * right], axis=-1)[None], 400, axis=0).astype(np.float32)
    crops = hw10.contrastive.crops(ramp, np.random.default_rng(0))
    assert crops.shape == ramp.shape
    assert crops.dtype == np.float32
    height = (crops[:, -2, 5, 0] - crops[:, 1, 5, 0]) * 24 / 13  # of the crop, as a share
    width = (crops[:, 5, -2, 1] - crops[:, 5, 1, 1]) * 24 / 21
    assert 150 < np.sum(width < 0) < 250
    area, stretch = height * np.abs(width), np.abs(width) / height
    assert 0.2 < area.min() < 0.3  # SMALLEST
    assert area.max() > 0.9
    assert 0.7 < stretch.min() < 0.8
    assert 1.25 < stretch.max() < 1.4  # STRETCH
    np.testing.assert_allclose(crops[..., 2], 0)
    np.testing.assert_allclose(np.diff(crops[:, 5, :, 0]), 0, atol=1e-6)  # rows stay rows


def test_views_are_pairs_and_repeat_with_the_seed(hw10):
    x = np.random.default_rng(0).uniform(-1, 1, (40, 8, 8, 3)).astype(np.float32)
    batches = hw10.contrastive.Views(x, np.arange(40), 16, training=True, seed=1)
    views, numbers = batches[0]
    assert views.shape == (32, 8, 8, 3)
    assert np.abs(views).max() <= 1
    assert list(np.bincount(numbers)) == [2] * 16
    assert not np.array_equal(views[0], views[1])
    again = hw10.contrastive.Views(x, np.arange(40), 16, training=True, seed=1)[0][0]
    np.testing.assert_array_equal(views, again)
    plain = np.full((300, 2, 2, 3), 0.2, np.float32)
    light = hw10.contrastive.recoloured(plain, np.random.default_rng(0)).mean(axis=(1, 2, 3))
    assert -0.38 < light.min() < -0.2, "from (1 - LIGHT) * 1.2 - 1 on, tints apart"
    assert 0.6 < light.max() < 0.78


def test_most_views_are_recoloured_and_some_have_no_colour(hw10):
    coloured = np.broadcast_to(np.array([0.2, -0.3, 0.4], np.float32), (1000, 2, 2, 3))
    views = hw10.contrastive.recoloured(coloured, np.random.default_rng(0))
    grey = np.ptp(views, axis=-1).max(axis=(1, 2)) < 1e-6
    as_before = np.isclose(views, coloured).all(axis=(1, 2, 3))
    assert 160 < grey.sum() < 240  # GREY
    assert 120 < as_before.sum() < 200  # of the others, those beside RECOLOURED
    assert len(np.unique(views[~grey & ~as_before], axis=0)) == 1000 - grey.sum() - as_before.sum()


def test_the_contrastive_loss_is_that_of_the_formula_in_any_order(hw10):
    rng = np.random.default_rng(0)
    z, numbers = rng.normal(size=(6, 3)).astype(np.float32), np.array([0, 1, 2, 2, 0, 1])
    loss = np.asarray(hw10.contrastive.nt_xent(numbers, z))
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    powers = np.exp(unit @ unit.T / hw10.contrastive.TEMPERATURE)
    for i, j in ((0, 4), (4, 0), (1, 5), (2, 3)):
        others = powers[i].sum() - powers[i, i]
        assert np.isclose(loss[i], -np.log(powers[i, j] / others), rtol=1e-4)
    np.testing.assert_allclose(hw10.contrastive.nt_xent(numbers[:, None], 5 * z), loss, rtol=1e-4)


@pytest.mark.parametrize(("size", "numbers"), [((32, 32), 1024), ((24, 40), 1024), ((8, 8), 256)])
def test_a_contrastive_code_is_the_mean_of_each_quarter(hw10, size, numbers):
    keras.utils.set_random_seed(0)
    model = hw10.model.prepared(hw10.model.build_model("contrastive", (*size, 3), 4))
    x = np.random.default_rng(0).uniform(-1, 1, (3, *size, 3)).astype(np.float32)
    codes = hw10.scoring.codes_of(model, x, np.arange(3))
    assert codes.shape == (3, numbers)
    if size == (32, 32):
        features = x
        for layer in model.get_layer("encoder").layers[:-2]:
            features = layer(features)
        expected = np.asarray(features).reshape(3, 2, 2, 2, 2, 256).mean(axis=(2, 4)).reshape(3, -1)
        np.testing.assert_allclose(codes, expected, atol=1e-5)


@pytest.mark.parametrize("network", ["rotation", "contrastive"])
def test_convolutions_may_be_rounded_to_bfloat16_but_nothing_that_is_compared(hw10, network):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = hw10.model.build_model(network, (16, 16, 3), 4)
    encoder = model.get_layer("encoder")
    convolutions = [layer for layer in encoder.layers if isinstance(layer, keras.layers.Conv2D)]
    assert {layer.compute_dtype for layer in convolutions} == {"bfloat16"}
    assert encoder.output.dtype == model.output.dtype == "float32"


@pytest.mark.full
def test_a_training_in_bfloat16_has_scores_in_float32(hw10, tmp_path, monkeypatch):
    monkeypatch.setattr(hw10.device, "has_bfloat16", lambda cards: True)
    argv = ["--synthetic", "--epochs", "1", "--out-dir"]
    hw10.train.main([*argv, str(tmp_path / "best")])
    networks = keras.saving.load_model(tmp_path / "best" / "fine_tuned.keras", compile=False)
    assert networks.output.dtype == "float32"
    scores = hw10.predict.main(["--synthetic", "--out-dir", str(tmp_path / "best")]).anomaly
    assert scores.nunique() > 100
    hw10.train.main([*argv, str(tmp_path / "cnn"), "--method", "cnn"])
    hw10.train.main([*argv, str(tmp_path / "full"), "--full-precision"])
    for name, policy in (("best", "mixed_bfloat16"), ("cnn", "float32"), ("full", "float32")):
        encoder = keras.saving.load_model(tmp_path / name / "model.keras", compile=False).get_layer("encoder")
        assert encoder.layers[0].dtype_policy.name == policy, name


# --- batches -----------------------------------------------------------------------------------


def test_an_epoch_has_each_row_once_in_an_order_of_its_own(hw10):
    x = np.repeat(np.arange(50), 12).reshape(50, 2, 2, 3).astype(np.float32) / 50
    rows = np.arange(3, 50)

    def epoch(batches):
        found = [np.rint(50 * batches[index][0][:, 0, 0, 0]).astype(int) for index in range(len(batches))]
        assert sorted(np.concatenate(found)) == list(rows)
        return [tuple(part) for part in found]

    batches = hw10.batches.Images(x, rows, 8, training=True, seed=1)
    first = epoch(batches)
    assert [len(part) for part in first] == [8] * 5 + [7]
    batches.on_epoch_end()
    second = epoch(batches)
    assert first != second
    assert second == epoch(hw10.batches.Images(x, rows, 8, training=True, seed=1, epoch=1))
    assert np.concatenate(epoch(hw10.batches.Images(x, rows, 8))).tolist() == list(rows)
    inputs, outputs = batches[0]
    np.testing.assert_array_equal(inputs, outputs)


def test_held_out_images_are_apart_and_follow_the_seed(hw10):
    rows, held_out = hw10.scoring.split(101, 3)
    assert sorted([*rows, *held_out]) == list(range(101))
    assert len(held_out) == 10
    assert list(rows) == sorted(rows)
    assert not np.array_equal(held_out, hw10.scoring.split(101, 4)[1])


def test_nothing_is_learnt_from_held_out_images(hw10, tiny, tmp_path, monkeypatch):
    training, shown = np.load(tiny() / "train.npy"), {}
    rows, held_out = hw10.scoring.split(60, 0)
    args = hw10.train.parse_args(["--out-dir", str(tmp_path), "--code-size", "4"])
    pca = [hw10.model.build_model("pca", (8, 8, 3), 4) for _ in range(2)]
    hw10.training.fit_components(args, pca[0], training, rows, held_out)
    _, known = hw10.training.keep_codes(args, pca[0], training, rows)
    assert set(known) == set(rows)
    spoilt = training.copy()
    spoilt[held_out] = 1
    hw10.training.fit_components(args, pca[1], spoilt, rows, held_out)
    for one, other in zip(*(model.get_weights() for model in pca)):
        np.testing.assert_array_equal(one, other)

    def fit(model, batches, validation_data, **keywords):
        shown.update(training=batches, held_out=validation_data)

    monkeypatch.setattr(keras.Model, "fit", fit)
    for network in ("fcn", "rotation"):
        hw10.training.fit(args, hw10.model.build_model(network, (8, 8, 3), 4), training, rows, held_out)
        np.testing.assert_array_equal(shown["training"].rows, rows)
        np.testing.assert_array_equal(shown["held_out"].rows, held_out)
        assert (shown["training"].training, shown["held_out"].training) == (True, False)


# --- densities and the comparison --------------------------------------------------------------


def test_a_planted_outlier_ranks_first_for_every_density(hw10_light):
    rng = np.random.default_rng(0)
    shape = np.diag([1.0, 3.0, 0.2, 1.0, 0.0])  # the last number never varies
    known, codes = rng.normal(size=(300, 5)) @ shape, rng.normal(size=(50, 5)) @ shape
    codes[17] = 0, 0, 3, 0, 0  # near in metres, far in deviations
    codes[3, 4] = 0.01
    for name, density in hw10_light.density.DENSITIES.items():
        scores = density(known, codes)
        assert scores.shape == (50,)
        assert np.isfinite(scores).all()
        assert np.argmax(scores) == 17 or name == "cosine", name  # to which all distances are one
    inverse = np.linalg.inv(np.cov(known[:, :4].T))
    expected = [mahalanobis(code[:4], known[:, :4].mean(axis=0), inverse) for code in codes]
    np.testing.assert_allclose(hw10_light.density.mahalanobis(known, codes), expected, rtol=1e-6)


def test_neighbours_by_hand(hw10_light):
    known = np.array([[0.0], [1], [2], [3], [4], [100]])
    np.testing.assert_allclose(hw10_light.density.neighbours(known, np.array([[0.0], [101]])), [2, 79])
    distances, indices = hw10_light.density.nearest(known, np.array([[90.0]]), 1)
    assert (distances.item(), indices.item()) == (10, 5)
    assert hw10_light.density.neighbours(known[:2], known[:1]).item() == 0.5


def test_directions_are_of_whitened_codes(hw10_light):
    rng = np.random.default_rng(0)
    known = rng.normal(size=(1000, 2)) * [16, 1]
    known -= known.mean(axis=0)
    axes = np.linalg.eigh(np.cov(known.T))[1][:, ::-1]
    _, found = hw10_light.density.directions(known, np.diag([16, 1]) @ axes.T)
    mixed = hw10_light.density.directions(known, np.array([[16, 1]]) @ axes.T)[1]
    np.testing.assert_allclose(np.abs(found), np.eye(2), atol=1e-6)
    np.testing.assert_allclose(np.abs(mixed), 0.5**0.5, atol=0.02)
    cosine = hw10_light.density.cosine(known, 7 * known[:5])
    assert (cosine < 0.05).all(), "how long a code is plays no part"


def test_a_planted_cluster_is_found_exactly(hw10):
    rng = np.random.default_rng(0)
    known, codes = rng.normal(size=(800, 6)), rng.normal(size=(240, 6))
    anomaly = np.arange(240) < 40
    codes[anomaly, 3] += 8
    scores, others = hw10.comparison.comparison(known, codes, rng.normal(size=(100, 6)))
    assert set(np.argsort(-scores)[:40]) == set(range(40))
    assert (scores.shape, others.shape) == ((240,), (100,))
    np.testing.assert_array_equal(
        scores, hw10.comparison.comparison(known, codes, others[:, None] + codes[0])[0]
    )
    assert abs(np.median(others) - np.median(scores[40:])) < 0.5


def test_the_comparison_has_not_seen_what_it_scores(hw10):
    """Codes of one kind in many dimensions: learnt by heart, the test would stand out entirely."""
    rng = np.random.default_rng(0)
    known, codes, others = (rng.normal(size=(number, 150)) for number in (300, 300, 300))
    scores, of_others = hw10.comparison.comparison(known, codes, others)
    assert abs(hw10.scoring.against_training(scores, of_others) - 0.5) < 0.12


# --- the fine-tuned networks ---------------------------------------------------------------------


def test_a_batch_of_both_sets_has_answers_and_weights(hw10):
    training = np.zeros((30, 8, 8, 3), np.float32)
    test = np.full((20, 8, 8, 3), 255, np.uint8)  # of another type, and white
    rows = np.concatenate([np.arange(24), 30 + np.arange(5, 13)])
    batches, seen = hw10.finetuning.TrainingAndTest(training, test, rows, 5, seed=0), []
    for index in range(len(batches)):
        images, answers, weights = batches[index]
        np.testing.assert_array_equal(answers[:, 0], images[:, 0, 0, 0])
        np.testing.assert_allclose(weights, np.where(answers[:, 0] == 1, 0.5 / 0.25, 0.5 / 0.75))
        seen.append(answers[:, 0])
    assert np.concatenate(seen).sum() == 8
    assert len(np.concatenate(seen)) == 32


def test_no_network_has_seen_what_it_scores(hw10, tiny, tmp_path, monkeypatch):
    folder, seen = tiny(), []
    training, test = (np.load(folder / f"{name}.npy") for name in ("train", "test"))
    monkeypatch.setattr(keras.Model, "fit", lambda network, batches, **keywords: seen.append(batches.rows))
    args = hw10.train.parse_args(["--out-dir", str(tmp_path), "--seed", "3"])
    model, rows = hw10.model.build_model("rotation", (8, 8, 3), 4), hw10.scoring.split(60, 3)[0]
    checkpoint = type("Nothing", (hw10.finetuning.Checkpoint,), {"history": lambda self: pd.DataFrame()})
    monkeypatch.setattr(hw10.finetuning, "Checkpoint", checkpoint)
    networks, _ = hw10.finetuning.fine_tune(args, model, training, rows, test)
    folds = hw10.finetuning.folds_of(20, 3)
    assert sorted(np.bincount(folds)) == [6, 7, 7]
    for fold, rows_seen in enumerate(seen):
        assert set(rows_seen[rows_seen < 60]) == set(rows)
        assert set(rows_seen[rows_seen >= 60] - 60) == set(np.flatnonzero(folds != fold))
    # All three begin as the rotation network's encoder, and an image's score is its own network's.
    log_odds = np.asarray(networks(test))
    mirrored = np.asarray(networks(test[:, :, ::-1].copy()))
    score = hw10.scoring.out_of_fold_scores(hw10.model.prepared(networks), 3, test, np.arange(20))
    expected = [(log_odds[i, fold] + mirrored[i, fold]) / 2 for i, fold in enumerate(folds)]
    np.testing.assert_allclose(score, expected, atol=1e-4)
    first, last = (networks.get_layer(f"encoder_{number}").get_weights() for number in (1, 3))
    for one, other, own in zip(first, last, model.get_layer("encoder").get_weights()):
        np.testing.assert_array_equal(one, own)
        np.testing.assert_array_equal(other, own)


@pytest.mark.full
def test_fine_tuning_that_was_stopped_goes_on_as_if_it_had_not_been(hw10, tiny, tmp_path):
    argv = [*flags(tiny(size=16), tmp_path / "whole"), "--epochs", "2", "--batch-size", "16"]
    hw10.train.main(argv)
    stopped = [*argv[:2], "--out-dir", str(tmp_path / "stopped"), *argv[4:]]
    Checkpoint, save = hw10.finetuning.Checkpoint, hw10.finetuning.Checkpoint.save

    def stop(checkpoint, variables):
        save(checkpoint, variables)
        if checkpoint.path.name == "checkpoint_2.npz":
            raise KeyboardInterrupt

    Checkpoint.save = stop
    with pytest.raises(KeyboardInterrupt):
        hw10.train.main(stopped)
    Checkpoint.save = save
    hw10.train.main([*stopped, "--resume"])
    tables = [pd.read_csv(tmp_path / name / "folds.csv") for name in ("whole", "stopped")]
    assert list(tables[0].network) == [1, 1, 2, 2, 3, 3]
    np.testing.assert_allclose(tables[0].loss, tables[1].loss, rtol=1e-4)


@pytest.mark.full
def test_a_training_is_not_mixed_with_other_images(hw10, tiny, tmp_path, capsys):
    """Else networks whose training had ended would score test images that they have seen."""
    folder, out = tiny(size=16), tmp_path / "out"
    argv = [*flags(folder, out), "--epochs", "1", "--batch-size", "32"]
    hw10.train.main(argv)
    for name, file in (("test", "checkpoint_1.npz"), ("train", "checkpoint.npz")):
        np.save(folder / f"{name}.npy", np.load(folder / f"{name}.npy")[::-1])
        check_sentence(hw10, capsys, [*argv, "--resume"], file, "on other data; leave out --resume")
    check_sentence(hw10, capsys, flags(folder, out), "train.npy is not what", script="predict")
    np.save(folder / "train.npy", np.load(folder / "train.npy")[::-1])
    check_sentence(hw10, capsys, flags(folder, out), "test.npy is not the one", "run train", script="predict")
    np.save(folder / "test.npy", np.load(folder / "test.npy")[::-1])
    (out / "fine_tuned.keras").write_bytes(b"x")
    check_sentence(hw10, capsys, flags(folder, out), "fine_tuned.keras is missing or", script="predict")


# --- ROC-AUC -----------------------------------------------------------------------------------


def test_auc_of_a_case_by_hand(hw10):
    anomaly, scores = np.array([0, 0, 1, 1, 0]), np.array([0.1, 0.4, 0.4, 0.8, 0.9])
    assert hw10.scoring.auc(anomaly, scores) == pytest.approx((1 + 0.5 + 0 + 1 + 1 + 0) / 6)
    assert hw10.scoring.auc(anomaly, -scores) == pytest.approx(1 - 3.5 / 6)
    assert hw10.scoring.against_training(np.array([1.0, 2.0]), np.array([0.0, 1.5])) == 0.75


def test_the_interval_is_that_of_a_bootstrap_done_plainly(hw10):
    rng = np.random.default_rng(0)
    anomaly = np.arange(300) < 60
    scores = np.round(rng.normal(size=300) + anomaly)  # with many ties
    low, high = hw10.scoring.interval(anomaly, scores)
    plain = []
    for _ in range(400):
        drawn = np.concatenate([rng.integers(0, 60, 60), rng.integers(60, 300, 240)])
        plain.append(hw10.scoring.auc(anomaly[drawn], scores[drawn]))
    np.testing.assert_allclose([low, high], np.percentile(plain, [2.5, 97.5]), atol=0.02)
    assert low < hw10.scoring.auc(anomaly, scores) < high


def test_without_answers_a_share_of_the_auc_shows(hw10):
    rng = np.random.default_rng(0)
    normal, anomalous, others = rng.normal(size=40_000), rng.normal(1, 1, 10_000), rng.normal(size=30_000)
    scores, anomaly = np.concatenate([normal, anomalous]), np.repeat([0, 1], [40_000, 10_000])
    expected = 0.5 + 0.2 * (hw10.scoring.auc(anomaly, scores) - 0.5)
    assert hw10.scoring.against_training(scores, others) == pytest.approx(expected, abs=0.006)


def test_f1_by_the_share_that_is_flagged(load_chapter):
    report = load_chapter(CHAPTER, "report").report
    rng = np.random.default_rng(0)
    anomaly, scores = rng.integers(0, 2, 30), rng.normal(size=30)
    curve = report.f1_by_share(anomaly, scores)
    for count in (1, 7, 30):
        flagged = np.argsort(np.argsort(-scores)) < count
        assert curve[count - 1] == pytest.approx(f1_score(anomaly, flagged))
    kept = report.thinned(np.repeat([1, 0], 100), 0.2)
    assert (len(kept), np.sum(kept < 100)) == (125, 25)
    cells = report.with_threshold(np.array([1, 0, 0, 0, 0]), np.array([4.0, 5, 1, 2, 3]))
    assert cells == {"auc": "0.750", "best_f1": "0.667", "f1_of_a_fifth": "0.000"}


# --- training, handing in, going on ----------------------------------------------------------------


@pytest.mark.full
def test_the_default_beats_reconstruction_where_the_anomalies_are_easy_to_copy(hw10, whole_set, tmp_path):
    scores = {
        method: hw10.train.main(
            flags(
                whole_set, tmp_path / method, "--method", method, "--answers", str(whole_set / "answers.csv")
            )
        )
        for method in ("pca", "best")
    }
    assert scores["pca"]["score"] < 0.6
    assert scores["best"]["score"] > 0.85
    assert scores["best"]["interval"][0] > scores["pca"]["interval"][1]


def test_the_hand_in_has_the_scores_that_were_judged(hw10, tiny, tmp_path, capsys):
    folder, out = tiny(), tmp_path / "out"
    answers = ["--answers", str(folder / "answers.csv")]
    metrics = hw10.train.main(flags(folder, out, "--method", "knn", "--code-size", "4", *answers))
    capsys.readouterr()
    hw10.predict.main(flags(folder, out, *answers, "--threshold", "0"))
    printed = capsys.readouterr().out
    assert f"ROC-AUC {metrics['score']:.4f}, " in printed
    assert f"against held-out training images {metrics['against_training']:.4f}" in printed
    assert "20 test images (100.00%) score 0 or more, and 100.00% of" in printed
    table = pd.read_csv(out / "submission.csv")
    assert list(table.columns) == ["id", "anomaly"]
    assert list(table.id) == list(range(1, 21))
    assert table.anomaly.nunique() == 20
    truth = pd.read_csv(folder / "answers.csv").set_index("id").anomaly
    assert hw10.scoring.auc(truth[table.id].to_numpy(), table.anomaly) == pytest.approx(metrics["score"])
    middle = table.anomaly.median()
    hw10.predict.main(flags(folder, out, "--threshold", str(middle)))
    assert "10 test images (50.00%)" in capsys.readouterr().out


def test_pictures_have_no_empty_frames(hw10_light):
    """With a threshold that one image passes: five pairs of low scores and one of high."""
    images = np.zeros((6, 8, 8, 3))
    figure = hw10_light.predict.plot_images(images, images, "given back", np.arange(6.0), normal=5)
    assert sum(axes.get_visible() for axes in figure.axes) == 2 * (5 + 1)
    assert all(axes.images for axes in figure.axes if axes.get_visible())


def test_a_folder_of_pictures_is_taken_too(hw10_light, tmp_path):
    from PIL import Image

    (tmp_path / "test").mkdir()
    wide = np.zeros((40, 80, 3), np.uint8)
    wide[:, 20:60, 1] = 200
    Image.fromarray(wide).save(tmp_path / "test" / "b.png")
    Image.fromarray(np.full((9, 9), 50, np.uint8)).save(tmp_path / "test" / "a.png")
    images = hw10_light.dataset.load_images(tmp_path / "test.npy")
    assert (images.shape, images.dtype) == ((2, 32, 32, 3), np.uint8)
    assert (images[0] == 50).all()  # a.png comes first
    assert (images[1][:, 1:-1] == [0, 200, 0]).all()


@pytest.mark.full
def test_the_course_s_980_megabytes_of_float64_take_less_than_3_gigabytes(tmp_path):
    """40,000 images of float64 as the course has them, by the method that keeps most in memory."""
    images = np.lib.format.open_memmap(tmp_path / "train.npy", "w+", np.float64, (40_000, 32, 32, 3))
    rng = np.random.default_rng(0)
    for start in range(0, 40_000, 1000):
        images[start : start + 1000] = rng.uniform(-1, 1, (1000, 32, 32, 3))
    np.save(tmp_path / "test.npy", images[:200])
    del images
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import train; "
        "train.main(['--method', 'knn', '--data-dir', sys.argv[2], '--out-dir', sys.argv[2] + '/out']); "
        "print(*[line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')])"
    )
    words = [sys.executable, "-c", code, str(ROOT / CHAPTER), str(tmp_path)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    assert int(done.stdout.split()[-1]) < 3e6  # kilobytes
    (tmp_path / "train.npy").unlink()


def test_uint8_and_floats_are_the_same_images(hw10_light, tiny):
    folder = tiny(dtype=np.uint8)
    whole = hw10_light.dataset.load_images(folder / "train.npy")
    assert isinstance(whole, np.memmap)
    floats = hw10_light.dataset.as_floats(whole[:5])
    assert floats.dtype == np.float32
    np.testing.assert_allclose(floats, np.asarray(whole[:5]) / 127.5 - 1, atol=1e-6)
    assert hw10_light.dataset.as_floats(np.array([0, 255], np.uint8)).tolist() == [-1, 1]


@pytest.mark.full
def test_a_stopped_training_goes_on_as_if_it_had_not_been(hw10, tiny, tmp_path, monkeypatch):
    training = hw10.dataset.load_images(tiny() / "train.npy")
    words = ["--method", "vae", "--epochs", "2", "--batch-size", "16", "--code-size", "4"]

    def fit(name, *more):
        (tmp_path / name).mkdir(exist_ok=True)
        args = hw10.train.parse_args([*words, "--out-dir", str(tmp_path / name), *more])
        keras.utils.set_random_seed(args.seed)
        model = hw10.model.build_model("vae", (8, 8, 3), args.code_size)
        history = hw10.training.fit(args, model, training, *hw10.scoring.split(60, args.seed))
        return history[["loss", "val_loss"]].to_numpy(), model.get_weights()

    whole, weights = fit("whole")
    kept = hw10.checkpoint.Checkpoint.save

    def stop(self, variables):
        kept(self, variables)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(hw10.checkpoint.Checkpoint, "save", stop)
        with pytest.raises(KeyboardInterrupt):
            fit("cut")
    resumed, others = fit("cut", "--resume")
    np.testing.assert_array_equal(resumed, whole)
    for one, other in zip(weights, others):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(hw10.scaffold.BadInput, match="--epochs 2, expected 3"):
        fit("cut", "--resume", "--epochs", "3")


def test_a_training_that_diverges_says_so_and_writes_no_model(hw10, tiny, tmp_path, capsys):
    folder, out = tiny(), tmp_path / "out"
    argv = flags(folder, out, "--method", "fcn", "--learning-rate", "1e30", "--epochs", "2")
    check_sentence(hw10, capsys, argv, "epoch 1: the loss is not a number, --learning-rate 1e+30")
    assert not list(out.glob("model*"))


# --- bad input ---------------------------------------------------------------------------------


def spoil(path, change):
    array = np.load(path)
    with open(path, "wb") as file:
        np.save(file, change(array), allow_pickle=True)


def with_value(value, dtype=None):
    def change(array):
        array = array.astype(dtype or array.dtype)
        array[3, 1, 2, 0] = value
        return array

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x[..., 0], ["(60, 8, 8)", "expected (N, height, width, 3)"]),
        (lambda x: x[..., :2], ["(60, 8, 8, 2)"]),
        (lambda x: x[:0], ["holds no images"]),
        (lambda x: x[:, :0], ["(60, 0, 8, 3)"]),
        (lambda x: x.astype(np.int64), ["int64", "expected floats from -1 to 1, or uint8"]),
        (lambda x: x.astype(complex), ["complex128"]),
        (lambda x: x.astype(object), ["no .npy array of numbers"]),
        (with_value(np.nan), ["image 4", "nan", "expected -1 to 1"]),
        (with_value(-np.inf), ["image 4", "-inf"]),
        (with_value(1.5), ["image 4", "1.5"]),
        (with_value(1e300, np.float64), ["image 4", "1e+300, expected -1 to 1"]),
        (lambda x: (x + 1) * 127.5, ["image 1", "expected -1 to 1"]),
        (lambda x: x[:19], ["19 and 20 images", "at least 20 and 10"]),
        (lambda x: np.repeat(x[:1], 60, axis=0), ["train.npy holds one image 60 times"]),
        (lambda x: x[:, :, :4], ["test.npy", "(8, 8, 3)", "(8, 4, 3)"]),
    ],
)
def test_images_that_cannot_be_used(hw10_light, tiny, tmp_path, capsys, change, words):
    folder = tiny()
    spoil(folder / "train.npy", change)
    check_sentence(hw10_light, capsys, flags(folder, tmp_path / "out"), *words)
    assert not [path for path in tmp_path.glob("out/**/*") if path.is_file()]


def test_files_that_are_no_arrays(hw10_light, tiny, tmp_path, capsys):
    folder = tiny()
    whole = (folder / "test.npy").read_bytes()
    np.savez(tmp_path / "archive.npz", images=np.zeros(3))
    archive = (tmp_path / "archive.npz").read_bytes()
    for content, words in (
        (whole[:-100], "cut short"),
        (b"", "cut short"),
        (b"id,anomaly\n", "no .npy array"),
        (archive, "an archive of arrays"),
        (pickle.dumps(["never", "unpickled"]), "no .npy array"),
    ):
        (folder / "test.npy").write_bytes(content)
        check_sentence(hw10_light, capsys, flags(folder, tmp_path / "out"), folder / "test.npy", words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["No columns to parse"]),
        ("id,label\n1,0\n", ["columns id, label", "expected id,anomaly"]),
        ("id,anomaly\n1,0\n", ["has 1 ids", "1 to 20"]),
        ("id,anomaly\n" + "".join(f"{i},{i % 2}\n" for i in range(20)), ["each of 1 to 20"]),
        ("id,anomaly\n" + "".join(f"{i},{i}\n" for i in range(1, 21)), ["id 2 has 2", "0 or 1"]),
        ("id,anomaly\n" + "".join(f"{i},1\n" for i in range(1, 21)), ["says 1 of every image"]),
        ("id,anomaly\n" + "".join(f"{i},True\n" for i in range(1, 21)), ["says 1 of every image"]),
        ("id,anomaly\nfirst,0\n,1\n", ["has 2 ids", "1 to 20"]),
        ("id,anomaly\n" + "".join(f"{i},{'x01'[i % 3]}\n" for i in range(1, 21)), ["id 3 has x", "0 or 1"]),
    ],
)
def test_answers_that_cannot_be_used(hw10_light, tiny, tmp_path, capsys, text, words):
    folder = tiny()
    (folder / "answers.csv").write_text(text)
    argv = flags(folder, tmp_path / "out", "--answers", str(folder / "answers.csv"))
    check_sentence(hw10_light, capsys, argv, folder / "answers.csv", *words)
    missing = flags(folder, tmp_path / "out", "--answers", str(folder / "none.csv"))
    check_sentence(hw10_light, capsys, missing, "none.csv is missing")


def test_answers_under_the_name_of_an_output_are_not_replaced(hw10_light, tiny, tmp_path, capsys):
    folder = tiny()
    for name, script in (("history.csv", "train"), ("submission.csv", "predict")):
        (tmp_path / name).write_text("id,anomaly\n")
        argv = [*flags(folder, tmp_path), "--answers", tmp_path / name]
        check_sentence(hw10_light, capsys, argv, f"{name} would be overwritten", script=script)


def test_answers_are_put_in_the_order_of_their_ids(hw10_light, tmp_path):
    path = tmp_path / "answers.csv"
    path.write_text("anomaly,id\n1,3\n0,1\n0,4\n1,2\n")
    assert hw10_light.dataset.load_answers(path, 4).tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--seed", "-1"], "--seed -1"),
        (["--epochs", "0"], "--epochs 0"),
        (["--batch-size", "0"], "--batch-size 0"),
        (["--learning-rate", "nan"], "--learning-rate nan"),
        (["--code-size", "0"], "--code-size 0"),
        (["--score", "error"], "--method best has no such score"),
        (["--method", "cnn", "--score", "elbo"], "--method cnn has no such score"),
        (["--method", "knn", "--epochs", "50"], "--method knn has principal components"),
        (["--method", "vae", "--score", "rotation"], "--method vae has no such score"),
        (["--method", "contrastive", "--score", "error"], "--method contrastive has no such score"),
    ],
)
def test_flags_that_cannot_be_used(hw10_light, tiny, tmp_path, capsys, argv, words):
    check_sentence(hw10_light, capsys, flags(tiny(), tmp_path / "out", *argv), words)
    assert not (tmp_path / "out").exists()


def test_sizes_that_do_not_suit_a_network(hw10_light, tiny, tmp_path, capsys):
    folder = tiny(size=12)
    check_sentence(hw10_light, capsys, flags(folder, tmp_path / "o", "--method", "cnn"), "12x12", "of 8")
    for name in ("train", "test"):
        spoil(folder / f"{name}.npy", lambda x: x[:, :, :8])
    check_sentence(hw10_light, capsys, flags(folder, tmp_path / "o"), "8x12", "squares to turn")


@pytest.mark.parametrize("threshold", ["-10000000000000", "nan"])
def test_a_threshold_that_no_score_has(hw10_light, tiny, tmp_path, capsys, threshold):
    argv = flags(tiny(), tmp_path / "out", "--threshold", threshold)
    check_sentence(hw10_light, capsys, argv, f"--threshold {threshold}", script="predict")


def test_more_components_than_there_can_be(hw10, tiny, tmp_path, capsys):
    argv = flags(tiny(), tmp_path / "out", "--method", "pca", "--code-size", "60")
    check_sentence(hw10, capsys, argv, "--code-size 60", "at most 54")


def test_a_saved_model_that_does_not_fit(hw10, tiny, tmp_path, capsys):
    folder, out = tiny(), tmp_path / "out"
    hw10.train.main(flags(folder, out, "--method", "pca", "--code-size", "4"))

    def sentence(*words):
        check_sentence(hw10, capsys, flags(folder, out), *words, script="predict")

    whole = shutil.copytree(folder, tmp_path / "whole")
    for name in ("train", "test"):
        spoil(folder / f"{name}.npy", lambda x: np.repeat(x, 2, axis=1))
    sentence("model.keras was trained for images of (8, 8, 3)", "(16, 8, 3)")
    shutil.rmtree(folder)
    whole.rename(folder)
    for name, words in (
        ("model.keras", "are of two trainings"),
        ("codes.npz", "are of two trainings"),
        ("metrics.json", "is not what train.py wrote"),
    ):
        content = (out / name).read_bytes()
        (out / name).write_bytes(content[: len(content) // 2])
        sentence(out / name, words)
        if name == "codes.npz":
            with pytest.raises(hw10.scaffold.BadInput, match="cut short"):
                hw10.predict.load_codes(out / name, 100)
        if name == "model.keras":
            with pytest.raises(hw10.scaffold.BadInput, match="no whole Keras model"):
                hw10.model.load_model(out / name, (8, 8, 3))
        (out / name).unlink()
        sentence(out / name, "is missing; run train.py first")
        (out / name).write_bytes(content)
    spoil(folder / "train.npy", lambda x: x[:30])
    sentence("codes.npz is of more images than train.npy has")


def test_metrics_that_were_edited_do_not_go_with_the_model(hw10, tiny, tmp_path, capsys):
    folder, out = tiny(), tmp_path / "out"
    hw10.train.main(flags(folder, out, "--method", "pca", "--code-size", "4"))
    whole = json.loads((out / "metrics.json").read_text())
    for name, values in (
        ("score", ["elbo", "rotation", "x", [], None]),
        ("seed", [-1, 0.5, 1e400, "x", []]),
    ):
        for value in values:
            edited = {**whole, "arguments": {**whole["arguments"], name: value}}
            edited["files"] = {name: whole["files"][name] for name in ("model.keras", "codes.npz")}
            (out / "metrics.json").write_text(json.dumps(edited))
            words = f"{out / 'metrics.json'} is not of this model.keras"
            check_sentence(hw10, capsys, flags(folder, out), words, script="predict")


@pytest.mark.parametrize("score", ["neighbours", "cosine", "mahalanobis", "mixture", "comparison"])
def test_a_network_that_sees_no_difference(hw10, score):
    """Dead units give every image one code; those of a network that exploded do not fit into a file."""
    model = hw10.model.prepared(hw10.model.build_model("cnn", (8, 8, 3), 4))
    x = np.random.default_rng(0).uniform(-1, 1, (30, 8, 8, 3)).astype(np.float32)
    known = hw10.scoring.codes_of(model, x, np.arange(20))
    some = x, np.arange(20, 30), x, np.arange(10)
    assert np.isfinite(hw10.scoring.score_images(model, score, known, *some)[0]).all()
    for spoilt in (0 * known + 1, np.where(known == known[3, 2], np.inf, known)):
        with pytest.raises(hw10.scaffold.BadInput, match=f"--score {score}: the codes are all alike or"):
            hw10.scoring.score_images(model, score, spoilt, *some)


def test_kept_scores_that_were_damaged(load_chapter, tmp_path):
    report = load_chapter(CHAPTER, "report").report
    for content in (b"", b"x", pickle.dumps("never unpickled")):
        (tmp_path / "scores.npz").write_bytes(content)
        with pytest.raises(report.BadInput, match="scores.npz is damaged; remove it"):
            report.all_scores(tmp_path, None, None)


def test_metrics_without_answers_say_what_they_are(hw10, tiny, tmp_path):
    out = tmp_path / "out"
    found = hw10.train.main(flags(tiny(), out, "--method", "pca", "--code-size", "4"))
    assert found["metric"] == "ROC-AUC of the test against held-out training images"
    assert json.loads((out / "metrics.json").read_text())["score"] == found["score"]


def test_two_scales_are_not_taken_for_one(hw10, tiny, tmp_path, capsys):
    folder = tiny()
    spoil(folder / "train.npy", lambda x: (np.clip(x, -1, 1) * 0.99 + 1) / 2)
    spoil(
        folder / "test.npy",
        lambda x: np.where(np.arange(x.size).reshape(x.shape) % 2, -0.9, 0.9).astype(np.float32),
    )
    check_sentence(hw10, capsys, flags(folder, tmp_path / "out"), "expected the same scale")


# --- settings that reach the method -----------------------------------------


def test_both_sets_are_moved_and_mirrored(hw10):
    x = np.zeros((60, 32, 32, 3), np.float32)
    x[:, 16, 10] = 1
    batches = hw10.finetuning.TrainingAndTest(x[:40], x[40:], np.arange(60), 60, seed=0)
    images, answers, _ = batches[0]
    for kind in (0, 1):
        positions = np.argwhere(images[answers[:, 0] == kind][..., 0])
        assert len({tuple(position[1:]) for position in positions}) > 10


def test_the_seed_of_the_folds_is_that_of_the_training(hw10, tmp_path, monkeypatch):
    """Else an image would be scored by a network that has seen it."""
    args, asked = hw10.train.parse_args(["--out-dir", str(tmp_path), "--seed", "3"]), []

    def score_images(*given):
        asked.append(given)
        return np.arange(4.0), np.arange(3.0)

    monkeypatch.setattr(hw10.training, "score_images", score_images)
    test, codes = np.zeros((4, 8, 8, 3)), np.zeros((5, 2), np.float16)
    hw10.training.evaluate(args, None, "networks", codes, test, np.zeros((9, 8, 8, 3)), np.arange(3), None)
    assert asked[0][-1] == ("networks", 3)


def test_fine_tuning_has_half_the_rate(hw10, tiny, tmp_path, monkeypatch):
    folder, networks = tiny(), []
    training, test = (np.load(folder / f"{name}.npy") for name in ("train", "test"))
    monkeypatch.setattr(keras.Model, "fit", lambda network, *_, **__: networks.append(network))
    args = hw10.train.parse_args(["--out-dir", str(tmp_path), "--epochs", "40", "--batch-size", "8"])
    model = hw10.model.build_model("rotation", (8, 8, 3), 4)
    network = keras.Model(model.input, keras.layers.Dense(1)(model.get_layer("encoder").output))
    hw10.finetuning.fit_one(args, network, training, test, np.arange(80), 0, [np.array("x")])
    rates = []
    for step in range(40 * 5):
        network.optimizer.iterations.assign(step)
        rates.append(float(network.optimizer.learning_rate))
    assert max(rates) == pytest.approx(args.learning_rate / 2, rel=1e-3)
