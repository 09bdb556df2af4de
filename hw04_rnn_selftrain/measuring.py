"""What the report measures of a model, and a peer that is no network."""

import time

import keras
import numpy as np
from model import load_model, read
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


def say(model_file, sentences):
    """The probability of "positive" that a model gives to sentences, a list of N str: float32 (N,)."""
    model = load_model(model_file)
    return read(model, model.get_layer("words").encode(sentences))


def share_right(model_file, sentences, labels):
    """The share of sentences, a list of N str, that a model reads as their labels, (N,), 0 or 1, say."""
    return np.mean((say(model_file, sentences) > 0.5) == (labels == 1))


def speed(model_file, rounds, tweets=128, words=24, steps=10):
    """Yield how many tweets a second a training step of the RNN takes: compiled by XLA, and step by step.

    The two take turns, and the median of the rounds counts.
    """
    model = load_model(model_file)
    rows = np.random.default_rng(0).integers(2, len(model.get_layer("words").words), (tweets, words))
    runners = {name: keras.models.clone_model(model) for name in ("compiled by XLA", "jit_compile=False")}
    for name, runner in runners.items():
        adam = keras.optimizers.Adam(clipnorm=1.0, use_ema=True)
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        runner.compile(adam, loss, jit_compile=name == "compiled by XLA")
        adam.build(runner.trainable_variables)
        runner.train_on_batch(rows, np.ones((tweets, 1)))
    seconds = {name: [] for name in runners}
    for _ in range(rounds):
        for name, runner in runners.items():
            started = time.perf_counter()
            for _ in range(steps):
                runner.train_on_batch(rows, np.ones((tweets, 1)))
            seconds[name].append(time.perf_counter() - started)
    slowest = np.median(seconds["jit_compile=False"])
    for name, times in seconds.items():
        yield name, f"{tweets * steps / np.median(times):.0f}", "", f"{slowest / np.median(times):.2f}"


def tf_idf(sentences, labels):
    """The peer: scikit-learn's logistic regression on TF-IDF, fitted."""
    peer = make_pipeline(TfidfVectorizer(token_pattern=r"\S+"), LogisticRegression(max_iter=1000))
    return peer.fit(sentences, labels)
