"""The training loop: rollouts, updates, evaluations of the greedy policy, and what --resume goes on from.

checkpoint.npz does not hold the state of running episodes: a resumed training begins new ones, with other
seeds.
"""

import time
from dataclasses import dataclass, field

from scaffold import BadInput, replacing

import numpy as np
import pandas as pd
from checkpoint import Checkpoint
from environment import FINAL_SEEDS, SELECTION_SEEDS, TRAINING_SEEDS, make_world
from model import build_model, load_model, numpy_policy
from rollout import Collector, play
from tqdm import tqdm
from updates import Learner, clipped_loss, policy_gradient_loss

EVALUATIONS = 20  # of the policy during a training, beside the first
LEAST_STEPS = 50_000  # between two of them
EVALUATION_EPISODES = 40  # of each evaluation
FINAL_EPISODES = 200


@dataclass
class Progress:
    """How far a training has come, beside its weights."""

    rows: list = field(default_factory=list)  # a dict an update
    returns: list = field(default_factory=list)  # of the last 100 episodes
    evaluation: float = 0.0  # the last
    best: float = -np.inf  # the best, which model.keras is of
    seconds: dict = field(
        default_factory=lambda: {"environment": 0.0, "policy": 0.0, "update": 0.0, "evaluation": 0.0}
    )

    def note(self, steps, returns, losses, seconds):
        """Add a row for an update: steps and seconds since the start, returns of the episodes just ended."""
        self.returns = [*self.returns, *returns][-100:]
        policy_loss, value_loss, entropy = (float(loss) for loss in losses)
        self.rows.append(
            {
                "steps": steps,
                "episodes": self.last("episodes") + len(returns),
                "mean_return": float(np.mean(self.returns)) if self.returns else np.nan,
                "evaluation": self.evaluation,
                "policy_loss": policy_loss,
                "value_loss": value_loss,
                "entropy": entropy,
                "seconds": seconds,
            }
        )

    def last(self, name):
        return self.rows[-1][name] if self.rows else 0

    def line(self):
        return (
            f"update {len(self.rows)}, {self.last('steps'):,} steps: return of the last 100 episodes "
            f"{self.last('mean_return'):.1f}, greedy {self.evaluation:.1f}"
        )

    def history(self):
        """The rows as a DataFrame."""
        return pd.DataFrame(self.rows, index=pd.RangeIndex(1, len(self.rows) + 1, name="update"))


def variables(learner):
    return [*learner.model.weights, *learner.optimizer.variables]


def build_learner(args, chosen, world):
    """The untrained networks and their update, as the flags and the method's recipe ask for."""
    model = build_model(args.world, world.observation_space.shape[0], int(world.action_space.n))
    policy_loss = clipped_loss if chosen.clipped else policy_gradient_loss
    return Learner(model, policy_loss, chosen.critic, args.clip)


def fit(args, chosen, learner):
    """Train, with --resume from the last finished update on; write model.keras and checkpoint.npz meanwhile.

    Returns the history, a row an update, and the seconds that each part took. Raises BadInput when a loss or
    a weight is no number any more; the files are those of the update before.
    """
    model_file, checkpoint = args.out_dir / "model.keras", Checkpoint(args)
    if args.resume:
        checkpoint.restore(variables(learner))
    progress = Progress(checkpoint.rows, **checkpoint.state)
    done, started = len(progress.rows), time.perf_counter() - progress.last("seconds")
    rng = np.random.default_rng([args.seed, done])
    seeds = rng.integers(TRAINING_SEEDS, 2**31, args.environments)
    collector = Collector([make_world(args.world) for _ in seeds], seeds, progress.seconds)
    selection_worlds = [make_world(args.world) for _ in range(EVALUATION_EPISODES)]
    steps_each = max(1, chosen.steps // args.environments)
    budget = args.iterations * steps_each * args.environments
    interval = max(LEAST_STEPS, budget // EVALUATIONS)
    bar = tqdm(initial=progress.last("steps"), total=budget, unit=" steps", ncols=80, disable=None)
    while progress.last("steps") < budget:
        policy = numpy_policy(learner.model)
        if chosen.whole:
            rollout = collector.collect_whole(policy, rng)
        else:
            rollout = collector.collect(policy, steps_each, rng)

        collected = time.perf_counter()
        batch = learner.batch(rollout, chosen.advantage_of, args.gamma, args.gae_lambda)
        left = 1 - progress.last("steps") / budget
        rate, entropy_weight = args.learning_rate * left, args.entropy_weight * left
        losses = learner.update(batch, chosen.epochs, args.batch_size, rate, entropy_weight, rng)
        if not np.isfinite([*losses, *learner.norms()]).all():
            raise BadInput(
                f"update {len(progress.rows) + 1}: the loss is not a number, --learning-rate "
                f"{args.learning_rate} may be too large; {args.out_dir} holds what was before."
            )
        progress.seconds["update"] += time.perf_counter() - collected

        returns, steps = collector.report()
        before, steps = progress.last("steps"), progress.last("steps") + steps
        due = before == 0 or steps // interval > before // interval or steps >= budget
        if due:
            evaluation_started = time.perf_counter()
            progress.evaluation, _ = evaluate(numpy_policy(learner.model), selection_worlds, SELECTION_SEEDS)
            if progress.evaluation >= progress.best:
                progress.best = progress.evaluation
                with replacing(model_file) as path:
                    learner.model.save(path)
            progress.seconds["evaluation"] += time.perf_counter() - evaluation_started

        progress.note(steps, returns, losses, time.perf_counter() - started)
        checkpoint.state = {name: value for name, value in vars(progress).items() if name != "rows"}
        checkpoint.save(variables(learner))
        bar.update(steps - before)
        bar.set_description(f"return {progress.last('mean_return'):.0f}")
        if due:
            tqdm.write(progress.line())
    return progress.history(), progress.seconds


def evaluate(policy, environments, first_seed):
    """Play a greedy episode in each environment; return their mean return and the share that landed."""
    trajectories = play(policy, environments, range(first_seed, first_seed + len(environments)))
    returns = [sum(trajectory.rewards) for trajectory in trajectories]
    return float(np.mean(returns)), float(np.mean([trajectory.landed for trajectory in trajectories]))


def final_score(args, world):
    """The saved model's mean return of FINAL_EPISODES greedy episodes, and the share that landed."""
    best = numpy_policy(load_model(args.out_dir / "model.keras", world, args.world))
    return evaluate(best, [make_world(args.world) for _ in range(FINAL_EPISODES)], FINAL_SEEDS)
