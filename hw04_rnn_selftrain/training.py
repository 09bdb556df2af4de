"""The training: epochs on the labelled tweets, then rounds of self-training, and what --resume goes on from.

The rate falls along a cosine in each round, and a round ends early when its validation loss has not fallen
for PATIENCE epochs: afterwards it overfits.

The steps are noisy, and from one epoch to the next the accuracy jumps by a point or two. So what reads the
validation set, what teaches and what is saved is a moving average of the weights.
"""

import csv
import time

from scaffold import BadInput, replacing

import keras
import numpy as np
import pandas as pd
from checkpoint import Checkpoint
from device import ALONE, share_batches, sharing, train_on_batch
from language_model import pretrain
from model import batches, build_bag, build_rnn, load_model, ngram_logits, predict_probabilities, with_ngrams
from ngrams import fit_ngrams
from scipy.special import logit
from selftraining import fresh_lines, pseudo_labels
from tqdm import tqdm
from vectors import SIZE, word_vectors

SPREAD = 0.3  # standard deviation of the numbers of all word vectors at the start
AVERAGED_STEPS = 100  # about so many of the last steps are in the moving average
STUDENT_TWEETS = 50_000  # unlabelled ones that a student reads at least, in as many epochs as that takes
TRUE_SHARE, MOST_REPEATS = 0.35, 10  # true labels for each pseudo label of a student's epoch; and how often
#     one is read in it, at most, unless that makes fewer than LEAST_TWEETS
LEAST_TWEETS = 8000  # labelled ones in an epoch: fewer are read several times
PATIENCE = 2  # epochs
FREE = {"no_self_training", "rounds"}  # may differ when a training goes on


def build(args, sentences):
    """The model before any label, with the vectors of the sentences' words, and what a language model of the
    sentences has made of them and of the LSTM."""
    vectors_file, drawn = args.out_dir / "vectors.txt", args.vectors == "random"
    embeddings = word_vectors(vectors_file, sentences, args.seed, drawn, args.resume)
    build_model = build_rnn if args.model == "rnn" else build_bag
    model = build_model(embeddings.index_to_key, SIZE, frozen=args.vectors == "frozen")
    model.get_layer("words").set_vectors(embeddings.vectors * (SPREAD / embeddings.vectors.std()))
    if args.model == "rnn" and not args.no_language_model:
        pretrain(args, model, model.get_layer("words").encode(sentences))
    return model


