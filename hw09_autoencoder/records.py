"""Not part of the lesson: the files of a training, written whole, and known to be of one training when read.

The file is the same in every chapter, so that a folder runs alone: edit one, run tests/copy_scaffold.py.
"""

import contextlib
import hashlib
import json
import os
import platform
import re
import sys
import warnings

from scaffold import SYSTEM_FILES, BadInput, remove, replacing

warnings.filterwarnings("ignore", "Glyph")  # a character that the font has not is drawn as a box
warnings.filterwarnings("ignore", "constrained_layout not applied")  # of very many lines


def claim(args):
    """Make --out-dir, try it, and lock it: before a training, not after.

    Raises BadInput if it is taken, or holds no checkpoint to --resume but one that was set aside.
    """
    folder = args.out_dir
    if os.path.realpath(folder) == os.path.realpath(args.data_dir):
        raise BadInput(f"--out-dir {folder} is --data-dir, whose files would be overwritten; choose another.")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("metrics.json", "history.csv", "learning_curve.png", "model.keras", "model.npz"):
        if (folder / name).is_dir():
            raise BadInput(f"{folder / name} is a folder, expected a file; choose another --out-dir.")
    lock(folder)
    for left in [*folder.glob("half-written-*"), *(folder / "synthetic").rglob("half-written-*")]:
        # by a process that was killed, maybe between its two renames of a folder
        older = re.fullmatch(r"half-written-\d+-older-(.*)", left.name)
        if older and not left.with_name(older[1]).exists():
            left.rename(left.with_name(older[1]))
        remove(left)
    with replacing(folder / ".probe") as path:
        path.write_bytes(b"0" * 4096)
    (folder / ".probe").unlink()
    earlier = sorted(path.name for path in folder.glob("earlier-[!0-9]*"))
    missing = [name.removeprefix("earlier-") for name in earlier if name.startswith("earlier-checkpoint")]
    if getattr(args, "resume", False) and missing and not list(folder.glob("checkpoint*.npz")):
        names = " and ".join(earlier)
        raise BadInput(f"--resume: {folder} has no {missing[0]}; rename {names} to go on from that.")


def set_aside(args, *written):
    """Without --resume: rename an earlier training's checkpoint, and what was written beside it.

    written: names of that, with wildcards. Called when the data are read, since a training that cannot begin
    takes nothing away.
    """
    folder = args.out_dir
    checkpoints = list(folder.glob("checkpoint*.npz"))
    if checkpoints and not args.resume:
        files = [*checkpoints, *(path for pattern in written for path in folder.glob(pattern))]
        prefix, number = "earlier-", 1
        while any((folder / (prefix + path.name)).exists() for path in files):
            number += 1
            prefix = f"earlier-{number}-"
        for path in files:
            path.replace(folder / (prefix + path.name))
        names = ", ".join(prefix + path.name for path in files)
        print(f"note: begins anew; the checkpoint of the training before, for --resume, is now {names}")


_locks = {}  # folder -> file descriptor: held until record() has written, or this process ends


def lock(folder):
    """Keep other processes from training into a folder. Raises BadInput if one does. Not on Windows."""
    if os.name == "nt" or folder.resolve() in _locks:
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise BadInput(
            f"{folder}: another training writes there; wait until it ends, or choose another --out-dir."
        ) from error
    except OSError:  # a file system without locks: nothing is known of other trainings
        os.close(descriptor)
        return
    _locks[folder.resolve()] = descriptor


def release():
    """Let others train into the folders that this process has locked."""
    while _locks:
        os.close(_locks.popitem()[1])


def learning_curve(history, panels, marks=None, **settings):
    """Lines over the epochs: panels is {ylabel: {column: label}}, settings go to each panel's axes.set.

    marks: {epoch: label} of what begins with these epochs, a dotted line each.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(max(7, 4.5 * len(panels)), 4), layout="constrained")
    for axes, (ylabel, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items()):
        for column, label in lines.items():
            axes.plot(history.index, history[column], ".-", label=plain(label))
        for epoch, label in (marks or {}).items():
            axes.axvline(epoch - 0.5, color="grey", linestyle=":", label=label)
        axes.set(xlabel=history.index.name, ylabel=ylabel, **settings)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)  # not on the curves
    return figure


def plain(text):
    """A user's text for Matplotlib, in which a pair of $ would begin a formula; a name need not be UTF-8."""
    return str(text).encode("utf-8", "backslashreplace").decode().replace("$", r"\$")


