"""Homework 2: the oracle of each part against something smaller than itself, the claims, and bad input."""

import shutil

import numpy as np
import pytest
from conftest import check_sentence
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

CHAPTER = "hw02_classification"


@pytest.fixture
def hw02(load_chapter):
    return load_chapter(CHAPTER)


@pytest.fixture
def spoil(whole_set, tmp_path):
    """spoil("X_train", edit) copies the set and applies edit to the rows, lists of cells, of one file."""

    def apply(name, edit):
        folder = shutil.copytree(whole_set, tmp_path / "spoilt")
        rows = [line.split(",") for line in (folder / name).read_text().splitlines()]
        (folder / name).write_text("".join(",".join(row) + "\n" for row in edit(rows)))
        return folder

    return apply


def blobs(distance, rows=400, dimensions=5, seed=0):
    """Two Gaussians that share a covariance, their means `distance` apart along every axis."""
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < 0.3).astype(int)
    y[:4] = [0, 0, 1, 1]
    mixing = rng.normal(size=(dimensions, dimensions))
    return rng.normal(size=(rows, dimensions)) @ mixing + distance * y[:, None], y


# --- the generative model -------------------------------------------------


def test_shared_covariance_meets_linear_discriminant_analysis(hw02):
    x, y = blobs(2.0)
    found = hw02.generative.fit_shared(x, y, prior_rows=0)
    theirs = LinearDiscriminantAnalysis(solver="lsqr").fit(x, y)
    np.testing.assert_allclose(found["weights"], theirs.coef_[0], rtol=1e-6)
    np.testing.assert_allclose(found["bias"], theirs.intercept_[0], rtol=1e-6)


def test_many_rows_drown_the_prior_rows(hw02):
    x, y = blobs(2.0, rows=100_000)
    found, plain = (hw02.generative.fit_shared(x, y, prior_rows)["weights"] for prior_rows in (None, 0))
    np.testing.assert_allclose(found, plain, rtol=0.02)
    assert abs(found - plain).max() > 1e-6


def test_prior_rows_are_rows(hw02):
    """Five rows more, uncorrelated and written out by hand, do to the correlations what prior_rows=5 does."""
    rows = np.random.default_rng(0).normal(size=(20, 5)) @ np.random.default_rng(1).normal(size=(5, 5))
    deviation, correlation = hw02.generative.deviation_and_correlation(rows, 1e-6, prior_rows=5)
    more = np.vstack([rows, np.sqrt(5) * np.diag(deviation)])  # one column at a time
    covariance = more.T @ more / 25
    np.testing.assert_allclose(correlation * np.outer(deviation, deviation), covariance)


def test_separate_covariances_meet_quadratic_discriminant_analysis(hw02):
    x, y = blobs(1.0)
    x[y == 1] *= 2.0
    ours = hw02.model.score(hw02.generative.fit_separate(x, y, prior_rows=0), x)
    theirs = QuadraticDiscriminantAnalysis().fit(x, y).decision_function(x)
    # scikit-learn divides by n - 1 and we by n, which moves a log-odds by about a part in a hundred.
    np.testing.assert_allclose(ours, theirs, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("fit", ["fit_shared", "fit_separate"])
def test_far_blobs_are_separated_exactly_even_when_the_covariance_is_singular(hw02, fit):
    x, y = blobs(40.0)
    x = np.column_stack([x, x[:, 0] + x[:, 1], np.ones(len(x))])  # a sum of others, and a constant
    score = hw02.model.score(getattr(hw02.generative, fit)(x, y), x)
    np.testing.assert_array_equal(score > 0, y)
    assert np.isfinite(score).all()


def test_shared_covariance_does_not_mind_the_scale_of_a_column(hw02):
    x, y = blobs(1.0)
    scale = np.array([1e-4, 1.0, 1.0, 1e5, 1.0])
    plain, scaled = hw02.generative.fit_shared(x, y), hw02.generative.fit_shared(x * scale, y)
    np.testing.assert_allclose(scaled["weights"] * scale, plain["weights"], rtol=1e-6)


# --- logistic regression --------------------------------------------------


def test_gradient_meets_finite_differences(hw02):
    logistic, rng = hw02.logistic, np.random.default_rng(0)
    x, y, weights, bias = rng.normal(size=(30, 4)), rng.integers(0, 2, 30), rng.normal(size=4), 0.3

    def loss(weights, bias):
        return logistic.cross_entropy(x @ weights + bias, y) + 0.7 / 2 * weights @ weights

    slope, bias_slope = logistic.gradient(weights, bias, x, y, l2=0.7)
    for index in range(4):
        step = 1e-6 * np.eye(4)[index]
        measured = (loss(weights + step, bias) - loss(weights - step, bias)) / 2e-6
        assert slope[index] == pytest.approx(measured, abs=1e-7)
    assert bias_slope == pytest.approx(
        (loss(weights, bias + 1e-6) - loss(weights, bias - 1e-6)) / 2e-6, abs=1e-7
    )


def test_descent_meets_scikit_learn(hw02):
    x, y = blobs(1.0, rows=1000)
    x = ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)
    found = hw02.logistic.fit_logistic(x, y, epochs=300, batch_size=100, learning_rate=0.02, l2=0.01)
    theirs = LogisticRegression(C=1 / (0.01 * len(x)), tol=1e-8).fit(x, y)
    np.testing.assert_allclose(found["weights"], theirs.coef_[0], atol=0.01)
    np.testing.assert_allclose(found["bias"], theirs.intercept_[0], atol=0.01)


