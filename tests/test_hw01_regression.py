"""Homework 1: the oracle of each part against something smaller than itself, the claim, and bad input."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, check_sentence

CHAPTER = "hw01_regression"


@pytest.fixture
def hw01(load_chapter):
    return load_chapter(CHAPTER)


@pytest.fixture
def spoil(whole_set, tmp_path):
    """spoil("train.csv", edit) copies the set and applies edit to the lines of one file."""

    def apply(name, edit):
        folder = shutil.copytree(whole_set, tmp_path / "spoilt")
        lines = (folder / name).read_bytes().decode("big5").splitlines()
        (folder / name).write_bytes("".join(line + "\r\n" for line in edit(lines)).encode("big5"))
        return folder

    return apply


def write_days(path, items, series, encoding="big5", newline="\r\n"):
    """A train.csv of consecutive days: series (18, days x 24)."""
    lines = ["日期,測站,測項," + ",".join(map(str, range(24)))]
    for day in range(series.shape[1] // 24):
        for item, values in zip(items, series[:, 24 * day : 24 * day + 24]):
            lines.append(f"2014/1/{day + 1},豐原,{item}," + ",".join(f"{value:g}" for value in values))
    path.write_bytes("".join(line + newline for line in lines).encode(encoding))


# --- reading --------------------------------------------------------------------------------------


def test_windows_of_two_days_are_those_written_by_hand(hw01, tmp_path):
    series = np.arange(18 * 48.0).reshape(18, 48)
    write_days(tmp_path / "train.csv", hw01.dataset.ITEMS, series)
    windows, targets, months = hw01.dataset.load_train(tmp_path)
    assert windows.shape == (39, 18, 9)
    assert set(months) == {"2014-01"}
    dust = 48 * hw01.dataset.ITEMS.index("PM2.5")
    np.testing.assert_array_equal(windows[0, 9], dust + np.arange(9))
    np.testing.assert_array_equal(windows[20, 0], [20, 21, 22, 23, 24, 25, 26, 27, 28])  # over midnight
    np.testing.assert_array_equal(windows[38, 17], 17 * 48 + np.arange(38, 47))
    np.testing.assert_array_equal(targets, dust + np.arange(9, 48))


def test_no_window_crosses_a_month(hw01, whole_set):
    windows, _, months = hw01.dataset.load_train(whole_set)
    assert windows.shape == (12 * 471, 18, 9)
    assert [sum(months == month) for month in np.unique(months)] == [471] * 12
    follows = (windows[1:, :, :-1] == windows[:-1, :, 1:]).all(axis=(1, 2))
    assert list(np.flatnonzero(~follows)) == [471 * month - 1 for month in range(1, 12)]


@pytest.mark.parametrize("encoding", ["big5", "utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_every_copy_in_circulation_reads_alike(hw01, tmp_path, encoding, newline):
    series = np.random.default_rng(0).integers(0, 99, (18, 48)).astype(float)
    write_days(tmp_path / "train.csv", hw01.dataset.ITEMS, series, encoding, newline)
    windows, _, _ = hw01.dataset.load_train(tmp_path)
    np.testing.assert_array_equal(windows[0], series[:, :9])


def test_items_and_ids_are_found_by_name_not_by_place(hw01, whole_set, spoil):
    ids, windows = hw01.dataset.load_test(whole_set)
    assert ids == [f"id_{number}" for number in range(240)]
    shuffled = spoil("test.csv", lambda lines: list(np.random.default_rng(0).permutation(lines)))
    ids_again, windows_again = hw01.dataset.load_test(shuffled)
    assert ids_again == ids
    np.testing.assert_array_equal(windows_again, windows)


def test_no_rain_is_zero(hw01, whole_set):
    assert "NR" in (whole_set / "test.csv").read_text()
    windows, _, _ = hw01.dataset.load_train(whole_set)
    assert (windows[:, hw01.dataset.ITEMS.index("RAINFALL")] == 0).mean() > 0.9


def test_faults_are_held_at_the_last_good_reading(hw01):
    hold = hw01.model.hold_faults
    window = np.array([[[-1, 5, -1, 7, 0, -1]], [[3, -1, -1, 4, 0, 2]]], float)
    np.testing.assert_array_equal(hold(window, ["PM2.5"])[:, 0], [[5, 5, 5, 7, 0, 0], [3, 3, 3, 4, 0, 2]])
    np.testing.assert_array_equal(hold(window, ["O3"])[:, 0], [[5, 5, 5, 7, 7, 7], [3, 3, 3, 4, 4, 2]])
    np.testing.assert_array_equal(hold(-np.ones((1, 1, 3)), ["O3"]), -np.ones((1, 1, 3)))


# --- gradient descent -----------------------------------------------------------------------------


@pytest.mark.parametrize("average", [False, True])
def test_descent_on_a_quadratic_meets_lstsq(hw01, average):
    gd = hw01.gradient_descent
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5))
    y = x @ [1.0, -2.0, 3.0, 0.0, 0.5] + 4 + rng.normal(size=200)
    solution, *_ = np.linalg.lstsq(np.column_stack([x, np.ones(200)]), y, rcond=None)
    start = {"weights": np.zeros(5), "bias": np.zeros(())}
    for rule in (gd.Momentum(0.1), gd.Momentum(0.1, momentum=0.9), gd.Adagrad(1.0)):
        found = gd.minimise(
            lambda p, x, y: gd.linear_gradient(p, x, y, gd.SQUARED, l2=0.0),
            start, x, y, rule=rule, epochs=2000, batch_size=200, rng=rng, average=average,
        )  # fmt: skip
        np.testing.assert_allclose([*found["weights"], found["bias"]], solution, atol=1e-5)
    assert not start["weights"].any(), "the starting point was changed in place"


def test_two_steps_written_by_hand(hw01):
    """Momentum keeps a share of the last step; Adagrad divides by the root of the summed squares."""
    gradients = [{"w": np.array([3.0, -0.5])}, {"w": np.array([4.0, 0.5])}]
    momentum = [[-0.3, 0.05], [-0.97, 0.045]]  # -0.1 x 3; then 0.9 x -0.3 - 0.1 x 4 more
    adagrad = [[-0.1, 0.1], [-0.18, 0.1 - 0.1 / 2**0.5]]  # -0.1 x 3 / 3; then -0.1 x 4 / 5 more
    for rule, expected in (
        (hw01.gradient_descent.Momentum(0.1, momentum=0.9), momentum),
        (hw01.gradient_descent.Adagrad(0.1), adagrad),
    ):
        parameters = {"w": np.zeros(2)}
        for gradient, index in zip(gradients, expected):
            rule.step(parameters, gradient)
            np.testing.assert_allclose(parameters["w"], index, rtol=1e-6)


@pytest.mark.parametrize("name", ["SQUARED", "HUBER"])
@pytest.mark.parametrize("form", ["linear", "bilinear"])
def test_gradients_meet_finite_differences(hw01, form, name):
    gd, rng = hw01.gradient_descent, np.random.default_rng(0)
    rho_and_derivative = getattr(gd, name)
    y = rng.normal(0, 8, 30)
    if form == "linear":
        x, parameters = rng.normal(size=(30, 6)), {"weights": rng.normal(size=6)}
    else:
        x = rng.normal(size=(30, 4, 3))
        parameters = {"item_weights": rng.normal(size=4), "hour_weights": rng.normal(size=3)}
    parameters["bias"] = np.array(0.7)

    def loss(parameters):
        residual = getattr(gd, form)(parameters, x) - y
        return rho_and_derivative.rho(residual).mean() + 0.3 / 2 * sum(
            (value**2).sum() for name, value in parameters.items() if name != "bias"
        )

    gradient = getattr(gd, f"{form}_gradient")(parameters, x, y, rho_and_derivative, l2=0.3)
    assert gradient.keys() == parameters.keys()
    for name, value in parameters.items():
        for index in np.ndindex(value.shape):
            step = np.zeros_like(value)
            step[index] = 1e-6
            up, down = (loss({**parameters, name: value + sign * step}) for sign in (1, -1))
            assert gradient[name][index] == pytest.approx((up - down) / 2e-6, abs=1e-5)


@pytest.mark.parametrize("flags", ["--hours 9", "--hours 1", "--hours 8 --features PM2.5"])
def test_any_hours_and_items(hw01, whole_set, tmp_path, flags):
    """With nine hours there is nothing within a window to learn from; with one there is no change."""
    argv = ["--data-dir", str(whole_set), "--out-dir", str(tmp_path), "--epochs", "1", *flags.split()]
    assert np.isfinite(hw01.train.main(argv)["score"])


def test_hubers_loss_by_hand(hw01):
    rho, derivative = hw01.gradient_descent.HUBER
    np.testing.assert_array_equal(rho(np.array([-2.0, 5, 6, -10])), [2, 12.5, 17.5, 37.5])
    np.testing.assert_array_equal(derivative(np.array([-2.0, 5, 6, -10])), [-2, 5, 5, -5])


def test_hours_within_windows_are_never_those_to_predict(hw01):
    windows = np.arange(2 * 18 * 9.0).reshape(2, 18, 9) + 1
    dust = windows[:, hw01.dataset.TARGET]
    dust[1, 8] = -1  # a fault
    earlier, later = hw01.dataset.hours_within(windows, 7)
    np.testing.assert_array_equal(later, [dust[0, 7], dust[1, 7], dust[0, 8]])
    np.testing.assert_array_equal(
        earlier[:, :, 2:], [windows[0, :, :7], windows[1, :, :7], windows[0, :, 1:8]]
    )
    assert not earlier[:, :, :2].any()
    assert len(hw01.dataset.hours_within(windows, 9)[1]) == 0


def test_a_month_left_out_is_not_seen(hw01, whole_set, tmp_path, monkeypatch):
    """A fold sees of its month the hours within the windows that it predicts, and none that it predicts."""
    windows, targets, months = hw01.dataset.load_train(whole_set)
    seen = []
    fit = hw01.training.Learner.fit
    monkeypatch.setattr(
        hw01.training.Learner, "fit", lambda self, *sets: seen.append(sets) or fit(self, *sets)
    )
    hw01.train.main(["--data-dir", str(whole_set), "--out-dir", str(tmp_path), "--epochs", "1"])
    assert len(seen) == 1 + 12 * 12
    predicted = np.concatenate([left_out for *_, left_out in seen[1:]])
    assert sorted(predicted) == list(range(len(targets))), "a window is predicted twice or never"
    for rows, asked, left_out in seen[1:]:
        assert set(months[left_out]).isdisjoint(months[rows])
        assert set(np.diff(left_out)) == {12}, "a window of nine hours would show another's tenth"
        np.testing.assert_array_equal(asked, windows[left_out])
    args = hw01.train.parse_args(["--epochs", "1", "--method", "linear"])
    learner = hw01.training.Learner(args, hw01.train.RECIPES["linear"], windows, targets)
    model, _ = learner.fit(*seen[1])
    np.testing.assert_allclose(model.mean, learner.raw[seen[1][0]].mean(axis=0, keepdims=True))


def test_best_beats_the_plain_line(hw01, whole_set, tmp_path):
    scores = {
        method: hw01.train.main(
            ["--data-dir", str(whole_set), "--out-dir", str(tmp_path), "--method", method, "--epochs", "8"]
        )["score"]
        for method in ("best", "linear")
    }
    windows, targets, _ = hw01.dataset.load_train(whole_set)
    last = np.mean((windows[:, hw01.dataset.TARGET, -1] - targets) ** 2) ** 0.5
    assert scores["best"] < scores["linear"] - 0.1
    assert scores["linear"] < last


# --- bad input: one sentence, status 2, nothing half-written --------------------------------------


def change(line, rewrite):
    """An edit of the lines that rewrites one of them, counted from 1; an empty text removes it."""

    def edit(lines):
        text = rewrite(lines[line - 1])
        return [*lines[: line - 1], *([text] if text else []), *lines[line:]]

    return edit


BAD_TRAIN = {
    "no header": (lambda lines: lines[1:], ["header", "日期"]),
    "a month short of days": (lambda lines: lines[:-18], ["2014-12 has 19 days", "expected 20"]),
    "a day left out": (
        lambda lines: [line for line in lines if "2014/3/7," not in line],
        ["2014-03 has 19 days"],
    ),
    "an item missing": (change(11, lambda line: ""), ["2014/01/01 lacks the item PM2.5"]),
    "an item misspelt": (change(11, lambda line: line.replace("PM2.5", "PM25")), ["lacks the item PM2.5"]),
    "a row twice": (lambda lines: [*lines, lines[-1]], ["2014/12/20 has WS_HR twice"]),
    "a text for a number": (change(6, lambda line: line + "x"), ["line 6, column 27", "is not a number"]),
    "after an empty line": (change(6, lambda line: "\n" + line + "x"), ["line 7, column 27"]),
    "an empty cell": (
        change(6, lambda line: line.rsplit(",", 1)[0] + ","),
        ["line 6, column 27", "'' is not"],
    ),
    "not a number": (
        change(6, lambda line: line.rsplit(",", 1)[0] + ",nan"),
        ["line 6, column 27", "'nan' is not"],
    ),
    "infinity": (
        change(6, lambda line: line.rsplit(",", 1)[0] + ",inf"),
        ["line 6, column 27", "'inf' is not"],
    ),
    "not a date": (
        change(6, lambda line: line.replace("2014/1/1", "1 Jan")),
        ["line 6", "'1 Jan' is not a date"],
    ),
    "a row too long": (change(6, lambda line: line + ",1,2,3"), ["line 6"]),
    "rows too long": (
        lambda lines: [lines[0], *(line + ",1" for line in lines[1:])],
        ["more cells than the header"],
    ),
    "a header alone": (lambda lines: lines[:1], ["no rows"]),
    "an empty file": (lambda lines: [], ["train.csv"]),
}


@pytest.mark.parametrize("case", BAD_TRAIN)
def test_bad_train(hw01, spoil, tmp_path, capsys, case):
    edit, words = BAD_TRAIN[case]
    folder, out = spoil("train.csv", edit), tmp_path / "out"
    check_sentence(hw01, capsys, ["--data-dir", folder, "--out-dir", out], folder / "train.csv", *words)
    assert not list(out.iterdir())


@pytest.mark.parametrize("encoding", ["utf-16", "gb18030"])
def test_wrong_encoding(hw01, whole_set, tmp_path, capsys, encoding):
    text = (whole_set / "train.csv").read_bytes().decode("big5")
    (tmp_path / "train.csv").write_bytes(text.encode(encoding))
    check_sentence(
        hw01, capsys, ["--data-dir", tmp_path, "--out-dir", tmp_path / "out"], tmp_path / "train.csv"
    )


BAD_TEST = {
    "an id missing": (lambda lines: [line for line in lines if "id_7," not in line], ["id_7 is missing"]),
    "the last id missing": (lambda lines: lines[:-18], ["id_239 is missing"]),
    "an id too many": (
        lambda lines: [*lines, *(line.replace("id_0", "id_240") for line in lines[:18])],
        ["'id_240'"],
    ),
    "eight hours": (lambda lines: [line.rsplit(",", 1)[0] for line in lines], ["10 columns, expected 11"]),
    "eight hours in one row": (change(5, lambda line: line.rsplit(",", 1)[0]), ["line 5, column 11"]),
    "an item missing": (change(10, lambda line: ""), ["'id_0' lacks the item PM2.5"]),
    "a text for a number": (change(5, lambda line: line + "x"), ["line 5, column 11", "is not a number"]),
    "an empty file": (lambda lines: [], ["test.csv"]),
}


@pytest.mark.parametrize("case", BAD_TEST)
def test_bad_test(hw01, spoil, tmp_path, capsys, case):
    edit, words = BAD_TEST[case]
    folder, out = spoil("test.csv", edit), tmp_path / "out"
    argv = ["--data-dir", folder, "--out-dir", out]
    check_sentence(hw01, capsys, argv, folder / "test.csv", *words)
    hw01.train.main([*map(str, argv), "--epochs", "1", "--method", "linear"])
    capsys.readouterr()
    check_sentence(hw01, capsys, argv, folder / "test.csv", *words, script="predict")
    assert not [path for path in out.iterdir() if "submission" in path.name]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--hours 12", ["--hours 12", "1 to 9"]),
        ("--hours 0", ["--hours 0"]),
        ("--epochs 0", ["--epochs 0"]),
        ("--batch-size 0", ["--batch-size 0"]),
        ("--learning-rate -1", ["--learning-rate -1"]),
        ("--learning-rate nan", ["--learning-rate nan"]),
        ("--l2 -1", ["--l2 -1"]),
        ("--seed -1", ["--seed -1"]),
        ("--features PM25", ["--features PM25", "PM2.5"]),
        ("--features O3 O3", ["twice"]),
        ("--features O3", ["PM2.5"]),
        ("--method linear --learning-rate 10 --epochs 20", ["too large"]),
    ],
)
def test_bad_flags(hw01, whole_set, tmp_path, capsys, flags, words):
    argv = ["--data-dir", whole_set, "--out-dir", tmp_path / "out", *flags.split()]
    check_sentence(hw01, capsys, argv, *words)
    assert not list(tmp_path.glob("out/*"))


def test_a_window_of_ones_own(hw01, whole_set, tmp_path, capsys):
    argv = ["--data-dir", str(whole_set), "--out-dir", str(tmp_path)]
    metrics = hw01.train.main([*argv, "--epochs", "5"])
    model, window = hw01.model.load_model(tmp_path / "model.npz"), hw01.dataset.load_test(whole_set)[1][:1]
    rows = [[item, *map(str, values)] for item, values in zip(hw01.dataset.ITEMS, window[0])]
    path = tmp_path / "my.csv"

    def write(rows):
        path.write_text("\n".join(",".join(row) for row in rows))

    write(rows[::-1])  # items are found by name
    capsys.readouterr()
    assert hw01.predict.main([*argv, "--window", str(path)]) == pytest.approx(model.predict(window)[0])
    assert hw01.predict.main([*argv, "--synthetic", "--window", str(path)]), "own input is of no kind"
    assert "nine times of ten between" in capsys.readouterr().out
    assert [band["up_to"] is None for band in metrics["intervals"]] == [False, False, False, True]
    assert all(band["low"] < 0 < band["high"] for band in metrics["intervals"])
    write([[row[0], *row[3:]] for row in rows if row[0] in ("PM2.5", "O3")])  # 7 hours are enough
    assert hw01.predict.main([*argv, "--window", str(path)]) > 0
    assert "note: AMB_TEMP, CH4" in capsys.readouterr().out
    for spoilt, words in (
        (rows[:3], "PM2.5"),
        ([["gold", *rows[0][1:]], *rows], "gold"),
        ([*rows, rows[0]], "no item twice"),
        ([row[:5] for row in rows], "4 hours in a row, expected 7 to 9"),
        ([[*row[:-1], "x"] for row in rows], "'x' is not a number"),
        ([[*row[:-1], "1e308"] for row in rows], "'1e308' is not a number from -1,000,000"),
        ([[*row[:-1], "NR"] for row in rows], "'NR' is not a number"),  # but for rain
    ):
        write(spoilt)
        check_sentence(hw01, capsys, [*argv, "--window", path], path, words, script="predict")
    path.unlink()
    check_sentence(hw01, capsys, [*argv, "--window", path], "is missing", script="predict")


def test_a_descent_that_diverged_is_not_saved(hw01, whole_set, tmp_path, capsys):
    argv = ["--data-dir", whole_set, "--method", "linear", "--features", "PM2.5", "--epochs", "1"]
    for rate in ("12", "100", "1e6"):
        flags = [*argv, "--learning-rate", rate, "--out-dir", tmp_path]
        check_sentence(hw01, capsys, flags, "is too large: the descent diverged")
    assert not (tmp_path / "metrics.json").exists()


def test_a_training_that_diverged_says_so(hw01, whole_set, tmp_path, capsys):
    argv = ["--data-dir", str(whole_set), "--out-dir", str(tmp_path), "--method", "adagrad"]
    hw01.train.main([*argv, "--epochs", "3", "--learning-rate", "100"])
    assert "the descent diverged, or was too short" in capsys.readouterr().err


def test_missing_folder_and_one_month(hw01, tmp_path, capsys):
    check_sentence(
        hw01, capsys, ["--data-dir", tmp_path / "no", "--out-dir", tmp_path], "train.csv is missing"
    )
    write_days(tmp_path / "train.csv", hw01.dataset.ITEMS, np.ones((18, 48)))
    check_sentence(hw01, capsys, ["--data-dir", tmp_path, "--out-dir", tmp_path / "out"], "one month")


def test_bad_model(hw01, whole_set, tmp_path, capsys):
    argv = ["--data-dir", whole_set, "--out-dir", tmp_path]
    check_sentence(hw01, capsys, argv, "model.npz is missing; run train.py first", script="predict")
    check_sentence(hw01, capsys, [*argv, "--synthetic"], "run train.py --synthetic first", script="predict")
    hw01.train.main([str(argument) for argument in [*argv, "--epochs", "1"]])
    whole = (tmp_path / "model.npz").read_bytes()
    arrays = dict(np.load(tmp_path / "model.npz"))
    for spoilt in [
        whole[: len(whole) // 2],
        b"",
        b"not a zip file",
        {**arrays, "hours": 5},  # the settings of another training
        {**arrays, "weights": arrays["weights"][:-1]},
        {**arrays, "weights": arrays["weights"] * np.nan},
        {**arrays, "items": np.array(["PM2.5", "gold"])},
        {name: value for name, value in arrays.items() if name != "mean"},
        {"method": "logistic", "weights": np.zeros(3)},  # another chapter's
    ]:
        if isinstance(spoilt, bytes):
            (tmp_path / "model.npz").write_bytes(spoilt)
        else:
            np.savez(tmp_path / "model.npz", **spoilt)
        check_sentence(
            hw01, capsys, argv, "model.npz and metrics.json are of two trainings", script="predict"
        )
        with pytest.raises(hw01.scaffold.BadInput, match="is cut short or not a model of this chapter"):
            hw01.model.load_model(tmp_path / "model.npz")
    assert not (tmp_path / "submission.csv").exists()


def test_no_fit_asks_a_library_for_the_answer(hw01, whole_set, tmp_path, monkeypatch):
    """The course's rule: gradient descent, and neither NumPy's nor scikit-learn's solvers."""
    for solver in ("lstsq", "solve", "inv", "pinv", "eigh", "svd"):
        monkeypatch.delattr(np.linalg, solver)
    for method in hw01.train.RECIPES:
        argv = ["--data-dir", str(whole_set), "--out-dir", str(tmp_path), "--method", method, "--epochs", "2"]
        assert np.isfinite(hw01.train.main(argv)["score"])


