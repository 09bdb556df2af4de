"""The heart of the homework: how good was an action? Five answers, the rungs of a ladder.

Each function takes one trajectory, n steps on end of one episode, and gives each of its actions its credit:

    rewards   float (n,)
    values    float (n + 1,), what the value network expects from each observation on; values[n] is that of
              where the trajectory stopped, 0 if the episode terminated there. A time limit, or the end of a
              rollout, is no termination: what would have come is guessed by the value network (Pardo 2018)
    gamma     how much a reward is worth a step later
    returns   credits (n,), which multiply the gradient of each action's log-probability (updates.py), and
              targets (n,), what the value network should predict

Follows the lecture slides "Deep Reinforcement Learning" of ML 2020 Spring; papers are named below.
"""

import numpy as np


def whole_episode(rewards, values, gamma, gae_lambda):
    """REINFORCE as in the course's sample: every action gets all of its episode's reward, undiscounted.

    Williams 1992. What came before an action cannot be its merit, and is noise here.
    """
    credits = np.full(len(rewards), np.sum(rewards))
    return credits, credits


def reward_to_go(rewards, values, gamma, gae_lambda):
    """An action gets what comes after it, discounted: sum of gamma^k r[t+k] (Sutton et al. 2000)."""
    credits, ahead = np.zeros(len(rewards)), values[-1]
    for step in reversed(range(len(rewards))):
        credits[step] = ahead = rewards[step] + gamma * ahead
    return credits, credits


def minus_baseline(rewards, values, gamma, gae_lambda):
    """... less what the value network expected there anyway, which changes no mean and much variance."""
    returns, _ = reward_to_go(rewards, values, gamma, gae_lambda)
    return returns - values[:-1], returns


def n_step(rewards, values, gamma, gae_lambda, n=32):
    """... from n rewards and then the value network's word: less variance, some bias (Mnih et al. 2016)."""
    ahead, _ = reward_to_go(rewards, values, gamma, gae_lambda)
    ahead = np.append(ahead, values[-1])
    stop = np.minimum(np.arange(len(rewards)) + n, len(rewards))
    targets = ahead[:-1] + gamma**n * (values[stop] - ahead[stop])  # at the end the two are the same
    return targets - values[:-1], targets


def generalised_advantage(rewards, values, gamma, gae_lambda):
    """All n at once: the n-step credits' mean, weighted by gae_lambda^n (Schulman et al. 2016).

    gae_lambda 0 believes the value network after one step, 1 never: that is minus_baseline.
    """
    surprises = rewards + gamma * values[1:] - values[:-1]
    credits, ahead = np.zeros(len(rewards)), 0.0
    for step in reversed(range(len(rewards))):
        credits[step] = ahead = surprises[step] + gamma * gae_lambda * ahead
    return credits, credits + values[:-1]


def normalised(credits):
    """Mean 0 and deviation 1 over a rollout: half of the actions are encouraged, half discouraged."""
    return (credits - credits.mean()) / (credits.std() + 1e-8)
