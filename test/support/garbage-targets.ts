/** Everything that the package exports, made and ready to be called, with sound arguments. */
import * as api from "../../src/index.ts";
import { MessageQueue, PortableSegment, Segment, codecs } from "../../src/index.ts";
import { lockTargets } from "./garbage-locks.ts";
import { nouns } from "./garbage-nouns.ts";
import { ringTargets } from "./garbage-rings.ts";
import { stateTargets } from "./garbage-state.ts";
import { structTargets } from "./garbage-structs.ts";
import { WAIT, WAITS, ASYNC, Quote, quote, end, type Target } from "./garbage-target.ts";

let count = 0;

/** Everything, by name. */
export function targets(prefix: string): Readonly<Record<string, () => Target>> {
  return {
    functions: () => ({
      on: { ...api },
      fresh: false,
      named: true,
      skip: Object.entries(api)
        .filter(([, value]) => typeof value === "function" && String(value).startsWith("class"))
        .map(([name]) => name),
      sound: {
        ftok: ["/etc/passwd", 65],
        struct: [{ a: "u8" }],
        arrayOf: ["u8", 3],
        byteArray: [3],
        charArray: [3],
        openAny: [`${prefix}-none`],
        openObject: [`${prefix}-none`],
        prune: [{ dryRun: true }],
        usage: [{}],
        activities: [[]],
        prometheusText: [[]],
        registerMetrics: [{}],
      },
      options: { usage: ["sysv", "kinds"], prune: ["sysv", "force", "only"] },
      end: () => undefined,
    }),
    ...nouns(prefix),
    segment: () => {
      const on = Segment.create("memfd:garbage", { size: 8192 });
      return {
        on,
        segment: on,
        skip: [],
        sound: { resize: [8192, {}], tryLock: [5], isLocked: [5], hold: ["x"] },
        options: { resize: ["force", "reserve"] },
        end: () => {
          try {
            on.close();
          } catch {
            // `hold` has no end here.
          }
        },
      };
    },
    "portable segment": () => {
      const name = `${prefix}p${(++count).toString(36)}`;
      const on = PortableSegment.create(name, { size: 64 });
      return {
        on,
        segment: on.segment,
        end: () => {
          PortableSegment.unlink(name);
          on.close();
        },
      };
    },
    "byte lock": () => {
      const segment = Segment.create("memfd:garbage", { size: 4096 });
      return { on: segment.tryLock(3)!, end: end(segment) };
    },
    "message queue": () => {
      const name = `${prefix}-q${++count}`;
      const on = MessageQueue.create(name, { slots: 4, synchronization: "segment" });
      const text = ["x", WAIT];
      return {
        on,
        sound: {
          tryEnqueue: ["x", {}],
          enqueue: text,
          enqueueAsync: text,
          dequeue: [WAIT],
          dequeueAsync: [WAIT],
          values: [{}],
        },
        options: {
          tryEnqueue: ["truncate"],
          enqueue: ["truncate", ...ASYNC],
          enqueueAsync: ["truncate", ...ASYNC],
          dequeue: ASYNC,
          dequeueAsync: ASYNC,
          values: WAITS,
        },
        end: () => {
          on.close();
          MessageQueue.unlink(name);
        },
      };
    },
    ...ringTargets({ kind: "spsc" }, codecs.bytes, new Uint8Array(40)),
    ...ringTargets({ kind: "mpsc" }, Quote, quote()),
    ...ringTargets({ kind: "broadcast" }, codecs.json(), { a: 1 }),
    ...lockTargets(),
    ...stateTargets(),
    ...structTargets(),
  };
}
