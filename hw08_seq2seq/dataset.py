"""The course's sentence pairs -> arrays of word numbers.

training.txt, validation.txt and testing.txt are UTF-8, a pair a line: English, a tab, Chinese. Tokens are
separated by blanks, and punctuation marks are tokens too. English words are split into sub-words by byte pair
encoding: `na@@ ils` is `nails`. Chinese is cut into words. LF or CRLF, simplified or traditional.

    she has a habit of bi@@ ting her na@@ ils . <tab> 她 有 咬 指甲 的 习惯 。

word2int_en.json, int2word_en.json, word2int_cn.json and int2word_cn.json are objects that number the tokens
of each language, and back: {"<PAD>": 0, "<BOS>": 1, "<EOS>": 2, "<UNK>": 3, ".": 4, ...}. A token that is not
in them is <UNK>: of the course's Chinese words 6 %. Cut into characters, nearly none is. The course has
18,000 pairs to train, 500 to validate and 2,636 to test.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass

from scaffold import HELP, BadInput, missing, replacing

import numpy as np
from bleu import characters

SPECIAL = ["<PAD>", "<BOS>", "<EOS>", "<UNK>"]
PAD, BOS, EOS, UNK = range(4)
MAX_UNKNOWN = 0.5  # share of the tokens
MAX_TOKENS = 200  # of a sentence: what a longer one has more is cut off
MAX_CHARACTERS = 2000  # of a person's own sentence


@dataclass(frozen=True)
class Pair:
    """A sentence in both languages, as lists of tokens."""

    english: list
    chinese: list


class Vocabulary:
    """The words of a language in the order of their numbers; the first four are SPECIAL."""

    def __init__(self, words):
        self.words = list(words)
        self.numbers = {word: number for number, word in enumerate(self.words)}

    def encode(self, sentences):
        """Lists of words -> int32 (n, longest + 1): their numbers, then <EOS>, then <PAD>."""
        ids = np.full((len(sentences), max(map(len, sentences)) + 1), PAD, np.int32)
        for row, words in zip(ids, sentences):
            row[: len(words) + 1] = [*(self.numbers.get(word, UNK) for word in words), EOS]
        return ids

    def decode(self, ids):
        """Numbers (length,) -> the words before the first <EOS>."""
        ids = list(ids)
        return [self.words[number] for number in ids[: ids.index(EOS) if EOS in ids else None]]


def load_vocabularies(folder):
    """Read the four JSON files: the English and the Chinese Vocabulary.

    Raises BadInput when one is missing or broken, lacks a special token, or is not the inverse of its twin.
    """
    return tuple(load_vocabulary(folder, language) for language in ("en", "cn"))


def load_vocabulary(folder, language):
    path, inverse = (folder / f"{name}_{language}.json" for name in ("int2word", "word2int"))
    number_to_word, word_to_number = read_object(path), read_object(inverse)
    for number, token in enumerate(SPECIAL):
        if number_to_word.get(str(number)) != token:
            raise BadInput(
                f"{path}: number {number} is {number_to_word.get(str(number))!r}, expected {token!r}; {HELP}."
            )
    for number in range(len(number_to_word)):
        word = number_to_word.get(str(number))
        if not isinstance(word, str) or re.search("[\ud800-\udfff]", word):  # halves of UTF-16 pairs
            raise BadInput(f"{path}: number {number} is missing or no text, expected a word; {HELP}.")
        if word_to_number.get(word) != number:
            raise BadInput(
                f"{inverse}: {word!r} has the number {word_to_number.get(word)!r}, expected {number} "
                f"as in {path.name}; {HELP}."
            )
    if len(word_to_number) != len(number_to_word):
        raise BadInput(
            f"{inverse}: {len(word_to_number)} words, expected {len(number_to_word)} as in {path.name}; "
            f"{HELP}."
        )
    return Vocabulary(number_to_word[str(number)] for number in range(len(number_to_word)))


def read_object(path):
    text = read_text(path)
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}: line {error.lineno}: {error.msg}, expected JSON; {HELP}.") from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, or nested too deeply
        raise BadInput(f"{path} is no object of words, expected JSON; {HELP}.") from error
    if not isinstance(found, dict):
        raise BadInput(f"{path}: a {type(found).__name__}, expected an object of words; {HELP}.")
    return found


def read_text(path):
    """Read UTF-8 text, with or without a byte order mark. Raises BadInput if that cannot be."""
    if not path.is_file():
        raise missing(path)
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BadInput(f"{path}: line {line}: a byte is not UTF-8 text; {HELP}.") from error


def load_pairs(path, reference=True):
    """Read training.txt, validation.txt or testing.txt: a list of Pair. Raises BadInput, naming the line.

    Without reference, a file may hold English alone, and its Chinese is then [] on every line.
    """
    text = read_text(path)
    if not text.strip():
        raise BadInput(f"{path} is empty, expected a sentence pair a line; {HELP}.")
    pairs, cut, alone = [], 0, not reference and "\t" not in text
    for number, line in enumerate(text.rstrip("\r\n").split("\n"), 1):
        sides = [line, ""] if alone else line.split("\t")
        if len(sides) != 2:
            raise BadInput(
                f"{path}: line {number}: {len(sides) - 1} tabs, expected English, one tab, Chinese; {HELP}."
            )
        english, chinese = (side.split() for side in sides)
        if not english or not (chinese or alone):
            side = "Chinese" if english else "English"
            raise BadInput(f"{path}: line {number}: the {side} side is empty, expected words; {HELP}.")
        cut += max(len(english), len(chinese)) > MAX_TOKENS
        pairs.append(Pair(english[:MAX_TOKENS], chinese[:MAX_TOKENS]))
    if cut:
        print(f"note: {cut} sentences of {path} were cut to {MAX_TOKENS} tokens")
    return pairs


def in_characters(pairs):
    """The same pairs, their Chinese words cut into characters; a run of Latin letters or digits is one.

    As of words, the first MAX_TOKENS are kept.
    """
    cut = [[character for word in pair.chinese for character in characters(word)] for pair in pairs]
    if long := sum(len(chinese) > MAX_TOKENS for chinese in cut):
        print(f"note: {long} Chinese sentences were cut to {MAX_TOKENS} characters")
    return [Pair(pair.english, chinese[:MAX_TOKENS]) for pair, chinese in zip(pairs, cut)]


def chinese_vocabulary(pairs):
    """The Vocabulary of all tokens of the pairs' Chinese, the most frequent first."""
    counts = Counter(token for pair in pairs for token in pair.chinese)
    return Vocabulary([*SPECIAL, *sorted(counts, key=lambda token: (-counts[token], token))])


