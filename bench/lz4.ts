// SPDX-License-Identifier: Apache-2.0
// LZ4 of the core beside lz4-napi (native), lz4js and, where gcc and liblz4-dev are, liblz4 -O2; 4 KiB pages.
// `npx tsx bench/lz4.ts` prints ratios; `--check` fails below the floors; `--suite` runs it under benny.
import benny from "benny";
import Table from "cli-table3";
import napi from "lz4-napi";
import {
  filePages,
  freeAddress,
  loadLz4,
  lz4js,
  NativeLz4,
  pageBytes,
  redisTrace,
  scriptFile,
  tracePages,
} from "../test/lib/lz4.ts";
import { needs } from "../test/lib/peer.ts";

/** Goes over all pages of a corpus once. Returns the bytes that came out. */
type Run = () => number;
interface Corpus {
  name: string;
  pages: readonly Buffer[];
  runs: Record<Peer, Run>;
}

const peers = [
  "compress",
  "decompress",
  "hardware",
  "napiCompress",
  "napiDecompress",
  "jsDecompress",
] as const;
type Peer = (typeof peers)[number];
/** Peer or liblz4 → ns per page, the best of all rounds. */
type Best = Record<Peer | "liblz4Compress" | "liblz4Decompress", number>;

const rounds = 20;
const count = 256;
/** Least ratio to the peer's speed, and the most µs of the hardware encoder. */
const floors = { napiCompress: 0.85, napiDecompress: 1.7, liblz4: 0.55, hardwareUs: 12 };

const core = await loadLz4();
const view = Buffer.from(core.memory.buffer);
const pagesAt = freeAddress;
const blocksAt = pagesAt + count * pageBytes;
const targetAt = blocksAt + count * (pageBytes + 32);

/** Puts the pages and their blocks into the core's memory. Returns address and size of each block. */
function place(pages: readonly Buffer[]): [number, number][] {
  let at = blocksAt;
  return pages.map((page, index) => {
    page.copy(view, pagesAt + index * pageBytes);
    const size = core.lz4Compress(pagesAt + index * pageBytes, pageBytes, at, pageBytes + 32);
    at += size;
    return [at - size, size];
  });
}

/** The runs of one corpus; only one corpus is in the core's memory at a time. */
function load(name: string, pages: readonly Buffer[]): Corpus {
  const blocks = place(pages);
  const copies = blocks.map(([at, size]) => Buffer.from(view.subarray(at, at + size)));
  const napiBlocks = pages.map((page) => napi.compressSync(page));
  const target = Buffer.alloc(pageBytes + 64);
  const encodeAll = (encoder: "lz4Compress" | "lz4hwCompress"): number => {
    let sum = 0;
    for (let index = 0; index < pages.length; ++index)
      sum += core[encoder](pagesAt + index * pageBytes, pageBytes, targetAt, pageBytes + 32);
    return sum;
  };
  const decodeAll = (): number => {
    let sum = 0;
    for (const [at, size] of blocks) sum += core.lz4Decompress(at, size, targetAt, pageBytes);
    return sum;
  };
  return {
    name,
    pages,
    runs: {
      compress: () => encodeAll("lz4Compress"),
      decompress: decodeAll,
      hardware: () => encodeAll("lz4hwCompress"),
      napiCompress: () => sumOf(pages, (page) => napi.compressSync(page).length),
      napiDecompress: () => sumOf(napiBlocks, (block) => napi.uncompressSync(block).length),
      jsDecompress: () => sumOf(copies, (block) => lz4js.decompressBlock(block, target, 0, block.length, 0)),
    },
  };
}

function sumOf(buffers: readonly Buffer[], bytesOf: (buffer: Buffer) => number): number {
  let sum = 0;
  for (const buffer of buffers) sum += bytesOf(buffer);
  return sum;
}

