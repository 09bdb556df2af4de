"""Tasks to learn from: each is drawn anew, with a support set to adapt to and a query set to test on."""

from typing import NamedTuple

from scaffold import BadInput

import keras
import numpy as np

AMPLITUDE, RANGE = (0.1, 5.0), (-5.0, 5.0)  # of the sine waves
PHASES = {"2pi": 2 * np.pi, "pi": np.pi}  # the largest: the course's, and that of Finn et al. 2017
SAME_ALPHABET = 0.5  # share of the training episodes whose characters are all of one alphabet
# The largest changes of whole characters and of single drawings: degrees, logarithm, ratio, pixels.
OF_A_CHARACTER = {"angle": 15, "stretch": 0.08, "slant": 0.1, "shift": 0.0}
OF_A_DRAWING = {"angle": 4, "stretch": 0.04, "slant": 0.04, "shift": 0.75}


class Batch(NamedTuple):
    """Some tasks, the task first in each array; support and query share no item."""

    support_x: np.ndarray  # float32 (T, n, 1) or (T, n, 28, 28, 1)
    support_y: np.ndarray  # float32 (T, n, 1), or classes: int32 (T, n)
    query_x: np.ndarray
    query_y: np.ndarray


class Waves:
    """Draws sine tasks y = A sin(x - phase), with points anywhere from -5 to 5. phase: a key of PHASES."""

    def __init__(self, shots, queries, phase="2pi"):
        self.shots, self.queries, self.phases = shots, queries, (0.0, PHASES[phase])

    def draw(self, rng, tasks):
        """A Batch of x and y float32 (tasks, points, 1)."""
        amplitude, phase = (rng.uniform(*bounds, (tasks, 1, 1)) for bounds in (AMPLITUDE, self.phases))
        x = rng.uniform(*RANGE, (tasks, self.shots + self.queries, 1))
        y = amplitude * np.sin(x - phase)
        x, y = x.astype(np.float32), y.astype(np.float32)
        return Batch(x[:, : self.shots], y[:, : self.shots], x[:, self.shots :], y[:, self.shots :])


class Episodes:
    """Draws N-way K-shot tasks from {name of a character: uint8 (drawings, 28, 28)}.

    vary: the characters of an episode are turned, mirrored, stretched and slanted into others, all alike, as
    those of another alphabet are; each drawing is moved a little; and half of the episodes take all their
    characters from one alphabet. So of these no copy may be among the
    test characters: split first. Raises BadInput when there are too few characters or drawings.
    """

    def __init__(self, characters, ways, shots, queries, vary=False):
        self.ways, self.shots, self.queries, self.vary = ways, shots, queries, vary
        if len(characters) < ways:
            raise BadInput(
                f"--ways {ways}: expected at most the {len(characters)} characters that there are."
            )
        for name, drawings in characters.items():
            if len(drawings) < shots + queries:
                raise BadInput(
                    f"--shots {shots} and {queries} queries need {shots + queries} drawings of a character, "
                    f"{name} has {len(drawings)}."
                )
        self.pool = np.concatenate(list(characters.values()))  # (all drawings, 28, 28)
        self.counts = np.array([len(drawings) for drawings in characters.values()])
        self.first = np.cumsum(self.counts) - self.counts  # where a character's drawings begin
        names = np.array([name.split("/")[0] for name in characters])
        groups = [np.flatnonzero(names == name) for name in np.unique(names)]
        self.alphabets = [group for group in groups if len(group) >= ways]

    def choose(self, rng, tasks):
        """Characters int64 (tasks, ways), and indices of their drawings in the pool (tasks, each, ways)."""
        each = self.shots + self.queries
        chosen = np.empty((tasks, self.ways), np.int64)
        indices = np.empty((tasks, each, self.ways), np.int64)
        for task in range(tasks):
            group = np.arange(len(self.counts))
            if self.vary and self.alphabets and rng.random() < SAME_ALPHABET:
                group = self.alphabets[rng.integers(len(self.alphabets))]
            chosen[task] = rng.permutation(group)[: self.ways]
            for way, character in enumerate(chosen[task]):
                indices[task, :, way] = self.first[character] + rng.permutation(self.counts[character])[:each]
        return chosen, indices

    def gather(self, x):
        """A Batch of drawings (tasks, each, ways, 28, 28, 1), shots first; item i is of class i % ways."""
        tasks, each = x.shape[:2]
        x = x.reshape(tasks, each * self.ways, *x.shape[3:])
        y = np.tile(np.arange(self.ways, dtype=np.int32), (tasks, each))
        support = self.shots * self.ways
        return Batch(x[:, :support], y[:, :support], x[:, support:], y[:, support:])

    def look_up(self, indices):
        """Drawings float32 (..., 28, 28, 1), 0 is paper and 1 is ink."""
        return (self.pool[indices] / np.float32(255))[..., None]

    def draw(self, rng, tasks):
        """A Batch of x float32 (tasks, n, 28, 28, 1) and y int32 (tasks, n)."""
        _, indices = self.choose(rng, tasks)
        x = self.look_up(indices)
        if self.vary:
            whole = new_characters(rng, (tasks, 1, 1))
            x = transform(x, whole @ affine(rng, indices.shape, **OF_A_DRAWING))
        return self.gather(x)


