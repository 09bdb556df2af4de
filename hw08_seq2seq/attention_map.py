"""A picture of where a model looked: a row for each Chinese word, a column for each English one."""

import numpy as np
from dataset import BOS, EOS, SPECIAL
from matplotlib.figure import Figure
from records import plain


def attention_maps(model, sources, translations, vocabularies):
    """Draw the attention of some translations, lists of words: a Figure, or None where there is none.

    Words are written in an installed font that has all of their characters, or else as their numbers.
    """
    english, chinese = vocabularies
    font = find_font("".join(word for words in [*sources, *translations, SPECIAL] for word in words))
    figure = Figure(figsize=(4.5 * len(sources), 4.5), dpi=70, layout="constrained")
    for axes, source, translation in zip(
        figure.subplots(1, len(sources), squeeze=False)[0], sources, translations
    ):
        source_ids, target_ids = english.encode([source]), chinese.encode([translation])
        weights = model.attend(source_ids, np.insert(target_ids[:, :-1], 0, BOS, axis=1))
        if weights is None:
            return None
        axes.imshow(np.asarray(weights)[0], cmap="Greys", vmin=0, vmax=1, aspect="auto")
        for axis, words, ids in ((axes.xaxis, source, source_ids), (axes.yaxis, translation, target_ids)):
            labels = (
                [plain(word) for word in (*words, SPECIAL[EOS])]
                if font
                else [str(number) for number in ids[0]]
            )
            axis.set_ticks(range(len(labels)), labels, font=font)
        axes.tick_params(axis="x", rotation=60)
    return figure


def find_font(text):
    """An installed font that has every character of the text, as FontProperties; None if there is none.

    Last Resort, which comes with matplotlib, has them all and shows every one as a box.
    """
    from matplotlib.font_manager import FontProperties, findSystemFonts, fontManager
    from matplotlib.ft2font import FT2Font

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
