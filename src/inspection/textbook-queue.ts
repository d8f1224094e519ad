/** The classic C queue in shared memory, as far as its bytes tell. */
import type { Layout } from "../layout/layout.ts";
import type { Activity } from "./activity.ts";

/** "MQSM" as a number. */
export const TEXTBOOK_QUEUE_MAGIC = 0x4d51534d;

const u32 = (name: string, offset: number, text: string): Layout["fields"][0] => ({
  name,
  type: "uint32_t",
  offset,
  text,
});

export const TEXTBOOK_QUEUE: Layout = {
  name: "message_queue",
  text: "The head of the classic queue; the slots follow.",
  length: 20,
  fields: [
    u32("magic", 0, "0x4D51534D."),
    u32("version", 4, "1."),
    u32("head", 8, "The slot that the consumer reads next."),
    u32("tail", 12, "The slot that the producer writes next."),
    u32("count", 16, "Messages now queued."),
  ],
};

export const TEXTBOOK_HEAD_LENGTH = 20;
export const TEXTBOOK_SLOT_LENGTH = 256;
export const TEXTBOOK_SLOT_COUNT = 10;

export function textbookActivity(view: DataView): Activity {
  const depth = view.byteLength >= TEXTBOOK_HEAD_LENGTH ? view.getUint32(16, true) : 0;
  return { depth, capacity: TEXTBOOK_SLOT_COUNT, unit: "messages" };
}