def unknown_shares(pairs, vocabularies, path):
    """The shares of English and Chinese tokens that the vocabularies lack.

    Raises BadInput when one is above MAX_UNKNOWN: the words are of another script, or the sides are swapped.
    """
    shares = []
    for vocabulary, side in zip(vocabularies, ("english", "chinese")):
        tokens = [token for pair in pairs for token in getattr(pair, side)]
        shares.append(sum(token not in vocabulary.numbers for token in tokens) / len(tokens))
        if shares[-1] > MAX_UNKNOWN:
            raise BadInput(
                f"{path}: {shares[-1]:.0%} of the {side.title()} tokens are not in its vocabulary, expected "
                f"at most {MAX_UNKNOWN:.0%}: the sides may be exchanged, the characters of another kind, or "
                f"the words not cut apart; {HELP}."
            )
    return shares


def tokenise(text):
    """Text -> words: lower case, punctuation apart, "don't" as "do n't", as the Penn Treebank has it.

    Raises BadInput if there is no word, or too many characters.
    """
    if len(text) > MAX_CHARACTERS:
        raise BadInput(f"--text: {len(text):,} characters, expected at most {MAX_CHARACTERS:,}.")
    text = text.lower().translate(str.maketrans("‘’“”", "''\"\""))
    text = re.sub(r"(^|\s)'([^']*)'(?=\W|$)", r'\1"\2"', text)
    text = re.sub(r'(^|\s)"', r"\1 `` ", text).replace('"', " '' ")
    text = re.sub(r"\bcannot\b", "can not", text)
    text = re.sub(r"n't\b", " n't", text)
    text = re.sub(r"'(s|m|ll|ve|re|d)\b", r" '\1", text)
    text = re.sub(r"(?<=s)'(?=\s|$)", " '", text)
    text = re.sub(r"([!?;()…$%]|[,:](?!\d)|\.(?!\w)|(?<=[a-z]{2})\.(?=[a-z]{2}))", r" \1 ", text)
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


