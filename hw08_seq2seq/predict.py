"""Translate testing.txt with the model that train.py saved, and say how well.

    python hw08_seq2seq/predict.py                the course's testing.txt, beam search
    python hw08_seq2seq/predict.py --beam 1       greedily
    python hw08_seq2seq/predict.py --synthetic    the testing.txt that train.py --synthetic made
    python hw08_seq2seq/predict.py --text "what time does the movie start?"    your own sentences
    python hw08_seq2seq/predict.py --text -       your own sentences, a line each, from standard input

Written to <out-dir>: translations.txt, a line for each of testing.txt; translations.csv with
source,reference,translation,score, the score being the sentence's BLEU@1; attention.png, where the model
looked in a few sentences.
"""

import sys

from scaffold import Parser, integer, replacing, run

import numpy as np
import pandas as pd
from bleu import bleu_1, corpus_bleu_4, sentence_bleu
from dataset import BOS, Vocabulary, load_pairs
from device import start_keras
from records import trained
from scipy.special import log_softmax
from tokens import sub_words, tokenise
from train import BEAM

SHOWN = 3  # sentences in attention.png, the first with 5 to 10 words


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "folder of testing.txt")
    parser.add_argument(
        "--beam", type=integer(1, 100), default=BEAM, help="hypotheses kept side by side; 1 is greedy"
    )
    parser.add_argument("--text", nargs="+", help="your own sentences; - for a line each of standard input")
    return parser.parse(argv)


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    texts = sys.stdin.read().splitlines() if args.text == ["-"] else args.text
    own = texts is not None and [tokenise(text) for text in texts or [""]]
    trained(args, "model.keras", own_input=bool(own))
    pairs = [] if own else load_pairs(data_dir / "testing.txt", reference=False)

    start_keras()
    from attention_map import attention_maps  # with Keras, for which --help need not wait
    from beam_search import Decoding
    from model import load_model

    model = load_model(args.out_dir / "model.keras", None if own else data_dir)
    english, chinese = vocabularies = Vocabulary(model.english), Vocabulary(model.chinese)
    if own:
        return translate_own(args, Decoding(model, args.beam), vocabularies, own)
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

    if pairs[0].chinese:
        scored = table.translation, table.reference
        print(
            f"BLEU@1 {bleu_1(*scored):.4f}: sentence BLEU with weights (1, 0, 0, 0) over characters, averaged"
        )
        print(
            f"BLEU-4 {corpus_bleu_4(*map(list, scored)):.2f}: corpus BLEU by sacrebleu, tokenize zh, 0 to 100"
        )
    print(f"{len(table)} translations   {args.out_dir / 'translations.txt'}")
    return table


def translate_own(args, decoding, vocabularies, sentences):
    """Print the translations of a person's own sentences, lists of words, with their log-probabilities.

    Writes own.png, where the model looked in the first of them. Returns a table.
    """
    from attention_map import attention_maps

    english, chinese = vocabularies
    sources = [[piece for word in words for piece in sub_words(word, english.numbers)] for words in sentences]
    translations, model = decoding.translate(english.encode(sources)), decoding.translator
    rows = []
    for words, source, translation in zip(sentences, sources, translations):
        target = chinese.encode([translation])
        logits = model((english.encode([source]), np.insert(target[:, :-1], 0, BOS, axis=1)))
        found = log_softmax(np.asarray(logits[0], np.float64), axis=-1)
        log_probability = found[np.arange(target.shape[1]), target[0]].sum()
        rows.append((" ".join(words), " ".join(source), "".join(translation), log_probability))
        print(f"{rows[-1][0]}\n    {rows[-1][2]}   log-probability {log_probability:.2f}")
        if unknown := sorted({piece for piece in source if piece not in english.numbers}):
            print(f"    not known: {', '.join(unknown)}")
    maps = attention_maps(model, sources[:SHOWN], translations[:SHOWN], vocabularies)
    if maps is not None:
        with replacing(args.out_dir / "own.png") as temporary:
            maps.savefig(temporary)
    return pd.DataFrame(rows, columns=["text", "sub_words", "translation", "log_probability"])


def compare(pairs, translations):
    """A row for each pair and its translation, a list of words: source, reference, translation, score."""
    rows = []
    for pair, words in zip(pairs, translations):
        reference, hypothesis = "".join(pair.chinese), "".join(words)
        score = round(sentence_bleu(hypothesis, reference), 4) if reference else None
        rows.append((" ".join(pair.english), reference, hypothesis, score))
    return pd.DataFrame(rows, columns=["source", "reference", "translation", "score"])


if __name__ == "__main__":
    run(main)
