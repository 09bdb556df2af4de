"""Write submission.csv for Kaggle (ml2020spring-hw2) with the model that train.py saved.

    python hw02_classification/predict.py                the course's X_test
    python hw02_classification/predict.py --synthetic    the X_test that train.py --synthetic made

The hand-in is <out-dir>/submission.csv: the header id,label and one row a row of X_test, in its order.
"""

import argparse
from pathlib import Path

import pandas as pd
from dataset import BadInput, load_test, replacing, run
from model import load_model

HERE = Path(__file__).resolve().parent


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Write submission.csv with the model that train.py saved.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--data-dir", type=Path, default=HERE / "data", help="folder of X_test")
    parser.add_argument(
        "--out-dir", type=Path, default=HERE / "out", help="folder of model.npz, and to write to"
    )
    parser.add_argument(
        "--synthetic", action="store_true", help="use the data set that train.py --synthetic made"
    )
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    if args.synthetic and not data_dir.is_dir():
        raise BadInput(f"{data_dir} is missing; run train.py --synthetic first, with the same --out-dir.")
    model = load_model(args.out_dir / "model.npz")
    ids, x = load_test(data_dir, model.features.columns)
    print(f"test {x.shape}   model {model.method}")

    submission = pd.DataFrame({"id": ids, "label": (model.log_odds(x) > 0).astype(int)})
    with replacing(args.out_dir / "submission.csv") as path:
        submission.to_csv(path, index=False)
    share = submission.label.mean()
    print(f"{len(ids)} predictions, {share:.1%} of label 1   {args.out_dir / 'submission.csv'}")
    return submission


if __name__ == "__main__":
    run(main)
