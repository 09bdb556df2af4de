"""Draw faces with the generator that train.py saved.

    python hw11_gan/predict.py                          100 faces, a sheet of them, a walk, and their nearest
    python hw11_gan/predict.py --count 1000 --seed 7    others, and more of them
    python hw11_gan/predict.py --synthetic              after train.py --synthetic

Written to <out-dir>: generated/00000.png ..., generated.png with the first hundred, walk.png, from one noise
to another in each row, and nearest.png, eight faces above the training faces that are most like them. The
same seed gives the same bytes on the same machine, and the first images are the same for every --count.
"""

from scaffold import Parser, integer, replacing, run

import numpy as np
from dataset import load_faces
from device import start_keras
from PIL import Image
from records import spare_folder, trained
from sheets import nearest, plot_rows, sheet, walk

ROWS, STEPS = 6, 10  # of walk.png
SHOWN = 100  # in generated.png
NEAREST = 8  # faces in nearest.png


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "folder that holds faces/")
    parser.add_argument("--count", type=integer(1, 100_000), default=100, help="images to draw")
    parser.add_argument("--seed", type=integer(0, 2**31 - 1), default=0, help="seed of their noise")
    return parser.parse(argv)


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    trained(args, "model.keras")
    spare_folder(args.out_dir / "generated", r"[0-9]{5,}\.png")
    start_keras(tensorflow=True)
    from model import draw_noise, generate, load_generator  # with Keras, for which --help need not wait

    generator = load_generator(args.out_dir / "model.keras")
    faces, *_ = load_faces(data_dir, generator.output_shape[1])
    noise = draw_noise(max(args.count, 2 * ROWS), args.seed)
    images = generate(generator, noise)
    write_faces(args.out_dir / "generated", images[: args.count])
    between = [walk(first, last, STEPS) for first, last in zip(noise[:ROWS], noise[ROWS:])]
    walks = np.split(generate(generator, np.concatenate(between)), ROWS)
    walks = {f"noise {row} to noise {ROWS + row}": steps for row, steps in enumerate(walks, 1)}
    pairs = {"generated": images[:NEAREST], "nearest true face": nearest(images[:NEAREST], faces)}
    with replacing(args.out_dir / "generated.png") as path:
        sheet(images[: min(args.count, SHOWN)], columns=10).save(path)
    for name, figure in (("walk", plot_rows(walks, STEPS)), ("nearest", plot_rows(pairs, NEAREST))):
        with replacing(args.out_dir / f"{name}.png") as path:
            figure.savefig(path)
    print(f"{args.count} faces of seed {args.seed}   {args.out_dir / 'generated.png'}")
    return images[: args.count]


def write_faces(folder, images):
    """Write 00000.png ... into a folder, which takes the place of an older one as a whole."""
    with replacing(folder) as temporary:
        temporary.mkdir()
        for number, image in enumerate(images):
            Image.fromarray(image).save(temporary / f"{number:05d}.png")


if __name__ == "__main__":
    run(main)