def record(args, metrics, files):
    """Write a training's files, {name: function of a path}, and last metrics.json, which knows them all.

    In place of a function may stand a figure, a DataFrame, or None for a file that is there already.
    Returns the metrics as they are written.
    """
    modules = [name for name in ("numpy", "keras", "tensorflow", "jax") if name in sys.modules]
    versions = {"python": platform.python_version()} | {
        name: sys.modules[name].__version__ for name in modules
    }
    with contextlib.ExitStack() as stack:
        last = stack.enter_context(replacing(args.out_dir / "metrics.json"))  # entered first: renamed last
        prints = {}
        for name, content in files.items():
            if content is None:
                prints[name] = fingerprint(args.out_dir / name)
                continue
            path = stack.enter_context(replacing(args.out_dir / name))
            if hasattr(content, "savefig"):
                content.savefig(path)
            elif hasattr(content, "to_csv"):
                content.to_csv(path)
            else:
                content(path)
            prints[name] = fingerprint(path)
        metrics = {**metrics, "versions": versions, "arguments": vars(args), "files": prints}
        prints["metrics.json"] = own_fingerprint(metrics)
        write_json(last, metrics)
    release()
    print(f"{metrics['metric']} {metrics['score']:.4f}   {args.out_dir / next(iter(files))}", flush=True)
    return metrics


def write_json(path, content):
    path.write_bytes(as_json(content))


def as_json(content):
    words = json.dumps(content, indent=2, default=plain_value, ensure_ascii=False) + "\n"
    return words.encode("utf-8", errors="backslashreplace")  # a folder's name need not be UTF-8


def plain_value(value):
    """What JSON has for a value of NumPy, or a path: a number, or text."""
    return value.item() if hasattr(value, "item") else str(value)


def fingerprint(path):
    """A digest of a file, or of a folder's files and their names, but for what a system leaves there."""
    digest = hashlib.sha256()
    inside = [
        file
        for file in sorted(path.glob("[!.]*"))
        if file.is_file() and file.name.lower() not in SYSTEM_FILES
    ]
    for file in inside if path.is_dir() else [path]:
        digest.update(os.fsencode(file.name if path.is_dir() else "") + file.read_bytes())
    return digest.hexdigest()[:16]


def own_fingerprint(metrics):
    """A digest of all that metrics.json says but for this digest, which stands in it."""
    files = {name: digest for name, digest in metrics["files"].items() if name != "metrics.json"}
    return hashlib.sha256(as_json({**metrics, "files": files})).hexdigest()[:16]


def read_metrics(folder):
    """metrics.json of a training. Raises BadInput if it is missing or was edited."""
    path = folder / "metrics.json"
    try:
        if path.exists() and not path.is_file():
            raise TypeError("a folder, or what never ends")
        metrics = json.loads(path.read_text("utf-8"))
        if not isinstance(metrics["arguments"], dict) or not isinstance(metrics["files"], dict):
            raise TypeError("other kinds")
        own = own_fingerprint(metrics)
        if metrics["files"].get("metrics.json", own) != own:
            raise ValueError("edited by hand")
    except FileNotFoundError as error:
        raise BadInput(f"{path} is missing; run train.py first, with the same --out-dir.") from error
    except PermissionError:
        raise
    except (Exception, RecursionError) as error:
        raise BadInput(f"{path} is not what train.py wrote; run train.py again.") from error
    return metrics


