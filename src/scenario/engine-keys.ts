// SPDX-License-Identifier: Apache-2.0
/**
 * The keys of engine presets: compressors and ciphers that exist or were published.
 *
 * `algorithm` says where a compressor's sizes come from. Only `lz4-hw` is an engine that the core models;
 * `lz4-sw` has liblz4's sizes, `zlib` those of Node's zlib as a stand-in for a deflate engine, `ratio` one
 * measured ratio for every page; these three are *rate only*: their speed is a number that is given.
 */
import type { KeySpec, KeyTable } from "./keys.ts";

const HARDWARE = ["lz4-hw"];
const RATED = ["lz4-sw", "zlib", "ratio"];
const ALL = [...HARDWARE, ...RATED];
const LOOKALIKE = ["zlib", "ratio"];

function cycles(text: string, max: number, of?: readonly string[]): KeySpec {
  return { measure: "cycles", min: 0, max, text, ...(of === undefined ? {} : { of }) };
}

/** Compressors. The ranges of `lz4-hw` are those of docs/lz4-hardware.md, section 1. */
export const COMPRESSOR_KEYS: KeyTable = {
  algorithm: {
    measure: "choice",
    values: ["lz4-hw", "lz4-sw", "zlib", "ratio", "none"],
    text: "what gives the sizes; none means that the engine does not compress",
  },
  format: {
    measure: "choice",
    values: ["lz4", "deflate", "zstd", "xpress", "xp10"],
    text: "format of the product",
  },
  engines: { measure: "count", min: 1, max: 64, text: "engines that work side by side" },
  clock: { measure: "clock", min: 1e6, max: 1e10, of: HARDWARE, text: "clock of the engines" },
  pws: {
    measure: "count",
    values: [1, 2, 4, 8, 16, 32, 64],
    of: HARDWARE,
    text: "window: positions examined per clock",
  },
  hashLog: { measure: "count", min: 6, max: 15, of: HARDWARE, text: "log2 of the hash table's entries" },
  banks: {
    measure: "count",
    min: 1,
    max: 256,
    powerOfTwo: true,
    of: HARDWARE,
    text: "banks of the hash table",
  },
  ports: { measure: "count", min: 1, max: 64, of: HARDWARE, text: "accesses per bank and clock" },
  policy: {
    measure: "choice",
    values: ["drop", "stall", "coalesce"],
    of: HARDWARE,
    text: "what happens to an access that finds no free port",
  },
  matchCap: { measure: "octets", min: 0, max: 65535, of: HARDWARE, text: "longest match; 0 means no cap" },
  matchesPerWindow: {
    measure: "choice",
    values: ["any", "one"],
    of: HARDWARE,
    text: "matches that begin in one window: any number, greedy, or the longest alone",
  },
  intraForward: {
    measure: "choice",
    values: ["no", "yes"],
    of: HARDWARE,
    text: "whether a position sees lower ones of its own window",
  },
  tokensPerClock: {
    measure: "count",
    min: 1,
    max: 64,
    of: HARDWARE,
    text: "LZ4 sequences packed per clock",
  },
  outBytesPerClock: {
    measure: "bytesPerCycle",
    min: 1,
    max: 1024,
    of: HARDWARE,
    text: "width of the packer",
  },
  outFifoBytes: { measure: "octets", min: 64, max: 65536, of: HARDWARE, text: "FIFO behind the packer" },
  setupCycles: cycles("job set-up that is not hidden behind the previous page", 1_000_000, HARDWARE),
  rate: { measure: "rate", min: 1e6, max: 1e13, of: RATED, text: "bytes that one engine takes in" },
  zlibLevel: { measure: "count", min: 1, max: 9, of: ["zlib"], text: "level of the stand-in" },
  huffman: {
    measure: "choice",
    values: ["dynamic", "fixed"],
    of: ["zlib"],
    text: "codes of the stand-in",
  },
  historyLog: { measure: "count", min: 9, max: 15, of: ["zlib"], text: "log2 of the bytes of history" },
  ratioPerMille: {
    measure: "count",
    unit: "per mille",
    min: 1000,
    max: 100_000,
    of: ["ratio"],
    text: "bytes in for 1000 bytes out",
  },
  minJob: { measure: "octets", min: 0, max: 2 ** 20, of: LOOKALIKE, text: "shortest job that is taken" },
  storedBlocks: {
    measure: "choice",
    values: ["yes", "no"],
    of: LOOKALIKE,
    text: "whether the engine itself stores what does not shrink, else software has to",
  },
  returnCycles: cycles(
    "control processor, for a page that the engine leaves to software",
    1_000_000,
    LOOKALIKE,
  ),
  maxJob: { measure: "octets", min: 4096, max: 2 ** 30, of: ALL, text: "longest job that is taken" },
  gather: {
    measure: "choice",
    values: ["yes", "no"],
    of: ALL,
    text: "whether a job may be pages that do not lie together, else they are copied first",
  },
  bailMargin: {
    measure: "octets",
    min: 0,
    max: 4095,
    of: ALL,
    text: "a page goes out raw when coding saves no more than this",
  },
};

/** Ciphers: the keys of a card's `crypto`, with the clock. */
export function cipherKeys(card: KeyTable): KeyTable {
  const own = Object.entries(card).filter(([key]) => key.startsWith("crypto."));
  const keys = own.map(([key, spec]) => [key.slice("crypto.".length), spec] as const);
  return { clock: card.clock as KeySpec, ...Object.fromEntries(keys) };
}
