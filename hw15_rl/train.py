"""Learn to land on the moon by policy gradients.

    python hw15_rl/train.py                         PPO, the top of the ladder, on LunarLander-v3
    python hw15_rl/train.py --synthetic             the same in a corridor of five places, in seconds
    python hw15_rl/train.py --method reinforce      the course's sample, the foot of the ladder
    python hw15_rl/train.py --resume                go on after the last finished update

The score is the mean return of 100 episodes that the saved model plays with its likeliest actions. The model
that is saved is the best of EVALUATIONS looks during training, on other episodes; it learns from others.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import gymnasium
import numpy as np
from checkpoint import restore, save
from environment import (
    CORRIDOR,
    FINAL_SEEDS,
    LANDER,
    SELECTION_SEEDS,
    TRAINING_SEEDS,
    BadInput,
    make_world,
    replacing,
    run,
)
from returns import generalised_advantage, minus_baseline, n_step, reward_to_go, whole_episode
from rollout import Players, play
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
EVALUATIONS = 20  # looks at the policy during a training, at most
LEAST_STEPS = 50_000  # between two of them
EVALUATION_EPISODES = 40  # of each look
FINAL_EPISODES = 100


@dataclass(frozen=True)
class Recipe:
    """What a --method is made of. It takes iterations * steps steps in all environments together."""

    credit: Callable  # of returns.py
    whole: bool = False  # the credit needs whole episodes: a rollout is one of each environment, not `steps`
    critic: bool = True  # there is a value network to train
    clipped: bool = False  # see updates.py
    epochs: int = 1  # passes over a rollout
    environments: int = 32
    steps: int = 2048
    iterations: int = 500
    batch_size: int = 128
    learning_rate: float = 0.001
    gamma: float = 0.99


# A whole episode's credit is too noisy for short cuts: one step of descent from all steps of a rollout.
MONTE_CARLO = Recipe(whole_episode, whole=True, environments=8, batch_size=100_000, learning_rate=0.005)
RECIPES = {
    "reinforce": replace(MONTE_CARLO, critic=False),
    "reward-to-go": replace(MONTE_CARLO, credit=reward_to_go, critic=False),
    "baseline": replace(MONTE_CARLO, credit=minus_baseline),
    "actor-critic": Recipe(n_step),
    "ppo": Recipe(
        generalised_advantage,
        clipped=True,
        epochs=4,
        steps=16_384,
        iterations=240,
        batch_size=512,
        gamma=0.999,
    ),
}
TRIAL = {"steps": 512, "iterations": 40, "environments": 64}  # what --synthetic changes in every recipe


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Learn to land on the moon by policy gradients.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--data-dir", type=Path, default=HERE / "data", help="not used: this world is simulated"
    )
    parser.add_argument("--out-dir", type=Path, default=HERE / "out", help="folder to write to")
    parser.add_argument("--synthetic", action="store_true", help=f"play {CORRIDOR}, for a trial in seconds")
    parser.add_argument("--seed", type=int, default=0, help="seed of the weights, episodes and actions")
    parser.add_argument(
        "--iterations",
        type=int,
        help="rollouts, of as many steps as the method's RECIPES say; None: the method's own",
    )
    parser.add_argument("--batch-size", type=int, help="steps in a minibatch; None: the method's own")
    parser.add_argument(
        "--learning-rate", type=float, help="at the start, it falls to 0; None: the method's own"
    )
    parser.add_argument("--method", choices=list(RECIPES), default="ppo", help="which rung of the ladder")
    parser.add_argument("--world", default=LANDER, help="an environment of gymnasium, by its name")
    parser.add_argument(
        "--environments", type=int, help="how many of it to play side by side; None: the method's own"
    )
    parser.add_argument("--gamma", type=float, help="worth of a reward a step later; None: the method's own")
    parser.add_argument(
        "--gae-lambda", type=float, default=0.98, help="ppo: 0 trusts the value network, 1 the rewards"
    )
    parser.add_argument("--entropy-weight", type=float, default=0.01, help="worth of undecided actions")
    parser.add_argument("--clip", type=float, default=0.2, help="ppo: how far an update may move a choice")
    parser.add_argument("--resume", action="store_true", help="go on after the last finished update")
    args = parser.parse_args(argv)
    if args.synthetic:
        args.world = CORRIDOR
    for name in ("iterations", "batch_size", "learning_rate", "environments", "gamma"):
        if getattr(args, name) is None:
            setattr(args, name, getattr(recipe(args), name))
    return args


def recipe(args):
    """The method's recipe, made small for --synthetic."""
    found = RECIPES[args.method]
    if args.synthetic:
        found = replace(found, **TRIAL)
    return found


