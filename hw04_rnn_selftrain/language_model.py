"""A language model of all tweets, before any label: what the words and the LSTM of the classifier start from.

The idea is ULMFiT's (Howard and Ruder 2018), small: a model that predicts the next word well has learnt what
words mean in context, and for that every tweet will do. The LSTM from the left predicts the word after those
that it has read, the one from the right the word before them:

    p(w | words 1..t) = exp(s_w) / sum over all words v of exp(s_v),   s_w = e_w . (A h_t) + b_w

h_t is the LSTM's output after word t, A a matrix, and e_w the word's own vector (Press and Wolf 2017). A sum
over 30,000 words would take nearly all of the time. Sampled softmax (Jean et al. 2015) takes it over the true
word and some that are drawn: word v with probability q_v, so log q_v is subtracted from its score.
"""

from scaffold import BadInput

import keras
import numpy as np
from checkpoint import Checkpoint
from device import divisible, replicas, train_on_batch
from keras import layers, ops
from model import LENGTHS, PADDING, batches
from tqdm import tqdm

EPOCHS = 6
MOST_TWEETS = 175_000  # in an epoch
DRAWN = 1000  # words, for the sum of a batch
FLATTENED = 0.75  # q is proportional to the word's count to this power, as in word2vec
LEARNING_RATE, DROPOUT = 0.002, 0.2


class LanguageModel(keras.Model):
    """Trained with inputs (rows, drawn), int32 (batch, words) and (DRAWN,), and no labels.

    words, lstm : the reader's own layers WordVectors and Bidirectional
    log_q : float32 (rows of words,), of the probabilities that words are drawn with
    """

    def __init__(self, words, lstm, log_q):
        super().__init__(name="language_model")
        self.words, self.lstm, self.log_q = words, lstm, log_q
        self.dropout = layers.Dropout(DROPOUT)
        self.forward, self.backward = (layers.Dense(words.output_dim, name=name) for name in ("next", "last"))
        self.bias = self.add_weight((len(log_q),), "zeros", name="bias")

    def call(self, inputs, training=False):
        """Returns each prediction's cross-entropy, float32 (batch, 2 (words - 1)), and 1 where a word is."""
        rows, drawn = inputs
        mask = self.words.compute_mask(rows)
        states = self.lstm(self.dropout(self.words(rows), training=training), mask=mask)
        left, right = ops.split(states, 2, axis=-1)
        context = ops.concatenate([self.forward(left[:, :-1]), self.backward(right[:, 1:])], axis=1)
        target = ops.concatenate([rows[:, 1:], rows[:, :-1]], axis=1)  # (batch, 2 (words - 1))
        there = ops.tile(mask[:, 1:], (1, 2))  # padding is at the end
        return sampled_cross_entropy(
            context, target, drawn, self.words.embeddings, self.bias, self.log_q
        ), ops.cast(there, "float32")

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        entropies, there = y_pred
        mean = ops.sum(entropies * there) / ops.maximum(ops.sum(there), 1.0)
        return mean / replicas()  # TensorFlow adds up the losses of the devices that share a batch


def sampled_cross_entropy(context, target, drawn, vectors, bias, log_q):
    """-log p of the target among itself and the drawn words, in nats: (batch, n).

    context : (batch, n, size), A h. target : int (batch, n), rows of words. drawn : int (k,), rows too
    vectors, bias, log_q : (rows, size), (rows,), (rows,). A drawn word that is the target counts once.
    """
    offset = bias - ops.convert_to_tensor(log_q)
    own = ops.sum(context * ops.take(vectors, target, axis=0), axis=-1) + ops.take(offset, target)
    others = ops.matmul(context, ops.transpose(ops.take(vectors, drawn, axis=0))) + ops.take(offset, drawn)
    others = ops.where(ops.equal(target[..., None], drawn), -1e9, others)  # (batch, n, k)
    return ops.logaddexp(own, ops.logsumexp(others, axis=-1)) - own


def pretrain(args, reader, rows):
    """Train the words and the LSTM of a reader of model.py on rows int32 (N, words) of tweets.

    Writes checkpoint_language_model.npz, and with --resume goes on from there, after its last finished epoch.
    Raises BadInput when the loss is not a number, or the file is not of this training.
    """
    lstm = next(layer for layer in reader.layers if isinstance(layer, layers.Bidirectional))
    counts = np.bincount(rows.ravel(), minlength=reader.get_layer("words").input_dim)
    counts[PADDING] = 0
    q = counts**FLATTENED / np.sum(counts**FLATTENED)
    model = LanguageModel(reader.get_layer("words"), lstm, np.log(np.maximum(q, 1e-9)).astype(np.float32))
    epochs = min(EPOCHS, 2 * args.epochs)  # few where the rest is a trial
    portion = min(len(rows), MOST_TWEETS)
    steps = epochs * (portion // args.batch_size + len(LENGTHS))
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    model.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0), jit_compile=False)
    model.forward.build((None, lstm.forward_layer.units))
    model.backward.build((None, lstm.forward_layer.units))
    model.optimizer.build(model.trainable_variables)

    own = {"seed", "epochs", "batch_size", "vectors", "synthetic"}
    others = set(vars(args)) - own  # flags of what comes after
    words = np.array(reader.get_layer("words").words)  # of the text, in the order of how often they occur
    checkpoint = Checkpoint(args, [words], others, "checkpoint_language_model.npz")
    variables = [*model.variables, *model.optimizer.variables]
    if args.resume:
        checkpoint.restore(variables)
    for epoch in range(len(checkpoint.rows), epochs):
        rng = np.random.default_rng([args.seed, epoch])
        some = rows[rng.permutation(len(rows))[:portion]]
        losses = []
        bar = tqdm(batches(some, args.batch_size, rng), "language model", leave=False, ncols=80, disable=None)
        for indices, length in bar:
            drawn = divisible(rng.choice(len(q), DRAWN, p=q).astype(np.int32))
            drawn = np.tile(drawn, replicas())  # each device that computes apart needs all
            losses.append(train_on_batch(model, (some[indices, :length], drawn)))
        if not np.isfinite(losses).all():
            raise BadInput("the language model's loss is not a number; try --no-language-model.")
        checkpoint.add(epoch + 1, {"cross_entropy": float(np.mean(losses))})
        checkpoint.save(variables)
        tqdm.write(f"language model, epoch {epoch + 1}: sampled softmax loss {np.mean(losses):.4f} a word")
