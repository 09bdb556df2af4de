"""Write submission.csv, homework 3's hand-in, with the one small file that train.py wrote.

    python hw07_compression/predict.py                           food-11/testing, in the order of the numbers
    python hw07_compression/predict.py --model compressed.npz    any such file
    python hw07_compression/predict.py --synthetic               the images that train.py --synthetic drew

The hand-in is <out-dir>/submission.csv: the header Id,Category and a row a test image.
"""

from scaffold import Parser, file_path, replacing, run

import pandas as pd
from dataset import load_part
from device import start_keras
from images import image_files
from records import check_models


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "folder that holds food-11")
    parser.add_argument("--model", type=file_path, help="the small file, else that of --out-dir")
    return parser.parse(argv)


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    path = args.model or args.out_dir / "compressed.npz"
    check_models(args, [path])
    image_files(data_dir / "food-11" / "testing")  # a missing folder need not wait for Keras
    start_keras()
    from compressed import classes_of, read_compressed  # with Keras, for which --help need not wait

    model, plan = read_compressed(path)
    images, ids = load_part(data_dir / "food-11" / "testing", plan["size"], labelled=False)
    print(f"testing {images.shape}   {path.stat().st_size} bytes, {plan['classes']} classes", flush=True)
    submission = pd.DataFrame({"Id": ids, "Category": classes_of(model, images)})
    args.out_dir.mkdir(parents=True, exist_ok=True)
    with replacing(args.out_dir / "submission.csv") as temporary:
        submission.to_csv(temporary, index=False)
    print(f"{len(ids)} predictions   {args.out_dir / 'submission.csv'}")
    return submission


if __name__ == "__main__":
    run(main)