class Fit:
    """A training of a network of model.py.

    train = (sentences, labels), a list of str and int64 (N,), is what it learns from; validation, alike, is
    the validation set; unlabelled, list of str, is what the rounds draw from. Unless --no-ngrams is given,
    what is scored, saved and teaches is `combined`, the mean of the network and a model of n-grams. Its
    network is `averaged`, a copy on one device that has the moving average of the weights.
    """

    def __init__(self, args, model, train, validation, unlabelled):
        encode = model.get_layer("words").encode
        self.args, self.model, self.validation, self.devices = args, model, validation, len(sharing)
        model.compile(
            keras.optimizers.Adam(
                args.learning_rate, clipnorm=1.0, use_ema=True, ema_momentum=1 - 1 / AVERAGED_STEPS
            ),
            keras.losses.BinaryCrossentropy(from_logits=True),
            jit_compile=False,  # with XLA a step takes longer here: see the README's table
        )
        model.optimizer.build(model.trainable_variables)
        share_batches(*ALONE)  # but for train_epoch()
        self.averaged = self.combined = keras.models.clone_model(model)
        self.ngram_logits = None
        if not args.no_ngrams:
            self.combined = with_ngrams(self.averaged, *fit_ngrams(*train))
            self.ngram_logits = ngram_logits(self.combined, validation[0])
        self.rows, self.labels = encode(train[0]), train[1]
        self.unlabelled, self.unlabelled_rows = unlabelled, encode(unlabelled)
        self.pseudo = pd.DataFrame({"round": [], "line": [], "label": []})
        data = self.rows, self.labels, self.unlabelled_rows
        self.checkpoint, self.progress = Checkpoint(args, data, FREE), (0, 1)

    def run(self, rounds, resume=False):
        """Train, with resume from the last finished epoch on; write model.keras and checkpoint.npz meanwhile.

        Round 0 learns from the labels alone, and each of the `rounds` from pseudo labels too, from the start.
        Returns the history, a row an epoch. model.keras is of the last round's epoch with the best accuracy
        on the validation set, labels_alone.keras of round 0's.
        """
        args = self.args
        start = [keras.ops.convert_to_numpy(variable) for variable in self.state()]
        if resume:
            self.checkpoint.restore(self.state())
            if self.checkpoint.rows and self.checkpoint.rows[-1]["round"] > rounds:
                raise BadInput(f"{self.checkpoint.path} has rounds of self-training; leave out --resume.")
            self.pseudo = pd.DataFrame(self.checkpoint.state.get("pseudo", []), columns=self.pseudo.columns)
        while (following := self.next_epoch(rounds)) is not None:
            number, done, epochs = following
            started, epoch = time.perf_counter(), len(self.checkpoint.rows) + 1
            if number and not done:
                if number not in set(self.pseudo["round"]):
                    self.add_pseudo_labels(number)
                    self.save()  # so that it is not asked again when model.keras is the student's
                self.assign(start)
            self.progress = (done / epochs, (done + 1) / epochs)
            loss = self.train_epoch(np.random.default_rng([args.seed, epoch]))
            if not np.isfinite(loss):
                raise BadInput(
                    f"epoch {epoch}: the loss is not a number, --learning-rate {args.learning_rate} may be "
                    f"too large; {args.out_dir} holds what was before."
                )
            row = {"round": number, "pseudo_labels": len(self.pseudo), "loss": loss}
            best = max(
                [old["accuracy"] for old in self.checkpoint.rows if old["round"] == number], default=-1
            )
            self.average()
            row |= self.evaluate()
            if row["accuracy"] > best:
                for name in ["model.keras"] if number else ["model.keras", "labels_alone.keras"]:
                    with replacing(args.out_dir / name) as path:
                        self.combined.save(path, include_optimizer=False)
            self.checkpoint.rows.append(row | {"seconds": time.perf_counter() - started})
            self.save()
            tqdm.write(f"epoch {epoch}, " + ", ".join(f"{name} {value:.4g}" for name, value in row.items()))
        return self.checkpoint.history()

    def next_epoch(self, rounds):
        """The next epoch's round, its epochs that are done, and how many it has at most; None at the end."""
        lines = min(self.args.unlabelled_per_round, len(self.unlabelled))
        rows, most = self.checkpoint.rows, min(-(-STUDENT_TWEETS // lines), self.args.epochs)
        number = rows[-1]["round"] if rows else 0
        losses = [row["validation_loss"] for row in rows if row["round"] == number]
        epochs = most if number else self.args.epochs
        if len(losses) < epochs and min(losses[-PATIENCE:], default=0) <= min(losses, default=0):
            return number, len(losses), epochs
        return (number + 1, 0, most) if number < rounds else None

    def add_pseudo_labels(self, number):
        """Draw fresh unlabelled lines and add the teacher's pseudo labels: all, or where it is sure.

        The teacher is model.keras, of the last round's best epoch.
        """
        lines = fresh_lines(len(self.unlabelled), self.args.unlabelled_per_round, number, self.args.seed)
        teacher = load_model(self.args.out_dir / "model.keras")
        probabilities = predict_probabilities(teacher, [self.unlabelled[line] for line in lines])
        indices, labels = pseudo_labels(probabilities, self.args.threshold)
        found = pd.DataFrame({"round": number, "line": lines[indices], "label": labels})
        self.pseudo = pd.concat([self.pseudo, found]).drop_duplicates("line", keep="last", ignore_index=True)

    def train_epoch(self, rng):
        """One epoch on the labelled tweets and those with pseudo labels; the mean loss of its steps.

        self.progress is how far its round is before and after: the rate falls along a cosine.
        """
        share = round(TRUE_SHARE * len(self.pseudo) / len(self.rows))
        repeats = max(-(-LEAST_TWEETS // len(self.rows)), min(share, MOST_REPEATS))
        lines = self.pseudo["line"].to_numpy(np.int64)
        rows = np.concatenate([self.rows] * repeats + [self.unlabelled_rows[lines]])
        labels = np.concatenate([self.labels] * repeats + [self.pseudo["label"]]).astype(np.float32)
        losses = []
        cut = batches(rows, self.args.batch_size, rng)
        first, last = self.progress
        share_batches(self.devices, self.args.batch_size)
        for step, (indices, length) in enumerate(tqdm(cut, leave=False, ncols=80, disable=None)):
            progress = first + (last - first) * step / len(cut)
            self.model.optimizer.learning_rate = self.args.learning_rate * (1 + np.cos(np.pi * progress)) / 2
            batch = rows[indices, :length], labels[indices, None]
            losses.append(train_on_batch(self.model, *batch))
        share_batches(*ALONE)
        return float(np.mean(losses))

    def evaluate(self):
        """Accuracy on the validation set, with n-grams and of the network alone, and the mean cross-entropy
        of the former, in nats.

        The mean is taken here: on JAX, a second model that predicts with the network's arrays deletes them.
        """
        sentences, labels = self.validation
        probabilities = predict_probabilities(self.averaged, sentences).astype(np.float64)
        network = logit(probabilities.clip(1e-7, 1 - 1e-7))
        logits = network if self.ngram_logits is None else (network + self.ngram_logits) / 2
        return {
            "validation_loss": float(np.logaddexp(0, np.where(labels == 1, -logits, logits)).mean()),
            "network_accuracy": float(np.mean((network > 0) == (labels == 1))),
            "accuracy": float(np.mean((logits > 0) == (labels == 1))),
        }

    def average(self):
        """Give the network that is validated and saved the moving average of the weights."""
        last = self.model.get_weights()
        self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
        self.averaged.set_weights(self.model.get_weights())
        self.model.set_weights(last)

    def state(self):
        return [*self.model.variables, *self.model.optimizer.variables]

    def assign(self, arrays):
        for variable, array in zip(self.state(), arrays):
            variable.assign(array)

    def save(self):
        """Write checkpoint.npz and pseudo_labels.csv, whose texts are quoted: they may hold a line's end."""
        self.checkpoint.state = {"pseudo": self.pseudo.to_numpy(np.float64).tolist()}
        self.checkpoint.save(self.state())
        with replacing(self.args.out_dir / "pseudo_labels.csv") as path:
            texts = [self.unlabelled[line] for line in self.pseudo["line"].astype(int)]
            table = self.pseudo.astype({"round": np.int64, "line": np.int64}).assign(text=texts)
            table.to_csv(path, index=False, quoting=csv.QUOTE_NONNUMERIC, float_format="%.4g")
