"""Homework 4: masks, pseudo labels and batches by hand, self-training against none, resuming, bad input."""

import io
import json
import re
import shutil
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import check_sentence, write_metrics
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

CHAPTER = "hw04_rnn_selftrain"
WORDS = ["good", "bad", "day", "is", "it", "hot", "but"]
SHORT = ["--epochs", "1", "--rounds", "1", "--unlabelled-per-round", "20", "--model", "bag"]


@pytest.fixture
def hw04(load_chapter):
    return load_chapter(CHAPTER)


@pytest.fixture
def hw04_light(load_chapter):
    """The modules that need no TensorFlow."""
    return load_chapter(CHAPTER, "dataset", "selftraining", "train")


@pytest.fixture
def spoilt(whole_set, tmp_path):
    """A copy of the set, to spoil."""
    return shutil.copytree(whole_set, tmp_path / "spoilt")


@pytest.fixture
def rnn(hw04):
    keras.utils.set_random_seed(0)
    return hw04.model.build_rnn(WORDS, size=8, units=4)


def truth(hw04, folder):
    """The test tweets and their labels, which the adjectives of the last clause tell."""
    kinds = {}
    for sentence, label in zip(*hw04.dataset.load_labelled(folder)):
        kinds |= dict.fromkeys(re.findall(r"is (\S+) and (\S+)", sentence)[-1], label)
    _, sentences = hw04.dataset.load_test(folder)
    return sentences, np.array([kinds[re.findall(r"is (\S+) and", text)[-1]] for text in sentences])


def accuracy(hw04, model_file, sentences, labels):
    model = hw04.model.load_model(model_file)
    probabilities = hw04.model.predict_probabilities(model, sentences)
    return (probabilities > 0.5) == (labels == 1)


# ---- the claims


@pytest.mark.full
def test_self_training_beats_labels_alone(hw04, whole_set, tmp_path):
    argv = ["--labelled", "30", "--epochs", "4", "--no-language-model"]
    hw04.train.main(["--data-dir", str(whole_set), "--out-dir", str(tmp_path), *argv])
    alone, whole = (
        accuracy(hw04, tmp_path / name, *truth(hw04, whole_set)).mean()
        for name in ("labels_alone.keras", "model.keras")
    )
    assert whole > alone + 0.03


@pytest.mark.full
def test_order_beats_the_bag(hw04, whole_set, tmp_path):
    sentences, labels = truth(hw04, whole_set)
    turned = np.array([" but " in sentence for sentence in sentences])
    common = ["--data-dir", str(whole_set), "--out-dir"]
    right = {}
    for model in ("rnn", "bag"):
        argv = ["--model", model, "--epochs", "3", "--no-self-training", "--no-ngrams"]
        argv += ["--no-language-model"] if model == "rnn" else []
        hw04.train.main([*common, str(tmp_path / model), *argv])
        right[model] = accuracy(hw04, tmp_path / model / "model.keras", sentences, labels)[turned].mean()
    assert right["bag"] < 0.7
    assert right["rnn"] > 0.85


def test_a_bag_cannot_tell_the_order(hw04, rnn):
    keras.utils.set_random_seed(0)
    bag = hw04.model.build_bag(WORDS, size=8)
    first, second = "it is good but hot", "hot but it is good"
    for model, same in ((bag, True), (rnn, False)):
        probabilities = hw04.model.predict_probabilities(model, [first, second])
        assert np.isclose(probabilities[0], probabilities[1], rtol=0, atol=1e-6) == same


# ---- the model


def test_padding_and_neighbours_never_change_a_prediction(hw04, rnn):
    sentences = ["good day", "it is hot", " ".join(WORDS * 3), " ".join(WORDS * 5)]
    rows = rnn.get_layer("words").encode(sentences)
    together = hw04.model.predict_probabilities(rnn, sentences)
    for index, sentence in enumerate(sentences):
        words = len(sentence.split())
        for length in (words, words + 1, 40):
            log_odds = float(keras.ops.convert_to_numpy(rnn(rows[index : index + 1, :length]))[0, 0])
            assert 1 / (1 + np.exp(-log_odds)) == pytest.approx(together[index], abs=1e-6)
    assert len(np.unique(together.round(6))) == 4


def test_summary_by_hand(hw04):
    x = np.array([[[1.0, -5.0], [3.0, -7.0], [99.0, 99.0]]], np.float32)
    found = hw04.model.Summary()(x, mask=np.array([[True, True, False]]))
    assert keras.ops.convert_to_numpy(found).tolist() == [[3.0, -5.0, 2.0, -6.0]]


