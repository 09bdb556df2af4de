"""Not part of the lesson: what the scripts of all chapters do alike, from flags to sentences for bad input.

The file is the same in every chapter, so that a folder runs alone: edit one, run tests/copy_scaffold.py.
It stands before the other imports: it sets what Keras and Matplotlib read from the environment.
"""

import argparse
import contextlib
import logging
import os
import re
import shutil
import sys
import warnings
from dataclasses import asdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
HELP = f"see {HERE.name}/README.md, or try --synthetic"
SYSTEM_FILES = ("thumbs.db", "desktop.ini")  # and all that begins with a dot: no user put them there
LARGE_FLAGS = ("batch_size", "image_size", "width", "units", "code_size", "count", "examples")  # need memory
LIBRARIES = {  # by the names that they are imported by; see requirements.txt
    *("numpy", "pandas", "matplotlib", "sklearn", "skimage", "scipy", "h5py", "tqdm", "keras", "tensorflow"),
    *("PIL", "gensim", "sacrebleu", "gymnasium"),
}
NO_MEMORY = "ResourceExhausted|RESOURCE_EXHAUSTED|failed to map segment"  # the last of a library to import
FREE_FLAGS = {"data_dir", "out_dir", "resume", "devices"}  # may differ when a training goes on

# The user's settings change no result, nor does a notebook's MPLBACKEND; of keras.json see device.py.
os.environ.update(MPLBACKEND="agg", MATPLOTLIBRC=os.devnull)
logging.getLogger("matplotlib").setLevel(logging.ERROR)  # a cache that cannot be written is no loss
os.environ["KERAS_BACKEND"] = os.environ.get("KERAS_BACKEND") or "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # errors are raised, too
for _name in [
    *("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "KERAS_NNX_ENABLED", "TF_XLA_FLAGS"),
    *("NUMPY_MADVISE_HUGEPAGE", "SKLEARN_WORKING_MEMORY"),  # no word but a number, else a traceback
    *("JOBLIB_MULTIPROCESSING", "JOBLIB_START_METHOD", "LOKY_MAX_DEPTH", "SKLEARN_PAIRWISE_DIST_CHUNK_SIZE"),
    *("OMP_WAIT_POLICY", "OMP_STACKSIZE", "GOMP_CPU_AFFINITY"),  # what is wrong there is said, or hangs
    *(name for name in os.environ if name.startswith("TQDM_") and name != "TQDM_DISABLE"),
]:
    os.environ.pop(_name, None)
if not re.fullmatch(r"[1-9]\d{0,2}(,[1-9]\d{0,2})*", os.environ.get("OMP_NUM_THREADS", "1"), re.ASCII):
    del os.environ["OMP_NUM_THREADS"]  # no number of threads
if any(option.startswith("error") for option in sys.warnoptions):  # of PYTHONWARNINGS
    warnings.simplefilter("ignore")  # else what a library only warns of would end a training
if os.path.exists("matplotlibrc"):  # of the current folder, which Matplotlib reads before all others
    with contextlib.chdir(HERE.anchor):
        import matplotlib

    matplotlib.rcdefaults()  # in a notebook it was imported before
for _number, _name in enumerate(("stdin", "stdout", "stderr")):
    if getattr(sys, _name) is None:  # closed by the shell: the next file opened would take its number
        os.dup2(os.open(os.devnull, os.O_RDWR), _number)
        _opened = open(_number, "r+" if _number == 0 else "w", errors="backslashreplace", closefd=False)  # noqa: SIM115
        setattr(sys, _name, _opened)
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
    if status == 141:  # nobody reads: no later flush may fail
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    elif sentence:
        with contextlib.suppress(OSError):
            printable = sentence.encode(errors="backslashreplace").decode()  # names need not be UTF-8
            print(printable, file=sys.stderr)
    sys.exit(status)


def explain(error):
    """An exception -> its sentence and exit status. Raises it again if it is a fault of this program."""
    name, text = type(error).__name__, " ".join(map(str.strip, str(error).splitlines()))
    if isinstance(error, BadInput):
        again = "run train.py --synthetic again"
        return text.replace("try --synthetic", again) if Parser.made_up else text, 2
    if isinstance(error, KeyboardInterrupt):
        way = "; --resume goes on after the last finished epoch" if "resume" in Parser.flags else ""
        return f"Stopped: the files already in --out-dir are whole{way}.", 130
    if isinstance(error, BrokenPipeError):
        return "", 141
    if isinstance(error, MemoryError) or re.search(NO_MEMORY, name + text):
        flags = [f"--{flag.replace('_', '-')}" for flag in LARGE_FLAGS if flag in Parser.flags]
        return f"Out of memory; lower {' or '.join(flags) or 'the size of the data'}.", 2
    if isinstance(error, OSError) and not isinstance(error, ConnectionError):
        cause = error.strerror or text
        if re.search("No space left", text):
            cause = "No space left on device"
        place = "the current folder" if isinstance(error, FileNotFoundError) else "standard output or a file"
        what = " ".join(str(error.filename or place).splitlines())
        return f"{what}: {cause}; choose another --data-dir or --out-dir.", 2
    raise error


def _not_imported(kind, error, trace):
    if issubclass(kind, KeyboardInterrupt):
        print(explain(error)[0], file=sys.stderr)
    elif issubclass(kind, ModuleNotFoundError) and str(error.name).partition(".")[0] in LIBRARIES:
        print(f"{error}: {sys.executable} -m pip install -r requirements.txt brings it.", file=sys.stderr)
        sys.exit(2)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _not_imported  # Ctrl-C during the imports, and a library that is not installed


def number(kind, low, high, exclusive=False):
    """A type of a flag: an int or float from low to high; exclusive: more than low."""

    def convert(text):
        most = f"{high:,}" if kind is int else f"{high:g}"
        expected = f"{'more than' if exclusive else 'at least'} {low:,} and at most {most}"
        expected = f"{low:,} to {most}" if high < 1e6 and not exclusive else expected
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


def file_path(text):
    """A type of a flag: a path, in which ~ is the user's own folder, which not every shell puts in."""
    path = Path(text)
    if text[:1] != "~" or os.path.lexists(path.parts[0]):  # an own file may be called so
        return path
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{text}: there is no such user, or no folder of theirs") from error


def sentence(text):
    """A type of a flag: text that is UTF-8, which an argument of a command line need not be."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise argparse.ArgumentTypeError(f"{text}: not UTF-8 text") from error
    return text


class Parser(argparse.ArgumentParser):
    """The flags that all scripts have; a chapter adds its own. A wrong flag raises BadInput."""

    flags, reports = (), False  # of the last parser: what a sentence may name; whether that is a report's
    made_up = False  # whether the data are

    def __init__(
        self,
        doc,
        script,
        data="folder of the course's files",
        epochs="epochs",
        resume=False,
        devices=False,
    ):
        """doc: the script's docstring, of which the first line is shown. script: train, predict or report."""
        super().__init__(
            description=(doc or script).splitlines()[0],  # python -OO has no docstrings
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
            allow_abbrev=False,
        )
        self.script, self.length = script, epochs
        self.add_argument("--data-dir", type=file_path, default=HERE / "data", help=data)
        self.add_argument("--out-dir", type=file_path, default=HERE / "out", help="folder to write to")
        self.add_argument("--synthetic", action="store_true", help="use a small made-up data set")
        if script == "train":
            self.add_argument("--seed", type=integer(0, 2**31 - 1), default=0, help="random seed")
            self.add_argument(f"--{epochs}", type=integer(), help="how long to train")
            self.add_argument("--batch-size", type=integer(), help="examples in a batch")
            self.add_argument("--learning-rate", type=positive(), help="peak learning rate")
        if script == "report":
            self.add_argument("--seeds", type=integer(1, 100), default=1, help="number of seeds, from 0 on")
            self.add_argument(f"--{epochs}", type=integer(), help="a trial: shorten every training to this")
        if resume:
            self.add_argument("--resume", action="store_true", help="go on after the last finished epoch")
        if devices:
            words = "devices of one kind that share each batch; default: all"
            self.add_argument("--devices", type=integer(1, 1024), help=words)

    def parse(self, argv=None, recipe=None):
        """The flags. recipe(args) -> the dataclass that holds the defaults of flags that are not given."""
        flags = {action.dest for action in self._actions}
        if self.script == "report" or not Parser.reports:  # a report calls train.main(): its own flags count
            Parser.flags, Parser.reports = flags, self.script == "report"
        argv = sys.argv[1:] if argv is None else list(argv)
        self.given = {word.partition("=")[0] for word in argv}
        if recipe:
            chosen = self.parse_known_args([word for word in argv if word not in ("-h", "--help")])[0]
            defaults = asdict(recipe(chosen))
            self.set_defaults(**{name: value for name, value in defaults.items() if name in flags})
        args = self.parse_args(argv)
        Parser.made_up = args.synthetic
        made = args.out_dir / "synthetic"
        if args.synthetic and made.is_symlink():
            raise BadInput(f"{made} is a link, whose files would be overwritten; remove it.")
        if self.script == "report":  # what learnt from made-up data, or in a trial, is no row of the tables
            kind = "-synthetic" * args.synthetic + "-trial" * (getattr(args, self.length) is not None)
            args.trainings = args.out_dir / f"report{kind}"
            args.results = args.out_dir / "results" if kind else HERE / "results"
        return args

    def unused(self, *flags, by):
        """Refuse these flags if they were given: `by`, a flag and its value, makes nothing of them."""
        for flag in flags:
            if flag in self.given:
                self.error(f"{flag} is not used by {by}, leave it out")

    def error(self, message):
        message = re.sub(r"^argument (\S+): ", r"\1 ", message).rstrip(".")
        if choice := re.fullmatch(r"(\S+) invalid choice: '(.*)' \(choose from (.*)\)", message, re.S):
            message = f"{choice[1]} {choice[2]}: expected one of {choice[3]}".replace("'", "")
        raise BadInput(message + ".")


def lines_of_stdin(flag, most=10_000_000):
    """The lines of standard input that are not blank, for `flag -`.

    Raises BadInput if it is not UTF-8, or has more than so many bytes: it may never end.
    """
    data = sys.stdin.buffer.read(most + 1)
    if len(data) > most:
        raise BadInput(f"{flag} -: standard input has more than {most:,} bytes; give it in parts.")
    try:
        lines = data.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise BadInput(f"{flag} -: standard input is not UTF-8 text.") from error
    return [line for line in lines if line.strip()]


def missing(path):
    """The BadInput of a file that is not there; it names one of a longer name, there or in a folder there."""
    if path.exists():
        return BadInput(f"{path} is a folder or a pipe, expected a file; {HELP}.")
    near = sorted(
        other
        for other in (*path.parent.glob("[!.]*"), *path.parent.glob("[!.]*/[!.]*"))
        if path.stem.lower() in other.name.lower() and other.suffix.endswith(path.suffix) and other.is_file()
        if len(other.suffixes) < 2  # usps.t.bz2 is no other name of usps.bz2
    )
    instead = f", but there is {near[0]}: rename it, or name its folder by --data-dir" if near else ""
    return BadInput(f"{path} is missing{instead}; {HELP}.")


def read_csv(path, encodings=("UTF-8-sig",), **settings):
    """pandas.read_csv() of a text file, whatever its name is; integers of more than 64 bits stay text.

    Raises BadInput if the file is missing, is no such text, has no rows, or one longer than the header, or if
    the header names a column twice, of which pandas would rename one.
    """
    import pandas as pd  # not every script reads a table

    if not path.is_file():
        raise missing(path)
    settings = {"index_col": False, "compression": None, "low_memory": False, **settings}
    for encoding in encodings:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            try:
                frame = pd.read_csv(path, encoding=encoding, **settings)
                break
            except UnicodeDecodeError:
                continue
            except pd.errors.ParserWarning as error:
                raise BadInput(f"{path}: the rows have more cells than the header; {HELP}.") from error
            except (pd.errors.EmptyDataError, pd.errors.ParserError) as error:
                raise BadInput(f"{path}: {str(error).strip().splitlines()[0]}; {HELP}.") from error
    else:
        raise BadInput(f"{path} is not {' or '.join(encodings).replace('-sig', '')} text; {HELP}.")
    if frame.empty:
        raise BadInput(f"{path} has a header and no rows; {HELP}.")
    if "header" not in settings:
        first = {**settings, "header": None, "nrows": 1, "dtype": str}
        names = pd.read_csv(path, encoding=encoding, **first).iloc[0].dropna()
        if twice := names[names.duplicated()].tolist():
            raise BadInput(f"{path}: the column {twice[0][:50]} is there twice; {HELP}.")
    return frame.astype({name: str for name in frame if frame[name].dtype.kind == "O"})


def line_of(path, row):
    """The line, from 1, of a row of a table in a text file; 0: the header. Pandas passes over empty lines."""
    with open(path, "rb") as file:
        lines = [number for number, line in enumerate(file, 1) if line.strip()]
    return lines[min(row, len(lines) - 1)]


@contextlib.contextmanager
def replacing(path):
    """Give a name beside `path` to write a file or a folder to; it takes the place of `path`, of all that an
    older folder holds, only when the block has ended well."""
    temporary = path.with_name(f"half-written-{os.getpid()}-{path.name}")
    older = path.with_name(f"half-written-{os.getpid()}-older-{path.name}")
    try:
        yield temporary
        if temporary.is_dir() and path.is_dir():
            path.rename(older)
        os.replace(temporary, path)
    except OSError as error:
        name = str(error.filename or path).replace(str(temporary), str(path))
        raise OSError(error.errno, error.strerror or str(error), name) from error
    finally:
        if older.is_dir() and not path.exists():
            older.rename(path)
        for left in (temporary, older):
            remove(left)


def remove(path):
    """Remove a file, a link, or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def head(args, data, model):
    """Print the head lines of a training: its data, its model, every setting, and where it writes."""
    settings = {name: value for name, value in vars(args).items() if not name.endswith("_dir")}
    values = [
        f"{name} {value}" for name, value in settings.items() if value is not None and value is not False
    ]
    print(f"data       {data}\nmodel      {model}\nsettings   {', '.join(values)}")
    print(f"writes to  {args.out_dir}", flush=True)
