"""Write submission.csv for Kaggle (ml2020spring-hw2) with the model that train.py saved.

    python hw02_classification/predict.py                the course's X_test
    python hw02_classification/predict.py --synthetic    the X_test that train.py --synthetic made

The hand-in is <out-dir>/submission.csv: the header id,label and one row a row of X_test, in its order.
"""

from scaffold import Parser, replacing, run

import pandas as pd
from dataset import load_test
from model import load_model
from records import trained


def parse_args(argv=None):
    return Parser(__doc__, "predict", "folder of X_test").parse(argv)


def main(argv=None):
    args = parse_args(argv)
    trained(args, "model.npz")
    model = load_model(args.out_dir / "model.npz")
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
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
