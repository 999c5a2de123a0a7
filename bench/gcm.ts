// SPDX-License-Identifier: Apache-2.0
// AES-GCM of the core beside node:crypto (OpenSSL) and @noble/ciphers, one record of a page at a time.
// `npx tsx bench/gcm.ts` prints ratios; `--check` fails below the floors; `--suite` runs benny.
import { createCipheriv, createDecipheriv } from "node:crypto";
import { gcm } from "@noble/ciphers/aes.js";
import benny from "benny";
import Table from "cli-table3";
import { freeAddress, loadGcm } from "../test/lib/gcm.ts";

/** Seals or opens one record; all peers of a case do the same work. */
type Run = () => void;
interface Case {
  name: string;
  bytes: number;
  floors: { node: number; noble: number };
  core: Run;
  node: Run;
  noble: Run;
}

/** Best time of one run in ns, per peer. */
interface Best {
  core: number;
  node: number;
  noble: number;
}

const rounds = 120;
const sampleNs = 150_000;
const peers = ["core", "node", "noble"] as const;
/** OpenSSL uses the instructions for AES and GHASH that WebAssembly has not. */
const floors = { 128: { node: 0.5, noble: 8 }, 256: { node: 0.38, noble: 6 } } as const;

const core = await loadGcm();
const view = Buffer.from(core.memory.buffer);

function makeCases(context: number, bits: 128 | 256, bytes: number): Case[] {
  const at = freeAddress + context * 65_536;
  const [keyAt, ivAt, aadAt, tagAt] = [at, at + 64, at + 128, at + 192];
  const [plainAt, sealedAt, openedAt] = [at + 4096, at + 16_384, at + 32_768];
  const key = Buffer.alloc(bits / 8, 7 + context);
  const [iv, aad, page] = [Buffer.alloc(12, 1), Buffer.alloc(16, 2), Buffer.alloc(bytes)];
  page.forEach((_, index) => {
    page[index] = (index * 167 + (index >> 5)) & 255;
  });
  for (const [from, to] of [
    [key, keyAt],
    [iv, ivAt],
    [aad, aadAt],
    [page, plainAt],
  ] as const) {
    from.copy(view, to);
  }
  core.gcmSetKey(context, keyAt, bits);
  const cipher = `aes-${bits}-gcm` as const;
  const nodeSeal = (): Buffer => {
    const sealing = createCipheriv(cipher, key, iv);
    sealing.setAAD(aad);
    sealed = sealing.update(page);
    sealing.final();
    return sealing.getAuthTag();
  };
  let sealed = page;
  const tag = nodeSeal();
  const joined = Buffer.concat([sealed, tag]);
  const seal: Case = {
    name: `AES-${bits} seal ${bytes} B`,
    bytes,
    floors: floors[bits],
    core: () => core.gcmSeal(context, ivAt, aadAt, 16, plainAt, sealedAt, bytes, tagAt),
    node: nodeSeal,
    noble: () => gcm(key, iv, aad).encrypt(page),
  };
  const open: Case = {
    ...seal,
    name: `AES-${bits} open ${bytes} B`,
    core: () => {
      if (core.gcmOpen(context, ivAt, aadAt, 16, sealedAt, openedAt, bytes, tagAt) === 0)
        throw new Error("no");
    },
    node: () => {
      const opening = createDecipheriv(cipher, key, iv);
      opening.setAAD(aad);
      opening.setAuthTag(tag);
      opening.update(sealed);
      opening.final();
    },
    noble: () => gcm(key, iv, aad).decrypt(joined),
  };
  seal.core();
  if (!view.subarray(sealedAt, sealedAt + bytes).equals(sealed)) throw new Error("the core seals otherwise");
  return [seal, open];
}

/** Mean ns of a run over `count` runs. */
function sample(run: Run, count: number): number {
  const startedAt = process.hrtime.bigint();
  for (let index = 0; index < count; ++index) run();
  return Number(process.hrtime.bigint() - startedAt) / count;
}

/** The peers take turns in short samples, so that drift meets them alike; the best of each counts. */
function measure(bench: Case): Best {
  const best: Best = { core: Infinity, node: Infinity, noble: Infinity };
  for (const peer of peers) sample(bench[peer], 200);
  const counts = peers.map((peer) => Math.max(1, Math.round(sampleNs / sample(bench[peer], 20))));
  for (let round = 0; round < rounds; ++round) {
    peers.forEach((peer, index) => {
      best[peer] = Math.min(best[peer], sample(bench[peer], counts[index]!));
    });
  }
  return best;
}

function report(results: readonly (readonly [Case, Best])[]): { text: string; missed: string[] } {
  const right = "right" as const;
  const table = new Table({
    head: ["record", "core µs", "MB/s", "× node:crypto", "floor", "× @noble/ciphers", "floor"],
    colAligns: ["left", right, right, right, right, right, right],
    style: { head: [], border: [] },
  });
  const missed: string[] = [];
  for (const [{ name, bytes, floors: floor }, best] of results) {
    const ratios = { node: best.node / best.core, noble: best.noble / best.core };
    const [us, rate] = [(best.core / 1000).toFixed(2), ((bytes * 1000) / best.core).toFixed(0)];
    table.push([name, us, rate, ratios.node.toFixed(2), floor.node, ratios.noble.toFixed(1), floor.noble]);
    if (ratios.node < floor.node) missed.push(`${name}: ${ratios.node.toFixed(2)} of node:crypto`);
    if (ratios.noble < floor.noble) missed.push(`${name}: ${ratios.noble.toFixed(1)} of @noble/ciphers`);
  }
  return { text: table.toString(), missed };
}

const cases = [
  ...makeCases(0, 128, 4096),
  ...makeCases(1, 256, 4096),
  ...makeCases(2, 128, 1500),
  ...makeCases(3, 256, 1500),
];

if (process.argv.includes("--suite")) {
  for (const bench of cases.slice(0, 4)) {
    const adds = peers.map((peer) => benny.add(peer, bench[peer]));
    await benny.suite(bench.name, ...adds, benny.cycle(), benny.complete());
  }
} else {
  const { text, missed } = report(cases.map((bench) => [bench, measure(bench)] as const));
  console.log(text);
  if (process.argv.includes("--check") && missed.length > 0) {
    process.stderr.write(`${missed.join("\n")}\n`);
    process.exitCode = 1;
  }
}
