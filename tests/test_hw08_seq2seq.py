"""Homework 8: attention, masks, beam search and BLEU by hand, learning by heart, going on, and bad input."""

import io
import itertools
import json
import shutil
import sys

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import check_sentence, write_metrics
from keras import ops

CHAPTER = "hw08_seq2seq"
KINDS = ["seq2seq", "attention", "transformer"]
ENGLISH = ["a", "b", "c", "d", "e", "f"]
CHINESE = ["一", "二", "三", "四", "五", "六", "七"]
TRIAL = ["--model", "seq2seq", "--epochs", "1", "--units", "16"]


@pytest.fixture
def hw08(load_chapter):
    return load_chapter(CHAPTER)


@pytest.fixture
def hw08_light(load_chapter):
    """The modules that need no TensorFlow."""
    return load_chapter(CHAPTER, "dataset", "bleu", "train")


@pytest.fixture
def spoilt(whole_set, tmp_path):
    """A copy of the set, to spoil."""
    return shutil.copytree(whole_set, tmp_path / "spoilt")


@pytest.fixture
def small(whole_set, tmp_path):
    """The set with 100 pairs to train and 10 to validate and to test, for trials in seconds."""
    folder = shutil.copytree(whole_set, tmp_path / "small")
    for name, count in (("training", 100), ("validation", 10), ("testing", 10)):
        lines = (whole_set / f"{name}.txt").read_text("utf-8").splitlines(keepends=True)
        (folder / f"{name}.txt").write_text("".join(lines[:count]), "utf-8")
    return folder


@pytest.fixture
def untrained(hw08, tmp_path):
    """untrained(folder, kind) writes out/model.keras, which knows the folder's words and no more."""

    def make(folder, kind="attention"):
        (tmp_path / "out").mkdir()
        keras.utils.set_random_seed(0)
        model = hw08.model.build_model(kind, *hw08.dataset.load_vocabularies(folder), 16, 0.0)
        model.save(tmp_path / "out" / "model.keras")
        write_metrics(hw08, tmp_path / "out", "model.keras")
        return tmp_path / "out"

    return make


def build(hw08, kind, units=16, dropout=0.0, sampled=False, sharp=1.0):
    """A model of few words with random weights; sharp makes its logits, and so its choices, clearer."""
    keras.utils.set_random_seed(0)
    english, chinese = (
        hw08.dataset.Vocabulary([*hw08.dataset.SPECIAL, *words]) for words in (ENGLISH, CHINESE)
    )
    model = hw08.model.build_model(kind, english, chinese, units, dropout, sampled)
    model.target_embedding.embeddings.assign(sharp * model.target_embedding.embeddings)
    return model


def sentences(hw08, model, count=12, longest=7, seed=0):
    """Random sentences as int32 (count, length), of many lengths."""
    rng = np.random.default_rng(seed)
    words = [list(rng.choice(ENGLISH, rng.integers(1, longest + 1))) for _ in range(count)]
    return hw08.dataset.Vocabulary(model.english).encode(words)


# --- BLEU -----------------------------------------------------------------


def test_bleu_by_hand(hw08_light):
    bleu = hw08_light.bleu.sentence_bleu
    assert bleu("他很高。", "他很高。") == 1
    assert bleu("他高。", "他很高。") == pytest.approx(np.exp(1 - 4 / 3))  # all right, one short
    assert bleu("他很很高。", "他很高。") == pytest.approx(
        4 / 5
    )  # a character counts once; too long is not punished
    assert bleu("她矮", "他很高。") == 0
    assert bleu("", "他很高。") == 0
    assert bleu("高他", "他很高。") == pytest.approx(np.exp(1 - 4 / 2))  # the order is not looked at
    assert hw08_light.bleu.bleu_1(["他高。", "他很高。"], ["他很高。"] * 2) == pytest.approx(
        (np.exp(-1 / 3) + 1) / 2
    )


def test_chinese_is_cut_into_characters(hw08_light):
    """A run of Latin letters stays whole, and no word of the training is unknown."""
    dataset = hw08_light.dataset
    pairs = [dataset.Pair(["i"], ["借手机", "Tom", "10", "。"]), dataset.Pair(["no"], ["手", "。"])]
    cut = dataset.in_characters(pairs)
    assert [pair.chinese for pair in cut] == [["借", "手", "机", "Tom", "10", "。"], ["手", "。"]]
    assert [pair.english for pair in cut] == [["i"], ["no"]]
    vocabulary = dataset.chinese_vocabulary(cut)
    assert vocabulary.words == [*dataset.SPECIAL, "。", "手", "10", "Tom", "借", "机"]
    for whole, ids in zip(pairs, vocabulary.encode([pair.chinese for pair in cut])):
        assert dataset.UNK not in ids
        assert "".join(vocabulary.decode(ids)) == "".join(whole.chinese)


def test_a_line_that_was_not_cut_into_words_does_not_set_the_width(hw08_light, capsys):
    dataset = hw08_light.dataset
    cut = dataset.in_characters([dataset.Pair(["i"], ["我" * 60_000]), dataset.Pair(["no"], ["手"])])
    assert [len(pair.chinese) for pair in cut] == [dataset.MAX_TOKENS, 1]
    assert "1 Chinese sentences were cut to 200 characters" in capsys.readouterr().out


def test_characters(hw08_light):
    split = hw08_light.bleu.characters
    assert split("我有10 本DVD。") == ["我", "有", "10", "本", "DVD", "。"]
    assert split("體育館？") == ["體", "育", "館", "？"]


def test_corpus_bleu_is_sacrebleus(hw08_light):
    bleu = hw08_light.bleu.corpus_bleu_4
    assert bleu(["他很高。我也是。"], ["他很高。我也是。"]) == pytest.approx(100)
    assert bleu(["他 很 高。我也是。"], ["他很高。我也是。"]) == pytest.approx(
        100
    )  # by characters, not words
    assert bleu(["他很高。"] * 2, ["他很高。", "我不知道。"]) < 60


# --- attention ------------------------------------------------------------


def test_additive_attention_by_hand(hw08):
    layer = hw08.recurrent.AdditiveAttention(2)
    memory = np.array([[[1.0, 0.0], [0.0, 2.0], [9.0, 9.0]]], np.float32)
    query, mask = np.array([[1.0]], np.float32), np.array([[1.0, 1.0, 0.0]], np.float32)
    layer(query, layer.keys(memory), memory, mask)
    layer.query_map.set_weights([np.array([[0.5, -0.5]])])
    layer.key_map.set_weights([np.eye(2), np.array([0.1, 0.2])])
    layer.v.assign([2.0, 1.0])
    context, weights = layer(query, layer.keys(memory), memory, mask)
    scores = [2 * np.tanh(0.5 + 1.1) + np.tanh(-0.5 + 0.2), 2 * np.tanh(0.5 + 0.1) + np.tanh(-0.5 + 2.2)]
    right = np.exp(scores) / np.exp(scores).sum()
    np.testing.assert_allclose(weights[0], [*right, 0], rtol=1e-5)
    np.testing.assert_allclose(context[0], [right[0], 2 * right[1]], rtol=1e-5)


