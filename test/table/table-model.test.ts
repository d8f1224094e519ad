/** A table's algorithms against plain objects, on a plain ArrayBuffer. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { HashedKey } from "../../src/struct/hashed-key.ts";
import { NO_ROW, TableNames } from "../../src/table/algorithm/table-names.ts";
import { TableRows } from "../../src/table/algorithm/table-rows.ts";
import { placesOf, planTable } from "../../src/table/algorithm/table-shape.ts";
import { TableWatch } from "../../src/table/algorithm/table-watch.ts";

/** A watcher, and what it was told to read again. */
interface Watcher {
  readonly watch: TableWatch;
  readonly stale: Set<number>;
}

const action = fc.oneof(
  fc.record({ type: fc.constant("write" as const), row: fc.nat(), value: fc.nat(255) }),
  // A writer that was killed after it had published, and before it made the counter even.
  fc.record({ type: fc.constant("die" as const), row: fc.nat(), value: fc.nat(255) }),
  fc.record({ type: fc.constant("repair" as const), row: fc.nat() }),
  fc.record({ type: fc.constant("watch" as const) }),
  fc.record({ type: fc.constant("look" as const), watcher: fc.nat(), most: fc.nat(20) }),
  fc.record({ type: fc.constant("name" as const), name: fc.string({ maxLength: 2 }) }),
);

test("does what a plain table does, and tells each watcher of every change", () => {
  const run = fc.property(
    fc.integer({ min: 1, max: 300 }),
    fc.integer({ min: 1, max: 5 }),
    fc.array(action, { maxLength: 120 }),
    (count, eights, actions) => {
      const shape = planTable(count, eights * 8, 8);
      const buffer = new ArrayBuffer(placesOf(shape).end);
      const rows = new TableRows(buffer, 0, shape);
      const names = new TableNames(rows, 0);
      const bytes = new Uint8Array(eights * 8);
      const values = new Map<number, number>();
      const versions = new Map<number, number>();
      const named: string[] = [];
      const watchers: Watcher[] = [];
      const write = (row: number, value: number): void => {
        rows.write(row, bytes.fill(value));
        values.set(row, value);
        versions.set(row, (versions.get(row) ?? 0) + 1);
        for (const { stale } of watchers) stale.add(row);
      };
      const look = ({ watch, stale }: Watcher, most: number): number => {
        const found: number[] = [];
        watch.look(found, most);
        expect(new Set(found).size).toBe(found.length);
        for (const row of found) expect(stale.delete(row)).toBe(true);
        return found.length;
      };
      for (const each of actions) {
        if (each.type === "write") write(each.row % count, each.value);
        else if (each.type === "die") {
          const row = each.row % count;
          write(row, each.value);
          const block = row >>> rows.blockShift;
          const counter =
            rows.counters +
            (block & rows.stripeMask) * rows.places.counterStride +
            (block >>> rows.stripeShift);
          rows.words[counter] = rows.words[counter]! - 1;
        } else if (each.type === "repair") rows.repair(rows.stripeOf(each.row % count));
        else if (each.type === "watch") {
          watchers.push({ watch: new TableWatch(rows), stale: new Set(values.keys()) });
        } else if (each.type === "look" && watchers.length > 0) {
          look(watchers[each.watcher % watchers.length]!, 1 + each.most);
        } else if (each.type === "name" && each.name.isWellFormed() && each.name !== "") {
          const key = new HashedKey(3, 4, true);
          key.set(each.name);
          const known = named.indexOf(each.name);
          expect(names.find(key)).toBe(known);
          const row = names.assign(key);
          if (known >= 0) expect(row).toBe(known);
          else if (named.length === count) expect(row).toBe(NO_ROW);
          else expect(named.push(each.name) - 1).toBe(row);
        }
      }
      for (let row = 0; row < count; row++) {
        const version = rows.read(row, bytes);
        expect([version, rows.version(row)]).toEqual([versions.get(row) ?? 0, version]);
        if (version > 0) expect([...new Set(bytes)]).toEqual([values.get(row)!]);
        expect(names.nameOf(row)).toBe(named[row]);
      }
      for (const watcher of watchers) {
        // A batch after the other, until a whole turn finds nothing.
        for (let empty = 0; empty < 2;) if (look(watcher, 7) === 0) empty++;
        expect([...watcher.stale]).toEqual([]);
      }
    },
  );
  fc.assert(run, { numRuns: 300 });
});