def test_sigmoid_and_loss_do_not_overflow(hw02):
    log_odds = np.array([-1e4, 0.0, 1e4])
    np.testing.assert_array_equal(hw02.logistic.sigmoid(log_odds), [0, 0.5, 1])
    assert hw02.logistic.cross_entropy(log_odds, np.array([0, 1, 1])) == pytest.approx(np.log(2) / 3)


# --- boosting -------------------------------------------------------------


def test_our_tables_repeat_what_scikit_learn_would_say(hw02, monkeypatch):
    import sklearn.ensemble

    kept = []

    class Spy(HistGradientBoostingClassifier):
        def fit(self, *args):
            kept.append(self)
            return super().fit(*args)

    monkeypatch.setattr(sklearn.ensemble, "HistGradientBoostingClassifier", Spy)
    x, y = blobs(1.0, rows=800)
    x = x.round(1).astype(np.float32)  # ties, so that <= and < differ
    trees = hw02.boosting.grow(x, y, 30, learning_rate=0.1)
    stages = list(hw02.boosting.raw_scores(trees, x))
    assert len(kept) == hw02.boosting.BOOSTERS == 2
    theirs = zip(*(booster.staged_decision_function(x) for booster in kept))
    for ours, (one, other) in zip(stages, theirs, strict=True):
        assert (one != other).any(), "the same trees twice"
        np.testing.assert_allclose(ours, (one + other) / 2, atol=1e-12)


def test_trees_grown_in_parts_are_trees_grown_at_once(hw02, monkeypatch):
    """The progress bar ticks between parts."""
    x, y = blobs(1.0, rows=300)
    whole = hw02.boosting.grow(x, y, 6, learning_rate=0.1)
    monkeypatch.setattr(hw02.boosting, "CHUNK", 2)
    parts = hw02.boosting.grow(x, y, 6, learning_rate=0.1)
    for name, array in whole.items():
        np.testing.assert_allclose(parts[name], array, rtol=1e-6, err_msg=name)


def test_a_tree_written_by_hand(hw02):
    """A root that asks for x[1] <= 0.5, with the leaves -1 and 2; the threshold itself goes to the left."""
    stump = {
        "baseline": np.array(0.25),
        "root": np.array([0, 0]),  # of each booster
        "feature": np.array([1, 0, 0]),
        "threshold": np.array([0.5, 0.0, 0.0]),
        "left": np.array([1, 1, 2]),
        "right": np.array([2, 1, 2]),
        "value": np.array([0.0, -1.0, 2.0]) / 2,
    }
    (scores,) = hw02.boosting.raw_scores(stump, np.array([[9.0, 0.4], [9.0, 0.5], [-9.0, 0.6]]))
    np.testing.assert_array_equal(scores, [-0.75, -0.75, 2.25])


# --- features -------------------------------------------------------------


