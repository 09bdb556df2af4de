"""Write submission.csv for Kaggle (ml2020spring-hw2) with the model that train.py saved.

    python hw02_classification/predict.py                the course's X_test
    python hw02_classification/predict.py --synthetic    the X_test that train.py --synthetic made
    python hw02_classification/predict.py --person my.csv    a person of one's own, and what weighs most

The hand-in is <out-dir>/submission.csv: the header id,label and one row a row of X_test, in its order. A
person of one's own is a CSV file of a header and a row, with any of X_train's columns; the others are at
their mean.
"""

from scaffold import Parser, file_path, replacing, run

import numpy as np
import pandas as pd
from dataset import load_person, load_test
from model import load_model
from records import trained

SHOWN = 5  # columns that weigh most


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "folder of X_test")
    parser.add_argument("--person", type=file_path, help="CSV file of a person, whose probability is printed")
    parser.add_argument("--probabilities", action="store_true", help="a column more, the probability of 1")
    args = parser.parse(argv)
    if args.person:
        parser.unused("--probabilities", by="--person")
    return args


def main(argv=None):
    args = parse_args(argv)
    trained(args, "model.npz", own_input=bool(args.person))
    model = load_model(args.out_dir / "model.npz")
    if args.person:
        return predict_one(model, load_person(args.person, model.features))
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    ids, x = load_test(data_dir, model.features.columns)
    print(f"test {x.shape}   model {model.method}")

    probability = model.probability(x)
    submission = pd.DataFrame({"id": ids, "label": (probability > 0.5).astype(int)})
    if args.probabilities:
        submission["probability"] = probability.round(4)
    with replacing(args.out_dir / "submission.csv") as path:
        submission.to_csv(path, index=False)
    share = submission.label.mean()
    print(f"{len(ids)} predictions, {share:.1%} of label 1   {args.out_dir / 'submission.csv'}")
    return submission


def predict_one(model, x):
    """Print a person's probability of label 1, and the columns that change its log-odds most."""
    probability, reasons = float(model.probability(x)[0]), model.reasons(x)
    print(f"probability of more than 50,000 dollars a year: {probability:.3f}")
    for index in np.argsort(-np.abs(reasons))[:SHOWN]:
        column, value = model.features.columns[index], x[0, index]
        print(f"{reasons[index]:+.2f} log-odds   {column} = {value:g}, instead of its mean")
    return probability


if __name__ == "__main__":
    run(main)
