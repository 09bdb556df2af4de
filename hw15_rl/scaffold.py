"""Not part of the lesson: what the scripts of all chapters do alike, from flags to files.

The file is the same in every chapter, so that a folder runs alone: edit one, run tests/copy_scaffold.py.
It stands before the other imports: it sets what Keras and Matplotlib read from the environment.
"""

import argparse
import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
HELP = f"see {HERE.name}/README.md, or try --synthetic"
LARGE_FLAGS = ("batch_size", "image_size", "width", "units", "code_size", "count", "examples")  # need memory
FREE_FLAGS = {"data_dir", "out_dir", "resume"}  # may differ when a training goes on

# The user's settings change no result, nor does a notebook's MPLBACKEND; of keras.json see device.py.
os.environ.update(MPLBACKEND="agg", MATPLOTLIBRC=os.devnull)
os.environ["KERAS_BACKEND"] = os.environ.get("KERAS_BACKEND") or "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # errors are raised, too
for _name in ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH"):
    os.environ.pop(_name, None)
for _number, _name in enumerate(("stdin", "stdout", "stderr")):
    if getattr(sys, _name) is None:  # closed by the shell: the next file opened would take its number
        os.dup2(os.open(os.devnull, os.O_RDWR), _number)
        setattr(sys, _name, open(_number, "r+" if _number == 0 else "w", closefd=False))  # noqa: SIM115
    elif _number and hasattr(getattr(sys, _name), "reconfigure"):
        getattr(sys, _name).reconfigure(errors="backslashreplace")


class BadInput(ValueError):
    """What the user brought cannot be used: one sentence that says what, where, and the way out."""


def run(main):
    """Call a script's main(). Bad input, a full disk, Ctrl-C end in one line on stderr, and a status."""
    try:
        result = main()
        sys.stdout.flush()
        return result
    except BaseException as error:
        sentence, status = explain(error)
    finally:
        release()
    if status == 141:  # nobody reads: no later flush may fail
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    elif sentence:
        with contextlib.suppress(OSError):
            print(sentence, file=sys.stderr)
    sys.exit(status)


def explain(error):
    """An exception -> its sentence and exit status. Raises it again if it is a fault of this program."""
    name, text = type(error).__name__, " ".join(str(error).split())
    if isinstance(error, BadInput):
        return text, 2
    if isinstance(error, KeyboardInterrupt):
        way = "; --resume goes on after the last finished epoch" if "resume" in Parser.flags else ""
        return f"Stopped: the files already in --out-dir are whole{way}.", 130
    if isinstance(error, BrokenPipeError):
        return "", 141
    if isinstance(error, MemoryError) or re.search("ResourceExhausted|RESOURCE_EXHAUSTED", name + text):
        flags = [f"--{flag.replace('_', '-')}" for flag in LARGE_FLAGS if flag in Parser.flags]
        return f"Out of memory; lower {' or '.join(flags) or 'the size of the data'}.", 2
    if isinstance(error, OSError) and not isinstance(error, ConnectionError):
        cause = error.strerror or text
        if re.search("No space left", text):
            cause = "No space left on device"
        return f"{error.filename or 'standard output'}: {cause}; choose another --data-dir or --out-dir.", 2
    raise error