def check(args):
    """Raise BadInput where a flag is out of range."""
    for wrong, sentence in [
        (args.data_dir.is_file(), f"--data-dir {args.data_dir}: expected a folder."),
        (args.seed < 0, f"--seed {args.seed}: expected 0 or more."),
        (args.iterations < 1, f"--iterations {args.iterations}: expected at least 1."),
        (args.batch_size < 1, f"--batch-size {args.batch_size}: expected at least 1."),
        (not 0 < args.learning_rate < np.inf, f"--learning-rate {args.learning_rate}: expected more than 0."),
        (not 1 <= args.environments <= 512, f"--environments {args.environments}: expected 1 to 512."),
        (not 0 <= args.gamma <= 1, f"--gamma {args.gamma}: expected 0 to 1."),
        (not 0 <= args.gae_lambda <= 1, f"--gae-lambda {args.gae_lambda}: expected 0 to 1."),
        (
            not 0 <= args.entropy_weight < np.inf,
            f"--entropy-weight {args.entropy_weight}: expected 0 or more.",
        ),
        (not 0 < args.clip < 1, f"--clip {args.clip}: expected more than 0 and less than 1."),
    ]:
        if wrong:
            raise BadInput(sentence)


def main(argv=None):
    args = parse_args(argv)
    check(args)
    world = make_world(args.world)
    args.out_dir.mkdir(parents=True, exist_ok=True)
    import keras  # here, with TensorFlow, so that --help and a wrong flag need not wait for it
    from model import build_model, load_model, numpy_policy
    from updates import Learner, clipped_loss, policy_gradient_loss

    keras.utils.set_random_seed(args.seed)
    observations, actions = world.observation_space.shape[0], int(world.action_space.n)
    print(
        f"world {args.world}, {observations} observations, {actions} actions, {args.environments} at a time"
    )

    chosen, model = recipe(args), build_model(args.world, observations, actions)
    policy_loss = clipped_loss if chosen.clipped else policy_gradient_loss
    learner = Learner(model, policy_loss, chosen.critic, args.clip, args.entropy_weight)
    print(f"model {args.method}, {model.count_params()} parameters, {args.iterations} iterations")
    print(f"writes to {args.out_dir}", flush=True)

    history, seconds = fit(args, chosen, learner)
    fitted, one_fit = time.perf_counter(), history.seconds.iloc[-1]

    best = numpy_policy(load_model(args.out_dir / "model.keras", world, args.world))
    score, landed = evaluate(best, [make_world(args.world) for _ in range(FINAL_EPISODES)], FINAL_SEEDS)
    metrics = {
        "metric": f"mean return of {FINAL_EPISODES} episodes",
        "score": score,
        "landed": landed,
        "steps": int(history.steps.iloc[-1]),
        "parameters": model.count_params(),
        "seconds": {"one_fit": one_fit, "all": one_fit + time.perf_counter() - fitted, **seconds},
        "versions": {
            "python": platform.python_version(),
            "keras": keras.__version__,
            "gymnasium": gymnasium.__version__,
        },
        "arguments": vars(args),
    }
    write(args.out_dir, history, metrics)
    print(f"{metrics['metric']} {score:.1f}   {args.out_dir / 'model.keras'}")
    return metrics