def test_features_of_a_hand_made_column(hw02, monkeypatch):
    monkeypatch.setattr(hw02.model, "THRESHOLDS", 4)
    x = np.array([[0, 0], [0, 1], [1, 0], *[[10 * i, 1] for i in range(1, 11)]], np.float32)
    features = hw02.model.Features(["gain", "sex"], engineered=True, normalised=False).fit(x)
    assert features.names() == ["gain", "sex", "log gain", *(f"gain >= {step}" for step in (1, 25, 50, 75))]
    z = features(np.array([[0, 1], [100, 0], [-5, 0], [1, 0], [50, 1]], np.float32))
    np.testing.assert_allclose(z[:, 2], np.sign(z[:, 0]) * np.log1p(np.abs([0, 100, 5, 1, 50])), rtol=1e-6)
    np.testing.assert_array_equal(z[:, 3:].sum(axis=1), [0, 4, 0, 1, 3])  # 1 is the smallest positive value
    np.testing.assert_array_equal(z[4, 3:], [1, 1, 1, 0])
    none = hw02.model.Features(["loss"], engineered=True, normalised=False).fit(-x[3:, :1])
    assert none.names() == ["loss", "log loss"]  # no positive value, no quantile
    assert none(x[:, :1]).shape == (13, 2)


def test_normalisation_sees_the_training_part_alone(hw02, whole_set, tmp_path, monkeypatch):
    seen = []
    fit = hw02.model.Features.fit
    monkeypatch.setattr(hw02.model.Features, "fit", lambda self, x: seen.append(x) or fit(self, x))
    hw02.train.main(
        ["--data-dir", str(whole_set), "--out-dir", str(tmp_path), "--method", "logistic", "--epochs", "1"]
    )
    x, y, columns = hw02.dataset.load_train(whole_set)
    held_out = hw02.train.split(y, seed=0)
    np.testing.assert_array_equal(seen[0], x[~held_out])
    np.testing.assert_array_equal(seen[1], x)  # the model that is saved
    features = fit(hw02.model.Features(columns, True, True), x[~held_out])
    np.testing.assert_allclose(features(x[~held_out]).mean(axis=0), 0, atol=1e-4)
    assert abs(features(x[held_out]).mean(axis=0)).max() > 1e-3


def test_split_keeps_the_shares_and_follows_the_seed(hw02):
    y = np.repeat([0, 1], [800, 200])
    first, again, other = (hw02.train.split(y, seed) for seed in (0, 0, 1))
    assert [first[y == label].sum() for label in (0, 1)] == [160, 40]
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


# --- claims ---------------------------------------------------------------


def test_engineered_features_beat_the_columns_as_they_come(hw02, whole_set, tmp_path):
    argv = ["--data-dir", str(whole_set), "--out-dir", str(tmp_path), "--method", "logistic", "--features"]
    plain, engineered = (hw02.train.main([*argv, features])["score"] for features in ("plain", "engineered"))
    assert engineered > plain + 0.02


def test_the_generative_model_wins_when_rows_are_few(hw02, whole_set):
    """On the synthetic people, who are not Gaussian: 20 of them, twenty times."""
    x, y, columns = hw02.dataset.load_train(whole_set)
    lead = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        pick = np.concatenate([rng.permutation(np.flatnonzero(y == label))[:10] for label in (0, 1)])
        features = hw02.model.Features(columns, engineered=True, normalised=True).fit(x[pick])
        z = features(x[pick])
        scores = [
            np.mean((hw02.model.score(found, features(x)) > 0) == y)
            for found in (
                hw02.generative.fit_shared(z, y[pick]),
                hw02.logistic.fit_logistic(z, y[pick], epochs=1000, batch_size=20, learning_rate=0.03),
            )
        ]
        lead.append(scores[0] - scores[1])
    assert np.mean(lead) > 2 * np.std(lead) / np.sqrt(len(lead))


# --- bad input: one sentence, status 2, nothing half-written --------------


def set_cell(row, column, text):
    def edit(rows):
        rows[row][column] = text
        return rows

    return edit


