"""The two networks, as functions of weights that may differ from task to task.

T tasks with n items each; every weight has the task first, so that all tasks are computed at once:

| sine                          | weights of a task       |
|-------------------------------|-------------------------|
| x (T, n, 1) -> ReLU (T, n, 40)| (1, 40), (40,)          |
| -> ReLU (T, n, 40)            | (40, 40), (40,)         |
| -> y (T, n, 1)                | (40, 1), (1,)           |

| omniglot, of F filters                          | weights of a task       |
|-------------------------------------------------|-------------------------|
| x (T, n, 28, 28, 1) -> block (T, n, 14, 14, F)  | (9, F), (F,), (F,)      |
| -> block (T, n, 7, 7, F)                        | (9 F, F), (F,), (F,)    |
| -> block (T, n, 4, 4, F)                        | (9 F, F), (F,), (F,)    |
| -> block (T, n, 2, 2, F)                        | (9 F, F), (F,), (F,)    |
| -> logits (T, n, ways)                          | (4 F, ways), (ways,)    |

A block is a 3x3 convolution of stride 2, batch statistics, scale and offset, ReLU (Finn et al. 2017, of 64
filters). The last two weights are the head, all others the body. Omniglot's head is no variable:
every task begins with one made anew, for as many ways as it has.
"""

import keras
import tensorflow as tf
from maml import replicate

UNITS = 40  # of a hidden layer of the sine network
BLOCKS = 4
FEATURES = 4  # of each filter, that are left after the blocks: 2 x 2
EPSILON = 1e-3  # added to a variance


@keras.saving.register_keras_serializable(package="hw13_meta")
class Learner(keras.Model):
    """A network, with the weights that every task begins from.

    task: "sine" or "omniglot"; ways: classes of an episode, unless another number is given, or 1 for sine;
    inner_rate: the learning rate of a step of adaptation, times a factor for each single weight, or for each
    feature of the head; adapts: "all", "head" or "nothing"; prototypes: what omniglot's head begins as, see
    initial(); filters: of omniglot's blocks; views: versions of each drawing that it is asked about, of which
    the first is the drawing itself; characters: the names of those that it learnt from.
    """

    def __init__(
        self,
        task,
        ways,
        inner_rate,
        adapts="all",
        prototypes=False,
        filters=32,
        views=1,
        characters=(),
        **keywords,
    ):
        super().__init__(**keywords)
        self.settings = {
            "task": task,
            "ways": ways,
            "inner_rate": inner_rate,
            "adapts": adapts,
            "prototypes": prototypes,
            "filters": filters,
            "views": views,
            "characters": list(characters),
        }
        self.task, self.ways, self.characters = task, ways, set(characters)
        self.prototypes, self.views, self.width = prototypes, views, FEATURES * filters
        self.start = [
            self.add_weight(shape=shape, initializer=initializer, name=name)
            for name, shape, initializer in weights_of(task, filters)
        ]
        shapes = {weight.name: weight.shape for weight in self.start}
        if task == "omniglot":
            shapes |= {"head_kernel": (self.width, 1), "head_bias": (1,)}
        self.factors = [
            self.add_weight(shape=shape, initializer="ones", name=f"{name}_factor")
            for name, shape in shapes.items()
        ]
        count = len(self.factors)
        first = {"all": 0, "head": count - 2, "nothing": count}[adapts]
        self.adapted = range(first, count)  # indices of the weights that a task adapts
        self.built = True

    def initial(self, start, support_x, support_y, ways):
        """The weights that tasks begin from, (T, ...): `start`, of the variables, and for omniglot a head.

        A head of zeros prefers no class: the first step makes each class's column from the features of its
        own drawings. With `prototypes` p, the means of each class's features, a query q gets the logits

            2 q.p - |p|^2 = |q|^2 - |q - p|^2

        so that the nearest prototype wins, before any adaptation.
        """
        tasks = support_x.shape[0]
        weights = replicate(start, tasks)
        if self.task == "sine":
            return weights
        if not self.prototypes:
            return [*weights, tf.zeros((tasks, self.width, ways)), tf.zeros((tasks, ways))]
        p = class_means(features(weights, support_x), support_y, ways)
        return [*weights, 2 * tf.linalg.matrix_transpose(p), -tf.reduce_sum(tf.square(p), axis=2)]

    def rates(self, factors):
        """The learning rates of a step of adaptation, which broadcast to the weights."""
        return [self.settings["inner_rate"] * factor for factor in factors]

    def get_config(self):
        return {"name": self.name, **self.settings}

    def forward(self, weights, x, support_size=None):
        """The outputs for T tasks with their own weights: x (T, n, ...) -> float32 (T, n, ways).

        support_size: see features().
        """
        if self.task == "sine":
            return wave_network(weights, x)
        kernel, bias = weights[-2:]
        return features(weights, x, support_size) @ kernel + bias[:, None]

    def call(self, x):
        """Before any adaptation: x (n, 1) -> y (n, 1), or drawings (n, 28, 28, 1) -> their features."""
        network = wave_network if self.task == "sine" else features
        return network([weight[None] for weight in self.start], x[None])[0]