def test_encode(hw04, rnn):
    words = rnn.get_layer("words")
    rows = words.encode(["good  bad\tday", "never 🙂 seen", "", "day " * 50])
    assert rows.shape == (4, 40)
    assert rows[0, :4].tolist() == [2, 3, 4, 0]
    assert rows[1, :4].tolist() == [1, 1, 1, 0]
    assert rows[2, :2].tolist() == [1, 0]  # no word at all counts as one unknown word
    assert rows[3].tolist() == [4] * 40


def test_vectors_are_placed_at_their_words(hw04, rnn):
    vectors = np.arange(56, dtype=np.float32).reshape(7, 8)
    words = rnn.get_layer("words")
    words.set_vectors(vectors)
    assert np.array_equal(words(np.array([[2, 8]]))[0], vectors[[0, 6]])
    assert np.allclose(words(np.array([[1]]))[0, 0], vectors.mean(axis=0))
    assert not np.any(words(np.array([[0]])))


@pytest.mark.full
def test_own_sentences_are_read_in_the_files_style_and_their_words_weighed(
    hw04, rnn, whole_set, tmp_path, capsys, monkeypatch
):
    hw04.train.main(["--data-dir", str(whole_set), "--out-dir", str(tmp_path), *SHORT])
    argv, text = ["--out-dir", str(tmp_path)], "It IS hot, but it's a good_day!"
    style = "it is hot , but it ' s a good_day !"
    assert hw04.dataset.in_the_files_style(text) == style
    capsys.readouterr()
    table = hw04.predict.main([*argv, "--text", text, "xyzzy plugh"])
    model = hw04.model.load_model(tmp_path / "model.keras")
    assert table.text[0] == style
    assert table.probability[0] == pytest.approx(
        hw04.model.predict_probabilities(model, [style])[0], abs=1e-5
    )
    printed = capsys.readouterr().out
    assert f"{table.probability[0]:.3f} positive   {style}" in printed
    assert "not known: every word" in printed
    without = hw04.model.predict_probabilities(model, [style.replace("hot ", "")])[0]
    difference = np.log(table.probability[0] / (1 - table.probability[0])) - np.log(without / (1 - without))
    assert table.words[0]["hot"] == pytest.approx(difference, abs=1e-3)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"it is hot\n\nit is good\n")))
    assert list(hw04.predict.main([*argv, "--text", "-"]).text) == ["it is hot", "it is good"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9")))
    check_sentence(hw04, capsys, [*argv, "--text", "-"], "not UTF-8", script="predict")
    hw04.predict.main([*argv, "--text", "hot " * 50])
    assert "the first 40 of 50 words" in capsys.readouterr().out
    for wrong, words in (
        ("", "is empty"),
        (" \n", "is empty"),
        ("x" * 10_001, "10,001 characters"),
        ("caf\udce9", "not UTF-8 text"),
    ):
        check_sentence(hw04, capsys, [*argv, "--text", wrong], words, script="predict")


@pytest.mark.parametrize("frozen", [False, True])
def test_frozen_vectors_are_not_trained(hw04, frozen):
    model = hw04.model.build_rnn(WORDS, size=8, units=4, frozen=frozen)
    names = [variable.path for variable in model.trainable_variables]
    assert any("words" in name for name in names) != frozen


def test_batches_lose_nobody_and_have_few_shapes(hw04):
    rng = np.random.default_rng(0)
    rows = np.zeros((100, 40), np.int32)
    for row, count in zip(rows, rng.integers(1, 41, 100)):
        row[:count] = 1
    for shuffle in (None, rng):
        cut = hw04.model.batches(rows, 16, shuffle)
        if shuffle:
            assert {len(indices) for indices, _ in cut} == {16}
        else:
            assert {len(indices) for indices, _ in cut} <= {1, 2, 4, 8, 16}
        assert set(np.concatenate([indices for indices, _ in cut])) == set(range(100))
        for indices, length in cut:
            assert length in (8, 12, 16, 20, 24, 28, 32, 36, 40)
            assert not rows[indices, length:].any()
            assert rows[indices, length - 4 if length > 8 else 0].all()


def test_the_model_file_is_the_whole_artefact(hw04, rnn, tmp_path):
    sentences = ["good day", "bad hot day"]
    whole = hw04.model.with_ngrams(rnn, *hw04.ngrams.fit_ngrams(sentences * 20, np.array([1, 0] * 20)))
    for model in (rnn, whole):
        model.save(tmp_path / "model.keras")
        loaded = hw04.model.load_model(tmp_path / "model.keras")
        assert hw04.model.network_of(loaded).get_layer("words").words == WORDS
        assert np.array_equal(
            hw04.model.predict_probabilities(loaded, sentences),
            hw04.model.predict_probabilities(model, sentences),
        )


# ---- the language model


def test_sampled_cross_entropy_is_the_whole_one_when_all_words_are_drawn(hw04):
    rng = np.random.default_rng(0)
    context, vectors, bias = (rng.normal(size=size).astype(np.float32) for size in ((2, 3, 4), (7, 4), (7,)))
    target = rng.integers(0, 7, (2, 3)).astype(np.int32)
    found = hw04.language_model.sampled_cross_entropy(
        context, target, np.arange(7, dtype=np.int32), vectors, bias, np.zeros(7, np.float32)
    )
    scores = context @ vectors.T + bias
    own = np.take_along_axis(scores, target[..., None], axis=-1)[..., 0]
    expected = np.log(np.exp(scores).sum(axis=-1)) - own
    assert np.allclose(keras.ops.convert_to_numpy(found), expected, atol=1e-5)


def test_a_guess_sees_only_the_words_before_it_or_only_those_after(hw04, rnn):
    words, lstm = rnn.layers[1], rnn.layers[3]
    model = hw04.language_model.LanguageModel(words, lstm, np.zeros(9, np.float32))
    row, drawn = np.array([[2, 3, 4, 5, 0, 0]], np.int32), np.array([6, 7], np.int32)

    def guesses(row):
        entropies, there = model((row, drawn))
        assert keras.ops.convert_to_numpy(there)[0].tolist() == [1, 1, 1, 0, 0] * 2
        return keras.ops.convert_to_numpy(entropies)[0].reshape(2, 5)

    before, after = guesses(row), guesses(row + np.array([[0, 0, 0, 3, 0, 0]], np.int32))  # another last word
    same = np.isclose(before, after, atol=1e-6)[:, :3]
    assert same.tolist() == [[True, True, False], [False, False, False]]


def test_the_language_model_changes_words_and_lstm_and_learns(hw04, rnn, tmp_path, monkeypatch):
    for name, value in (("EPOCHS", 5), ("LEARNING_RATE", 0.01)):
        monkeypatch.setattr(hw04.language_model, name, value)
    args = hw04.train.parse_args(["--out-dir", str(tmp_path), "--epochs", "5", "--batch-size", "8"])
    before = rnn.get_weights()
    hw04.language_model.pretrain(args, rnn, rnn.get_layer("words").encode(["it is good but hot"] * 200))
    with np.load(tmp_path / "checkpoint_language_model.npz") as found:
        rows = json.loads(str(found["words"]))["rows"]
    assert rows[-1]["cross_entropy"] < rows[0]["cross_entropy"] - 0.5
    changed = [not np.array_equal(a, b) for a, b in zip(before, rnn.get_weights())]
    assert changed == [True] * 7 + [False] * 2  # all but the logit's
    args.resume, kept = True, rnn.get_weights()
    rnn.set_weights(before)
    hw04.language_model.pretrain(args, rnn, rnn.get_layer("words").encode(["it is good but hot"] * 200))
    assert all(np.array_equal(a, b) for a, b in zip(kept, rnn.get_weights()))


# ---- self-training


def test_pseudo_labels_are_exactly_those_over_the_threshold(hw04_light):
    probabilities = [0.1, 0.2, 0.25, 0.5, 0.75, 0.8, 0.81, 1.0]
    indices, labels = hw04_light.selftraining.pseudo_labels(probabilities, 0.75)
    assert indices.tolist() == [0, 1, 5, 6, 7]
    assert labels.tolist() == [0, 0, 1, 1, 1]
    assert len(hw04_light.selftraining.pseudo_labels(probabilities, 1.0)[0]) == 0
    indices, labels = hw04_light.selftraining.pseudo_labels(probabilities)  # without one, all lines
    assert indices.tolist() == list(range(8))
    assert labels.tolist() == probabilities


def test_n_grams_know_letters_and_no_order(hw04):
    sentences, labels = ["so goood it is", "so baaad it is"] * 50, np.array([1, 0] * 50)
    weights, bias = hw04.ngrams.fit_ngrams(sentences, labels)
    layer = hw04.model.Ngrams()
    numbers = hw04.ngrams.numbered(["gooood", "baaaad", "xyz", "is so it", "it so is"])
    layer.build(numbers.shape)
    layer.set_weights([np.concatenate([[0], weights]), bias])
    logits = keras.ops.convert_to_numpy(layer(numbers))[:, 0]
    assert logits[0] > 0.2
    assert logits[1] < -0.2
    assert abs(logits[2]) < 0.05
    assert logits[3] == pytest.approx(logits[4], abs=0.1)
    # by hand: n-grams of words and of characters, each by the root of their number
    table = hw04.ngrams.hashed(["gooood"]).toarray()[0]
    parts = np.split(table, 2), np.split(weights, 2)
    by_hand = bias + sum(there @ w / np.sqrt(there.sum()) for there, w in zip(*parts))
    assert logits[0] == pytest.approx(by_hand, abs=1e-5)
    assert parts[0][0].sum() == 1  # a word, and no pair of words
    padded = np.pad(numbers, [(0, 0), (0, 7)])
    assert np.allclose(keras.ops.convert_to_numpy(layer(padded))[:, 0], logits)


def test_n_grams_are_fitted_as_scikit_learn_does_with_inverse_document_frequencies(hw04, monkeypatch):
    monkeypatch.setattr(hw04.ngrams, "PENALTIES", (0.3,))
    rng = np.random.default_rng(0)
    sentences = [" ".join(rng.choice(WORDS, 5)) for _ in range(60)]
    labels = np.array(["good" in sentence for sentence in sentences]).astype(int)
    weights, bias = hw04.ngrams.fit_ngrams(sentences, labels)
    columns = []
    for kind in hw04.ngrams.KINDS:
        seen = kind.transform(sentences).toarray()
        frequency = np.log((1 + len(seen)) / (1 + seen.sum(axis=0))) + 1
        used = seen.any(axis=0)
        columns.append((seen / np.sqrt(seen.sum(axis=1, keepdims=True)) * frequency)[:, used])
    theirs = LogisticRegression(C=0.3, max_iter=1000).fit(np.hstack(columns), labels)
    table = hw04.ngrams.hashed(sentences)
    counts = [np.sqrt(half.sum(axis=1)) for half in (table[:, : 2**18], table[:, 2**18 :])]
    ours = bias + sum(
        np.asarray((half @ w) / np.asarray(count).ravel())
        for half, w, count in zip((table[:, : 2**18], table[:, 2**18 :]), np.split(weights, 2), counts)
    )
    assert np.allclose(ours, theirs.decision_function(np.hstack(columns)), atol=1e-3)


def test_the_whole_is_the_mean_of_the_logits_and_learns_with_its_network(hw04, rnn):
    sentences = ["good day", "bad hot day"]
    whole = hw04.model.with_ngrams(rnn, np.zeros(2**19), 2.0)
    for _ in range(2):
        alone, both = (logit(hw04.model.predict_probabilities(model, sentences)) for model in (rnn, whole))
        assert both == pytest.approx((alone + 2) / 2, abs=1e-4)
        rnn.set_weights([2 * weight for weight in rnn.get_weights()])
    assert len(whole.trainable_variables) == len(rnn.trainable_variables)


def test_the_teacher_is_the_best_epoch_and_with_n_grams_or_without(hw04, tmp_path, monkeypatch):
    asked = []
    for flags in ([], ["--no-ngrams"]):
        fit = make_fit(hw04, tmp_path, "--threshold", "0.5", *flags)
        fit.run(rounds=0)
        fit.model.set_weights([0 * weight for weight in fit.model.get_weights()])  # it is not asked
        monkeypatch.setattr(
            hw04.training, "pseudo_labels", lambda probabilities, _: asked.append(probabilities) or ([], [])
        )
        fit.add_pseudo_labels(1)
        lines = hw04.selftraining.fresh_lines(7, 7, 1, 0)
        teacher = hw04.model.load_model(tmp_path / "model.keras")
        best = hw04.model.predict_probabilities(teacher, [fit.unlabelled[line] for line in lines])
        assert not np.allclose(best, 0.5)
        assert np.allclose(asked[-1], best)
        assert len(teacher.inputs) == 1 + (not flags)


def test_no_line_comes_twice_before_all_came_once(hw04_light):
    fresh_lines = hw04_light.selftraining.fresh_lines
    rounds = [fresh_lines(10, 4, number, seed=1) for number in (1, 2, 3)]
    assert sorted(np.concatenate(rounds)[:10]) == list(range(10))
    assert set(rounds[2][2:]) == set(rounds[0][:2])  # the pool was spent
    assert sorted(fresh_lines(3, 4, 1, seed=1)) == [0, 1, 2]
    assert not np.array_equal(fresh_lines(100, 50, 1, seed=1), fresh_lines(100, 50, 1, seed=2))


def test_the_split_keeps_shares_and_parts_apart(hw04_light):
    labels = np.array([0] * 150 + [1] * 50)
    training, validation, put_away = hw04_light.train.split(labels, 0, 60)
    assert [len(part) for part in (training, validation, put_away)] == [60, 20, 120]
    assert sorted(np.concatenate([training, validation, put_away])) == list(range(200))
    assert [labels[part].mean() for part in (training, validation)] == [0.25, 0.25]
    everything, same, nothing = hw04_light.train.split(labels, 0)
    assert (len(everything), len(nothing)) == (180, 0)
    assert np.array_equal(same, validation)  # however many labels are used


def make_fit(hw04, tmp_path, *flags):
    keras.utils.set_random_seed(0)
    args = hw04.train.parse_args(["--out-dir", str(tmp_path), "--rounds", "1", "--epochs", "1", *flags])
    train = ["good day", "bad day"] * 8, np.array([1, 0] * 8)
    validation = ["good it", "bad it"], np.array([1, 0])
    model = hw04.model.build_bag(WORDS, size=8)
    return hw04.training.Fit(args, model, train, validation, [f"{word} {word}" for word in WORDS])


def test_a_student_starts_anew_and_the_validation_set_is_never_learnt(hw04, tmp_path, monkeypatch):
    fit = make_fit(hw04, tmp_path, "--threshold", "0.5", "--epochs", "5")
    start = [weight.copy() for weight in fit.model.get_weights()]
    seen = []

    def train_epoch(rng, train_epoch=fit.train_epoch):
        seen.append([weight.copy() for weight in fit.model.get_weights()])
        return train_epoch(rng)

    monkeypatch.setattr(fit, "train_epoch", train_epoch)
    history = fit.run(rounds=1)
    assert list(history["round"]) == [0] * 5 + [1] * 5
    for index in (0, 5):  # before the labels alone, and before the first epoch of the student
        assert all(np.array_equal(a, b) for a, b in zip(seen[index], start))
    assert sorted(fit.pseudo.line) == list(range(7))
    vectors = fit.model.get_layer("words").embeddings.numpy()
    assert not np.array_equal(vectors, start[0])


def test_an_epoch_reads_labels_and_pseudo_labels_with_their_own(hw04, tmp_path, monkeypatch):
    fit = make_fit(hw04, tmp_path, "--batch-size", "4")
    fit.pseudo = pd.DataFrame({"round": [1, 1], "line": [0, 1], "label": [1, 0]})
    read, rates = [], SimpleNamespace()
    model = SimpleNamespace(train_on_batch=lambda x, y: read.append((x, y)) or 0.5, optimizer=rates)
    monkeypatch.setattr(fit, "model", model)
    monkeypatch.setattr(hw04.training, "LEAST_TWEETS", 32)
    fit.progress = (0, 0.5)
    assert fit.train_epoch(np.random.default_rng(0)) == 0.5
    ninth = 0.001 * (1 + np.cos(np.pi * 0.5 * 8 / 9)) / 2  # step, the last
    assert rates.learning_rate == pytest.approx(ninth)
    rows, labels = (np.concatenate(part) for part in zip(*read))
    assert len(rows) == 36  # 16 labelled, twice for their number, two pseudo labels, and two to fill a batch
    expected = {(2, 4): 1, (3, 4): 0, (2, 2): 1, (3, 3): 0}
    assert {tuple(row[:2]): label for row, label in zip(rows, labels[:, 0])} == expected


def test_what_is_validated_has_the_average_of_the_weights(hw04, tmp_path):
    fit = make_fit(hw04, tmp_path)
    fit.train_epoch(np.random.default_rng(0))
    last = [weight.copy() for weight in fit.model.get_weights()]
    means = [np.asarray(mean) for mean in fit.model.optimizer._model_variables_moving_average]
    fit.average()
    assert any(not np.allclose(a, b) for a, b in zip(means, last))
    assert all(np.array_equal(a, b) for a, b in zip(fit.averaged.get_weights(), means))
    assert all(np.array_equal(a, b) for a, b in zip(fit.model.get_weights(), last))


def test_judge_by_hand(hw04, tmp_path, monkeypatch):
    fit = make_fit(hw04, tmp_path)
    monkeypatch.setattr(
        hw04.training, "predict_probabilities", lambda model, _: np.array([0.8, 0.4], np.float32)
    )
    monkeypatch.setattr(fit, "ngram_logits", 2 * logit([0.8, 0.6]) - logit([0.8, 0.4]))
    found = fit.evaluate()
    assert found["accuracy"] == 0.5
    assert found["network_accuracy"] == 1
    assert found["validation_loss"] == pytest.approx(-(np.log(0.8) + np.log(0.4)) / 2, abs=1e-6)


def test_only_what_may_be_learnt_is_learnt_from(hw04, spoilt, tmp_path, monkeypatch):
    found = {}
    sentences, labels = hw04.dataset.load_labelled(spoilt)
    for index in hw04.train.split(labels, 0)[1]:
        sentences[index] += " validating"
    lines = [f"{label} +++$+++ {text}" for label, text in zip(labels, sentences)]
    (spoilt / "training_label.txt").write_text("\n".join(lines), encoding="utf-8")

    def look(args, model, train, validation, unlabelled):
        found.update(train=train, validation=validation, unlabelled=unlabelled, model=model)
        raise hw04.scaffold.BadInput("seen.")

    monkeypatch.setattr(hw04.training, "Fit", look)
    argv = ["--data-dir", str(spoilt), "--out-dir", str(tmp_path), "--labelled", "50", "--epochs", "1"]
    with pytest.raises(hw04.scaffold.BadInput):
        hw04.train.main(argv)
    assert (len(found["train"][0]), len(found["validation"][0]), len(found["unlabelled"])) == (50, 40, 2310)
    assert not set(found["validation"][0]) & set(found["train"][0])
    pairs = set(zip(sentences, labels))
    assert set(zip(*found["train"])) | set(zip(*found["validation"])) <= pairs
    known = found["model"].get_layer("words").words
    assert "ümlaut" not in known  # a word of the test file alone
    assert "validating" not in known  # or of the validation set
    assert not any(np.isnan(weight).any() for weight in found["model"].get_weights())


def test_vectors_are_the_same_for_a_seed_and_kept_as_text(hw04, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    sentences = [" ".join(rng.choice(["tea", "cup", "pot", "🙂", "“x”"], 5)) for _ in range(50)]
    first = hw04.vectors.word_vectors(tmp_path / "vectors.txt", sentences, 3)
    assert sorted(first.index_to_key) == sorted(["tea", "cup", "pot", "🙂", "“x”"])
    again = hw04.vectors.word_vectors(tmp_path / "again.txt", sentences, 3)
    assert np.array_equal(first.vectors, again.vectors)
    for others in ((sentences[1:], 3), (sentences, 4)):
        with pytest.raises(hw04.scaffold.BadInput, match="other tweets or of another --seed"):
            hw04.vectors.word_vectors(tmp_path / "vectors.txt", *others, resume=True)
    monkeypatch.setattr(hw04.vectors, "skip_gram", None)  # nothing is learnt anew
    kept = hw04.vectors.word_vectors(tmp_path / "vectors.txt", sentences, 3, resume=True)
    monkeypatch.undo()
    assert kept.index_to_key == first.index_to_key
    assert np.allclose(kept.vectors, first.vectors, atol=1e-6)
    small, infinite = "1 2\ntea 0.1 0.2\n", "1 200\ntea" + " inf" * 200 + "\n"
    for edited in ("3 200\ntea 0.1 0.2\n", small, infinite, "", "0 200\n", "9" * 30 + " 200\n"):
        (tmp_path / "vectors.txt").write_text(edited)
        with pytest.raises(hw04.scaffold.BadInput, match="leave out --resume"):
            hw04.vectors.word_vectors(tmp_path / "vectors.txt", sentences, 3, resume=True)
    drawn = hw04.vectors.word_vectors(tmp_path / "drawn.txt", sentences, 3, drawn=True)
    assert not np.allclose(drawn.vectors, first.vectors[: len(drawn)])
    assert not (tmp_path / "drawn.txt").exists()
    hw04.vectors.word_vectors(tmp_path / "again.txt", sentences, 3)
    drawn_again = hw04.vectors.word_vectors(tmp_path / "again.txt", sentences, 3, drawn=True, resume=True)
    np.testing.assert_array_equal(drawn_again.vectors, drawn.vectors)


# ---- the files


def test_any_text_survives(hw04_light, tmp_path):
    text = 'a , b +++$+++ c,d \x85\u2028 "x" 🙂'
    (tmp_path / "training_label.txt").write_bytes(f"\ufeff1 +++$+++ {text}\r\n0 +++$+++ no\r\n".encode())
    (tmp_path / "training_nolabel.txt").write_bytes(f"{text}\n\n \nyes".encode())
    (tmp_path / "testing_data.txt").write_bytes(f"id,text\r\n7,{text}\r\n8,\r\n".encode())
    sentences, labels = hw04_light.dataset.load_labelled(tmp_path)
    assert sentences == [text, "no"]
    assert labels.tolist() == [1, 0]
    assert hw04_light.dataset.load_unlabelled(tmp_path) == [text, "yes"]
    assert hw04_light.dataset.load_test(tmp_path) == (["7", "8"], [text, ""])
    (tmp_path / "testing_data.txt").write_bytes(b"id,text\r0,a\r1,b\r")
    assert hw04_light.dataset.load_test(tmp_path) == (["0", "1"], ["a", "b"])


BAD = {
    "training_label.txt": [
        (b"1 good day\n", "line 1 has no '+++$+++'"),
        (b"1 +++$+++ good\n2 +++$+++ bad\n", "line 2", "'2'", "expected 0 or 1"),
        (b"1 +++$+++ good\n0 +++$+++  \n", "line 2 has a label and no text"),
        (b"1 +++$+++ good\n0 +++$+++ b\xff\n", "line 2 is not UTF-8"),
        (b"1 +++$+++ good\n1 +++$+++ fine\n", "all labels are 1"),
        (b"", "is empty"),
    ],
    "training_nolabel.txt": [
        (b"\n\n", "is empty"),
        (b"a\nb\n\xe9\n", "line 3 is not UTF-8"),
    ],
    "testing_data.txt": [
        (b"id;text\n0,a\n", "header", "id,text"),
        (b"id;text" * 9, f"the header is '{('id;text' * 9)[:50]}', expected"),
        (b"id,text\n", "no lines"),
        (b"id,text\n0,a\nb c\n", "line 3", "an id and a comma"),
        (b"id,text\n0,a\n0,b\n", "line 3", "the id 0 was there before"),
    ],
}


@pytest.mark.parametrize(
    ("name", "case"), [(name, index) for name, cases in BAD.items() for index in range(len(cases))]
)
def test_bad_files(load_chapter, spoilt, tmp_path, capsys, name, case):
    hw04 = load_chapter(CHAPTER, "dataset", "train", "predict")
    data, *words = BAD[name][case]
    (spoilt / name).write_bytes(data)
    script = "train"
    if name == "testing_data.txt":
        script = "predict"
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "model.keras").touch()
        write_metrics(hw04, tmp_path / "out", "model.keras")
    argv = ["--data-dir", spoilt, "--out-dir", tmp_path / "out"]
    check_sentence(hw04, capsys, argv, spoilt / name, *words, "try --synthetic", script=script)
    assert not list((tmp_path / "out").glob("*.csv"))


@pytest.mark.parametrize(
    "flag",
    [
        "--epochs 0",
        "--batch-size 0",
        "--learning-rate -1",
        "--seed -1",
        "--seed 2147483648",
        "--rounds 101",
        "--threshold 0.4",
        "--threshold 1.1",
        "--rounds -1",
        "--unlabelled-per-round 0",
        "--labelled 1",
        "--labelled 361",
    ],
)
def test_bad_flags(load_chapter, whole_set, tmp_path, capsys, flag):
    hw04 = load_chapter(CHAPTER, "dataset", "train")
    argv = ["--data-dir", whole_set, "--out-dir", tmp_path, *flag.split()]
    check_sentence(hw04, capsys, argv, flag.split()[0], flag.split()[1], "expected")


def test_a_file_of_another_name_is_named(load_chapter, spoilt, tmp_path, capsys):
    hw04 = load_chapter(CHAPTER, "dataset", "train")
    (spoilt / "new").mkdir()
    there = (spoilt / "training_label.txt").rename(spoilt / "new" / "training_label_new.txt")
    words = "training_label.txt is missing", f"but there is {there}: rename it"
    check_sentence(hw04, capsys, ["--data-dir", spoilt, "--out-dir", tmp_path / "out"], *words)


def test_too_few_tweets_of_a_label(load_chapter, spoilt, tmp_path, capsys):
    hw04 = load_chapter(CHAPTER, "dataset", "train")
    lines = ["1 +++$+++ good"] * 50 + ["0 +++$+++ bad"] * 9
    (spoilt / "training_label.txt").write_text("\n".join(lines))
    check_sentence(hw04, capsys, ["--data-dir", spoilt, "--out-dir", tmp_path], "9 lines", "at least 10")


def test_bad_models(hw04, whole_set, tmp_path, capsys):
    argv = ["--data-dir", whole_set, "--out-dir", tmp_path]
    check_sentence(hw04, capsys, argv, "model.keras", "run train.py first", script="predict")
    (tmp_path / "model.keras").write_bytes(b"PK half")
    write_metrics(hw04, tmp_path, "model.keras")
    check_sentence(hw04, capsys, argv, "model.keras is no whole Keras model", script="predict")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.save(tmp_path / "model.keras")
    write_metrics(hw04, tmp_path, "model.keras")
    check_sentence(hw04, capsys, argv, "model.keras", "run train.py again", script="predict")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="words")])
    model.save(tmp_path / "model.keras")
    write_metrics(hw04, tmp_path, "model.keras")
    check_sentence(hw04, capsys, argv, "model.keras", "run train.py again", script="predict")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.json", "model.keras"]


