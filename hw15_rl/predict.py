"""Land on the moon with the model that train.py saved, and draw how.

    python hw15_rl/predict.py                  200 landings, with the most probable action at every step
    python hw15_rl/predict.py --episode 17     draw this one of them, of the episodes 0 to 199
    python hw15_rl/predict.py --synthetic      the same in the corridor of train.py --synthetic

Written to <out-dir>: episodes.csv, a row an episode with seed,return,length,landed; one episode as
landing.gif, an untrained agent's beside it, and as flight.png its position, angle and engines.
"""

from scaffold import BadInput, Parser, integer, replacing, run

import numpy as np
import pandas as pd
from device import start_keras
from environment import ACTIONS, FINAL_SEEDS, LANDER, PANELS, draw, make_world
from matplotlib.figure import Figure
from PIL import Image
from records import trained
from rollout import play

FRAMES_A_SECOND = 12  # of landing.gif
NAMED = 10  # episodes that did not end well, at most


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "not used: this world is simulated")
    parser.add_argument("--episodes", type=integer(1, 10_000), default=200, help="with the seeds 0, 1, ...")
    parser.add_argument("--episode", type=integer(0, 9999), default=0, help="which of them is drawn")
    args = parser.parse(argv)
    if args.episode >= args.episodes:
        parser.error(f"--episode {args.episode}: expected 0 to {args.episodes - 1}, as --episodes says")
    return args


def main(argv=None):
    args = parse_args(argv)
    name = trained(args, "model.keras")["arguments"].get("world")
    if not isinstance(name, str):
        raise BadInput(f"{args.out_dir / 'metrics.json'} is not of this chapter; run train.py again.")
    world = make_world(name)
    start_keras(seed=0, tensorflow=True)
    from model import build_model, load_model, numpy_policy  # with TensorFlow, for which --help need not wait

    model = load_model(args.out_dir / "model.keras", world, name)
    untrained = build_model(name, world.observation_space.shape[0], int(world.action_space.n))
    seeds = range(FINAL_SEEDS, FINAL_SEEDS + args.episodes)
    print(f"world {name}, {args.episodes} episodes")

    rollouts = play(numpy_policy(model), [make_world(name) for _ in seeds], seeds)
    episodes = pd.DataFrame(
        {
            "seed": seeds,
            "return": [sum(rollout.rewards) for rollout in rollouts],
            "length": [len(rollout.actions) for rollout in rollouts],
            "landed": [int(rollout.landed) for rollout in rollouts],
        }
    )
    with replacing(args.out_dir / "episodes.csv") as path:
        episodes.to_csv(path, index=False)
    rate, seed = world.metadata.get("render_fps", 30), seeds[args.episode]
    rollout, (other,) = rollouts[args.episode], play(numpy_policy(untrained), [make_world(name)], [seed])
    write_gif(name, seed, (rollout.actions, other.actions), rate, args.out_dir / "landing.gif")
    with replacing(args.out_dir / "flight.png") as path:
        plot_episode(rollout, name, rate).savefig(path)
    returns, failed = episodes["return"], np.flatnonzero(episodes.landed == 0)
    success = "landed" if name == LANDER else "ended with a reward above 0"
    if len(failed):
        more = ", ..." if len(failed) > NAMED else ""
        print(f"not {success}: episode {', '.join(map(str, failed[:NAMED]))}{more}")
    print(
        f"mean return {returns.mean():.1f}, deviation {returns.std(ddof=0):.1f}, "
        f"{episodes.landed.mean():.0%} {success}   {args.out_dir / 'episodes.csv'}"
    )
    return episodes


def write_gif(world, seed, rollouts, rate, path):
    """Write a film of several episodes of a seed side by side, each at half its size.

    rollouts: the actions of each; one that has ended shows its last frame. rate: steps a second.
    """
    every = max(1, rate // FRAMES_A_SECOND)
    films = [draw(world, seed, actions, every) for actions in rollouts]
    length = max(map(len, films))
    films = [film + film[-1:] * (length - len(film)) for film in films]
    frames = [Image.fromarray(np.concatenate(moment, axis=1)) for moment in zip(*films)]
    frames = [frame.resize((frame.width // 2, frame.height // 2)).quantize(32) for frame in frames]
    times = [1000 * every // rate] * (len(frames) - 1) + [2000]  # the last one stays
    with replacing(path) as temporary:
        frames[0].save(temporary, save_all=True, append_images=frames[1:], duration=times, loop=0)


def plot_episode(rollout, world, rate):
    """What was observed, and below it the action of every step, against seconds: a figure."""
    observations = np.array(rollout.observations)
    panels = PANELS.get(world, {"observation": {f"{i}": i for i in range(observations.shape[1])}})
    names = ACTIONS.get(world, [f"{i}" for i in range(max(rollout.actions) + 1)])
    figure = Figure(figsize=(7, 2 + 1.5 * len(panels)), layout="constrained")
    *above, below = figure.subplots(len(panels) + 1, 1, sharex=True)
    for axes, (title, columns) in zip(above, panels.items()):
        for name, column in columns.items():
            axes.plot(np.arange(len(observations)) / rate, observations[:, column], label=name)
        axes.set(ylabel=title)
        axes.grid(alpha=0.3)
        if len(columns) > 1:
            axes.legend()
    below.plot(np.arange(len(rollout.actions)) / rate, rollout.actions, "|", markersize=9)
    below.set(yticks=range(len(names)), yticklabels=names, ylabel="engine", xlabel="seconds")
    below.set_ylim(-0.6, len(names) - 0.4)
    return figure


if __name__ == "__main__":
    run(main)
