"""Land on the moon with the model that train.py saved, and draw how.

    python hw15_rl/predict.py                  100 landings, with the most probable action at every step
    python hw15_rl/predict.py --synthetic      the same in the corridor of train.py --synthetic

Written to <out-dir>: episodes.csv, a row an episode with seed,return,length,landed; the first episode as
landing.gif, and as flight.png where it was, how it leaned and which engine burnt.
"""

from scaffold import Parser, integer, replacing, run

import numpy as np
import pandas as pd
from device import start_keras
from environment import ACTIONS, CORRIDOR, FINAL_SEEDS, LANDER, PANELS, draw, make_world
from records import trained
from rollout import play

FRAMES_A_SECOND = 12  # of landing.gif


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "not used: this world is simulated")
    parser.add_argument("--world", default=LANDER, help="the environment that the model was trained for")
    parser.add_argument("--episodes", type=integer(1, 10_000), default=100, help="with the seeds 0, 1, ...")
    args = parser.parse(argv)
    args.world = CORRIDOR if args.synthetic else args.world
    return args


def main(argv=None):
    args = parse_args(argv)
    world = make_world(args.world)
    trained(args, "model.keras")
    start_keras(tensorflow=True)
    from model import load_model, numpy_policy  # with TensorFlow, for which --help need not wait

    policy = numpy_policy(load_model(args.out_dir / "model.keras", world, args.world))
    seeds = range(FINAL_SEEDS, FINAL_SEEDS + args.episodes)
    print(f"world {args.world}, {args.episodes} episodes")

    flights = play(policy, [make_world(args.world) for _ in seeds], seeds)
    episodes = pd.DataFrame(
        {
            "seed": seeds,
            "return": [sum(flight.rewards) for flight in flights],
            "length": [len(flight.actions) for flight in flights],
            "landed": [int(flight.landed) for flight in flights],
        }
    )
    with replacing(args.out_dir / "episodes.csv") as path:
        episodes.to_csv(path, index=False)
    rate = world.metadata.get("render_fps", 30)
    write_gif(args.world, seeds[0], flights[0].actions, rate, args.out_dir / "landing.gif")
    with replacing(args.out_dir / "flight.png") as path:
        plot_flight(flights[0], args.world, rate).savefig(path)
    returns = episodes["return"]
    print(
        f"mean return {returns.mean():.1f}, deviation {returns.std(ddof=0):.1f}, "
        f"{episodes.landed.mean():.0%} landed   {args.out_dir / 'episodes.csv'}"
    )
    return episodes


def write_gif(world, seed, actions, rate, path):
    """Write a film of the episode at half its size; rate: steps a second."""
    from PIL import Image

    every = max(1, rate // FRAMES_A_SECOND)
    frames = [Image.fromarray(frame) for frame in draw(world, seed, actions, every)]
    frames = [frame.resize((frame.width // 2, frame.height // 2)).quantize(32) for frame in frames]
    times = [1000 * every // rate] * (len(frames) - 1) + [2000]  # the last one stays
    with replacing(path) as temporary:
        frames[0].save(temporary, save_all=True, append_images=frames[1:], duration=times, loop=0)


def plot_flight(flight, world, rate):
    """What was observed, and below it the action of every step, against seconds: a figure."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    observations = np.array(flight.observations)
    panels = PANELS.get(world, {"observation": {f"{i}": i for i in range(observations.shape[1])}})
    names = ACTIONS.get(world, [f"{i}" for i in range(max(flight.actions) + 1)])
    figure = Figure(figsize=(7, 2 + 1.5 * len(panels)), layout="constrained")
    *above, below = figure.subplots(len(panels) + 1, 1, sharex=True)
    for axes, (title, columns) in zip(above, panels.items()):
        for name, column in columns.items():
            axes.plot(np.arange(len(observations)) / rate, observations[:, column], label=name)
        axes.set(ylabel=title)
        axes.grid(alpha=0.3)
        if len(columns) > 1:
            axes.legend()
    below.plot(np.arange(len(flight.actions)) / rate, flight.actions, "|", markersize=9)
    below.set(yticks=range(len(names)), yticklabels=names, ylabel="engine", xlabel="seconds")
    below.set_ylim(-0.6, len(names) - 0.4)
    return figure


if __name__ == "__main__":
    run(main)