def fit(args, chosen, learner):
    """Train, with --resume from the last finished update on; write model.keras and checkpoint.npz meanwhile.

    Returns the history, a row an update, and the seconds that each part took. Raises BadInput when a loss or
    a weight is no number any more; the files are those of the update before.
    """
    from model import numpy_policy

    model_file, checkpoint = args.out_dir / "model.keras", args.out_dir / "checkpoint.npz"
    if not args.resume:
        checkpoint.unlink(missing_ok=True)
    progress = restore(checkpoint, args, learner)
    done, started = len(progress.rows), time.perf_counter() - progress.last("seconds")
    rng = np.random.default_rng([args.seed, done])
    seeds = rng.integers(TRAINING_SEEDS, 2**31, args.environments)
    players = Players([make_world(args.world) for _ in seeds], seeds, progress.seconds)
    judges = [make_world(args.world) for _ in range(EVALUATION_EPISODES)]
    steps_each = max(1, chosen.steps // args.environments)
    budget = args.iterations * steps_each * args.environments
    interval = max(LEAST_STEPS, budget // EVALUATIONS)
    bar = tqdm(initial=progress.last("steps"), total=budget, unit=" steps", disable=None)
    while progress.last("steps") < budget:
        policy = numpy_policy(learner.model)
        rollout = (
            players.collect_whole(policy, rng) if chosen.whole else players.collect(policy, steps_each, rng)
        )

        collected = time.perf_counter()
        batch = learner.batch(rollout, chosen.credit, args.gamma, args.gae_lambda)
        rate = args.learning_rate * (1 - progress.last("steps") / budget)
        losses = learner.improve(batch, chosen.epochs, args.batch_size, rate, rng)
        if not np.isfinite([*losses, *learner.norms()]).all():
            raise BadInput(
                f"update {len(progress.rows) + 1}: the loss is not a number, --learning-rate "
                f"{args.learning_rate} may be too large; {args.out_dir} holds what was before."
            )
        progress.seconds["update"] += time.perf_counter() - collected

        returns, steps = players.report()
        before, steps = progress.last("steps"), progress.last("steps") + steps
        looks = before == 0 or steps // interval > before // interval or steps >= budget
        if looks:
            looked = time.perf_counter()
            progress.evaluation, _ = evaluate(numpy_policy(learner.model), judges, SELECTION_SEEDS)
            if progress.evaluation >= progress.best:
                progress.best = progress.evaluation
                with replacing(model_file) as path:
                    learner.model.save(path)
            progress.seconds["evaluation"] += time.perf_counter() - looked

        progress.note(steps, returns, losses, time.perf_counter() - started)
        save(checkpoint, args, learner, progress)
        bar.update(steps - before)
        bar.set_description(f"return {progress.last('mean_return'):.0f}")
        if looks:
            tqdm.write(progress.line())
    return progress.history(), progress.seconds


def evaluate(policy, environments, first_seed):
    """Play a greedy episode in each environment; return their mean return and the share that landed."""
    trajectories = play(policy, environments, range(first_seed, first_seed + len(environments)))
    returns = [sum(trajectory.rewards) for trajectory in trajectories]
    return float(np.mean(returns)), float(np.mean([trajectory.landed for trajectory in trajectories]))


def plot_history(history):
    """The learning curve, as a figure: returns against steps of the environment."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(history.steps, history.mean_return, label="training, mean of the last 100 episodes")
    axes.plot(history.steps, history.evaluation, label=f"greedy, mean of {EVALUATION_EPISODES} episodes")
    axes.set(xlabel="steps of the environment", ylabel="return")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def write(out_dir, history, metrics):
    """Write history.csv, learning_curve.png and metrics.json; model.keras is there already."""
    with replacing(out_dir / "history.csv") as path:
        history.to_csv(path)
    with replacing(out_dir / "learning_curve.png") as path:
        plot_history(history).savefig(path)
    with replacing(out_dir / "metrics.json") as path:
        path.write_text(json.dumps(metrics, indent=2, default=str) + "\n")


if __name__ == "__main__":
    run(main)
