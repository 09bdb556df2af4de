"""Answer the report questions of homework 15: every table and figure of README.md.

    python hw15_rl/report.py                 on LunarLander-v3, into results/: about an hour
    python hw15_rl/report.py --synthetic     in the corridor, into out/results/

How far does each rung of the ladder come in the same number of steps, what do three hyper-parameters change,
what does the default reach, and where does the time go? A row is train.main() run with some seeds. Trainings
are kept, so an interrupted report goes on. Remove <out-dir>/report to measure all anew.
"""

import time

from scaffold import Parser, replacing, run

from device import start_keras
from records import publish, read_metrics


def parse_args(argv=None):
    parser = Parser(__doc__, "report", "not used: this world is simulated", epochs="iterations")
    parser.set_defaults(seeds=3)
    return parser.parse(argv)


if __name__ == "__main__":  # --help and wrong flags need not wait for the imports below
    run(parse_args)
    run(lambda: start_keras(tensorflow=True))

import numpy as np
import pandas as pd
import predict
import train
from environment import CORRIDOR, FINAL_SEEDS, LANDER, make_world
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from matplotlib.figure import Figure
from model import build_model, numpy_policy
from rollout import Collector
from training import FINAL_EPISODES

STEPS = 500_000  # of each training but the default's
SOLVED = 200.0  # a mean return of 100 episodes
VARIED = {"gamma": (0.9, 0.99), "entropy-weight": (0.0, 0.1), "learning-rate": (0.0001, 0.01)}


