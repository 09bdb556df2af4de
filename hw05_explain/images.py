"""Not part of the lesson: files of images -> arrays. The same file in each chapter that has it."""

import os
import re
from concurrent.futures import ThreadPoolExecutor

from scaffold import HELP, SYSTEM_FILES, BadInput

import numpy as np
from PIL import ExifTags, Image, ImageOps
from tqdm import tqdm

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")
MAX_PIXELS = 100_000_000  # of one image; Pillow's own limit only warns
MAX_NUMBER = 1_000_000_000  # in a file's name
LARGEST = 128  # pixels a side of a square, unless told otherwise
FOOD_11 = (
    *("bread", "dairy", "dessert", "egg", "fried food", "meat"),
    *("noodles or pasta", "rice", "seafood", "soup", "vegetable or fruit"),
)
Image.MAX_IMAGE_PIXELS = None


def image_files(folder):
    """The image files of a folder, in the order of their names.

    Hidden files and those of the system are passed over, and counted in a line. Raises BadInput if the folder
    is missing or empty, or holds a file or a folder that is no image.
    """
    nested = folder.parent / folder.parent.name / folder.name
    if not folder.is_dir():
        raise BadInput(f"{folder} is missing; {f'move {nested} there' if nested.is_dir() else HELP}.")
    found = sorted(folder.iterdir())
    paths = [path for path in found if path.name[0] != "." and path.name.lower() not in SYSTEM_FILES]
    if len(paths) < len(found):
        print(f"note: {len(found) - len(paths)} hidden or system files of {folder} were left out")
    for path in paths:
        if path.is_dir():
            raise BadInput(f"{path} is a folder, expected image files in {folder} itself; {HELP}.")
        if path.suffix.lower() not in SUFFIXES:
            raise BadInput(f"{path} is no image, expected {', '.join(SUFFIXES)}; {HELP}.")
    if not paths:
        raise BadInput(f"{folder} holds no images; {HELP}.")
    return paths


def number_of(path, pattern=r"(\d+)"):
    """The number in a file's name without its ending, where the pattern, of one group, has it; else None."""
    match = re.fullmatch(pattern, path.stem, re.ASCII)
    if match and int(match[1]) >= MAX_NUMBER:
        raise BadInput(
            f"{path}: the number in the name is too large, expected less than {MAX_NUMBER:,}; {HELP}."
        )
    return int(match[1]) if match else None


def labelled_files(folder):
    """The files {class}_{n}.jpg of a folder, in the order of their names, and their classes, int64 (N,).

    Raises BadInput if a name has no class, or one beyond the number of images, as of a date, or if the
    classes were unpacked as folders.
    """
    for inner in folder.glob("[!.]*/"):
        raise BadInput(
            f"{inner} is a folder: expected the images in {folder} itself, the class in their names, as "
            f"0_17.jpg for {inner.name}/17.jpg of class 0; {HELP}."
        )
    paths = image_files(folder)
    labels = [number_of(path, r"(\d+)_.+") for path in paths]
    for label, path in zip(labels, paths):
        if label is None:
            raise BadInput(f"{path}: the name has no class, expected {{class}}_{{n}}{path.suffix}; {HELP}.")
        if label >= len(paths):
            raise BadInput(
                f"{path}: class {label} of {len(paths)} images in {folder}, expected 0, 1, 2, ...: what "
                f"stands before the underscore is the class; {HELP}."
            )
    return paths, np.array(labels, np.int64)


def numbered_files(folder):
    """The files {n}.jpg of a folder, in the order of n, and their numbers, int64 (N,).

    Raises BadInput if a name is no number, or a number comes twice.
    """
    paths = image_files(folder)
    for path in paths:
        if number_of(path) is None:
            raise BadInput(f"{path}: the name is no number, expected {{n}}{path.suffix}; {HELP}.")
    paths.sort(key=number_of)
    numbers = np.array([number_of(path) for path in paths], np.int64)
    for index in np.flatnonzero(np.diff(numbers) == 0):
        raise BadInput(
            f"{paths[index + 1]} has the number of {paths[index].name}, expected each once; {HELP}."
        )
    return paths, numbers


