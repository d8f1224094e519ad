/** The same exchange through Bun.spawn's IPC: throughput|trip COUNT. It starts its own child. */
const [role, digits] = process.argv.slice(2) as [string, string];
const count = Number(digits);
const text = "x".repeat(255);

if (role === "child") {
  // Sends back what comes; after COUNT texts one answer ends a one-way run.
  let received = 0;
  process.on("message", (message: string) => {
    if (message !== text) return void process.send!(message);
    if (++received === count) process.send!("done");
  });
} else {
  const trips = new Float64Array(count);
  let done = 0;
  let start = 0;
  const pin = Bun.which("taskset") === null ? [] : ["taskset", "-c", "1"];
  const child = Bun.spawn([...pin, process.execPath, import.meta.path, "child", digits], {
    stdio: ["ignore", "inherit", "inherit"],
    ipc(message: string) {
      if (role === "throughput") {
        if (message === "started") return sendAll();
        const seconds = (performance.now() - start) / 1e3;
        console.log(JSON.stringify({ perSecond: count / seconds }));
        child.kill();
        return undefined;
      }
      trips[done++] = performance.now() - start;
      if (done < count) return ping();
      trips.sort();
      const at = (part: number): number => trips[Math.floor(count * part)]! * 1e3;
      console.log(JSON.stringify({ p50Us: at(0.5), p99Us: at(0.99) }));
      child.kill();
      return undefined;
    },
  });
  const sendAll = (): void => {
    start = performance.now();
    for (let sent = 0; sent < count; sent++) child.send(text);
  };
  const ping = (): void => {
    start = performance.now();
    child.send(`${text}y`);
  };
  if (role === "throughput") child.send("started");
  else ping();
}
