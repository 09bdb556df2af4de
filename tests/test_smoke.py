"""Each chapter runs alone: its folder is copied elsewhere and its scripts are run there, as a user would."""

import json
import re
import shutil
import tarfile

import numpy as np
import pandas as pd
import pytest
from conftest import check_sentence
from PIL import Image
from test_contract import CHAPTERS, ROOT


def check_hw01(out):
    assert len(pd.read_csv(out / "history.csv")) == 5
    submission = pd.read_csv(out / "submission.csv")
    assert list(submission.columns) == ["id", "value"]
    assert list(submission.id) == [f"id_{number}" for number in range(240)]
    assert np.isfinite(submission.value).all()
    assert submission.value.std() > 1, "the predictions hardly vary"
    return out / "submission.csv"


def check_hw02(out):
    assert len(pd.read_csv(out / "history.csv")) == 100
    submission = pd.read_csv(out / "submission.csv")
    assert list(submission.columns) == ["id", "label"]
    assert list(submission.id) == list(range(500))
    assert submission.label.isin([0, 1]).all()
    assert submission.label.nunique() == 2
    return out / "submission.csv"


def check_hw03(out):
    assert list(pd.read_csv(out / "history.csv").epoch) == [1, 2, 3]
    submission = pd.read_csv(out / "submission.csv")
    assert list(submission.columns) == ["Id", "Category"]
    assert list(submission.Id) == list(range(110))
    assert submission.Category.between(0, 10).all()
    assert submission.Category.nunique() > 2
    return out / "submission.csv"


def check_hw04(out):
    assert list(pd.read_csv(out / "history.csv")["round"]) == [0, 1]
    submission = pd.read_csv(out / "submission.csv")
    assert list(submission.columns) == ["id", "label"]
    assert list(submission.id) == list(range(300))
    assert submission.label.isin([0, 1]).all()
    assert submission.label.nunique() == 2
    return out / "submission.csv"


def check_hw05(out):
    assert list(pd.read_csv(out / "history.csv").epoch) == [1, 2]
    explanations = pd.read_csv(out / "explanations.csv")
    assert list(explanations["index"]) == [0, 159, 319, 479]
    assert explanations.probability.between(0, 1).all()
    for name in ("sheet", "filters", *(f"page_{number}" for number in explanations["index"])):
        with Image.open(out / f"{name}.png") as picture:
            picture.verify()
    return out / "explanations.csv"


def check_hw06(out):
    history = pd.read_csv(out / "history.csv")
    assert history.correct.iloc[0] == history.queried.iloc[0], "a misread picture was attacked"
    submission = pd.read_csv(out / "submission.csv")
    assert list(submission.id) == list(range(40))
    assert (submission.after != submission.true).mean() > 0.5
    with tarfile.open(out / "images.tgz") as archive:
        assert archive.getnames() == [f"{number:03d}.png" for number in range(40)]
    for figure in ("comparison.png", "top3.png"):
        with Image.open(out / figure) as picture:
            picture.verify()
    return out / "images.tgz"


def check_hw07(out):
    assert list(pd.read_csv(out / "history.csv").stage) == [0, 1, 2]
    metrics = json.loads((out / "metrics.json").read_text())
    steps = ["teacher", "student", "pruned", "fine-tuned", "file"]
    assert [step["step"] for step in metrics["steps"]] == steps
    assert metrics["bytes"] == (out / "compressed.npz").stat().st_size <= 300_000
    submission = pd.read_csv(out / "submission.csv")
    assert list(submission.columns) == ["Id", "Category"]
    assert list(submission.Id) == list(range(60))
    assert submission.Category.between(0, 5).all()
    return out / "submission.csv"


def check_hw08(out):
    assert list(pd.read_csv(out / "history.csv").epoch) == [1, 2]
    lines = (out / "translations.txt").read_text("utf-8").splitlines()
    assert len(lines) == 40
    assert not [line for line in lines if re.search(r"<|\s", line)]
    table = pd.read_csv(out / "translations.csv", keep_default_na=False)
    assert list(table.columns) == ["source", "reference", "translation", "score"]
    assert list(table.translation) == lines
    assert table.score.between(0, 1).all()
    assert table.score.mean() > 0.02
    with Image.open(out / "attention.png") as picture:
        picture.verify()
    return out / "translations.txt"


def check_hw09(out):
    assert list(pd.read_csv(out / "history.csv").epoch) == [1, 2] * 2
    assert (out / "submission.csv").read_text().startswith("id,label\n")
    submission = pd.read_csv(out / "submission.csv")
    assert list(submission.id) == list(range(300))
    assert submission.label.isin([0, 1]).all()
    assert submission.label.nunique() == 2
    for figure in ("reconstructions.png", "embedding.png"):
        with Image.open(out / figure) as picture:
            picture.verify()
    return out / "submission.csv"


