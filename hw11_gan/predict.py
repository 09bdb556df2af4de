"""Draw faces with the generator that train.py saved.

    python hw11_gan/predict.py                          100 faces, a sheet of them, a walk, and their nearest
    python hw11_gan/predict.py --count 1000 --seed 7    others, and more of them
    python hw11_gan/predict.py --synthetic              after train.py --synthetic

Written to <out-dir>: generated/00000.png ..., generated.png with the first hundred, walk.png, from one noise
to another in each row, and nearest.png, eight faces above the training faces that are most like them. The
same seed gives the same bytes on the same machine, and the first pictures are the same for every --count.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
from dataset import BadInput, load_faces, replacing, run
from PIL import Image

HERE = Path(__file__).resolve().parent
ROWS, STEPS = 6, 10  # of walk.png
SHOWN = 100  # in generated.png


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Draw faces with the generator that train.py saved.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--data-dir", type=Path, default=HERE / "data", help="folder that holds faces/")
    parser.add_argument(
        "--out-dir", type=Path, default=HERE / "out", help="folder of model.keras, and to write to"
    )
    parser.add_argument(
        "--synthetic", action="store_true", help="use the faces that train.py --synthetic drew"
    )
    parser.add_argument("--count", type=int, default=100, help="pictures to draw")
    parser.add_argument("--seed", type=int, default=0, help="seed of their noise")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    for wrong, sentence in [
        (args.count < 1, f"--count {args.count}: expected at least 1."),
        (args.seed < 0, f"--seed {args.seed}: expected 0 or more."),
    ]:
        if wrong:
            raise BadInput(sentence)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    if args.synthetic and not data_dir.is_dir():
        raise BadInput(f"{data_dir} is missing; run train.py --synthetic first, with the same --out-dir.")
    path = args.out_dir / "model.keras"
    if not path.is_file():
        raise BadInput(f"{path} is missing; run train.py first, with the same --out-dir.")

    from model import draw_noise, generate, load_generator  # here, so that --help need not wait for Keras
    from pictures import nearest, sheet, walk

    generator = load_generator(path)
    noise = draw_noise(max(args.count, 2 * ROWS), args.seed)
    pictures = generate(generator, noise)
    write_faces(args.out_dir / "generated", pictures[: args.count])
    walks = [walk(first, last, STEPS) for first, last in zip(noise[:ROWS], noise[ROWS:])]
    faces, *_ = load_faces(data_dir, pictures.shape[1])
    sheets = {
        "generated.png": sheet(pictures[: min(args.count, SHOWN)], columns=10),
        "walk.png": sheet(generate(generator, np.concatenate(walks)), columns=STEPS),
        "nearest.png": sheet(np.concatenate([pictures[:8], nearest(pictures[:8], faces)]), columns=8),
    }
    for name, picture in sheets.items():
        with replacing(args.out_dir / name) as path:
            picture.save(path)
    print(f"{args.count} faces of seed {args.seed}   {args.out_dir / 'generated.png'}")
    return pictures[: args.count]


def write_faces(folder, pictures):
    """Write 00000.png ... into a folder, which takes the place of an older one as a whole."""
    beside = folder.with_name("half-written-" + folder.name)
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir(parents=True)
        for number, picture in enumerate(pictures):
            Image.fromarray(picture).save(beside / f"{number:05d}.png")
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


if __name__ == "__main__":
    run(main)