def make_synthetic(folder, seed):
    """Write the course's files, 1,000 pairs to train, 40 to validate and 40 to test; return the folder.

    "tom saw three red cats and two old dogs ." becomes 汤姆看见了三只红猫和两只老狗。 Up to three things
    are seen, so that the sentences are long. In half of them the time stands last in English and first in
    Chinese. Some words are split into sub-words.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"training": 1000, "validation": 40, "testing": 40}
    pairs = list(dict.fromkeys(invent(rng) for _ in range(4000)))[: sum(parts.values())]
    start = 0
    for name, count in parts.items():
        with replacing(folder / f"{name}.txt") as path:
            lines = (f"{english} \t {chinese} \n" for english, chinese in pairs[start : start + count])
            path.write_text("".join(lines), "utf-8")
        start += count
    for language, column in (("en", 0), ("cn", 1)):
        counts = Counter(word for pair in pairs[: parts["training"]] for word in pair[column].split())
        words = [*SPECIAL, *sorted(counts, key=lambda word: (-counts[word], word))]
        numbers = {word: number for number, word in enumerate(words)}
        for name, table in (("word2int", numbers), ("int2word", dict(enumerate(words)))):
            with replacing(folder / f"{name}_{language}.json") as path:
                path.write_text(json.dumps(table, ensure_ascii=False), "utf-8")
    return folder


def invent(rng):
    """One pair of make_synthetic's language, as two texts."""
    names = {"tom": "汤姆", "mary": "玛丽", "i": "我", "she": "她", "he": "他", "my bro@@ ther": "我 哥哥"}
    verbs = {"saw": "看见 了", "bought": "买 了", "dre@@ w": "画 了", "lost": "丢 了"}
    counts = {"two": "两", "three": "三", "four": "四", "five": "五", "ten": "十"}
    colours = {"red": "红", "bl@@ ack": "黑", "white": "白", "old": "老", "big": "大", "li@@ ttle": "小"}
    things = {"cats": "只 猫", "dogs": "只 狗", "books": "本 书", "hor@@ ses": "匹 马", "cars": "辆 车"}
    times = {"yesterday": "昨天", "this mor@@ ning": "今天 早上", "last week": "上 个 星期"}

    def pick(table):
        return list(table.items())[rng.integers(len(table))]

    name, verb, time = pick(names), pick(verbs), pick(times)
    seen = []
    for _ in range(rng.integers(1, 4)):
        count, colour, thing = pick(counts), pick(colours), pick(things)
        measure, noun = thing[1].split()
        seen.append((f"{count[0]} {colour[0]} {thing[0]}", f"{count[1]} {measure} {colour[1]} {noun}"))
    english, chinese = (joined.join(side) for joined, side in zip((" and ", " 和 "), zip(*seen)))
    if rng.random() < 0.5:
        return f"{name[0]} {verb[0]} {english} .", f"{name[1]} {verb[1]} {chinese} 。"
    return f"{name[0]} {verb[0]} {english} {time[0]} .", f"{time[1]} {name[1]} {verb[1]} {chinese} 。"
