"""Answer the report questions of homework 11: every table and figure of README.md.

    python hw11_gan/report.py                                       measured with InceptionV3, into results/
    python hw11_gan/report.py --feature-model squeezenet.keras      measured with a network of your own
    python hw11_gan/report.py --synthetic                           on drawn faces, into out/results/

The default against the course's settings, the five losses, all for as many minutes, a collapse made on
purpose and mended, what batch normalisation does to samples, and how fast a step is beside PyTorch's. A row
is train.main() run with some seeds. Trainings are kept, so an interrupted report goes on.
Remove <out-dir>/report to measure all anew.
"""

import argparse
from pathlib import Path

from scaffold import BadInput, Parser, replacing, run

from device import start_keras
from images import image_files
from records import finished, publish, read_metrics


def parse_args(argv=None):
    parser = Parser(__doc__, "report", "folder that holds faces/")
    parser.add_argument(
        "--feature-model", default="inceptionv3", help="what measures all rows: that, or a .keras file"
    )
    parser.set_defaults(seeds=3)
    args = parser.parse(argv)
    if args.feature_model in ("automatic", "own", "none"):
        parser.error(f"--feature-model {args.feature_model}: expected one network for all rows")
    return args


if __name__ == "__main__":  # --help, wrong flags and files need not wait for the imports below
    run(lambda: (args := parse_args()).synthetic or image_files(args.data_dir / "faces"))
    run(lambda: start_keras(tensorflow=True))

import numpy as np
import pandas as pd
import train
from checkpoint import Checkpoint
from dataset import load_faces
from metrics import load_features, measure
from model import draw_noise, generate, load_generator
from PIL import Image
from sheets import GAP, plot_rows
from timing import speeds
from training import FEATURES, FREE, GENERATED, build_gan

ORIGINAL_EPOCHS, EARLY = 10, 1  # four fifths of the default's processor time; the first epoch
LOSSES = {"dcgan": 18, "lsgan": 18, "wgan": 29, "wgan-gp": 19, "sngan": 18}  # epochs, all of as many minutes
CLOSE = "dcgan", "lsgan"  # have all seeds; the others, which lie far behind, have two
COLLAPSE = "--image-size 32 --batch-size 64 --learning-rate 0.0005 --epochs 1"
COLLAPSES = {
    "one update of the generator a step": "--generator-steps 1",
    "five": "--generator-steps 5",
    "five, and the mode-seeking loss": "--generator-steps 5 --diversity 1",
}
OTHER_NOISE = (1, 2, 3)  # seeds: how far a score is chance
FLIPS = (1, 2, 5, 10, 25, 50)  # epochs shown in faces.jpg
COLUMNS_OF_IMAGES = 8
COLUMNS = ["table", "row", "kid", "fid", "spread", "duplicates", "seconds", "images_a_second"]


