"""Write submission.csv for Kaggle (ml2020spring-hw1) with the model that train.py saved.

    python hw01_regression/predict.py                    the course's test.csv
    python hw01_regression/predict.py --synthetic        the test.csv that train.py --synthetic made
    python hw01_regression/predict.py --window my.csv    nine hours of one's own

The hand-in is <out-dir>/submission.csv: the header id,value and the rows id_0 to id_239. A window of one's
own is a CSV file without a header, a row an item as in test.csv but without the id: PM2.5,21,23,25,... Items
that it lacks are taken at their mean in training; PM2.5 must be there.
"""

from scaffold import BadInput, Parser, file_path, replacing, run

import numpy as np
import pandas as pd
from dataset import load_test, load_window
from model import load_model
from records import trained


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "folder of test.csv")
    parser.add_argument("--window", type=file_path, help="CSV file of one window, whose next hour is printed")
    return parser.parse(argv)


def main(argv=None):
    args = parse_args(argv)
    metrics = trained(args, "model.npz", own_input=bool(args.window))
    model = load_model(args.out_dir / "model.npz")
    if args.window:
        return predict_one(model, load_window(args.window, model), metrics)
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


def predict_one(model, window, metrics):
    """Print PM2.5 of the hour after a window (1, 18, 9), and where nine of ten such hours lay in training."""
    value = float(model.predict(window)[0])
    if not np.isfinite(value):
        raise BadInput("model.npz predicts what is not a number; run train.py again.")
    value = max(0.0, value)
    bands = [band for band in metrics["intervals"] if band["up_to"] is None or value <= band["up_to"]]
    low, high = (max(0.0, value + bands[0][name]) for name in ("low", "high"))
    print(f"PM2.5 of the next hour: {value:.1f} ug/m3, nine times of ten between {low:.1f} and {high:.1f}")
    return value


if __name__ == "__main__":
    run(main)
