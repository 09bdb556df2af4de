"""Homework 5: maps of models that can be seen through, LIME's regression, areas, filters, bad input."""

import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import check_sentence, write_metrics
from PIL import Image

CHAPTER = "hw05_explain"


@pytest.fixture
def hw05(load_chapter):
    return load_chapter(CHAPTER)


@pytest.fixture
def hw05_light(load_chapter):
    """The modules that need no Keras."""
    return load_chapter(CHAPTER, "dataset", "train", "predict")


def linear(size=8, classes=3, softmax=False, seed=0):
    """Log-odds = pixels . weights: a Keras model and its weights (size, size, 3, classes)."""
    import keras

    pixels = keras.Input((size, size, 3))
    outputs = keras.layers.Dense(classes, activation="softmax" if softmax else None)
    model = keras.Model(pixels, outputs(keras.layers.Flatten()(pixels)))
    weights = np.random.default_rng(seed).normal(0, 0.01, (size, size, 3, classes)).astype(np.float32)
    model.set_weights([weights.reshape(-1, classes), np.zeros(classes)])
    return model, weights


def images_of(count=2, size=8, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


@pytest.fixture
def untrained(hw05, tmp_path):
    """An out folder with a model.keras that has learnt nothing, which is enough here."""
    (tmp_path / "out").mkdir()
    hw05.model.build_small(16, 4).save(tmp_path / "out" / "model.keras")
    write_metrics(hw05, tmp_path / "out", "model.keras")
    return tmp_path / "out"


# --- maps -----------------------------------------------------------------


def test_the_saliency_of_a_linear_model_is_its_weight(hw05):
    model, weights = linear()
    images, classes = images_of(), np.array([2, 0])
    found = hw05.saliency.saliency(model, images, classes)
    for row, label in zip(found, classes):
        np.testing.assert_allclose(row, np.abs(weights[..., label]).max(axis=-1), rtol=1e-5)
    smooth = hw05.saliency.smoothgrad(model, images, classes)
    np.testing.assert_allclose(smooth, found, rtol=1e-4)


def test_smoothgrad_averages_before_it_takes_the_size(hw05, monkeypatch):
    """Gradients that differ in sign from copy to copy leave nothing."""
    signs = iter([1, -1] * 8)
    ones = np.ones((1, 4, 4, 3), np.float32)
    monkeypatch.setattr(hw05.saliency, "gradients", lambda *_: next(signs) * ones)
    assert np.abs(hw05.saliency.smoothgrad(None, ones, [0], copies=16)).max() == 0


def test_after_a_softmax_the_score_is_the_log_probability(hw05):
    import keras

    plain, _ = linear()
    ending, _ = linear(softmax=True)
    x = images_of().astype(np.float32)
    odds = np.asarray(hw05.model.scores_of(plain, x))
    expected = odds - np.log(np.exp(odds).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(hw05.model.scores_of(ending, x), expected, atol=1e-4)
    around = keras.Sequential([keras.Input(ending.input_shape[1:]), ending])
    np.testing.assert_allclose(hw05.model.scores_of(around, x), expected, atol=1e-4)


def test_integrated_gradients_add_up_to_what_the_image_has_over_the_blurred_one(hw05):
    """Completeness, for which Sundararajan et al. chose the path; of a linear model each value is known."""
    model, weights = linear()
    images = images_of()
    less = images - hw05.faithfulness.blurred(images)
    found = hw05.saliency.integrated_gradients(model, images, [1, 2])
    weights = np.moveaxis(weights.reshape(8, 8, 3, -1), -1, 0)[[1, 2]]
    np.testing.assert_allclose(found, (less * weights).sum(axis=-1), rtol=1e-3, atol=1e-2)

    bent, _ = linear(softmax=True)
    bent.set_weights([values / 30 for values in bent.get_weights()])
    found = hw05.saliency.integrated_gradients(bent, images, [1, 2])
    over = [hw05.model.scores_of(bent, some.astype(np.float32)) for some in (images, images - less)]
    expected = (np.asarray(over[0]) - np.asarray(over[1]))[[0, 1], [1, 2]]
    assert np.abs(expected).min() > 0.05
    np.testing.assert_allclose(found.sum(axis=(1, 2)), expected, rtol=0.02, atol=0.01)


def test_the_layers_at_three_depths_are_normalised(hw05):
    model = hw05.model.build_small(32, 4)
    found = hw05.model.depths(model)
    assert [type(layer).__name__ for layer in found] == ["BatchNormalization"] * 3
    sizes = [layer.output.shape[1:] for layer in found]
    assert sizes == [(32, 32, 32), (8, 8, 128), (4, 4, 128)]
    assert hw05.model.depths(model, 2) == [found[0], found[-1]]


def test_grad_cam_of_one_filter_is_its_map(hw05):
    """The score is 5 times the map's mean: the weight is 5 / places, and what is below 0 is cut off."""
    import keras

    pixels = keras.Input((6, 6, 3))
    maps = keras.layers.Conv2D(1, 1, name="only")(pixels)
    model = keras.Model(pixels, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(maps)))
    values = [np.ones((1, 1, 3, 1)), [-300.0], [[5.0, -5.0]], [0.0, 0.0]]
    model.set_weights([np.array(value) for value in values])
    images = images_of(2, 6)
    seen = images.astype(float).sum(axis=-1) - 300
    found = hw05.saliency.grad_cam(model, images, np.array([0, 1]))
    np.testing.assert_allclose(found[0], np.maximum(5 / 36 * seen[0], 0), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found[1], np.maximum(-5 / 36 * seen[1], 0), rtol=1e-4, atol=1e-3)


def test_the_last_convolution_is_found_also_in_a_model_within(hw05):
    import keras

    pixels = keras.Input((8, 8, 3))
    inner = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.ReLU()], name="body"
    )
    x = keras.layers.Conv2D(3, 1, name="first")(pixels)
    x = keras.layers.GlobalMaxPooling2D()(inner(x))
    model = keras.Model(pixels, keras.layers.Dense(2)(x))
    assert hw05.model.find_layer(model).name == "body"
    assert hw05.model.find_layer(model, "first").name == "first"
    maps = hw05.saliency.grad_cam(model, images_of(), np.array([0, 1]))
    assert maps.shape == (2, 8, 8)
    assert np.isfinite(maps).all()