def check_hw10(out):
    history = pd.read_csv(out / "history.csv")
    assert list(history.columns[:5]) == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    assert len(history) == 1
    submission = pd.read_csv(out / "submission.csv")
    assert list(submission.columns) == ["id", "anomaly"]
    assert list(submission.id) == list(range(1, 121))
    assert np.isfinite(submission.anomaly).all()
    assert submission.anomaly.nunique() > 100, "a score is hardly ever the same twice"
    for figure in ("pictures.png", "histogram.png"):
        with Image.open(out / figure) as picture:
            picture.verify()
    return out / "submission.csv"


def check_hw11(out):
    assert list(pd.read_csv(out / "history.csv").epoch) == [1, 2]
    assert sorted(path.name for path in (out / "samples").iterdir()) == ["epoch_001.png", "epoch_002.png"]
    faces = sorted((out / "generated").iterdir())
    assert [path.name for path in faces] == [f"{number:05d}.png" for number in range(100)]
    assert len({path.read_bytes() for path in faces}) == 100, "the same face for two noises"
    for figure in ("generated.png", "walk.png", "nearest.png"):
        with Image.open(out / figure) as picture:
            picture.verify()
    with Image.open(faces[-1]) as picture:
        assert (picture.size, picture.mode) == ((16, 16), "RGB")
    return out / "generated.png"


def check_hw12(out):
    history = pd.read_csv(out / "history.csv")
    assert list(history.epoch) == [1, 2]
    assert history.domain_accuracy.between(0, 1).all()
    assert (out / "submission.csv").read_text().startswith("id,label\n")
    submission = pd.read_csv(out / "submission.csv")
    assert list(submission.id) == list(range(240))
    assert submission.label.nunique() > 1
    np.testing.assert_array_equal(submission.label, np.load(out / "guesses.npy"))  # what train.py scored
    with Image.open(out / "first_twenty.png") as picture:
        picture.verify()
    return out / "submission.csv"


def check_hw13(out):
    assert list(pd.read_csv(out / "history.csv").iteration) == [1, 2]
    episodes = pd.read_csv(out / "episodes.csv")
    assert list(episodes.columns) == ["episode", "characters", "accuracy_transductive", "accuracy_inductive"]
    assert len(episodes) == 10
    assert all(name.startswith("Loops/") for row in episodes.characters for name in row.split())
    assert episodes.accuracy_transductive.mean() > 0.2
    with Image.open(out / "episode.png") as picture:
        picture.verify()
    return out / "episodes.csv"


def check_hw14(out):
    assert list(pd.read_csv(out / "history.csv").task) == [1, 1, 2, 2, 3, 3]
    matrix = pd.read_csv(out / "matrix.csv")
    assert list(matrix.columns) == ["measure", "after", "svhn", "mnist", "usps"]
    assert len(matrix) == 2 * 4
    predictions = pd.read_csv(out / "predictions.csv")
    assert list(predictions.columns) == ["task", "id", "label"]
    assert list(predictions.task) == ["svhn"] * 200 + ["mnist"] * 200 + ["usps"] * 200
    assert list(predictions.id) == list(range(200)) * 3
    assert predictions.label.between(0, 9).all()
    assert predictions.label.nunique() > 3
    return out / "predictions.csv"


def check_hw15(out):
    assert len(pd.read_csv(out / "history.csv")) == 6
    episodes = pd.read_csv(out / "episodes.csv")
    assert list(episodes.columns) == ["seed", "return", "length", "landed"]
    assert list(episodes.seed) == list(range(200))
    assert episodes.length.between(1, 20).all()
    assert episodes.landed.isin([0, 1]).all()
    for picture in ("landing.gif", "flight.png"):
        with Image.open(out / picture) as opened:
            opened.verify()
    return out / "episodes.csv"


