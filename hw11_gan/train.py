"""Train a generative adversarial network (GAN) to draw faces from noise.

    python hw11_gan/train.py                                       the default, measured with what there is
    python hw11_gan/train.py --feature-model squeezenet.keras      measured with a network of your own
    python hw11_gan/train.py --synthetic                           the same on drawn faces, in seconds
    python hw11_gan/train.py --loss wgan-gp --loop fit             another loss, and Keras' own loop
    python hw11_gan/train.py --original                            the course's network and settings
    python hw11_gan/train.py --resume                              go on after the last finished epoch

The score is the kernel inception distance (KID, times 1000, less is better) between generated faces and faces
that no training has seen. <out-dir>/samples has a sheet for each epoch, of the same noise each time,
and faces.gif shows them one after the other. Nothing is chosen during a training.
"""

import time

from scaffold import HELP, BadInput, Parser, head, integer, number, run

from dataset import load_faces, make_synthetic
from device import start_keras
from recipes import LOSS_RECIPES, recipe_of
from records import claim, learning_curve, record, set_aside
from sheets import write_flip_book


def parse_args(argv=None):
    parser = Parser(__doc__, "train", "folder that holds faces/", resume=True, devices=True)
    add = parser.add_argument
    add("--image-size", type=integer(16, 128), choices=[16, 32, 64, 128], help="pixels a side")
    add("--loop", choices=["gradients", "fit"], default="gradients", help="gradient tapes, or Keras' fit()")
    add("--loss", choices=list(LOSS_RECIPES), default="dcgan", help="the GAN's loss, see losses.py")
    add("--original", action="store_true", help="the course's networks and settings")
    add(
        "--feature-model",
        default="automatic",
        help="what measures: inceptionv3, own, none, or a .keras file, in --data-dir too; automatic: the "
        "first if it can be downloaded, else the chapter's own",
    )
    add("--discriminator-steps", type=integer(1, 16), help="its updates a step, each by another batch")
    add("--generator-steps", type=integer(1, 16), default=1, help="its updates a step; many: collapse")
    add("--diversity", type=number(float, 0, 1e6), default=0.0, help="strength of the mode-seeking loss")
    add("--full-precision", action="store_true", help="compute in float32, not in bfloat16")
    args = parser.parse(argv, recipe_of)
    if args.synthetic and args.feature_model in ("automatic", "inceptionv3"):
        args.feature_model = "features.keras"  # which --synthetic makes
    if args.batch_size < 2:
        parser.error(f"--batch-size {args.batch_size}: expected at least 2")
    if args.loop == "gradients" and (args.devices or 1) > 1:
        parser.error(f"--devices {args.devices}: expected 1, or --loop fit, which shares batches")
    if args.original and args.loss != "dcgan":
        parser.error(f"--loss {args.loss}: --original has dcgan's")
    return args


def main(argv=None):
    args = parse_args(argv)
    claim(args)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    faces, held_out, done = load_faces(data_dir, args.image_size)
    rows = args.batch_size * args.discriminator_steps
    if len(faces) < rows:
        raise BadInput(
            f"{data_dir / 'faces'} has {len(faces)} faces to train with, expected at least the {rows} of "
            f"a step, --batch-size {args.batch_size} times --discriminator-steps {args.discriminator_steps}; "
            f"{HELP}."
        )
    sharing = args.devices if args.loop == "fit" else 1, args.batch_size
    device = start_keras(args.seed, args.full_precision, tensorflow=True, share=sharing)
    from training import begin, fit, measured, sheets_of

    set_aside(args, "samples")
    gan, features = begin(args, data_dir, faces)
    parameters = gan.generator.count_params(), gan.discriminator.count_params()
    head(
        args,
        f"faces {faces.shape}, {len(held_out)} more kept aside; {done or 'all of one size and mode'}",
        f"generator {parameters[0]} parameters, discriminator {parameters[1]}, on {device}",
    )

    history = fit(args, gan, faces)
    fitted, one_fit = time.perf_counter(), float(history.seconds.sum())
    own = args.feature_model in ("automatic", "own") and features.name == "own"
    metrics = {
        "metric": "KID x 1000 to the faces kept aside" + (", by this training's own features" if own else ""),
        **(measured(args, gan, features, held_out) if features else unmeasured(history)),
        "parameters": sum(parameters),
        "seconds": {
            "one_fit": one_fit,
            "one_fit_of_all_cores": float(history.processor_seconds.sum()),
            "all": one_fit + time.perf_counter() - fitted,
        },
    }
    if features:
        metrics["score"] = metrics["kid"]
        print("   ".join(f"{name} {metrics[name]:.3f}" for name in ("fid", "spread", "duplicates")))
    sheets = sheets_of(args, history.index)
    lines = {"discriminator": "discriminator", "generator": "generator"}
    files = {
        "model.keras": gan.averaged.save,
        **({"faces.gif": lambda path: write_flip_book(sheets, path)} if sheets else {}),
        **({"features.keras": None} if own else {}),
        "history.csv": history,
        "learning_curve.png": learning_curve(history, {"mean loss: it says little about the images": lines}),
    }
    return record(args, metrics, files)


def unmeasured(history):
    """The metric and score of a training that nothing measures."""
    return {
        "metric": "generator's loss, which says little about the faces",
        "score": float(history.generator.iloc[-1]),
    }


if __name__ == "__main__":
    run(main)
