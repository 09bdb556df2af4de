"""Two networks that read tweets, word after word or all in a bag, and their mean with counted n-grams.

    shape of the LSTM            what
    (batch, words)               rows of WordVectors, int32; 0 is padding, 1 a word that is not known
    (batch, words, size)         the words' vectors, padding masked
    (batch, words, 2 units)      bidirectional LSTM: what was read up to a word, from the left and the right
    (batch, 4 units)             its largest and its mean value over the words of the tweet
    (batch, 1)                   logit of "positive"

    shape of the bag of words
    (batch, words, size)         the words' vectors, padding masked
    (batch, size)                their mean: whoever knows it cannot tell which word came first
    (batch, 1)                   logit of "positive"

    shape with n-grams
    (batch, words)               what the network reads
    (batch, n)                   numbers of the tweet's n-grams, int32; 0 is padding
    (batch, 1)                   mean of the network's logit and the n-grams'

The words are in the configuration of WordVectors: model.keras is the whole artefact.
"""

from scaffold import BadInput

import keras
import numpy as np
from device import load_keras
from keras import layers, ops
from ngrams import BUCKETS, numbered
from scipy.special import expit, logit
from tqdm import tqdm

PADDING, UNKNOWN = 0, 1  # the first two rows of WordVectors
MOST_WORDS = 40  # of a tweet are read: three tweets in a thousand are longer
LENGTHS = range(8, MOST_WORDS + 1, 4)  # batches are padded to one of these
READ_AT_ONCE = 1024  # tweets


@keras.saving.register_keras_serializable(package="hw04_rnn_selftrain")
class WordVectors(layers.Embedding):
    """An embedding that knows which word each of its rows stands for: row 2 is words[0]."""

    def __init__(self, words, output_dim, **kwargs):
        follows = {"input_dim": len(words) + 2, "mask_zero": True}
        super().__init__(output_dim=output_dim, **(kwargs | follows))
        self.words = list(words)
        self.row = {word: row for row, word in enumerate(self.words, 2)}

    def get_config(self):
        return super().get_config() | {"words": self.words}

    def set_vectors(self, vectors):
        """Start with these vectors, (len(words), output_dim); an unknown word gets their mean."""
        first = np.stack([np.zeros(self.output_dim), vectors.mean(axis=0)])
        self.embeddings.assign(np.concatenate([first, vectors]).astype(np.float32))

    def encode(self, sentences):
        """Rows of the words of sentences, list of str: int32 (N, MOST_WORDS), padded with 0 at the end.

        A sentence without any word counts as one unknown word.
        """
        rows = np.zeros((len(sentences), MOST_WORDS), np.int32)
        bar = tqdm(sentences, "rows of words", leave=False, ncols=80, disable=None)
        for index, sentence in enumerate(bar):
            known = [self.row.get(word, UNKNOWN) for word in sentence.split()[:MOST_WORDS]] or [UNKNOWN]
            rows[index, : len(known)] = known
        return rows