def class_names(folder, classes):
    """The names of the classes: those of classes.txt in the folder, else food-11's, or numbers: list of str.

    Raises BadInput if the file does not name so many.
    """
    path = folder / "classes.txt"
    if not path.is_file():
        return list(FOOD_11) if classes == len(FOOD_11) else [str(label) for label in range(classes)]
    try:
        names = [line.strip() for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 text ({error}); save it so.") from error
    if len(names) != classes or len(set(names)) != classes:
        raise BadInput(
            f"{path} has {len(set(names))} different names on {len(names)} lines, expected a line for each "
            f"of the {classes} classes."
        )
    return names


def write_class_names(path, names):
    """Write what class_names() reads."""
    path.write_text("".join(f"{name}\n" for name in names), "utf-8")


def open_image(path, mode="RGB", side=None):
    """One image, upright, as a PIL image of the mode "RGB" or "L"; mode None: "L" if it is grey, else "RGB".

    16 bits a channel are scaled to 8. side: a JPEG is decoded at a fraction of its size, but no side below
    that. Raises BadInput if the file cannot be decoded as an image, or is too large.
    """
    if not os.path.isfile(path):
        raise BadInput(f"{path} is no file, expected an image; {HELP}.")
    try:
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadInput(
                    f"{path} is {image.width}x{image.height}, expected at most {MAX_PIXELS:,} pixels."
                )
            if side:
                image.draft("RGB", (2 * side, 2 * side))
            upright = ImageOps.exif_transpose(image)
            if upright.mode[0] == "I" or upright.mode == "F":  # 16 or 32 bits, which convert() would clip
                upright = eight_bits(upright, path)
            grey = upright.mode in ("L", "1", "LA")
            if upright.mode in ("LA", "PA", "RGBA") or "transparency" in upright.info:
                upright = upright.convert("RGBA")
                paper = Image.new("RGBA", upright.size, "white")  # else what is transparent would be black
                upright = Image.alpha_composite(paper, upright)
            return upright.convert(mode or ("L" if grey else "RGB"))
    except (BadInput, PermissionError):
        raise
    except Exception as error:  # Pillow has many words for another format, or a damaged file
        raise BadInput(f"{path} cannot be decoded as an image ({error}); {HELP}.") from error


def eight_bits(image, path):
    """A grey PIL image of 16 or 32 bits, or of floats, 0 to 1 or to 255, as one of 8 bits.

    Raises BadInput if its values are of no scale that is known.
    """
    values = np.asarray(image).astype(np.float64)
    limits = {65535: 257} if image.mode.startswith("I;16") else {255: 1, 65535: 257}
    limits = {1: 1 / 255} | limits if image.mode == "F" else limits
    least, most = values.min(initial=0), values.max(initial=0)
    scale = next((scale for limit, scale in limits.items() if most <= limit), None)
    floor = -0.01 * most if image.mode == "F" else 0  # interpolation overshoots a little
    unclear = least < floor or (image.mode == "F" and 1 < most < 2)  # 0 to 1, and a little more?
    if scale is None or unclear or not np.isfinite(values).all():
        raise BadInput(f"{path} has pixels from {least:g} to {most:g}, expected 0 to 1, 255 or 65,535.")
    return Image.fromarray((values / scale).clip(0, 255).round().astype(np.uint8))


def read_ink(path, what):
    """What is drawn, dark on light or light on dark: float32 (h, w), how far each pixel is from the paper.

    The paper's grey is the median of the border's. Raises BadInput as open_image does, and one that names
    `what` was expected, if nothing is drawn.
    """
    grey = np.asarray(open_image(path, "L"), np.float32)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink = np.abs(grey - np.median(border))
    if max(ink.shape) ** 2 > MAX_PIXELS:  # of the square that it is put into
        raise BadInput(f"{path} is {ink.shape[1]}x{ink.shape[0]}, expected {what} of a less long shape.")
    if ink.max() < 16:
        raise BadInput(f"{path} is of one colour, expected {what} on it.")
    return ink


def cut_out(path, threshold, what):
    """The box around the ink that is above this share of its largest, squared, white on black: mode "L".

    Raises BadInput as read_ink does.
    """
    ink = read_ink(path, what)
    rows, columns = (np.flatnonzero((ink > ink.max() * threshold).any(axis=axis)) for axis in (1, 0))
    box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return squared(Image.fromarray((255 * box / ink.max()).astype(np.uint8)))


def squared(image):
    """An image in the middle of a black square: before it is shrunk, or a thin line shrinks to nothing."""
    return ImageOps.pad(image, [max(image.size)] * 2, color=0)


def shrink(square, size, path):
    """A square of ink in size x size pixels, its lines as dark as they can be: uint8 (size, size).

    Raises BadInput if they are so thin that nothing is left of them.
    """
    small = np.asarray(square.resize((size, size), Image.Resampling.BOX), np.float32)
    if small.max() == 0:
        raise BadInput(f"{path}: what is drawn is too thin or too small for a picture of its size.")
    return np.uint8(255 * small / small.max())


def image_size(path):
    """Width and height of an image, upright, which is not decoded. Raises BadInput as open_image does."""
    if not os.path.isfile(path):
        raise BadInput(f"{path} is missing; {HELP}.")
    try:
        with Image.open(path) as image:
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5  # by a quarter
            turned &= image.format != "TIFF"  # whose size Pillow has turned already
            return image.size[::-1] if turned else image.size
    except PermissionError:
        raise
    except Exception as error:  # as in open_image
        raise BadInput(f"{path} cannot be decoded as an image ({error}); {HELP}.") from error


def read_images(paths, read, name=""):
    """[read(path) for each path], by threads, with a progress bar."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        return list(tqdm(threads.map(read, paths), name, len(paths), ncols=80, disable=None))


def read_square(path, size):
    """One image, upright, RGB, squeezed into a square of size pixels: uint8 (size, size, 3)."""
    upright = open_image(path, side=size)
    if upright.size != (size, size):
        upright = upright.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(upright)


def read_squares(paths, size):
    """The same of many images: uint8 (N, size, size, 3). Raises BadInput where one is broken."""
    return np.stack(read_images(paths, lambda path: read_square(path, size), paths[0].parent.name))


def common_side(folder):
    """The median of the shorter sides of up to a hundred labelled images, in pixels, but at most LARGEST."""
    paths, _ = labelled_files(folder)
    some = paths[:: -(-len(paths) // 100)]
    return int(min(LARGEST, np.median([min(open_image(path).size) for path in some])))