# --- LIME -----------------------------------------------------------------


def test_a_model_that_looks_at_one_superpixel_gives_it_all_the_weight(hw05):
    there = np.random.default_rng(0).random((500, 12)) < 0.5
    weights = hw05.lime.ridge(there, 3.0 * there[:, 7] + 2.0)
    assert weights[7] == pytest.approx(3, abs=0.15)  # the ridge draws it to 0 a little
    assert np.abs(np.delete(weights, 7)).max() < 0.05


def test_the_ridge_is_scikit_learns(hw05):
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(1)
    there, scores = rng.random((200, 9)) < 0.5, rng.normal(size=200)
    near = np.exp(-np.square(1 - np.sqrt(there.mean(axis=1))) / 0.3**2)
    theirs = Ridge(alpha=2.0).fit(there, scores, near).coef_
    np.testing.assert_allclose(hw05.lime.ridge(there, scores, width=0.3, strength=2.0), theirs, rtol=1e-6)


def test_copies_show_what_is_there_and_paint_over_the_rest(hw05, monkeypatch):
    seen = []

    def scores_of(model, copies):
        seen.append(copies)
        return np.zeros((len(copies), 2))

    monkeypatch.setattr(hw05.lime, "scores_of", scores_of)
    image, segments = images_of(1, 4)[0], np.repeat([[0, 0, 1, 1]], 4, axis=0)
    hw05.lime.score_copies(None, image, segments, np.array([[True, True], [False, True]]), 0)
    whole, half = seen[0]
    np.testing.assert_array_equal(whole, image)
    np.testing.assert_array_equal(half[:, 2:], image[:, 2:])
    np.testing.assert_allclose(half[:, :2], np.broadcast_to(image.mean(axis=(0, 1)), (4, 2, 3)), rtol=1e-5)


