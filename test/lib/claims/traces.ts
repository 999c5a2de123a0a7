// SPDX-License-Identifier: Apache-2.0
/** Trace files against the slow writers and readers of files: hashes, a QEMU stream, a list of writes. */
import { createHash } from "node:crypto";
import { bytesSource } from "../../../src/trace/source.ts";
import { verifyTrace } from "../../../src/trace/verify.ts";
import { imported, listsOf } from "../import.ts";
import { slowHash } from "../reference/annotations.ts";
import { PAGE, type Send, slowDevices, slowEpochs, slowStream } from "../reference/foreign.ts";
import { bodies, buildFile, page } from "../trace-build.ts";
import { same } from "./expect.ts";

/** What is said of work that must fail. */
function refused(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  return "nothing";
}

/** A hash is compared with the contents that the trace has. */
export function checkHashes(): void {
  const file = (value: number): Buffer =>
    buildFile({
      pages: 1,
      metadata: { contents: "sampled" },
      chunks: [
        { type: "EPOC", timeUs: 5, items: 1, raw: [0, 1, 0, 0] },
        { type: "PAGE", timeUs: 5, items: 1, raw: bodies([[0, page(9)]]) },
        { type: "HASH", timeUs: 5, items: 1, raw: [1, 0, 0, ...Buffer.from(slowHash(page(value)), "hex")] },
      ],
    });
  const verify = (value: number) => verifyTrace(bytesSource(file(value)), "f");
  same("traces: a right hash", verify(9).hashesCompared, 1);
  same("traces: a wrong hash", /HASH of pfn 0/.test(refused(() => verify(8))), true);
}

const whole = (value: number): Send => ({ block: 0, page: 0, how: "whole", body: page(value) });

/** The last copy of a page is its contents, and a stream that is cut is refused. */
export function checkStream(): void {
  const changed = page(7);
  changed[100] = 1;
  const blocks = [{ name: "pc.ram", pages: 1 }];
  const sections = [[whole(7)], [{ ...whole(0), how: "xbzrle", body: changed } as const]];
  const { bytes } = slowStream({ blocks, sections, after: slowDevices() });
  const { trace } = imported("qemu-stream", [bytes]);
  const expected = createHash("sha256").update(changed).digest("hex");
  same("traces: image of a stream", trace.metadata.finalImageSha256, expected);
  const cut = refused(() => imported("qemu-stream", [bytes.subarray(0, bytes.length - PAGE / 512)]));
  same("traces: a stream cut among its devices", /description of its devices/.test(cut), true);
}

/** Writes are in the epoch (start, end] that has their time. */
export function checkLists(): void {
  const times = [0, 1, 99, 100, 101, 300, 1000];
  const text = times.map((timeUs, pfn) => `${timeUs},${pfn},1\n`).join("");
  const writes = times.map((timeUs, pfn) => ({ timeUs, pfn, body: null }));
  const expected = slowEpochs(writes, 100).map(({ endUs, pages }) => [endUs, [...pages.keys()]]);
  const found = listsOf(imported("csv", [text], { epochUs: 100 }).trace);
  same("traces: epochs of a list", JSON.stringify(found), JSON.stringify(expected));
}
