"""Write submission.csv for Kaggle (ml2020spring-hw3) with the model that train.py saved, or with several.

    python hw03_cnn/predict.py                              food-11/testing, in the order of the numbers
    python hw03_cnn/predict.py --tta                        the mean over mirrored pictures of several sizes
    python hw03_cnn/predict.py --model a.keras b.keras      the mean over several models
    python hw03_cnn/predict.py --picture lunch.jpg          the likeliest classes of your own pictures
    python hw03_cnn/predict.py --probabilities              a column more for each class
    python hw03_cnn/predict.py --synthetic                  the images that train.py --synthetic drew

The hand-in is <out-dir>/submission.csv: the header Id,Category and a row a test image.
"""

from scaffold import BadInput, Parser, file_path, replacing, run

import numpy as np
import pandas as pd
from dataset import load_test
from device import start_keras
from images import class_names, image_files, open_image, read_square
from records import check_models

SHOWN = 3  # classes of a picture that are printed


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "folder that holds food-11")
    parser.add_argument(
        "--model", type=file_path, nargs="+", help="classifiers to take the mean of, else that of --out-dir"
    )
    parser.add_argument("--tta", action="store_true", help="average over several versions of each image")
    parser.add_argument(
        "--picture", type=file_path, nargs="+", help="your own pictures: their classes are printed"
    )
    parser.add_argument("--probabilities", action="store_true", help="hand in a column more for each class")
    args = parser.parse(argv)
    if args.picture:
        parser.unused("--probabilities", by="--picture")
    return args


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    paths = args.model or [args.out_dir / "model.keras"]
    check_models(args, paths, own_input=bool(args.picture))
    for path in args.picture or ():
        open_image(path)  # a file that is none fails before Keras starts
    if not args.picture:
        image_files(data_dir / "food-11" / "testing")
    start_keras()
    from averaging import load_models, mean_probabilities  # with Keras, for which --help need not wait

    models = load_models(paths)
    names = class_names(paths[0].parent, models[0].output_shape[1])
    for path in paths[1:]:
        if class_names(path.parent, len(names)) != names:
            raise BadInput(f"{path} and {paths[0]} differ in their classes.txt; give models of one set.")
    sizes = {model.input_shape[1] for model in models}
    if args.picture:
        images = {size: np.stack([read_square(path, size) for path in args.picture]) for size in sizes}
        return tell(args.picture, mean_probabilities(models, images, args.tta), names)

    testing = {size: load_test(data_dir / "food-11" / "testing", size) for size in sizes}
    ids, _ = next(iter(testing.values()))
    print(f"testing {len(ids)} images   {len(models)} model(s) of {len(names)} classes", flush=True)
    images = {size: found for size, (_, found) in testing.items()}
    found = mean_probabilities(models, images, args.tta)
    submission = pd.DataFrame({"Id": ids, "Category": found.argmax(axis=1)})
    if args.probabilities:
        taken = [*submission, *(f"{name} (class)" for name in submission)]
        columns = [f"{name} (class)" if name in taken else name for name in names]
        submission = pd.concat([submission, pd.DataFrame(found.round(4), columns=columns)], axis=1)
    with replacing(args.out_dir / "submission.csv") as path:
        submission.to_csv(path, index=False)
    print(f"{len(ids)} predictions   {args.out_dir / 'submission.csv'}")
    return submission


def tell(paths, probabilities, names):
    """Print the likeliest classes of a person's own pictures, by probabilities (N, classes); return these."""
    for path, chances in zip(paths, probabilities):
        best = np.argsort(-chances)[:SHOWN]
        print(f"{path}   " + ", ".join(f"{names[label]} {chances[label]:.3f}" for label in best))
    return probabilities


if __name__ == "__main__":
    run(main)