def test_lime_finds_the_corner_that_counts(hw05):
    """Log-odds that hang on the top left quarter alone, which is one colour and so some superpixels."""
    model, weights = linear(size=16, classes=2)
    weights[:] = 0
    weights[:8, :8, :, 1] = 0.01
    model.set_weights([weights.reshape(-1, 2), np.zeros(2)])
    image = images_of(1, 16) // 8
    image[:, :8, :8] = 240
    found = hw05.lime.lime(model, image, [1], samples=600)[0]
    assert found[:8, :8].mean() > 10 * np.abs(found[9:, 9:]).mean()


# --- numbers --------------------------------------------------------------


def test_the_right_order_deletes_fast_and_inserts_fast(hw05):
    """The class is decided by four pixels: an order that has them first against one that has them last."""
    model, weights = linear(size=8, classes=2)
    weights[:] = 0
    weights[3, 2:6, :, 1] = 0.1
    model.set_weights([weights.reshape(-1, 2), np.array([0.0, -250.0])])
    image = np.zeros((1, 8, 8, 3), np.uint8)
    image[0, 3, 2:6] = 255
    first = (image.max(axis=-1) > 0).astype(float)
    classes = np.array([1])
    fast, slow = (hw05.faithfulness.areas(model, image, classes, values) for values in (first, -first))
    assert fast[0] < 0.1
    assert slow[0] > 0.9
    assert fast[1] > 0.9
    assert slow[1] < 0.1


def test_the_area_of_a_model_that_never_changes_its_mind(hw05):
    model, weights = linear(size=8, classes=2)
    model.set_weights([np.zeros((192, 2)), np.log([0.3, 0.7])])
    deletion, insertion = hw05.faithfulness.areas(
        model, images_of(3), np.array([0, 1, 1]), np.ones((3, 8, 8))
    )
    np.testing.assert_allclose(deletion, [0.3, 0.7, 0.7], rtol=1e-5)
    np.testing.assert_allclose(insertion, deletion, rtol=1e-5)


def test_shuffling_keeps_the_numbers_and_their_places_not(hw05):
    model, weights = linear()
    other = hw05.faithfulness.shuffled(model).get_weights()
    np.testing.assert_array_equal(np.sort(other[0].ravel()), np.sort(weights.ravel()))
    assert (other[0] != weights.reshape(-1, 3)).mean() > 0.9
    np.testing.assert_array_equal(model.get_weights()[0], weights.reshape(-1, 3))
    maps = [
        hw05.saliency.saliency(m, images_of(), [0, 0]) for m in (model, hw05.faithfulness.shuffled(model))
    ]
    assert np.abs(hw05.faithfulness.rank_correlation(*maps)).max() < 0.5


def test_rank_correlation(hw05):
    values = np.arange(16.0).reshape(1, 4, 4)
    correlation = hw05.faithfulness.rank_correlation
    assert correlation(values, values**3)[0] == pytest.approx(1)
    assert correlation(values, -values)[0] == pytest.approx(-1)
    assert np.isnan(correlation(values, np.ones_like(values))[0])


def test_of_large_images_few_are_shown_at_a_time(hw05, monkeypatch):
    """All maps of a batch are in memory together: 250 photographs of 224 pixels took more than 20 GB."""
    shown = []

    def scores_of(model, images):
        shown.append(len(images))
        return np.zeros((len(images), 2))

    monkeypatch.setattr(hw05.model, "scores_of", scores_of)
    monkeypatch.setattr(hw05.lime, "scores_of", scores_of)
    images = np.zeros((30, 224, 224, 3), np.uint8)
    assert hw05.faithfulness.probability(None, images, np.zeros(30, int)).shape == (30,)
    segments = np.zeros((224, 224), int)
    assert hw05.lime.score_copies(None, images[0], segments, np.ones((30, 1), bool), 0).shape == (30,)
    assert max(shown) < 21
    assert sum(shown) == 60


