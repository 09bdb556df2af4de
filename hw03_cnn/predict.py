"""Write submission.csv for Kaggle (ml2020spring-hw3) with the model that train.py saved, or with several.

    python hw03_cnn/predict.py                              food-11/testing, in the order of the numbers
    python hw03_cnn/predict.py --tta                        the mean over mirrored pictures of several sizes
    python hw03_cnn/predict.py --model a.keras b.keras      the mean over several models
    python hw03_cnn/predict.py --picture lunch.jpg          the likeliest classes of your own pictures
    python hw03_cnn/predict.py --probabilities              a column more for each class
    python hw03_cnn/predict.py --synthetic                  the images that train.py --synthetic drew

The hand-in is <out-dir>/submission.csv: the header Id,Category and a row a test image.
"""

from pathlib import Path

from scaffold import BadInput, Parser, replacing, run

import numpy as np
import pandas as pd
from dataset import load_test
from device import start_keras
from images import class_names, image_files, open_image, read_square
from records import check_models
from scipy.special import softmax

LIKELIEST = 3  # classes of a picture that are printed
SHIFTS = [(0, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)]  # times STEP, of an image flipped and not
STEP = 1 / 16  # of the side
SIZES = (7 / 9, 8 / 9, 1, 10 / 9)  # times the side to which a model scales its images


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "folder that holds food-11")
    parser.add_argument(
        "--model", type=Path, nargs="+", help="classifiers to take the mean of, else that of --out-dir"
    )
    parser.add_argument("--tta", action="store_true", help="average over several versions of each image")
    parser.add_argument(
        "--picture", type=Path, nargs="+", help="your own pictures, which are told and not handed in"
    )
    parser.add_argument("--probabilities", action="store_true", help="hand in a column more for each class")
    return parser.parse(argv)


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    paths = args.model or [args.out_dir / "model.keras"]
    check_models(args, paths, own_input=bool(args.picture))
    for path in args.picture or ():
        open_image(path)  # a file that is none need not wait for Keras
    if not args.picture:
        image_files(data_dir / "food-11" / "testing")
    start_keras()
    models = load_models(paths)
    names = class_names(paths[0].parent, models[0].output_shape[1])
    if args.picture:
        return tell(args, models, names)

    sizes = {model.input_shape[1] for model in models}
    images = {size: load_test(data_dir / "food-11" / "testing", size) for size in sizes}
    ids = next(iter(images.values()))[0]
    print(
        f"testing {len(ids)} images   {len(models)} model(s) of {len(names)} classes",
        flush=True,
    )
    found = np.mean(
        [probabilities(model, images[model.input_shape[1]][1], args.tta) for model in models], axis=0
    )
    submission = pd.DataFrame({"Id": ids, "Category": found.argmax(axis=1)})
    if args.probabilities:
        submission = submission.join(pd.DataFrame(found.round(4), columns=names))
    with replacing(args.out_dir / "submission.csv") as path:
        submission.to_csv(path, index=False)
    print(f"{len(ids)} predictions   {args.out_dir / 'submission.csv'}")
    return submission


def tell(args, models, names):
    """Print the likeliest classes of a person's own pictures; the probabilities, float64 (N, classes)."""
    votes = []
    for model in models:
        images = np.stack([read_square(path, model.input_shape[1]) for path in args.picture])
        votes.append(probabilities(model, images, args.tta))
    found = np.mean(votes, axis=0)
    for path, chances in zip(args.picture, found):
        likeliest = np.argsort(-chances)[:LIKELIEST]
        print(f"{path}   " + ", ".join(f"{names[label]} {chances[label]:.3f}" for label in likeliest))
    return found


def load_models(paths):
    """The classifiers of whole Keras files. Raises BadInput when one is none, or their classes differ."""
    from model import load_classifier  # here, with Keras, so that --help need not wait for it

    models = []
    for path in paths:
        try:
            models.append(load_classifier(path))
        except BadInput:
            raise
        except ValueError as error:
            raise BadInput(
                f"{path} is no classifier of square RGB images ({error}); give a model.keras of train.py."
            ) from error
        if models[-1].output_shape[1] != models[0].output_shape[1]:
            raise BadInput(
                f"{path} has {models[-1].output_shape[1]} classes, expected {models[0].output_shape[1]} as "
                f"{paths[0]}; give models of the same classes."
            )
    return models


def probabilities(model, images, tta=False):
    """The probability of each class: uint8 (N, n, n, 3) -> float32 (N, classes).

    With tta it is the mean over versions of each image and of its mirror image: of a model that scales its
    images first, as one trained on crops does, at SIZES; of another model shifted to the four corners.
    """
    from model import at_other_sizes

    if not tta:
        views = [(model, images)]
    elif resized := at_other_sizes(model, SIZES):
        views = [(other, version) for other in resized for version in (images, images[:, :, ::-1])]
    else:
        views = [(model, version) for version in shifted(images)]
    total = sum(
        softmax(other.predict(version, batch_size=500, verbose=0), axis=1) for other, version in views
    )
    return total / total.sum(axis=1, keepdims=True)


def shifted(images):
    """Yield the images as they are and shifted by a step to the four corners, and all that mirrored.

    What a shift lacks at the border is the image mirrored.
    """
    step, side = max(1, round(images.shape[1] * STEP)), images.shape[1]
    bordered = np.pad(images, [(0, 0), (step, step), (step, step), (0, 0)], mode="reflect")
    for version in (bordered, bordered[:, :, ::-1]):
        for down, right in SHIFTS:
            top, left = step * (1 + down), step * (1 + right)
            yield version[:, top : top + side, left : left + side]


if __name__ == "__main__":
    run(main)