def _interrupted(kind, error, trace):
    if issubclass(kind, KeyboardInterrupt):
        print(explain(error)[0], file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _interrupted  # for Ctrl-C during the imports


def number(kind, low, high, exclusive=False):
    """A type of a flag: an int or float from low to high; exclusive: more than low."""

    def convert(text):
        most = f"{high:,}" if kind is int else f"{high:g}"
        expected = f"{low:,} to {most}" if high < 1e6 else f"at least {low:,} and at most {most}"
        expected = expected.replace("at least", "more than" if exclusive else "at least")
        try:
            value = kind(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high or (exclusive and value == low):
            raise argparse.ArgumentTypeError(f"{text}: expected {expected}")
        return value

    return convert


def integer(low=1, high=1_000_000):
    return number(int, low, high)


def positive(high=1e30):
    return number(float, 0, high, exclusive=True)


def share(low=0, high=1):
    return number(float, low, high)


class Parser(argparse.ArgumentParser):
    """The flags that all scripts have; a chapter adds its own. A wrong flag raises BadInput."""

    flags = ()  # of the last parser: what a sentence may name

    def __init__(self, doc, script, data="folder of the course's files", epochs="epochs", resume=False):
        """doc: the script's docstring, of which the first line is shown. script: train, predict or report."""
        super().__init__(
            description=doc.splitlines()[0],
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
            allow_abbrev=False,
        )
        self.add_argument("--data-dir", type=Path, default=HERE / "data", help=data)
        self.add_argument("--out-dir", type=Path, default=HERE / "out", help="folder to write to")
        self.add_argument("--synthetic", action="store_true", help="use a small made-up data set")
        if script == "train":
            self.add_argument("--seed", type=integer(0, 2**31 - 1), default=0, help="of all that is random")
            self.add_argument(f"--{epochs}", type=integer(), help="how long to train")
            self.add_argument("--batch-size", type=integer(), help="examples of a step")
            self.add_argument("--learning-rate", type=positive(), help="at its highest")
        if script == "report":
            self.add_argument("--seeds", type=integer(1, 100), default=1, help="trainings a row: 0, 1, ...")
            self.add_argument(f"--{epochs}", type=integer(), help="a trial: so many in every training")
        if resume:
            self.add_argument("--resume", action="store_true", help="go on after the last finished epoch")

    def parse(self, argv=None, recipe=None):
        """The flags. recipe(args) -> the dataclass that holds the defaults of flags that are not given."""
        Parser.flags = flags = {action.dest for action in self._actions}
        if recipe:
            argv = sys.argv[1:] if argv is None else list(argv)
            chosen = self.parse_known_args([word for word in argv if word not in ("-h", "--help")])[0]
            defaults = asdict(recipe(chosen))
            self.set_defaults(**{name: value for name, value in defaults.items() if name in flags})
        return self.parse_args(argv)

    def error(self, message):
        message = re.sub(r"^argument (\S+): ", r"\1 ", message).rstrip(".")
        if choice := re.fullmatch(r"(\S+) invalid choice: '(.*)' \(choose from (.*)\)", message, re.S):
            message = f"{choice[1]} {choice[2]}: expected one of {choice[3]}".replace("'", "")
        raise BadInput(message + ".")


def claim(args):
    """Make --out-dir, try it, and lock it: before a training, not after. Raises BadInput if it is taken."""
    folder = args.out_dir
    if folder.resolve() == args.data_dir.resolve():
        raise BadInput(f"--out-dir {folder} is --data-dir, whose files would be overwritten; choose another.")
    folder.mkdir(parents=True, exist_ok=True)
    lock(folder)
    for left in folder.glob("half-written-*"):  # by a process that was killed
        shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    with replacing(folder / ".probe") as path:
        path.write_bytes(b"0" * 4096)
    (folder / ".probe").unlink()
    for checkpoint in folder.glob("checkpoint*.npz") if not getattr(args, "resume", True) else ():
        kept = checkpoint.with_name("earlier-" + checkpoint.name)
        checkpoint.replace(kept)
        print(f"note: begins anew; the checkpoint of the training before, for --resume, is now {kept.name}")


_locks = {}  # folder -> file descriptor: held until record() has written, or this process ends


def lock(folder):
    """Keep other processes from training into a folder. Raises BadInput if one does. Not on Windows."""
    if os.name == "nt" or folder.resolve() in _locks:
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise BadInput(
            f"{folder}: another training writes there; wait until it ends, or choose another --out-dir."
        ) from error
    _locks[folder.resolve()] = descriptor


def release():
    """Let others train into the folders that this process has locked."""
    while _locks:
        os.close(_locks.popitem()[1])


@contextlib.contextmanager
def replacing(path):
    """Give a name beside `path` to write to; rename it over `path` only when the block has ended well."""
    temporary = path.with_name(f"half-written-{os.getpid()}-{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def head(args, data, model):
    """Print the head lines of a training: its data, its model, every setting, and where it writes."""
    settings = {name: value for name, value in vars(args).items() if not name.endswith("_dir")}
    values = [
        f"{name} {value}" for name, value in settings.items() if value is not None and value is not False
    ]
    print(f"data       {data}\nmodel      {model}\nsettings   {', '.join(values)}")
    print(f"writes to  {args.out_dir}", flush=True)


def learning_curve(history, panels, **settings):
    """Lines over the epochs: panels is {ylabel: {column: label}}, settings go to each panel's axes.set."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(max(7, 4.5 * len(panels)), 4), layout="constrained")
    for axes, (ylabel, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items()):
        for column, label in lines.items():
            axes.plot(history.index, history[column], ".-", label=plain(label))
        axes.set(xlabel=history.index.name, ylabel=ylabel, **settings)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def plain(text):
    """A user's text for Matplotlib, in which a pair of $ would begin a formula."""
    return str(text).replace("$", r"\$")


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
        write_json(last, metrics)
    release()
    print(f"{metrics['metric']} {metrics['score']:.4f}   {args.out_dir / next(iter(files))}", flush=True)
    return metrics


def write_json(path, content):
    path.write_text(json.dumps(content, indent=2, default=str, ensure_ascii=False) + "\n", "utf-8")


def fingerprint(path):
    """A digest of a file, or of a folder's files and their names."""
    digest = hashlib.sha256()
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        digest.update((file.name if path.is_dir() else "").encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def read_metrics(folder):
    """metrics.json of a training. Raises BadInput if it is missing or was edited into something else."""
    path = folder / "metrics.json"
    try:
        metrics = json.loads(path.read_text("utf-8"))
        assert isinstance(metrics["arguments"], dict)
        assert isinstance(metrics["files"], dict)
    except FileNotFoundError as error:
        raise BadInput(f"{path} is missing; run train.py first, with the same --out-dir.") from error
    except PermissionError:
        raise
    except (Exception, RecursionError) as error:
        raise BadInput(f"{path} is not what train.py wrote; run train.py again.") from error
    return metrics


def trained(args, *names, folder=None):
    """The metrics of the training in --out-dir, or another folder, to predict with its files of these names.

    Raises BadInput if a file is missing or of another training, or if the training was of made-up data and
    the files to predict are real, or the other way round.
    """
    folder = folder or args.out_dir
    for name in names:
        if not (folder / name).exists():
            command = "train.py --synthetic" if args.synthetic else "train.py"
            raise BadInput(f"{folder / name} is missing; run {command} first, with the same --out-dir.")
    metrics = read_metrics(folder)
    for name in names:
        if metrics["files"].get(name) != fingerprint(folder / name):
            raise BadInput(f"{folder / name} and metrics.json are of two trainings; run train.py to its end.")
    if bool(metrics["arguments"].get("synthetic")) != args.synthetic:
        kinds = ("made-up", "real") if metrics["arguments"].get("synthetic") else ("real", "made-up")
        ways = ("train.py on the real files first", "with --synthetic")
        raise BadInput(
            f"{folder / names[0]} was trained on {kinds[0]} data and the files are {kinds[1]}; run "
            f"{' or run predict.py '.join(ways) if kinds[0] == 'made-up' else 'train.py --synthetic first'}."
        )
    return metrics


def finished(args):
    """Whether a training with these flags, those of train.py, has ended in --out-dir: a report reuses it."""
    if not (args.out_dir / "metrics.json").is_file():
        return False
    found = read_metrics(args.out_dir)["arguments"]
    flags = json.loads(json.dumps(vars(args), default=str))
    chosen = {name for name, value in flags.items() if value is not None}  # else the data decide
    return all(found.get(name) == flags[name] for name in chosen - {"out_dir", "resume"})


def measured_since(path):
    """Whether a report's file beside a training is there, and newer than the training it was measured on."""
    training = path.with_name("metrics.json")
    return path.is_file() and not (training.is_file() and training.stat().st_mtime > path.stat().st_mtime)


def publish(results, tables, metrics):
    """Write report.csv, and metrics.json without the run's own folders; print the tables as Markdown rows."""
    results.mkdir(parents=True, exist_ok=True)
    metrics = {name: value for name, value in metrics.items() if name != "files"}
    metrics["arguments"] = {k: v for k, v in metrics["arguments"].items() if not k.endswith("_dir")}
    with replacing(results / "report.csv") as path:
        tables.to_csv(path, index=False)
    with replacing(results / "metrics.json") as path:
        write_json(path, metrics)
    for name, table in tables.groupby("table", sort=False):
        print(f"\n{name}\n")
        for row in table.drop(columns="table").to_numpy():
            print("| " + " | ".join(map(str, row)) + " |")
