/** A Worker that uses the package, in an app that does too: PREFIX, or nothing inside the Worker. */
import { RingBuffer, Semaphore } from "bun-shm";

declare const self: Worker;

async function answer(prefix: string): Promise<string | undefined> {
  using semaphore = Semaphore.open(`${prefix}-semaphore`);
  await semaphore.waitAsync();
  using ring = RingBuffer.open(`${prefix}-ring`);
  using consumer = ring.consumer();
  return new TextDecoder().decode(consumer.take());
}

async function main(prefix: string): Promise<void> {
  using semaphore = Semaphore.create(`${prefix}-semaphore`, { value: 0 });
  using ring = RingBuffer.create(`${prefix}-ring`);
  using producer = ring.producer();
  const worker = new Worker(import.meta.url);
  const answered = new Promise<MessageEvent<string>>((resolve, reject) => {
    worker.addEventListener("message", resolve);
    worker.addEventListener("error", ({ message }) => reject(new Error(message)));
  });
  worker.postMessage(prefix);
  producer.write("from a Worker");
  semaphore.post();
  console.log((await answered).data);
  worker.terminate();
  Semaphore.unlink(`${prefix}-semaphore`);
  ring.unlink();
}

if (Bun.isMainThread) {
  await main(process.argv[2]!);
} else {
  self.addEventListener("message", async ({ data }: MessageEvent<string>) => {
    self.postMessage(await answer(data));
  });
}
