"""The course's tweets -> sentences and labels.

training_label.txt, training_nolabel.txt and testing_data.txt come from the Kaggle competition
ml2020spring-hw4. They are UTF-8 text, a tweet a line, already cut into words by white space (punctuation
stands alone):

training_label.txt     `label +++$+++ text`, 1 = positive, 0 = negative; 200,000 lines in the course's
training_nolabel.txt   `text`; 1,178,614 lines
testing_data.txt       a header `id,text`, then `id,text`; 200,000 lines

A text may hold anything, commas and `+++$+++` too: a line is split at the first separator and nowhere else.
Lines end in LF or CRLF. An empty line in training_nolabel.txt says nothing and is passed over.
"""

import re

from scaffold import HELP, BadInput, missing, replacing

import numpy as np

SEPARATOR = " +++$+++ "
MOST_CHARACTERS = 10_000  # of a text of one's own


def in_the_files_style(text):
    """A person's text as the files have theirs: lower case, each mark of punctuation a word. Returns str.

    Raises BadInput if there is no word in it, or too many characters.
    """
    if len(text) > MOST_CHARACTERS:
        raise BadInput(f"--text: {len(text):,} characters, expected at most {MOST_CHARACTERS:,}.")
    words = re.findall(r"\w+|[^\w\s]", text.lower())
    if not words:
        raise BadInput("--text is empty, expected a sentence.")
    return " ".join(words)


def load_labelled(folder):
    """Read training_label.txt.

    Returns
    -------
    sentences : list of N str
    labels : int64 (N,), 1 = positive, 0 = negative

    Raises BadInput when the file is missing or is not what the docstring above describes.
    """
    path = folder / "training_label.txt"
    sentences, labels = [], []
    for number, line in enumerate(read_lines(path), 1):
        label, separator, sentence = line.partition(SEPARATOR)
        if not separator:
            raise BadInput(f"{path}: line {number} has no '{SEPARATOR.strip()}' after a label; {HELP}.")
        if label not in ("0", "1"):
            raise BadInput(f"{path}: line {number}: the label is {label[:50]!r}, expected 0 or 1; {HELP}.")
        if not sentence.split():
            raise BadInput(f"{path}: line {number} has a label and no text; {HELP}.")
        sentences.append(sentence)
        labels.append(int(label))
    if len(set(labels)) < 2:
        raise BadInput(f"{path}: all labels are {labels[0]}, expected both 0 and 1; {HELP}.")
    return sentences, np.array(labels, np.int64)


def load_unlabelled(folder):
    """Read training_nolabel.txt: a list of str without the empty ones. Raises BadInput as above."""
    path = folder / "training_nolabel.txt"
    sentences = [line for line in read_lines(path) if line.split()]
    if not sentences:
        raise BadInput(f"{path} has no line with a word; {HELP}.")
    return sentences


def load_test(folder):
    """Read testing_data.txt: the ids, a list of str, and the sentences, a list of str. Raises BadInput as
    above.

    A test line with an id and no text is kept: it has to be answered.
    """
    path = folder / "testing_data.txt"
    header, *lines = read_lines(path)
    if header != "id,text":
        raise BadInput(f"{path}: the header is {header[:50]!r}, expected 'id,text'; {HELP}.")
    if not lines:
        raise BadInput(f"{path} has a header and no lines; {HELP}.")
    ids, sentences, seen = [], [], set()
    for number, line in enumerate(lines, 2):
        name, comma, sentence = line.partition(",")
        if not comma or not name.strip():
            raise BadInput(f"{path}: line {number} does not begin with an id and a comma; {HELP}.")
        if name in seen:
            raise BadInput(f"{path}: line {number}: the id {name[:50]} was there before; {HELP}.")
        seen.add(name)
        ids.append(name)
        sentences.append(sentence)
    return ids, sentences


def read_lines(path):
    """The lines of a UTF-8 file without their ends: LF or CRLF, since a tweet may hold other controls.

    Of a file without any LF, CR.
    """
    if not path.is_file():
        raise missing(path)
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise BadInput(f"{path} is empty; {HELP}.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{path}: line {number} is not UTF-8 text; {HELP}.") from error
    if "\n" not in text:
        text = text.replace("\r", "\n")
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def make_synthetic(folder, seed):
    """Write 400 labelled, 2,000 unlabelled and 300 test lines in the course's format and return the folder.

    There are forty words of praise and forty of blame, and few labels show all of them; but two of a kind
    stand in a sentence, so unlabelled lines tell which words belong together. In four of ten lines a clause
    of the one kind is followed by "but" and a clause of the other, and the last one counts: the same words in
    another order mean the opposite.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    made_up = rng.permutation(
        [
            a + b + c
            for a in ("ba", "ke", "mo", "ru")
            for b in ("lin", "dor", "sap", "tig")
            for c in ("o", "ey", "um", "ish", "al")
        ]
    )
    kinds = {1: made_up[:40], 0: made_up[40:]}

    def clause(label):
        first, second = rng.choice(kinds[label], 2, replace=False)
        thing = rng.choice(["day", "film", "coffee", "bus", "lesson", "city"])
        return f"the {thing} is {first} and {second}"

    def tweet(label):
        before = f"{clause(1 - label)} , but " if rng.random() < 0.4 else ""
        return before + clause(label) + rng.choice([" .", " !", " !!", " :)"])

    labels = rng.permutation(np.arange(2700) % 2)
    tweets = [tweet(label) for label in labels]
    tweets[0] = f"{clause(labels[0])} 1 +++$+++ , 2"  # a text may hold anything
    tweets[2400] = f"{clause(labels[2400])} , ümlaut 🙂"
    for name, lines in (
        ("training_label.txt", [f"{label}{SEPARATOR}{text}" for label, text in zip(labels[:400], tweets)]),
        ("training_nolabel.txt", tweets[400:2400]),
        ("testing_data.txt", ["id,text", *(f"{i},{text}" for i, text in enumerate(tweets[2400:]))]),
    ):
        with replacing(folder / name) as path:
            path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return folder
