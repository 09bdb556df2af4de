"""The course's PM2.5 files -> windows of nine hours.

Both files come from the Kaggle competition ml2020spring-hw1: one weather station (Fengyuan, Taiwan), 2014,
one reading an hour of 18 items. Copies with CRLF or LF, in Big5 or in UTF-8 with or without a BOM are all
read.

train.csv   header 日期,測站,測項,0,1,...,23: date, station, item and the 24 hours. A row is one item on one
            day: the first 20 days of each of 12 months x 18 items = 4,320 rows. "NR" (no rain) stands for 0.
test.csv    no header. A row is one item over nine hours, id_0,AMB_TEMP,21,21,...: 18 rows an id, id_0 to
            id_239. The answer is the PM2.5 of the tenth hour.

Units: PM2.5 and PM10 in ug/m3; NO, NO2, NOx, O3 and SO2 in ppb; CH4, CO, NMHC and THC in ppm; AMB_TEMP in
degrees Celsius; RH in %; RAINFALL in mm; WD_HR and WIND_DIREC in degrees; WIND_SPEED and WS_HR in m/s.
"""

from scaffold import HELP, BadInput, line_of, read_csv, replacing

import numpy as np
import pandas as pd

ITEMS = (
    "AMB_TEMP", "CH4", "CO", "NMHC", "NO", "NO2", "NOx", "O3", "PM10",
    "PM2.5", "RAINFALL", "RH", "SO2", "THC", "WD_HR", "WIND_DIREC", "WIND_SPEED", "WS_HR",
)  # fmt: skip
TARGET = ITEMS.index("PM2.5")
HOURS = 9  # hours that a window shows; the tenth is the answer
SPACING = 12  # hours from one test window to the next
LARGEST = 1_000_000  # more than any reading in these units
TEST_IDS = 240  # Kaggle scores exactly so many


def load_train(folder):
    """Read train.csv as every window of nine hours whose tenth hour lies in the same month.

    Returns
    -------
    windows : float64 (N, 18, 9), items in the order of ITEMS; N = 12 x 471 = 5,652 in the course's file
    targets : float64 (N,), PM2.5 of the tenth hour in ug/m3
    months : str (N,), such as "2014-01"

    Raises BadInput when the file is missing or is not what the docstring above describes.
    """
    path = folder / "train.csv"
    frame = read_table(path, header=0)
    expected = ["日期", "測站", "測項", *map(str, range(24))]
    if list(frame.columns) != expected:
        index = next((i for i, pair in enumerate(zip(frame.columns, expected)) if pair[0] != pair[1]), None)
        raise BadInput(
            f"{path}: the header has {len(frame.columns)} cells"
            + (f", of which cell {index + 1} is {frame.columns[index][:50]!r}" if index is not None else "")
            + f"; expected the 27 cells 日期,測站,測項,0,1,...,23; {HELP}."
        )
    hours = to_numbers(path, frame, first_column=3)  # (rows, 24)

    dates = pd.to_datetime(frame["日期"], format="%Y/%m/%d", errors="coerce")
    if dates.isna().any():
        row = dates.index[dates.isna()][0]
        raise BadInput(
            f"{path}: line {line_of(path, row)}: {frame['日期'][row]!r} is not a date like 2014/1/31; {HELP}."
        )
    by_day = stack_items(path, dates, frame["測項"], hours)  # date -> (18, 24)

    months = {}
    for date in sorted(by_day):
        months.setdefault(date.strftime("%Y-%m"), []).append(date)
    longest = max(len(days) for days in months.values())
    windows, targets, names = [], [], []
    for month, days in months.items():
        if len(days) < longest or (days[-1] - days[0]).days != len(days) - 1:
            raise BadInput(
                f"{path}: {month} has {len(days)} days from {days[0]:%d} to {days[-1]:%d}, "
                f"expected {longest} without a gap; {HELP}."
            )
        # A window is cut from one month's series, (18, days x 24), so that it never crosses into another.
        series = np.concatenate([by_day[day] for day in days], axis=1)
        shifted = np.lib.stride_tricks.sliding_window_view(series, HOURS + 1, axis=1)  # (18, n, 10)
        windows.append(shifted[:, :, :HOURS].transpose(1, 0, 2))
        targets.append(shifted[TARGET, :, HOURS])
        names += [month] * shifted.shape[1]
    return np.concatenate(windows), np.concatenate(targets), np.array(names)


