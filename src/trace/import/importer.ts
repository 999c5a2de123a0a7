// SPDX-License-Identifier: Apache-2.0
// What importers share: their shape, where a trace came from, reading a file piece by piece.
import { sha256 } from "../digest.ts";
import { ImportError } from "../errors.ts";
import type { Metadata } from "../format.ts";
import type { TraceSink } from "../sink.ts";
import type { ByteSource } from "../source.ts";
import type { Steps } from "../steps.ts";

/** All imported traces have pages of 4 KiB, the ones that can be played. */
export const PAGE_SHIFT = 12;
export const PAGE_BYTES = 1 << PAGE_SHIFT;
const BLOCK_BYTES = 1 << 20;

/** A file to import. */
export interface Input {
  /** As the user called it: it stands in messages. */
  readonly name: string;
  readonly source: ByteSource;
}

export interface ImportOptions {
  /** Length of an epoch; null for the importer's own default. */
  readonly epochUs: number | null;
  /** Write HASH chunks, where there are contents. */
  readonly hashes: boolean;
  /** Bytes a second of a migration stream without a `query-migrate`. */
  readonly bytesPerSecond: number;
  /** Instructions a second of an instruction trace. */
  readonly instructionsPerSecond: number;
  /** What imports, with its version. */
  readonly tool: string;
}

/** What came of it. */
export interface Imported {
  /** Length of the trace file. */
  readonly bytes: number;
  readonly contents: "complete" | "none";
  readonly pages: number;
  readonly epochs: number;
  /** Page writes: the sum of all epochs' lists. */
  readonly events: number;
}

/** One kind of file that can be turned into a trace. */
export interface Importer {
  readonly kind: string;
  /** Which files it takes, in a few words. */
  readonly takes: string;
  readonly inputsMin: number;
  readonly inputsMax: number;
  /** Whether a file that begins with `head` (up to 4096 bytes) is certainly of this kind. */
  begins(head: Uint8Array): boolean;
  /** Memory: what one epoch lists, and 8 bytes a page. Throws ImportError. */
  steps(sink: TraceSink, inputs: readonly Input[], options: ImportOptions): Steps<Imported>;
}

/** A range of pages that lie at consecutive addresses: [first pfn, pages, address in hex]. */
export type Range = readonly [pfn: number, pages: number, address: string];

/** SHA-256 of an input, in hex. */
function* hashOf({ source, name }: Input): Steps<string> {
  const running = sha256();
  for (let at = 0; at < source.size; at += BLOCK_BYTES) {
    running.update(bytesAt({ source, name }, at, Math.min(BLOCK_BYTES, source.size - at), "its contents"));
    yield;
  }
  return running.hex();
}

/** The metadata of an imported trace: whence, with what, and what its pages and times are. */
export function* provenance(
  kind: string,
  inputs: readonly Input[],
  tool: string,
  rest: Metadata,
): Steps<Metadata> {
  const sources: Metadata[] = [];
  for (const input of inputs) {
    const name = input.name.split(/[\\/]/).pop()!;
    sources.push({ name, bytes: input.source.size, sha256: yield* hashOf(input) });
  }
  return { kind: "imported", importer: kind, tool, sources, ...rest };
}

/** Refuses what is at an offset of a binary file. */
export function refuse(name: string, offset: number, reason: string): never {
  throw new ImportError(`${name}: offset ${offset}`, reason);
}

/** Exactly `length` bytes, or says that the file is cut short. */
export function bytesAt({ name, source }: Input, at: number, length: number, what: string): Uint8Array {
  const bytes = at + length <= source.size ? source.read(at, length) : new Uint8Array(0);
  if (bytes.length === length) return bytes;
  const left = Math.max(0, source.size - at);
  return refuse(name, at, `the file ends inside ${what}: ${length} bytes expected, ${left} left`);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The first bytes of a file as text, one character a byte. */
export function latin(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}