BAD_TRAIN = {
    "a label of 65 bits": (
        "Y_train",
        set_cell(5, 1, "99999999999999999999"),
        ["id 4", "label is 1e+20", "expected 0 or 1"],
    ),
    "labels other than 0 and 1": ("Y_train", set_cell(5, 1, "2"), ["id 4", "label is 2", "expected 0 or 1"]),
    "a label that is a half": ("Y_train", set_cell(5, 1, "0.5"), ["id 4", "label is 0.5"]),
    "one label alone": (
        "Y_train",
        lambda rows: [rows[0], *([i, "0"] for i, _ in rows[1:])],
        ["all labels are 0"],
    ),
    "an id too few": ("Y_train", lambda rows: rows[:-1], ["id 2999 is in X_train alone"]),
    "an id too many": ("Y_train", lambda rows: [*rows, ["3000", "1"]], ["id 3000 is in Y_train alone"]),
    "other ids": ("Y_train", set_cell(1, 0, "9999"), ["id 0 is in X_train alone"]),
    "an id twice": ("X_train", set_cell(2, 0, "0"), ["X_train: the ids"]),
    "no id": ("X_train", lambda rows: [row[1:] for row in rows], ["header begins", "expected id"]),
    "no label": ("Y_train", set_cell(0, 1, "income"), ["id,income", "expected id,label"]),
    "a text for a number": (
        "X_train",
        set_cell(7, 1, "old"),
        ["line 8, column 'age'", "'old' is not a number"],
    ),
    "after an empty line": (
        "X_train",
        lambda rows: [*rows[:2], [], *set_cell(7, 1, "old")(rows)[2:]],
        ["line 9, column 'age'"],
    ),
    "an empty cell": ("X_train", set_cell(7, 1, ""), ["line 8, column 'age'", "is not a number"]),
    "not a number": ("X_train", set_cell(7, 1, "NaN"), ["line 8, column 'age'"]),
    "infinity": ("X_train", set_cell(7, 1, "inf"), ["line 8, column 'age'", "'inf'"]),
    "a row too long": ("X_train", lambda rows: [*rows[:7], [*rows[7], "1"], *rows[8:]], ["line 8"]),
    "rows too long": (
        "X_train",
        lambda rows: [rows[0], *([*row, "1"] for row in rows[1:])],
        ["more cells than the header"],
    ),
    "a header alone": ("X_train", lambda rows: rows[:1], ["no rows"]),
    "an empty file": ("X_train", lambda rows: [], ["X_train"]),
    "an empty label file": ("Y_train", lambda rows: [], ["Y_train"]),
}


@pytest.mark.parametrize("case", BAD_TRAIN)
def test_bad_train(hw02, spoil, tmp_path, capsys, case):
    name, edit, words = BAD_TRAIN[case]
    folder, out = spoil(name, edit), tmp_path / "out"
    check_sentence(hw02, capsys, ["--data-dir", folder, "--out-dir", out], folder / name, *words)
    assert not list(out.iterdir())


BAD_TEST = {
    "a column missing": (lambda rows: [row[:-1] for row in rows], ["'sex_1' is missing"]),
    "a column too many": (lambda rows: [[*row, "1"] for row in rows], ["'1' is not in X_train"]),
    "a text for a number": (set_cell(7, 1, "old"), ["line 8, column 'age'"]),
    "an id twice": (set_cell(2, 0, "0"), ["the ids"]),
    "an empty file": (lambda rows: [], ["X_test"]),
}


@pytest.mark.parametrize("case", BAD_TEST)
def test_bad_test(hw02, spoil, tmp_path, capsys, case):
    edit, words = BAD_TEST[case]
    folder, out = spoil("X_test", edit), tmp_path / "out"
    argv = ["--data-dir", folder, "--out-dir", out]
    hw02.train.main([str(argument) for argument in [*argv, "--method", "logistic", "--epochs", "1"]])
    check_sentence(hw02, capsys, argv, folder / "X_test", *words, script="predict")
    assert not [path for path in out.iterdir() if "submission" in path.name]


def test_columns_and_rows_are_matched_by_name(hw02, whole_set, spoil, tmp_path):
    x, y, columns = hw02.dataset.load_train(whole_set)
    ids, x_test = hw02.dataset.load_test(whole_set, columns)
    mixed = spoil("Y_train", lambda rows: [rows[0], *rows[:0:-1]])  # the labels in the opposite order
    lines = [line.split(",") for line in (mixed / "X_test").read_text().splitlines()]
    order = [0, *range(len(columns), 0, -1)]  # the columns too
    (mixed / "X_test").write_text("".join(",".join(row[i] for i in order) + "\n" for row in lines))
    np.testing.assert_array_equal(hw02.dataset.load_train(mixed)[1], y)
    ids_again, x_test_again = hw02.dataset.load_test(mixed, columns)
    np.testing.assert_array_equal(ids_again, ids)
    np.testing.assert_array_equal(x_test_again, x_test)