def test_multi_head_attention_by_hand(hw08):
    """Two heads of three numbers: softmax(Q K^T / sqrt(3)) V in each, side by side, then the output's map."""
    layer, rng = hw08.transformer.MultiHeadAttention(6, 2, 0.0), np.random.default_rng(0)
    x, memory = rng.normal(size=(1, 4, 6)).astype(np.float32), rng.normal(size=(1, 5, 6)).astype(np.float32)
    visible = np.array([[[True, True, True, True, False]]])
    layer(x, layer.keys_values(memory), visible)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.get_weights()])
    maps = (layer.query_map, layer.key_map, layer.value_map, layer.output_map)
    query, key, value, output = ([np.asarray(weight) for weight in each.weights] for each in maps)
    queries = x[0] @ query[0] + query[1]
    keys, values = (memory[0, :4] @ kernel + bias for kernel, bias in (key, value))
    heads, means = [], np.zeros((4, 4))
    for part in (slice(0, 3), slice(3, 6)):
        scores = np.exp(queries[:, part] @ keys[:, part].T / np.sqrt(3))
        weights = scores / scores.sum(axis=1, keepdims=True)
        heads.append(weights @ values[:, part])
        means += weights / 2
    attended, weights = layer(x, layer.keys_values(memory), visible)
    np.testing.assert_allclose(attended[0], np.hstack(heads) @ output[0] + output[1], rtol=1e-4)
    np.testing.assert_allclose(weights[0], np.pad(means, [(0, 0), (0, 1)]), atol=1e-5)


