"""Word vectors by skip-gram (Mikolov et al., 2013): words that stand among the same words get like vectors.

gensim does the training. The file that is kept is word2vec's own text format: a line with the number of words
and the size, then a line a word, the word and its numbers with spaces between.
"""

from scaffold import HELP, BadInput, replacing

import numpy as np
from checkpoint import digest_of
from gensim.models import KeyedVectors, Word2Vec
from tqdm import tqdm

SIZE = 200  # numbers of a vector
WINDOW = 10  # words to either side: a wide window groups words by subject and mood rather than by grammar
LEAST_COUNT = 2  # a word seen once says nothing, and stands for the unknown ones
MOST_WORDS_KNOWN = 60_000
WORDS_READ = 8_000_000  # by reading the text again and again, LEAST_PASSES to MOST_PASSES times
LEAST_PASSES, MOST_PASSES = 3, 20


class Sentences:
    """Sentences cut into words as they are asked for, again and again: the lists would take gigabytes.

    Each pass shows a bar, which a course's million tweets take a while to fill.
    """

    def __init__(self, sentences):
        self.sentences = sentences

    def __iter__(self):
        bar = tqdm(self.sentences, "word vectors", leave=False, ncols=80, disable=None)
        return (sentence.split() for sentence in bar)


def word_vectors(path, sentences, seed, drawn=False, resume=False):
    """Vectors of the words of sentences, list of str; with resume, those that an earlier training wrote.

    Returns gensim's KeyedVectors, the most frequent word first; if drawn, they are random numbers, and no
    file is read or written. Raises BadInput if no word comes twice, or the file is not what this function
    wrote for these sentences and this seed, by which the digest beside it is made.
    """
    if drawn:
        return skip_gram(sentences, seed, train=False)
    digest_file, digest = path.with_suffix(".sha256"), digest_of([], "\n".join([str(seed), *sentences]))
    if resume and path.is_file():
        if not digest_file.is_file() or digest_file.read_text("utf-8") != digest:
            raise BadInput(f"{path} is of other tweets or of another --seed; leave out --resume.")
        try:
            found = KeyedVectors.load_word2vec_format(path)
            if not len(found) or found.vectors.shape[1] != SIZE or not np.isfinite(found.vectors).all():
                raise ValueError("edited")
        except PermissionError:
            raise
        except Exception as error:  # gensim has many words for a damaged file
            raise BadInput(f"{path} is cut short or not in word2vec's format; leave out --resume.") from error
        return found
    path.unlink(missing_ok=True)  # of an earlier training
    found = skip_gram(sentences, seed)
    digest_file.write_text(digest, "utf-8")
    with replacing(path) as temporary:
        found.save_word2vec_format(temporary)
    return found


def skip_gram(sentences, seed, train=True):
    """Learn vectors of the words of sentences, list of str, or draw them at random.

    Raises BadInput if no word comes twice.

    One thread: with more, the same seed would give other vectors each time.
    """
    print("makes the word vectors", flush=True)
    model = Word2Vec(
        vector_size=SIZE,
        window=WINDOW,
        min_count=LEAST_COUNT,
        max_final_vocab=MOST_WORDS_KNOWN,
        sg=1,
        workers=1,
        seed=seed + 1,  # gensim takes 0 for 1
    )
    model.build_vocab(Sentences(sentences))
    if not len(model.wv):
        raise BadInput(f"No word of the tweets comes {LEAST_COUNT} times; {HELP}.")
    if train:
        passes = int(np.clip(WORDS_READ // model.corpus_total_words, LEAST_PASSES, MOST_PASSES))
        model.train(Sentences(sentences), total_examples=len(sentences), epochs=passes)
    return model.wv
