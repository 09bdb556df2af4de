"""Craft images that a classifier misreads and a person does not.

    python hw06_adversarial/train.py                                    the smallest change, against VGG16
    python hw06_adversarial/train.py --synthetic                        the same without files and download
    python hw06_adversarial/train.py --method fgsm --epsilon 15 --loss cross-entropy     the course's sample
    python hw06_adversarial/train.py --method iterative --epsilon 2     many steps, with momentum
    python hw06_adversarial/train.py --method transfer --proxy vgg16 resnet50    for a target nobody can see

No weight is trained: <out-dir>/images holds the attacked images, as PNG files of the same names. The score is
the share that the proxy misreads, counted on those files.
"""

import time
from dataclasses import dataclass

from scaffold import BadInput, Parser, head, integer, number, run

import numpy as np
from dataset import load_images, make_synthetic, read_image_files, write_images
from device import start_keras
from records import claim, learning_curve, record, spare_folder


@dataclass(frozen=True)
class Recipe:
    """What suits a --method."""

    epsilon: int  # grey levels that a pixel may move, at most
    iterations: int
    learning_rate: float  # length of a step as a share of epsilon
    loss: str = "margin"  # whose gradient is ascended
    batch_size: int = 50


RECIPES = {
    "minimal": Recipe(255, 12, 0.5),
    "fgsm": Recipe(15, 1, 1.0),
    "iterative": Recipe(15, 10, 0.25),
    "transfer": Recipe(16, 10, 0.1, "cross-entropy"),
}


def parse_args(argv=None):
    parser = Parser(__doc__, "train", "folder of images, labels.csv and categories.csv", epochs="iterations")
    add, above = parser.add_argument, {"exclusive": True}
    add("--method", choices=list(RECIPES), default="minimal", help="which attack")
    add(
        "--proxy",
        nargs="+",
        default=["vgg16"],
        help="what is attacked: names of keras.applications, or .keras files, looked for in --data-dir too",
    )
    add("--loss", choices=["margin", "cross-entropy"], help="what the attack ascends, see attack.py")
    add("--epsilon", type=integer(1, 255), help="grey levels that a pixel may move, at most")
    add("--diversity", type=number(float, 0, 1, **above), default=0.7, help="transfer: least size of a view")
    add("--translation", type=integer(1, 255), default=7, help="transfer: pixels a side of the smoothing")
    args = parser.parse(argv, lambda args: RECIPES[args.method])
    if args.synthetic and args.proxy == ["vgg16"]:
        args.proxy = ["classifier.keras"]  # which --synthetic makes
    if args.method != "transfer":
        parser.unused("--diversity", "--translation", by=f"--method {args.method}")
    if args.learning_rate > 2:
        parser.error(f"--learning-rate {args.learning_rate}: expected above 0, up to 2")
    if args.translation % 2 == 0:
        parser.error(f"--translation {args.translation}: expected an odd number from 1 on")
    if args.method == "minimal" and args.loss != "margin":
        parser.error("--method minimal searches where the margin is above 0: expected no other --loss")
    if args.method == "fgsm" and (args.iterations, args.learning_rate) != (1, 1.0):
        parser.error("--method fgsm takes one step of epsilon: expected no --iterations or --learning-rate")
    return args


def main(argv=None):
    args = parse_args(argv)
    claim(args)
    spare_folder(args.out_dir / "images", r"[0-9]{3,}\.png")
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    images, labels, categories, names = load_images(data_dir)
    device = start_keras(args.seed, tensorflow=True)
    from training import build, craft, misread

    model = build(args.proxy, data_dir, images, categories)
    right = ~misread(model, images, labels, args.batch_size)
    head(
        args,
        f"images {images.shape}, {len(categories)} categories, {right.sum()} read right by the proxy",
        f"{' + '.join(args.proxy)}, {model.count_params()} parameters, on {device}",
    )

    started = time.perf_counter()
    chosen = np.full(len(labels), True) if args.method == "transfer" else right
    if not chosen.any():
        raise BadInput("The proxy reads no image right, so there is none to attack; bring another --proxy.")
    attacked = images.copy()
    attacked[chosen], history = craft(args, model, images[chosen], labels[chosen])
    seconds = time.perf_counter() - started

    write_images(args.out_dir / "images", attacked, names)
    saved = read_image_files(args.out_dir / "images", names)  # what counts is what is on the disk
    fooled = misread(model, saved, labels, args.batch_size)
    distances = np.abs(saved.astype(int) - images).max(axis=(1, 2, 3))
    metrics = {
        "metric": "share misread",
        "score": fooled.mean(),
        "misread_before": np.mean(~right),
        "mean_distance": distances.mean(),
        "largest_distance": int(distances.max()),
        "attacked": int(chosen.sum()),
        "parameters": model.count_params(),
        "seconds": {"one_fit": seconds, "all": time.perf_counter() - started},
    }
    print(
        f"misread {np.mean(~right):.3f} before the attack and {fooled.mean():.3f} after it, "
        f"at a mean distance of {distances.mean():.3f} grey levels"
    )
    lines = {"queried": "queried", "correct": "still classified right"}
    panels = {"images": lines, "mean margin, logits": {"mean_margin": "of those queried"}}
    files = {"images": None, "history.csv": history, "learning_curve.png": learning_curve(history, panels)}
    return record(args, metrics, files)


if __name__ == "__main__":
    run(main)
