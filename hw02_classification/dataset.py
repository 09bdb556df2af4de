"""The course's census files -> arrays.

X_train, Y_train and X_test come from the Kaggle competition ml2020spring-hw2: rows of the Census-Income (KDD)
data set of UCI, of which one in five has label 1 here, each attribute one-hot but for a few counts and
amounts. They are CSV files without an ending, and with a header:

X_train   id,age,...: a row is a person; 510 feature columns in the course's file. Any columns are read.
Y_train   id,label: 1 if the person earns more than 50,000 dollars a year, else 0
X_test    as X_train, other people: 27,622 in the course's file

ids count from 0. Columns and rows are matched by name and by id, never by their position.
"""

import re

from scaffold import HELP, BadInput, line_of, read_csv, replacing

import numpy as np
import pandas as pd


def load_train(folder):
    """Read X_train and Y_train.

    Returns
    -------
    x : float32 (N, d), the feature columns in the file's order
    y : int64 (N,), 0 or 1
    columns : list of d str

    Raises BadInput when a file is missing or is not what the docstring above describes.
    """
    features = read_table(folder / "X_train")
    labels = read_table(folder / "Y_train")
    path = folder / "Y_train"
    if list(labels.columns) != ["label"]:
        raise BadInput(f"{path}: the columns are id,{','.join(labels.columns)}, expected id,label; {HELP}.")
    alone = features.index.symmetric_difference(labels.index)
    if len(alone):
        where = "X_train" if alone[0] in features.index else "Y_train"
        raise BadInput(f"{path}: id {alone[0]} is in {where} alone, expected the same ids in both; {HELP}.")
    y = labels.label.loc[features.index]
    wrong = y.index[~y.isin([0, 1])]
    if len(wrong):
        raise BadInput(f"{path}: id {wrong[0]}: the label is {y.loc[wrong[0]]:g}, expected 0 or 1; {HELP}.")
    if y.nunique() < 2:
        raise BadInput(f"{path}: all labels are {y.iloc[0]:g}, expected both 0 and 1; {HELP}.")
    x = np.ascontiguousarray(features, np.float32)  # pandas keeps columns together; a batch wants rows
    return x, y.to_numpy(np.int64), list(features.columns)


def load_test(folder, columns):
    """Read X_test with the columns named, in their order.

    Returns ids, int64 (N,), in the file's order, and x, float32 (N, d). Raises BadInput when the file is
    missing, broken, or has other columns than `columns`.
    """
    path = folder / "X_test"
    features = read_table(path)
    lacking = [name for name in columns if name not in features.columns]
    if lacking:
        raise BadInput(
            f"{path}: the column {lacking[0]!r} is missing, which the model was fitted on; {HELP}."
        )
    unknown = [name for name in features.columns if name not in columns]
    if unknown:
        raise BadInput(
            f"{path}: the column {unknown[0]!r} is not in X_train, which the model was fitted on; {HELP}."
        )
    return features.index.to_numpy(np.int64), np.ascontiguousarray(features[columns], np.float32)


def load_person(path, features):
    """Read one person: a header of some of the model's columns and a row of numbers. float32 (1, d).

    Columns that are not there are at the mean of the training, but for those that one-hot encode the same
    attribute as one that is 1, if their names say so (education_3 beside education_5): these are 0. Raises
    BadInput if the file is not so.
    """
    if not path.is_file():
        raise BadInput(f"{path} is missing.")
    frame = read_numbers(path).apply(pd.to_numeric).drop(columns="id", errors="ignore")
    if len(frame) != 1 or not len(frame.columns):
        raise BadInput(
            f"{path} has {len(frame)} rows below its header, expected one, of at least one column."
        )
    unknown = [name for name in frame.columns if name not in features.columns]
    if unknown:
        raise BadInput(
            f"{path}: there is no column {unknown[0]!r} in X_train, which the model was fitted on."
        )
    x = features.usual[None].copy()
    attributes = [attribute_of(name) for name in features.columns]
    for attribute in map(attribute_of, frame.columns[frame.iloc[0] == 1]):
        x[0, [attribute is not None and other == attribute for other in attributes]] = 0
    set_by_hand = x[0] != features.usual
    for name in frame.columns:
        set_by_hand[features.columns.index(name)] = True
        x[0, features.columns.index(name)] = frame[name].iloc[0]
    print(f"note: {np.count_nonzero(~set_by_hand)} columns at their mean in training")
    return x


def attribute_of(column):
    """education of education_3; None where a column's name does not end in the number of a category."""
    numbered = re.fullmatch(r"(.+)_\d+", column)
    return numbered and numbered[1]


def read_table(path):
    """Read a CSV of numbers whose first column is a unique integer id; it becomes the index."""
    frame = read_numbers(path)
    if frame.columns[0] != "id" or frame.shape[1] < 2:
        raise BadInput(
            f"{path}: the header begins {','.join(frame.columns[:2])!r}, expected id and features; {HELP}."
        )
    ids = pd.to_numeric(frame["id"])
    whole = (ids % 1 == 0) & (ids.abs() < 2**53)  # beyond, a float knows no neighbours
    if not whole.all() or ids.duplicated().any():
        raise BadInput(f"{path}: the ids are not whole numbers that occur once each; {HELP}.")
    return frame.assign(id=ids.astype(np.int64)).set_index("id")


def read_numbers(path):
    """Read a CSV of a header and rows of numbers. Raises BadInput where a cell is none, or beyond float32."""
    frame = read_csv(path, skipinitialspace=True)
    for name in frame.columns:
        numbers = pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64)
        usable = np.abs(numbers) <= np.finfo(np.float32).max  # NaN is not
        if not usable.all():
            row = int(np.argmin(usable))
            raise BadInput(
                f"{path}: line {line_of(path, row + 1)}, column {name!r}: "
                f"{str(frame[name].iloc[row])[:50]!r} is not a number; {HELP}."
            )
        if not pd.api.types.is_numeric_dtype(frame[name]):  # of more than 64 bits
            frame[name] = numbers
    return frame


def make_synthetic(folder, seed):
    """Write X_train (3,000 people), Y_train and X_test (500) in the course's format and return the folder.

    Income rises with age to 50 and falls after, with schooling, and with the logarithm of a capital gain that
    few have: straight lines through the columns miss part of it, logarithms and thresholds of them do not.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    people = 3500
    age = rng.integers(16, 90, people)
    gain = np.where(rng.random(people) < 0.3, np.exp(rng.normal(7, 2, people)).astype(int).clip(1, 99999), 0)
    weeks = rng.choice([0, 20, 40, 52], people, p=[0.3, 0.1, 0.1, 0.5])
    school = rng.integers(0, 6, people)
    sex = rng.integers(0, 2, people)
    log_odds = -4.5 - ((age - 50) / 15) ** 2 + 0.5 * np.log1p(gain) + 0.04 * weeks + 0.6 * school + 0.5 * sex
    label = (rng.random(people) < 1 / (1 + np.exp(-log_odds))).astype(int)
    frame = pd.DataFrame({"age": age, "capital gains": gain, "weeks worked in year": weeks})
    for name, codes in (("education", school), ("sex", sex)):
        frame = frame.join(pd.get_dummies(codes, prefix=name, dtype=int))
    train, test = frame.iloc[:3000], frame.iloc[3000:].reset_index(drop=True)
    for name, table in (
        ("X_train", train),
        ("Y_train", pd.DataFrame({"label": label[:3000]})),
        ("X_test", test),
    ):
        with replacing(folder / name) as path:
            table.to_csv(path, index_label="id")
    return folder
