"""A picture of a comparison: for each measure a bar for each peer, on a logarithmic scale. Pure: figures in, SVG out."""

import math
from xml.sax.saxutils import escape

import report
from musts import number

WIDTH = 1120
COLUMNS = 2
LABEL = 130
BAR = 14
ROW = 20
TITLE = 34
GAP = 24
FIGURE = 70
OURS, OTHERS = "#0b6e4f", "#8d99ae"


def draw(figures, caption):
    names = report.in_order(figures.peers())
    panels = [
        (label, [(name, figures.median(name, measure)) for name in names if figures.values(name, measure)])
        for measure, label in report.SHOWN
    ]
    panels = [panel for panel in panels if panel[1]]
    width = WIDTH // COLUMNS
    bottoms = [60] * COLUMNS
    parts = []
    for label, bars in panels:
        column = bottoms.index(min(bottoms))
        parts.append(_panel(column * width + 10, bottoms[column], width - 30, label, bars))
        bottoms[column] += TITLE + len(bars) * ROW + GAP
    height = max(bottoms) + 10
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
            'font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
            f'<text x="10" y="24" font-size="17" font-weight="bold">{escape("Troupe beside its neighbours")}</text>',
            f'<text x="10" y="44" fill="#555">{escape(caption)}</text>',
            *parts,
            "</svg>",
            "",
        ]
    )


def decades(values):
    """The powers of ten that hold all values above zero."""
    positive = [value for value in values if value > 0] or [1]
    low = math.floor(math.log10(min(positive)))
    high = math.ceil(math.log10(max(positive)))
    return low, max(high, low + 1)


def _panel(left, top, width, label, bars):
    low, high = decades([value for _, value in bars])
    room = width - LABEL - FIGURE

    def x(value):
        share = (math.log10(value) - low) / (high - low) if value > 0 else 0
        return left + LABEL + max(1.0, share * room)

    parts = [f'<text x="{left}" y="{top + 14}" font-weight="bold">{escape(label)}</text>']
    bottom = top + TITLE + len(bars) * ROW - (ROW - BAR)
    for power in range(low, high + 1):
        at = x(10.0**power) if power > low else left + LABEL
        parts.append(f'<line x1="{at:.1f}" y1="{top + TITLE - 6}" x2="{at:.1f}" y2="{bottom}" stroke="#ddd"/>')
        text = number(10.0**power) if power >= 0 else f"{10.0**power:g}"
        parts.append(
            f'<text x="{at:.1f}" y="{top + TITLE - 9}" font-size="9" fill="#777" text-anchor="middle">{text}</text>'
        )
    for index, (name, value) in enumerate(bars):
        y = top + TITLE + index * ROW
        colour = OURS if name.startswith("troupe") else OTHERS
        parts.append(f'<text x="{left + LABEL - 8}" y="{y + 11}" text-anchor="end">{escape(name)}</text>')
        parts.append(
            f'<rect x="{left + LABEL}" y="{y}" width="{x(value) - left - LABEL:.1f}" height="{BAR}" fill="{colour}"/>'
        )
        parts.append(f'<text x="{x(value) + 5:.1f}" y="{y + 11}">{number(value)}</text>')
    return "\n".join(parts)