def load_test(folder):
    """Read test.csv.

    Returns ids, the list "id_0" to "id_239" in the order of their numbers whatever the file's order, and
    windows, float64 (240, 18, 9) with items in the order of ITEMS. Raises BadInput when the file is not as
    described above.
    """
    path = folder / "test.csv"
    frame = read_table(path, header=None)
    if frame.shape[1] != 2 + HOURS:
        raise BadInput(
            f"{path}: {frame.shape[1]} columns, expected {2 + HOURS}: id, item and {HOURS} hours; {HELP}."
        )
    hours = to_numbers(path, frame, first_column=2)  # (rows, 9)
    by_id = stack_items(path, frame[0], frame[1], hours)  # id -> (18, 9)
    ids = [f"id_{number}" for number in range(TEST_IDS)]
    for name in [*ids, *by_id]:
        if name not in by_id:
            raise BadInput(f"{path}: {name} is missing, expected id_0 to id_{TEST_IDS - 1}; {HELP}.")
        if name not in ids:
            raise BadInput(f"{path}: there is an id {name!r}, expected id_0 to id_{TEST_IDS - 1}; {HELP}.")
    return ids, np.stack([by_id[name] for name in ids])


def load_window(path, model):
    """Read one window of one's own: a CSV without a header, a row an item: its name, then its hours.

    Items that are not there, and hours before those, are the means that the model was fitted with. Returns
    float64 (1, 18, 9). Raises BadInput if the file is not so, or lacks PM2.5 or hours that the model needs.
    """
    if not path.is_file():
        raise BadInput(f"{path} is missing.")
    frame = read_table(path, header=None)
    hours = to_numbers(path, frame, first_column=1)
    if not model.hours <= hours.shape[1] <= HOURS:
        raise BadInput(f"{path}: {hours.shape[1]} hours in a row, expected {model.hours} to {HOURS}.")
    by_item = dict(zip(frame[0].str.strip(), hours))
    for item in by_item:
        if item not in ITEMS:
            raise BadInput(f"{path}: there is no item {item!r}, expected some of {', '.join(ITEMS)}.")
    if "PM2.5" not in by_item or len(by_item) < len(frame):
        raise BadInput(f"{path}: expected a row of PM2.5, and no item twice.")
    window = np.tile(model.item_means()[:, None], HOURS)
    for item, values in by_item.items():
        window[ITEMS.index(item), HOURS - len(values) :] = values
    missing = [item for item in model.items if item not in by_item]
    if missing:
        print(
            f"note: {', '.join(missing)} taken at the mean of the training; the interval is of whole windows"
        )
    return window[None]


def hours_within(windows, hours):
    """Pairs to learn from that windows hold themselves: their later hours, from the `hours` before each.

    windows (n, 18, 9) -> earlier (m, 18, 9), of which the last `hours` are filled and the others are 0, and
    later (m,), PM2.5 in ug/m3. Hours whose PM2.5 is 0 or below are left out.
    """
    earlier, later = [], []
    for first in range(HOURS - hours):
        shifted = np.zeros_like(windows)
        shifted[:, :, HOURS - hours :] = windows[:, :, first : first + hours]
        earlier.append(shifted)
        later.append(windows[:, TARGET, first + hours])
    if not later:
        return windows[:0], np.zeros(0)
    earlier, later = np.concatenate(earlier), np.concatenate(later)
    return earlier[later > 0], later[later > 0]


def read_table(path, header):
    """Read a CSV as text, UTF-8 or Big5; the index is the row's number in the file, for line_of()."""
    frame = read_csv(path, ("UTF-8-sig", "Big5"), header=header, dtype=str, keep_default_na=False)
    frame.index += 0 if header is None else 1
    return frame


