// SPDX-License-Identifier: Apache-2.0
// Constants of the MDT container, versions 1.0 and 1.1 (docs/formats.md), and the limits of this reader.

export const MAGIC = "MDTRACE\0";
export const TAIL_MAGIC = "MDTEND\0\0";
export const MAJOR = 1;
export const MINOR = 1;
export const HEADER_BYTES = 64;
export const CHUNK_HEADER_BYTES = 36;
export const TAIL_BYTES = 24;
export const INDEX_ENTRY_BYTES = 24;
export const TABLE_ENTRY_BYTES = 12;
/** Required-feature bit 0: the file contains DELT chunks. */
export const FLAG_DELTAS = 1;
export const PAGE_SHIFTS: readonly number[] = [12, 14, 16, 21];
export const CODEC_NONE = 0;
export const CODEC_DEFLATE = 1;

/** Limits of this reader; a file beyond one is refused by name. */
export const LIMITS = {
  pages: 2 ** 32,
  metadataBytes: 1 << 20,
  chunkRawBytes: 64 << 20,
  chunkStoredBytes: (64 << 20) + (64 << 10),
  chunks: Math.floor((64 << 20) / INDEX_ENTRY_BYTES),
  /** Pages in one list, so that a few bytes of runs cannot ask for an array of any size. */
  listPages: 1 << 26,
  /** Page bodies held to apply DELT: 16 GiB of 4 KiB pages. */
  shadowPages: 1 << 22,
  /** Bodies of a sampled file kept by location because they were recorded after their epoch's end. */
  lateBodies: 1 << 18,
  /** Bodies of a sampled file held as stand-ins: this many, and at most this many bytes. */
  poolBodies: 1024,
  poolBytes: 16 << 20,
  /** Decoded PAGE chunks held while bodies are fetched by location. */
  cacheBytes: 64 << 20,
} as const;

/** Chunks that say something of pages beside their contents. */
export type Annotation = "READ" | "HASH" | "CSIZ";

export type ChunkType =
  | "ZMAP"
  | "EPOC"
  | "PAGE"
  | "DELT"
  | "SAME"
  | "FREE"
  | "MARK"
  | "TMAP"
  | Annotation
  | "INDX";

export const KNOWN_TYPES: ReadonlySet<string> = new Set<ChunkType>([
  "ZMAP",
  "EPOC",
  "PAGE",
  "DELT",
  "SAME",
  "FREE",
  "MARK",
  "TMAP",
  "READ",
  "HASH",
  "CSIZ",
  "INDX",
]);

/** What the file says about page contents. */
export type Contents = "complete" | "sampled" | "none";

/** The metadata object; unknown keys are kept, so that they can be shown. */
export type Metadata = Readonly<Record<string, unknown>>;
