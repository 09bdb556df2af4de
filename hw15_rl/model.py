"""The networks: what to do, and what to expect.

| part          | shapes, LunarLander-v3                                  | activation       |
|---------------|---------------------------------------------------------|------------------|
| policy        | (n, 8) -> (n, 64) -> (n, 64) -> logits (n, 4)           | tanh, tanh, none |
| value network | (n, 8) -> (n, 64) -> (n, 64) -> value (n, 1)            | tanh, tanh, none |

The two share nothing, so neither disturbs the other. The model is named for its environment: model.keras
knows what it was trained for.
"""

import re

from scaffold import BadInput

import keras
import numpy as np
from device import load_keras

UNITS = 64


def build_model(world, observations, actions):
    """world: the environment's name. Returns a model of float32 (n, observations) -> [logits, value].

    The policy starts out choosing evenly and the value network saying 0 (Andrychowicz et al. 2021).
    """
    inputs = keras.Input((observations,), name="observation")
    heads = []
    for name, outputs, gain in (("policy", actions, 0.01), ("value", 1, 0.0)):
        hidden = inputs
        for layer in (1, 2):
            hidden = keras.layers.Dense(
                UNITS,
                activation="tanh",
                kernel_initializer=keras.initializers.Orthogonal(2**0.5),
                name=f"{name}_hidden_{layer}",
            )(hidden)
        kernel = keras.initializers.Orthogonal(gain) if gain else "zeros"
        heads.append(keras.layers.Dense(outputs, kernel_initializer=kernel, name=name)(hidden))
    return keras.Model(inputs, heads, name=re.sub(r"[^\w.-]", ".", world))  # Keras allows no slash


def numpy_policy(model):
    """The policy half as a NumPy function, float32 (n, d) -> logits (n, actions).

    For a handful of observations at a time it takes a fraction of the time that a compiled call takes.
    """
    names = ("policy_hidden_1", "policy_hidden_2", "policy")
    (w1, b1), (w2, b2), (w3, b3) = (model.get_layer(name).get_weights() for name in names)

    def policy(observations):
        return np.tanh(np.tanh(observations @ w1 + b1) @ w2 + b2) @ w3 + b3

    return policy


def load_model(path, environment, name):
    """Read the model.keras of a training in this environment, made by make_world(name).

    Raises BadInput when it is missing, cut short, or of another environment or network.
    """
    model = load_keras(path)
    expected = build_model(name, environment.observation_space.shape[0], int(environment.action_space.n))
    if model.name != expected.name:
        raise BadInput(f"{path} was trained for {model.name}, expected {name}; run train.py again.")
    shapes, known = ([weight.shape for weight in m.weights] for m in (model, expected))
    if shapes != known:
        raise BadInput(f"{path} is another network than model.py builds; run train.py again.")
    return model