@pytest.mark.parametrize("kind", ["attention", "transformer"])
def test_weights_sum_to_one_and_are_nothing_on_padding(hw08, kind):
    model = build(hw08, kind)
    source = sentences(hw08, model)
    weights = np.asarray(model.attend(source, np.array([[1, 4, 5, 6]] * len(source), np.int32)))
    assert weights.shape == (len(source), 4, source.shape[1])
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
    assert (weights[np.repeat(source[:, None] == 0, 4, axis=1)] == 0).all()
    assert (weights[np.repeat(source[:, None] != 0, 4, axis=1)] > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_decoder_does_not_see_the_future(hw08, kind):
    """Changing the word that goes in at time t changes no output before t, and changes that at t."""
    model = build(hw08, kind)
    source = sentences(hw08, model, count=1)
    target = np.array([[1, 4, 5, 6, 7, 8]], np.int32)
    logits = np.asarray(model((source, target)))
    for time in range(1, 6):
        changed = target.copy()
        changed[0, time] = 10
        differs = np.abs(np.asarray(model((source, changed))) - logits).max(axis=-1)[0]
        assert (differs[:time] < 1e-6).all()
        assert (differs[time:] > 1e-5).all()


@pytest.mark.parametrize("kind", KINDS)
def test_padding_and_neighbours_change_nothing(hw08, kind, monkeypatch):
    model = build(hw08, kind, sharp=5.0)
    source = sentences(hw08, model, count=10)
    target = np.array([[1, 4, 5, 6]], np.int32)
    wider = np.pad(source, [(0, 0), (0, 5)])
    np.testing.assert_allclose(
        model((source, target.repeat(10, axis=0))), model((wider, target.repeat(10, axis=0))), atol=1e-4
    )
    decoding = hw08.decoding.Decoding(model, 3, 5)
    for samplers in (decoding.samplers, []):  # by minimum Bayes risk, and by beam search alone
        decoding.samplers = samplers
        monkeypatch.setattr(hw08.decoding, "SENTENCES", 10)
        together = decoding.translate(wider)
        monkeypatch.setattr(hw08.decoding, "SENTENCES", 1)
        assert decoding.translate(wider) == together


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_at_a_time_is_all_steps_at_once(hw08, kind):
    model = build(hw08, kind)
    source, target = sentences(hw08, model), np.array([[1, 4, 5, 6, 7, 8]] * 12, np.int32)
    (encoded, state), logits = model.start(source, 6), []
    for time in range(6):
        step, state = model.step(target[:, time], time, encoded, state)
        logits.append(step)
    np.testing.assert_allclose(np.stack(logits, axis=1), model((source, target)), atol=1e-4)


def test_sines_know_the_distance(hw08):
    found = np.asarray(hw08.transformer.positions(np.arange(50.0, dtype=np.float32), 16))
    assert found.shape == (50, 16)
    for gap in (1, 3):
        products = (found[10:40] * found[10 + gap : 40 + gap]).sum(axis=1)
        np.testing.assert_allclose(products, products[0], rtol=1e-3)  # the same wherever one is
    model = build(hw08, "transformer")
    found = [np.asarray(model((np.array([source]), np.array([[1]])))) for source in ([4, 5, 2], [5, 4, 2])]
    assert abs(found[0] - found[1]).max() > 1e-4  # without them the order would not matter


# --- the loss, the batches and scheduled sampling ---------------------------


def test_the_loss_counts_no_padding_and_is_smoothed_in_training_alone(hw08):
    model = build(hw08, "attention")
    logits = np.random.default_rng(0).normal(size=(1, 3, 11)).astype(np.float32)
    log_probability = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    y = np.array([[5, 2, 0]], np.int32)
    plain = -(log_probability[0, 0, 5] + log_probability[0, 1, 2]) / 2
    uniform = -log_probability[0, :2].mean()
    assert float(model.compute_loss(None, y, logits, training=False)) == pytest.approx(plain, rel=1e-5)
    smoothed = 0.9 * plain + 0.1 * uniform
    assert float(model.compute_loss(None, y, logits, training=True)) == pytest.approx(smoothed, rel=1e-5)


def test_r_drop_by_hand(hw08):
    """The cross-entropy's mean, and r_drop / 4 times that of KL(p, q) + KL(q, p), without padding."""
    model = build(hw08, "attention")
    model.smoothing, model.r_drop = 0.0, 3.0
    logits = np.random.default_rng(0).normal(size=(2, 3, 11)).astype(np.float32)
    p, q = probability = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    y = np.array([[5, 2, 0]] * 2, np.int32)
    cross_entropy = -np.log(
        [probability[row, time, y[row, time]] for row in (0, 1) for time in (0, 1)]
    ).mean()
    divergences = ((p * np.log(p / q)).sum(axis=-1) + (q * np.log(q / p)).sum(axis=-1)) / 2
    right = cross_entropy + 3 / 2 * divergences[:2].mean()
    assert float(model.compute_loss(None, y, logits, training=True)) == pytest.approx(right, rel=1e-5)
    assert float(model.compute_loss(None, y, logits, training=False)) == pytest.approx(
        cross_entropy, rel=1e-5
    )


def test_batches_shift_the_target_and_lose_nobody(hw08):
    rng = np.random.default_rng(0)
    words = [[f"w{number}"] * rng.integers(1, 20) for number in range(100)]
    vocabulary = hw08.dataset.Vocabulary([*hw08.dataset.SPECIAL, *(f"w{number}" for number in range(100))])
    ids = vocabulary.encode(words)
    batches = hw08.training.Batches(ids, ids, 8, shuffle=True, seed=1)
    first = [batches[index] for index in range(len(batches))]
    seen = []
    for (source, target_in), target_out in first:
        np.testing.assert_array_equal(source, target_out)
        assert (target_in[:, 0] == hw08.dataset.BOS).all()
        np.testing.assert_array_equal(target_in[:, 1:], target_out[:, :-1])
        seen += [vocabulary.decode(row) for row in target_out]
    assert sorted(seen) == sorted(words)
    assert first[0][1].shape[1] != first[1][1].shape[1]
    batches.begin(1)
    later = hw08.training.Batches(ids, ids, 8, shuffle=True, seed=1)
    later.begin(1)
    for index in range(len(batches)):
        np.testing.assert_array_equal(batches[index][1], later[index][1])  # so that --resume repeats it
    assert any(first[index][1].tolist() != batches[index][1].tolist() for index in range(len(batches)))


def test_schedules(hw08_light):
    shares = {name: [f(done) for done in (0, 0.5, 1)] for name, f in hw08_light.train.SCHEDULES.items()}
    assert shares["teacher"] == [1, 1, 1]
    assert shares["linear"] == [1, 0.5, 0]
    assert shares["exponential"] == pytest.approx([1, 0.1, 0.01])
    assert shares["inverse-sigmoid"] == pytest.approx([1, 0.5, 0], abs=0.01)
    assert shares["none"] == [0, 0, 0]


@pytest.mark.parametrize("kind", ["seq2seq", "attention"])
def test_with_no_teaching_a_decoder_is_fed_its_own_words(hw08, kind):
    """Fed with its own words, whatever the right ones are, it says what greedy decoding says."""
    model = build(hw08, kind, sampled=True, sharp=3.0)
    source = sentences(hw08, model, count=5)
    target = np.array([[1, 4, 5, 6, 7]] * 5, np.int32)
    teacher_forced = np.asarray(model((source, target)))
    trained = model((source, target), training=True)  # the share of teacher forcing is 1
    np.testing.assert_allclose(trained, teacher_forced, atol=1e-5)
    model.sampling_cell.teacher_forcing.assign(0.0)
    logits = np.asarray(model((source, target), training=True))
    assert abs(logits - teacher_forced).max() > 0.01
    own = np.insert(logits.argmax(axis=-1)[:, :-1], 0, 1, axis=1).astype(np.int32)
    np.testing.assert_allclose(logits, model((source, own)), atol=1e-5)
    evaluated = model((source, target))  # with teacher forcing, whatever the share
    np.testing.assert_allclose(evaluated, teacher_forced, atol=1e-6)


def test_half_of_the_coins_and_the_weaning(hw08):
    model = build(hw08, "attention", sampled=True)
    model.sampling_cell.teacher_forcing.assign(0.5)
    tossed = np.asarray(model.sampling_cell.draw_mask(np.ones((50, 40, 3), np.float32)))
    assert tossed.shape == (50, 40, 4)
    assert tossed[..., 3].mean() == pytest.approx(0.5, abs=0.05)
    weaning = hw08.recurrent.ScheduledSampling(hw08.train.SCHEDULES["linear"], epochs=4, batches=5)
    weaning.set_model(model)
    weaning.on_epoch_begin(2)
    weaning.on_train_batch_begin(0)
    assert float(model.sampling_cell.teacher_forcing) == pytest.approx(0.5)
    weaning.on_train_batch_begin(1)
    assert float(model.sampling_cell.teacher_forcing) == pytest.approx(0.45)


# --- decoding ---------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_beam_of_one_is_greedy(hw08, kind):
    model = build(hw08, kind, sharp=4.0)
    source = sentences(hw08, model, count=30)
    search, drawn = (
        np.asarray(found)
        for found in (
            hw08.beam_search.beam_search(model, source, 1, 1.0),
            hw08.decoding.sample(model, source, np.zeros((30, 1, 40), np.float32), temperature=0),
        )
    )
    np.testing.assert_array_equal(search, drawn)
    assert len({tuple(row) for row in search[:, 0]}) > 5  # they say different things


class Script:
    """A translator of a world of 9 numbers whose word probabilities depend on the last word alone."""

    chinese = [*"PBEU", "a", "b", "c", "d", "e"]

    def __init__(self, table):
        self.table = np.full((9, 9), 1e-9, np.float32)
        for (last, word), probability in table.items():
            self.table[last, word] = probability

    def start(self, source, limit):
        return [], []

    def __call__(self, inputs):
        return self.step(inputs[1], 0, [], [])[0]

    def step(self, words, time, encoded, state):
        return ops.log(ops.take(ops.convert_to_tensor(self.table), words, axis=0)), state


BOS, EOS, UNK, A, B, C, D, E = 1, 2, 3, 4, 5, 6, 7, 8


def test_beam_search_by_hand(hw08):
    """Greedy goes to a (0.6), after which all is unlikely; to begin with b is better: 0.4 * 0.9 * 0.9."""
    world = Script(
        {(BOS, A): 0.6, (BOS, B): 0.4, (A, EOS): 0.3, (A, A): 0.3, (A, C): 0.4, (B, C): 0.9, (B, EOS): 0.1}
        | {(C, EOS): 0.9, (C, C): 0.1}
    )
    source = np.array([[4, 2], [4, 0]], np.int32)
    search = hw08.beam_search
    greedy, best = (np.asarray(search.beam_search(world, source, beam, 1.0))[:, 0] for beam in (1, 3))
    assert [list(row[:4]) for row in greedy] == [[A, C, EOS, 0]] * 2
    assert [list(row[:4]) for row in best] == [[B, C, EOS, 0]] * 2
    assert search.plain_beam_search(world, source[0], 3, 1.0) == [B, C, EOS]


def test_length_is_made_up_for(hw08):
    """Two words of a mean log-probability that is worse than that of three; their sum is better."""
    world = Script(
        {(BOS, A): 0.5, (BOS, B): 0.499, (A, EOS): 0.5, (A, UNK): 0.5}
        | {(B, C): 0.75, (B, UNK): 0.25, (C, EOS): 0.6, (C, UNK): 0.4}
    )
    source = np.array([[4, 2]], np.int32)
    short, long = (
        list(np.asarray(hw08.beam_search.beam_search(world, source, 2, alpha))[0, 0, :3])
        for alpha in (0.0, 1.0)
    )
    assert short == [A, EOS, 0]  # 0.25 against 0.2246
    assert long == [B, C, EOS]  # 0.25 ** (1 / 2) = 0.5 against 0.2246 ** (1 / 3) = 0.608


def test_an_early_end_does_not_push_out_longer_beginnings(hw08):
    """After three words a EOS has 0.2, b c d 0.192 and b c e 0.18: a word, the last two are likelier."""
    world = Script(
        {(BOS, A): 0.4, (BOS, B): 0.6, (A, EOS): 0.5, (A, UNK): 0.5, (B, C): 1.0, (E, EOS): 1.0}
        | {(C, D): 0.32, (C, E): 0.3, (C, UNK): 0.38, (D, EOS): 0.1, (D, UNK): 0.9}
    )
    found = np.asarray(hw08.beam_search.beam_search(world, np.array([[4, 2]], np.int32), 2, 1.0))
    assert list(found[0, 0, :4]) == [B, C, E, EOS]
    assert hw08.beam_search.plain_beam_search(world, np.array([4, 2]), 2, 1.0) == [B, C, E, EOS]


@pytest.mark.parametrize(("kind", "alpha"), [*((kind, 1.5) for kind in KINDS), ("attention", 0.0)])
def test_the_plain_beam_search_finds_the_same(hw08, kind, alpha, monkeypatch):
    monkeypatch.setattr(hw08.beam_search, "MAX_EXTRA_TOKENS", 3)  # the plain one takes its time
    model = build(hw08, kind, sharp=4.0)
    source = sentences(hw08, model, count=2, longest=3)
    fast = np.asarray(hw08.beam_search.beam_search(model, source, 3, alpha))[:, 0]
    plain = [hw08.beam_search.plain_beam_search(model, row, 3, alpha) for row in source]
    for row, words in zip(fast, plain):
        assert list(row[: len(words)]) == words
        assert not row[len(words) :].any()
    assert len(set(map(tuple, plain))) > 1 or alpha == 0  # then the shortest wins


def test_all_hypotheses_of_a_beam_differ_and_come_in_order(hw08):
    model = build(hw08, "attention", sharp=3.0)
    source = sentences(hw08, model, count=4)
    for row, found in zip(source, np.asarray(hw08.beam_search.beam_search(model, source, 4, 1.0))):
        assert len({tuple(words) for words in found}) == 4
        target_in = np.insert(found[:, :-1], 0, BOS, axis=1)
        logits = np.asarray(model((np.repeat(row[None], 4, axis=0), target_in)))
        log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        log_p = np.take_along_axis(log_p, found[..., None], axis=-1)[..., 0] * (found != 0)
        ranks = log_p.sum(axis=1) / (found != 0).sum(axis=1)
        assert (np.diff(ranks) <= 1e-4).all()


# --- minimum Bayes risk -----------------------------------------------------


def test_samples_follow_the_probabilities(hw08):
    """Of a, b and b c the probabilities are 0.5, 0.3 and 0.2; a temperature of 0.5 squares each step's."""
    world = Script({(BOS, A): 0.5, (BOS, B): 0.5, (A, EOS): 1.0, (B, EOS): 0.6, (B, C): 0.4, (C, EOS): 1.0})
    source = np.array([[4, 2]], np.int32)
    uniform = np.random.default_rng(0).random((1, 4000, 14), dtype=np.float32)
    for temperature, right in ((1.0, [0.5, 0.3, 0.2]), (0.5, [0.5, 0.5 * 36 / 52, 0.5 * 16 / 52])):
        found = np.asarray(hw08.decoding.sample(world, source, uniform, temperature))[0]
        shares = [(found[:, :3] == row).all(axis=1).mean() for row in ([A, EOS, 0], [B, EOS, 0], [B, C, EOS])]
        np.testing.assert_allclose(shares, right, atol=0.03)


def test_the_least_risk_by_hand(hw08):
    """The most frequent sentence is unlike all others; of those, one has most in common with the rest."""
    drawn = [["一"], ["一"], ["二", "三"], ["二", "三", "四"], ["三", "四", "二", "五"]]
    assert hw08.decoding.least_risk(drawn, [1] * 5) == ["二", "三", "四"]
    assert hw08.decoding.least_risk(drawn, [9, 1, 1, 1, 1]) == ["一"]
    assert hw08.decoding.least_risk([["二三"], ["二", "三"], ["四"]], [1, 1, 1.5]) == ["二三"]  # one text
    long = list(
        "一二三四五六"
    )  # is a third right if the reference is short; the short one 0.135 if it is long
    assert hw08.decoding.least_risk([["一", "二"], long], [1, 1]) == long


def test_bleu_of_all_pairs(hw08_light):
    texts = ["他很高。", "他高。", "", "他很很高DVD。", "高"]
    found = hw08_light.bleu.bleu_matrix(texts)
    for (i, hypothesis), (j, reference) in itertools.product(enumerate(texts), repeat=2):
        if reference:
            assert found[i, j] == pytest.approx(hw08_light.bleu.sentence_bleu(hypothesis, reference))


# --- several networks -------------------------------------------------------


def test_an_ensemble_averages_probabilities(hw08, tmp_path):
    models = [build(hw08, kind) for kind in KINDS]
    ensemble = hw08.model.ensemble_of(models)
    source, target = sentences(hw08, models[0]), np.array([[1, 4, 5, 6]] * 12, np.int32)
    mean = np.mean([np.asarray(ops.softmax(model((source, target)))) for model in models], axis=0)
    np.testing.assert_allclose(np.exp(ensemble((source, target))), mean, rtol=1e-4)
    encoded, state = ensemble.start(source, 4)
    for time in range(4):
        logits, state = ensemble.step(target[:, time], time, encoded, state)
        np.testing.assert_allclose(np.exp(logits), mean[:, time], rtol=1e-3)
    weights = np.asarray(ensemble.attend(source, target))
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-4)

    ensemble.save(tmp_path / "model.keras")
    loaded = hw08.model.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded((source, target)), ensemble((source, target)), atol=1e-5)
    decoded = [hw08.decoding.Decoding(model, 2, 3).translate(source) for model in (ensemble, loaded)]
    assert decoded[0] == decoded[1]
    assert hw08.model.ensemble_of(models[:1]) is models[0]
    assert hw08.model.ensemble_of([ensemble, models[0]]).members == [*models, models[0]]


