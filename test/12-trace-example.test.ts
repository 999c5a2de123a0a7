// SPDX-License-Identifier: Apache-2.0
// The worked example of the format against what docs/formats.md says it holds, and every way to damage it.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { epochBody, Kind } from "../src/trace/epoch.ts";
import { TraceError } from "../src/trace/errors.ts";
import { type MdtTrace, openMdt } from "../src/trace/mdt-reader.ts";
import { epochs, initialPages } from "../src/trace/replay.ts";
import { bytesSource } from "../src/trace/source.ts";
import { fileSource } from "../src/trace/source-file.ts";
import { verifyTrace } from "../src/trace/verify.ts";

const path = new URL("../sim/traces/example.mdt", import.meta.url);
const bytes = new Uint8Array(readFileSync(path));
const open = (data: Uint8Array): MdtTrace => openMdt(bytesSource(data), "example.mdt");

const repeat = (text: string): Buffer => Buffer.alloc(4096, text);
// Page 0 is "MDT!" x 1024; epoch 0 makes bytes 16 and 17 "++".
const changed = repeat("MDT!");
changed.write("++", 16);

function refusal(data: Uint8Array): TraceError | null {
  try {
    open(data);
    return null;
  } catch (fault) {
    assert.instance(fault, TraceError);
    return fault as TraceError;
  }
}

test("decodes to the three pages, two epochs and seven versions of the worked example", () => {
  const trace = open(bytes);
  assert.equal(
    [trace.pages, trace.pageShift, trace.pageBytes, trace.contents, trace.hasDeltas, trace.minor],
    [3, 12, 4096, "complete", true, 1],
  );
  assert.equal(
    [trace.epochs, trace.events, trace.endTimeUs, trace.nominalEpochNs],
    [2, 5, 100_000, 50_000_000],
  );
  const initial = [...initialPages(trace)].map(({ pfn, body }) => [pfn, body && Buffer.from(body)]);
  assert.equal(initial, [
    [0, repeat("MDT!")],
    [1, null],
  ]);
  const [first, second, ...more] = [...epochs(trace, null)];
  assert.is(more.length, 0);
  assert.equal([first?.index, first?.startUs, first?.endUs], [0, 0, 50_000]);
  assert.equal([...first!.pfns], [0, 1]);
  assert.equal([...first!.kinds], [Kind.body, Kind.body]);
  assert.ok(changed.equals(epochBody(first!, 0)!), "pfn 0: DELT 10 02 2b 2b keeps 16 bytes, replaces 2");
  assert.ok(repeat("A").equals(epochBody(first!, 1)!));
  assert.equal([second?.index, second?.startUs, second?.endUs], [1, 50_000, 100_000]);
  assert.equal([...second!.pfns], [0, 1, 2]);
  assert.equal([...second!.kinds], [Kind.same, Kind.free, Kind.body]);
  assert.equal([epochBody(second!, 0), epochBody(second!, 1)], [null, null]);
  assert.ok(repeat("page two").equals(epochBody(second!, 2)!));
});

test("its hashes are those of the pages put together by hand", () => {
  const sha = (...parts: Buffer[]): string => createHash("sha256").update(Buffer.concat(parts)).digest("hex");
  const zero = Buffer.alloc(4096);
  const found = verifyTrace(fileSource(path.pathname), "example.mdt");
  assert.is(found.initialImageSha256, sha(repeat("MDT!"), zero, zero));
  assert.is(found.finalImageSha256, sha(changed, zero, repeat("page two")));
  // initial entries 0 and 1, epoch 0: pages 0 and 1, epoch 1: pages 0, 1, 2
  const versions = [repeat("MDT!"), zero, changed, repeat("A"), changed, zero, repeat("page two")];
  assert.is(found.allVersionsSha256, sha(...versions));
  assert.equal([found.versions, found.checkpoints], [7, 0]);
  assert.is(found.sha256, createHash("sha256").update(bytes).digest("hex"));
});

test("every bit of the file matters: each flip is refused with an offset inside the file", () => {
  const names = new Map<string, number>();
  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const damaged = bytes.slice();
      damaged[at]! ^= 1 << bit;
      const fault = refusal(damaged);
      if (fault === null) throw new Error(`bit ${bit} of byte ${at} changes nothing`);
      assert.ok(fault.offset >= 0 && fault.offset <= at, `byte ${at}: reported at ${fault.offset}`);
      // epoch 0 is whole at 0x1ba, epoch 1 at 0x282
      const good = at < 0x1ba ? undefined : at < 0x282 ? 0 : 1;
      assert.is(fault.lastGoodEpoch, good, `byte ${at}: ${fault.message}`);
      names.set(fault.message, 1);
    }
  }
  assert.ok(names.size > 30, "the messages tell places apart");
});

test("every truncation is refused and names the last whole epoch", () => {
  for (let length = 0; length < bytes.length; length++) {
    const fault = refusal(bytes.subarray(0, length));
    if (fault === null) throw new Error(`cut to ${length} bytes it still opens`);
    const good = length < 0x1ba ? undefined : length < 0x282 ? 0 : 1;
    assert.is(fault.lastGoodEpoch, good, `${length} bytes: ${fault.message}`);
    const told = good === undefined ? "(no whole epoch)" : `(last whole epoch ${good})`;
    assert.ok(
      fault.message.startsWith("example.mdt: offset ") && fault.message.endsWith(told),
      fault.message,
    );
    assert.not.match(fault.message, "\n");
  }
  const cut = refusal(bytes.subarray(0, 0x1ba));
  assert.match(cut?.message ?? "", /^example.mdt: offset 442: the file ends before its INDX chunk/);
});

test("bytes after the tail are refused", () => {
  const longer = new Uint8Array(bytes.length + 1);
  longer.set(bytes);
  assert.match(refusal(longer)?.message ?? "", /offset 894: the tail gives another file length than 919/);
});

test("reads by position, no more than a chunk at a time", () => {
  let largest = 0;
  const source = {
    size: bytes.length,
    read(offset: number, length: number): Uint8Array {
      largest = Math.max(largest, length);
      return bytes.subarray(offset, offset + length);
    },
  };
  for (const epoch of epochs(openMdt(source, "x"), null)) assert.ok(epoch.pfns.length > 0);
  // the INDX payload, nine entries of 24 bytes, is the largest piece of the file
  assert.is(largest, 216);
});

test.run();
