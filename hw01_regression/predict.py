"""Write submission.csv for Kaggle (ml2020spring-hw1) with the model that train.py saved.

    python hw01_regression/predict.py                    the course's test.csv
    python hw01_regression/predict.py --synthetic        the test.csv that train.py --synthetic made

The hand-in is <out-dir>/submission.csv: the header id,value and the rows id_0 to id_239.
"""

from scaffold import BadInput, Parser, replacing, run

import numpy as np
import pandas as pd
from dataset import load_test
from model import load_model
from records import trained


def parse_args(argv=None):
    return Parser(__doc__, "predict", "folder of test.csv").parse(argv)


def main(argv=None):
    args = parse_args(argv)
    trained(args, "model.npz")
    model = load_model(args.out_dir / "model.npz")
    ids, windows = load_test(args.out_dir / "synthetic" if args.synthetic else args.data_dir)
    print(f"test {windows.shape} (windows, items, hours)")
    print(f"model of {model.hours} hours of {' '.join(model.items)}")

    values = model.predict(windows)
    if not np.isfinite(values).all():
        raise BadInput(f"{args.out_dir / 'model.npz'} predicts what is not a number; run train.py again.")
    values = values.clip(min=0)  # no air holds less than no dust
    submission = pd.DataFrame({"id": ids, "value": values})
    with replacing(args.out_dir / "submission.csv") as path:
        submission.to_csv(path, index=False, float_format="%.3f")
    print(f"{len(ids)} predictions, mean PM2.5 {values.mean():.1f} ug/m3   {args.out_dir / 'submission.csv'}")
    return submission


if __name__ == "__main__":
    run(main)
