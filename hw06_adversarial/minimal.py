"""The smallest attack that the search finds: for each image, few grey levels, or pixels, to misread it.

One level is tried first, then 2, 4, 8, ... until the iterative attack succeeds; then the gap is halved until
two neighbouring levels are left, of which the upper succeeds and the lower does not. Each image searches
for itself, and all that still search are attacked together. The loss is the margin: it is above 0 exactly
when the image is misread, whereas a cross-entropy can go on rising without that.

Where one level suffices, how many pixels need it? fewest_pixels() tries 1, then GROWTH, GROWTH^2, ... The
pixels that change are those whose one level raises the margin most, by the gradient: projected ascent on sets
of so many pixels, which is iterative hard thresholding (Blumensath, Davies 2009).
"""

import numpy as np
from attack import MOMENTUM, iterative

GROWTH = 2  # times as many pixels in the next try
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


def fewest_pixels(query, images, labels, iterations):
    """The least of 1, GROWTH, GROWTH^2, ... and all pixels at which sparse() has each image misread.

    query is of the margin. Returns int64 (n,); 0 where no number of pixels suffices.
    """
    total = images.shape[1] * images.shape[2]
    found, pixels = np.zeros(len(images), int), 1
    while len(rows := np.flatnonzero(found == 0)):
        flipped = sparse(query, images[rows], labels[rows], min(pixels, total), iterations) > CONFIDENCE
        found[rows[flipped]] = min(pixels, total)
        if pixels >= total:
            break
        pixels *= GROWTH
    return found


def sparse(query, images, labels, pixels, iterations):
    """Move at most so many pixels of uint8 images (n, h, w, 3) by one level: the margins reached, (n,).

    With v the sum of the gradients so far, x' is x + sign(v) in the pixels with the largest sum of |v| over
    their channels, and x elsewhere.
    """
    velocity = np.zeros(images.shape, np.float32)
    attacked, margins = images.copy(), np.full(len(images), -np.inf, np.float32)
    active = np.arange(len(images))
    for _ in range(iterations + 1):
        margins[active], gradients = query(attacked[active], labels[active])
        going = margins[active] <= CONFIDENCE
        active, gradients = active[going], gradients[going]
        if len(active) == 0:
            break
        length = np.abs(gradients).mean(axis=(1, 2, 3), keepdims=True)
        velocity[active] = MOMENTUM * velocity[active] + gradients / np.maximum(length, 1e-30)
        here = images[active].astype(np.int16)
        moved = np.clip(here + np.sign(velocity[active]).astype(np.int16), 0, 255)  # black cannot get darker
        gain = (np.abs(velocity[active]) * (moved != here)).sum(axis=3).reshape(len(active), -1)
        chosen = np.zeros(gain.shape, bool)
        np.put_along_axis(chosen, np.argpartition(-gain, pixels - 1, axis=1)[:, :pixels], True, axis=1)
        chosen = chosen.reshape(*here.shape[:3], 1)
        attacked[active] = np.where(chosen, moved, here).astype(np.uint8)
    return margins
