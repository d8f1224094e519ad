/**
 * The lock bytes. They are part of the binary contract, although no data lies there.
 *
 * A lock byte is a one-byte open-file-description lock (`F_OFD_SETLK`) on the object, at an offset
 * that only names the lock: the byte need not exist. The kernel releases the lock when its holder
 * ends, in whatever way, so it says who lives. The bytes of a structure are counted from its own
 * start in the segment, so that several structures in one segment do not collide.
 */
import {
  FIRST_PARTICIPANT_BYTE,
  PARTICIPANT_NUMBERS,
  PARTICIPANT_SPACING,
  PARTICIPANT_STARTS,
  PARTICIPANT_START_SHIFT,
} from "../memory/participant-identity.ts";

export const QUEUE_CREATOR_BYTE = 64;
export const QUEUE_BOOKKEEPER_BYTE = 65;

export const UNLINK_BYTE: number = 2 ** 40;
export const MAKER_BYTE: number = 2 ** 40 + 1;
export const USERS_BYTE: number = 2 ** 40 + 2;

/*
 * The participants: whoever takes part in the locks of an object has a random number there, and the
 * kernel's exclusive lock on a range of bytes around the byte of that number, which is
 * 2^62 + 2^32 + 2^33 times the number. The range says who it is: it begins as many bytes before as
 * the number of its PID namespace, and ends 1 byte behind, plus the thread's id, plus 2^22 times
 * its start in ticks of 10 ms mod 2^10. So the kernel itself keeps the table of participants, and
 * no bytes of the object can forge it. src/memory/participant-identity.ts has it in code.
 */

/** The numbers of the participants' ranges, for docs/LAYOUT.md and the C header. */
export const PARTICIPANT_CONSTANTS: Readonly<Record<string, number>> = {
  PARTICIPANT_NUMBERS,
  FIRST_PARTICIPANT_BYTE: Number(FIRST_PARTICIPANT_BYTE),
  PARTICIPANT_SPACING: Number(PARTICIPANT_SPACING),
  PARTICIPANT_START_SHIFT,
  PARTICIPANT_STARTS,
};

/** One lock byte, or the first of a row of them. */
export interface LockByte {
  /** The name of its constant. */
  readonly name: string;
  readonly byte: number;
  /** What the byte is counted from: the structure's start, or the object's. */
  readonly from: "structure" | "object";
  /** Who holds it. */
  readonly text: string;
}

const lockByte = (name: string, byte: number, from: LockByte["from"], text: string): LockByte => ({
  name,
  byte,
  from,
  text,
});

/** All lock bytes, for docs/LAYOUT.md and the C header. */
export const LOCK_BYTES: readonly LockByte[] = [
  lockByte(
    "QUEUE_CREATOR_BYTE",
    QUEUE_CREATOR_BYTE,
    "structure",
    "A message queue's creator while it lives; later whoever removes the queue.",
  ),
  lockByte(
    "QUEUE_BOOKKEEPER_BYTE",
    QUEUE_BOOKKEEPER_BYTE,
    "structure",
    "Whoever adds the bookkeeping to a C program's queue.",
  ),
  lockByte(
    "UNLINK_BYTE",
    UNLINK_BYTE,
    "object",
    "Whoever compares a name with its inode, and removes it.",
  ),
  lockByte(
    "MAKER_BYTE",
    MAKER_BYTE,
    "structure",
    "Whoever makes a structure. If it is free and the structure is unfinished, the maker died.",
  ),
  lockByte(
    "USERS_BYTE",
    USERS_BYTE,
    "object",
    "Every user of the object, shared; whoever gives it its size or cuts it off, exclusively.",
  ),
];
