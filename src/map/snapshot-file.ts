/** The files of snapshots, whose failures are told as SystemErrors. */
import {
  closeSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { shown } from "../arguments.ts";
import { fail } from "../libc/errno.ts";

/** An open file. */
export class SnapshotFile {
  readonly #action: string;
  readonly #path: string;
  readonly #descriptor: number;

  private constructor(action: string, path: string, flags: "wx" | "r") {
    this.#action = action;
    this.#path = path;
    this.#descriptor = this.#try("open", () => openSync(path, flags, 0o600));
  }

  /** Makes a file that only this user may read. @param action For messages. */
  static create(action: string, path: string): SnapshotFile {
    return new SnapshotFile(action, path, "wx");
  }

  static open(action: string, path: string): SnapshotFile {
    return new SnapshotFile(action, path, "r");
  }

  /** @throws TypeError, RangeError for what is no path. */
  static checkPath(action: string, path: unknown): void {
    if (typeof path !== "string" || path === "") {
      throw new TypeError(`${action}: its path must be text, not ${shown(path)}`);
    }
    if (!path.includes("\0")) return;
    throw new RangeError(`${action}: its path must not contain NUL: ${shown(path)}`);
  }

  #try<T>(syscall: string, call: () => T): T {
    try {
      return call();
    } catch (error) {
      const { errno } = Object(error) as { errno?: number };
      if (errno === undefined) throw error;
      return fail(this.#action, -Math.abs(errno), syscall, this.#path);
    }
  }

  get size(): number {
    return this.#try("fstat", () => fstatSync(this.#descriptor).size);
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      at += this.#try("write", () => writeSync(this.#descriptor, bytes, at));
    }
  }

  /** Fills `bytes` from a position on. @returns How many there were: fewer at the file's end. */
  read(bytes: Uint8Array, position: number): number {
    for (let at = 0; ;) {
      const left = bytes.length - at;
      const count = this.#try("read", () =>
        readSync(this.#descriptor, bytes, at, left, position + at),
      );
      at += count;
      if (count === 0 || at === bytes.length) return at;
    }
  }

  /** Gives the file another name, in place of what has that, when all of it is on the disk. */
  publish(path: string): void {
    this.#try("fsync", () => fsyncSync(this.#descriptor));
    this.#try("rename", () => renameSync(this.#path, path));
  }

  remove(): void {
    this.#try("unlink", () => unlinkSync(this.#path));
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
