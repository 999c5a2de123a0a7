// SPDX-License-Identifier: Apache-2.0
// Refusals of trace files.

/**
 * A trace file that cannot be used. The message is one line:
 * `file: offset N: what is wrong and what would be right (last whole epoch K)`.
 */
export class TraceError extends Error {
  /** Name of the file as it was given to the reader. */
  readonly file: string;
  /** Byte offset in the file at which the fault was found. */
  readonly offset: number;
  /** Index from 0 of the last epoch that is whole before the fault; absent if there is none. */
  readonly lastGoodEpoch: number | undefined;

  constructor(file: string, offset: number, reason: string, lastGoodEpoch?: number) {
    const whole = lastGoodEpoch === undefined ? "no whole epoch" : `last whole epoch ${lastGoodEpoch}`;
    super(`${file}: offset ${offset}: ${reason} (${whole})`);
    this.name = "TraceError";
    this.file = file;
    this.offset = offset;
    this.lastGoodEpoch = lastGoodEpoch;
  }
}

/**
 * A file that cannot be imported. The message is one line: `file: offset N: what is wrong and what would be
 * right`, for text `file:line: …`.
 */
export class ImportError extends Error {
  override name = "ImportError";

  constructor(place: string, reason: string) {
    super(`${place}: ${reason}`);
  }
}

/** A guest that cannot be played as the scenario asks; `key` is the scenario's key that is in the way. */
export class GuestRefused extends RangeError {
  override name = "GuestRefused";
  readonly key: "guest.tile" | "guest.reads" | "guest.speed" | "guest.mix" | "delta";

  constructor(key: GuestRefused["key"], message: string) {
    super(message);
    this.key = key;
  }
}

/** What a decoder below the file level found wrong; the reader adds file, offset and epoch. */
export class Malformed extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "Malformed";
  }
}

/** Throws {@link Malformed} with `reason` unless `holds`. */
export function expect(holds: boolean, reason: string): asserts holds {
  if (!holds) throw new Malformed(reason);
}
