"""From advantages to better weights: the losses, and all steps of an update in one compiled call.

loss = policy loss + value loss / 2 - entropy weight * entropy, each a mean over a minibatch; its gradient is
clipped to a norm of 0.5. Entropy keeps the policy from becoming deterministic early (Williams and Peng 1991);
its weight falls to 0 with the learning rate, for what is wanted at the end is the best action alone.
"""

import keras
import numpy as np
import tensorflow as tf
from returns import normalised

REWARD_SCALE = 0.01  # of the rewards that the value network learns: a landing is worth about 3, not 300


def policy_gradient_loss(log_probability, old_log_probability, advantages, clip):
    """Its gradient is the policy gradient: advantage times the gradient of log pi(a|s) (Williams 1992)."""
    return -tf.reduce_mean(log_probability * advantages)


def clipped_loss(log_probability, old_log_probability, advantages, clip):
    """PPO: nothing is gained by making an action more than 1 + clip times as likely as it was when it was
    chosen, or a bad one less than 1 - clip times. So one rollout bears several passes (Schulman et al. 2017).
    """
    ratio = tf.exp(log_probability - old_log_probability)
    within = tf.clip_by_value(ratio, 1.0 - clip, 1.0 + clip)
    return -tf.reduce_mean(tf.minimum(ratio * advantages, within * advantages))


class Learner:
    """A model, its optimiser and the compiled update.

    policy_loss is one of the two above; critic=False leaves the value network at the 0 that it begins with.
    """

    def __init__(self, model, policy_loss, critic, clip):
        self.model = model
        self.optimizer = keras.optimizers.Adam(epsilon=1e-5, global_clipnorm=0.5)
        self.weights = [w for w in model.trainable_weights if critic or not w.path.startswith("value")]
        self.optimizer.build(self.weights)

        def losses(observations, actions, old, advantages, targets):
            logits, values = model(observations)
            log_probabilities = tf.nn.log_softmax(logits)  # (n, actions)
            chosen = tf.gather(log_probabilities, actions, batch_dims=1)
            entropy = -tf.reduce_mean(tf.reduce_sum(tf.exp(log_probabilities) * log_probabilities, axis=1))
            value_loss = tf.reduce_mean(tf.square(values[:, 0] - targets))
            return policy_loss(chosen, old, advantages, clip), value_loss, entropy

        table = tf.TensorSpec((None, model.input_shape[1]), tf.float32)
        whole, real = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None,), tf.float32)
        minibatch_indices, scalar = tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((), tf.float32)

        @tf.function(input_signature=[table, whole, real, real, real, minibatch_indices, scalar])
        def minibatch_updates(observations, actions, old, advantages, targets, minibatches, entropy_weight):
            batch, sums = (observations, actions, old, advantages, targets), tf.zeros(3)
            for rows in minibatches:
                with tf.GradientTape() as tape:
                    policy, value, entropy = losses(*(tf.gather(array, rows) for array in batch))
                    loss = policy + 0.5 * critic * value - entropy_weight * entropy
                self.optimizer.apply(tape.gradient(loss, self.weights))
                sums += tf.stack([policy, value, entropy])
            return sums / tf.cast(tf.shape(minibatches)[0], tf.float32)

        @tf.function(input_signature=[table])
        def policy_and_value(observations):
            logits, values = model(observations)
            return tf.nn.log_softmax(logits), values[:, 0]

        self.minibatch_updates, self.policy_and_value = minibatch_updates, policy_and_value

    def batch(self, trajectories, advantage_of, gamma, gae_lambda):
        """The advantage of every action of a rollout, by a function of returns.py.

        Returns observations float32 (n, d), actions int32 (n,), float32 (n,) log-probabilities, advantages,
        normalised over the rollout, and targets of the value network.
        """
        seen = np.concatenate([trajectory.observations for trajectory in trajectories])
        log_probabilities, values = (array.numpy() for array in self.policy_and_value(seen))
        parts, start = [], 0
        for trajectory in trajectories:
            stop = start + len(trajectory.actions)  # where the trajectory's last observation is
            rewards = REWARD_SCALE * np.array(trajectory.rewards)
            expected = values[start : stop + 1].astype(np.float64)
            if trajectory.terminated:
                expected[-1] = 0.0
            actions = np.array(trajectory.actions, np.int32)
            old = log_probabilities[np.arange(start, stop), actions]
            advantages_and_targets = advantage_of(rewards, expected, gamma, gae_lambda)
            parts.append((seen[start:stop], actions, old, *advantages_and_targets))
            start = stop + 1
        observations, actions, old, advantages, targets = (np.concatenate(part) for part in zip(*parts))
        return (
            observations,
            actions,
            old,
            normalised(advantages).astype(np.float32),
            targets.astype(np.float32),
        )

    def update(self, batch, epochs, batch_size, learning_rate, entropy_weight, rng):
        """Go through the batch `epochs` times, shuffled. Returns policy loss, value loss and entropy.

        The last minibatch of an epoch is filled up with rows of its first.
        """
        size = len(batch[0])
        minibatches = -(-size // batch_size)
        rows = [np.resize(rng.permutation(size), minibatches * min(batch_size, size)) for _ in range(epochs)]
        self.optimizer.learning_rate = learning_rate
        minibatch_indices = np.concatenate(rows).reshape(epochs * minibatches, -1).astype(np.int32)
        weight = tf.constant(entropy_weight, tf.float32)
        return self.minibatch_updates(*batch, minibatch_indices, weight).numpy()

    def norms(self):
        """The length of each weight, to see that all are numbers."""
        return [np.linalg.norm(weight) for weight in self.model.get_weights()]