def test_wrong_encoding_and_missing_files(hw02, whole_set, tmp_path, capsys):
    argv = ["--data-dir", tmp_path, "--out-dir", tmp_path / "out"]
    check_sentence(hw02, capsys, argv, "X_train is missing")
    (tmp_path / "X_train").write_bytes((whole_set / "X_train").read_text().encode("utf-16"))
    check_sentence(hw02, capsys, argv, "X_train is not UTF-8 text")
    shutil.copy(whole_set / "X_train", tmp_path)
    check_sentence(hw02, capsys, argv, "Y_train is missing")


@pytest.mark.parametrize(
    "flag",
    [
        "--epochs 0",
        "--batch-size 0",
        "--learning-rate 0",
        "--learning-rate nan",
        "--l2 -1",
        "--seed -1",
        "--trees 0",
    ],
)
def test_bad_flags(hw02, whole_set, tmp_path, capsys, flag):
    argv = ["--data-dir", whole_set, "--out-dir", tmp_path / "out", *flag.split()]
    check_sentence(hw02, capsys, argv, flag.removesuffix(".0"), "expected")
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ("--epochs 2", "--epochs"),
        ("--method logistic --trees 2", "--trees"),
        ("--method generative --epochs 2", "--epochs"),
        ("--method generative --l2 1", "--l2"),
        ("--covariance separate", "--covariance"),
        ("--no-normalisation", "--no-normalisation"),
    ],
)
def test_flags_of_another_method(hw02, whole_set, tmp_path, capsys, flags, name):
    argv = ["--data-dir", whole_set, "--out-dir", tmp_path / "out", *flags.split()]
    check_sentence(hw02, capsys, argv, f"{name} is not used by --method")


def test_a_person_of_ones_own(hw02, whole_set, tmp_path, capsys):
    argv = ["--data-dir", str(whole_set), "--out-dir", str(tmp_path)]
    hw02.train.main([*argv, "--method", "logistic", "--epochs", "2"])
    model, path = hw02.model.load_model(tmp_path / "model.npz"), tmp_path / "my.csv"
    _, x = hw02.dataset.load_test(whole_set, model.features.columns)

    def write(person):
        path.write_text(",".join(person) + "\n" + ",".join(f"{value:g}" for value in person.values()))

    write(dict(zip(model.features.columns, x[0])))
    assert hw02.predict.main([*argv, "--person", str(path)]) == pytest.approx(model.probability(x[:1])[0])
    write({"capital gains": 9000, "education_5": 1})
    capsys.readouterr()
    hw02.predict.main([*argv, "--person", str(path)])
    out = capsys.readouterr().out
    assert out.count("log-odds") == 5
    assert "capital gains = 9000" in out
    person = hw02.dataset.load_person(path, model.features)[0]
    where = dict(zip(model.features.columns, person))
    assert (where["education_5"], where["education_3"]) == (1, 0), "one attribute has one value"
    assert where["age"] == model.features.usual[model.features.columns.index("age")]
    for text, words in (
        ("gold\n1", "no column 'gold'"),
        ("age\n1\n2", "2 rows below its header"),
        ("age\nx", "'x' is not a number"),
    ):
        path.write_text(text)
        check_sentence(hw02, capsys, [*argv, "--person", path], path, words, script="predict")
    names = ("education_5", "capital gains", "capital_gains", "State government")
    assert [hw02.dataset.attribute_of(name) for name in names] == ["education", None, None, None]


def test_reasons_are_of_a_column_alone(hw02, whole_set, tmp_path):
    """Of a linear model: the weight times the difference to the mean."""
    x, y, columns = hw02.dataset.load_train(whole_set)
    features = hw02.model.Features(columns, False, False).fit(x)
    weights = np.linspace(-1, 1, x.shape[1])
    model = hw02.model.Model("logistic", features, {"weights": weights, "bias": np.float64(0.3)})
    np.testing.assert_allclose(model.reasons(x[:1]), weights * (x[0] - features.usual), atol=1e-4)


def test_probabilities_stand_beside_the_labels(hw02, whole_set, tmp_path):
    argv = ["--data-dir", str(whole_set), "--out-dir", str(tmp_path)]
    hw02.train.main([*argv, "--method", "generative"])
    found = hw02.predict.main([*argv, "--probabilities"])
    assert list(found.columns) == ["id", "label", "probability"]
    assert ((found.probability > 0.5) == found.label).mean() > 0.99  # they are rounded


