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

from scaffold import BadInput, Parser, file_path, integer, replacing, run

import pandas as pd
from dataset import TEST_SEED, load_characters, load_own_drawings, load_points
from device import start_keras
from matplotlib.figure import Figure
from records import plain, spare, trained

ROWS, COLUMNS = 20, 10  # of a figure, on either side


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "folder of Omniglot/")
    parser.add_argument("--seed", type=integer(0, 2**31 - 1), default=TEST_SEED, help="of episodes or wave")
    parser.add_argument(
        "--episodes",
        type=integer(1, 100_000),
        help="omniglot: how many; 600, or 10 with --synthetic, unless given",
    )
    parser.add_argument("--ways", type=integer(2, 1000), help="omniglot: characters of an episode")
    parser.add_argument("--shots", type=integer(1, 1000), help="items to adapt to, else as train.py did")
    parser.add_argument("--queries", type=integer(1, 1000), default=5, help="omniglot: drawings to read")
    parser.add_argument("--steps", type=integer(1, 100), help="of adaptation; 10, or of sine 1, unless given")
    parser.add_argument("--drawings", type=file_path, help="omniglot: folder of your own drawings to read")
    parser.add_argument("--points", type=file_path, help="sine: CSV with columns x, y; else a wave is drawn")
    args = parser.parse(argv)
    args.episodes = args.episodes or (10 if args.synthetic else 600)
    return args


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    spare(args, [args.points], "curve.csv", "curve.png")
    points = load_points(args.points) if args.points else None
    spare(args, args.drawings.glob("*") if args.drawings else [], "own.png")
    own = load_own_drawings(args.drawings) if args.drawings else None
    training = trained(args, "model.keras", "characters.csv", own_input=bool(points or own))["arguments"]
    start_keras(tensorflow=True)
    from scoring import SCORED, draw_wave, fit_wave, load_learner, play_episodes, read_drawings  # slow
    from tasks import PHASES

    learner = load_learner(args.out_dir / "model.keras")
    shots, phase = training.get("shots"), training.get("phase")
    if type(shots) is not int or not 1 <= shots <= 1000 or phase not in list(PHASES):
        raise BadInput(f"{args.out_dir / 'metrics.json'} is not what train.py wrote; run train.py again.")
    args.shots, args.steps = args.shots or shots, args.steps or SCORED[learner.task]
    if own and learner.task == "sine":
        raise BadInput(f"--drawings {args.drawings}: expected with a model of omniglot, this one is of sine.")
    if points and learner.task == "omniglot":
        raise BadInput(f"--points {args.points}: expected with a model of sine, this one is of omniglot.")
    if own and len(own[0]) < 2:
        raise BadInput(f"{args.drawings} has one sub-folder, expected one for each of 2 characters or more.")
    if learner.task == "sine":
        wave = args.seed, args.shots, phase
        return write_wave(args, *fit_wave(learner, points or draw_wave(*wave), args.steps))
    if own:
        return write_own(args, *own, read_drawings(learner, *own, args.steps))
    args.ways = args.ways or learner.ways
    unseen = characters_never_seen(args, learner, data_dir)
    print(f"{len(unseen)} characters never seen, {args.ways}-way {args.shots}-shot, {args.steps} steps")
    return write_episodes(args, *play_episodes(learner, unseen, args))


def characters_never_seen(args, learner, data_dir):
    """{name of a character that the training did not learn from: drawings}; BadInput if there are too few."""
    if args.synthetic and not data_dir.is_dir():
        raise BadInput(f"{data_dir} is missing; run train.py --synthetic first, with the same --out-dir.")
    characters = load_characters(data_dir)
    unseen = {name: drawings for name, drawings in characters.items() if name not in learner.characters}
    if len(unseen) < args.ways:
        raise BadInput(
            f"{data_dir}: {len(unseen)} of {len(characters)} characters are not of those that the model "
            f"learnt from, expected at least {args.ways}, as --ways says; give another --data-dir."
        )
    return unseen


def write_episodes(args, names, batch, read_as, scores, intervals):
    """Write episodes.csv, and the first of them as episode.png. Returns the table; see play_episodes()."""
    table = pd.DataFrame({"episode": range(len(names)), "characters": [" ".join(row) for row in names]})
    for kind, accuracies in scores.items():
        table[f"accuracy_{kind}"] = accuracies
    with replacing(args.out_dir / "episodes.csv") as path:
        table.to_csv(path, index=False)
    ways = names.shape[1]
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
    titles = [plain(f"{way + 1}: {' '.join(name.split('/'))}") for way, name in enumerate(names[0])]
    with replacing(args.out_dir / "episode.png") as path:
        draw_episode(titles, support.swapaxes(0, 1), queries).savefig(path)
    for kind, words in (
        ("inductive", "inductive, each query by itself"),
        ("transductive", "transductive, the queries together"),
    ):
        mean = f"{scores[kind].mean():.4f} +- {intervals[kind]:.4f}"
        print(f"{words}: accuracy {mean}   {args.out_dir / 'episodes.csv'}")
    return table


def write_own(args, characters, drawings, probabilities):
    """Print which of a person's own characters each of their drawings is; write own.png.

    Returns a table with a row a drawing, a column a character: probabilities.
    """
    table = pd.DataFrame(probabilities, index=list(drawings), columns=list(characters))
    queries = [[] for _ in characters]
    for name, row in table.iterrows():
        row = row.sort_values(ascending=False)
        print(f"{name}: " + ", ".join(f"{character} {share:.3f}" for character, share in row[:3].items()))
        queries[table.columns.get_loc(row.index[0])].append(
            (drawings[name] / 255, f"{name} {row.iloc[0]:.2f}", "black")
        )
    titles = [plain(name) for name in characters]
    with replacing(args.out_dir / "own.png") as path:
        draw_episode(titles, [found / 255 for found in characters.values()], queries).savefig(path)
    print(f"{len(table)} drawings, {len(characters)} characters   {args.out_dir / 'own.png'}")
    return table


def draw_episode(titles, support, queries):
    """A row a character; left its support, in blue frames, right what was read, as a figure.

    titles: of the characters; support: of each, images (n, 28, 28) or (n, 28, 28, 1); queries: of each, a
    list of (image, title, colour). ROWS x COLUMNS of each are shown.
    """
    titles = titles[:ROWS]
    support, queries = ([row[:COLUMNS] for row in side[:ROWS]] for side in (support, queries))
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


def write_wave(args, points, x, curves, errors):
    """Write curve.csv and curve.png, and print the errors by steps. Returns the table; see fit_wave()."""
    table = pd.DataFrame({"x": x, **{f"steps_{steps}": curve for steps, curve in curves.items()}})
    with replacing(args.out_dir / "curve.csv") as path:
        table.to_csv(path, index=False)
    with replacing(args.out_dir / "curve.png") as path:
        plot_wave(points, table).savefig(path)
    words = ", ".join(f"{error:.4f} after {steps}" for steps, error in errors.items())
    print(
        f"mean squared error at the {len(points[0])} points by steps: {words}   {args.out_dir / 'curve.csv'}"
    )
    return table


def plot_wave(points, table):
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
