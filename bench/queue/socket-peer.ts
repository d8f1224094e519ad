/**
 * The same exchange through a Unix socket, in frames of 256 bytes: "server" or "client", PATH,
 * "throughput" or "trip", COUNT.
 */
import { unlinkSync } from "node:fs";

const [side, path, role, digits] = process.argv.slice(2) as [string, string, string, string];
const count = Number(digits);
const FRAME = 256;
const frame = Buffer.alloc(FRAME, "x");

if (side === "server") {
  let bytes = 0;
  let start = 0;
  Bun.listen({
    unix: path,
    socket: {
      data(socket, data) {
        if (role === "trip") return void socket.write(data);
        if (bytes === 0) start = performance.now();
        bytes += data.length;
        if (bytes < count * FRAME) return undefined;
        const seconds = (performance.now() - start) / 1e3;
        console.log(JSON.stringify({ perSecond: count / seconds }));
        unlinkSync(path);
        return process.exit(0);
      },
      close() {
        if (role === "trip") unlinkSync(path);
        process.exit(0);
      },
    },
  });
  console.log("ready");
} else {
  const trips = new Float64Array(count);
  let done = 0;
  let bytes = 0;
  let start = 0;
  let left = count * FRAME;
  // It sends as many frames at once as one write handles well.
  const batch = Buffer.alloc(FRAME * 64, "x");
  const fill = (socket: Bun.Socket): void => {
    while (left > 0) {
      const written = socket.write(batch, 0, Math.min(left, batch.length));
      if (written <= 0) return;
      left -= written;
    }
  };
  await Bun.connect({
    unix: path,
    socket: {
      open(socket) {
        start = performance.now();
        if (role === "trip") socket.write(frame);
        else fill(socket);
      },
      drain(socket) {
        if (role === "throughput") fill(socket);
      },
      data(socket, data) {
        bytes += data.length;
        if (bytes < FRAME) return;
        bytes = 0;
        trips[done++] = performance.now() - start;
        if (done < count) {
          start = performance.now();
          socket.write(frame);
          return;
        }
        trips.sort();
        const at = (part: number): number => trips[Math.floor(count * part)]! * 1e3;
        console.log(JSON.stringify({ p50Us: at(0.5), p99Us: at(0.99) }));
        socket.end();
        process.exit(0);
      },
    },
  });
}
