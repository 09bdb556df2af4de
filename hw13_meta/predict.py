"""Adapt what train.py saved to new tasks, and show what it is worth.

    python hw13_meta/predict.py                               600 episodes of characters never seen
    python hw13_meta/predict.py --synthetic                   the same after train.py --synthetic
    python hw13_meta/predict.py --shots 5 --steps 3           with five drawings of each, three steps
    python hw13_meta/predict.py --points points.csv           sine: adapt to the points of a file

The model knows which of the two it is. Omniglot: episodes.csv, a row an episode, and episode.png, one of
them with what was read. Never seen are all characters under --data-dir that the training did not learn from.
Sine: curve.csv and curve.png, the wave before adaptation, after one step and after --steps.
"""

from pathlib import Path

from scaffold import BadInput, Parser, integer, replacing, run

import numpy as np
import pandas as pd
from dataset import load_characters, load_points
from device import start_keras
from records import trained

GRID = 201  # points of the curve, from -5 to 5


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "folder of Omniglot/")
    parser.add_argument("--seed", type=integer(0, 2**31 - 1), default=0, help="of the episodes or the wave")
    parser.add_argument(
        "--episodes",
        type=integer(1, 100_000),
        help="omniglot: how many; 600, or 10 with --synthetic, unless given",
    )
    parser.add_argument("--shots", type=integer(1, 1000), default=1, help="omniglot: drawings to adapt to")
    parser.add_argument("--queries", type=integer(1, 1000), default=5, help="omniglot: drawings to read")
    parser.add_argument("--steps", type=integer(1, 1000), default=10, help="of adaptation")
    parser.add_argument("--points", type=Path, help="sine: CSV with columns x and y; else a wave is drawn")
    args = parser.parse(argv)
    args.episodes = args.episodes or (10 if args.synthetic else 600)
    return args


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    points = load_points(args.points) if args.points else None
    trained(args, "model.keras", "characters.csv")
    start_keras(tensorflow=True)
    from model import load_learner  # with TensorFlow, for which --help need not wait

    learner = load_learner(args.out_dir / "model.keras")
    if learner.task == "sine":
        return fit_wave(args, learner, points)
    if args.points:
        raise BadInput(
            f"--points {args.points}: expected with a model of --task sine, and this one is of omniglot."
        )
    return play_episodes(args, learner, data_dir)


def play_episodes(args, learner, data_dir):
    """Score episodes of unseen characters; write episodes.csv and episode.png. Returns the table."""
    from scoring import Judge, accuracy, interval
    from tasks import Episodes

    if args.synthetic and not data_dir.is_dir():
        raise BadInput(f"{data_dir} is missing; run train.py --synthetic first, with the same --out-dir.")
    characters = load_characters(data_dir)
    unseen = {name: drawings for name, drawings in characters.items() if name not in learner.characters}
    if len(unseen) < learner.ways:
        raise BadInput(
            f"{data_dir}: {len(unseen)} of {len(characters)} characters are not of those that the model "
            f"learnt from, expected at least its {learner.ways} ways; give another --data-dir."
        )
    print(f"{len(unseen)} characters never seen, {learner.ways}-way {args.shots}-shot, {args.steps} steps")
    episodes = Episodes(unseen, learner.ways, args.shots, args.queries)
    chosen, indices = episodes.choose(np.random.default_rng(args.seed), args.episodes)
    batch = episodes.gather(episodes.look_up(indices))
    answers = Judge(learner, [args.steps], args.episodes).predict(batch)
    names = np.array(list(unseen))[chosen]  # (episodes, ways)
    table = pd.DataFrame({"episode": range(args.episodes), "characters": [" ".join(row) for row in names]})
    for name, logits in answers.items():
        table[f"accuracy_{name}"] = accuracy(logits[0], batch.query_y)
    with replacing(args.out_dir / "episodes.csv") as path:
        table.to_csv(path, index=False)
    with replacing(args.out_dir / "episode.png") as path:
        draw_episode(batch, answers["together"][0, 0].argmax(axis=-1), names[0]).savefig(path)
    for name, words in (("alone", "each query read alone"), ("together", "the queries read together")):
        scores = table[f"accuracy_{name}"].to_numpy()
        mean = f"{scores.mean():.4f} +- {interval(scores):.4f}"
        print(f"{words}: accuracy {mean}   {args.out_dir / 'episodes.csv'}")
    return table


def draw_episode(batch, answers, names):
    """The first episode of a batch: a row a character; left its support, right what was read."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    ways = len(names)
    support, queries = (x[0].reshape(-1, ways, *x.shape[2:4]) for x in (batch.support_x, batch.query_x))
    answers = answers.reshape(-1, ways)
    figure = Figure(figsize=(1.2 * (len(support) + len(queries)), 1.35 * ways), layout="constrained")
    grid = figure.subplots(ways, len(support) + len(queries), squeeze=False)
    for way, row in enumerate(grid):
        for index, axes in enumerate(row):
            shown = support[index] if index < len(support) else queries[index - len(support)]
            axes.imshow(shown[way], cmap="gray_r", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
            if index < len(support):
                axes.set_title(f"{way + 1}: adapted to", fontsize=8)
            else:
                answer = answers[index - len(support), way]
                colour = "green" if answer == way else "red"
                axes.set_title(f"read as {answer + 1}", fontsize=8, color=colour)
                axes.spines[:].set_color(colour)
    return figure


def fit_wave(args, learner, points):
    """Adapt to points; write curve.csv and curve.png. Returns the table."""
    from scoring import Judge
    from tasks import RANGE, Batch, Waves

    x = np.linspace(*RANGE, GRID, dtype=np.float32)[:, None]
    if points is None:
        wave = Waves(10, 1).draw(np.random.default_rng(args.seed), 1)
        points = wave.support_x[0], wave.support_y[0]
    steps = sorted({0, 1, args.steps})
    batch = Batch(points[0][None], points[1][None], x[None], np.zeros_like(x)[None])
    curves = Judge(learner, steps, 1).predict(batch)["together"][:, 0, :, 0]  # (steps, GRID)
    if not np.isfinite(curves).all():
        raise BadInput(f"--steps {args.steps}: the adaptation diverges on these points; take fewer steps.")
    table = pd.DataFrame({"x": x[:, 0], **{f"steps_{step}": curve for step, curve in zip(steps, curves)}})
    with replacing(args.out_dir / "curve.csv") as path:
        table.to_csv(path, index=False)
    with replacing(args.out_dir / "curve.png") as path:
        draw_wave(points, table).savefig(path)
    there = batch._replace(query_x=points[0][None], query_y=points[1][None])
    errors = Judge(learner, steps, 1).score(there)["together"][:, 0]
    words = ", ".join(f"{error:.4f} after {step}" for step, error in zip(steps, errors))
    print(
        f"mean squared error at the {len(points[0])} points by steps: {words}   {args.out_dir / 'curve.csv'}"
    )
    return table


def draw_wave(points, table):
    """The points and a curve for each number of steps, as a figure."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for column in table.columns[1:]:
        axes.plot(table.x, table[column], label=f"after {column.removeprefix('steps_')} steps")
    axes.plot(*points, "k^", label="points adapted to")
    axes.set(xlabel="x", ylabel="y")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


if __name__ == "__main__":
    run(main)
