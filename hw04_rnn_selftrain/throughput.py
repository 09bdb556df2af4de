"""How fast is a training step? This chapter's bidirectional LSTM, and the same one made of PyTorch's layers.

    python hw04_rnn_selftrain/throughput.py keras          tweets a second
    python hw04_rnn_selftrain/throughput.py keras --xla    compiled by XLA
    python hw04_rnn_selftrain/throughput.py torch          the same of PyTorch, which must be installed

Each runs in a process of its own, since the two libraries do not share one well. A step has 128 tweets of 24
words, no padding, in float32, the default's sizes and dropout, clipped gradients, Adam and averaged weights.
"""

from scaffold import run

import numpy as np
from device import start_keras
from timing import flags_of, import_torch, rate

TWEETS, LENGTH = 128, 24  # of a batch, and words of a tweet
WORDS, SIZE, UNITS, DROPOUT = 30_000, 200, 128, 0.5
AVERAGED_STEPS = 100


def keras_step(rows, labels, xla):
    """A function that takes one training step."""
    start_keras(0)
    import keras  # with its lines kept away
    from model import build_rnn

    model = build_rnn([str(word) for word in range(WORDS - 2)], SIZE, UNITS, DROPOUT)
    adam = keras.optimizers.Adam(clipnorm=1.0, use_ema=True, ema_momentum=1 - 1 / AVERAGED_STEPS)
    model.compile(adam, keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=xla)
    adam.build(model.trainable_variables)
    return lambda: model.train_on_batch(rows, labels[:, None])


def torch_step(rows, labels, xla):
    """The same of PyTorch, which has no XLA."""
    torch = import_torch()
    nn = torch.nn
    rows, labels = torch.from_numpy(rows).long(), torch.from_numpy(labels)
    vectors, lstm = nn.Embedding(WORDS, SIZE), nn.LSTM(SIZE, UNITS, batch_first=True, bidirectional=True)
    columns, dropout, logit = nn.Dropout1d(DROPOUT), nn.Dropout(DROPOUT), nn.Linear(4 * UNITS, 1)
    parameters = [*vectors.parameters(), *lstm.parameters(), *logit.parameters()]
    averages = [parameter.detach().clone() for parameter in parameters]
    optimizer = torch.optim.Adam(parameters, lr=0.001)

    def step():
        x = columns(vectors(rows).transpose(1, 2)).transpose(1, 2)  # whole columns, as SpatialDropout1D does
        outputs, _ = lstm(x)
        summary = torch.cat([outputs.amax(dim=1), outputs.mean(dim=1)], dim=1)
        loss = nn.functional.binary_cross_entropy_with_logits(logit(dropout(summary))[:, 0], labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        with torch.no_grad():
            for average, parameter in zip(averages, parameters):
                average.lerp_(parameter, 1 / AVERAGED_STEPS)
        return float(loss.detach())

    return step


def parse_args(argv=None):
    return flags_of(__doc__, argv, xla="let XLA compile Keras' step")


def main(argv=None):
    args = parse_args(argv)
    rng = np.random.default_rng(0)
    rows = rng.integers(2, WORDS, (TWEETS, LENGTH), dtype=np.int32)
    labels = rng.integers(0, 2, TWEETS).astype(np.float32)
    step = (keras_step if args.library == "keras" else torch_step)(rows, labels, args.xla)
    print(f"{rate(step, TWEETS, args.steps):.0f}")


if __name__ == "__main__":
    run(main)
