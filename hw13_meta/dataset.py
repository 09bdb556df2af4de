"""Omniglot's drawings -> arrays (Lake, Salakhutdinov, Tenenbaum 2015). Sine tasks need no files.

Omniglot/images_background/<alphabet>/<character>/*.png

A file is one drawing of one character, 105x105, black ink on white, 20 drawings by 20 people. The course's
zip file holds all of Omniglot; any number of alphabets, characters, drawings and any size of picture will do.
Folders and files are read in the order of their names. A character is named by its path, "Greek/character01".
"""

from scaffold import HELP, BadInput, line_of, read_csv, replacing

import numpy as np
import pandas as pd
from images import SUFFIXES, image_files, open_image, read_images, read_ink, shrink, squared
from PIL import Image, ImageDraw

SIZE = 28  # pixels a side, of what the network sees
LARGEST = 1000  # in a file of points
TEST_SEED = 1_000_000  # of the tasks that score, in train.py and predict.py alike
SYNTHETIC = {"Arcs": 10, "Lines": 12, "Loops": 12}  # alphabet: characters


def load_characters(folder):
    """Read all drawings under a data folder.

    Returns {name of the character: uint8 (drawings, SIZE, SIZE)}; 255 is ink, 0 is paper. The drawings are
    shrunk by averaging. Raises BadInput when a folder is missing or empty, or a file cannot be decoded.
    """
    root = folder / "Omniglot" / "images_background"
    if not root.is_dir():
        raise BadInput(f"{root} is missing; {HELP}.")
    folders = sorted(path for path in root.glob("*/*") if path.is_dir() and not hidden(path, root))
    if not folders:
        raise BadInput(f"{root} holds no <alphabet>/<character> folders; {HELP}.")
    try:
        "".join(str(path.relative_to(root)) for path in folders).encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"{root} holds a folder whose name is not UTF-8; rename it.") from error
    files = {f"{folder.parent.name}/{folder.name}": image_files(folder) for folder in folders}
    drawings = read_images([file for found in files.values() for file in found], read_drawing, "drawings")
    ends = np.cumsum([len(found) for found in files.values()])[:-1]
    return dict(zip(files, np.split(np.stack(drawings), ends)))


def hidden(path, root):
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def read_drawing(path):
    """Read an image: uint8 (SIZE, SIZE), 255 is ink."""
    return 255 - np.asarray(open_image(path, "L").resize((SIZE, SIZE), Image.Resampling.BOX))


def load_own_drawings(folder):
    """A person's own drawings, of any size, dark on light or light on dark.

    Returns {name of a sub-folder: uint8 (n, SIZE, SIZE)} and {file name: uint8 (SIZE, SIZE)} of the files
    beside the sub-folders; 255 is ink. Raises BadInput if one of the two is missing.
    """
    if not folder.is_dir():
        raise BadInput(f"--drawings {folder} is no folder; {HELP}.")
    found = [path for path in sorted(folder.iterdir()) if path.name[0] != "."]
    characters = {
        path.name: np.stack([read_own_drawing(file) for file in image_files(path)])
        for path in found
        if path.is_dir()
    }
    drawings = {
        path.name: read_own_drawing(path)
        for path in found
        if path.is_file() and path.suffix.lower() in SUFFIXES
    }
    if others := [path.name for path in found if path.is_file() and path.name not in drawings]:
        print(f"note: {folder}: {', '.join(others[:3])} and the like are left out, {len(others)} files")
    if not characters:
        raise BadInput(f"{folder} has no sub-folders, expected one for each character, of drawings; {HELP}.")
    if not drawings:
        raise BadInput(f"{folder} has no images beside its sub-folders, expected those to read; {HELP}.")
    return characters, drawings


def read_own_drawing(path):
    """Read an image: uint8 (SIZE, SIZE), 255 is ink; what most of its border is, is paper.

    Raises BadInput if nothing is drawn.
    """
    square = squared(Image.fromarray(read_ink(path, "a drawing").astype(np.uint8)))
    return shrink(square, SIZE, path)


def load_points(path):
    """Read a CSV with the columns x and y: float32 (n, 1) each, n at least 2. Raises BadInput.

    Numbers beyond LARGEST are refused: the waves reach 5.
    """
    table = read_csv(path)
    for column in ("x", "y"):
        if column not in table:
            raise BadInput(f"{path}: the column {column} is missing, expected x and y; {HELP}.")
    values = table[["x", "y"]].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    wrong = np.flatnonzero(~(np.abs(values) <= LARGEST).all(axis=1))  # NaN is not
    if len(wrong):
        raise BadInput(
            f"{path}: line {line_of(path, wrong[0] + 1)} has no two numbers from {-LARGEST:,} to "
            f"{LARGEST:,}, expected x and y; {HELP}."
        )
    if len(values) < 2:
        raise BadInput(f"{path} has {len(values)} points, expected at least 2; {HELP}.")
    values = values.astype(np.float32)
    return values[:, :1], values[:, 1:]


def alphabets(characters):
    """The alphabets of some characters' names, in order."""
    return list(dict.fromkeys(name.split("/")[0] for name in characters))


def split(characters, held_out):
    """Part the characters by whole alphabets: those to learn from, those to test on. Both are dicts.

    held_out: names with commas between; None: every sixth alphabet, from the third on, or of fewer than three
    the last; "random": a sixth of the characters of all alphabets, as the papers part them. Raises BadInput
    if there is none of a name.
    """
    names = alphabets(characters)
    chosen = held_out.split(",") if held_out else names[2::6] or names[-1:]
    if held_out == "random":
        held = set(np.random.default_rng(0).permutation(list(characters))[::6])
    else:
        held = {name for name in characters if name.split("/")[0] in chosen}
        for name in chosen:
            if name not in names:
                raise BadInput(f"--held-out {name}: expected some of {', '.join(names)}.")
        if characters and len(held) == len(characters):
            raise BadInput(
                f"--held-out {','.join(chosen)}: expected fewer alphabets, so that one is left to train on."
            )
    seen = {name: drawings for name, drawings in characters.items() if name not in held}
    return seen, {name: characters[name] for name in characters if name in held}


def make_synthetic(folder, seed, drawings=12):
    """Write three invented alphabets of polylines in Omniglot's format, and return the folder.

    A character is a line through a few random points; in a drawing each point is a little elsewhere. The
    points lie on a circle, on a grid or anywhere, by alphabet: two teach how to tell those of the third.
    """
    rng = np.random.default_rng(seed)
    for alphabet, (name, count) in enumerate(SYNTHETIC.items()):
        for number in range(1, count + 1):
            character = folder / "Omniglot" / "images_background" / name / f"character{number:02d}"
            character.mkdir(parents=True, exist_ok=True)
            points = invent(rng, alphabet)
            for drawing in range(1, drawings + 1):
                picture = Image.new("1", (105, 105), 1)
                line = points + rng.normal(0, 3, points.shape)
                ImageDraw.Draw(picture).line([tuple(point) for point in line], fill=0, width=3)
                with replacing(character / f"{number:04d}_{drawing:02d}.png") as path:
                    picture.save(path)
    return folder


def invent(rng, alphabet):
    """The points of a new character in pixels: float64 (n, 2)."""
    if alphabet == 0:
        turn = np.cumsum(rng.uniform(0.5, 1.5, 6)) + rng.uniform(0, 2 * np.pi)
        return 52 + rng.uniform(20, 40, 2) * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    if alphabet == 1:
        return 20 + 32.0 * np.stack(np.divmod(rng.permutation(9)[:4], 3), axis=1)
    return rng.uniform(15, 90, (5, 2))
