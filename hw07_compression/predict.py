"""Write submission.csv, homework 3's hand-in, with the one small file that train.py wrote.

    python hw07_compression/predict.py                           food-11/testing, in the order of the numbers
    python hw07_compression/predict.py --model compressed.npz    any such file
    python hw07_compression/predict.py --synthetic               the pictures that train.py --synthetic drew

The hand-in is <out-dir>/submission.csv: the header Id,Category and a row a test picture.
"""

import argparse
from pathlib import Path

import pandas as pd
from dataset import BadInput, load_part, replacing, run

HERE = Path(__file__).resolve().parent


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Write submission.csv with the one small file that train.py wrote.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--data-dir", type=Path, default=HERE / "data", help="folder that holds food-11")
    parser.add_argument(
        "--out-dir", type=Path, default=HERE / "out", help="folder of compressed.npz, and to write to"
    )
    parser.add_argument(
        "--synthetic", action="store_true", help="use the data set that train.py --synthetic made"
    )
    parser.add_argument("--model", type=Path, help="the small file; None: that of --out-dir")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    if args.synthetic and not data_dir.is_dir():
        raise BadInput(f"{data_dir} is missing; run train.py --synthetic first, with the same --out-dir.")
    path = args.model or args.out_dir / "compressed.npz"
    if not path.is_file():
        raise BadInput(f"{path} is missing; run train.py first, with the same --out-dir.")

    from compressed import read_compressed  # here, with Keras, so that --help need not wait for it
    from model import answers

    model, plan = read_compressed(path)
    pictures, ids = load_part(data_dir / "food-11" / "testing", plan["size"], labelled=False)
    print(f"testing {pictures.shape}   {path.stat().st_size} bytes, {plan['classes']} classes", flush=True)
    category = answers(model, pictures).argmax(axis=1)
    submission = pd.DataFrame({"Id": ids, "Category": category})
    args.out_dir.mkdir(parents=True, exist_ok=True)
    with replacing(args.out_dir / "submission.csv") as beside:
        submission.to_csv(beside, index=False)
    print(f"{len(ids)} predictions   {args.out_dir / 'submission.csv'}")
    return submission


if __name__ == "__main__":
    run(main)
