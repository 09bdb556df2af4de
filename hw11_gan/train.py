"""Let a forger and a detective grow up together: faces out of noise.

    python hw11_gan/train.py                                       the default, measured with InceptionV3
    python hw11_gan/train.py --feature-model squeezenet.keras      measured with a network of your own
    python hw11_gan/train.py --synthetic                           the same on drawn faces, in seconds
    python hw11_gan/train.py --loss wgan-gp --loop fit             another loss, and Keras' own loop
    python hw11_gan/train.py --original                            the course's network and settings
    python hw11_gan/train.py --resume --epochs 150                 go on after the last finished epoch

The score is the kernel inception distance (KID, times 1000, less is better) between generated faces and faces
that no training has seen. <out-dir>/samples has a sheet for each epoch, of the same noise each time: a
flip-book. Nothing is chosen during a training.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np
import pandas as pd
from dataset import HELP, BadInput, load_faces, make_synthetic, replacing, run

HERE = Path(__file__).resolve().parent
CHECKPOINT, FEATURES = "checkpoint.npz", "real_features.npz"
GENERATED = 500  # pictures that are measured
SHEET = 64  # pictures of an epoch's sheet
RECIPES = {  # epochs, batch size, learning rate, pixels a side, width of the networks, side of their kernels
    "default": (50, 32, 0.0002, 64, 32, 4),
    "original": (10, 64, 0.0001, 64, 64, 5),
    "synthetic": (60, 16, 0.0005, 32, 16, 4),
}
DISCRIMINATOR = {  # loss: its discriminator's learning rate, as a multiple of the generator's; Adam's beta_1
    "dcgan": (1, 0.5),
    "lsgan": (1, 0.5),
    "wgan": (1, 0.0),
    "wgan-gp": (2, 0.0),
    "sngan": (2, 0.5),
}


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Train a generator of faces against a discriminator.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--data-dir", type=Path, default=HERE / "data", help="folder that holds faces/")
    parser.add_argument("--out-dir", type=Path, default=HERE / "out", help="folder to write to")
    parser.add_argument("--synthetic", action="store_true", help="draw faces and use them")
    parser.add_argument("--seed", type=int, default=0, help="seed of all that is random")
    parser.add_argument("--epochs", type=int, help="passes over the faces; None: see RECIPES")
    parser.add_argument("--batch-size", type=int, help="faces a step; None: see RECIPES")
    parser.add_argument("--learning-rate", type=float, help="the generator's, of Adam; None: see RECIPES")
    parser.add_argument(
        "--image-size", type=int, choices=[16, 32, 64, 128], help="pixels a side; None: see RECIPES"
    )
    parser.add_argument(
        "--loop", choices=["gradients", "fit"], default="gradients", help="who takes the gradients"
    )
    parser.add_argument(
        "--loss", choices=list(DISCRIMINATOR), default="dcgan", help="what both networks are trained to"
    )
    parser.add_argument(
        "--original",
        action="store_true",
        help="the course's: wide networks, kernels of 5, no augmentation, no averaged weights",
    )
    parser.add_argument(
        "--feature-model",
        help="what measures: inceptionv3, or a .keras file, looked for in --data-dir too; None: inceptionv3, "
        "or what --synthetic makes",
    )
    parser.add_argument(
        "--generator-steps", type=int, default=1, help="updates of the generator a step; many: collapse"
    )
    parser.add_argument("--diversity", type=float, default=0.0, help="strength of the mode-seeking loss")
    parser.add_argument("--float32", action="store_true", help="compute in float32 instead of bfloat16")
    parser.add_argument("--resume", action="store_true", help="go on after the last finished epoch")
    args = parser.parse_args(argv)
    for flag, value in zip(("epochs", "batch_size", "learning_rate", "image_size"), recipe_of(args)):
        if getattr(args, flag) is None:
            setattr(args, flag, value)
    if args.feature_model is None:
        args.feature_model = "features.keras" if args.synthetic else "inceptionv3"
    return args


def recipe_of(args):
    """The entry of RECIPES that the flags ask for."""
    return RECIPES["original" if args.original else "synthetic" if args.synthetic else "default"]


def check(args):
    """Raise BadInput where a flag is out of range."""
    for wrong, sentence in [
        (not 0 <= args.seed < 2**31, f"--seed {args.seed}: expected 0 to 2147483647."),
        (args.epochs < 1, f"--epochs {args.epochs}: expected at least 1."),
        (args.batch_size < 2, f"--batch-size {args.batch_size}: expected at least 2."),
        (not 0 < args.learning_rate < np.inf, f"--learning-rate {args.learning_rate}: expected more than 0."),
        (
            not 1 <= args.generator_steps < 32,
            f"--generator-steps {args.generator_steps}: expected 1 to 31.",
        ),
        (not 0 <= args.diversity < np.inf, f"--diversity {args.diversity}: expected 0 or more."),
        (args.original and args.loss != "dcgan", f"--loss {args.loss}: --original has dcgan's."),
    ]:
        if wrong:
            raise BadInput(sentence)


def main(argv=None):
    args = parse_args(argv)
    check(args)
    began = time.perf_counter()
    args.out_dir.mkdir(parents=True, exist_ok=True)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    faces, aside, done = load_faces(data_dir, args.image_size)
    if len(faces) < args.batch_size:
        raise BadInput(
            f"{data_dir / 'faces'} has {len(faces)} faces to train with, expected at least --batch-size "
            f"{args.batch_size}; {HELP}."
        )
    print(f"faces {faces.shape}, {len(aside)} more kept aside; {done or 'all of one size and mode'}")

    import keras  # here, with TensorFlow, so that --help and a wrong file need not wait for it
    from checkpoint import go_on
    from features import load_features, measure
    from gradients import train_by_gradients
    from model import draw_noise, generate
    from trainer import train_by_fit

    features = load_features(args.feature_model, data_dir)
    keras.utils.set_random_seed(args.seed)
    pair = build_pair(args)
    parameters = pair.generator.count_params(), pair.discriminator.count_params()
    print(f"generator {parameters[0]} parameters, discriminator {parameters[1]}, loss {args.loss}")
    print(f"writes to {args.out_dir}", flush=True)

    if not args.resume:
        (args.out_dir / CHECKPOINT).unlink(missing_ok=True)
    rows = go_on(args.out_dir / CHECKPOINT, args, pair)
    train = train_by_gradients if args.loop == "gradients" else train_by_fit
    train(pair, faces, args.batch_size, len(rows), args.epochs, finisher(args, pair, rows))

    generated = generate(pair.averaged, draw_noise(GENERATED, args.seed))
    metrics = {
        "metric": "KID x 1000 to the faces kept aside",
        **measure(features, aside, generated, args.out_dir / FEATURES),
        "parameters": sum(parameters),
        "seconds": {
            "one_fit": sum(row["seconds"] for row in rows),
            "one_fit_of_all_cores": sum(row["processor_seconds"] for row in rows),
            "all": time.perf_counter() - began,
        },
        "versions": {"python": platform.python_version(), "keras": keras.__version__},
        "arguments": vars(args),
    }
    metrics["score"] = metrics["kid"]
    write(args.out_dir, pair.averaged, rows, metrics)
    print(f"{metrics['metric']} {metrics['score']:.2f}   {args.out_dir / 'model.keras'}")
    return metrics


def build_pair(args):
    """The networks, optimisers and draws that the flags ask for, untrained."""
    import keras
    from losses import LOSSES
    from model import build_discriminator, build_generator
    from pair import DECAY, Pair

    keras.mixed_precision.set_global_policy("float32" if args.float32 else "mixed_bfloat16")
    *_, width, kernel = recipe_of(args)
    width = min(width, RECIPES["synthetic"][-2]) if args.synthetic else width
    multiple, beta_1 = DISCRIMINATOR[args.loss]
    try:
        return Pair(
            build_generator(args.image_size, width, kernel, 0.99 if args.original else 0.9),
            build_discriminator(args.image_size, width, kernel, LOSSES[args.loss][-1]),
            args.loss,
            learning_rates=(args.learning_rate, multiple * args.learning_rate),
            beta_1=beta_1,
            generator_steps=args.generator_steps,
            diversity=args.diversity,
            augmented=not args.original,
            decay=0.0 if args.original else DECAY,
            seed=args.seed,
        )
    finally:
        keras.mixed_precision.set_global_policy("float32")  # what is built later measures


def finisher(args, pair, rows):
    """finish(epoch, losses): add to the rows, write the epoch's sheet, the checkpoint and a line."""
    from checkpoint import keep
    from model import draw_noise, generate, settle
    from pictures import sheet

    noise, clocks = draw_noise(SHEET, args.seed), [time.perf_counter(), time.process_time()]
    (args.out_dir / "samples").mkdir(exist_ok=True)

    def finish(epoch, losses):
        weights = [np.isfinite(weight).all() for weight in pair.averaged.get_weights()]
        if not (np.isfinite(losses).all() and all(weights)):
            raise BadInput(
                f"epoch {epoch}: a loss is not a number, --learning-rate {args.learning_rate} may be too "
                f"large; {args.out_dir / CHECKPOINT} holds what was before, if there was an epoch."
            )
        of_discriminator, of_generator = np.mean(losses, axis=0)
        seconds, of_processor = time.perf_counter() - clocks[0], time.process_time() - clocks[1]
        rows.append(
            {
                "discriminator": of_discriminator,
                "generator": of_generator,
                "seconds": seconds,
                "processor_seconds": of_processor,
            }
        )
        print(f"epoch {epoch}/{args.epochs}   discriminator {of_discriminator:.3f}", end="   ")
        print(f"generator {of_generator:.3f}   {seconds:.1f} s", flush=True)
        settle(pair.averaged)
        with replacing(args.out_dir / "samples" / f"epoch_{epoch:03d}.png") as path:
            sheet(generate(pair.averaged, noise), columns=8).save(path)
        keep(args.out_dir / CHECKPOINT, args, pair, rows)
        clocks[:] = time.perf_counter(), time.process_time()

    return finish


def plot_losses(history):
    """Both losses over the epochs, as a figure."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for name in ("discriminator", "generator"):
        axes.plot(history.index, history[name], label=name)
    axes.set(xlabel="epoch", ylabel="mean loss: it says little about the pictures")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def write(out_dir, model, rows, metrics):
    """Write model.keras, history.csv, learning_curve.png and metrics.json; print the distances."""
    history = pd.DataFrame(rows, pd.RangeIndex(1, len(rows) + 1, name="epoch"))
    with replacing(out_dir / "model.keras") as path:
        model.save(path)
    with replacing(out_dir / "history.csv") as path:
        history.to_csv(path)
    with replacing(out_dir / "learning_curve.png") as path:
        plot_losses(history).savefig(path)
    with replacing(out_dir / "metrics.json") as path:
        path.write_text(json.dumps(metrics, indent=2, default=str) + "\n")
    print("   ".join(f"{name} {metrics[name]:.3f}" for name in ("fid", "spread", "duplicates")))


if __name__ == "__main__":
    run(main)
