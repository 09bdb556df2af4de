"""Translate testing.txt with the model that train.py saved, and say how well.

    python hw08_seq2seq/predict.py                the course's testing.txt
    python hw08_seq2seq/predict.py --samples 0    by beam search alone
    python hw08_seq2seq/predict.py --samples 0 --beam 1     greedily
    python hw08_seq2seq/predict.py --model a.keras b.keras  with several models together
    python hw08_seq2seq/predict.py --synthetic    the testing.txt that train.py --synthetic made
    python hw08_seq2seq/predict.py --text "what time does the movie start?"    your own sentences
    python hw08_seq2seq/predict.py --text -       your own sentences, a line each, from standard input

Written to <out-dir>: translations.txt, a line for each of testing.txt; translations.csv with
source,reference,translation,score, the score being the sentence's BLEU@1; attention.png, where the model
looked in a few sentences; of your own sentences, own.png alone.
"""

from scaffold import Parser, file_path, integer, lines_of_stdin, replacing, run, sentence

import numpy as np
import pandas as pd
from bleu import bleu_1, corpus_bleu_4, sentence_bleu
from dataset import BOS, EOS, SPECIAL, Vocabulary, load_pairs, sub_words, tokenise
from device import start_keras
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findSystemFonts, fontManager
from matplotlib.ft2font import FT2Font
from records import check_models, plain
from scipy.special import log_softmax
from train import BEAM, SAMPLES

SHOWN = 3  # sentences in attention.png, the first with 5 to 10 words


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "folder of testing.txt")
    parser.add_argument(
        "--beam", type=integer(1, 100), default=BEAM, help="hypotheses kept side by side; 1 is greedy"
    )
    parser.add_argument(
        "--samples",
        type=integer(0, 200),
        default=SAMPLES,
        help="sentences drawn from each network, to take the one most like all; 0: beam search alone",
    )
    parser.add_argument("--model", type=file_path, nargs="+", help="models to average, else --out-dir's")
    words = "your own sentences; - for a line each of standard input"
    parser.add_argument("--text", nargs="+", type=sentence, help=words)
    return parser.parse(argv)


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    texts = args.text
    if texts == ["-"]:
        texts = lines_of_stdin("--text")
    own = texts is not None and [tokenise(text) for text in texts or [""]]
    paths = args.model or [args.out_dir / "model.keras"]
    check_models(args, paths, own_input=bool(own))
    pairs = [] if own else load_pairs(data_dir / "testing.txt", reference=False)

    args.out_dir.mkdir(parents=True, exist_ok=True)
    start_keras()
    from decoding import load_decoding

    decoding = load_decoding(paths, None if own else data_dir, args.beam, args.samples)
    model = decoding.translator
    english, chinese = vocabularies = Vocabulary(model.english), Vocabulary(model.chinese)
    if own:
        return translate_own(args, decoding, vocabularies, own)
    sources = [pair.english for pair in pairs]
    way = f"beam {args.beam}" + (f", {args.samples} samples a network" if args.samples else "")
    print(f"testing {len(pairs)} pairs   {len(decoding.networks)} network(s), {way}", flush=True)
    words = decoding.translate(english.encode(sources))

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

    Writes own.png, where the model looked in the first SHOWN of them. Returns a table.
    """
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
    (args.out_dir / "own.png").unlink(missing_ok=True)  # another model's
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


def attention_maps(model, sources, translations, vocabularies):
    """Draw the attention of some translations, lists of words: a Figure, or None where there is none.

    Chinese is written in an installed font that has all of its characters, or else in numbers, with a line
    that says so.
    """
    english, chinese = vocabularies
    font = find_font("".join(word for words in [*translations, SPECIAL] for word in words))
    figure = Figure(figsize=(4.5 * len(sources), 4.8), dpi=70, layout="constrained")
    panels = figure.subplots(1, len(sources), squeeze=False)[0]
    for axes, source, translation in zip(panels, sources, translations):
        target = chinese.encode([translation])
        weights = model.attend(english.encode([source]), np.insert(target[:, :-1], 0, BOS, axis=1))
        if weights is None:
            return None
        image = axes.imshow(np.asarray(weights)[0], cmap="Greys", vmin=0, vmax=1, aspect="auto")
        labels = [*translation, SPECIAL[EOS]] if font else [str(number) for number in target[0]]
        axes.set_xticks(
            range(len(source) + 1), [plain(word) for word in (*source, SPECIAL[EOS])], rotation=60
        )
        axes.set_yticks(range(len(labels)), [plain(word) for word in labels], font=font)
        axes.set_xlabel("English, read")
    panels[0].set_ylabel("Chinese, written from top to bottom")
    figure.colorbar(image, ax=list(panels), label="weight; a row sums to 1")
    if not font:
        figure.suptitle(
            "no installed font has these Chinese characters (Noto Sans CJK would): numbers instead"
        )
    return figure


def find_font(text):
    """An installed font that has every character of the text, as FontProperties; None if there is none.

    Last Resort, which comes with matplotlib, has them all and shows every one as a box.
    """
    known = [entry.fname for entry in fontManager.ttflist]
    for path in sorted({*known, *findSystemFonts()}):
        if "LastResort" in path:
            continue
        try:
            font = FT2Font(path)
        except (OSError, RuntimeError):
            continue  # the list is a cache: a font may have gone
        if all(font.get_char_index(ord(character)) for character in set(text)):
            return FontProperties(fname=path)
    return None


if __name__ == "__main__":
    run(main)