def test_images_in_parts_have_the_maps_of_all_at_once(hw05, monkeypatch):
    model, rng = hw05.model.build_small(16, 3), np.random.default_rng(0)
    images, classes = rng.integers(0, 256, (5, 16, 16, 3)).astype(np.uint8), rng.integers(0, 3, 5)

    def found():
        saliency = hw05.saliency
        ways = (saliency.saliency, saliency.integrated_gradients, saliency.grad_cam)
        layer = hw05.model.find_layer(model)
        maps = hw05.filters.activation_maps(model, layer, images)
        return [*(way(model, images, classes) for way in ways), maps, hw05.model.all_scores(model, images)]

    together = found()
    monkeypatch.setattr(hw05.model, "PIXELS", 2 * 16 * 16)
    assert len(hw05.model.parts(images)) == 3
    for whole, in_parts in zip(together, found()):
        np.testing.assert_allclose(in_parts, whole, rtol=1e-4, atol=1e-5)


# --- filters --------------------------------------------------------------


def test_a_dream_is_what_the_filter_responds_to(hw05):
    """A filter of one colour less the others dreams in that colour."""
    import keras

    pixels = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(2, 1, name="colours")(pixels)
    model = keras.Model(pixels, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(maps)))
    kernel = np.array([[1.0, -1], [-1, 1], [-1, -1]]).reshape(1, 1, 3, 2)
    model.set_weights([kernel, np.zeros(2), np.zeros((2, 2)), np.zeros(2)])
    layer = hw05.model.find_layer(model)
    red, green = hw05.filters.dream(model, layer, [0, 1], steps=60).astype(int)
    assert red[..., 0].min() > red[..., 1:].max() + 50
    assert green[..., 1].min() > green[..., [0, 2]].max() + 50
    reddish = np.zeros((1, 8, 8, 3), np.uint8)
    reddish[..., 0] = 200
    maps = hw05.filters.activation_maps(model, layer, reddish)
    assert list(hw05.filters.strongest(maps, 2)) == [0, 1]
    np.testing.assert_allclose(maps[..., [1]], -200)


# --- the whole ------------------------------------------------------------


@pytest.mark.full
def test_maps_point_at_the_thing(hw05, whole_set, tmp_path):
    """On the synthetic set it is known where the shape lies."""
    hw05.train.main(
        ["--data-dir", str(whole_set), "--out-dir", str(tmp_path), *["--epochs", "5", "--batch-size", "32"]]
    )
    model = hw05.explain.load_classifier(tmp_path / "model.keras")
    rng = np.random.default_rng(5)
    drawn = [hw05.dataset.draw(shape, rng) for shape in hw05.dataset.SHAPES * 4]
    images, classes = np.array([pixels for pixels, _ in drawn]), np.arange(16) % 4
    y, x = np.mgrid[:32, :32]
    near = np.array([np.maximum(abs(y - row), abs(x - column)) <= 7 for _, (row, column) in drawn])
    for name in ("saliency", "SmoothGrad", "Grad-CAM"):
        maps = hw05.explain.METHODS[name](model, images, classes)
        share = (maps * near).sum(axis=(1, 2)) / maps.sum(axis=(1, 2)).clip(1e-9)
        assert share.mean() > 1.7 * near.mean(), name
        chance = rng.random(maps.shape)
        deletion, by_chance = (hw05.faithfulness.areas(model, images, classes, m)[0] for m in (maps, chance))
        assert deletion.mean() < by_chance.mean() - 0.05, name


