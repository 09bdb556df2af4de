"""How fast is a step of the default? This chapter's networks, and the same ones made of PyTorch's own layers.

    python hw11_gan/throughput.py keras        true images a second, float32
    python hw11_gan/throughput.py torch        the same of PyTorch, which must be installed
    python hw11_gan/throughput.py keras --bfloat16

Both compute on the processor, each in a process of its own, since the two libraries do not share one well. A
step updates both networks once, by 32 true images of 64 x 64 pixels: mirrored, augmented, R1 in each eighth
step, two Adams, and the average of the weights.
"""

import itertools
import os

from scaffold import run

import numpy as np
import train
from recipes import LOSS_RECIPES, R1_EVERY, RECIPES
from timing import flags_of, import_torch, rate, start

RECIPE = RECIPES["default"]
CHANNELS = [RECIPE.width * 2**stage for stage in range(4)]  # of the maps of 32, 16, 8 and 4 pixels a side
NOISE = 100


def keras_step(pixels, bfloat16):
    """A function that takes one training step."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    start(bfloat16, tensorflow=True)
    from gan import make_step
    from training import build_gan

    step = make_step(build_gan(train.parse_args(["--feature-model", "none"])))
    return lambda: [float(loss) for loss in step(pixels)]


def torch_step(pixels, bfloat16):
    """The same of PyTorch."""
    torch = import_torch()
    nn = torch.nn
    size, kernel = RECIPE.image_size, RECIPE.kernel
    layout, half = torch.channels_last, torch.autocast("cpu", torch.bfloat16, enabled=bfloat16)
    pixels = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    softplus = nn.functional.softplus

    def build_generator():
        last = CHANNELS[-1]
        parts = [nn.Linear(NOISE, last * 16, bias=False), nn.Unflatten(1, (last, 4, 4))]
        for wide, narrow in zip(CHANNELS[:0:-1], CHANNELS[-2::-1]):
            parts += [nn.BatchNorm2d(wide), nn.ReLU()]
            parts.append(nn.ConvTranspose2d(wide, narrow, kernel, 2, 1, bias=False))
        parts += [nn.BatchNorm2d(CHANNELS[0]), nn.ReLU(), nn.ConvTranspose2d(CHANNELS[0], 3, kernel, 2, 1)]
        return nn.Sequential(*parts, nn.Tanh()).to(memory_format=layout)

    def build_discriminator():
        parts = [nn.Conv2d(3, CHANNELS[0], kernel, 2, 1), nn.LeakyReLU(0.2)]
        for narrow, wide in zip(CHANNELS, CHANNELS[1:]):
            parts.append(nn.Conv2d(narrow, wide, kernel, 2, 1, bias=False))
            parts += [nn.BatchNorm2d(wide), nn.LeakyReLU(0.2)]
        return nn.Sequential(*parts, nn.Flatten(), nn.Linear(16 * CHANNELS[-1], 1)).to(memory_format=layout)

    def shifting(steps):
        columns = torch.arange(size)
        return (columns[None, :, None] - steps == columns[None, None]).float()

    def augment(images):
        draws = torch.rand(5, len(images), 1, 1, 1)
        images = images + draws[0] - 0.5
        grey = images.mean(1, keepdim=True)
        images = (images - grey) * (2 * draws[1]) + grey
        mean = images.mean((1, 2, 3), keepdim=True)
        images = (images - mean) * (draws[2] + 0.5) + mean
        most = size // 8
        down, right = ((2 * most + 1) * draws[3:, :, :, :, 0]).floor().long() - most
        images = torch.einsum("bij,bcjk->bcik", shifting(down), images)
        return torch.einsum("bij,bckj->bcki", shifting(right), images)

    generator, averaged, discriminator = build_generator(), build_generator(), build_discriminator()
    optimizers = [
        torch.optim.Adam(network.parameters(), RECIPE.learning_rate, betas=(0.5, 0.999))
        for network in (generator, discriminator)
    ]

    def r1_penalty(real):
        real = real.detach().requires_grad_()
        with half:
            logits = discriminator(real)
        (gradients,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
        return gradients.square().sum((1, 2, 3)).mean() / 2

    number = itertools.count()

    def step():
        mirrored = torch.rand(len(pixels), 1, 1, 1) < 0.5
        real = pixels.float() / 127.5 - 1
        real = torch.where(mirrored, real.flip(3), real).contiguous(memory_format=layout)
        with half:
            with torch.no_grad():
                fake = generator(torch.randn(len(pixels), NOISE)).float()
            real, fake = augment(real), augment(fake)
            of_real, of_fake = discriminator(real).float(), discriminator(fake).float()
            of_discriminator = softplus(-of_real).mean() + softplus(of_fake).mean()
        if next(number) % R1_EVERY == 0:
            of_discriminator = of_discriminator + R1_EVERY * LOSS_RECIPES["dcgan"].r1 * r1_penalty(real)
        optimizers[1].zero_grad()
        of_discriminator.backward()
        optimizers[1].step()
        with half:
            fake = generator(torch.randn(len(pixels), NOISE)).float()
            of_generator = softplus(-discriminator(augment(fake)).float()).mean()
        optimizers[0].zero_grad()
        of_generator.backward(inputs=list(generator.parameters()))
        optimizers[0].step()
        with torch.no_grad():
            for mean, now in zip(averaged.parameters(), generator.parameters()):
                mean.lerp_(now, 0.01)
        return float(of_discriminator.detach()), float(of_generator.detach())

    return step


def parse_args(argv=None):
    return flags_of(__doc__, argv, bfloat16="compute in bfloat16")


def main(argv=None):
    args = parse_args(argv)
    shape = RECIPE.batch_size, RECIPE.image_size, RECIPE.image_size, 3
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    step = (keras_step if args.library == "keras" else torch_step)(pixels, args.bfloat16)
    print(f"{rate(step, RECIPE.batch_size, args.steps):.0f}")


if __name__ == "__main__":
    run(main)
