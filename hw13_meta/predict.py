"""Adapt what train.py saved to new tasks, and show what it is worth.

    python hw13_meta/predict.py                               600 episodes of characters never seen
    python hw13_meta/predict.py --synthetic                   the same after train.py --synthetic
    python hw13_meta/predict.py --shots 5 --steps 3           with five drawings of each, three steps
    python hw13_meta/predict.py --drawings mine               one's own: mine/<character>/*.png, mine/*.png
    python hw13_meta/predict.py --points points.csv           sine: adapt to the points of a file

The model knows which of the two it is. Omniglot: episodes.csv, a row an episode, and episode.png, one of
them with what was read. Never seen are all characters under --data-dir that the training did not learn from.
Of a person's own folder each sub-folder is a character to adapt to, and the drawings beside are read.
Sine: curve.csv and curve.png, the wave before adaptation, after one step and after --steps.
"""

from pathlib import Path

from scaffold import BadInput, Parser, integer, replacing, run

import numpy as np
import pandas as pd
from dataset import TEST_SEED, load_characters, load_own_drawings, load_points
from device import start_keras
from matplotlib.figure import Figure
from records import plain, trained

GRID = 201  # points of the curve, from -5 to 5


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "folder of Omniglot/")
    parser.add_argument("--seed", type=integer(0, 2**31 - 1), default=TEST_SEED, help="of episodes or wave")
    parser.add_argument(
        "--episodes",
        type=integer(1, 100_000),
        help="omniglot: how many; 600, or 10 with --synthetic, unless given",
    )
    parser.add_argument("--ways", type=integer(2, 1000), help="omniglot: characters of an episode")
    parser.add_argument("--shots", type=integer(1, 1000), default=1, help="omniglot: drawings to adapt to")
    parser.add_argument("--queries", type=integer(1, 1000), default=5, help="omniglot: drawings to read")
    parser.add_argument("--steps", type=integer(1, 1000), default=10, help="of adaptation")
    parser.add_argument("--drawings", type=Path, help="omniglot: folder of your own drawings to read")
    parser.add_argument("--points", type=Path, help="sine: CSV with columns x and y; else a wave is drawn")
    args = parser.parse(argv)
    args.episodes = args.episodes or (10 if args.synthetic else 600)
    return args


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    points = load_points(args.points) if args.points else None
    own = load_own_drawings(args.drawings) if args.drawings else None
    trained(args, "model.keras", "characters.csv", own_input=bool(points or own))
    start_keras(tensorflow=True)
    from model import load_learner  # with TensorFlow, for which --help need not wait

    learner = load_learner(args.out_dir / "model.keras")
    if own and learner.task == "sine":
        raise BadInput(f"--drawings {args.drawings}: expected with a model of omniglot, this one is of sine.")
    if points and learner.task == "omniglot":
        raise BadInput(f"--points {args.points}: expected with a model of sine, this one is of omniglot.")
    if learner.task == "sine":
        return fit_wave(args, learner, points)
    return read_own(args, learner, *own) if own else play_episodes(args, learner, data_dir)


def play_episodes(args, learner, data_dir):
    """Score episodes of unseen characters; write episodes.csv and episode.png. Returns the table."""
    from scoring import Evaluator, accuracy, interval
    from tasks import Episodes

    if args.synthetic and not data_dir.is_dir():
        raise BadInput(f"{data_dir} is missing; run train.py --synthetic first, with the same --out-dir.")
    characters = load_characters(data_dir)
    unseen = {name: drawings for name, drawings in characters.items() if name not in learner.characters}
    ways = args.ways or learner.ways
    if len(unseen) < ways:
        raise BadInput(
            f"{data_dir}: {len(unseen)} of {len(characters)} characters are not of those that the model "
            f"learnt from, expected at least {ways}, as --ways says; give another --data-dir."
        )
    print(f"{len(unseen)} characters never seen, {ways}-way {args.shots}-shot, {args.steps} steps")
    episodes = Episodes(unseen, ways, args.shots, args.queries)
    chosen, indices = episodes.choose(np.random.default_rng(args.seed), args.episodes)
    batch = episodes.gather(episodes.look_up(indices))
    answers = Evaluator(learner, [args.steps], args.episodes, ways).predict(batch)
    names = np.array(list(unseen))[chosen]  # (episodes, ways)
    table = pd.DataFrame({"episode": range(args.episodes), "characters": [" ".join(row) for row in names]})
    for name, logits in answers.items():
        table[f"accuracy_{name}"] = accuracy(logits[0], batch.query_y)
    with replacing(args.out_dir / "episodes.csv") as path:
        table.to_csv(path, index=False)
    read_as = answers["transductive"][0, 0].argmax(axis=-1)
    support, queries = batch.support_x[0].reshape(args.shots, ways, *batch.support_x.shape[2:]), []
    for way in range(ways):
        items = range(way, len(read_as), ways)
        colours = {True: "green", False: "red"}
        queries.append(
            [
                (batch.query_x[0, item], f"read as {read_as[item] + 1}", colours[read_as[item] == way])
                for item in items
            ]
        )
    titles = [f"{way + 1}: {name.split('/')[-1]}" for way, name in enumerate(names[0])]
    with replacing(args.out_dir / "episode.png") as path:
        draw_episode(titles, support.swapaxes(0, 1), queries).savefig(path)
    for name, words in (
        ("inductive", "inductive, each query by itself"),
        ("transductive", "transductive, the queries together"),
    ):
        scores = table[f"accuracy_{name}"].to_numpy()
        mean = f"{scores.mean():.4f} +- {interval(scores):.4f}"
        print(f"{words}: accuracy {mean}   {args.out_dir / 'episodes.csv'}")
    return table


