"""How fast is a training step? This chapter's transformer, and the same one made of PyTorch's own layers.

    python hw08_seq2seq/throughput.py keras        tokens a second, float32
    python hw08_seq2seq/throughput.py torch        the same of PyTorch, which must be installed
    python hw08_seq2seq/throughput.py keras --bfloat16

Each runs in a process of its own, since the two libraries do not share one well. A step has 128 pairs of 12
tokens, no padding, the default's units and dropout, label smoothing, clipped gradients and Adam.
"""

from scaffold import run

import numpy as np
from timing import flags_of, import_torch, rate, start

PAIRS, TOKENS = 128, 12  # of a batch, and of each of its sentences
ENGLISH, CHINESE = 3922, 2550  # tokens of the course's files
UNITS, HEADS, LAYERS, DROPOUT, SMOOTHING = 128, 4, 2, 0.1, 0.1


def keras_step(source, target_in, target, bfloat16):
    """A function that takes one training step."""
    start(bfloat16)
    import keras  # with its lines kept away
    from transformer import Transformer

    words = map(str, range(ENGLISH)), map(str, range(CHINESE))
    model = Transformer(*words, UNITS, DROPOUT, LAYERS, HEADS, smoothing=SMOOTHING)
    model.compile(optimizer=keras.optimizers.Adam(0.001, global_clipnorm=1.0), jit_compile=False)
    return lambda: model.train_on_batch((source, target_in), target)


def torch_step(source, target_in, target, bfloat16):
    """The same of PyTorch."""
    torch = import_torch()
    nn = torch.nn
    source, target_in, target = (torch.from_numpy(part).long() for part in (source, target_in, target))
    times = torch.arange(TOKENS, dtype=torch.float32)[:, None]
    angles = times / 10_000 ** (torch.arange(0, UNITS, 2) / UNITS)
    positions = torch.cat([angles.sin(), angles.cos()], dim=1)
    english, chinese = nn.Embedding(ENGLISH, UNITS), nn.Embedding(CHINESE, UNITS)
    bias, dropout = nn.Parameter(torch.zeros(CHINESE)), nn.Dropout(DROPOUT)
    transformer = nn.Transformer(
        UNITS, HEADS, LAYERS, LAYERS, 4 * UNITS, DROPOUT, batch_first=True, norm_first=True
    )
    causal = nn.Transformer.generate_square_subsequent_mask(TOKENS)
    parameters = [*english.parameters(), *chinese.parameters(), bias, *transformer.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.001)

    def step():
        padding = source == 0
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            outputs = transformer(
                dropout(english(source) * UNITS**0.5 + positions),
                dropout(chinese(target_in) * UNITS**0.5 + positions),
                tgt_mask=causal,
                tgt_is_causal=True,
                src_key_padding_mask=padding,
                memory_key_padding_mask=padding,
            )
            logits = nn.functional.linear(outputs, chinese.weight, bias)
        loss = nn.functional.cross_entropy(
            logits.float().flatten(0, 1), target.flatten(), ignore_index=0, label_smoothing=SMOOTHING
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        return float(loss.detach())

    return step


def parse_args(argv=None):
    return flags_of(__doc__, argv, bfloat16="compute in bfloat16")


def main(argv=None):
    args = parse_args(argv)
    rng = np.random.default_rng(0)
    source, target_in, target = (
        rng.integers(4, count, (PAIRS, TOKENS), dtype=np.int32) for count in (ENGLISH, CHINESE, CHINESE)
    )
    step = (keras_step if args.library == "keras" else torch_step)(source, target_in, target, args.bfloat16)
    print(f"{rate(step, PAIRS * TOKENS, args.steps):.0f}")


if __name__ == "__main__":
    run(main)
