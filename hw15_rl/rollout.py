"""Many episodes side by side: one policy call chooses for all environments, each then takes its step.

A policy is a function: observations float32 (environments, d) -> logits (environments, actions). The loop
over the environments is ours: it is faster than gymnasium's SyncVectorEnv and never resets silently.
The last observation of a trajectory is the one that was reached, never the first of the next episode.
"""

import time
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Trajectory:
    """Steps on end of one episode: n actions, n rewards and n + 1 observations, the last one included."""

    observations: list  # of float32 (d,)
    actions: list = field(default_factory=list)
    rewards: list = field(default_factory=list)
    terminated: bool = False  # over; otherwise a time limit, or the end of a rollout, came between

    @property
    def landed(self):
        return self.terminated and self.rewards[-1] > 0

    def step(self, environment, action):
        """Take a step; return whether the episode has ended."""
        observation, reward, self.terminated, truncated, _ = environment.step(action)
        self.observations.append(observation)
        self.actions.append(action)
        self.rewards.append(float(reward))
        return self.terminated or truncated


class Collector:
    """Environments that play on and on, with sampled actions.

    seconds is a dict, to which is added what choosing ("policy") and stepping ("environment") took.
    """

    def __init__(self, environments, seeds, seconds):
        self.environments, self.seconds = environments, seconds
        self.open = begin(environments, seeds)
        self.so_far = np.zeros(len(environments))  # the reward of each episode before its open trajectory
        self.returns, self.steps = [], 0  # of the episodes that have ended, and taken, since the last report

    def collect(self, policy, steps, rng):
        """Let every environment take `steps` steps; return the trajectories.

        Episodes that still run are cut; they go on in the next rollout, with a trajectory of their own.
        """
        closed = []
        with self.timing(policy) as policy:
            for _ in range(steps):
                seen = np.array([trajectory.observations[-1] for trajectory in self.open])
                for index, action in enumerate(sample(policy(seen), rng).tolist()):
                    if self.open[index].step(self.environments[index], action):
                        closed.append(self.open[index])
                        self.returns.append(self.so_far[index] + sum(self.open[index].rewards))
                        self.open[index] = Trajectory([self.environments[index].reset()[0]])
                        self.so_far[index] = 0.0
        running = [trajectory for trajectory in self.open if trajectory.actions]
        self.so_far += [sum(trajectory.rewards) for trajectory in self.open]
        self.open = [Trajectory([trajectory.observations[-1]]) for trajectory in self.open]
        self.steps += steps * len(self.environments)
        return closed + running

    def collect_whole(self, policy, rng):
        """Let every environment play one episode from its start to its end; return the trajectories."""
        with self.timing(policy) as policy:
            finish(self.environments, self.open, lambda seen: sample(policy(seen), rng))
            closed, self.open = self.open, begin(self.environments, [None] * len(self.environments))
        self.returns += [sum(trajectory.rewards) for trajectory in closed]
        self.steps += sum(len(trajectory.actions) for trajectory in closed)
        return closed

    def report(self):
        """The returns of the episodes that have ended since the last report, and the steps taken since."""
        returns, steps, self.returns, self.steps = self.returns, self.steps, [], 0
        return returns, steps

    @contextmanager
    def timing(self, policy):
        """Give the policy with a stopwatch; what the block took besides goes to the environment."""
        chosen = 0.0

        def timed_policy(seen):
            nonlocal chosen
            before = time.perf_counter()
            logits = policy(seen)
            chosen += time.perf_counter() - before
            return logits

        started = time.perf_counter()
        yield timed_policy
        self.seconds["policy"] += chosen
        self.seconds["environment"] += time.perf_counter() - started - chosen


def play(policy, environments, seeds):
    """Play one episode in each environment from its seed, always with the most probable action.

    Returns trajectories in the seeds' order. The same policy and seed give the same episode.
    """
    trajectories = begin(environments, seeds)
    finish(environments, trajectories, lambda seen: policy(seen).argmax(axis=1))
    return trajectories


def begin(environments, seeds):
    """Reset each environment; a seed of None lets its random numbers go on."""
    return [
        Trajectory([environment.reset(seed=None if seed is None else int(seed))[0]])
        for environment, seed in zip(environments, seeds)
    ]


def finish(environments, trajectories, choose):
    """Take steps in each environment until its episode has ended; choose(observations) -> actions."""
    running = list(range(len(trajectories)))
    while running:
        actions = choose(np.array([trajectories[index].observations[-1] for index in running])).tolist()
        running = [
            index
            for index, action in zip(running, actions)
            if not trajectories[index].step(environments[index], action)
        ]


def sample(logits, rng):
    """Draw an action from each row's softmax: the largest of the logits, each plus Gumbel noise."""
    return np.argmax(logits + rng.gumbel(size=logits.shape), axis=1)
