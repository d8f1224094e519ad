/** `bun bench/growth/plot.ts [JSON] [SVG]`: what an operation costs as the work grows, as pictures. */
const [source = "bench/growth/results.json", target = "docs/growth.svg"] = process.argv.slice(2);

interface Point {
  readonly at: number;
  readonly time: { readonly median: number; readonly min: number; readonly max: number };
}
interface Results {
  readonly machine: string;
  readonly series: readonly { what: string; of: string; points: readonly Point[] }[];
}
const { machine, series } = (await Bun.file(source).json()) as Results;

const [WIDTH, HEIGHT, COLUMNS] = [360, 190, 2];
const [LEFT, RIGHT, TOP, BOTTOM] = [20, 20, 46, 44];

function short(value: number): string {
  for (const [unit, size] of [
    ["G", 2 ** 30],
    ["M", 2 ** 20],
    ["K", 2 ** 10],
  ] as const) {
    if (value >= size && value % size === 0) return `${value / size}${unit}`;
  }
  const power = Math.log10(value);
  return value >= 1000 && Number.isInteger(power) ? `10^${power}` : String(value);
}

const nanoseconds = (value: number): string =>
  value >= 1e5 ? `${(value / 1e3).toPrecision(3)} µs` : `${value.toPrecision(3)} ns`;

function panel({ what, of, points }: Results["series"][number], at: number): string {
  const x0 = (at % COLUMNS) * WIDTH;
  const y0 = Math.floor(at / COLUMNS) * HEIGHT;
  const highest = Math.max(...points.map(({ time }) => time.max));
  const across = (WIDTH - LEFT - RIGHT - 40) / Math.max(1, points.length - 1);
  const x = (index: number): string => (x0 + LEFT + 20 + index * across).toFixed(1);
  const height = HEIGHT - TOP - BOTTOM;
  const y = (time: number): string => (y0 + TOP + height * (1 - time / highest)).toFixed(1);
  const line = points.map(({ time }, index) => `${x(index)},${y(time.median)}`).join(" ");
  const marks = points.map(({ at: size, time }, index) => {
    const range = `<line x1="${x(index)}" x2="${x(index)}" y1="${y(time.min)}" y2="${y(time.max)}" class="range"/>`;
    const label = `<text x="${x(index)}" y="${Number(y(time.max)) - 6}" class="value">${nanoseconds(time.median)}</text>`;
    const tick = `<text x="${x(index)}" y="${y0 + HEIGHT - BOTTOM + 16}" class="value">${short(size)}</text>`;
    return `${range}<circle cx="${x(index)}" cy="${y(time.median)}" r="3"/>${label}${tick}`;
  });
  return (
    `<text x="${x0 + 10}" y="${y0 + 18}" class="title">${what}</text>` +
    `<line x1="${x0 + LEFT}" x2="${x0 + WIDTH - RIGHT}" y1="${y0 + HEIGHT - BOTTOM}" y2="${y0 + HEIGHT - BOTTOM}" class="axis"/>` +
    `<text x="${x0 + WIDTH / 2}" y="${y0 + HEIGHT - BOTTOM + 32}" class="value">${of}</text>` +
    `<polyline points="${line}"/>${marks.join("\n")}`
  );
}

const [width, height] = [WIDTH * COLUMNS, Math.ceil(series.length / COLUMNS) * HEIGHT + 24];
const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="13">
<style>
  text { fill: #1f2328 } .title { font-weight: 600 } .value { font-size: 10px; text-anchor: middle }
  polyline { fill: none; stroke: #d6336c; stroke-width: 2 } circle { fill: #d6336c }
  .range, .axis { stroke: #8a94a0 } .note { font-size: 11px; fill: #59636e }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .note { fill: #9198a1 } }
</style>
${series.map(panel).join("\n")}
<text x="10" y="${height - 8}" class="note">${machine}; medians, with the least and the most; each from 0</text>
</svg>
`;
await Bun.write(target, svg);
console.log(`Wrote ${target}`);
