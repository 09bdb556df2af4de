"""Scheduled sampling (Bengio et al. 2015): how to wean the decoder from the right words.

With teacher forcing a decoder is always fed the right last word, and never learns what to do after a wrong
one of its own. Scheduled sampling tosses a coin for every word: the right one, or the model's own. The chance
of the right one falls during the training by one of these schedules, functions of how much of it is done, 0
to 1.
"""

import math

LEAST = 0.01  # what exponential ends at
STEEPNESS = 10.0  # of inverse-sigmoid

SCHEDULES = {
    "teacher": lambda done: 1.0,
    "linear": lambda done: 1.0 - done,
    "exponential": lambda done: LEAST**done,
    "inverse-sigmoid": lambda done: 1 / (1 + math.exp(STEEPNESS * (done - 0.5))),
    "none": lambda done: 0.0,
}
