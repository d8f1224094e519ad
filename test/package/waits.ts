/** Awaits what only a thread can wait for; the gate bundles and compiles this. */
import { MessageQueue, Semaphore } from "bun-shm";

const prefix = process.argv[2]!;
{
  using semaphore = Semaphore.create(`${prefix}-semaphore`, { value: 0 });
  using queue = MessageQueue.create(`${prefix}-queue`);
  setTimeout(() => {
    semaphore.post();
    queue.enqueue("late");
  }, 100);
  console.log(...(await Promise.all([semaphore.waitAsync(), queue.dequeueAsync()])));
  queue.unlink();
}
Semaphore.unlink(`${prefix}-semaphore`);
