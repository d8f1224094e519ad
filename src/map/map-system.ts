/** What the algorithm of a map asks of the system: locks, lives, and wakes. */
import { CHANGES_WAIT_OFFSET, LOADS_WAIT_OFFSET, MAP_HEAD_LENGTH } from "../layout/map-layout.ts";
import { OwnedStripeLocks } from "../locks/stripe-locks.ts";
import type { Segment } from "../segment/segment.ts";
import type { Structure } from "../segment/structure.ts";
import { WaitPoint } from "../waiting/wait-point.ts";
import type { MapMemory } from "./algorithm/map-memory.ts";
import type { MapSystem } from "./algorithm/map-writer.ts";

/** The system, as one handle of a map uses it. */
export class SegmentMapSystem extends OwnedStripeLocks implements MapSystem {
  /** Where those wait who wait for somebody else's load, and those who watch. */
  readonly loads: WaitPoint;
  readonly changes: WaitPoint;
  readonly #segment: Segment;

  constructor(structure: Structure, memory: MapMemory) {
    const { segment, dataOffset } = structure;
    super(structure, {
      offset: dataOffset + MAP_HEAD_LENGTH,
      stride: memory.stride * 4,
      count: memory.stripeMask + 1,
    });
    this.#segment = segment;
    this.loads = new WaitPoint(segment, dataOffset + LOADS_WAIT_OFFSET, { forHolder: true });
    this.changes = new WaitPoint(segment, dataOffset + CHANGES_WAIT_OFFSET);
  }

  isAlive(participant: number): boolean {
    return this.#segment.participant.isAlive(participant);
  }

  wakeWatchers(): void {
    this.changes.wake();
  }

  wakeLoads(): void {
    this.loads.wake();
  }

  /** Ends the waits of this handle, because it is closed. */
  close(): void {
    if (this.#segment.closed) return;
    this.loads.endWaits();
    this.changes.endWaits();
  }
}
