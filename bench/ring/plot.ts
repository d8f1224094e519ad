/** `bun run bench:plot [JSON] [SVG]`: the ring and its peers as a picture. */
const [source = "bench/ring/results.json", target = "docs/ring.svg"] = process.argv.slice(2);

interface Results {
  readonly machine: string;
  readonly figures: Readonly<Record<string, { median: number } | undefined>>;
}
const { machine, figures } = (await Bun.file(source).json()) as Results;

interface Bar {
  readonly label: string;
  readonly value: number;
  readonly text: string;
  readonly ours: boolean;
}

const show = (value: number): string => value.toPrecision(value >= 100 ? 3 : 2);

function bars(rows: readonly [string, string, boolean][], divisor: number, unit: string): Bar[] {
  return rows.flatMap(([label, figure, ours]) => {
    const found = figures[figure];
    if (found === undefined) return [];
    const value = found.median / divisor;
    return [{ label, value, text: `${show(value)} ${unit}`, ours }];
  });
}

const roundTrip = bars(
  [
    ["two bare words, C", "C words 8 B rtt mean", false],
    ["ring, spinning", "ring spin 64 B rtt mean", true],
    ["ring in C", "C ring 64 B rtt mean", false],
    ["ring, adaptive", "ring adaptive 64 B rtt p50", true],
    ["ring, async", "ring async 64 B rtt p50", true],
    ["Worker, postMessage", "worker 64 B rtt p50", false],
    ["Unix socket", "socket 64 B rtt p50", false],
    ["Bun.spawn IPC", "ipc 64 B rtt p50", false],
  ],
  1e3,
  "µs",
);
const rate = bars(
  [
    ["ring, batches of 32", "ring 64 B x32", true],
    ["ring, one by one", "ring 64 B x1", true],
    ["ring in C, batches of 32", "C ring 64 B x32", false],
    ["ring in C, one by one", "C ring 64 B x1", false],
    ["Worker, postMessage", "worker 64 B x1", false],
    ["Unix socket", "socket 64 B x1", false],
    ["Bun.spawn IPC", "ipc 64 B x1", false],
  ],
  1e6,
  "M/s",
);

const WIDTH = 720;
const LABEL = 190;
const ROW = 26;

function panel(title: string, rows: readonly Bar[], top: number): string {
  const logs = rows.map(({ value }) => Math.log10(value));
  const low = Math.floor(Math.min(...logs));
  const high = Math.ceil(Math.max(...logs));
  const length = (value: number): number =>
    Math.max(2, ((Math.log10(value) - low) / (high - low)) * (WIDTH - LABEL - 110));
  const lines = rows.map(({ label, value, text, ours }, at) => {
    const y = top + 34 + at * ROW;
    const end = LABEL + length(value);
    return (
      `<text x="${LABEL - 10}" y="${y + 13}" text-anchor="end">${label}</text>` +
      `<rect x="${LABEL}" y="${y}" width="${(end - LABEL).toFixed(1)}" height="18" rx="3" ` +
      `class="${ours ? "ours" : "peer"}"/>` +
      `<text x="${(end + 8).toFixed(1)}" y="${y + 13}">${text}</text>`
    );
  });
  return `<text x="10" y="${top + 18}" class="title">${title}</text>${lines.join("\n")}`;
}

const second = 44 + roundTrip.length * ROW + 20;
const height = second + 44 + rate.length * ROW + 34;
const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="13">
<style>
  text { fill: #1f2328 } .title { font-weight: 600; font-size: 14px }
  .ours { fill: #d6336c } .peer { fill: #8a94a0 } .note { font-size: 11px; fill: #59636e }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .note { fill: #9198a1 } }
</style>
${panel("Round trip of 64 B between two processes, p50; logarithmic, shorter is better", roundTrip, 4)}
${panel("One way, 64 B; logarithmic, longer is better", rate, second)}
<text x="10" y="${height - 10}" class="note">${machine}; medians of several runs</text>
</svg>
`;
await Bun.write(target, svg);
console.log(`Wrote ${target}`);
