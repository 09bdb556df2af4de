"""Write submission.csv for Kaggle (ml2020spring-hw4) with the model that train.py saved.

    python hw04_rnn_selftrain/predict.py                the course's testing_data.txt
    python hw04_rnn_selftrain/predict.py --synthetic    the testing_data.txt that train.py --synthetic made

The hand-in is <out-dir>/submission.csv: the header id,label and a row a test line, in their order.
"""

import argparse
from pathlib import Path

import pandas as pd
from dataset import BadInput, load_test, replacing, run

HERE = Path(__file__).resolve().parent


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Write submission.csv with the model that train.py saved.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--data-dir", type=Path, default=HERE / "data", help="folder of testing_data.txt")
    parser.add_argument(
        "--out-dir", type=Path, default=HERE / "out", help="folder of model.keras, and to write to"
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
    if not (args.out_dir / "model.keras").is_file():
        raise BadInput(
            f"{args.out_dir / 'model.keras'} is missing; run train.py first, with the same --out-dir."
        )
    ids, sentences = load_test(data_dir)

    from model import load_model, read  # here, with TensorFlow, so that --help need not wait for it

    model = load_model(args.out_dir / "model.keras")
    words = model.get_layer("words")
    print(f"test {len(ids)} tweets   model {model.name}, {len(words.words)} words")

    submission = pd.DataFrame({"id": ids, "label": (read(model, words.encode(sentences)) > 0.5).astype(int)})
    with replacing(args.out_dir / "submission.csv") as path:
        submission.to_csv(path, index=False)
    share = submission.label.mean()
    print(f"{len(ids)} predictions, {share:.1%} positive   {args.out_dir / 'submission.csv'}")
    return submission


if __name__ == "__main__":
    run(main)
