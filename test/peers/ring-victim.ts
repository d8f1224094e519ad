/** Produces or consumes until it is killed, and records in its report what it did. */
import { store } from "../../src/memory/atomics.ts";
import {
  COUNT,
  FAULTS,
  FIRST,
  LAST,
  LOST,
  RECORD_MIN,
  REPORT_WORDS,
  becomeConsumer,
  becomeProducer,
  checkRecord,
  openRoles,
  writeRecord,
} from "./ring-roles.ts";

const [name, kind, capacity, role, generation] = process.argv.slice(2) as [
  string,
  string,
  string,
  "producer" | "consumer",
  string,
];
const roles = openRoles(name, kind, Number(capacity));
const own = Number(generation);
const report = own * REPORT_WORDS;

function produce(): void {
  const producer = becomeProducer(roles);
  const spread = producer.maxRecordLength - RECORD_MIN;
  for (let number = 0; ; number++) {
    const length = RECORD_MIN + ((number * 7919) % spread);
    while (!writeRecord(producer, own, number, length)) Bun.sleepSync(0.1);
    store(roles.reports, report + COUNT, number + 1);
  }
}

function consume(): void {
  const consumer = becomeConsumer(roles);
  let count = 0;
  let last = -1;
  let lost = 0;
  let lostBefore = 0;
  let faults = 0;
  for (;;) {
    const handled = consumer.read((view, index, length, type) => {
      const number = checkRecord(view, index, length, type);
      const nowLost = (consumer as { lost?: number }).lost ?? 0;
      // The one writer counts, so every gap must be a loss that was reported.
      if (number < 0 || (count > 0 && number - last - 1 !== nowLost - lost)) faults++;
      lost = nowLost;
      last = number;
      if (count === 0) {
        lostBefore = nowLost;
        store(roles.reports, report + FIRST, number);
      }
      // The loss is noted first, so that no skipped record is unaccounted for, whenever it is
      // killed.
      store(roles.reports, report + LOST, nowLost - lostBefore);
      store(roles.reports, report + LAST, number);
      store(roles.reports, report + FAULTS, faults);
      store(roles.reports, report + COUNT, ++count);
    }, 100);
    if (handled === 0) Bun.sleepSync(0.1);
  }
}

if (role === "producer") produce();
else consume();