def trained(args, *names, folder=None, own_input=False):
    """The metrics of the training in --out-dir, or another folder, to predict with its files of these names.

    Raises BadInput if a file is missing or of another training, or if the training was of made-up data and
    the files to predict are real, or the other way round; for a person's own input any training will do.
    """
    folder = folder or args.out_dir
    for name in names:
        if not (folder / name).is_file() and not (folder / name).is_dir():
            command = "train.py --synthetic" if args.synthetic else "train.py"
            raise BadInput(f"{folder / name} is missing; run {command} first, with the same --out-dir.")
    metrics = read_metrics(folder)
    for name in names:
        if metrics["files"].get(name) != fingerprint(folder / name):
            raise BadInput(f"{folder / name} and metrics.json are of two trainings; run train.py to its end.")
    if not own_input and bool(metrics["arguments"].get("synthetic")) != args.synthetic:
        kinds = ("made-up", "real") if metrics["arguments"].get("synthetic") else ("real", "made-up")
        ways = ("train.py on the real files first", "with --synthetic")
        raise BadInput(
            f"{folder / names[0]} was trained on {kinds[0]} data and the files are {kinds[1]}; run "
            f"{' or run predict.py '.join(ways) if kinds[0] == 'made-up' else 'train.py --synthetic first'}."
        )
    return metrics


def check_models(args, paths, own_input=False):
    """Check what predict.py reads as trained() does: that of --out-dir, or the files of --model.

    Of the latter only those that a metrics.json beside them names: one that was sent to somebody has none.
    """
    for path in paths:
        files = read_metrics(path.parent)["files"] if (path.parent / "metrics.json").is_file() else ()
        if not args.model or path.name in files:
            names = ["classes.txt"] if "classes.txt" in files else []
            trained(args, path.name, *names, folder=path.parent, own_input=own_input)


def spare(args, paths, *outputs):
    """Raise BadInput if one of a person's own files is to be overwritten: of these names, in --out-dir.

    paths: what flags were given, None among them where one was not.
    """
    for path in filter(None, paths or ()):
        if os.path.realpath(path.parent) == os.path.realpath(args.out_dir) and any(map(path.match, outputs)):
            raise BadInput(f"{path} would be overwritten; choose another --out-dir.")


def spare_folder(folder, pattern):
    """Raise BadInput if a folder that is to be replaced holds files of names that no script here gives."""
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder} is no folder, expected to write one there; choose another --out-dir.")
    found = [path for path in sorted(folder.glob("[!.]*")) if path.name.lower() not in SYSTEM_FILES]
    others = [path for path in found if not re.fullmatch(pattern, path.name) or not path.is_file()]
    if others:
        raise BadInput(f"{others[0]} would be lost, since {folder} is replaced; choose another --out-dir.")


def finished(args):
    """Whether a training with these flags, those of train.py, has ended in --out-dir: a report reuses it.

    Raises BadInput if its files are not those that it wrote.
    """
    folder = args.out_dir
    if not (folder / "metrics.json").is_file():
        return False
    metrics = read_metrics(folder)
    flags = json.loads(json.dumps(vars(args), default=str))
    chosen = {name for name, value in flags.items() if value is not None}  # else the data decide
    if any(metrics["arguments"].get(name) != flags[name] for name in chosen - {"out_dir", "resume"}):
        return False
    for name, digest in metrics["files"].items():
        path = folder / name
        if name != "metrics.json" and (not path.exists() or fingerprint(path) != digest):
            raise BadInput(f"{path} is not what train.py wrote; remove its folder to train anew.")
    return True


def measured_since(path, training=None):
    """Whether a report's file is there, and newer than the training it was measured on, that beside it."""
    training = training or path.with_name("metrics.json")
    return path.is_file() and not (training.is_file() and training.stat().st_mtime > path.stat().st_mtime)


def without_folders(value):
    """A flag's value, or each of a list, without the folders of a file's name."""
    if isinstance(value, list):
        return [without_folders(part) for part in value]
    return os.path.basename(value) if isinstance(value, str) else value


def publish(results, tables, metrics):
    """Write report.csv, and metrics.json without the run's own folders, files by their names alone; print the
    tables as Markdown rows."""
    results.mkdir(parents=True, exist_ok=True)
    metrics = {name: value for name, value in metrics.items() if name != "files"}
    kept = {k: v for k, v in metrics["arguments"].items() if not k.endswith("_dir")}
    metrics["arguments"] = {name: without_folders(value) for name, value in kept.items()}
    with replacing(results / "report.csv") as path:
        tables.to_csv(path, index=False)
    with replacing(results / "metrics.json") as path:
        write_json(path, metrics)
    for name, table in tables.groupby("table", sort=False):
        print(f"\n{name}\n")
        for row in table.drop(columns="table").to_numpy():
            print("| " + " | ".join(map(str, row)) + " |")
