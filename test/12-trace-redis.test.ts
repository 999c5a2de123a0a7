// SPDX-License-Identifier: Apache-2.0
// The shipped recording of a real process: complete, byte-exact, against the hashes its recorder took.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { TraceError } from "../src/trace/errors.ts";
import { traceInfo } from "../src/trace/info.ts";
import { openMdt } from "../src/trace/mdt-reader.ts";
import { bytesSource } from "../src/trace/source.ts";
import { fileSource } from "../src/trace/source-file.ts";
import { verifyTrace } from "../src/trace/verify.ts";

const path = new URL("../sim/traces/host-redis-small.mdt", import.meta.url).pathname;
const bytes = readFileSync(path);
// The metadata are plain text behind the 64-byte header: read here without the reader under test.
const metadata = JSON.parse(bytes.toString("utf8", 64, 64 + bytes.readUInt32LE(48)));

test("replays to the recorder's own dump of the memory, through every version", () => {
  const found = verifyTrace(fileSource(path), "redis");
  assert.is(found.initialImageSha256, metadata.initialImageSha256);
  assert.is(found.finalImageSha256, metadata.finalImageSha256);
  assert.is(found.allVersionsSha256, metadata.allVersionsSha256);
  assert.is(found.versions, metadata.versions);
  assert.is(found.checkpoints, 1);
  assert.is(found.sha256, createHash("sha256").update(bytes).digest("hex"));
});

test("counts what the recorder counted", () => {
  const { stats } = metadata;
  const info = traceInfo(openMdt(fileSource(path), "redis"));
  assert.equal([info.epochs, info.events], [stats.epochs, stats.pageEvents]);
  assert.equal([info.versions.same, info.versions.unknown], [stats.same, 0]);
  assert.is(info.versions.free, stats.discards);
  assert.is(info.dirty.distinctPages, stats.distinctDirtyPages);
  assert.is(info.dirty.epochPagesMax, stats.epochMax);
  assert.is(info.versions.capturedPercent, 100);
  // 3633 pages in 3.316533 s
  assert.is(Math.round(info.dirty.pagesPerSecond ?? 0), stats.dirtyPagesPerSecond);
  // resident zero pages and the pages not resident at the start
  const zero = stats.initialZeroPages + info.pages - stats.initialPages;
  assert.is(info.initialZeroPercent, (100 * zero) / info.pages);
});

test("random damage anywhere is refused", () => {
  let state = 12345;
  for (let round = 0; round < 60; round++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    const at = state % bytes.length;
    const damaged = new Uint8Array(bytes);
    damaged[at]! ^= 1 << (state >>> 29);
    assert.throws(
      () => openMdt(bytesSource(damaged), "x"),
      (fault: unknown) => fault instanceof TraceError && fault.offset <= at,
    );
  }
});

for (const key of ["initialImageSha256", "finalImageSha256", "allVersionsSha256"]) {
  test(`a wrong ${key} is a refusal, by name`, () => {
    // one digit of the hash changed, the checksums of metadata and header made right again
    const wrong = Buffer.from(bytes);
    const at = wrong.indexOf(metadata[key]);
    wrong[at] = wrong[at] === 0x30 ? 0x31 : 0x30;
    resign(wrong);
    const reason = new RegExp(`^x: offset 64: ${key} is .* \\(last whole epoch 32\\)$`);
    assert.throws(() => verifyTrace(bytesSource(wrong), "x"), reason);
  });
}

function resign(file: Buffer): void {
  file.writeUInt32LE(crc(file.subarray(64, 64 + file.readUInt32LE(48))), 52);
  file.writeUInt32LE(crc(file.subarray(0, 60)), 60);
}

/** The polynomial bit by bit, as the standard has it. */
function crc(data: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of data) {
    c ^= byte;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  }
  return ~c >>> 0;
}

test.run();
