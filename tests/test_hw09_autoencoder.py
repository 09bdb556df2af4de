"""Homework 9: planted groups, views by algebra, the loss by a loop, noise only in training, and bad input."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import check_sentence

CHAPTER = "hw09_autoencoder"
TRIAL = ["--synthetic", "--epochs", "1", "--batch-size", "100", "--code-size", "8", "--networks", "1"]


@pytest.fixture
def hw09(load_chapter):
    return load_chapter(CHAPTER)


@pytest.fixture
def hw09_light(load_chapter):
    """The modules that tests without a training need."""
    return load_chapter(CHAPTER, "dataset", "clustering", "train", "predict", "report")


def planted(rng, count=200):
    """Points (count, 3) that lie left or right in the last number, the smallest of the three; and which."""
    side = rng.integers(0, 2, count)
    return np.stack([rng.uniform(-50, 50, count), rng.normal(0, 9, count), 2 * side - 1.0], axis=1), side


# --- groups ---------------------------------------------------------------


def test_a_planted_group_is_found_exactly(hw09_light):
    clustering, rng = hw09_light.clustering, np.random.default_rng(0)
    points, side = planted(rng)
    assert clustering.accuracy(clustering.k_means(points, 0), side) < 0.65
    matrix, offset = clustering.whitening(points.astype(np.float32), share=1.0)
    groups = clustering.k_means(points @ matrix + offset, 0)
    assert clustering.accuracy(groups, side) == 1
    fresh, where = planted(rng, 50)
    found = clustering.of_neighbours(fresh @ matrix + offset, points @ matrix + offset, groups)
    assert clustering.accuracy(found, where) == 1


def test_whitened_codes_have_covariance_1_the_widest_direction_first(hw09_light):
    rng = np.random.default_rng(0)
    codes = (rng.normal(size=(400, 6)) * [9, 1, 4, 0, 0.1, 2] + 7).astype(np.float32)
    whitening = hw09_light.clustering.whitening
    matrix, offset = whitening(codes, size=3, share=1.0)
    white = codes @ matrix + offset
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(white.T @ white / len(white), np.eye(3), atol=1e-3)
    assert list(np.argmax(np.abs(matrix) * codes.std(axis=0)[:, None], axis=0)) == [0, 2, 5]
    assert whitening(codes, share=1.0)[0].shape == (6, 5)  # one number never varies
    shares = np.cumsum(np.sort(codes.var(axis=0))[::-1]) / codes.var(axis=0).sum()  # 0.79, 0.95, 0.99, ...
    for share, kept in ((0.5, 1), (0.9, 2), (0.97, 3), (0.995, 4)):
        assert shares[kept - 2] < share < shares[kept - 1] or kept == 1
        assert whitening(codes, share=share)[0].shape == (6, kept)
    wide = rng.normal(size=(50, 30)).astype(np.float32)
    assert whitening(wide, size=16)[0].shape == (30, 16)


def test_a_cut_goes_where_few_neighbours_are_parted_and_not_across_the_widest_direction(hw09_light):
    """Two long parallel stripes: k-means halves both, the cut parts the one from the other."""
    clustering, rng = hw09_light.clustering, np.random.default_rng(0)
    side = rng.integers(0, 2, 400)
    stripes = np.stack([rng.uniform(0, 6, 400), 2.5 * side + rng.normal(0, 0.3, 400)], axis=1)
    bridge = np.stack([np.full(9, 3.0), np.linspace(0, 2.5, 9)], axis=1)
    points = np.concatenate([stripes, bridge, [[9, 1.25]]])  # a lonely point is not worth a cut of its own
    assert clustering.accuracy(clustering.k_means(points, 0)[:400], side) < 0.6
    groups = clustering.normalised_cut(points, 0)
    assert clustering.accuracy(groups[:400], side) > 0.98
    np.testing.assert_array_equal(groups, clustering.normalised_cut(points, 1))


def test_a_border_that_sure_points_teach_mends_the_cut(hw09_light, monkeypatch):
    """Of a group on the left and one on the right, some far points have been cut off to the wrong side."""
    clustering, rng = hw09_light.clustering, np.random.default_rng(0)
    side = rng.integers(0, 2, 400)
    points = np.stack([4.0 * side + rng.normal(0, 0.7, 400), rng.normal(0, 3, 400)], axis=1)
    wrong = (points[:, 1] > 4) & (side == 0)
    assert 5 < wrong.sum() < 40
    monkeypatch.setattr(clustering, "normalised_cut", lambda points, seed: np.where(wrong, 1, side))
    groups = clustering.refined_cut(points, 0)
    assert np.mean(groups == side) > 0.97
    assert np.mean(groups == side) > np.mean(np.where(wrong, 1, side) == side)
    monkeypatch.setattr(clustering, "normalised_cut", lambda points, seed: np.arange(400) % 2)
    assert list(clustering.refined_cut(points, 0)) == list(np.arange(400) % 2)  # no point is sure


def test_t_sne_keeps_two_crowds_apart_and_repeats_itself(hw09_light, capsys):
    rng = np.random.default_rng(0)
    side = rng.integers(0, 2, 60)
    codes = (rng.normal(size=(60, 5)) + 20 * side[:, None]).astype(np.float32)
    points = hw09_light.clustering.on_a_plane(codes, 0)
    assert points.shape == (60, 2)
    assert hw09_light.clustering.accuracy(hw09_light.clustering.k_means(points, 0), side) == 1
    captured = capsys.readouterr()
    assert captured.out == ""  # scikit-learn's own lines move the bar
    assert "Iteration" not in captured.err
    np.testing.assert_array_equal(points, hw09_light.clustering.on_a_plane(codes, 0))
    assert np.isfinite(hw09_light.clustering.on_a_plane(codes[:5], 0)).all()
    line = hw09_light.clustering.on_a_plane(side[:, None].astype(np.float32), 0)  # one direction is left
    assert line.shape == (60, 2)
    assert hw09_light.clustering.on_a_plane(codes[:2, :1], 0).shape == (2, 2)


def test_t_sne_s_lines_move_the_bar(hw09_light):
    bar = type("Bar", (), {"n": 0, "update": lambda bar, more: setattr(bar, "n", bar.n + more)})()
    lines = hw09_light.clustering.Iterations(bar)
    print("[t-SNE] Computing 61 nearest neighbors...", file=lines)
    assert bar.n == 0
    print("[t-SNE] Iteration 50: error = 63.0, gradient norm = 0.1 (50 iterations in 0.2s)", file=lines)
    print("[t-SNE] Iteration 150: error = 63.0", file=lines)
    assert bar.n == 150


def test_the_bluer_group_is_0(hw09_light):
    images = np.full((6, 32, 32, 3), 100, np.uint8)
    images[[1, 4], ..., 2] = 150
    images[[0, 5], ..., 0] = 150
    images[3, ..., 1] = 250  # green says nothing
    named = hw09_light.clustering.named
    for groups in ([1, 0, 1, 1, 0, 1], [0, 1, 0, 0, 1, 0]):
        assert list(named(np.array(groups), images)) == [1, 0, 1, 1, 0, 1]
    assert list(named(np.zeros(6, int), images)) == [0] * 6


def test_neighbours_outvote_the_nearest(hw09_light):
    known = np.concatenate([np.zeros(9), [0.1], np.full(20, 5.0)])[:, None]
    groups = np.concatenate([np.ones(9, int), [0], np.zeros(20, int)])
    found = hw09_light.clustering.of_neighbours(np.array([[0.1], [4.9], [0.0]]), known, groups)
    assert list(found) == [1, 0, 1]
    few = hw09_light.clustering.of_neighbours(known[:1], known[:3], groups[:3])
    assert list(few) == [1]
    split = np.concatenate([np.full(4, -1.0), np.full(6, 1.2), np.full(9, 9.0)])[:, None]
    of = np.concatenate([np.ones(4, int), np.zeros(6, int), np.ones(9, int)])
    assert list(hw09_light.clustering.of_neighbours(np.zeros((1, 1)), split, of)) == [
        0
    ]  # ten, not nine or twelve


def test_accuracy_by_hand(hw09_light):
    accuracy, labels = hw09_light.clustering.accuracy, np.array([0, 0, 1, 1, 1])
    assert accuracy(np.array([0, 0, 1, 1, 0]), labels) == 0.8
    assert accuracy(np.array([1, 1, 0, 0, 1]), labels) == 0.8
    assert accuracy(labels, labels) == accuracy(1 - labels, labels) == 1
    assert accuracy(np.zeros(5, int), labels) == 0.6


# --- views and their loss -------------------------------------------------


def generator():
    import keras

    return keras.random.SeedGenerator(0)


def ramp(count):
    """Images whose red is 0.25 at the left and 0.75 at the right, green the same downwards, blue 0.5."""
    line = np.linspace(0.25, 0.75, 32, dtype=np.float32)
    across = np.broadcast_to(line, (32, 32))
    return np.repeat(np.stack([across, across.T, np.full((32, 32), 0.5)], axis=-1)[None], count, axis=0)


def test_a_view_is_a_piece_of_the_image_perhaps_mirrored(hw09):
    seen = np.asarray(hw09.contrast.random_crops(ramp(300).astype(np.float32), generator()))
    red, green = seen[:, 16, :, 0], seen[:, :, 16, 1]
    np.testing.assert_allclose(seen[..., 2], 0.5, atol=1e-5)
    np.testing.assert_allclose(np.diff(red, 2, axis=1), 0, atol=1e-4)  # nothing is repeated at an edge
    np.testing.assert_allclose(np.diff(green, 2, axis=1), 0, atol=1e-4)
    slope, downwards = (red[:, -1] - red[:, 0]) / 0.5, (green[:, -1] - green[:, 0]) / 0.5
    np.testing.assert_allclose(
        np.abs(slope), downwards, atol=1e-4
    )  # one side length both ways; never upside down
    assert 0.4 < np.mean(slope < 0) < 0.6
    area = np.square(slope)
    assert 0.1 <= area.min() < 0.13
    assert 0.95 < area.max() <= 1
    assert 0.5 < area.mean() < 0.6
    for edge, line in ((red.min(axis=1), red), (green.min(axis=1), green)):
        free = 0.5 * (1 - np.ptp(line, axis=1) / 0.5)
        where = (edge - 0.25)[free > 0.1] / free[free > 0.1]  # 0: at the very left, 1: at the very right
        assert where.min() < 0.05
        assert where.max() > 0.95
        assert 0.45 < where.mean() < 0.55


def test_light_changes_brightness_and_contrast(hw09, monkeypatch):
    for name in ("SATURATION", "HUE", "GREY"):
        monkeypatch.setattr(hw09.contrast, name, 0.0)
    image = np.where(np.arange(32)[:, None, None] < 16, 0.4, 0.6) * np.ones((400, 1, 32, 3), np.float32)
    seen = np.asarray(hw09.contrast.recoloured(image.astype(np.float32), generator()))
    means, depths = seen.mean(axis=(1, 2, 3)), seen[:, 31, 0, 0] - seen[:, 0, 0, 0]
    low, high = 1 - hw09.contrast.LIGHT, 1 + hw09.contrast.LIGHT
    for factors in (means / 0.5, depths / 0.2 / (means / 0.5)):
        assert low - 1e-3 <= factors.min() < low + 0.02
        assert high - 0.02 < factors.max() <= high + 1e-3
    np.testing.assert_allclose(seen[..., 0], seen[..., 2], atol=1e-3)  # grey stays grey


def test_saturation_and_hue_are_changed_alike_in_a_whole_image(hw09, monkeypatch):
    from colorsys import rgb_to_yiq

    monkeypatch.setattr(hw09.contrast, "LIGHT", 0.0)
    pixels = np.random.default_rng(0).uniform(0.3, 0.7, (32, 32, 3))
    image = np.repeat(pixels[None].astype(np.float32), 600, axis=0)
    seen = np.asarray(hw09.contrast.recoloured(image, generator()))[:, 3:5, 7]  # two pixels of each
    before, after = (
        np.apply_along_axis(lambda rgb: rgb_to_yiq(*rgb), -1, x) for x in (image[:, 3:5, 7], seen)
    )
    np.testing.assert_allclose(after[..., 0], before[..., 0], atol=2e-2)  # the brightness of a pixel stays
    colour = [x[..., 1] + 1j * x[..., 2] for x in (before, after)]
    ratio = colour[1] / colour[0]
    lengths, grey = np.abs(ratio[:, 0]), np.abs(ratio[:, 0]) < 0.05
    assert 0.15 < grey.mean() < 0.25
    assert 0.55 < lengths[~grey].min() < 0.65
    assert 1.35 < lengths[~grey].max() < 1.45
    angles = np.angle(ratio[~grey]) / (2 * np.pi)
    assert -0.11 < angles[:, 0].min() < -0.09
    assert 0.09 < angles[:, 0].max() < 0.11
    np.testing.assert_allclose(angles[:, 0], angles[:, 1], atol=2e-2)  # one turn for the whole image


def test_noise_has_its_deviation_and_0_is_none(hw09):
    grey = np.full((8, 32, 32, 3), 0.5, np.float32)
    spots = np.asarray(hw09.contrast.add_noise(grey, 0.1, generator())) - 0.5
    assert abs(spots.mean()) < 0.003
    assert spots.std() == pytest.approx(0.1, rel=0.03)
    np.testing.assert_array_equal(hw09.contrast.add_noise(grey, 0.0, generator()), grey)
    loud = np.asarray(hw09.contrast.add_noise(grey, 9.0, generator()))
    assert loud.min() == 0
    assert loud.max() == 1


def test_nt_xent_meets_a_loop(hw09):
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 5, 4)).astype(np.float32)
    everyone = np.concatenate([first, second])
    everyone /= np.linalg.norm(everyone, axis=1, keepdims=True)
    losses = []
    for index, vector in enumerate(everyone):
        odds = np.exp(everyone @ vector / 0.3)
        losses.append(-np.log(odds[(index + 5) % 10] / (odds.sum() - odds[index])))
    assert float(hw09.contrast.nt_xent(first, second)) == pytest.approx(np.mean(losses), rel=1e-4)
    assert float(hw09.contrast.nt_xent(3 * first, 7 * second)) == pytest.approx(np.mean(losses), rel=1e-4)
    same = np.ones((5, 4), np.float32)
    assert float(hw09.contrast.nt_xent(same, same)) == pytest.approx(np.log(9), rel=1e-4)
    assert float(hw09.contrast.nt_xent(np.eye(4, dtype="f"), np.eye(4, dtype="f"), 0.05)) < 1e-5


# --- the autoencoder ------------------------------------------------------


@pytest.mark.parametrize(("size", "averaged"), [(2, False), (5, True), (128, True)])
def test_the_decoder_mirrors_the_encoder(hw09, size, averaged):
    encoder, decoder = hw09.model.build_encoder(size, averaged), hw09.model.build_decoder(size)
    down = [layer.output.shape[1:] for layer in encoder.layers if layer.name.startswith("convolution")]
    up = [
        layer.output.shape[1:] for layer in decoder.layers if layer.name.startswith(("reshape", "transposed"))
    ]
    assert down == [(16, 16, 32), (8, 8, 64), (4, 4, 128)]
    assert [*reversed(down), encoder.input_shape[1:]] == up
    assert encoder.output_shape == decoder.input_shape == (None, size)
    assert decoder.output_shape == encoder.input_shape


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(0, 1, (6, 32, 32, 3)).astype(np.float32)


@pytest.mark.parametrize("contrast", [False, True])
def test_noise_is_off_when_it_is_not_training(hw09, images, contrast):
    model = hw09.model.Autoencoder(4, 0.5, contrast, seed=0)
    quiet = np.asarray(model(images))
    np.testing.assert_array_equal(quiet, model(images))
    np.testing.assert_array_equal(quiet, model.decoder(model.encoder(images)))
    corrupted = [np.asarray(model.corrupted(images)) for _ in range(2)]
    assert np.abs(corrupted[0] - corrupted[1]).mean() > 0.1
    training = model(images, training=True)
    decoded, *projections = training if contrast else (training,)
    assert decoded.shape == images.shape
    assert [p.shape for p in projections] == ([(12, 64)] if contrast else [])
    assert np.abs(np.asarray(decoded) - quiet).max() > 1e-3


def test_the_loss_compares_with_the_clean_image(hw09, images):
    compute = hw09.model.Autoencoder(4, 0.5, False, seed=0).compute_loss
    assert float(compute(images, y_pred=images)) == 0
    assert float(compute(images, y_pred=images + 0.1)) == pytest.approx(0.01, rel=1e-3)
    projections = np.random.default_rng(1).normal(size=(12, 64)).astype(np.float32)
    compute = hw09.model.Autoencoder(4, 0.5, True, seed=0).compute_loss
    expected = float(hw09.contrast.nt_xent(projections[:6], projections[6:]))
    assert float(compute(images, y_pred=(images, projections))) == pytest.approx(expected, rel=1e-5)
    off = float(compute(images, y_pred=(images + 0.1, projections)))
    assert off == pytest.approx(expected + 0.01 * hw09.model.RECONSTRUCTION, rel=1e-4)


def test_the_whole_model_scales_reduces_and_joins(hw09, images, tmp_path):
    members = [hw09.model.Autoencoder(4, 0.1, False, seed=0, number=number) for number in (1, 2)]
    rng = np.random.default_rng(0)
    reduction = rng.normal(size=(4, 3)).astype(np.float32), rng.normal(size=3).astype(np.float32)
    whole = hw09.model.whole_model(members, [reduction, None])
    pixels = np.round(255 * images)
    codes, decoded = (np.asarray(part) for part in whole(pixels))
    first, second = (np.asarray(member.encoder(pixels / 255)) for member in members)
    np.testing.assert_allclose(codes, np.hstack([first @ reduction[0] + reduction[1], second]), atol=1e-4)
    np.testing.assert_allclose(decoded, members[0](pixels / 255), atol=1e-5)
    np.testing.assert_allclose(
        np.asarray(whole(pixels[:1])[0])[0], codes[0], atol=1e-4
    )  # no batch statistics
    whole.save(tmp_path / "model.keras")
    again = hw09.model.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        hw09.model.in_batches(lambda x: again(x)[0], pixels, batch=4), again(pixels)[0], atol=1e-5
    )
    np.testing.assert_allclose(again(pixels)[0], codes, atol=1e-5)


@pytest.mark.parametrize("contrast", [False, True])
def test_a_step_moves_all_weights(hw09, images, contrast):
    model = hw09.model.Autoencoder(4, 0.1, contrast, seed=0)
    model.compile("sgd", run_eagerly=True)
    before = [np.array(weight) for weight in model.trainable_variables]
    logs = model.fit(images, batch_size=6, verbose=0).history
    for weight, old in zip(model.trainable_variables, before, strict=True):
        if weight.path.startswith("encoder") and "kernel" in weight.path:
            assert not np.array_equal(weight, old), weight.path
    assert set(logs) == {"loss", "reconstruction", *(["contrast"] if contrast else [])}


# --- train.py and predict.py ----------------------------------------------


@pytest.fixture
def untrained(hw09, monkeypatch):
    """train.py as it is, but for the steps of fit(); the list of what fit() was given."""
    calls = []

    def fit(self, *args, callbacks, **keywords):
        calls.append((args, keywords, self.optimizer))
        for callback in callbacks:
            callback.set_model(self)
            callback.on_epoch_begin(0, {})
        logs = {"loss": untrained.loss, "reconstruction": 0.1}
        for callback in callbacks:
            callback.on_epoch_end(0, logs)

    untrained = type("Untrained", (), {"loss": 1.0, "calls": calls})
    monkeypatch.setattr(hw09.model.Autoencoder, "fit", fit)
    return untrained


def test_the_labels_and_valX_change_nothing_but_the_score(hw09, untrained, whole_set, tmp_path):
    folder = shutil.copytree(whole_set, tmp_path / "data")
    argv = ["--data-dir", str(folder), "--code-size", "8", "--networks", "1"]
    metrics = hw09.train.main([*argv, "--out-dir", str(tmp_path / "one")])
    assert sum(metrics["images_in_group"]) == 300
    labels, validation = (np.load(folder / f"{name}.npy") for name in ("valY", "valX"))
    np.save(folder / "valX.npy", validation[::-1, ::-1][:90])
    np.save(folder / "valY.npy", np.roll(labels, 7)[:90])
    hw09.train.main([*argv, "--out-dir", str(tmp_path / "two")])
    one, two = (hw09.predict.load_clusters(tmp_path / name / "clusters.npz") for name in ("one", "two"))
    np.testing.assert_array_equal(one["codes"], two["codes"])
    np.testing.assert_array_equal(one["groups"], two["groups"])
    covariance = np.cov(one["codes"], rowvar=False, ddof=0)
    np.testing.assert_allclose(covariance, np.eye(len(covariance)), atol=2e-2)
    for (batches,), keywords, _ in untrained.calls:
        np.testing.assert_allclose(255 * batches.images, np.load(folder / "trainX.npy"), atol=1e-3)
        assert set(keywords) == {"initial_epoch", "epochs", "shuffle", "verbose"}


def test_the_score_is_of_valX_and_valY(hw09, untrained, whole_set, tmp_path):
    """On copies of trainX, labelled as predict.py says but for a fifth, it is 0.8."""
    folder = shutil.copytree(whole_set, tmp_path / "data")
    argv = ["--data-dir", str(folder), "--out-dir", str(tmp_path)]
    own = [*argv, "--code-size", "8", "--reduce", "none", "--networks", "1"]
    hw09.train.main(own)
    label = hw09.predict.main(argv).label.to_numpy()
    np.save(folder / "valX.npy", np.load(folder / "trainX.npy")[::-1])
    np.save(folder / "valY.npy", np.where(np.arange(300) % 5 == 0, label[::-1], 1 - label[::-1]))
    metrics = hw09.train.main(own)
    assert metrics["score"] == 0.8
    assert json.loads((tmp_path / "metrics.json").read_text())["score"] == 0.8


@pytest.mark.full
def test_codes_of_several_networks_stand_side_by_side_and_predict_repeats_the_groups(
    hw09, untrained, tmp_path
):
    argv = [
        "--synthetic",
        "--networks",
        "2",
        "--reduce",
        "tsne",
        "--clustering",
        "k-means",
        "--code-size",
        "8",
    ]
    argv += ["--out-dir", str(tmp_path)]
    hw09.train.main([*argv, "--learning-rate", "0.5", "--epochs", "3"])
    assert list(pd.read_csv(tmp_path / "history.csv").network) == [1, 2]
    for *_, optimizer in untrained.calls:
        for step, rate in ((0, 0.5), (9, 0.25), (18, 0.0)):  # 6 steps an epoch
            optimizer.iterations.assign(step)
            assert float(optimizer.learning_rate) == pytest.approx(rate, abs=1e-6)
    clusters = hw09.predict.load_clusters(tmp_path / "clusters.npz")
    first, second = np.split(clusters["codes"], 2, axis=1)
    assert first.shape == second.shape == (300, 8)
    assert not np.allclose(first, second), "the networks are one and the same"
    assert clusters["points"].shape == (300, 2)
    table = hw09.predict.main(["--synthetic", "--out-dir", str(tmp_path)])
    found = hw09.clustering.of_neighbours(clusters["codes"], clusters["codes"], clusters["groups"])
    np.testing.assert_array_equal(table.label, found)
    assert (tmp_path / "submission.csv").read_text().startswith("id,label\n0,")


def test_an_epoch_has_each_image_once_in_an_order_of_its_own(hw09):
    images = np.arange(50, dtype=np.float32)[:, None, None, None] * np.ones((1, 2, 2, 3), np.float32)
    batches, orders = hw09.training.Batches(images, 8, seed=1), []
    for epoch in (0, 1):
        batches.deal(epoch)
        found = [batches[index][0][:, 0, 0, 0] for index in range(len(batches))]
        assert [len(part) for part in found] == [8] * 6 + [2]
        orders.append(list(np.concatenate(found)))
        assert sorted(orders[-1]) == list(range(50))
    assert orders[0] != orders[1]
    batches = hw09.training.Batches(images, 8, seed=1)
    batches.deal(1)
    assert list(batches[0][0][:, 0, 0, 0]) == orders[1][:8]


@pytest.mark.full
def test_a_stopped_training_goes_on_as_if_it_had_not_been(hw09, whole_set, tmp_path):
    argv = ["--data-dir", str(whole_set), "--epochs", "2", "--batch-size", "100", "--networks", "2"]
    whole = hw09.train.main([*argv, "--out-dir", str(tmp_path / "whole")])
    Batches, deal = hw09.training.Batches, hw09.training.Batches.deal

    def stop(batches, epoch):
        if epoch == 1:
            raise KeyboardInterrupt
        deal(batches, epoch)

    Batches.deal = stop
    with pytest.raises(KeyboardInterrupt):
        hw09.train.main([*argv, "--out-dir", str(tmp_path / "stopped")])
    Batches.deal = deal
    again = hw09.train.main([*argv, "--out-dir", str(tmp_path / "stopped"), "--resume"])
    assert again["reconstruction_error"] == pytest.approx(whole["reconstruction_error"], rel=1e-4)
    tables = [pd.read_csv(tmp_path / name / "history.csv") for name in ("whole", "stopped")]
    np.testing.assert_allclose(tables[0].loss, tables[1].loss, rtol=1e-4)


def test_pictures_of_any_size_in_a_folder_are_cut_to_squares(hw09_light, tmp_path):
    from PIL import Image

    folder = tmp_path / "trainX"
    folder.mkdir()
    wide = np.zeros((40, 80, 3), np.uint8)
    wide[:, :20, 0], wide[:, 20:60, 1] = 255, 200  # the red rim is not in the square in the middle
    Image.fromarray(wide).save(folder / "b.png")
    Image.fromarray(np.full((9, 9), 50, np.uint8)).save(folder / "a.png")
    images = hw09_light.dataset.load_images(tmp_path / "trainX.npy")
    assert (images.shape, images.dtype) == ((2, 32, 32, 3), np.uint8)
    assert (images[0] == 50).all()  # a.png comes first; grey is three times the same
    assert (images[1][:, 1:-1] == [0, 200, 0]).all()
    np.save(tmp_path / "valX.npy", np.stack([wide, wide]))
    np.testing.assert_array_equal(hw09_light.dataset.load_images(tmp_path / "valX.npy"), images[[1, 1]])


def test_a_picture_of_ones_own_gets_a_group(hw09, untrained, tmp_path, capsys):
    from PIL import Image

    hw09.train.main(["--synthetic", "--code-size", "8", "--networks", "1", "--out-dir", str(tmp_path)])
    images = np.load(tmp_path / "synthetic" / "trainX.npy")
    table = hw09.predict.main(["--synthetic", "--out-dir", str(tmp_path)])
    (tmp_path / "own").mkdir()
    for number in (3, 7):
        Image.fromarray(images[number]).save(tmp_path / "own" / f"{number}.png")
    capsys.readouterr()
    argv = ["--out-dir", str(tmp_path), "--picture", str(tmp_path / "own")]
    hw09.predict.main(argv)  # no --synthetic: a picture of one's own may be shown to any model
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{tmp_path / 'own' / f'{n}.png'}: group {table.label[n]}" for n in (3, 7)]
    hw09.predict.main([*argv[:-1], str(tmp_path / "own" / "7.png")])
    assert capsys.readouterr().out.splitlines() == lines[1:]
    for name, words in (("none.png", "none.png is missing"), ("own/bad.png", "cannot be decoded")):
        if name == "own/bad.png":
            (tmp_path / name).write_bytes(b"x")
        own = ["--out-dir", tmp_path, "--picture", tmp_path / name]
        check_sentence(hw09, capsys, own, words, script="predict")


def test_not_a_number_ends_in_a_sentence(hw09, untrained, tmp_path, capsys):
    untrained.loss = np.nan
    argv = [*TRIAL, "--learning-rate", "1e30", "--out-dir", tmp_path]
    check_sentence(hw09, capsys, argv, "epoch 1", "not a number", "--learning-rate 1e+30")
    assert {path.name for path in tmp_path.iterdir()} == {"synthetic"}


def test_codes_that_are_all_the_same_end_in_a_sentence(hw09, untrained, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(hw09.training, "in_batches", lambda function, images: np.ones((len(images), 8)))
    check_sentence(hw09, capsys, [*TRIAL, "--out-dir", tmp_path], "epoch 1: all images have the same code")
    assert not list(tmp_path.glob("*.*"))


def test_the_groups_are_of_the_points_that_the_reduction_made(hw09_light, monkeypatch):
    points, side = planted(np.random.default_rng(0), 90)
    images = np.zeros((90, 32, 32, 3), np.uint8)
    images[side == 0, ..., 2] = 9
    parse, part = hw09_light.train.parse_args, hw09_light.clustering.part
    codes = points * [0, 0, 1]
    for clustering in ("k-means", "cut", "refined"):
        arrays = part(parse(["--reduce", "none", "--clustering", clustering]), codes, images)
        assert list(arrays["groups"]) == list(side)
        assert set(arrays) == {"codes", "groups"}
    monkeypatch.setattr(hw09_light.clustering, "on_a_plane", lambda given, seed: given[:, :2] + codes[:, 1:])
    arrays = part(parse(["--reduce", "tsne", "--clustering", "k-means"]), 0 * codes, images)
    assert list(arrays["groups"]) == list(side)  # of the points: the codes are all alike
    assert arrays["points"].shape == (90, 2)


def test_no_two_trainings_share_a_seed(hw09_light):
    drawn = []
    for seed in (0, 1):
        args = hw09_light.train.parse_args(["--seed", str(seed), "--networks", "3"])
        drawn += [hw09_light.clustering.member_seed(args, number) for number in range(3)]
    assert len(set(drawn)) == 6


def test_recipes_and_own_flags(hw09_light):
    parse = hw09_light.train.parse_args
    args = parse(["--method", "denoising"])
    assert (args.noise, args.reduce, args.clustering, args.networks) == (0.2, "tsne", "k-means", 1)
    args = parse([])
    assert (args.reduce, args.clustering, args.networks) == ("whitened", "refined", 3)
    assert parse(["--reduce", "none"]).clustering == "refined"
    assert parse(["--noise", "0"]).noise == 0


@pytest.mark.full
def test_the_claim(hw09, whole_set, tmp_path):
    """On drawn images in any light, codes that views share beat pixels, and codes of noised images."""
    images, validation = (np.load(whole_set / f"{name}.npy") for name in ("trainX", "valX"))
    labels, clustering = np.load(whole_set / "valY.npy"), hw09.clustering
    flat = [part.reshape(len(part), -1) / 255 for part in (images, validation)]
    by_pixels = clustering.of_neighbours(flat[1], flat[0], clustering.k_means(flat[0], 0))
    assert clustering.accuracy(by_pixels, labels) < 0.65
    argv = ["--data-dir", str(whole_set), "--epochs", "6", "--batch-size", "50", "--networks", "1"]
    argv += ["--out-dir", str(tmp_path)]
    ours = hw09.train.main(argv)["score"]
    history = pd.read_csv(tmp_path / "history.csv")
    assert history.validation_error.iloc[-1] < 0.5 * history.validation_error.iloc[0]
    before = hw09.train.main([*argv, "--method", "denoising", "--reduce", "none"])["score"]
    assert ours > 0.8
    assert ours > before + 0.1


# --- the report -----------------------------------------------------------


def test_principal_components_are_scikit_learns(hw09_light, monkeypatch):
    from sklearn.decomposition import PCA

    monkeypatch.setattr(hw09_light.report, "COMPONENTS", 20)

    images = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3)).astype(np.uint8)
    (known, others), restored = hw09_light.report.principal_components(images[:30], images[30:])
    flat = images.reshape(40, -1) / 255
    pca = PCA(20).fit(flat[:30])
    np.testing.assert_allclose(np.abs(known[:, :5]), np.abs(pca.transform(flat[:30])[:, :5]), atol=1e-3)
    np.testing.assert_allclose(np.abs(others[:, :5]), np.abs(pca.transform(flat[30:])[:, :5]), atol=1e-3)
    expected = pca.inverse_transform(pca.transform(flat[30:])).reshape(10, 32, 32, 3)
    np.testing.assert_allclose(restored, expected, atol=1e-3)


def test_the_correlation_is_of_ranks_and_the_error_of_the_last_epoch(hw09_light, tmp_path):
    table = pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "validation_error": [0.9, 0.2, 0.1],
            "accuracy": [0.5, 0.6, 0.99],
            "processor": [1, 2, 4],
        }
    )
    for number, factor in enumerate((1, 1, 3)):
        (tmp_path / str(number)).mkdir()
        table.assign(validation_error=factor * table.validation_error).to_csv(
            tmp_path / str(number) / "history.csv", index=False
        )
    folders = [tmp_path / str(number) for number in range(3)]
    assert hw09_light.report.summary(folders[:2]) == ["0.1000", "-1.00", "7"]
    assert hw09_light.report.summary(folders)[0] == "0.1000"


def test_the_metrics_of_the_default_are_those_of_three_networks(hw09_light):
    runs = [
        {"score": 0.5, "arguments": {"networks": 1}, "seconds": {"one_fit": second, "all": 2 * second}}
        for second in (1, 2, 6, 99)
    ]
    metrics = hw09_light.report.of_the_default(runs, [0.7, 0.9, 0.8])
    assert (metrics["score"], metrics["arguments"]["networks"]) == (0.8, 3)
    assert metrics["seconds"] == {"one_fit": 3.0, "all": 18.0}


def test_kept_groups_are_read_again_unless_they_were_damaged(hw09_light, tmp_path):
    codes = [np.random.default_rng(0).normal(size=(number, 3)).astype(np.float32) for number in (30, 8)]
    way = ("whitened", "k-means")
    first = hw09_light.report.grouped(tmp_path, 0, codes, way)
    (file,) = tmp_path.iterdir()
    written = file.stat().st_mtime_ns
    again = hw09_light.report.grouped(tmp_path, 0, codes, way)
    assert file.stat().st_mtime_ns == written, "they were made anew"
    for name in ("known", "found"):
        np.testing.assert_array_equal(first[name], again[name])
    others = [np.concatenate([part, part]) for part in codes]  # of another training
    assert len(hw09_light.report.grouped(tmp_path, 0, others, way)["found"]) == 16
    file.write_bytes(b"x")
    with pytest.raises(hw09_light.scaffold.BadInput, match=f"{file.name} is damaged; remove it"):
        hw09_light.report.grouped(tmp_path, 0, codes, way)


# --- bad input: one sentence, status 2, nothing half-written --------------


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--noise -0.1", ["--noise -0.1", "at least 0"]),
        ("--noise nan", ["--noise nan"]),
        ("--code-size 1", ["--code-size 1", "expected 2 to"]),
        ("--networks 0", ["--networks 0"]),
        ("--clustering x", ["--clustering x", "k-means"]),
        ("--epochs 0", ["--epochs 0"]),
        ("--batch-size 1", ["--batch-size 1"]),
        ("--learning-rate 0", ["--learning-rate 0"]),
        ("--learning-rate inf", ["--learning-rate inf"]),
        ("--seed -1", ["--seed -1"]),
    ],
)
def test_bad_flags(hw09_light, tmp_path, capsys, flags, words):
    argv = ["--synthetic", "--out-dir", tmp_path / "out", *flags.split()]
    check_sentence(hw09_light, capsys, argv, *words)
    assert not (tmp_path / "out").exists()


def changed(name, change):
    def spoil(folder):
        array = change(np.load(folder / name))
        with open(folder / name, "wb") as file:
            np.save(file, array, allow_pickle=True)

    return spoil


def with_entry(value, *index):
    def change(array):
        array = array.astype(float)
        array[index] = value
        return array

    return change


def rewritten(name, change):
    def spoil(folder):
        (folder / name).write_bytes(change((folder / name).read_bytes()))

    return spoil


def as_zip(folder):
    array = np.load(folder / "trainX.npy")
    with open(folder / "trainX.npy", "wb") as file:
        np.savez(file, array)


BAD_FILES = {
    "missing": (lambda folder: (folder / "trainX.npy").unlink(), ["trainX.npy is missing"]),
    "no labels": (lambda folder: (folder / "valY.npy").unlink(), ["valY.npy is missing"]),
    "cut": (rewritten("trainX.npy", lambda whole: whole[: len(whole) // 2]), ["trainX.npy is cut short"]),
    "no bytes": (rewritten("valX.npy", lambda whole: b""), ["valX.npy is cut short"]),
    "text": (rewritten("valY.npy", lambda whole: b"0\n1\n"), ["valY.npy is cut short"]),
    "objects": (changed("trainX.npy", lambda x: x[:2].astype(object)), ["trainX.npy", "holds objects"]),
    "object labels": (changed("valY.npy", lambda y: y.astype(object)), ["valY.npy", "holds objects"]),
    "several": (as_zip, ["trainX.npy holds several arrays"]),
    "empty": (changed("trainX.npy", lambda x: x[:0]), ["trainX.npy holds no images"]),
    "one": (changed("trainX.npy", lambda x: x[:1]), ["trainX.npy holds one image"]),
    "many times": (
        changed("trainX.npy", lambda x: x[:1].repeat(9, axis=0)),
        ["trainX.npy holds one image"],
    ),
    "no rows": (changed("valX.npy", lambda x: x[:, :0]), ["valX.npy holds no images"]),
    "channels first": (changed("trainX.npy", lambda x: np.moveaxis(x, 3, 1)), ["(300, 3, 32, 32)"]),
    "grey": (changed("trainX.npy", lambda x: x[..., 0]), ["(300, 32, 32)"]),
    "one number": (changed("trainX.npy", lambda x: x[0, 0, 0, 0]), ["uint8 ()"]),
    "text images": (changed("trainX.npy", lambda x: x.astype("U3")), ["<U3 (300"]),
    "NaN": (changed("trainX.npy", with_entry(np.nan, 4, 5, 6, 0)), ["image 4 has nan at row 5, column 6"]),
    "256": (changed("valX.npy", with_entry(256, 1, 2, 3, 1)), ["image 1 has 256.0 at row 2, column 3"]),
    "-1": (changed("trainX.npy", lambda x: x.astype(int) - 256), ["image 0 has -"]),
    "0..1": (changed("trainX.npy", lambda x: x / 255), ["expected whole numbers from 0 to 255"]),
    "fewer labels": (changed("valY.npy", lambda y: y[1:]), ["int64 (99,)", "expected 100 labels"]),
    "label columns": (changed("valY.npy", lambda y: y[:, None]), ["(100, 1)", "expected 100 labels"]),
    "label 2": (changed("valY.npy", lambda y: y + 1), ["valY.npy: label", "is 2", "expected 0 or 1"]),
    "NaN label": (changed("valY.npy", with_entry(np.nan, 3)), ["label 3 is nan"]),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files(hw09_light, whole_set, tmp_path, capsys, case):
    spoil, words = BAD_FILES[case]
    folder = shutil.copytree(whole_set, tmp_path / "data")
    spoil(folder)
    argv = ["--data-dir", folder, "--out-dir", tmp_path / "out"]
    check_sentence(hw09_light, capsys, argv, *words)
    assert not list((tmp_path / "out").iterdir())


def test_whole_numbers_of_another_type_are_taken(hw09_light, whole_set, tmp_path):
    images = np.load(whole_set / "trainX.npy")
    np.save(tmp_path / "trainX.npy", images.astype(np.float32))
    read = hw09_light.dataset.load_images(tmp_path / "trainX.npy")
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, images)


def test_models_of_another_training(hw09, tmp_path, capsys):
    argv = ["--synthetic", "--out-dir", tmp_path]
    BadInput, clusters, model = hw09.scaffold.BadInput, tmp_path / "clusters.npz", tmp_path / "model.keras"
    check_sentence(hw09, capsys, argv, "run train.py --synthetic first", script="predict")
    data = hw09.dataset.make_synthetic(tmp_path / "synthetic", 0, 12, 4)

    def keep():
        """A metrics.json that knows the two files as they are."""
        files = {path.name: hw09.records.fingerprint(path) for path in (clusters, model)}
        metrics = {"arguments": {"synthetic": True}, "files": files}
        (tmp_path / "metrics.json").write_text(json.dumps(metrics))

    model.write_bytes(b"")
    check_sentence(hw09, capsys, argv, "clusters.npz is missing; run train.py", script="predict")
    wrong = {"codes": np.zeros((3, 5), "f"), "groups": np.zeros(4, int)}
    for spoilt in (b"", b"not a zip file", wrong):
        clusters.write_bytes(spoilt) if isinstance(spoilt, bytes) else np.savez(clusters, **spoilt)
        with pytest.raises(BadInput, match="clusters.npz is cut short"):
            hw09.predict.load_clusters(clusters)
    np.savez(clusters, codes=np.zeros((4, 5), "f"), groups=np.zeros(4, int))
    for spoilt in (b"", b"not a zip file"):
        model.write_bytes(spoilt)
        keep()
        check_sentence(hw09, capsys, argv, "model.keras is no whole Keras model", script="predict")
    hw09.model.build_encoder(5).save(model)
    keep()
    check_sentence(hw09, capsys, argv, "model.keras is not a model of this chapter", script="predict")
    member = hw09.model.Autoencoder(6, 0.1, False, 0)
    hw09.model.whole_model([member], [None]).save(model)
    keep()
    check_sentence(hw09, capsys, argv, "clusters.npz is of another model.keras", script="predict")
    assert not (tmp_path / "submission.csv").exists()
    (data / "trainX.npy").rename(data / "trainX_new.npy")
    check_sentence(hw09, capsys, argv, "trainX.npy is missing", "trainX_new.npy: rename it", script="predict")


# --- settings that reach the method -----------------------------------------


def test_both_views_of_an_image_are_changed(hw09, images, monkeypatch):
    model, seen = hw09.model.Autoencoder(4, 0.5, True, seed=0), []
    monkeypatch.setattr(hw09.model, "views", lambda shown, noise, generator: seen.append(noise) or 0 * shown)
    _, projections = model(images, training=True)
    assert seen == [0.5, 0.5]
    # All are of black pictures now: no view is the image as it is.
    assert np.ptp(np.asarray(projections), axis=0).max() < 1e-5


def test_a_view_has_noise(hw09):
    image = np.full((8, 32, 32, 3), 0.5, np.float32)
    noisy, plain = (np.asarray(hw09.contrast.views(image, noise, generator())) for noise in (0.05, 0.0))
    assert (noisy - plain).std() == pytest.approx(0.05, rel=0.2)


def test_what_is_watched_is_whitened_by_trainX(hw09, untrained, whole_set, tmp_path, monkeypatch):
    sizes, whitening = [], hw09.training.whitening
    monkeypatch.setattr(
        hw09.training, "whitening", lambda codes, *more: sizes.append(len(codes)) or whitening(codes, *more)
    )
    argv = ["--code-size", "8", "--networks", "1", "--reduce", "none", "--clustering", "k-means"]
    hw09.train.main(["--data-dir", str(whole_set), "--out-dir", str(tmp_path), *argv])
    assert sizes == [len(np.load(whole_set / "trainX.npy"))] != [len(np.load(whole_set / "valX.npy"))]