@pytest.mark.parametrize("beam", [1, 4])
def test_unknown_and_padding_are_never_said_and_every_sentence_ends(hw08, beam):
    world = Script(
        {(last, word): p for last in range(9) for word, p in ((0, 0.4), (1, 0.2), (UNK, 0.3), (A, 0.1))}
    )
    source = np.array([[4, 5, 2, 0], [4, 5, 5, 2]], np.int32)
    found = hw08.decoding.Decoding(world, beam).translate(source)
    room = hw08.beam_search.MAX_EXTRA_TOKENS
    assert found == [["a"] * (2 * 3 + room - 1), ["a"] * (2 * 4 + room - 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_beam_finds_what_a_search_of_all_sentences_would(hw08, kind, monkeypatch):
    """With room for every beginning, beam search finds the likeliest of all sentences up to three words."""
    model = build(hw08, kind, sharp=2.0)
    source, alpha = sentences(hw08, model, count=3, longest=3), 1.0
    monkeypatch.setattr(
        hw08.beam_search, "length_limits", lambda source: (ops.full((len(source),), 3, "int32"), 3)
    )
    found = np.asarray(hw08.beam_search.beam_search(model, source, 60, alpha))[:, 0]
    words = range(4, 11)
    candidates = [
        [EOS],
        *([a, EOS] for a in words),
        *([a, b, EOS] for a, b in itertools.product(words, words)),
    ]
    padded = np.array([candidate + [0] * (3 - len(candidate)) for candidate in candidates], np.int32)
    target_in = np.insert(padded[:, :2], 0, BOS, axis=1)
    for row, best in zip(source, found):
        logits = np.asarray(model((np.repeat(row[None], len(candidates), axis=0), target_in)))
        log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        log_p = np.take_along_axis(log_p, padded[..., None], axis=-1)[..., 0] * (padded != 0)
        right = candidates[int(np.argmax(log_p.sum(axis=1) / (padded != 0).sum(axis=1) ** alpha))]
        assert list(best[: len(right)]) == right


# --- learning ---------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_four_sentences_are_learnt_by_heart(hw08, kind):
    model = build(hw08, kind, units=32)
    english, chinese = hw08.dataset.Vocabulary(model.english), hw08.dataset.Vocabulary(model.chinese)
    sources = [["a", "b", "c"], ["c", "b", "a"], ["d"], ["e", "f", "e", "f", "a"]]
    targets = [["一", "二"], ["七", "六", "五", "四", "三"], ["二"], ["一", "一", "一", "六"]]
    batches = hw08.training.Batches(english.encode(sources), chinese.encode(targets), 4)
    model.compile(optimizer=keras.optimizers.Adam(0.01), jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    for step in range(120):
        model.train_on_batch(*batches[step % len(batches)])
    decoding = hw08.decoding.Decoding(model, 3, 4)
    assert decoding.translate(english.encode(sources)) == targets  # by minimum Bayes risk
    decoding.samplers = []
    assert decoding.translate(english.encode(sources)) == targets  # by beam search alone
    assert hw08.decoding.Decoding(model, 1).translate(english.encode(sources)) == targets


@pytest.mark.full
def test_attention_beats_none_on_long_sentences(hw08, whole_set, tmp_path):
    flags = ["--units", "48", "--epochs", "4", "--batch-size", "32", "--learning-rate", "0.01"]
    argv = ["--data-dir", whole_set, "--out-dir", tmp_path, *flags]
    without, attention = (
        hw08.train.main([str(argument) for argument in [*argv, "--model", kind]])["score"]
        for kind in ("seq2seq", "attention")
    )
    assert attention > without + 0.1


def test_a_test_line_is_translated_whatever_is_in_it(hw08, whole_set, spoilt, untrained):
    """Sixty words, an emoji, words never seen, traditional characters, CRLF: a line for each line."""
    out = untrained(whole_set)
    lines = [
        " ".join(["tom saw two red cats and"] * 10) + " . \t 我 。 ",
        "😀 \t 高興 😀 。",
        "never seen zzz@@ zz ? \t 體育館 在 哪裡 ？ ",
        "tom \t 湯姆 DVD 10",
    ]
    (spoilt / "testing.txt").write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    for path in [spoilt / "training.txt", *spoilt.glob("*.json")]:
        path.unlink()  # the model knows its words
    for beam in ("1", "2"):
        table = hw08.predict.main(["--data-dir", str(spoilt), "--out-dir", str(out), "--beam", beam])
        assert (out / "translations.txt").read_text("utf-8").count("\n") == 4
        assert not table.translation.str.contains("<|\\s").any()
    assert list(table.reference) == ["我。", "高興😀。", "體育館在哪裡？", "湯姆DVD10"]
    assert table.source[0].count("cats") == 10
    assert (out / "attention.png").stat().st_size > 1000


def test_english_of_ones_own_becomes_the_files_tokens(hw08_light):
    tokens = hw08_light.dataset
    for text, words in (
        ('She said, "Don\'t go!"', "she said , `` do n't go ! ''"),
        ("It’s 7:30 o'clock.", "it 's 7:30 o'clock ."),
        ("I can't, we've 3.5 (or so)", "i ca n't , we 've 3.5 ( or so )"),
        ("My friends' 10,000 yen, at 7 a.m.", "my friends ' 10,000 yen , at 7 a.m ."),
        ("I am tired.Let us go.", "i am tired . let us go ."),
        ("'Hello' cannot cost $10 or 5%", "`` hello '' can not cost $ 10 or 5 %"),
    ):
        assert tokens.tokenise(text) == words.split()
    numbers = dict.fromkeys(["na@@", "ils", "n@@", "a@@", "i@@", "ls", "nai@@", "tom", "to@@", "m"])
    assert tokens.sub_words("nails", numbers) == ["nai@@", "ls"]  # as few as na@@ ils, and longer at first
    assert tokens.sub_words("tom", numbers) == ["tom"]
    assert tokens.sub_words("xna", numbers) == ["xna"]  # has pieces that are not known
    assert tokens.sub_words("nam", numbers) == ["na@@", "m"]


@pytest.mark.full
@pytest.mark.parametrize("beam", ["1", "2"])
def test_own_sentences_are_translated_with_their_log_probability(
    hw08, whole_set, untrained, capsys, monkeypatch, beam
):
    out = untrained(whole_set)
    argv = ["--out-dir", str(out), "--beam", beam, "--samples", "0"]
    table = hw08.predict.main([*argv, "--text", "Tom saw three black cats.", "My brother xyzzy"])
    printed = capsys.readouterr().out
    assert list(table.sub_words) == ["tom saw three bl@@ ack cats .", "my bro@@ ther xyzzy"]
    assert printed.count("not known: xyzzy") == 1
    model = hw08.model.load_model(out / "model.keras", whole_set)
    english, chinese = (hw08.dataset.Vocabulary(words) for words in (model.english, model.chinese))
    source = english.encode([table.sub_words[0].split()])
    words = hw08.decoding.Decoding(model, int(beam)).translate(source)
    assert table.translation[0] == "".join(words[0])
    log_probability, past = 0.0, [hw08.dataset.BOS]
    for number in chinese.encode(words)[0]:
        logits = np.asarray(model((source, np.array([past]))))[0, -1].astype(float)
        log_probability += logits[number] - np.log(np.exp(logits).sum())
        past.append(number)
    assert table.log_probability[0] == pytest.approx(log_probability, abs=1e-3)
    assert f"log-probability {log_probability:.2f}" in printed
    assert (out / "own.png").is_file()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\ntom saw cats\n\n")))
    assert len(hw08.predict.main([*argv, "--text", "-"])) == 1
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9")))
    check_sentence(hw08, capsys, [*argv, "--text", "-"], "not UTF-8", script="predict")
    for wrong, words in (("", "is empty"), ("a" * 2001, "2,001 characters"), ("\udce9", "not UTF-8 text")):
        check_sentence(hw08, capsys, [*argv, "--text", wrong], words, script="predict")


def test_a_test_file_may_hold_english_alone(hw08, spoilt, untrained, whole_set, capsys):
    out = untrained(whole_set)
    (spoilt / "testing.txt").write_text("tom saw two cats .\nshe lost five books .\n", "utf-8")
    table = hw08.predict.main(["--data-dir", str(spoilt), "--out-dir", str(out), "--beam", "1"])
    assert len(table) == 2
    assert table.score.isna().all()
    assert "BLEU" not in capsys.readouterr().out
    with pytest.raises(hw08.scaffold.BadInput, match="0 tabs"):
        hw08.dataset.load_pairs(spoilt / "testing.txt")


def test_traditional_characters_and_crlf_change_nothing(hw08_light, whole_set, spoilt):
    """The same set in other characters is read as the same numbers."""
    dataset, swap = hw08_light.dataset, str.maketrans("们马车两红猫汤", "們馬車兩紅貓湯")
    for path in [*spoilt.glob("*.txt"), *spoilt.glob("*.json")]:
        path.write_bytes(path.read_text("utf-8").translate(swap).replace("\n", "\r\n").encode("utf-8"))
    ids, words = [], []
    for folder in (whole_set, spoilt):
        _, chinese = dataset.load_vocabularies(folder)
        words.append(chinese.words)
        ids.append(chinese.encode([pair.chinese for pair in dataset.load_pairs(folder / "testing.txt")]))
    np.testing.assert_array_equal(*ids)
    assert words[0] != words[1] == [word.translate(swap) for word in words[0]]
    assert dataset.UNK not in ids[0]


def test_words_without_a_font_are_shown_as_numbers(hw08, monkeypatch):
    from matplotlib.font_manager import fontManager

    boxes = [entry for entry in fontManager.ttflist if entry.name.startswith("Last Resort")]
    latin = [entry for entry in fontManager.ttflist if entry.fname.endswith("DejaVuSans.ttf")][:1]
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", list)
    monkeypatch.setattr(fontManager, "ttflist", latin)
    assert hw08.predict.find_font("tom") is not None
    assert hw08.predict.find_font("tom 汤姆") is None
    assert boxes, "matplotlib's font of boxes has another name"
    monkeypatch.setattr(fontManager, "ttflist", [*latin, *boxes])
    assert hw08.predict.find_font("tom 汤姆") is None
    model = build(hw08, "attention")
    vocabularies = [hw08.dataset.Vocabulary(words) for words in (model.english, model.chinese)]
    figure = hw08.predict.attention_maps(model, [["a", "b"]], [["一"]], vocabularies)
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["a", "b", "<EOS>"]
    assert "no installed font" in figure.get_suptitle()
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["4", "2"]
    model = build(hw08, "seq2seq")
    assert hw08.predict.attention_maps(model, [["a", "b"]], [["一"]], vocabularies) is None


@pytest.mark.full
def test_the_networks_of_an_ensemble_are_those_of_single_trainings(hw08, small, tmp_path):
    argv = ["--data-dir", str(small), "--epochs", "2", "--units", "16", "--r-drop", "1", "--dropout", "0.2"]
    for networks, seed in ((2, 0), (1, 0), (1, 1)):
        own = [
            "--networks",
            str(networks),
            "--seed",
            str(seed),
            "--out-dir",
            str(tmp_path / f"{networks}{seed}"),
        ]
        hw08.train.main([*argv, *own])
    ensemble, *singles = (
        hw08.model.load_model(tmp_path / name / "model.keras") for name in ("20", "10", "11")
    )
    for member, single in zip(ensemble.members, singles):
        for one, other in zip(member.trainable_variables, single.trainable_variables):
            np.testing.assert_allclose(one, other, atol=1e-6)
    assert list(pd.read_csv(tmp_path / "20" / "history.csv").epoch) == [1, 2, 3, 4]
    (tmp_path / "20" / "metrics.json").unlink()
    argv = ["--data-dir", str(small), "--out-dir", str(tmp_path / "20"), "--samples", "2", "--model"]
    paths = [str(tmp_path / name / "model.keras") for name in ("10", "11")]
    tables = [
        hw08.predict.main([*argv, *models]) for models in ([str(tmp_path / "20" / "model.keras")], paths)
    ]
    pd.testing.assert_frame_equal(*tables)


def test_models_of_other_words_are_not_averaged(hw08, small, tmp_path, capsys, untrained):
    first = untrained(small) / "model.keras"
    vocabularies = [hw08.dataset.Vocabulary([*hw08.dataset.SPECIAL, *words]) for words in (ENGLISH, CHINESE)]
    hw08.model.build_model("seq2seq", *vocabularies, 16, 0.0).save(tmp_path / "other.keras")
    argv = ["--text", "tom", "--out-dir", tmp_path / "out", "--model", first, tmp_path / "other.keras"]
    check_sentence(hw08, capsys, argv, "other.keras knows other words than", script="predict")


# --- going on ---------------------------------------------------------------


@pytest.mark.full
def test_a_training_that_was_killed_goes_on_as_if_it_had_not_been(hw08, small, tmp_path, monkeypatch):
    argv = ["--data-dir", str(small), "--epochs", "3", "--units", "16", "--model", "seq2seq"]
    argv += ["--schedule", "linear", "--out-dir"]  # random numbers of dropout and coins, and the order
    whole = hw08.train.main([*argv, str(tmp_path / "whole")])
    save = hw08.checkpoint.Checkpoint.save

    def killed(self, variables):
        save(self, variables)
        if len(self.rows) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(hw08.checkpoint.Checkpoint, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            hw08.train.main([*argv, str(tmp_path / "killed")])
    resumed = hw08.train.main([*argv, str(tmp_path / "killed"), "--resume"])
    assert resumed["score"] == whole["score"]
    histories = [pd.read_csv(tmp_path / name / "history.csv") for name in ("whole", "killed")]
    assert list(histories[1].epoch) == [1, 2, 3]
    pd.testing.assert_frame_equal(*(history.drop(columns=["seconds", "processor"]) for history in histories))
    model = (tmp_path / "killed" / "model.keras", small)
    assert hw08.model.load_model(*model).sampling_cell.teacher_forcing < 0.1


@pytest.mark.full
def test_a_resume_that_does_not_fit(hw08, small, tmp_path, capsys):
    argv = ["--data-dir", small, *TRIAL, "--out-dir", tmp_path]
    hw08.train.main([str(argument) for argument in argv])
    capsys.readouterr()
    for flags, words in {
        "--model attention": ["--model seq2seq, expected attention"],
        "--units 24": ["--units 16, expected 24"],
        "--epochs 2": ["--epochs 1, expected 2"],
        "--seed 1": ["--seed 0, expected 1"],
    }.items():
        check_sentence(
            hw08, capsys, [*argv, *flags.split(), "--resume"], "checkpoint.npz is of a training", *words
        )
    numbers = json.loads((small / "word2int_en.json").read_text("utf-8"))
    write_json(small, "en", {**numbers, "new": len(numbers)})
    check_sentence(hw08, capsys, [*argv, "--resume"], "checkpoint.npz is of another network")
    whole = (tmp_path / "checkpoint.npz").read_bytes()
    for part in (whole[: len(whole) // 2], b"", b"no zip file"):
        (tmp_path / "checkpoint.npz").write_bytes(part)
        check_sentence(hw08, capsys, [*argv, "--resume"], "checkpoint.npz is damaged")


def test_not_a_number_stops_with_the_last_good_files(hw08, small, tmp_path, capsys, monkeypatch):
    loss = hw08.translator.Translator.compute_loss
    monkeypatch.setattr(
        hw08.translator.Translator, "compute_loss", lambda self, *a, **k: loss(self, *a, **k) * np.nan
    )
    argv = ["--data-dir", small, "--out-dir", tmp_path / "out", *TRIAL]
    check_sentence(hw08, capsys, argv, "epoch 1: the loss is not a number", "--learning-rate")
    assert not list((tmp_path / "out").iterdir())


# --- throughput -------------------------------------------------------------


def test_the_peer_is_asked_for_in_a_sentence(hw08, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    with pytest.raises(hw08.scaffold.BadInput, match="PyTorch is not installed"):
        hw08.throughput.main(["torch", "--steps", "5"])


@pytest.mark.full
def test_throughput_is_a_number(hw08, capsys):
    hw08.throughput.main(["keras", "--steps", "5"])
    assert int(capsys.readouterr().out) > 0


# --- bad input: one sentence, status 2, nothing half-written ----------------


def write_json(folder, language, numbers, inverse=None):
    (folder / f"word2int_{language}.json").write_text(json.dumps(numbers), "utf-8")
    inverse = {number: word for word, number in numbers.items()} if inverse is None else inverse
    (folder / f"int2word_{language}.json").write_text(json.dumps(inverse), "utf-8")


BAD_LINES = {
    "no tab": (b"tom saw two cats .", ["line 3", "0 tabs"]),
    "two tabs": ("tom \t 汤姆 \t 我".encode(), ["line 3", "2 tabs"]),
    "no English": (" \t 汤姆".encode(), ["line 3", "English side is empty"]),
    "no Chinese": (b"tom \t ", ["line 3", "Chinese side is empty"]),
    "an empty line": (b"", ["line 3", "0 tabs"]),
    "not UTF-8": ("tom \t 汤姆".encode("gb18030"), ["line 3", "not UTF-8"]),
}


@pytest.mark.parametrize("name", ["training.txt", "validation.txt"])
@pytest.mark.parametrize("case", BAD_LINES)
def test_bad_lines(hw08_light, spoilt, capsys, case, name, load_chapter):
    line, words = BAD_LINES[case]
    lines = (spoilt / name).read_bytes().splitlines()
    lines[2] = line
    (spoilt / name).write_bytes(b"\n".join(lines))
    with pytest.raises(hw08_light.scaffold.BadInput) as error:
        hw08_light.dataset.load_pairs(spoilt / name)
    assert str(error.value).startswith(f"{spoilt / name}: ")
    assert str(error.value).endswith("or try --synthetic.")
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("name", ["training.txt", "validation.txt", "word2int_en.json", "int2word_cn.json"])
def test_missing_and_empty_files(hw08, spoilt, tmp_path, capsys, name):
    argv, out = ["--data-dir", spoilt, "--out-dir", tmp_path / "out"], tmp_path / "out"
    (spoilt / name).write_bytes(b"\n" if name.endswith("txt") else b"")
    check_sentence(hw08, capsys, argv, spoilt / name, "empty" if name.endswith("txt") else "expected JSON")
    (spoilt / name).unlink()
    check_sentence(hw08, capsys, argv, spoilt / name, "is missing")
    assert not list(out.iterdir())


def test_bad_vocabularies(hw08, spoilt, tmp_path, capsys):
    argv = ["--data-dir", spoilt, "--out-dir", tmp_path / "out"]
    numbers = json.loads((spoilt / "word2int_en.json").read_text("utf-8"))
    words = {str(number): word for word, number in numbers.items()}
    for wrong_numbers, wrong_words, sentence in [
        ({**numbers, "tom": 99}, words, ["word2int_en.json", "'tom' has the number 99"]),
        ({**numbers, "new": len(numbers)}, words, ["word2int_en.json", f"{len(numbers) + 1} words"]),
        (numbers, {**words, "4": "new"}, ["'new' has the number None", "expected 4"]),
        (numbers, {k: word for k, word in words.items() if k != "7"}, ["number 7 is missing"]),
        (numbers, {**words, "7": 7}, ["number 7 is missing or no text"]),
        (numbers, {**words, "7": "\ud800"}, ["number 7 is missing or no text"]),
        (numbers, {**words, "2": "</s>"}, ["number 2 is '</s>'", "expected '<EOS>'"]),
        (numbers, {}, ["number 0 is None", "expected '<PAD>'"]),
        (numbers, ["<PAD>"], ["a list, expected an object"]),
    ]:
        write_json(spoilt, "en", wrong_numbers, wrong_words)
        check_sentence(hw08, capsys, argv, *sentence)
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    "flag",
    [
        "--epochs 0",
        "--batch-size 0",
        "--learning-rate 0",
        "--learning-rate nan",
        "--units 12",
        "--units 0",
        "--dropout 1",
        "--dropout -0.1",
        "--seed -1",
    ],
)
def test_bad_flags(hw08, whole_set, tmp_path, capsys, flag):
    argv = ["--data-dir", whole_set, "--out-dir", tmp_path / "out", *flag.split()]
    check_sentence(hw08, capsys, argv, flag.removesuffix(".0"), "expected")
    assert not list(tmp_path.glob("out/*"))


def test_a_transformer_has_no_schedule(hw08, whole_set, tmp_path, capsys):
    argv = ["--data-dir", whole_set, "--out-dir", tmp_path / "out", "--model", "transformer"]
    check_sentence(hw08, capsys, [*argv, "--schedule", "linear"], "--schedule linear: expected teacher")


def test_bad_models_and_tests(hw08, small, tmp_path, capsys, untrained):
    argv = ["--data-dir", small, "--out-dir", tmp_path / "out"]
    check_sentence(hw08, capsys, argv, "model.keras is missing; run train.py first", script="predict")
    check_sentence(hw08, capsys, [*argv, "--beam", "0"], "--beam 0: expected", script="predict")
    check_sentence(hw08, capsys, [*argv, "--synthetic"], "run train.py --synthetic first", script="predict")
    model, testing = untrained(small) / "model.keras", small / "testing.txt"
    whole, lines = model.read_bytes(), testing.read_bytes()
    for spoilt in (whole[: len(whole) // 2], b"", b"no zip file"):
        model.write_bytes(spoilt)
        write_metrics(hw08, model.parent, "model.keras")
        check_sentence(hw08, capsys, argv, "model.keras is no whole Keras model", script="predict")
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(model)
    write_metrics(hw08, model.parent, "model.keras")
    check_sentence(hw08, capsys, argv, "not a model of this chapter", script="predict")
    model.write_bytes(whole)
    write_metrics(hw08, model.parent, "model.keras")
    for spoilt, words in (
        (b"", "is empty"),
        (lines + b"tom saw\n", "line 11: 0 tabs"),
        (b"\xff\t.", "line 1"),
    ):
        testing.write_bytes(spoilt)
        check_sentence(hw08, capsys, argv, testing, words, script="predict")
    testing.write_bytes(lines)
    numbers = json.loads((small / "word2int_en.json").read_text("utf-8"))
    write_json(small, "en", {**numbers, "new": len(numbers)})
    check_sentence(
        hw08, capsys, argv, "was trained with other words than", "int2word_en.json", script="predict"
    )
    assert not list((tmp_path / "out").glob("translations*"))


def test_swapped_sides_and_other_scripts_are_refused(hw08_light, small, tmp_path, capsys):
    """And a share of unknown words below half is printed."""
    dataset = hw08_light.dataset
    vocabularies = dataset.load_vocabularies(small)
    path = small / "training.txt"
    pairs = dataset.load_pairs(path)
    assert max(dataset.unknown_shares(pairs, vocabularies, path)) < 0.1
    swapped = [dataset.Pair(pair.chinese, pair.english) for pair in pairs]
    with pytest.raises(hw08_light.scaffold.BadInput, match="sides may be exchanged"):
        dataset.unknown_shares(swapped, vocabularies, path)


def test_a_line_of_twenty_thousand_words_is_cut(hw08_light, small, capsys):
    path = small / "training.txt"
    path.write_text("tom " * 20_000 + "\t 我\n", "utf-8")
    (pair,) = hw08_light.dataset.load_pairs(path)
    assert len(pair.english) == 200
    assert "1 sentences" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["[" * 100_000, '{"<PAD>": ' + "9" * 5000 + "}", '{"<PAD>": Infinity}'])
def test_vocabularies_that_were_edited(hw08_light, small, text):
    (small / "word2int_en.json").write_text(text)
    with pytest.raises(hw08_light.scaffold.BadInput, match="word2int_en.json"):
        hw08_light.dataset.load_vocabularies(small)


# --- settings that reach the method -----------------------------------------


def test_the_sentence_that_was_searched_weighs_as_a_tenth_of_those_that_were_drawn(hw08, monkeypatch):
    model, calls = build(hw08, "attention"), []
    decoding = hw08.decoding.Decoding(hw08.model.ensemble_of([model, model]), 2, 5)
    monkeypatch.setattr(
        hw08.decoding, "least_risk", lambda texts, weights: calls.append((texts, weights)) or texts[0]
    )
    decoding.translate(sentences(hw08, model, count=3))
    assert len(calls) == 3
    for texts, weights in calls:
        assert len(texts) == 1 + 2 * 5  # five by each network
        assert weights == pytest.approx([hw08.decoding.BEAM_WEIGHT * 10, *[1] * 10])


def test_each_network_draws_sentences_of_its_own(hw08, monkeypatch):
    """Even if two networks were one and the same."""
    model, drawn = build(hw08, "attention"), []
    decoding = hw08.decoding.Decoding(hw08.model.ensemble_of([model, model]), 1, 6)
    monkeypatch.setattr(
        hw08.decoding, "least_risk", lambda texts, weights: drawn.append(texts[1:]) or texts[0]
    )
    decoding.translate(sentences(hw08, model, count=4))
    assert any(texts[:6] != texts[6:] for texts in drawn)


@pytest.mark.parametrize("kind", KINDS)
def test_units_of_the_encoder_are_dropped_in_training_alone(hw08, kind, monkeypatch):
    """With a decoder that drops none."""
    model = build(hw08, kind, dropout=0.5)
    source, target = sentences(hw08, model, count=5), np.array([[1, 4, 5]] * 5, np.int32)
    way = "encode" if kind == "transformer" else "start"
    encode, seen = getattr(type(model), way), []

    def spy(self, *args, **keywords):
        found = encode(self, *args, **keywords)
        seen.append(keywords.get("training", args[-1] if len(args) > 1 else False))
        return found

    monkeypatch.setattr(type(model), way, spy)
    for training in (True, False):
        model((source, target), training=training)
    assert [bool(training) for training in seen] == [True, False]