@pytest.mark.full
def test_a_page_for_each_image(hw05, whole_set, untrained):
    flags = ["--pictures", "3,200,479", "--layer", "convolution_2", "--filters", "0,7"]
    table = hw05.predict.main(["--data-dir", str(whole_set), "--out-dir", str(untrained), *flags])
    assert list(table["index"]) == [3, 200, 479]
    names = sorted(path.name for path in (whole_set / "food-11" / "training").iterdir())
    assert list(table.file) == [names[3], names[200], names[479]]
    assert list(table.true) == [int(name.split("_")[0]) for name in table.file]
    written = pd.read_csv(untrained / "explanations.csv")
    assert list(written.columns) == ["index", "file", "true", "predicted", "probability"]
    for name in ("sheet", "page_3", "page_200", "page_479", "filters"):
        with Image.open(untrained / f"{name}.png") as image:
            image.verify()
    Image.effect_noise((70, 50), 90).save(untrained / "own.webp")
    own = hw05.predict.main(["--out-dir", str(untrained), "--picture", str(untrained / "own.webp")])
    assert list(own.file) == ["own.webp"]
    assert sorted(path.name for path in untrained.glob("page_*")) == ["page_0.png"], "pages of another run"


def test_homework_threes_classifier_where_there_is_no_other(hw05, whole_set, untrained, monkeypatch, capsys):
    """With the names of its classes, which stand beside it."""
    food = untrained.parent / "food" / "model.keras"
    food.parent.mkdir()
    (untrained / "model.keras").rename(food)
    (food.parent / "classes.txt").write_text("apple\nbread\ncake\negg\n")
    monkeypatch.setattr(hw05.predict, "FOOD", food)
    hw05.predict.main(["--data-dir", str(whole_set), "--out-dir", str(untrained), "--pictures", "3"])
    assert f"model {food}" in capsys.readouterr().out
    (food.parent / "classes.txt").write_text("apple\n")
    argv = ["--data-dir", whole_set, "--out-dir", untrained, "--pictures", "3"]
    check_sentence(hw05, capsys, argv, food.parent / "classes.txt", "4 classes", script="predict")
    write_metrics(hw05, food.parent, "model.keras", synthetic=True)
    check_sentence(hw05, capsys, argv, food, "trained on made-up data", script="predict")
    check_sentence(hw05, capsys, [*argv, "--model", food], food, "made-up data", script="predict")


def test_the_true_class_has_the_name_of_the_data_not_of_the_model(hw05, whole_set, untrained, monkeypatch):
    (untrained / "classes.txt").write_text("cat\ndog\nbird\nfrog\n")
    titles, plot = [], hw05.predict.plot_sheet
    monkeypatch.setattr(hw05.predict, "plot_sheet", lambda *args: (titles.extend(args[2]), plot(*args))[1])
    hw05.predict.main(["--data-dir", str(whole_set), "--out-dir", str(untrained), "--pictures", "3"])
    true, predicted = titles[0].splitlines()[1].split(", predicted ")
    assert true in hw05.dataset.SHAPES
    assert predicted.split()[0] in ("cat", "dog", "bird", "frog")


def test_data_of_fewer_classes_than_the_model_tells_apart(hw05, whole_set, untrained, tmp_path):
    shutil.copytree(whole_set, tmp_path / "few")
    for path in (tmp_path / "few" / "food-11" / "training").glob("3_*"):
        path.unlink()
    (tmp_path / "few" / "food-11" / "classes.txt").write_text("cat\ndog\nbird\nfrog\n")
    argv = ["--data-dir", str(tmp_path / "few"), "--out-dir", str(untrained), "--pictures", "3"]
    assert len(hw05.predict.main(argv)) == 1


def test_the_last_convolution_has_more_than_one_position(hw05):
    import keras

    inputs = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(4, 3, name="maps")(inputs)
    pooled = keras.layers.GlobalAveragePooling2D(keepdims=True)(maps)
    logits = keras.layers.Conv2D(5, 1, name="logits")(pooled)
    model = keras.Model(inputs, keras.layers.Flatten()(logits))
    assert hw05.model.find_layer(model).name == hw05.model.last_maps(model).name == "maps"
    assert [layer.name for layer in hw05.model.depths(model)] == ["maps"]