/** The peers take turns, so that drift meets them alike; the best of each counts. Checks what came out. */
function measure({ name, pages, runs }: Corpus, native: NativeLz4 | null): Best {
  const best = Object.fromEntries(peers.map((peer) => [peer, Infinity])) as Best;
  [best.liblz4Compress, best.liblz4Decompress] = [Infinity, Infinity];
  const whole = pages.length * pageBytes;
  const checksum = whole + runs.compress();
  for (const peer of ["decompress", "napiDecompress", "jsDecompress"] as const)
    if (runs[peer]() !== whole) throw new Error(`${name}: ${peer} lost bytes`);
  for (let round = 0; round < rounds; ++round) {
    for (const peer of peers) {
      const startedAt = process.hrtime.bigint();
      runs[peer]();
      const ns = Number(process.hrtime.bigint() - startedAt) / pages.length;
      best[peer] = Math.min(best[peer], ns);
    }
    if (native === null || round % 5 !== 0) continue;
    const { ns, sizes } = native.time(pages, 5);
    if (sizes + whole !== checksum) throw new Error(`${name}: liblz4 made ${sizes} bytes`);
    best.liblz4Compress = Math.min(best.liblz4Compress, ns[0]);
    best.liblz4Decompress = Math.min(best.liblz4Decompress, ns[1]);
  }
  return best;
}

const relation = (peerNs: number, ns: number): string =>
  Number.isFinite(peerNs) ? (peerNs / ns).toFixed(2) : "–";

function missedFloors(name: string, best: Best): string[] {
  const bounds: [string, number, number][] = [
    ["lz4-napi compress", best.napiCompress / best.compress, floors.napiCompress],
    ["lz4-napi decompress", best.napiDecompress / best.decompress, floors.napiDecompress],
    ["liblz4 compress", best.liblz4Compress / best.compress, floors.liblz4],
    ["liblz4 decompress", best.liblz4Decompress / best.decompress, floors.liblz4],
    ["hardware encoder, pages per ms", 1e6 / best.hardware, 1000 / floors.hardwareUs],
  ];
  return bounds
    .filter(([, got, floor]) => got < floor)
    .map(([what, got, floor]) => `${name}: ${got.toFixed(2)} × ${what}, floor ${floor.toFixed(2)}`);
}

function report(results: readonly (readonly [Corpus, Best])[]): string {
  const right = "right" as const;
  const columns = [
    "compress µs",
    "× napi",
    "× liblz4",
    "decompress µs",
    "× napi",
    "× liblz4",
    "× lz4js",
    "hw µs",
  ];
  const table = new Table({
    head: ["corpus", "pages", ...columns],
    colAligns: ["left", right, ...columns.map(() => right)],
    style: { head: [], border: [] },
  });
  for (const [{ name, pages }, best] of results) {
    const us = (ns: number): string => (ns / 1000).toFixed(2);
    table.push([
      name,
      pages.length,
      us(best.compress),
      relation(best.napiCompress, best.compress),
      relation(best.liblz4Compress, best.compress),
      us(best.decompress),
      relation(best.napiDecompress, best.decompress),
      relation(best.liblz4Decompress, best.decompress),
      relation(best.jsDecompress, best.decompress),
      us(best.hardware),
    ]);
  }
  return table.toString();
}

const corpora: [string, Buffer[]][] = [
  ["trace", tracePages(redisTrace).slice(0, count)],
  ["script", filePages(scriptFile, count)],
  ["program", filePages(process.execPath, count)],
];

async function runSuites(): Promise<void> {
  for (const [name, pages] of corpora) {
    const { runs } = load(name, pages);
    const adds = peers.map((peer) => benny.add(peer, () => void runs[peer]()));
    await benny.suite(`${name}, ${pages.length} pages`, ...adds, benny.cycle(), benny.complete());
  }
}

function runTable(): void {
  const missing = [needs("gcc"), needs("lz4.h")].find(({ present }) => !present);
  const native = missing === undefined ? new NativeLz4() : null;
  if (missing !== undefined) process.stderr.write(`without liblz4: ${missing.reason}\n`);
  const results: (readonly [Corpus, Best])[] = [];
  for (const [name, pages] of corpora) {
    const corpus = load(name, pages);
    results.push([corpus, measure(corpus, native)]);
  }
  native?.close();
  console.log(report(results));
  const missed = results.flatMap(([{ name }, best]) => missedFloors(name, best));
  if (process.argv.includes("--check") && missed.length > 0) {
    process.stderr.write(`${missed.join("\n")}\n`);
    process.exitCode = 1;
  }
}

if (process.argv.includes("--suite")) await runSuites();
else runTable();
