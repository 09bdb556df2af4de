"""A person's own English -> tokens as the course's files have them, cut into the vocabulary's sub-words."""

import re

from scaffold import BadInput

MOST_CHARACTERS = 2000


def tokenise(text):
    """Text -> words: lower case, punctuation apart, "don't" as "do n't", as the Penn Treebank has it.

    Raises BadInput if there is no word, or too many characters.
    """
    if len(text) > MOST_CHARACTERS:
        raise BadInput(f"--text: {len(text):,} characters, expected at most {MOST_CHARACTERS:,}.")
    text = text.lower().translate(str.maketrans("‘’“”", "''\"\""))
    text = re.sub(r'(^|\s)"', r"\1 `` ", text).replace('"', " '' ")
    text = re.sub(r"n't\b", " n't", text)
    text = re.sub(r"'(s|m|ll|ve|re|d)\b", r" '\1", text)
    text = re.sub(r"([,!?;()…]|[.:](?!\d))", r" \1 ", text)
    words = text.split()
    if not words:
        raise BadInput("--text is empty, expected an English sentence.")
    return words


def sub_words(word, numbers):
    """Cut a word into the fewest pieces that the vocabulary has, "nails" into ["na@@", "ils"].

    numbers: the vocabulary's {token: number}. Of several ways it is that with the longest first piece. A word
    that cannot be cut so stays whole, and counts as <UNK>. (Byte pair encoding merges in an order that it
    learnt, which is not in the files; of the words in training.txt that are cut, seven in ten are cut alike.)
    """
    fewest = {0: []}  # of the first characters: so many -> pieces
    for end in range(1, len(word) + 1):
        mark = "@@" if end < len(word) else ""
        cuts = [
            [*fewest[start], word[start:end] + mark]
            for start in range(end)
            if start in fewest and word[start:end] + mark in numbers
        ]
        if cuts:
            fewest[end] = min(cuts, key=lambda pieces: (len(pieces), [-len(piece) for piece in pieces]))
    return fewest.get(len(word), [word])
