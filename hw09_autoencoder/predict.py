"""Give each image of trainX its group, with what train.py saved, and draw all codes on a plane.

    python hw09_autoencoder/predict.py                after train.py
    python hw09_autoencoder/predict.py --synthetic    after train.py --synthetic

Written to <out-dir>: submission.csv with id,label, the ids counting from 0 in the order of trainX.npy, and
embedding.png, every image's point by t-SNE in its group's colour.
"""

from scaffold import BadInput, Parser, replacing, run

import numpy as np
import pandas as pd
from clustering import of_neighbours, on_a_plane
from dataset import load_several
from device import start_keras
from figures import plot_embedding
from records import trained


def parse_args(argv=None):
    return Parser(__doc__, "predict", "folder of trainX.npy").parse(argv)


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    trained(args, "model.keras", "clusters.npz")
    clusters = load_clusters(args.out_dir / "clusters.npz")
    images = load_several(data_dir / "trainX.npy")

    start_keras()
    from model import in_batches, load_model  # with Keras, for which --help need not wait

    model = load_model(args.out_dir / "model.keras")
    if model.output_shape[0][1:] != clusters["codes"].shape[1:]:
        raise BadInput(f"{args.out_dir / 'clusters.npz'} is of another model.keras; run train.py again.")
    codes = in_batches(lambda x: model(x)[0], images)
    groups = of_neighbours(codes, clusters["codes"], clusters["groups"])
    table = pd.DataFrame({"id": np.arange(len(groups)), "label": groups})
    with replacing(args.out_dir / "submission.csv") as path:
        table.to_csv(path, index=False)
    known = "points" in clusters and len(clusters["points"]) == len(codes)
    points = clusters["points"] if known else on_a_plane(codes, seed=0)
    with replacing(args.out_dir / "embedding.png") as path:
        plot_embedding({"trainX": (points, groups)}).savefig(path)
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