# chapter: (flags of train.py, flags of report.py, a check of out/ that returns the hand-in); all take seconds
SMOKE = {
    "hw01_regression": ("--epochs 5", "--epochs 2 --seeds 1", check_hw01),
    "hw02_classification": ("--trees 100", "--epochs 2 --seeds 1", check_hw02),
    "hw03_cnn": ("--epochs 3 --width 0.25 --batch-size 64", "--epochs 1 --seeds 1", check_hw03),
    "hw04_rnn_selftrain": (
        "--epochs 1 --rounds 1 --threshold 0.5 --batch-size 128 --unlabelled-per-round 400",
        "--epochs 1 --seeds 1",
        check_hw04,
    ),
    "hw05_explain": ("--epochs 2", "--epochs 1 --seeds 1", check_hw05),
    "hw06_adversarial": ("--epsilon 32", "--iterations 1 --seeds 1", check_hw06),
    "hw07_compression": ("--epochs 1 --width 0.3", "--epochs 1 --seeds 1", check_hw07),
    "hw08_seq2seq": ("--epochs 2 --units 16", "--epochs 1 --seeds 1", check_hw08),
    "hw09_autoencoder": ("--epochs 2 --networks 2", "--epochs 1 --seeds 1", check_hw09),
    "hw10_anomaly": ("--epochs 1", "--epochs 1 --seeds 1", check_hw10),
    "hw11_gan": ("--epochs 2 --image-size 16", "--epochs 1 --seeds 1", check_hw11),
    "hw12_dann": ("--epochs 2", "--epochs 1 --seeds 1", check_hw12),
    "hw13_meta": ("--iterations 2", "--iterations 1 --seeds 1", check_hw13),
    "hw14_lifelong": ("--epochs 2", "--epochs 1 --seeds 1", check_hw14),
    "hw15_rl": ("--iterations 6", "--iterations 2 --seeds 1", check_hw15),
}
QUICK_REPORTS = ("hw01_regression", "hw02_classification", "hw11_gan", "hw14_lifelong", "hw15_rl")  # seconds
SIMULATED = {"hw15_rl"}  # needs no files, so none can be missing
RESUMABLE = {
    chapter for chapter in SMOKE if "resume=True" in (ROOT / chapter / "train.py").read_text("utf-8")
}


def test_every_chapter_has_a_smoke_run():
    assert list(SMOKE) == CHAPTERS


@pytest.mark.parametrize("chapter", SMOKE)
def test_train_and_predict(chapter, trained, load_chapter, tmp_path, capsys):
    flags, _, check = SMOKE[chapter]
    run = trained(chapter, flags)
    predict = load_chapter(chapter, "predict").predict
    predict.main(["--synthetic", "--out-dir", str(run.out)])
    assert not capsys.readouterr().err
    written = {path for path in run.folder.rglob("*") if "__pycache__" not in path.parts} - {run.out}
    theirs = {
        ROOT / chapter / path.relative_to(run.folder) for path in written if run.out not in path.parents
    }
    assert all(path.exists() for path in theirs), "a script wrote outside of --out-dir"
    assert not [path for path in written if "half-written" in path.name]
    assert not re.search("Traceback|Warning|tensorflow|cuda", run.stderr, re.I), run.stderr
    assert "\r" not in run.stdout + run.stderr, "a progress bar in a log"

    metrics = json.loads((run.out / "metrics.json").read_text("utf-8"))
    assert metrics.keys() >= {"metric", "score", "parameters", "seconds", "versions", "arguments", "files"}
    assert f"{metrics['metric']} " in run.stdout.splitlines()[-1]
    assert np.isfinite(metrics["score"])
    history = pd.read_csv(run.out / "history.csv")
    assert len(history) > 0
    assert np.isfinite(history.to_numpy()).all()
    with Image.open(run.out / "learning_curve.png") as picture:
        picture.verify()
    assert list(run.out.glob("model.*")) or (run.out / "images").is_dir()  # hw06 trains pictures

    modules = load_chapter(chapter, "train")
    argv = ["--synthetic", "--out-dir", str(run.out), "--data-dir", metrics["arguments"]["data_dir"]]
    assert modules.records.finished(modules.train.parse_args([*argv, *flags.split()])), "for a report"
    assert not modules.records.finished(modules.train.parse_args([*argv, *flags.split(), "--seed", "1"]))
    check(run.out)


@pytest.mark.full
@pytest.mark.parametrize("chapter", sorted(SMOKE.keys() - RESUMABLE))
def test_the_same_seed_gives_the_same_training(chapter, load_chapter, tmp_path):
    """The chapters that can resume are trained twice by their own tests, and by test_killed.py."""
    flags, _, check = SMOKE[chapter]
    modules = load_chapter(chapter, "train", "predict")
    for folder in ("first", "second"):
        argv = ["--synthetic", "--out-dir", str(tmp_path / folder)]
        modules.train.main([*argv, *flags.split()])
        modules.predict.main(argv)
    assert_same_training(tmp_path / "first", tmp_path / "second", check)


def assert_same_training(out, again, check):
    """Two folders hold the same training: its history, its metrics and the hand-in, to the byte."""
    histories = [pd.read_csv(index / "history.csv") for index in (out, again)]
    untimed = [h.loc[:, ~h.columns.str.contains("seconds|processor")] for h in histories]
    pd.testing.assert_frame_equal(*untimed)
    metrics = [json.loads((index / "metrics.json").read_text()) for index in (out, again)]
    for found in metrics:
        seconds = found["seconds"]
        assert seconds["all"] >= seconds["one_fit"] > 0  # also of one that was resumed
        for name in ("seconds", "files", "versions"):
            del found[name]
        for name in ("data_dir", "out_dir", "resume"):
            found["arguments"].pop(name, None)
    assert metrics[0] == metrics[1], "the same seed gave other numbers"
    hand_ins = [check(index).read_bytes() for index in (out, again)]
    assert hand_ins[0] == hand_ins[1], "the same seed gave another prediction"


