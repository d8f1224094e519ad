/** What is known of one kind of structure. */
import type { Layout } from "../../layout/description.ts";
import type { Activity } from "../activity.ts";
import type { ObjectWords } from "../object-words.ts";

/** A layout, and where in the object it lies. */
export interface Part {
  readonly layout: Layout;
  readonly offset: number;
}

/** One kind of structure that can be recognised. */
export interface Structure {
  /** "ring", "queue" … */
  readonly kind: string;
  parts(words: ObjectWords): readonly Part[];
  activity(words: ObjectWords): Activity;
  /** In words, what the byte locks mean that live processes hold. */
  roles(held: readonly number[]): string[];
  /** What is impossible in it, or undefined when it looks sound. */
  damage(words: ObjectWords): string | undefined;
}
