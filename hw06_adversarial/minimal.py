"""The smallest attack: for each image, the fewest grey levels with which it is misread.

One level is tried first, then 2, 4, 8, ... until the iterative attack succeeds; then the gap is halved until
two neighbouring levels are left, of which the upper succeeds and the lower does not. Each image searches
for itself, and all that still search are attacked together. The loss is the margin: it is above 0 exactly
when the image is misread, whereas a cross-entropy can go on rising without that.
"""

import numpy as np
from attack import iterative

CONFIDENCE = 0.01  # logits by which an image must be misread: another machine's rounding shall not undo it


def minimal(query, images, labels, epsilon, iterations, step):
    """Search the smallest whole distance up to `epsilon` at which iterative() changes what each image is
    read as.

    query is of the margin. Returns uint8 (n, h, w, 3); an image that epsilon levels do not change stays as it
    was.
    """
    result = images.copy()
    failed, succeeded = np.zeros(len(images), int), np.full(len(images), epsilon + 1)
    level = np.ones(len(images), int)
    while len(rows := np.flatnonzero(succeeded - failed > 1)):
        attacked, margins = iterative(
            query, images[rows], labels[rows], level[rows], iterations, step, stop=CONFIDENCE
        )
        flipped = margins > CONFIDENCE
        result[rows[flipped]] = attacked[flipped]
        succeeded[rows[flipped]] = level[rows[flipped]]
        failed[rows[~flipped]] = level[rows[~flipped]]
        level = np.where(succeeded <= epsilon, (failed + succeeded) // 2, np.minimum(2 * failed, epsilon))
    return result
