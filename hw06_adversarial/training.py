"""What is trained are the pictures: the attack that the flags ask for."""

import attack
import numpy as np
import pandas as pd
from minimal import minimal
from transfer import averaged, gaussian, shrunk_somewhere

VIEWS = 4  # random views that a look of transfer averages over


def craft(args, model, pictures, labels):
    """Attack uint8 pictures (n, h, w, 3) with what args say.

    Returns the attacked pictures, and a history: a DataFrame with a row a look of the attack at the model, of
    how many pictures it looked at, how many of them were still read right, and their mean margin.
    """
    rows = []

    def noting(look):
        def look_and_note(pictures, labels):
            margins, slopes = look(pictures, labels)
            rows.append((len(margins), np.sum(margins <= 0), np.mean(margins)))
            return margins, slopes

        return look_and_note

    walk = args.epsilon, args.iterations, args.learning_rate
    loss, view, blur = attack.margin, None, None
    if args.method == "transfer":
        loss = attack.cross_entropy
        view, blur = shrunk_somewhere(args.diversity), gaussian(args.translation)
    look = attack.slope_of(loss, model, args.batch_size, view, blur)
    if args.method == "minimal":
        attacked = minimal(noting(look), pictures, labels, *walk)
    elif args.method == "fgsm":
        attacked = attack.fgsm(noting(look), pictures, labels, args.epsilon)
    elif args.method == "iterative":
        start = np.random.default_rng(args.seed).uniform(-args.epsilon, args.epsilon, pictures.shape)
        attacked, _ = attack.iterative(noting(look), pictures, labels, *walk, start.astype(np.float32))
    else:
        look = averaged(look, VIEWS if args.diversity < 1 else 1)
        attacked, _ = attack.iterative(noting(look), pictures, labels, *walk)
    looks = pd.RangeIndex(1, len(rows) + 1, name="look")
    return attacked, pd.DataFrame(rows, looks, ["looked_at", "read_right", "mean_margin"])
