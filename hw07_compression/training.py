"""The chain: a teacher, a student, what pruning leaves of it, and the file.

In history.csv stage 0 is a teacher of our own, 1 the student, 2 its fine-tuning after pruning.
"""

import sys
from argparse import Namespace

from scaffold import replacing

import keras
import numpy as np
from architecture import multiply_adds
from checkpoint import Checkpoint
from compressed import read_compressed, write_within
from device import divisible
from distillation import Distillation, Views, logits, true_class_accuracy
from model import accuracy, adopt, build_student, fold, inference_copy, load_teacher, make_plan
from pruning import prune_channels, prune_weights
from records import fingerprint

TEACHER_WIDTH = 2  # of an own teacher, times --width
STAGES = ("teacher", "student", "pruned")
HISTORY = (
    "stage",
    "accuracy",
    "loss",
    "val_accuracy",
    "val_loss",
    "seconds",
    "processor",
)  # columns of history.csv
WARM_UP = 0.1  # share of a stage's steps in which the learning rate rises
FINE = 4  # after a stage of training, fine-tuning has a fourth of its epochs and of its learning rate
MIXED, MIXED_FROM = 0.5, 30  # share of the images that hold a box of another, where epochs are so many
DECAY = 5e-3  # times the rate, past the momentum: ten times what an L2 penalty of the same effect would have
WATCHED = 1000  # images of validation/ that history.csv is about; the score is about all
AFTERWARDS = {"limit", "bits", "grid"}  # may change with --resume


def given_teacher(args, side):
    """The classifier of --teacher, or None; and the side of its images, or else `side`."""
    teacher = load_teacher(args.teacher) if args.teacher else None
    return teacher, teacher.input_shape[1] if teacher else side


def fit(args, stage, model, views, validation):
    """Train a stage, with --resume from its last finished epoch on. Returns its rows of history.csv.

    SGD with Nesterov's momentum; the learning rate rises for a tenth of the steps and falls along a cosine.
    """
    part = FINE if stage == "pruned" and not args.from_teacher else 1
    alpha, epochs = args.alpha if views.teacher else 0.0, max(1, args.epochs // part)
    steps = epochs * len(views)
    warm_up, highest = int(WARM_UP * steps), args.learning_rate / part
    rate = keras.optimizers.schedules.CosineDecay(
        highest / 10, steps - warm_up, warmup_target=highest, warmup_steps=warm_up
    )
    model.compile(
        keras.optimizers.SGD(rate, 0.9, nesterov=True, weight_decay=DECAY),
        Distillation(args.temperature, alpha),
        metrics=[keras.metrics.MeanMetricWrapper(true_class_accuracy, name="accuracy")],
        jit_compile=keras.backend.backend() != "tensorflow",  # there it takes 2.6 times as long
    )
    model.optimizer.build(model.trainable_variables)
    free = AFTERWARDS if stage == "pruned" else AFTERWARDS | {"prune", "rank"}
    teacher = args.teacher and f"{args.teacher.name} ({fingerprint(args.teacher)})"  # it may lie elsewhere
    settings = Namespace(**vars(args) | {"teacher": teacher})
    checkpoint = Checkpoint(settings, (views.images, views.labels), free, f"checkpoint_{stage}.npz")
    variables = [*model.variables, *model.optimizer.variables]
    if args.resume:
        checkpoint.restore(variables)
    if len(checkpoint.rows) < epochs:
        views.label_with_teacher()
        views.start(len(checkpoint.rows))
        some = np.linspace(0, len(validation[1]) - 1, min(WATCHED, len(validation[1]))).astype(int)
        images, labels = validation[0][some], views.one_hot[validation[1][some]]
        teacher_logits = logits(views.teacher, images) if views.teacher else np.zeros_like(labels)
        model.fit(
            views,
            validation_data=(divisible(images), divisible(np.concatenate([labels, teacher_logits], axis=1))),
            validation_batch_size=len(divisible(range(500))),
            initial_epoch=len(checkpoint.rows),
            epochs=epochs,
            shuffle=False,  # Views does
            verbose=1 if sys.stdout.isatty() else 2,
            callbacks=[checkpoint.callback(variables)],
        )
    return [{"stage": STAGES.index(stage), **row} for row in checkpoint.rows]


def measured(step, model, validation, written=None):
    """A row of the chain: what a model costs and how right it is; in float32, a weight takes four bytes."""
    row = {
        "step": step,
        "bytes": written or 4 * model.count_params(),
        "parameters": model.count_params(),
        "nonzero": int(sum(np.count_nonzero(weight) for weight in model.get_weights())),
        "multiply_adds": multiply_adds(model),
        "accuracy": accuracy(model, *validation),
    }
    print(
        f"{step}: {row['bytes']:,} bytes, {row['parameters']:,} parameters, "
        f"{row['multiply_adds']:,} multiply-adds, accuracy {row['accuracy']:.4f}",
        flush=True,
    )
    return row


def compress(args, teacher, size, classes, training, validation):
    """Run the whole chain, which ends with compressed.npz.

    teacher: a classifier, or None to train one first where the flags need it. Returns the steps as dicts, the
    rows of history.csv, the folded model, its plan, and the bits a weight that the file has.
    """
    policy = keras.mixed_precision.dtype_policy().name  # of training; what measures is in float32
    keras.mixed_precision.set_global_policy("float32")
    plan = make_plan(size, classes, args.block, args.width)
    steps, rows = [], []
    mixed = MIXED if args.epochs >= MIXED_FROM else 0.0
    views = Views(*training, classes, args.batch_size, args.seed, mixed=mixed)

    def note(step, model, written=None):
        steps.append(measured(step, model, validation, written))
        return model

    own = None
    if teacher is None and (args.alpha > 0 or args.from_teacher):
        wide = make_plan(size, classes, "normal", args.width * TEACHER_WIDTH)
        own = build_student(wide, policy=policy), wide
        rows += fit(args, "teacher", own[0], views, validation)
        teacher = fold(*own)
        with replacing(args.out_dir / "teacher.keras") as path:
            teacher.save(path)
    if teacher:
        note("teacher", teacher)
    if args.alpha > 0:
        views.teacher = inference_copy(teacher, policy)

    if args.from_teacher:
        student, plan = own or adopt(teacher, args.teacher, policy)
        folded = fold(student, plan)
    else:
        student = build_student(plan, policy=policy)
        rows += fit(args, "student", student, views, validation)
        folded = note("student", fold(student, plan))
    if args.prune > 0:
        if args.rank == "magnitude":
            prune_weights(student, args.prune)
        else:
            student, plan = prune_channels(student, plan, args.prune, args.rank)
        note("pruned", fold(student, plan))
        rows += fit(args, "pruned", student, views, validation)
        folded = note("fine-tuned", fold(student, plan))
    path = args.out_dir / "compressed.npz"
    bits, written = write_within(path, folded, plan, args.limit, args.bits, not args.grid)
    note("file", read_compressed(path)[0], written)
    return steps, rows, folded, plan, bits