@pytest.mark.parametrize("method", ["best", "logistic", "generative"])
def test_bad_model(hw02, whole_set, tmp_path, capsys, method):
    argv = ["--data-dir", whole_set, "--out-dir", tmp_path]
    check_sentence(hw02, capsys, argv, "model.npz is missing; run train.py first", script="predict")
    short = {"best": ["--trees", "2"], "logistic": ["--epochs", "2"], "generative": []}[method]
    hw02.train.main([str(argument) for argument in [*argv, "--method", method, *short]])
    whole = (tmp_path / "model.npz").read_bytes()
    arrays = dict(np.load(tmp_path / "model.npz"))
    number = "value" if method == "best" else "weights"
    for spoilt in [
        whole[: len(whole) // 2],
        b"",
        b"not a zip file",
        {**arrays, "columns": arrays["columns"][:3]},  # of another training
        {**arrays, number: arrays[number] * np.nan},
        {name: value for name, value in arrays.items() if name != number},
        {"items": np.array(["PM2.5"]), "hours": 9, "weights": np.zeros(9)},  # another chapter's
    ]:
        if isinstance(spoilt, bytes):
            (tmp_path / "model.npz").write_bytes(spoilt)
        else:
            np.savez(tmp_path / "model.npz", **spoilt)
        check_sentence(
            hw02, capsys, argv, "model.npz and metrics.json are of two trainings", script="predict"
        )
        with pytest.raises(hw02.scaffold.BadInput, match="is cut short or not a model of this chapter"):
            hw02.model.load_model(tmp_path / "model.npz").log_odds(np.zeros((1, len(arrays["columns"]))))
    assert not (tmp_path / "submission.csv").exists()


# --- settings that reach the method -----------------------------------------


def test_a_column_that_never_varies_in_a_class_does_not_decide_alone(hw02):
    """Its deviation there is at least FLOOR times that over all rows."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(100, 1)), np.zeros((100, 1))])
    found = hw02.generative.fit_separate(x, np.repeat([0, 1], 100), prior_rows=1000)
    all_rows = x.std()
    floor = hw02.generative.FLOOR * all_rows
    _, correlation = hw02.generative.deviation_and_correlation(np.zeros((100, 2)), floor, prior_rows=5)
    np.testing.assert_array_equal(correlation, np.eye(2))  # what is at the floor has that variance, not 0
    # At 0.5, with correlations of nearly 1 (prior rows drown them): two Gaussians by hand.
    of_class = [x[:100].mean(), 0.0], [x[:100].std(), floor]
    log_p = [-((0.5 - mean) ** 2) / (2 * s**2) - np.log(s) for mean, s in zip(*of_class)]
    odds = hw02.model.score(found, np.array([[0.5]]))[0]
    assert odds == pytest.approx(log_p[1] - log_p[0], abs=0.5)


def test_the_walk_begins_at_the_shares_of_the_classes(hw02):
    x, y = blobs(1.0, rows=300)
    found = hw02.logistic.fit_logistic(x.astype(np.float32), y, 1, 100, learning_rate=1e-9)
    assert found["bias"] == pytest.approx(np.log(y.mean() / (1 - y.mean())), abs=1e-4)


@pytest.mark.parametrize("method", ["logistic", "generative", "best"])
def test_the_history_ends_with_what_the_model_says(hw02, whole_set, method):
    """More likely than not is a log-odds above 0."""
    x, y, columns = hw02.dataset.load_train(whole_set)
    held_out = hw02.train.split(y, seed=0)
    flags = {"logistic": ["--epochs", "2"], "best": ["--trees", "5"], "generative": []}[method]
    args = hw02.train.parse_args(["--method", method, *flags])
    validation = x[held_out], y[held_out]
    model, history = hw02.train.fit(args, columns, x[~held_out], y[~held_out], validation)
    probabilities = model.probability(x[held_out])
    assert history.val_accuracy.iloc[-1] == np.mean((probabilities > 0.5) == y[held_out])
    loss = -np.log(np.where(y[held_out] == 1, probabilities, 1 - probabilities)).mean()
    assert history.val_loss.iloc[-1] == pytest.approx(loss, rel=1e-4)
