"""The heart of the homework: advantages, how good an action was, by five estimators.

Each function takes one trajectory, n steps on end of one episode, and returns each action's advantage:

    rewards   float (n,)
    values    float (n + 1,), what the value network expects from each observation on; values[n] is that of
              where the trajectory stopped, 0 if the episode terminated there. A time limit, or the end of a
              rollout, is no termination: what would have come is estimated by the value network (Pardo 2018)
    gamma     discount factor of a reward, a step
    returns   advantages (n,), which multiply the gradient of each action's log-probability (updates.py), and
              targets (n,), what the value network should predict

Follows the lecture slides "Deep Reinforcement Learning" of ML 2020 Spring; papers are named below.
"""

import numpy as np


def whole_episode(rewards, values, gamma, gae_lambda):
    """REINFORCE as in the course's sample: every action gets all of its episode's reward, undiscounted.

    Williams 1992. Rewards before an action do not depend on it, and only add variance.
    """
    advantages = np.full(len(rewards), np.sum(rewards))
    return advantages, advantages


def reward_to_go(rewards, values, gamma, gae_lambda):
    """An action gets the discounted rewards after it (Sutton et al. 2000).

    R_t = r_t + gamma R_(t+1), and R_T = V(s_T) where the episode was cut off
    """
    advantages, total = np.zeros(len(rewards)), values[-1]
    for step in reversed(range(len(rewards))):
        advantages[step] = total = rewards[step] + gamma * total
    return advantages, advantages


def minus_baseline(rewards, values, gamma, gae_lambda):
    """... less the value network's estimate, which lowers the variance: A_t = R_t - V(s_t)."""
    returns, _ = reward_to_go(rewards, values, gamma, gae_lambda)
    return returns - values[:-1], returns


def n_step(rewards, values, gamma, gae_lambda, n=32):
    """... from n rewards and then the value network's estimate: less variance, some bias (Mnih et al. 2016).

    A_t = r_t + gamma r_(t+1) + ... + gamma^(n-1) r_(t+n-1) + gamma^n V(s_(t+n)) - V(s_t)
    """
    returns, _ = reward_to_go(rewards, values, gamma, gae_lambda)
    returns = np.append(returns, values[-1])
    stop = np.minimum(np.arange(len(rewards)) + n, len(rewards))
    targets = returns[:-1] + gamma**n * (values[stop] - returns[stop])  # at the end the two are the same
    return targets - values[:-1], targets


def generalised_advantage(rewards, values, gamma, gae_lambda):
    """All n at once: the n-step advantages' mean, weighted by gae_lambda^n (Schulman et al. 2016).

    delta_t = r_t + gamma V(s_(t+1)) - V(s_t)        A_t = delta_t + gamma lambda A_(t+1)

    With lambda 0 it is the n-step advantage for n = 1, with lambda 1 it is minus_baseline's.
    """
    td_errors = rewards + gamma * values[1:] - values[:-1]
    advantages, total = np.zeros(len(rewards)), 0.0
    for step in reversed(range(len(rewards))):
        advantages[step] = total = td_errors[step] + gamma * gae_lambda * total
    return advantages, advantages + values[:-1]


def normalised(advantages):
    """Mean 0, deviation 1 over a rollout: what is above the mean is encouraged, the rest discouraged."""
    return (advantages - advantages.mean()) / (advantages.std() + 1e-8)
