"""Write submission.csv for Kaggle (ml2020spring-hw4) with the model that train.py saved.

    python hw04_rnn_selftrain/predict.py                the course's testing_data.txt
    python hw04_rnn_selftrain/predict.py --synthetic    the testing_data.txt that train.py --synthetic made
    python hw04_rnn_selftrain/predict.py --text "today is a good day, but it is hot" "it is hot, but ..."
    python hw04_rnn_selftrain/predict.py --text -       your own sentences, a line each, from standard input

The hand-in is <out-dir>/submission.csv: the header id,label and a row a test line, in their order.
"""

from scaffold import Parser, lines_of_stdin, replacing, run, sentence

import numpy as np
import pandas as pd
from dataset import in_the_files_style, load_test
from device import start_keras
from records import trained

SHOWN = 5  # words that moved the probability most


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "folder of testing_data.txt")
    words = "your own sentences; - for a line each of standard input"
    parser.add_argument("--text", nargs="+", type=sentence, help=words)
    return parser.parse(argv)


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    texts = args.text
    if texts == ["-"]:
        texts = lines_of_stdin("--text")
    own = texts is not None and [in_the_files_style(text) for text in texts or [""]]
    trained(args, "model.keras", own_input=bool(own))
    ids, sentences = ([], own) if own else load_test(data_dir)

    start_keras()
    from model import load_model, network_of, predict_probabilities, word_importance  # with Keras

    model = load_model(args.out_dir / "model.keras")
    words = network_of(model).get_layer("words")
    if own:
        return pd.DataFrame([tell(sentence, words, *word_importance(model, sentence)) for sentence in own])
    print(f"test {len(ids)} tweets   model {model.name}, {len(words.words)} words")

    submission = pd.DataFrame(
        {"id": ids, "label": (predict_probabilities(model, sentences) > 0.5).astype(int)}
    )
    with replacing(args.out_dir / "submission.csv") as path:
        submission.to_csv(path, index=False)
    share = submission.label.mean()
    print(f"{len(ids)} predictions, {share:.1%} positive   {args.out_dir / 'submission.csv'}")
    return submission


def tell(sentence, words, probability, worth):
    """Print the probability that a sentence is positive, and the words that moved it most. Returns a dict.

    words: the layer that knows them; worth: of each word that was read.
    """
    found = sentence.split()
    read_words = found[: len(worth)]
    print(f"{probability:.3f} positive   {sentence}")
    most = [index for index in np.argsort(-np.abs(worth), kind="stable")[:SHOWN] if abs(worth[index]) > 0.005]
    if most:
        print("      " + "   ".join(f"{read_words[index]} {worth[index]:+.2f}" for index in most))
    if unknown := sorted({word for word in read_words if word not in words.row}):
        print(
            f"      not known: {'every word' if len(unknown) == len(set(read_words)) else ', '.join(unknown)}"
        )
    if len(found) > len(read_words):
        print(f"      read are the first {len(worth)} of {len(found)} words")
    return {"text": sentence, "probability": probability, "words": dict(zip(read_words, worth))}


if __name__ == "__main__":
    run(main)
