/** Writes the numbers from 0 on as text: ring-writer.ts NAME COUNT */
import { RingBuffer, codecs } from "../../src/index.ts";

const [name = "", count = "0"] = process.argv.slice(2);
using ring = RingBuffer.open(name, { codec: codecs.utf8 });
using producer = ring.producer();
for (let number = 0; number < Number(count); number++) producer.write(String(number));
