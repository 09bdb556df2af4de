"""Answer the report questions of homework 6: every table and figure of README.md.

    python hw06_adversarial/report.py                 VGG16 and DenseNet-121, by download, into results/
    python hw06_adversarial/report.py --synthetic     two small classifiers instead, into out/results/
    python hw06_adversarial/report.py --proxy efficientnet_lite0.keras --other squeezenet.keras

The first is attacked in the open; then each is attacked through the other; then the first defends itself.
"""

from scaffold import Parser, replacing, run

from dataset import load_images, make_synthetic, read_image_files
from device import start_keras
from records import publish, read_metrics


def parse_args(argv=None):
    data = "folder of images, labels.csv and categories.csv"
    parser = Parser(__doc__, "report", data, epochs="iterations")
    parser.add_argument("--proxy", default="vgg16", help="the classifier attacked in the open")
    parser.add_argument("--other", default="densenet121", help="another, for transfer")
    parser.set_defaults(seeds=3)
    args = parser.parse(argv)
    if args.synthetic:
        args.proxy, args.other = "classifier.keras", "other.keras"
    return args


def load(args):
    """The folder of the data, and what load_images reads there."""
    data_dir = make_synthetic(args.out_dir / "synthetic", 0) if args.synthetic else args.data_dir
    return data_dir, *load_images(data_dir)


if __name__ == "__main__":  # --help, wrong flags and files need not wait for the imports below
    run(lambda: (args := parse_args()).synthetic or load(args))  # made-up files are not missing
    run(lambda: start_keras(tensorflow=True))

import attack
import defence
import keras
import numpy as np
import pandas as pd
import predict
import train
from matplotlib.figure import Figure
from minimal import fewest_pixels
from model import load_proxy
from training import craft, misread, probabilities

EPSILONS = (1, 2, 4, 8, 15, 32, 64)
ITERATIVE_EPSILONS = (1, 4)
TRANSFER_EPSILONS = (8, 16)
FEWEST, SPARSE_ITERATIONS = (16, 64, 256, 1024, 4096, 16384), 6
DEFENCES = {
    "none": lambda images: images,
    "Gaussian, radius 0.5": lambda images: defence.gaussian_blur(images, 0.5),
    "Gaussian, radius 1": lambda images: defence.gaussian_blur(images, 1),
    "Gaussian, radius 2": lambda images: defence.gaussian_blur(images, 2),
    "median 3x3": lambda images: defence.median(images, 3),
    "median 5x5": lambda images: defence.median(images, 5),
    "JPEG, quality 90": lambda images: defence.jpeg(images, 90),
    "JPEG, quality 75": lambda images: defence.jpeg(images, 75),
    "JPEG, quality 50": lambda images: defence.jpeg(images, 50),
}
ONE_STEP, MANY_STEPS, TEXTBOOK = "--method fgsm", "--method transfer", " --loss cross-entropy"
STRANGERS = {  # row of the transfer table: flags of train.py
    "fgsm": ONE_STEP,
    "fgsm, every image": ONE_STEP,
    "fgsm of the cross-entropy, every image": ONE_STEP + TEXTBOOK,
    "momentum": MANY_STEPS + " --diversity 1 --translation 1",
    "momentum, diversity": MANY_STEPS + " --translation 1",
    "momentum, translation": MANY_STEPS + " --diversity 1",
    "transfer: all three": MANY_STEPS,
}


