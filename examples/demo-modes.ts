/** The ways to open: create, open, create or open, read-only, truncate. */
import { Segment, Semaphore } from "bun-shm";
import { check, finish, outcomeOf } from "./support/checks.ts";

const name = `/bun-shm-modes-${process.pid}`;
try {
  console.log("Segments");
  check("open: there is none (ENOENT)", outcomeOf(() => Segment.open(name)) === "ENOENT");
  {
    using made = Segment.create(name, { size: 64 });
    made.view.setUint32(0, 42, true);
    check("create: made", made.created);
    const again = outcomeOf(() => Segment.create(name, { size: 64 }));
    check("create again: it is there (EEXIST)", again === "EEXIST");
    using found = Segment.openOrCreate(name, { size: 64 });
    check("create or open: found", !found.created);
    const larger = outcomeOf(() => Segment.openOrCreate(name, { size: 4096 }));
    check("create or open with another size: refused (ELAYOUT)", larger === "ELAYOUT");
    using reader = Segment.open(name, { access: "read" });
    check("open read-only: reads 42", reader.view.getUint32(0, true) === 42);
    reader.view.setUint32(0, 7, true);
    check("its writes stay its own", made.view.getUint32(0, true) === 42);
    const busy = outcomeOf(() => Segment.openOrCreate(name, { size: 64, truncate: true }));
    check("truncate: refused while in use (EBUSY)", busy === "EBUSY");
  }
  {
    using emptied = Segment.openOrCreate(name, { size: 64, truncate: true });
    check("truncate: zero again", emptied.view.getUint32(0, true) === 0);
  }
  check("unlink: removed", Segment.unlink(name));
  {
    using made = Segment.openOrCreate(name, { size: 64 });
    check("create or open: made", made.created);
  }

  console.log("Semaphores");
  check("open: there is none (ENOENT)", outcomeOf(() => Semaphore.open(name)) === "ENOENT");
  using semaphore = Semaphore.create(name, { value: 2 });
  check("create: made with 2 tokens", semaphore.created && semaphore.value === 2);
  check("create again: it is there (EEXIST)", outcomeOf(() => Semaphore.create(name)) === "EEXIST");
  using same = Semaphore.openOrCreate(name, { value: 9 });
  check("create or open: found, with its 2 tokens", !same.created && same.value === 2);
} finally {
  Segment.unlink(name);
  Semaphore.unlink(name);
}
check("the names are removed", !Segment.exists(name));
await finish();