def test_a_tweet_with_a_line_end_of_its_own_is_one_row_of_the_pseudo_labels(hw04, tmp_path):
    fit = make_fit(hw04, tmp_path)
    fit.unlabelled[:2] = ["good\rday", 'a "quoted" one']
    fit.pseudo = pd.DataFrame({"round": [1, 1], "line": [0, 1], "label": [1, 0]})
    fit.save()
    assert list(pd.read_csv(tmp_path / "pseudo_labels.csv").text) == fit.unlabelled[:2]


# ---- going on


@pytest.mark.full
def test_a_stopped_training_goes_on_as_if_it_had_not_been(hw04, whole_set, tmp_path, monkeypatch, capsys):
    short = ["--data-dir", str(whole_set), "--epochs", "1", "--model", "bag"]
    argv = [*short, "--rounds", "1", "--out-dir"]
    hw04.train.main([*argv, str(tmp_path / "whole")])

    def stopped(self, save=hw04.training.Fit.save):
        save(self)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(hw04.training.Fit, "save", stopped)
        for flags in ([], ["--resume"], ["--resume"]):  # after an epoch, after the teaching, after an epoch
            with pytest.raises(KeyboardInterrupt):
                hw04.train.main([*argv, str(tmp_path / "cut"), *flags])
    hw04.train.main([*argv, str(tmp_path / "cut"), "--resume"])
    whole, cut = (pd.read_csv(tmp_path / name / "history.csv") for name in ("whole", "cut"))
    columns = ["epoch", "round", "pseudo_labels", "loss", "validation_loss", "accuracy"]
    pd.testing.assert_frame_equal(whole[columns], cut[columns], rtol=1e-4)
    scores = [
        json.loads((tmp_path / name / "metrics.json").read_text())["score"] for name in ("whole", "cut")
    ]
    assert scores[0] == scores[1]
    given = [(tmp_path / name / "pseudo_labels.csv").read_bytes() for name in ("whole", "cut")]
    assert given[0] == given[1]
    without = [*short, "--out-dir", str(tmp_path / "cut"), "--resume", "--no-self-training"]
    check_sentence(hw04, capsys, without, "has rounds of self-training", "leave out --resume")


