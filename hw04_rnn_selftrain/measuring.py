"""What the report measures of a model, and TF-IDF with logistic regression to compare it with."""

from model import load_model, network_of, ngram_logits, predict_probabilities
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

THROUGHPUTS = {  # flags of throughput.py
    "Keras": "keras",
    "Keras, compiled by XLA": "keras --xla",
    "PyTorch": "torch",
}


def predict_positive(model_file, sentences, part=None):
    """Which of sentences, a list of N str, a model takes for positive: bool (N,).

    part: "network" or "ngrams", one of the two whose mean it is, by itself.
    """
    model = load_model(model_file)
    if part == "ngrams":
        return ngram_logits(model, sentences) > 0
    return probabilities(network_of(model) if part else model, sentences) > 0.5


def probabilities(model, sentences):
    """The probability of "positive" of sentences, list of N str, by a model or its network: float32 (N,)."""
    model.compile(jit_compile=False)
    return predict_probabilities(model, sentences)


def tf_idf(sentences, labels):
    """The peer: scikit-learn's logistic regression on TF-IDF, fitted."""
    peer = make_pipeline(TfidfVectorizer(token_pattern=r"\S+"), LogisticRegression(max_iter=1000))
    return peer.fit(sentences, labels)