# --- bad input ------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--pictures 480", ["--pictures 480", "0 to 479"]),
        ("--pictures -1", ["--pictures -1", "expected"]),
        ("--layer nothing", ["--layer nothing", "convolution_4"]),
        ("--layer logits", ["--layer logits", "expected maps"]),
        ("--filters 128", ["--filters 128", "0 to 127"]),
        ("--filters " + ",".join(map(str, range(33))), ["--filters names 33", "at most 32"]),
    ],
)
def test_what_is_not_there_cannot_be_explained(hw05, whole_set, untrained, capsys, flags, words):
    argv = ["--data-dir", whole_set, "--out-dir", untrained, *flags.replace(" -1", "=-1").split()]
    check_sentence(hw05, capsys, argv, *words, script="predict")
    assert not (untrained / "sheet.png").exists()


def test_a_model_that_is_none_or_of_other_images(hw05, whole_set, capsys, tmp_path):
    import keras

    broken = tmp_path / "broken.keras"
    broken.write_text("nothing")
    argv = ["--data-dir", whole_set, "--out-dir", tmp_path, "--model"]
    check_sentence(hw05, capsys, [*argv, broken], broken, "no whole Keras model", script="predict")
    for name, shape, classes in (("grey", (8, 8, 1), 4), ("wide", (8, 9, 3), 4)):
        pixels = keras.Input(shape)
        path = tmp_path / f"{name}.keras"
        keras.Model(pixels, keras.layers.Dense(classes)(keras.layers.Flatten()(pixels))).save(path)
        check_sentence(hw05, capsys, [*argv, path], path, "expected square RGB", script="predict")
    path = tmp_path / "linear.keras"
    linear(8, 4)[0].save(path)
    check_sentence(hw05, capsys, [*argv, path], "has no convolution", script="predict")
    linear(8, 2)[0].save(path)
    check_sentence(hw05, capsys, [*argv, path], "knows 2 classes", script="predict")


@pytest.mark.parametrize("kind", ["sequential", "nested"])
def test_a_sequential_model_and_one_in_another_are_explained(hw05, whole_set, tmp_path, kind):
    """Saved and loaded again, as a user brings them; Grad-CAM and the filters are of what stands inside."""
    import keras
    from keras import layers

    if kind == "sequential":
        model = keras.Sequential(
            [
                keras.Input((16, 16, 3)),
                layers.Rescaling(1 / 255),
                layers.Conv2D(8, 3, activation="relu"),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dense(4, activation="softmax"),
            ]
        )
    else:
        inner, pixels = keras.Input((16, 16, 3)), keras.Input((16, 16, 3))
        body = keras.Model(inner, layers.Conv2D(8, 3, activation="relu")(inner), name="body")
        model = keras.Model(pixels, layers.Dense(4)(layers.GlobalAveragePooling2D()(body(pixels))))
    model.save(tmp_path / "own.keras")
    argv = ["--data-dir", str(whole_set), "--out-dir", str(tmp_path), "--model", str(tmp_path / "own.keras")]
    assert len(hw05.predict.main([*argv, "--pictures", "3,200"])) == 2
    assert (tmp_path / "filters.png").is_file()
    loaded = hw05.explain.load_classifier(tmp_path / "own.keras")
    images = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3)).astype(np.float32)
    maps, outputs = hw05.model.with_maps(loaded, hw05.model.find_layer(loaded))(images)
    np.testing.assert_allclose(outputs, loaded(images), rtol=1e-4, atol=1e-5)
    part = loaded.layers[1] if kind == "sequential" else loaded.get_layer("body")
    np.testing.assert_allclose(
        maps, part(images / 255 if kind == "sequential" else images), rtol=1e-3, atol=1e-6
    )