@pytest.mark.full
def test_a_resume_that_does_not_fit(hw04, whole_set, tmp_path, capsys):
    argv = ["--data-dir", whole_set, "--out-dir", tmp_path, *SHORT]
    hw04.train.main([str(argument) for argument in [*argv, "--rounds", "0"]])
    check_sentence(
        hw04, capsys, [*argv, "--resume", "--seed", "1"], "of another --seed", "leave out --resume"
    )
    (tmp_path / "checkpoint.npz").write_bytes(b"PK half")
    check_sentence(hw04, capsys, [*argv, "--resume"], "checkpoint.npz", "is damaged", "leave out --resume")


def test_not_a_number_stops_with_the_last_good_files(hw04, whole_set, tmp_path, capsys, monkeypatch):
    argv = ["--data-dir", whole_set, "--out-dir", tmp_path, *SHORT]
    monkeypatch.setattr(hw04.training.Fit, "train_epoch", lambda self, rng: np.nan)
    check_sentence(hw04, capsys, argv, "epoch 1", "not a number", "--learning-rate")
    assert not (tmp_path / "model.keras").exists()


# ---- throughput


def test_the_peer_is_asked_for_in_a_sentence(hw04, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    with pytest.raises(hw04.scaffold.BadInput, match="PyTorch is not installed"):
        hw04.throughput.main(["torch", "--steps", "5"])


@pytest.mark.full
def test_throughput_is_a_number(hw04, capsys):
    hw04.throughput.main(["keras", "--steps", "5"])
    assert int(capsys.readouterr().out) > 0


# ---- what nothing else looks at


def test_what_is_drawn_often_counts_the_less(hw04):
    """log q is subtracted from the scores, of the target too."""
    rng = np.random.default_rng(0)
    context, vectors, bias, log_q = (
        rng.normal(size=size).astype(np.float32) for size in ((2, 3, 4), (7, 4), (7,), (7,))
    )
    target = rng.integers(0, 7, (2, 3)).astype(np.int32)
    found = hw04.language_model.sampled_cross_entropy(
        context, target, np.arange(7, dtype=np.int32), vectors, bias, log_q
    )
    scores = context @ vectors.T + bias - log_q
    own = np.take_along_axis(scores, target[..., None], axis=-1)[..., 0]
    expected = np.log(np.exp(scores).sum(axis=-1)) - own
    assert np.allclose(keras.ops.convert_to_numpy(found), expected, atol=1e-5)


def test_the_rate_falls_through_a_round_and_begins_anew_in_the_next(hw04, tmp_path, monkeypatch):
    fit = make_fit(hw04, tmp_path, "--threshold", "0.5", "--epochs", "4")
    seen = []
    monkeypatch.setattr(fit, "train_epoch", lambda rng: seen.append(fit.progress) or 0.5)
    fit.run(rounds=1)
    quarters = [(0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)]
    assert seen == quarters * 2


def test_a_line_that_comes_again_has_its_newest_label(hw04, tmp_path, monkeypatch):
    fit = make_fit(hw04, tmp_path, "--threshold", "0.5", "--no-ngrams")
    fit.run(rounds=0)
    for number, label in ((1, 0.0), (2, 1.0)):  # of seven lines all are asked about each time
        monkeypatch.setattr(
            hw04.training,
            "pseudo_labels",
            lambda probabilities, _, label=label: (np.arange(7), np.full(7, label)),
        )
        fit.add_pseudo_labels(number)
    assert sorted(fit.pseudo.line) == list(range(7))
    assert (fit.pseudo.label == 1).all()
    assert (fit.pseudo["round"] == 2).all()