def main(argv=None):
    args = parse_args(argv)
    results = args.results

    def trained(flags, seeds=args.seeds):
        """train.main() with these flags and some seeds; the folders."""
        flags, folders = flags.split(), []
        flags += ["--epochs", str(args.epochs)] * bool(args.epochs)
        flags += ["--synthetic", "--image-size", "16"] * args.synthetic
        flags += ["--feature-model", args.feature_model]
        for seed in range(seeds):
            argv = [*flags, "--seed", str(seed), "--data-dir", str(args.data_dir)]
            folder = args.trainings / name_of(argv)
            argv += ["--out-dir", str(folder)]
            folders.append(folder)
            if not finished(train.parse_args(argv)):
                train.main([*argv, "--resume"])
        return folders

    default = trained("", seeds=1)
    early = trained(f"--original --epochs {EARLY}", seeds=1)
    original = trained(f"--original --epochs {ORIGINAL_EPOCHS}", seeds=1)
    distances_of, faces, held_out = measurement(default[0])
    rows = [["default", "the default", *cells(default)]]
    for seed in OTHER_NOISE:
        rows.append(["default", f"the default, other noise ({seed})", *distances_of(drawn(default[0], seed))])
    rows.append(["default", "the original", *cells(original)])
    rows.append(["default", "true faces", *distances_of(faces[:: len(faces) // len(held_out)])])

    seeds = {loss: args.seeds if loss in CLOSE else min(2, args.seeds) for loss in LOSSES}
    losses = {
        loss: trained(f"--image-size 32 --loss {loss} --epochs {epochs}", seeds[loss])
        for loss, epochs in LOSSES.items()
    }
    rows += [["losses", loss, *cells(folders)] for loss, folders in losses.items()]
    collapses = {name: trained(f"{COLLAPSE} {flags}") for name, flags in COLLAPSES.items()}
    rows += [["collapse", name, *cells(folders)] for name, folders in collapses.items()]

    strips = {}
    for folder in (early[0], original[0]):
        epochs = arguments_of(folder).epochs
        epochs = f"{epochs} epochs" if epochs > 1 else "1 epoch"
        for way, images in normalised(folder, faces).items():
            rows.append(["normalisation", f"after {epochs}: {way}", *distances_of(images)])
            strips[f"{epochs}, {way}"] = images
    for name, measured in speeds(bool(args.epochs)):  # true images a second in training
        rows.append(["throughput", name, "", "", "", "", "", measured])

    results.mkdir(parents=True, exist_ok=True)
    others = {
        "other noises": drawn(default[0], OTHER_NOISE[0]),
        "the original": drawn(original[0]),
        "true faces": held_out,
    }
    strips_of = {
        "faces.jpg": flip_book(default[0]) | others,
        "losses.jpg": {name: drawn(folders[0]) for name, folders in (losses | collapses).items()},
        "normalisation.jpg": strips,
    }
    for name, strips in strips_of.items():
        with replacing(results / name) as path:
            plot_rows(strips, COLUMNS_OF_IMAGES).savefig(path)
    with replacing(results / "thumbnail.jpg") as path:
        plot_rows(strips_of["faces.jpg"], COLUMNS_OF_IMAGES).savefig(path, dpi=40)
    table = pd.DataFrame([dict(zip(COLUMNS, row)) for row in rows], columns=COLUMNS).fillna("")
    publish(results, table, read_metrics(default[0]))


def name_of(argv):
    """A folder's name that tells a training from others: the flags that are not as they are by default.

    The same training asked for twice has one folder.
    """
    usual, flags = vars(train.parse_args([])), vars(train.parse_args(argv))
    hidden = ("data_dir", "feature_model", "seed")
    shown = [name for name in flags if flags[name] != usual[name] and name not in hidden]
    return "_".join(f"{name.replace('_', '-')}-{flags[name]}" for name in [*shown, "seed"])


def cells(folders):
    """COLUMNS from the third on: of several trainings the mean and the deviation of the seeds."""
    runs = [read_metrics(folder) for folder in folders]
    seconds = np.median([found["seconds"]["one_fit_of_all_cores"] for found in runs])  # others' jobs apart
    if len(runs) == 1:
        return as_cells(runs[0], seconds)
    row = []
    for name, form in (("kid", ".1f"), ("fid", ".1f"), ("spread", ".3f"), ("duplicates", ".3f")):
        values = [found[name] for found in runs]
        row.append(f"{np.mean(values):{form}} ± {np.std(values, ddof=1):{form}}")
    return [*row, f"{seconds:.0f}"]


def as_cells(found, seconds=None):
    """COLUMNS from the third on, of one measurement: the deviation is KID's, over its draws of images."""
    return [
        f"{found['kid']:.1f} ± {found['kid_deviation']:.1f}",
        f"{found['fid']:.1f}",
        f"{found['spread']:.3f}",
        f"{found['duplicates']:.3f}",
        "" if seconds is None else f"{seconds:.0f}",
    ]


def arguments_of(folder):
    """The flags of the training in a folder, as train.parse_args() gives them."""
    found = read_metrics(folder)["arguments"]
    paths = {name: Path(found[name]) for name in ("data_dir", "out_dir")}
    return argparse.Namespace(**found | paths)


def measurement(folder):
    """What a training was measured with: distances_of(images) -> cells, and its faces and those aside."""
    args = arguments_of(folder)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    faces, held_out, _ = load_faces(data_dir, args.image_size)
    model = load_features(args.feature_model, data_dir)
    return (
        lambda images: as_cells(measure(model, held_out, images, folder / FEATURES)),
        faces,
        held_out,
    )


def normalised(folder, faces):
    """The generator of a training's checkpoint, sampled three ways: uint8 (GENERATED, size, size, 3) each.

    faces: what it learnt from, by which the checkpoint is known.
    """
    args = arguments_of(folder)
    gan, noise = build_gan(args), draw_noise(GENERATED, args.seed)
    checkpoint = Checkpoint(args, [faces], FREE)
    if not checkpoint.path.is_file():
        raise BadInput(f"{checkpoint.path} is missing; remove {folder}, and it is trained again.")
    checkpoint.restore(gan.variables)
    return {
        "moving averages": generate(gan.generator, noise),
        "each batch's own": generate(gan.generator, noise, training=True),
        "recalibrated": drawn(folder),
    }


def drawn(folder, seed=None):
    """What a training was measured on, or by other noise."""
    seed = arguments_of(folder).seed if seed is None else seed
    return generate(load_generator(folder / "model.keras"), draw_noise(GENERATED, seed))


def flip_book(folder):
    """The first row of the sheets of some epochs: {name: uint8 (COLUMNS_OF_IMAGES, size, size, 3)}."""
    strips = {}
    for epoch in FLIPS:
        path = folder / "samples" / f"epoch_{epoch:03d}.png"
        if path.is_file():
            with Image.open(path) as image:
                cell = (image.width + GAP) // COLUMNS_OF_IMAGES
                row = np.asarray(image)[: cell - GAP]
            starts = range(0, cell * COLUMNS_OF_IMAGES, cell)
            strips[f"epoch {epoch}"] = np.stack([row[:, start : start + cell - GAP] for start in starts])
    return strips


if __name__ == "__main__":
    run(main)
