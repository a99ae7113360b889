"""Charts as SVG: lines over numbers that double, both axes logarithmic."""
import math

STYLE = """\
svg { background: #ffffff; font: 13px system-ui, sans-serif; } text { fill: #333333; }
.title { font-size: 16px; font-weight: 600; } .grid { stroke: #dddddd; }
.line { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
.ideal { stroke-width: 1.5; stroke-dasharray: 6 4; }
.s0 { stroke: #1f6feb; } .s1 { stroke: #d1242f; } circle { stroke: none; }
circle.s0 { fill: #1f6feb; } circle.s1 { fill: #d1242f; }
@media (prefers-color-scheme: dark) {
svg { background: #0d1117; } text { fill: #c9d1d9; } .grid { stroke: #30363d; } }
"""
COLOURS = 2
WIDTH, HEIGHT = 380, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 28, 66, 52


def short(value):
    """1234567 as 1.2M: two digits that count."""
    for unit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:.3g}{suffix}"
    return f"{value:.3g}"


def ticks(low, high):
    """Round numbers from low to high, on a logarithmic axis about equally far apart."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
        found = [step * 10.0 ** power for power in powers for step in steps]
        found = [tick for tick in found if low <= tick <= high]
        if len(found) >= 4:
            break
    return found


class Panel:
    """One chart: `lines` is a list of (name, [(x, y)], dashed or not), whose colours repeat."""

    def __init__(self, title, across, lines):
        self.title, self.across, self.lines = title, across, lines
        points = [point for _, points, _ in lines for point in points]
        self.xs = sorted({x for x, _ in points})
        low, high = min(y for _, y in points), max(y for _, y in points)
        self.low, self.high = low / 1.3, high * 1.3

    def x(self, value):
        low, high = math.log(self.xs[0]), math.log(self.xs[-1])
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log(value) - low) / max(high - low, 1e-9)

    def y(self, value):
        low, high = math.log(self.low), math.log(self.high)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (math.log(value) - low) / (high - low)

    def axes(self):
        yield f"<text x='{LEFT}' y='{TOP - 12}'>{self.title}</text>"
        for tick in ticks(self.low, self.high):
            y = self.y(tick)
            yield (f"<line class='grid' x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{y:.1f}' y2='{y:.1f}'/>"
                   f"<text x='{LEFT - 8}' y='{y + 4:.1f}' text-anchor='end'>{short(tick)}</text>")
        for value in self.xs:
            yield (f"<text x='{self.x(value):.1f}' y='{HEIGHT - BOTTOM + 20}' "
                   f"text-anchor='middle'>{value}</text>")
        yield (f"<text x='{(LEFT + WIDTH - RIGHT) / 2}' y='{HEIGHT - 10}' "
               f"text-anchor='middle'>{self.across}</text>")

    def curves(self):
        for number, (name, points, dashed) in enumerate(self.lines):
            path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
            yield (f"<polyline class='line s{number % COLOURS}{' ideal' if dashed else ''}' "
                   f"points='{path}'/>")
            for x, y in () if dashed else points:
                yield (f"<circle class='s{number % COLOURS}' cx='{self.x(x):.1f}' "
                       f"cy='{self.y(y):.1f}' r='3.5'>"
                       f"<title>{name}, {self.across} {x}: {short(y)}</title></circle>")

    def svg(self):
        return "\n".join([*self.axes(), *self.curves()])


def legend(lines, top):
    """The names of the lines, side by side."""
    at = LEFT
    for number, (name, _, dashed) in enumerate(lines):
        yield (f"<line class='line s{number % COLOURS}{' ideal' if dashed else ''}' x1='{at}' "
               f"x2='{at + 22}' y1='{top}' y2='{top}'/>"
               f"<text x='{at + 28}' y='{top + 4}'>{name}</text>")
        at += 46 + 7 * len(name)


def picture(title, note, panels):
    """Panels side by side under a title, with the lines of the first named and a note below."""
    width, height = WIDTH * len(panels), HEIGHT + 50
    lines = [f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' "
             f"width='{width}' height='{height}'>", f"<style>\n{STYLE}</style>",
             f"<text class='title' x='{LEFT}' y='26'>{title}</text>"]
    for number, panel in enumerate(panels):
        lines += [f"<g transform='translate({number * WIDTH} 0)'>", panel.svg(), "</g>"]
    lines += legend(panels[0].lines, HEIGHT + 10)
    lines += [f"<text x='{LEFT}' y='{HEIGHT + 38}'>{note}</text>", "</svg>"]
    return "\n".join(lines) + "\n"
