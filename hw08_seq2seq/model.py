"""The models by name, and model.keras, which is all that predict.py needs: the words are in it, too.

| --model       | encoder                  | decoder                                                |
|---------------|--------------------------|--------------------------------------------------------|
| `seq2seq`     | LSTM, both ways          | LSTM that begins with the encoder's last state         |
| `attention`   | the same                 | LSTM that looks at all of the sentence at every step   |
| `transformer` | blocks of self-attention | blocks of self-attention and attention to the sentence |

All map numbers of tokens ((n, s), (n, t)) to logits (n, t, Chinese tokens); translator.py says how they
decode, and makes one translator of several.
"""

from scaffold import BadInput

from dataset import load_vocabulary
from device import load_keras
from recurrent import Recurrent
from transformer import Transformer
from translator import Ensemble, Translator


def build_model(kind, english, chinese, units, dropout, sampled=False, r_drop=0.0):
    """A Translator. kind: a --model; english, chinese: Vocabulary; sampled: for scheduled sampling."""
    if kind == "transformer":
        return Transformer(english.words, chinese.words, units, dropout, r_drop=r_drop)
    attention = kind == "attention"
    return Recurrent(english.words, chinese.words, units, dropout, attention, sampled, r_drop=r_drop)


def ensemble_of(models):
    """One model of several, of which some may be ensembles: itself, or an Ensemble of all their networks."""
    networks = [network for model in models for network in getattr(model, "members", [model])]
    return networks[0] if len(networks) == 1 else Ensemble(networks)


def uncompiled(model):
    """A copy without the optimizer, whose moments would make model.keras three times as large."""
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    return copy


def load_models(paths, folder=None):
    """One model of the files that train.py wrote. Raises BadInput if they know different words."""
    models = [load_model(path, folder) for path in paths]
    for path, model in zip(paths, models):
        if (model.english, model.chinese) != (models[0].english, models[0].chinese):
            raise BadInput(f"{path} knows other words than {paths[0]}; give models of the same files.")
    return ensemble_of(models)


def load_model(path, folder=None):
    """Read model.keras.

    Raises BadInput when it is missing, cut short, or knows other words than the folder's English vocabulary,
    if there is one.
    """
    model = load_keras(path)
    if not isinstance(model, Translator | Ensemble):
        raise BadInput(f"{path} is not a model of this chapter; run train.py again.")
    numbers = folder / "int2word_en.json" if folder else None
    if numbers and numbers.is_file() and load_vocabulary(folder, "en").words != model.english:
        raise BadInput(f"{path} was trained with other words than {numbers} has; run train.py again.")
    return model
