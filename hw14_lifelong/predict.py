"""Read the digits of every task's test part with the model that train.py saved.

    python hw14_lifelong/predict.py                after train.py: of the tasks that it learnt
    python hw14_lifelong/predict.py --synthetic    after train.py --synthetic

Written to <out-dir>: predictions.csv with task,id,label, the id counting a task's test pictures from 0 in the
order of its file.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from dataset import BadInput, replacing, run
from scores import accuracy
from tasks import expand, load_tasks

HERE = Path(__file__).resolve().parent


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Read the digits of every task's test part with the model that train.py saved.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--data-dir", type=Path, default=HERE / "data", help="folder of the tasks' files")
    parser.add_argument(
        "--out-dir", type=Path, default=HERE / "out", help="folder of model.keras, and to write to"
    )
    parser.add_argument(
        "--synthetic", action="store_true", help="use the digits that train.py --synthetic drew"
    )
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    if args.synthetic and not data_dir.is_dir():
        raise BadInput(f"{data_dir} is missing; run train.py --synthetic first, with the same --out-dir.")
    names, grey, seed = learnt(args.out_dir / "metrics.json")
    tasks = load_tasks(data_dir, names, grey, seed, examples=1)

    from model import load_model, logits_of  # here, with Keras, so that --help need not wait for it

    model = load_model(args.out_dir / "model.keras", tasks[0].test[0].shape[1:])
    tables = []
    for task in tasks:
        pictures, labels = task.test
        logits = logits_of(model, pictures)
        label = np.argmax(logits, axis=1)
        tables.append(pd.DataFrame({"task": task.name, "id": np.arange(len(label)), "label": label}))
        print(f"{task.name}: {len(labels)} test pictures, accuracy {accuracy(logits, labels):.4f}")
    table = pd.concat(tables, ignore_index=True)
    with replacing(args.out_dir / "predictions.csv") as path:
        table.to_csv(path, index=False)
    print(f"{len(table)} predictions   {args.out_dir / 'predictions.csv'}")
    return table


def learnt(path):
    """What metrics.json says that the model learnt: names of tasks, whether grey, and the seed."""
    if not path.is_file():
        raise BadInput(f"{path} is missing; run train.py first, with the same --out-dir.")
    try:
        found = json.loads(path.read_text("utf-8"))["arguments"]
        return expand(found["tasks"]), bool(found["grey"]), int(found["seed"])
    except (ValueError, KeyError, TypeError) as error:  # BadInput is a ValueError
        raise BadInput(f"{path} is cut short or not of this chapter; run train.py again.") from error


if __name__ == "__main__":
    run(main)
