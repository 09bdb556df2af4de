"""How fast is a training step? This chapter's default network, and the same one made of PyTorch's own layers.

    python hw03_cnn/throughput.py keras                 images a second, float32
    python hw03_cnn/throughput.py torch                 the same of PyTorch, which must be installed
    python hw03_cnn/throughput.py keras --bfloat16
    python hw03_cnn/throughput.py keras --small         of images of 32 pixels, not of crops for images of 64

A step has 128 images, of 56 x 56 pixels as in a training on food, or of 32 x 32 as in one on CIFAR-10. Both
have smoothed labels, Nesterov's momentum and weight decay. PyTorch keeps its images channels last.
"""

from scaffold import run

import numpy as np
from timing import flags_of, import_torch, rate, start

IMAGES, CLASSES = 128, 11  # of a batch
SIZES = {False: (64, 56), True: (32, 32)}  # --small: pixels a side of the images, and of what a step is shown


def keras_step(pixels, labels, args):
    """A function that takes one training step."""
    start(args.bfloat16)
    import keras  # with its lines kept away
    from model import build_model

    model = build_model("airbench", SIZES[args.small][0], CLASSES, side=pixels.shape[1])
    model.compile(
        keras.optimizers.SGD(0.001, 0.9, nesterov=True, weight_decay=0.01),
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2),
        jit_compile=False,
    )
    model.optimizer.build(model.trainable_variables)
    one_hot = np.eye(CLASSES, dtype=np.float32)[labels]
    return lambda: model.train_on_batch(pixels, one_hot)


def torch_step(pixels, labels, args):
    """The same of PyTorch."""
    torch = import_torch()
    nn, layout = torch.nn, torch.channels_last

    def convolution(channels, filters, pooling):
        halved = [nn.MaxPool2d(2)] if pooling else []
        first = nn.Conv2d(channels, filters, 3, padding=1, bias=False)
        return [first, *halved, nn.BatchNorm2d(filters, eps=1e-5), nn.ReLU()]

    stride = SIZES[args.small][0] // 32
    whitening = nn.Conv2d(3, 24, 2, stride, bias=False)
    parts, channels = [whitening, nn.ReLU()], 24
    for filters in (64, 256, 256):
        parts += convolution(channels, filters, True) + convolution(filters, filters, False)
        channels = filters
    parts += [nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES)]
    model = nn.Sequential(*parts).to(memory_format=layout)
    optimizer = torch.optim.SGD(model.parameters(), 0.001, 0.9, nesterov=True, weight_decay=0.001)
    pixels, labels = torch.from_numpy(pixels).permute(0, 3, 1, 2), torch.from_numpy(labels)

    def step():
        images = (pixels / 127.5 - 1).contiguous(memory_format=layout)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bfloat16):
            logits = model(images) / 9
        loss = nn.functional.cross_entropy(logits.float(), labels, label_smoothing=0.2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def parse_args(argv=None):
    return flags_of(
        __doc__, argv, bfloat16="compute in bfloat16", small="images of 32 pixels, as of CIFAR-10"
    )


def main(argv=None):
    args = parse_args(argv)
    rng, side = np.random.default_rng(0), SIZES[args.small][1]
    pixels = rng.integers(0, 256, (IMAGES, side, side, 3)).astype(np.float32)
    labels = rng.integers(0, CLASSES, IMAGES)
    step = (keras_step if args.library == "keras" else torch_step)(pixels, labels, args)
    print(f"{rate(step, IMAGES, args.steps):.0f}")


if __name__ == "__main__":
    run(main)
