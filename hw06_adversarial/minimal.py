"""The smallest attack: for each picture, the fewest grey levels with which it is misread.

One level is tried first, then 2, 4, 8, ... until the iterative attack succeeds; then the gap is halved until
two neighbouring levels are left, of which the upper succeeds and the lower does not. Each picture searches
for itself, and all that still search are attacked together. The loss is the margin: it is above 0 exactly
when the picture is misread, whereas a cross-entropy can go on rising without that.
"""

import numpy as np
from attack import iterative

CONFIDENCE = 0.01  # logits by which a picture must be misread: another machine's rounding shall not undo it


def minimal(look, pictures, labels, epsilon, iterations, step):
    """Search the smallest whole distance up to `epsilon` at which iterative() changes what each picture is
    read as.

    look is of the margin. Returns uint8 (n, h, w, 3); a picture that epsilon levels do not change stays as it
    was.
    """
    result = pictures.copy()
    failed, succeeded = np.zeros(len(pictures), int), np.full(len(pictures), epsilon + 1)
    level = np.ones(len(pictures), int)
    while len(rows := np.flatnonzero(succeeded - failed > 1)):
        attacked, margins = iterative(
            look, pictures[rows], labels[rows], level[rows], iterations, step, stop=CONFIDENCE
        )
        flipped = margins > CONFIDENCE
        result[rows[flipped]] = attacked[flipped]
        succeeded[rows[flipped]] = level[rows[flipped]]
        failed[rows[~flipped]] = level[rows[~flipped]]
        level = np.where(succeeded <= epsilon, (failed + succeeded) // 2, np.minimum(2 * failed, epsilon))
    return result