# chapter: flags whose every value a report's trial trains; its other rows are given a copy of such a training
KINDS = {
    "hw01_regression": ("method",),
    "hw03_cnn": (),
    "hw04_rnn_selftrain": ("model",),
    "hw06_adversarial": ("proxy",),
    "hw07_compression": ("prune",),
    "hw08_seq2seq": ("model",),
    "hw09_autoencoder": ("method",),
    "hw10_anomaly": ("method",),
    "hw11_gan": ("original",),
    "hw12_dann": ("pair",),
    "hw13_meta": ("task",),
    "hw14_lifelong": ("tasks",),
    "hw15_rl": (),
}


def train_once_a_kind(modules, flags):
    """A train.main() that trains once for each value of these flags, then copies that with other flags."""
    train, records, kept = modules.train.main, modules.records, {}

    def main(argv=None, *loaded, **keywords):
        args = modules.train.parse_args(argv)
        kind = tuple(str(getattr(args, flag)) for flag in flags)
        if kind not in kept:
            kept[kind] = args.out_dir
            return train(argv, *loaded, **keywords)
        shutil.copytree(kept[kind], args.out_dir, dirs_exist_ok=True)
        metrics = records.read_metrics(args.out_dir)
        metrics["arguments"] = json.loads(json.dumps(vars(args), default=str))
        metrics["files"]["metrics.json"] = records.own_fingerprint(metrics)
        records.write_json(args.out_dir / "metrics.json", metrics)
        return metrics

    return main


@pytest.mark.parametrize(
    "chapter", [pytest.param(name, marks=[pytest.mark.full] * (name not in QUICK_REPORTS)) for name in SMOKE]
)
def test_report(chapter, load_chapter, tmp_path, monkeypatch):
    if chapter in KINDS:
        modules = load_chapter(chapter, "train")
        monkeypatch.setattr(modules.train, "main", train_once_a_kind(modules, KINDS[chapter]))
    if chapter == "hw12_dann":
        monkeypatch.setattr(load_chapter(chapter, "model").model, "SETTLING", 5)
    check_report(chapter, load_chapter, tmp_path)


@pytest.mark.full
@pytest.mark.monday
@pytest.mark.parametrize("chapter", KINDS)
def test_report_with_every_training(chapter, load_chapter, tmp_path):
    check_report(chapter, load_chapter, tmp_path)


def check_report(chapter, load_chapter, tmp_path):
    """report.py --synthetic makes the files and the rows that results/ holds, and leaves those alone."""
    results = ROOT / chapter / "results"
    committed = {path.name: path.read_bytes() for path in results.iterdir()}
    out = tmp_path / "a trial"
    trial = ["--synthetic", "--out-dir", str(out), *SMOKE[chapter][1].split()]
    load_chapter(chapter, "report").report.main(trial)
    made = {path.name for path in (out / "results").iterdir()}
    assert made == set(committed), "report.py does not make what results/ holds"
    assert {path.name: path.read_bytes() for path in results.iterdir()} == committed
    measured, trial = (pd.read_csv(path / "report.csv") for path in (results, out / "results"))
    assert list(measured.columns) == list(trial.columns)
    if "set" in trial:  # the course's files alone have a trial
        measured = measured[measured["set"].isin(trial["set"])]
    assert list(measured.table) == list(trial.table), "report.py makes other rows than results/ holds"


@pytest.mark.parametrize("chapter", SMOKE)
def test_without_the_files_a_sentence_says_what_to_do(chapter, tmp_path, load_chapter, capsys):
    modules, out = load_chapter(chapter, "scaffold", "train", "predict", "report"), tmp_path / "out"
    nowhere = ["--data-dir", tmp_path / "nowhere", "--out-dir", out]
    check_sentence(modules, capsys, nowhere, "run train.py first", script="predict")
    if chapter not in SIMULATED:
        for script in ("train", "report"):
            check_sentence(
                modules, capsys, nowhere, "is missing; see", "README.md, or try --synthetic.", script=script
            )
    assert not [path for path in out.glob("**/*") if path.is_file()]


@pytest.mark.parametrize("chapter", SMOKE)
def test_a_folder_that_cannot_be_written(chapter, tmp_path, load_chapter, capsys):
    (tmp_path / "taken").write_text("a file where a folder should be")
    for out in (tmp_path / "taken", tmp_path / "taken" / "out"):
        argv, way_out = ["--synthetic", "--out-dir", out], "; choose another --data-dir or --out-dir."
        check_sentence(load_chapter(chapter), capsys, argv, tmp_path / "taken", way_out)
