"""Translate testing.txt with the model that train.py saved, and say how well.

    python hw08_seq2seq/predict.py                the course's testing.txt, beam search
    python hw08_seq2seq/predict.py --beam 1       greedily
    python hw08_seq2seq/predict.py --synthetic    the testing.txt that train.py --synthetic made

Written to <out-dir>: translations.txt, a line for each of testing.txt; translations.csv with
source,reference,translation,score, the score being the sentence's BLEU@1; attention.png, where the model
looked in a few sentences.
"""

from scaffold import Parser, integer, replacing, run

import pandas as pd
from bleu import bleu_1, corpus_bleu_4, sentence_bleu
from dataset import Vocabulary, load_pairs
from device import start_keras
from records import trained
from train import BEAM

SHOWN = 3  # sentences in attention.png, the first with 5 to 10 words


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "folder of testing.txt")
    parser.add_argument(
        "--beam", type=integer(1, 100), default=BEAM, help="hypotheses kept side by side; 1 is greedy"
    )
    return parser.parse(argv)


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    trained(args, "model.keras")
    pairs = load_pairs(data_dir / "testing.txt")

    start_keras()
    from attention_map import attention_maps  # with Keras, for which --help need not wait
    from beam_search import Decoding
    from model import load_model

    model = load_model(args.out_dir / "model.keras", data_dir)
    english, chinese = vocabularies = Vocabulary(model.english), Vocabulary(model.chinese)
    sources = [pair.english for pair in pairs]
    print(f"testing {len(pairs)} pairs   model {type(model).__name__}, beam {args.beam}", flush=True)
    words = Decoding(model, args.beam).translate(english.encode(sources))

    table = compare(pairs, words)
    shown = [index for index, source in enumerate(sources) if 5 <= len(source) <= 10][:SHOWN] or [0]
    maps = attention_maps(
        model, *([side[index] for index in shown] for side in (sources, words)), vocabularies
    )
    (args.out_dir / "attention.png").unlink(missing_ok=True)  # another model's
    if maps is not None:
        with replacing(args.out_dir / "attention.png") as temporary:
            maps.savefig(temporary)
    with replacing(args.out_dir / "translations.txt") as temporary:
        temporary.write_text("".join(line + "\n" for line in table.translation), "utf-8")
    with replacing(args.out_dir / "translations.csv") as temporary:
        table.to_csv(temporary, index=False)

    scored = table.translation, table.reference
    print(f"BLEU@1 {bleu_1(*scored):.4f}: sentence BLEU with weights (1, 0, 0, 0) over characters, averaged")
    print(f"BLEU-4 {corpus_bleu_4(*map(list, scored)):.2f}: corpus BLEU by sacrebleu, tokenize zh, 0 to 100")
    print(f"{len(table)} translations   {args.out_dir / 'translations.txt'}")
    return table


def compare(pairs, translations):
    """A row for each pair and its translation, a list of words: source, reference, translation, score."""
    rows = []
    for pair, words in zip(pairs, translations):
        reference, hypothesis = "".join(pair.chinese), "".join(words)
        score = round(sentence_bleu(hypothesis, reference), 4)
        rows.append((" ".join(pair.english), reference, hypothesis, score))
    return pd.DataFrame(rows, columns=["source", "reference", "translation", "score"])


if __name__ == "__main__":
    run(main)
