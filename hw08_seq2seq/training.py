"""The training by fit(), and the scores of translations.

Which pairs make a batch depends on the seed and the epoch alone.
"""

import random
import sys

import keras
from batches import Batches
from bleu import bleu_1, corpus_bleu_4
from checkpoint import Checkpoint
from dataset import Vocabulary
from sampling import ScheduledSampling


def fit(args, model, training, validation, vocabularies):
    """Train, with --resume from the last finished epoch on. Returns the history, a row an epoch."""

    def batches(pairs, **keywords):
        sides = ([pair.english for pair in pairs], [pair.chinese for pair in pairs])
        ids = [vocabulary.encode(side) for vocabulary, side in zip(vocabularies, sides)]
        return Batches(*ids, args.batch_size, **keywords)

    epoch = len(batches(training))
    decay = max(1, epoch * (args.epochs - 1))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, decay, alpha=0.01, warmup_target=args.learning_rate, warmup_steps=epoch
    )
    # Sentences of many lengths would be compiled anew for each: without XLA they are not.
    model.compile(optimizer=keras.optimizers.Adam(rate, global_clipnorm=1.0), jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    checkpoint, variables = Checkpoint(args), [*model.variables, *model.optimizer.variables]
    if args.resume:
        checkpoint.restore(variables)
    if checkpoint.state:
        version, state, spare = checkpoint.state["random"]
        random.setstate((version, tuple(state), spare))

    def keep_random_state():  # Keras mixes the batches by Python's random numbers
        checkpoint.state = {"random": random.getstate()}

    done = len(checkpoint.rows)
    model.fit(
        batches(training, shuffle=True, seed=args.seed, epoch=done),
        validation_data=batches(validation),
        initial_epoch=done,
        epochs=args.epochs,
        verbose=1 if sys.stdout.isatty() else 2,
        callbacks=[
            checkpoint.callback(variables, keep_random_state),
            *([ScheduledSampling(args.schedule, args.epochs, epoch)] if model.sampled else []),
        ],
    )
    return checkpoint.history()


def score(decoding, pairs, **keywords):
    """BLEU@1 and corpus BLEU-4 of a Decoding's translations of some pairs."""
    source = Vocabulary(decoding.translator.english).encode([pair.english for pair in pairs])
    translations = ["".join(words) for words in decoding.translate(source, **keywords)]
    references = ["".join(pair.chinese) for pair in pairs]
    return {
        "BLEU@1": bleu_1(translations, references),
        "BLEU-4": corpus_bleu_4(translations, references),
    }
