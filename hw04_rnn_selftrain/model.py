"""Two readers of tweets: one that reads word after word, and one that throws all words into a bag.

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

The words are in the configuration of WordVectors: model.keras is the whole artefact.
"""

from scaffold import BadInput

import keras
import numpy as np
from device import load_keras
from keras import layers, ops
from scipy.special import expit, logit
from tqdm import tqdm

PADDING, UNKNOWN = 0, 1  # the first two rows of WordVectors
MOST_WORDS = 40  # of a tweet are read: three tweets in a thousand are longer
LENGTHS = (16, 24, MOST_WORDS)  # batches are padded to one of these, so that few shapes have to be compiled
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


def batches(rows, size, rng=None):
    """Cut rows into batches of tweets of like length: yield indices, int64 (size,), and their padded length.

    With a generator the tweets and the batches are shuffled, and a batch that is not full is filled with
    other tweets of its length; without, the last index is repeated. So all batches of a length have one
    shape.
    """
    counts = np.count_nonzero(rows, axis=1)
    cut = []
    for shorter, length in zip((0, *LENGTHS), LENGTHS):
        indices = np.flatnonzero((counts > shorter) & (counts <= length))
        if rng is not None:
            indices = rng.permutation(indices)
        for start in range(0, len(indices), size):
            batch = indices[start : start + size]
            lacking = size - len(batch)
            fill = rng.choice(indices, lacking) if rng is not None else np.repeat(batch[-1], lacking)
            cut.append((np.concatenate([batch, fill]), length))
    return cut if rng is None else [cut[index] for index in rng.permutation(len(cut))]


def read(model, rows):
    """The probability of "positive" for each row: float32 (N,), the logistic function of the logits."""
    logits = np.zeros(len(rows), np.float32)
    for indices, length in batches(rows, READ_AT_ONCE):
        logits[indices] = ops.convert_to_numpy(model.predict_on_batch(rows[indices, :length]))[:, 0]
    return expit(logits)


def worth_of_words(model, sentence):
    """The probability of "positive" of a sentence, and of each of its words by how much the logit falls when
    the word is left out (occlusion): float, float64 (words,)."""
    words = sentence.split()[:MOST_WORDS]
    without = [" ".join([*words[:index], *words[index + 1 :]]) for index in range(len(words))]
    probabilities = read(model, model.get_layer("words").encode([sentence, *without])).astype(np.float64)
    whole, *others = logit(probabilities.clip(1e-6, 1 - 1e-6))
    return probabilities[0], whole - np.array(others)


def load_model(path):
    """The model that train.py saved. Raises BadInput when the file is cut short or of another chapter."""
    model = load_keras(path)
    if not any(isinstance(layer, WordVectors) for layer in getattr(model, "layers", ())):
        raise BadInput(f"{path} is not a model of this chapter; run train.py again.")
    model.compile(jit_compile=False)  # compiling takes longer than reading
    return model