def read_own(args, learner, characters, drawings):
    """Adapt to a person's own characters and print which of them each drawing is; write own.png.

    Each drawing is read by itself. Returns a table with a row a drawing, a column a character: probabilities.
    """
    from scipy.special import softmax
    from scoring import Evaluator
    from tasks import Batch

    if len(characters) < 2:
        raise BadInput(f"{args.drawings} has one sub-folder, expected one for each of 2 characters or more.")
    support, query = np.concatenate(list(characters.values())), np.stack(list(drawings.values()))
    y = np.repeat(np.arange(len(characters), dtype=np.int32), [len(found) for found in characters.values()])
    batch = Batch(
        *(support[None, ..., None] / np.float32(255), y[None]),
        *(query[None, ..., None] / np.float32(255), np.zeros((1, len(query)), np.int32)),
    )
    answers = Evaluator(learner, [args.steps], 1, len(characters)).predict(batch)
    logits = answers["inductive"][0, 0]
    probabilities = softmax(logits, axis=1)
    table = pd.DataFrame(probabilities, index=list(drawings), columns=list(characters))
    queries = [[] for _ in characters]
    for (name, row), drawing in zip(table.iterrows(), query):
        row = row.sort_values(ascending=False)
        print(f"{name}: " + ", ".join(f"{character} {share:.3f}" for character, share in row[:3].items()))
        queries[table.columns.get_loc(row.index[0])].append(
            (drawing / 255, f"{name} {row.iloc[0]:.2f}", "black")
        )
    titles = [plain(name) for name in characters]
    with replacing(args.out_dir / "own.png") as path:
        draw_episode(titles, [found / 255 for found in characters.values()], queries).savefig(path)
    print(f"{len(table)} drawings, {len(characters)} characters   {args.out_dir / 'own.png'}")
    return table


def draw_episode(titles, support, queries):
    """A row a character; left its support, in blue frames, right what was read, as a figure.

    titles: of the characters; support: of each, images (n, 28, 28) or (n, 28, 28, 1); queries: of each, a
    list of (image, title, colour).
    """
    left, right = max(map(len, support)), max(map(len, queries))
    figure = Figure(figsize=(1.4 * (left + right), 1.45 * len(titles)), layout="constrained")
    for title, shown, read, row in zip(
        titles, support, queries, figure.subplots(len(titles), left + right, squeeze=False)
    ):
        cells = [(image, title, "C0") for image in shown]
        cells += [None] * (left - len(shown)) + [(image, plain(text), colour) for image, text, colour in read]
        for axes, cell in zip(row, cells + [None] * (left + right - len(cells))):
            if cell is None:
                axes.axis("off")
                continue
            image, text, colour = cell
            axes.imshow(image, cmap="gray_r", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
            axes.set_title(text, fontsize=8, color=colour)
            axes.spines[:].set_color(colour)
    return figure


def fit_wave(args, learner, points):
    """Adapt to points; write curve.csv and curve.png. Returns the table."""
    from scoring import Evaluator
    from tasks import RANGE, Batch, Waves

    x = np.linspace(*RANGE, GRID, dtype=np.float32)[:, None]
    if points is None:
        wave = Waves(10, 1).draw(np.random.default_rng(args.seed), 1)
        points = wave.support_x[0], wave.support_y[0]
    steps = sorted({0, 1, args.steps})
    batch = Batch(points[0][None], points[1][None], x[None], np.zeros_like(x)[None])
    curves = Evaluator(learner, steps, 1).predict(batch)["transductive"][:, 0, :, 0]  # (steps, GRID)
    if not np.isfinite(curves).all():
        raise BadInput(f"--steps {args.steps}: the adaptation diverges on these points; take fewer steps.")
    table = pd.DataFrame({"x": x[:, 0], **{f"steps_{step}": curve for step, curve in zip(steps, curves)}})
    with replacing(args.out_dir / "curve.csv") as path:
        table.to_csv(path, index=False)
    with replacing(args.out_dir / "curve.png") as path:
        draw_wave(points, table).savefig(path)
    there = batch._replace(query_x=points[0][None], query_y=points[1][None])
    errors = Evaluator(learner, steps, 1).score(there)["transductive"][:, 0]
    words = ", ".join(f"{error:.4f} after {step}" for step, error in zip(steps, errors))
    print(
        f"mean squared error at the {len(points[0])} points by steps: {words}   {args.out_dir / 'curve.csv'}"
    )
    return table


def draw_wave(points, table):
    """The points and a curve for each number of steps, as a figure."""
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
