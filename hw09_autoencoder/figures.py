"""The figures of this chapter."""

from matplotlib.figure import Figure

SHOWN = (1, 2, 3, 6, 7, 9)  # images of trainX in reconstructions.png, the course's


def strip_indices(count):
    """Those of SHOWN that are among so many images: list of int."""
    return [number for number in SHOWN if number < count]


def plot_strip(rows, names, numbers):
    """Rows of images, each float32 (k, 32, 32, 3), 0..1, as a figure: a name a row, a number a column."""
    figure = Figure(figsize=(1.2 * len(numbers) + 1, 1.3 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(numbers), squeeze=False)
    for line, images, name in zip(grid, rows, names):
        for axes, image in zip(line, images):
            axes.imshow(image)
            axes.set(xticks=[], yticks=[])
        line[0].set_ylabel(name)
    for axes, number in zip(grid[0], numbers):
        axes.set_title(number)
    return figure


def plot_embedding(panels, columns=2):
    """{title: (points (n, 2), groups (n,), what these are)} as a figure, a panel each, so many in a row."""
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(5 * min(columns, len(panels)), 4.5 * lines), layout="constrained")
    grid = figure.subplots(lines, min(columns, len(panels)), squeeze=False)
    for axes, (title, (points, groups, kind)) in zip(grid.ravel(), panels.items()):
        for group, colour in ((0, "C0"), (1, "C1")):
            chosen = groups == group
            axes.scatter(*points[chosen].T, s=3, c=colour, linewidths=0, label=f"{kind} {group}")
        axes.set(title=title, xticks=[], yticks=[])
        axes.legend(markerscale=4)
    return figure
