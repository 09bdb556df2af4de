"""Write submission.csv for Kaggle (ml2020spring-hw4) with the model that train.py saved.

    python hw04_rnn_selftrain/predict.py                the course's testing_data.txt
    python hw04_rnn_selftrain/predict.py --synthetic    the testing_data.txt that train.py --synthetic made

The hand-in is <out-dir>/submission.csv: the header id,label and a row a test line, in their order.
"""

from scaffold import Parser, replacing, run

import pandas as pd
from dataset import load_test
from device import start_keras
from records import trained


def parse_args(argv=None):
    return Parser(__doc__, "predict", "folder of testing_data.txt").parse(argv)


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    trained(args, "model.keras")
    ids, sentences = load_test(data_dir)

    start_keras()
    from model import load_model, read  # with Keras, for which --help need not wait

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