def main(argv=None):
    args = parse_args(argv)
    results = args.results
    data_dir, images, labels, categories, names = load(args)
    models = {
        name.removesuffix(".keras"): load_proxy([name], data_dir, images.shape[1:], len(categories))
        for name in (args.proxy, args.other)
    }
    first_name = next(iter(models))
    results.mkdir(parents=True, exist_ok=True)
    rows, seen = [], {"untouched": images}

    def crafted(name, flags, seed=0, proxies=(args.proxy,)):
        """train.main() with these flags: its metrics, and the folder of its images."""
        folder = args.trainings / f"{name} {seed}".replace(" ", "_")
        steps = f"--iterations {args.iterations}" if args.iterations and "fgsm" not in flags else ""
        argv = ["--data-dir", str(data_dir), "--out-dir", str(folder), "--seed", str(seed)]
        return train.main([*argv, "--proxy", *proxies, *flags.split(), *steps.split()]), folder / "images"

    def attacked(table, row, flags, seeds=1, proxies=(args.proxy,)):
        """Add a row of such runs. Return their share misread, and the images of the one with seed 0."""
        runs, folders = zip(*(crafted(f"{table} {row}", flags, seed, proxies) for seed in range(seeds)))
        scores = [run["score"] for run in runs]
        deviation = f"{np.std(scores, ddof=1):.3f}" if seeds > 1 else ""
        distance = np.mean([run["mean_distance"] for run in runs])
        each = np.mean([run["seconds"]["one_fit"] / run["attacked"] for run in runs])
        rows.append(
            [table, row, f"{np.mean(scores):.3f}", deviation, f"{distance:.3f}", f"{1000 * each:.0f}"]
        )
        return np.mean(scores), read_image_files(folders[0], names)

    curves = {"fgsm": {}, "iterative": {}}
    for epsilon in EPSILONS:
        flags = f"--method fgsm --epsilon {epsilon}"
        curves["fgsm"][epsilon], seen[f"fgsm {epsilon}"] = attacked("fgsm", f"epsilon {epsilon}", flags)
    _, seen["minimal"] = attacked("methods", "minimal", "--method minimal")
    attacked("methods", "minimal, the other network", "--method minimal", proxies=(args.other,))
    attacked("methods", "fgsm, epsilon 15", "--method fgsm --epsilon 15")
    flags = "--method fgsm --epsilon 15 --loss cross-entropy"
    attacked("methods", "fgsm of the cross-entropy, epsilon 15", flags)
    for epsilon in ITERATIVE_EPSILONS:
        row, flags = f"iterative, epsilon {epsilon}", f"--method iterative --epsilon {epsilon}"
        found = attacked("methods", row, flags, args.seeds)
        curves["iterative"][epsilon], seen[f"iterative {epsilon}"] = found

    both, flags = (args.proxy, args.other), "--method iterative --epsilon 4"
    sets = {"the first": seen["iterative 4"]}
    for row, proxies in (("the second", both[1:]), ("both at once", both)):
        sets[row] = read_image_files(crafted(row, flags, proxies=proxies)[1], names)
    cells = {name: shares(model, sets, labels) for name, model in models.items()}
    with replacing(results / "ensemble.csv") as path:
        pd.DataFrame(cells, sets).to_csv(path, index_label="attacked")
    sets = {name: seen[name] for name in ("untouched", "fgsm 15", "minimal", "iterative 4")}
    cells = {name: shares(models[first_name], sets, labels, defend) for name, defend in DEFENCES.items()}
    with replacing(results / "defence.csv") as path:
        pd.DataFrame(cells, sets).T.to_csv(path, index_label="defence")
    with replacing(results / "transfer.csv") as path:
        strangers(args, models, images, labels).to_csv(path, index=False)
    iterations = args.iterations or SPARSE_ITERATIONS
    with replacing(results / "fewest.csv") as path:
        cells = {name: fewest(model, images, labels, iterations) for name, model in models.items()}
        pd.DataFrame(cells).to_csv(path, index_label="one level in at most")
    plot_curves(curves, results / "epsilon.png")
    fooled = np.flatnonzero((seen["minimal"] != images).any(axis=(1, 2, 3)))[: predict.SHOWN]
    before, after = (probabilities(models[first_name], shown[fooled]) for shown in (images, seen["minimal"]))
    classes = before.argmax(axis=1), after.argmax(axis=1)
    with replacing(results / "comparison.jpg") as path:  # a tenth of the PNG, for a page to show
        predict.plot_comparison(images[fooled], seen["minimal"][fooled], *classes, categories).savefig(path)
    with replacing(results / "top3.png") as path:
        predict.plot_top3(seen["minimal"][fooled], before, after, labels[fooled], categories).savefig(path)

    tables = pd.DataFrame(rows, columns=["table", "row", "misread", "sd", "distance", "milliseconds"])
    publish(results, tables, read_metrics(args.trainings / "methods_minimal_0"))


def strangers(args, models, images, labels):
    """Attack through each model and let the other read: a DataFrame, shares as printed.

    `over clean` is how much more the target misreads than without an attack; `times` compares that with the
    best of one step. Through --other, the last row is the mean of some seeds, and what it is made of is shown
    too; the other way round there is less to see.
    """
    clean = {name: np.mean(misread(model, images, labels)) for name, model in models.items()}
    rows = []
    for proxy, target in (list(models)[::-1], list(models)):
        right = ~misread(models[proxy], images, labels)
        proxy_is_first = proxy == next(iter(models))
        for epsilon in TRANSFER_EPSILONS:
            best_step = 0
            for name, flags in STRANGERS.items():
                one_step, ablation = flags.startswith(ONE_STEP), flags.startswith(MANY_STEPS + " ")
                if ablation and proxy_is_first:
                    continue
                steps = f"--iterations {args.iterations}" if args.iterations and not one_step else ""
                settings = train.parse_args([*flags.split(), "--epsilon", str(epsilon), *steps.split()])
                chosen = right if name == "fgsm" else np.full(len(labels), True)
                found = []
                for seed in range(args.seeds if flags == MANY_STEPS and not proxy_is_first else 1):
                    keras.utils.set_random_seed(seed)
                    attacked = images.copy()
                    attacked[chosen], _ = craft(settings, models[proxy], images[chosen], labels[chosen])
                    found.append(np.mean(misread(models[target], attacked, labels)))
                over_clean = np.mean(found) - clean[target]
                if one_step:
                    best_step = max(best_step, over_clean)
                times = f"{over_clean / best_step:.1f}" if not one_step and best_step else ""
                pair = f"{proxy} to {target}, epsilon {epsilon}"
                rows.append([pair, name, f"{np.mean(found):.3f}", f"{over_clean:.3f}", times])
                print(*rows[-1], flush=True)
    return pd.DataFrame(rows, columns=["proxy to target", "attack", "misread", "over clean", "times"])


def fewest(model, images, labels, iterations):
    """The share of the images read right that one level in so few pixels has misread: {words: as printed}."""
    right = ~misread(model, images, labels)
    query = attack.make_query(attack.margin, model, batch_size=50)
    needed = fewest_pixels(query, images[right], labels[right], iterations)
    found = {
        f"{pixels} pixels, {pixels / images[0, :, :, 0].size:.2%} of them": (needed > 0) & (needed <= pixels)
        for pixels in FEWEST
    }
    return {words: f"{np.mean(reached):.3f}" for words, reached in found.items()}


def shares(model, sets, labels, defend=lambda images: images):
    """The share that the model misreads of each set of images, behind a defence, as printed."""
    return [f"{np.mean(misread(model, defend(shown), labels)):.3f}" for shown in sets.values()]


def plot_curves(curves, path):
    """Share misread against epsilon, a line for each method."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for method, shares in curves.items():
        axes.plot(list(shares), list(shares.values()), "o-", label=method)
    axes.set(xscale="log", xlabel="epsilon, grey levels", ylabel="share misread", ylim=(0, 1.05))
    axes.set_xticks(EPSILONS, EPSILONS)
    axes.grid(alpha=0.3)
    axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary)


if __name__ == "__main__":
    run(main)
