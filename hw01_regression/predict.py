"""Write submission.csv for Kaggle (ml2020spring-hw1) with the model that train.py saved.

    python hw01_regression/predict.py                    the course's test.csv
    python hw01_regression/predict.py --synthetic        the test.csv that train.py --synthetic made

The hand-in is <out-dir>/submission.csv: the header id,value and the rows id_0 to id_239.
"""

import argparse
from pathlib import Path

import numpy as np
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
    parser.add_argument("--data-dir", type=Path, default=HERE / "data", help="folder of test.csv")
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
    ids, windows = load_test(data_dir)
    print(f"test {windows.shape} (windows, items, hours)")
    print(f"model of {model.hours} hours of {' '.join(model.items)}")

    values = model.predict(windows)
    if not np.isfinite(values).all():
        raise BadInput(f"{args.out_dir / 'model.npz'} predicts what is not a number; run train.py again.")
    submission = pd.DataFrame({"id": ids, "value": values})
    with replacing(args.out_dir / "submission.csv") as path:
        submission.to_csv(path, index=False)
    print(f"{len(ids)} predictions, mean PM2.5 {values.mean():.1f} ug/m3   {args.out_dir / 'submission.csv'}")
    return submission


if __name__ == "__main__":
    run(main)
