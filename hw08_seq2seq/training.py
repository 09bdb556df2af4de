"""The training by fit(), and the scores of translations.

Which pairs make a batch depends on the seed and the epoch alone. The first network of an ensemble is trained
like a single one of the same seed, the second like one of the next seed, and so on.
"""

import sys

import keras
import numpy as np
from bleu import bleu_1, corpus_bleu_4
from checkpoint import Checkpoint
from dataset import BOS, PAD, Vocabulary
from decoding import Decoding
from device import ALONE, divisible, replicas, share_batches
from model import build_model, ensemble_of, uncompiled
from recurrent import ScheduledSampling

# Half of the sentences have less than ten characters and the longest has 36. Were all padded to that, three
# quarters of the arithmetic would be spent on nothing. So a batch has sentences of about one length:
WIDTHS = (6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 20)  # and the longest; <EOS> counts


class Batches(keras.utils.PyDataset):
    """((source, target_in), target_out), int32 (n, width) each: target_in is one word behind.

    source and target are int32 (n, length), as Vocabulary.encode makes them. With shuffle the pairs are mixed
    anew by begin(epoch), in a way that only the seed and the number of the epoch decide. With twice a batch
    holds its pairs a second time, behind the first, as R-Drop asks for.
    """

    def __init__(self, source, target, batch_size, shuffle=False, seed=0, twice=False):
        super().__init__()
        self.source, self.target, self.twice = source, target, twice
        self.batch_size, self.shuffle, self.seed = batch_size, shuffle, seed
        lengths = np.maximum((source != PAD).sum(axis=1), (target != PAD).sum(axis=1))
        self.widths = [width for width in WIDTHS if width < lengths.max()] + [int(lengths.max())]
        self.buckets = np.searchsorted(self.widths, lengths)
        self.begin(0)

    def begin(self, epoch, logs=None):
        """Deal the pairs into the batches of an epoch: a list of (width, rows)."""
        rng = np.random.default_rng([self.seed, epoch])
        order = rng.permutation(len(self.source)) if self.shuffle else np.arange(len(self.source))
        self.batches = []
        for bucket, width in enumerate(self.widths):
            rows = divisible(order[self.buckets[order] == bucket])
            cuts = range(self.batch_size, len(rows), self.batch_size)
            self.batches += [(width, part) for part in np.split(rows, cuts) if len(part)]
        if self.shuffle:
            self.batches = [self.batches[index] for index in rng.permutation(len(self.batches))]
        # Keras concludes from the first two batches which axes vary: let them differ.
        other = next((i for i, (width, _) in enumerate(self.batches) if width != self.batches[0][0]), 0)
        self.batches.insert(min(1, other), self.batches.pop(other))

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        width, rows = self.batches[index]
        if self.twice:  # on each device that shares the batch
            rows = np.concatenate([part for part in np.split(rows, replicas()) for _ in range(2)])
        source, target = (padded(side[rows], width) for side in (self.source, self.target))
        began = np.full((len(rows), 1), BOS, np.int32)
        return (source, np.concatenate([began, target[:, :-1]], axis=1)), target


def padded(ids, width):
    """Cut or fill (n, length) to (n, width)."""
    return np.pad(ids[:, :width], [(0, 0), (0, max(0, width - ids.shape[1]))], constant_values=PAD)


def build(args, english, chinese):
    """The networks that the flags ask for, untrained: each is that of a training with its own seed."""
    models, sampled = [], args.schedule != "teacher"
    for index in range(args.networks):
        keras.utils.set_random_seed(args.seed + index)
        models.append(
            build_model(args.model, english, chinese, args.units, args.dropout, sampled, args.r_drop)
        )
    return models


def without_training(models):
    """The networks as they are saved and used: in one model, without optimizers, on one device."""
    share_batches(*ALONE)
    return ensemble_of([uncompiled(model) for model in models])


def fit(args, models, schedule, training, validation, vocabularies):
    """Train one model after the other, with --resume from the last finished epoch on.

    schedule: of scheduled sampling. Returns the history, a row an epoch, those of all networks in turn. Its
    losses are means over the tokens of each batch, and then, as Keras does it, over the sentences.
    """

    def encoded(pairs):
        sides = ([pair.english for pair in pairs], [pair.chinese for pair in pairs])
        return [vocabulary.encode(side) for vocabulary, side in zip(vocabularies, sides)]

    ids, validation = encoded(training), Batches(*encoded(validation), args.batch_size)
    epoch = len(Batches(*ids, args.batch_size))
    decay = max(1, epoch * (args.epochs - 1))
    checkpoint, variables = Checkpoint(args, ids), []
    for model in models:
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, decay, alpha=0.01, warmup_target=args.learning_rate, warmup_steps=epoch
        )
        # Sentences of many lengths would be compiled anew for each: without XLA they are not.
        model.compile(optimizer=keras.optimizers.Adam(rate, global_clipnorm=1.0), jit_compile=False)
        model.optimizer.build(model.trainable_variables)
        variables += [*model.variables, *model.optimizer.variables]
    if args.resume:
        checkpoint.restore(variables)

    for index, model in enumerate(models):
        seed = args.seed + index
        shuffled = Batches(*ids, args.batch_size, shuffle=True, seed=seed, twice=model.r_drop > 0)
        begin = keras.callbacks.LambdaCallback(on_epoch_begin=shuffled.begin)
        sampling = [ScheduledSampling(schedule, args.epochs, epoch)] if model.sampled else []
        model.fit(
            shuffled,
            validation_data=validation,
            shuffle=False,  # they are shuffled
            initial_epoch=min(max(0, len(checkpoint.rows) - index * args.epochs), args.epochs),
            epochs=args.epochs,
            verbose=1 if sys.stdout.isatty() else 2,
            callbacks=[begin, checkpoint.callback(variables), *sampling],
        )
    history = checkpoint.history()
    return history.assign(network=(history.index - 1) // args.epochs + 1)


def decode_and_score(model, pairs, beam, samples):
    """score() of a model's translations."""
    return score(Decoding(model, beam, samples), pairs)


def score(decoding, pairs, **keywords):
    """BLEU@1 and corpus BLEU-4 of a Decoding's translations of some pairs."""
    source = Vocabulary(decoding.translator.english).encode([pair.english for pair in pairs])
    translations = ["".join(words) for words in decoding.translate(source, **keywords)]
    references = ["".join(pair.chinese) for pair in pairs]
    return {
        "BLEU@1": bleu_1(translations, references),
        "BLEU-4": corpus_bleu_4(translations, references),
    }