def with_views(batch, count):
    """A Batch that has each drawing `count` times: as it is, then moved a little as in training.

    Views of item i of n stand at i, n + i, 2 n + i, ... They are the same each time.
    """
    rng = np.random.default_rng(0)

    def views_of(x):
        moved = [transform(x, affine(rng, x.shape[:2], **OF_A_DRAWING)) for _ in range(count - 1)]
        return np.concatenate([x, *moved], axis=1)

    support_y, query_y = (np.tile(y, (1, count)) for y in (batch.support_y, batch.query_y))
    return Batch(views_of(batch.support_x), support_y, views_of(batch.query_x), query_y)


class Characters:
    """Draws what ordinary training sees: one task that has every character for a class, and queries alone."""

    def __init__(self, characters):
        self.characters = list(characters.values())

    def draw(self, rng, tasks):
        """A Batch of tasks drawings of each character, a little moved: queries (1, n, 28, 28, 1)."""
        x = np.stack([drawings[rng.integers(0, len(drawings), tasks)] for drawings in self.characters], 1)
        x = (x / np.float32(255))[..., None]  # (tasks, characters, 28, 28, 1)
        x = transform(x, affine(rng, x.shape[:2], **OF_A_DRAWING)).reshape(1, -1, *x.shape[2:])
        y = np.tile(np.arange(len(self.characters), dtype=np.int32), (1, tasks))
        return Batch(x[:, :0], y[:, :0], x, y)


def new_characters(rng, shape):
    """Transforms (*shape, 3, 3) that make a character another: quarters of a turn, mirrors and more."""
    quarter = rng.integers(0, 4, shape) * np.pi / 2
    mirror = rng.choice([-1.0, 1.0], shape)
    zero, one = np.zeros(shape), np.ones(shape)
    cos, sin = np.cos(quarter), np.sin(quarter)
    turn = matrices(cos * mirror, -sin, zero, sin * mirror, cos, zero, zero, zero, one)
    return turn @ affine(rng, shape, **OF_A_CHARACTER)


def affine(rng, shape, angle, stretch, slant, shift):
    """Random transforms (*shape, 3, 3), each part uniform up to its bound: degrees, log, ratio, pixels."""
    turn = np.deg2rad(rng.uniform(-angle, angle, shape))
    wide, high = np.exp(rng.uniform(-stretch, stretch, (2, *shape)))
    lean = rng.uniform(-slant, slant, shape)
    right, down = rng.uniform(-shift, shift, (2, *shape))
    zero, one = np.zeros(shape), np.ones(shape)
    cos, sin = np.cos(turn), np.sin(turn)
    rotation = matrices(cos, -sin, zero, sin, cos, zero, zero, zero, one)
    return rotation @ matrices(wide, lean, right, zero, high, down, zero, zero, one)


def matrices(*entries):
    """Nine arrays (*shape) -> (*shape, 3, 3), row by row."""
    return np.stack(entries, axis=-1).reshape(*entries[0].shape, 3, 3)


def transform(x, maps):
    """Images float32 (..., h, w, 1) by maps (..., 3, 3) of a point in the new image to one in the old.

    Points are x, y, 1 in pixels from the middle. What comes from outside is paper, 0.
    """
    middle = (x.shape[-2] - 1) / 2
    there, back = np.eye(3), np.eye(3)
    there[:2, 2], back[:2, 2] = -middle, middle
    flat = (back @ maps @ there).reshape(-1, 9)[:, :8].astype(np.float32)
    moved = keras.ops.image.affine_transform(x.reshape(-1, *x.shape[-3:]), flat)
    return keras.ops.convert_to_numpy(moved).reshape(x.shape)
