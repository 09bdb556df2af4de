"""Read the digits of every task's test part with the model that train.py saved.

    python hw14_lifelong/predict.py                after train.py: of the tasks that it learnt
    python hw14_lifelong/predict.py --synthetic    after train.py --synthetic

Written to <out-dir>: predictions.csv with task,id,label, the id counting a task's test pictures from 0 in the
order of its file.
"""

from scaffold import BadInput, Parser, replacing, run

import numpy as np
import pandas as pd
from device import start_keras
from records import trained
from scores import accuracy
from tasks import expand, load_tasks


def parse_args(argv=None):
    return Parser(__doc__, "predict", "folder of the tasks' files").parse(argv)


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    names, grey, seed = learnt(trained(args, "model.keras"), args.out_dir)
    tasks = load_tasks(data_dir, names, grey, seed, examples=1)
    start_keras(tensorflow=True)
    from model import load_model, logits_of  # with Keras, for which --help need not wait

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


def learnt(metrics, folder):
    """What metrics.json says that the model learnt: names of tasks, whether grey, and the seed."""
    try:
        found = metrics["arguments"]
        return expand(found["tasks"]), bool(found["grey"]), abs(int(found["seed"]))
    except (ValueError, KeyError, TypeError, OverflowError) as error:  # BadInput is a ValueError
        raise BadInput(f"{folder / 'metrics.json'} is not of this chapter; run train.py again.") from error


if __name__ == "__main__":
    run(main)