def main(argv=None):
    args = parse_args(argv)
    results = args.results
    results.mkdir(parents=True, exist_ok=True)
    common = ["--data-dir", str(args.data_dir), *["--synthetic"] * args.synthetic]
    rows, curves = [], {}

    def trained(table, row, flags, steps=None):
        """Add a row: train.main() with these flags, for so many steps. Return the runs' folders."""
        flags = flags.split()
        rollout = train.recipe(train.parse_args([*common, *flags])).steps
        if args.iterations or steps:
            flags += ["--iterations", str(args.iterations or steps // rollout)]
        names = [" ".join([table, *flags, str(seed)]).replace(" ", "_") for seed in range(args.seeds)]
        folders = [args.trainings / name for name in names]
        runs = [
            train.main([*common, *flags, "--seed", str(seed), "--out-dir", str(folder), "--resume"])
            for seed, folder in enumerate(folders)
        ]
        curves[row] = [pd.read_csv(folder / "history.csv") for folder in folders]
        rows.append([table, row, *summary(runs, curves[row])])
        return folders

    defaults = trained("default", "ppo, the default", "")
    for method in train.RECIPES:
        trained("ladder", method, f"--method {method}", STEPS)
    for flag, values in VARIED.items():
        for value in values:
            trained("hyper-parameters", f"{flag} {value:g}", f"--{flag} {value}", STEPS)
    rows += [["speed", *row] for row in speed(CORRIDOR if args.synthetic else LANDER, defaults)]

    free, best = ceiling(CORRIDOR if args.synthetic else LANDER, FINAL_EPISODES)
    rows.append(["ceiling", "a landing without fuel", f"{free:.1f}", *[""] * 6])
    rows.append(["ceiling", "with the least fuel", f"{best:.1f}", *[""] * 6])

    plot_curves([{method: curves[method] for method in train.RECIPES}], results / "ladder.png", best)
    plot_curves([{"ppo, the default": curves["ppo, the default"]}], results / "default.png", best)
    panels = [
        {"ppo": curves["ppo"], **{f"{flag} {value:g}": curves[f"{flag} {value:g}"] for value in values}}
        for flag, values in VARIED.items()
    ]
    plot_curves(panels, results / "hyper-parameters.png", best)
    predict.main([*common, "--out-dir", str(defaults[0])])
    for name in ("landing.gif", "flight.png"):
        with replacing(results / name) as path:
            path.write_bytes((defaults[0] / name).read_bytes())

    columns = [
        "table",
        "row",
        "value",
        "by_seed",
        "landed",
        "sampled",
        "steps_to_200",
        "seconds_to_200",
        "seconds",
    ]
    publish(results, pd.DataFrame(rows, columns=columns), mean_metrics(defaults))


def ceiling(name, episodes, rounds=200):
    """What the best of flights would get, the mean of the final episodes: without fuel, and with the least.

    The rewards for coming nearer, slower and more upright add up to how much the last observation is better
    than the first, by gymnasium's formula; 100 for coming to rest and 20 for two legs come on top. The least
    fuel is that of a fall straight down with the main engine from the latest moment on, which has to take
    away v when h above the ground:

        v0^2 + 2 g (H - h) = v^2 = 2 (a - g) h,    so    h = (v0^2 + 2 g H) / 2a,    and burns for v / (a - g)

    g and a are what an idle and a burning step did, the mean of some. In the corridor no step costs fuel, and
    from position p the best return is p + 97.
    """
    world = make_world(name)
    if name == CORRIDOR:
        positions = [world.reset(seed=FINAL_SEEDS + i)[0].argmax() for i in range(episodes)]
        return (float(np.mean(positions) + 97),) * 2
    rate, unit = world.metadata["render_fps"], 20 / 3  # steps a second, and metres of y = 1

    def gained(seed, action):
        before = world.reset(seed=seed)[0]
        return (world.step(action)[0] - before)[3] * rate**2 / unit

    falls, burns = (np.mean([gained(seed, action) for seed in range(rounds)]) for action in (0, 2))
    x, y, vx, vy, angle = np.array([world.reset(seed=FINAL_SEEDS + i)[0][:5] for i in range(episodes)]).T
    free = 120 + 100 * (np.hypot(x, y) + np.hypot(vx, vy) + np.abs(angle))
    height = ((vy * rate / unit) ** 2 - 2 * falls * y * unit) / (2 * (burns - falls))
    burning = np.sqrt(2 * burns * height) / burns  # seconds; burns is a - g
    return float(free.mean()), float((free - 0.3 * rate * burning).mean())


def summary(runs, histories):
    """What stands in a row: means over the seeds, and returns seed by seed.

    sampled is the mean return of the last 100 training episodes. Steps and seconds to 200 count until that is
    200: the median over the seeds, or "never" if most seeds do not get there.
    """
    first = [history[(history.mean_return >= SOLVED) & (history.episodes >= 100)] for history in histories]
    steps, seconds = (
        np.median([found[column].iloc[0] if len(found) else np.inf for found in first])
        for column in ("steps", "seconds")
    )
    scores = [run["score"] for run in runs]
    return [
        f"{np.mean(scores):.1f}",
        " / ".join(f"{score:.1f}" for score in scores),
        f"{np.mean([run['landed'] for run in runs]):.0%}",
        " / ".join(f"{history.mean_return.iloc[-1]:.0f}" for history in histories),
        f"{steps:,.0f}" if np.isfinite(steps) else "never",
        f"{seconds:.0f}" if np.isfinite(seconds) else "never",
        f"{np.mean([run['seconds']['one_fit'] for run in runs]):.0f}",
    ]


def mean_metrics(runs):
    """The metrics of some runs' folders: the mean of their scores, and what else the first of them has."""
    metrics = [read_metrics(run) for run in runs]
    mean = {name: float(np.mean([found[name] for found in metrics])) for name in ("score", "landed")}
    return {**metrics[0], **mean, "score_by_seed": [found["score"] for found in metrics]}


def speed(name, runs, count=32, steps=300, rounds=5):
    """Yield rows with steps a second: of the environment, with the policy, and in the runs' trainings.

    The first three in turn, the median of some rounds; the last row is the trainings' time for choosing and
    learning, in parts of what the environment took.
    """
    rng, worlds = np.random.default_rng(0), [make_world(name) for _ in range(count)]
    size, actions = worlds[0].observation_space.shape[0], int(worlds[0].action_space.n)
    policy = numpy_policy(build_model(name, size, actions))
    collector = Collector(worlds, range(count), {"policy": 0.0, "environment": 0.0})
    vector = SyncVectorEnv([lambda: make_world(name)] * count, autoreset_mode=AutoresetMode.SAME_STEP)
    vector.reset(seed=0)

    def alone():
        for _ in range(steps):
            for world, action in zip(worlds, rng.integers(0, actions, count).tolist()):
                _, _, terminated, truncated, _ = world.step(action)
                if terminated or truncated:
                    world.reset()

    runners = {
        "the environments alone": alone,
        "the same in gymnasium's SyncVectorEnv": lambda: [
            vector.step(rng.integers(0, actions, count)) for _ in range(steps)
        ],
        "the environments with the policy": lambda: collector.collect(policy, steps, rng),
    }
    times = {row: [] for row in runners}
    for _ in range(rounds):
        for row, runner in runners.items():
            started = time.perf_counter()
            runner()
            times[row].append(time.perf_counter() - started)
    for row, seconds in times.items():
        yield [row, f"{count * steps / np.median(seconds):,.0f}", *[""] * 6]
    metrics = [read_metrics(run) for run in runs]
    environment, policy, update, fit = (
        np.sum([found["seconds"][part] for found in metrics])
        for part in ("environment", "policy", "update", "one_fit")
    )
    yield ["a training of the default", f"{np.sum([m['steps'] for m in metrics]) / fit:,.0f}", *[""] * 6]
    yield ["policy's and update's share", f"{(policy + update) / environment:.2f}", *[""] * 6]


def plot_curves(panels, path, best):
    """A panel for each {label: histories}: the mean of the seeds' training curves, and from worst to best.

    best: the ceiling.
    """
    figure = Figure(figsize=(max(7, 4 * len(panels)), 4), layout="constrained")
    for axes, curves in zip(figure.subplots(1, len(panels), squeeze=False, sharey=True)[0], panels):
        for label, histories in curves.items():
            last = min(history.steps.iloc[-1] for history in histories)
            steps = np.linspace(0, last, 200)[1:]
            returns = [np.interp(steps, history.steps, history.mean_return) for history in histories]
            (line,) = axes.plot(steps / 1e6, np.mean(returns, axis=0), label=label)
            bounds = np.min(returns, axis=0), np.max(returns, axis=0)
            axes.fill_between(steps / 1e6, *bounds, color=line.get_color(), alpha=0.2, linewidth=0)
        axes.axhline(SOLVED, color="grey", linewidth=1, label="solved")
        axes.axhline(best, color="black", linewidth=1, linestyle="--", label="ceiling")
        axes.set(xlabel="million steps")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.axes[0].set_ylabel("mean return of the last 100 training episodes")
    with replacing(path) as temporary:
        figure.savefig(temporary)


if __name__ == "__main__":
    run(main)
