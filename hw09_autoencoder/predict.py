"""Give each image of trainX its group, with what train.py saved, and draw all codes on a plane.

    python hw09_autoencoder/predict.py                     after train.py
    python hw09_autoencoder/predict.py --synthetic         after train.py --synthetic
    python hw09_autoencoder/predict.py --picture my.jpg    the group of one's own picture, or of a folder's

Written to <out-dir>: submission.csv with id,label, the ids counting from 0 in the order of trainX.npy, and
embedding.png, every image's point by t-SNE in its group's colour, and those of valX in the colours of its
labels, if it has some.
"""

from scaffold import BadInput, Parser, file_path, replacing, run

import numpy as np
import pandas as pd
from dataset import files_of, load_files, load_images, load_labels, load_several
from device import start_keras
from figures import plot_embedding
from records import trained


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "folder of trainX.npy")
    parser.add_argument("--picture", type=file_path, help="a picture of one's own, or a folder of pictures")
    return parser.parse(argv)


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    trained(args, "model.keras", "clusters.npz", own_input=bool(args.picture))
    clusters = load_clusters(args.out_dir / "clusters.npz")
    own = files_of(args.picture) if args.picture else None
    images = load_files(own) if own else load_several(data_dir / "trainX.npy")
    validation = None
    if not own and (data_dir / "valY.npy").is_file():
        validation = load_images(data_dir / "valX.npy")
        labels = load_labels(data_dir / "valY.npy", len(validation))

    start_keras()
    from clustering import encode, of_neighbours, on_one_plane  # with Keras, for which --help need not wait

    sets = [images] if validation is None else [images, validation]
    codes, *others = encode(args.out_dir, clusters["codes"], *sets)
    groups = of_neighbours(codes, clusters["codes"], clusters["groups"])
    table = pd.DataFrame({"id": np.arange(len(groups)), "label": groups})
    if own:
        for path, group in zip(own, groups):
            print(f"{path}: group {group}")
        return table
    with replacing(args.out_dir / "submission.csv") as path:
        table.to_csv(path, index=False)
    shown = {"trainX": (codes, groups, "group")}
    if validation is not None:
        shown["valX"] = *others, labels, "label"
    with replacing(args.out_dir / "embedding.png") as path:
        plot_embedding(on_one_plane(shown)).savefig(path)
    print(f"group 0: {np.sum(groups == 0)} images, group 1: {np.sum(groups == 1)}")
    print(f"{len(table)} predictions   {args.out_dir / 'submission.csv'}")
    return table


def load_clusters(path):
    """Read clusters.npz: codes float32 (n, d), groups int64 (n,), perhaps points (n, 2). Raises BadInput."""
    if not path.is_file():
        raise BadInput(f"{path} is missing; run train.py first, with the same --out-dir.")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        whole = arrays["codes"].ndim == 2 and arrays["groups"].shape == arrays["codes"].shape[:1]
    except Exception:  # a damaged archive has many ways to say so
        whole = False
    if not whole:
        raise BadInput(f"{path} is cut short or not of this chapter; run train.py again.")
    return arrays


if __name__ == "__main__":
    run(main)
