"""The classifier and how it reads images; the attack that the flags ask for, and a history of its queries."""

import attack
import numpy as np
import pandas as pd
from minimal import minimal
from model import load_proxy, logits_of, softmax
from tqdm import tqdm
from transfer import averaged, gaussian_smoothing, input_diversity

VIEWS = 4  # random views that a query of transfer averages over


def build(names, data_dir, images, categories):
    """The classifier of --proxy or --model, for these images and categories: see load_proxy()."""
    return load_proxy(names, data_dir, images.shape[1:], len(categories))


def probabilities(model, images):
    """What the model says of uint8 images (n, h, w, 3): (n, categories)."""
    return softmax(logits_of(model, images))


def misread(model, images, labels, batch_size=50):
    """Which of the images the model takes for another category than their labels say: bool (n,)."""
    return logits_of(model, images, batch_size).argmax(axis=1) != labels


def craft(args, model, images, labels):
    """Attack uint8 images (n, h, w, 3) with what args say.

    Returns the attacked images, and a history: a DataFrame with a row a query of the attack to the model, of
    how many images it was about, how many of them were still classified right, and their mean margin.
    """
    rows, view, smooth = [], None, None
    if args.method == "transfer":
        view, smooth = input_diversity(args.diversity), gaussian_smoothing(args.translation)
    gradients_of = attack.make_query(attack.LOSSES[args.loss], model, args.batch_size, view, smooth)
    if args.method == "transfer" and args.diversity < 1:
        gradients_of = averaged(gradients_of, VIEWS)
    bar = tqdm(desc="gradients", unit=" images", leave=False, ncols=80, disable=None)

    def query(images, labels):
        margins, gradients = gradients_of(images, labels)
        rows.append((len(margins), np.sum(margins <= 0), np.mean(margins)))
        bar.update(len(margins))
        return margins, gradients

    steps = args.epsilon, args.iterations, args.learning_rate
    if args.method == "minimal":
        attacked = minimal(query, images, labels, *steps)
    elif args.method == "fgsm":
        attacked = attack.fgsm(query, images, labels, args.epsilon)
    else:
        start = np.zeros(images.shape, np.float32)
        if args.method == "iterative":
            rng = np.random.default_rng(args.seed)
            start = rng.uniform(-args.epsilon, args.epsilon, images.shape).astype(np.float32)
        attacked, _ = attack.iterative(query, images, labels, *steps, start)
    bar.close()
    queries = pd.RangeIndex(1, len(rows) + 1, name="query")
    return attacked, pd.DataFrame(rows, queries, ["queried", "correct", "mean_margin"])
