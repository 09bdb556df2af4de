"""The figures of this chapter."""

from matplotlib.figure import Figure


def plot_strip(rows, spoilt, numbers):
    """strip() of training.py as a figure: a row each for original, spoilt (a word for it) and decoded."""
    figure = Figure(figsize=(1.2 * rows.shape[1] + 1, 4), layout="constrained")
    grid = figure.subplots(3, rows.shape[1], squeeze=False)
    for line, images, name in zip(grid, rows, ("original", spoilt, "decoded")):
        for axes, image in zip(line, images):
            axes.imshow(image)
            axes.set(xticks=[], yticks=[])
        line[0].set_ylabel(name)
    for axes, number in zip(grid[0], numbers):
        axes.set_title(number)
    return figure


def plot_embedding(panels):
    """{title: (points (n, 2), groups (n,))} as a figure, a panel each."""
    figure = Figure(figsize=(5 * len(panels), 4.5), layout="constrained")
    for axes, (title, (points, groups)) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items()
    ):
        for group, colour in ((0, "C0"), (1, "C1")):
            chosen = groups == group
            axes.scatter(*points[chosen].T, s=3, c=colour, linewidths=0, label=f"group {group}")
        axes.set(title=title, xticks=[], yticks=[])
    figure.axes[0].legend(markerscale=4)
    return figure