def to_numbers(path, frame, first_column):
    """Turn the columns from `first_column` on into float64, the "NR" of rainfall into 0.

    The column before is the items' names. Raises BadInput where a cell is no number, or larger than any
    reading, by which a sum of squares would overflow.
    """
    text = frame.iloc[:, first_column:]
    dry = (text == "NR").mul(frame.iloc[:, first_column - 1].str.strip() == "RAINFALL", axis=0)
    numbers = text.mask(dry, "0").apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    wrong = np.argwhere(~(np.abs(numbers) <= LARGEST))  # NaN is not
    if len(wrong):
        row, column = wrong[0]
        raise BadInput(
            f"{path}: line {line_of(path, frame.index[row])}, column {first_column + column + 1}: "
            f"{text.iat[row, column][:50]!r} is not a number from -{LARGEST:,} to {LARGEST:,}; {HELP}."
        )
    return numbers


def stack_items(path, keys, items, hours):
    """Gather the rows of each key, a date or an id, into one (18, hours) array in the order of ITEMS."""
    rows = {}
    for key, item, values in zip(keys, items, hours):
        if (key, item) in rows:
            raise BadInput(f"{path}: {name_of(key)} has {item} twice; {HELP}.")
        rows[key, item] = values
    stacked = {}
    for key in dict.fromkeys(keys):
        missing = [item for item in ITEMS if (key, item) not in rows]
        if missing:
            raise BadInput(f"{path}: {name_of(key)} lacks the item {missing[0]}; {HELP}.")
        stacked[key] = np.stack([rows[key, item] for item in ITEMS])
    return stacked


def name_of(key):
    return f"{key:%Y/%m/%d}" if isinstance(key, pd.Timestamp) else repr(key)


def make_synthetic(folder, seed):
    """Write train.csv and test.csv in the course's format and return the folder.

    The weather drifts, and tomorrow's dust follows a rule that gradient descent can find: PM2.5 keeps most of
    its last value, takes some of PM10, falls with rain and rises faster when the wind is weak. One reading in
    a hundred is a fault, -1 as in the real file, so that a method which holds faults has something to gain.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)

    def simulate(length):
        """One stretch of weather, (18, length)."""
        drift = np.zeros((len(ITEMS), length))
        for hour in range(1, length):
            drift[:, hour] = 0.9 * drift[:, hour - 1] + rng.normal(0, 0.4, len(ITEMS))
        readings = dict(zip(ITEMS, 20 * np.exp(0.4 * drift)))
        rain = rng.random(length) < 0.05
        readings["RAINFALL"] = np.where(rain, rng.integers(1, 20, length), 0)
        dust = np.full(length, 25.0)
        for hour in range(1, length):
            source = 0.2 * readings["PM10"][hour - 1] + 3 * (readings["WIND_SPEED"][hour - 1] < 15)
            dust[hour] = 0.75 * dust[hour - 1] + source - 4 * rain[hour - 1] + rng.normal(0, 2)
        readings["PM2.5"] = np.where(rng.random(length) < 0.01, -1, np.maximum(dust, 1).round())
        return np.stack([readings[item] for item in ITEMS]).round(1)

    def cells(item, values):
        return ["NR" if item == "RAINFALL" and value == 0 else f"{value:g}" for value in values]

    rows = [["日期", "測站", "測項", *map(str, range(24))]]
    for month in range(1, 13):
        weather = simulate(20 * 24)
        for day in range(20):
            hours = weather[:, 24 * day : 24 * day + 24]
            rows += [
                [f"2014/{month}/{day + 1}", "豐原", item, *cells(item, hours[i])]
                for i, item in enumerate(ITEMS)
            ]
    with replacing(folder / "train.csv") as path:
        path.write_bytes("".join(",".join(row) + "\r\n" for row in rows).encode("big5"))

    rows = []
    for number in range(TEST_IDS):
        weather = simulate(48)[:, -HOURS:]
        rows += [[f"id_{number}", item, *cells(item, weather[i])] for i, item in enumerate(ITEMS)]
    with replacing(folder / "test.csv") as path:
        path.write_bytes("".join(",".join(row) + "\r\n" for row in rows).encode("big5"))
    return folder