def wave_network(weights, x):
    """x (T, n, 1) -> y (T, n, 1), by three layers with weights of their own for each task."""
    for layer in range(3):
        kernel, bias = weights[2 * layer : 2 * layer + 2]
        x = x @ kernel + bias[:, None]
        x = tf.nn.relu(x) if layer < 2 else x
    return x


def features(weights, x, support_size=None):
    """Drawings (T, n, 28, 28, 1) -> what the blocks make of them, (T, n, FEATURES * F).

    The batch statistics of a task are those of its first `support_size` items; None: of all n.
    """
    tasks, items, side = x.shape[0], x.shape[1], x.shape[2]
    x = tf.reshape(x, (tasks * items, side, side, 1))
    for block in range(BLOCKS):
        kernel, scale, offset = weights[3 * block : 3 * block + 3]
        x = patches(x)  # (T n, s, s, 9 C)
        side = x.shape[1]
        x = tf.reshape(x, (tasks, items * side * side, x.shape[-1])) @ kernel  # (T, n s s, F)
        counted = x[:, : support_size * side * side] if support_size else x
        # Not tf.nn.moments: it stops a gradient, which is right for the first derivative alone.
        mean = tf.reduce_mean(counted, axis=1, keepdims=True)
        variance = tf.reduce_mean(tf.square(counted - mean), axis=1, keepdims=True)
        x = (x - mean) * tf.math.rsqrt(variance + EPSILON) * scale[:, None] + offset[:, None]
        x = tf.reshape(tf.nn.relu(x), (tasks * items, side, side, x.shape[-1]))
    return tf.reshape(x, (tasks, items, -1))


def class_means(support, y, ways):
    """The prototypes: support (T, n, d), y int (T, n) -> (T, ways, d). Snell, Swersky, Zemel 2017."""
    members = tf.one_hot(y, ways, axis=1, dtype=support.dtype)  # (T, ways, n)
    return members @ support / tf.reduce_sum(members, axis=2, keepdims=True)


def weights_of(task, filters):
    """Name, shape and initialiser of each variable."""
    if task == "sine":
        shapes = [(1, UNITS), (UNITS,), (UNITS, UNITS), (UNITS,), (UNITS, 1), (1,)]
        return [
            (f"layer_{i // 2}_{'bias' if i % 2 else 'kernel'}", shape, "zeros" if i % 2 else "glorot_uniform")
            for i, shape in enumerate(shapes)
        ]
    rows = []
    for block in range(BLOCKS):
        rows.append((f"block_{block}_kernel", (9 * (filters if block else 1), filters), "he_normal"))
        rows.append((f"block_{block}_scale", (filters,), "ones"))
        rows.append((f"block_{block}_offset", (filters,), "zeros"))
    return rows


def patches(x):
    """What a 3x3 convolution of stride 2 sees: (N, side, side, C) -> (N, s, s, 9 C), s = ceil(side / 2).

    With the patches laid out, a convolution whose kernels differ by task is one product of matrices.
    """
    side = x.shape[1]
    half = (side + 1) // 2
    margin = (side % 2, 1)  # zeros before and after, as padding="same" has them
    x = tf.pad(x, [(0, 0), margin, margin, (0, 0)])
    ends = 2 * half - 1
    return tf.concat([x[:, i : i + ends : 2, j : j + ends : 2] for i in range(3) for j in range(3)], axis=-1)