def test_the_scripts_start_without_the_heavy_libraries():
    """train.py --help answers in under a second because it imports NumPy, pandas and tqdm alone."""
    code = (
        "import runpy, sys; sys.argv = sys.argv[1:]\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / CHAPTER)}  # a script's start adds it, runpy does not
    for script in ("train.py", "predict.py"):
        command = [sys.executable, "-c", code, ROOT / CHAPTER / script, "--help"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        loaded = set(done.stderr.split())
        assert "numpy" in loaded
        assert not loaded & {"sklearn", "tensorflow", "keras", "matplotlib", "scipy"}


# --- settings that reach the method -----------------------------------------


def test_the_intervals_are_what_has_to_be_added_to_a_prediction(hw01, whole_set, tmp_path, monkeypatch):
    """Of predictions that are ten too low."""
    monkeypatch.setattr(
        hw01.training.Learner,
        "leave_one_month_out",
        lambda self, months: np.tile(self.targets - 10.0, (self.args.epochs, 1)),
    )
    argv = ["--data-dir", str(whole_set), "--out-dir", str(tmp_path), "--epochs", "2"]
    metrics = hw01.train.main([*argv, "--method", "linear"])
    assert metrics["score"] == pytest.approx(10)
    for band in metrics["intervals"]:
        assert (band["low"], band["high"]) == (pytest.approx(10), pytest.approx(10))


def test_intervals_of_predictions_that_are_all_alike(hw01):
    """As of a month without rain, by its rain alone: no band is empty."""
    errors = np.arange(8.0)
    bands = hw01.training.intervals(np.full(8, 5.0), errors)
    assert [band["up_to"] for band in bands] == [5, 5, 5, None]
    assert all(band["low"] < band["high"] for band in bands)


def test_products_are_of_the_last_readings_and_the_last_change(hw01):
    window = np.random.default_rng(0).integers(1, 99, (1, 18, 9)).astype(float)
    items = ("O3", "PM2.5")
    model = hw01.model.Model(items, 4, products=True)
    o3, dust = (window[0, hw01.dataset.ITEMS.index(item), -4:] for item in items)
    products = [last * level for level in (dust[3], dust[3] - dust[2]) for last in (o3[3], dust[3])]
    np.testing.assert_allclose(model.raw_features(window)[0], [*o3, *dust, *products])


def test_a_pair_within_the_windows_to_predict_counts_several_times(hw01, whole_set, tmp_path, monkeypatch):
    sizes, minimise = [], hw01.training.minimise

    def spy(gradient, start, x, y, **more):
        sizes.append((len(x), len(y)))
        return minimise(gradient, start, x, y, **more)

    monkeypatch.setattr(hw01.training, "minimise", spy)
    windows, targets, _ = hw01.dataset.load_train(whole_set)
    args, recipe = hw01.train.parse_args(["--epochs", "1"]), hw01.train.RECIPES["best"]
    learner = hw01.training.Learner(args, recipe, windows, targets)
    _, later = hw01.dataset.hours_within(windows[:12], args.hours)
    learner.fit(slice(0, 100), windows[:12], slice(0, 5))
    expected = 100 + recipe.test_weight * len(later)
    assert recipe.test_weight == 4
    assert sizes == [(expected, expected)]