def test_a_model_of_two_outputs_is_refused(hw05, whole_set, tmp_path, capsys):
    import keras

    pixels = keras.Input((16, 16, 3))
    x = keras.layers.Flatten()(pixels)
    keras.Model(pixels, [keras.layers.Dense(4)(x), keras.layers.Dense(4)(x)]).save(tmp_path / "two.keras")
    argv = ["--data-dir", whole_set, "--out-dir", tmp_path, "--model", tmp_path / "two.keras"]
    check_sentence(hw05, capsys, argv, "two.keras", "expected square RGB", script="predict")


@pytest.mark.parametrize(
    "flag",
    [
        "--seed -1",
        "--epochs 0",
        "--batch-size 0",
        "--learning-rate 0",
        "--learning-rate inf",
        "--image-size 15",
    ],
)
def test_a_flag_out_of_range(hw05_light, whole_set, capsys, flag):
    check_sentence(hw05_light, capsys, ["--data-dir", whole_set, *flag.split()], flag, "expected")


def test_broken_images_and_names_without_a_class(hw05_light, whole_set, capsys, tmp_path):
    data = shutil.copytree(whole_set, tmp_path / "data")
    folder = data / "food-11" / "training"
    (folder / "0_0.png").write_bytes((folder / "0_0.png").read_bytes()[:200])
    check_sentence(
        hw05_light, capsys, ["--data-dir", data], folder / "0_0.png", "cannot be decoded as an image"
    )
    (folder / "0_0.png").rename(folder / "bread.png")
    check_sentence(hw05_light, capsys, ["--data-dir", data], folder / "bread.png", "no class")
    for path in folder.iterdir():
        path.unlink()
    check_sentence(hw05_light, capsys, ["--data-dir", data], folder, "no images")


# --- settings that reach the method -----------------------------------------


def test_the_noise_of_smoothgrad_is_a_share_of_the_range_of_pixels(hw05, monkeypatch):
    shown, images = [], images_of(2, 16)
    monkeypatch.setattr(
        hw05.saliency, "gradients", lambda model, x, classes: shown.append(x - images) or 0 * images
    )
    hw05.saliency.smoothgrad(None, images, [0, 0], copies=8, noise=0.1)
    assert np.std(shown) == pytest.approx(25.5, rel=0.03)
    assert abs(np.mean(shown)) < 1
    assert np.abs(shown[0] - shown[1]).mean() > 10  # each copy has its own


def test_a_model_is_asked_as_it_predicts(hw05):
    """Nothing is dropped, no statistics of a batch count, and none are learnt."""
    import keras

    pixels = keras.Input((8, 8, 3))
    x = keras.layers.BatchNormalization()(pixels)
    x = keras.layers.Dropout(0.5)(keras.layers.Flatten()(x))
    model = keras.Model(pixels, keras.layers.Dense(3)(x))
    before, images = model.get_weights(), images_of(4).astype(np.float32)
    found = np.asarray(hw05.model.scores_of(model, images))
    np.testing.assert_allclose(found, model(images, training=False), atol=1e-4)
    np.testing.assert_allclose(found[:1], hw05.model.scores_of(model, images[:1]), atol=1e-4)
    for ours, old in zip(model.get_weights(), before):
        np.testing.assert_array_equal(ours, old)


def test_a_dream_that_was_moved_about_is_moved_back(hw05, monkeypatch):
    """Steps of nothing leave the noise that a dream begins with where it was."""
    monkeypatch.setattr(hw05.filters, "STEP", 0.0)
    monkeypatch.setattr(hw05.filters, "SMOOTH_EVERY", 10**6)  # the first step alone is smoothed
    model = hw05.model.build_small(16, 4)
    layer = hw05.model.find_layer(model, "convolution_1")
    first, later = (hw05.filters.dream(model, layer, [0], steps=steps) for steps in (1, 6))
    assert np.ptp(first) > 20
    np.testing.assert_array_equal(first, later)
