"""The three models, by name, and model.keras, which is all that predict.py needs: the words are in it, too.

| --model       | encoder                  | decoder                                                |
|---------------|--------------------------|--------------------------------------------------------|
| `seq2seq`     | LSTM, both ways          | LSTM that begins with the encoder's last state         |
| `attention`   | the same                 | LSTM that looks at all of the sentence at every step   |
| `transformer` | blocks of self-attention | blocks of self-attention and attention to the sentence |

All map ((n, s), (n, t)) word numbers to logits (n, t, Chinese words); translator.py says how they decode.
"""

from scaffold import BadInput

import numpy as np
from dataset import load_vocabulary
from device import load_keras
from recurrent import Recurrent
from transformer import Transformer
from translator import Translator


def build_model(kind, english, chinese, units, dropout, sampled=False):
    """A Translator. kind: a --model; english, chinese: Vocabulary; sampled: for scheduled sampling."""
    if kind == "transformer":
        return Transformer(english.words, chinese.words, units, dropout)
    return Recurrent(english.words, chinese.words, units, dropout, kind == "attention", sampled)


def load_model(path, folder=None):
    """Read model.keras.

    Raises BadInput when it is missing, cut short, or knows other words than the folder's vocabularies, if
    there is a folder of some.
    """
    model = load_keras(path)
    if not isinstance(model, Translator) or not all(np.isfinite(w).all() for w in model.get_weights()):
        raise BadInput(f"{path} is not a model of this chapter; run train.py again.")
    for language, words in (("en", model.english), ("cn", model.chinese)) if folder else ():
        numbers = folder / f"int2word_{language}.json"
        if numbers.is_file() and load_vocabulary(folder, language).words != words:
            raise BadInput(f"{path} was trained with other words than {numbers} has; run train.py again.")
    return model
