import { E, fail } from "./libc/errno.ts";
import { semRemove } from "./libc/sem.ts";
import { semUnlink } from "./libc/semaphore.ts";
