"""Give each picture of trainX its group, with what train.py saved, and draw all codes on a plane.

    python hw09_autoencoder/predict.py                after train.py
    python hw09_autoencoder/predict.py --synthetic    after train.py --synthetic

Written to <out-dir>: submission.csv with id,label, the ids counting from 0 in the order of trainX.npy, and
embedding.png, every picture's place by t-SNE in its group's colour.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from clustering import of_neighbours, on_a_plane
from dataset import BadInput, load_pictures, replacing, run

HERE = Path(__file__).resolve().parent


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Give each picture of trainX its group, and draw all codes on a plane.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--data-dir", type=Path, default=HERE / "data", help="folder of trainX.npy")
    parser.add_argument(
        "--out-dir", type=Path, default=HERE / "out", help="folder of model.keras, and to write to"
    )
    parser.add_argument(
        "--synthetic", action="store_true", help="use the pictures that train.py --synthetic drew"
    )
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    if args.synthetic and not data_dir.is_dir():
        raise BadInput(f"{data_dir} is missing; run train.py --synthetic first, with the same --out-dir.")
    clusters = load_clusters(args.out_dir / "clusters.npz")
    pictures = load_pictures(data_dir / "trainX.npy")

    from model import in_batches, load_model  # here, with Keras, so that --help need not wait for it

    model = load_model(args.out_dir / "model.keras")
    if model.output_shape[0][1:] != clusters["codes"].shape[1:]:
        raise BadInput(f"{args.out_dir / 'clusters.npz'} is of another model.keras; run train.py again.")
    codes = in_batches(lambda x: model(x)[0], pictures)
    groups = of_neighbours(codes, clusters["codes"], clusters["groups"])
    table = pd.DataFrame({"id": np.arange(len(groups)), "label": groups})
    with replacing(args.out_dir / "submission.csv") as path:
        table.to_csv(path, index=False)
    known = "places" in clusters and len(clusters["places"]) == len(codes)
    places = clusters["places"] if known else on_a_plane(codes, seed=0)
    with replacing(args.out_dir / "embedding.png") as path:
        plot_embedding({"trainX": (places, groups)}).savefig(path)
    print(f"group 0: {np.sum(groups == 0)} pictures, group 1: {np.sum(groups == 1)}")
    print(f"{len(table)} predictions   {args.out_dir / 'submission.csv'}")
    return table


def load_clusters(path):
    """Read clusters.npz: codes float32 (n, d), groups int64 (n,), perhaps places (n, 2). Raises BadInput."""
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


def plot_embedding(panels):
    """{title: (places (n, 2), groups (n,))} as a figure, a panel each."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    figure = Figure(figsize=(5 * len(panels), 4.5), layout="constrained")
    for axes, (title, (places, groups)) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items()
    ):
        for group, colour in ((0, "C0"), (1, "C1")):
            chosen = groups == group
            axes.scatter(*places[chosen].T, s=3, c=colour, linewidths=0, label=f"group {group}")
        axes.set(title=title, xticks=[], yticks=[])
    figure.axes[0].legend(markerscale=4)
    return figure


if __name__ == "__main__":
    run(main)