@keras.saving.register_keras_serializable(package="hw04_rnn_selftrain")
class Summary(layers.Layer):
    """Largest and mean value over the words that are there: (batch, words, n) -> (batch, 2 n)."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x, mask=None):
        there = ops.cast(mask, x.dtype)[:, :, None]
        largest = ops.max(ops.where(mask[:, :, None], x, -1e9), axis=1)
        return ops.concatenate([largest, ops.sum(x * there, axis=1) / ops.sum(there, axis=1)], axis=-1)

    def compute_mask(self, x, mask=None):
        return None


def build_rnn(words, size=200, units=128, dropout=0.5, frozen=False):
    """The bidirectional LSTM: int32 (batch, words) -> float32 (batch, 1)."""
    rows = keras.Input((None,), dtype="int32", name="rows")
    x = WordVectors(words, size, trainable=not frozen, name="words")(rows)
    x = layers.SpatialDropout1D(dropout)(x)
    x = layers.Bidirectional(layers.LSTM(units, return_sequences=True))(x)
    x = layers.Dropout(dropout)(Summary()(x))
    return keras.Model(rows, layers.Dense(1)(x), name="rnn")


def build_bag(words, size=200, dropout=0.5, frozen=False):
    """The bag of words: int32 (batch, words) -> float32 (batch, 1)."""
    rows = keras.Input((None,), dtype="int32", name="rows")
    vectors = WordVectors(words, size, trainable=not frozen, name="words")(rows)
    mean = layers.GlobalAveragePooling1D()(vectors)  # over the words that are there: it knows the mask
    return keras.Model(rows, layers.Dense(1)(layers.Dropout(dropout)(mean)), name="bag")


@keras.saving.register_keras_serializable(package="hw04_rnn_selftrain")
class Ngrams(layers.Layer):
    """The logistic regression of ngrams.py: numbers of n-grams, int32 (batch, n) -> logits (batch, 1)."""

    def build(self, shape):
        self.weight = self.add_weight((1 + 2 * BUCKETS,), "zeros", trainable=False, name="weight")
        self.bias = self.add_weight((), "zeros", trainable=False, name="bias")

    def call(self, numbers):
        weights = ops.take(self.weight, numbers, axis=0)
        logit = self.bias
        for first, last in ((1, BUCKETS), (BUCKETS + 1, 2 * BUCKETS)):  # of words, and of characters
            there = ops.cast((numbers >= first) & (numbers <= last), weights.dtype)
            count = ops.maximum(ops.sum(there, axis=1, keepdims=True), 1)
            logit = logit + ops.sum(weights * there, axis=1, keepdims=True) / ops.sqrt(count)
        return logit


def with_ngrams(network, weights, bias):
    """The mean of a network's logit and that of n-grams, of which ngrams.fit_ngrams() gave weights and bias.

    The network is not copied: what it learns from now on, the mean has too.
    """
    rows = keras.Input((None,), dtype="int32", name="rows")
    numbers = keras.Input((None,), dtype="int32", name="numbers")
    ngrams = Ngrams(name="ngrams")
    logit = layers.Average()([network(rows), ngrams(numbers)])
    ngrams.set_weights([np.concatenate([[0], weights]).astype(np.float32), np.float32(bias)])
    return keras.Model([rows, numbers], logit, name=f"{network.name}_and_ngrams")


def ngram_logits(model, sentences):
    """The logits of sentences, list of N str, by the n-grams of a with_ngrams() model: float32 (N,)."""
    layer, parts = model.get_layer("ngrams"), range(0, len(sentences), READ_AT_ONCE)
    logits = [layer(numbered(sentences[start : start + READ_AT_ONCE])) for start in parts]
    return np.concatenate([ops.convert_to_numpy(part)[:, 0] for part in logits])


def network_of(model):
    """The network in a model of this chapter, with n-grams or without; None if it is of another chapter."""
    inner = [layer for layer in getattr(model, "layers", ()) if isinstance(layer, keras.Model)]
    network = inner[0] if inner else model
    words = any(isinstance(layer, WordVectors) for layer in getattr(network, "layers", ()))
    return network if words else None


def batches(rows, size, rng=None):
    """Cut rows into batches of tweets of like length: a list of indices, int64 (size or fewer,), and their
    padded length.

    With a generator the tweets and the batches are shuffled, and a batch that is not full is filled with
    other tweets of its length, so that all count alike in the mean loss of a step. Without, it is filled up
    to a power of two by its last one: so shapes are few, each of which JAX compiles anew.
    """
    counts = np.count_nonzero(rows, axis=1)
    cut = []
    for shorter, length in zip((0, *LENGTHS), LENGTHS):
        indices = np.flatnonzero((counts > shorter) & (counts <= length))
        if rng is not None:
            indices = rng.permutation(indices)
        for start in range(0, len(indices), size):
            batch = indices[start : start + size]
            if rng is not None:
                fill = rng.choice(indices, size - len(batch))
            else:
                fill = np.repeat(batch[-1], 2 ** (len(batch) - 1).bit_length() - len(batch))
            cut.append((np.concatenate([batch, fill]), length))
    return cut if rng is None else [cut[index] for index in rng.permutation(len(cut))]


def predict_probabilities(model, sentences):
    """The probability of "positive" of sentences, list of N str: float32 (N,), the logistic function of the
    logits."""
    rows = network_of(model).get_layer("words").encode(sentences)
    logits = np.zeros(len(rows), np.float32)
    for indices, length in batches(rows, READ_AT_ONCE):
        inputs = rows[indices, :length]
        if len(model.inputs) > 1:
            inputs = [inputs, numbered([sentences[index] for index in indices])]
        logits[indices] = ops.convert_to_numpy(model.predict_on_batch(inputs))[:, 0]
    return expit(logits)


def word_importance(model, sentence):
    """The probability of "positive" of a sentence, and of each of its words by how much the logit falls when
    the word is left out (occlusion): float, float64 (words,)."""
    words = sentence.split()[:MOST_WORDS]
    without = [" ".join([*words[:index], *words[index + 1 :]]) for index in range(len(words))]
    probabilities = predict_probabilities(model, [sentence, *without]).astype(np.float64)
    whole, *others = logit(probabilities.clip(1e-6, 1 - 1e-6))
    return probabilities[0], whole - np.array(others)


def load_model(path):
    """The model that train.py saved. Raises BadInput when the file is cut short or of another chapter."""
    model = load_keras(path)
    if network_of(model) is None:
        raise BadInput(f"{path} is not a model of this chapter; run train.py again.")
    model.compile(jit_compile=False)  # compiling takes longer than reading
    return model
