"""Plots as SVG, written by hand: lines over time, nothing that needs a library."""

from pathlib import Path

WIDTH, HEIGHT, LEFT, TOP, GAP = 900, 220, 90, 40, 60
COLOURS = ("#1f5fa8", "#b5541c", "#3a7d44")


def _panel(top, title, unit, series):
    """One set of axes; `series`: {name: [(x, y), ...]}."""
    points = [point for line in series.values() for point in line]
    (x0, x1), (y0, y1) = ((min(axis), max(axis)) for axis in zip(*points))
    margin = (y1 - y0) * 0.05 or abs(y0) * 1e-6 or 1.0
    y0, y1, x1 = y0 - margin, y1 + margin, x1 if x1 > x0 else x0 + 1

    def at(x, y):
        return f"{LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - 20):.1f},{top + HEIGHT - (y - y0) / (y1 - y0) * HEIGHT:.1f}"

    yield f'<text x="{LEFT}" y="{top - 10}" font-weight="bold">{title}</text>'
    yield f'<rect x="{LEFT}" y="{top}" width="{WIDTH - LEFT - 20}" height="{HEIGHT}" fill="none" stroke="#888"/>'
    for step in range(5):
        y = y0 + (y1 - y0) * step / 4
        height = top + HEIGHT - HEIGHT * step / 4
        yield f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{height}" y2="{height}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 6}" y="{height + 4}" text-anchor="end">{y:.7g}</text>'
        x = x0 + (x1 - x0) * step / 4
        yield f'<text x="{LEFT + (WIDTH - LEFT - 20) * step / 4}" y="{top + HEIGHT + 16}" text-anchor="middle">{x:.4g} s</text>'
    yield f'<text x="{WIDTH - 20}" y="{top - 10}" text-anchor="end">{unit}</text>'
    for index, (name, line) in enumerate(series.items()):
        colour = COLOURS[index % len(COLOURS)]
        yield f'<polyline fill="none" stroke="{colour}" points="{" ".join(at(x, y) for x, y in line)}"/>'
        yield f'<text x="{LEFT + 8}" y="{top + 16 + 14 * index}" fill="{colour}">{name}</text>'


def write(path, *panels):
    """Writes panels (title, unit of y, {name: [(seconds, y), ...]}) below each other."""
    lines, top = [], TOP
    for panel in panels:
        lines += _panel(top, *panel)
        top += HEIGHT + GAP
    Path(path).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" font-family="sans-serif" font-size="11">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(lines) + "\n</svg>\n",
        encoding="utf-8",
    )
