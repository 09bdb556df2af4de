"""Learn to land on the moon by policy gradients.

    python hw15_rl/train.py                         PPO, the top of the ladder, on LunarLander-v3
    python hw15_rl/train.py --synthetic             the same in a corridor of five positions, in seconds
    python hw15_rl/train.py --method reinforce      the course's sample, the foot of the ladder
    python hw15_rl/train.py --resume                go on after the last finished update

The score is the mean return of 200 episodes that the saved model plays with its most probable actions. The
model that is saved is the best of up to 21 evaluations on other episodes: one after the first update, the
others at least 50,000 steps apart. It learns from others again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from scaffold import Parser, head, integer, number, run, share

import gymnasium
from device import start_keras
from environment import CORRIDOR, LANDER, make_world
from records import claim, learning_curve, record, set_aside
from returns import generalised_advantage, minus_baseline, n_step, reward_to_go, whole_episode


@dataclass(frozen=True)
class Recipe:
    """What a --method is made of. It takes iterations * steps steps in all environments together."""

    advantage_of: Callable  # of returns.py
    whole: bool = False  # the advantage needs whole episodes: a rollout is one of each environment
    critic: bool = True  # there is a value network to train
    clipped: bool = False  # see updates.py
    epochs: int = 1  # passes over a rollout
    environments: int = 32
    steps: int = 2048
    iterations: int = 500
    batch_size: int = 128
    learning_rate: float = 0.001
    gamma: float = 0.99


# A whole episode's return is too noisy for short cuts: one step of descent from all steps of a rollout.
MONTE_CARLO = Recipe(whole_episode, whole=True, environments=8, batch_size=100_000, learning_rate=0.005)
RECIPES = {
    "reinforce": replace(MONTE_CARLO, critic=False),
    "reward-to-go": replace(MONTE_CARLO, advantage_of=reward_to_go, critic=False),
    "baseline": replace(MONTE_CARLO, advantage_of=minus_baseline),
    "actor-critic": Recipe(n_step),
    "ppo": Recipe(
        generalised_advantage,
        clipped=True,
        epochs=4,
        steps=16_384,
        iterations=720,
        batch_size=512,
        gamma=0.999,
    ),
}
TRIAL = {"steps": 512, "iterations": 40, "environments": 64}  # what --synthetic changes in every recipe


def parse_args(argv=None):
    parser = Parser(__doc__, "train", "not used: this world is simulated", epochs="iterations", resume=True)
    parser.add_argument("--method", choices=list(RECIPES), default="ppo", help="which method, see the README")
    parser.add_argument("--world", default=LANDER, help="an environment of gymnasium, by its name")
    parser.add_argument("--environments", type=integer(1, 512), help="how many of it to play side by side")
    parser.add_argument("--gamma", type=share(), help="discount factor")
    parser.add_argument("--gae-lambda", type=share(), default=0.98, help="ppo: lambda of GAE")
    parser.add_argument(
        "--entropy-weight",
        type=number(float, 0, 1e6),
        default=0.01,
        help="weight of the entropy bonus at first; it falls to 0",
    )
    parser.add_argument(
        "--clip", type=number(float, 0, 1, exclusive=True), default=0.2, help="ppo: clip range epsilon"
    )
    args = parser.parse(argv, recipe)
    if args.method != "ppo":
        parser.unused("--gae-lambda", "--clip", by=f"--method {args.method}")
    if args.method == "reinforce":
        parser.unused("--gamma", by="--method reinforce")
    if args.synthetic:
        parser.unused("--world", by="--synthetic")
        args.world = CORRIDOR
    return args


def recipe(args):
    """The method's recipe, made small for --synthetic."""
    chosen = RECIPES[args.method]
    return replace(chosen, **TRIAL) if args.synthetic else chosen


def main(argv=None):
    args = parse_args(argv)
    world, chosen = make_world(args.world), recipe(args)
    claim(args)
    device = start_keras(args.seed, tensorflow=True)
    from training import EVALUATION_EPISODES, FINAL_EPISODES, build_learner, final_score, fit

    learner = build_learner(args, chosen, world)
    parameters = learner.model.count_params()
    head(
        args,
        f"{args.world}, {world.observation_space.shape[0]} observations, {world.action_space.n} actions",
        f"{args.method}, {parameters} parameters, on {device}",
    )

    set_aside(args, "model.keras")
    history, seconds = fit(args, chosen, learner)
    fitted, one_fit = time.perf_counter(), history.seconds.iloc[-1]
    score, landed = final_score(args, world)
    metrics = {
        "metric": f"mean return of {FINAL_EPISODES} episodes",
        "score": score,
        "landed": landed,
        "steps": int(history.steps.iloc[-1]),
        "parameters": parameters,
        "seconds": {"one_fit": one_fit, "all": one_fit + time.perf_counter() - fitted, **seconds},
        "gymnasium": gymnasium.__version__,
    }
    lines = {
        "mean_return": "training, mean of the last 100 episodes",
        "evaluation": f"greedy, mean of {EVALUATION_EPISODES} episodes",
    }
    evaluated = history.evaluation.where(history.evaluation.diff() != 0)  # a point where it was measured
    figure = learning_curve(history.assign(evaluation=evaluated).set_index("steps"), {"return": lines})
    return record(args, metrics, {"model.keras": None, "history.csv": history, "learning_curve.png": figure})


if __name__ == "__main__":
    run(main)
