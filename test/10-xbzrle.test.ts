// SPDX-License-Identifier: Apache-2.0
// XBZRLE of the core: its format worked by hand, against the slow one of test/lib/reference, against the
// deltas that another program recorded, and against damage.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { loadChunk, openMdt } from "../src/trace/mdt-reader.ts";
import { bodyTable, entryBody } from "../src/trace/payload.ts";
import { fileSource } from "../src/trace/source-file.ts";
import { Codecs, sameBytes } from "./lib/reference/codecs.ts";
import { Draws, writtenPage } from "./lib/reference/inputs.ts";
import { decodeXbzrle, encodeAsQemu, encodeXbzrle, runsOf } from "./lib/reference/xbzrle.ts";

const codecs = new Codecs();
const PAGE = 4096;
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** A page of one value, but for some places. */
function pageOf(value: number, ...changes: readonly (readonly [number, readonly number[]])[]): Uint8Array {
  const page = new Uint8Array(PAGE).fill(value);
  for (const [at, values] of changes) page.set(values, at);
  return page;
}

test("by hand: runs, their lengths in one byte and in two, nothing for what is the same at the end", () => {
  const old = pageOf(7);
  // 16 the same, 2 others
  sameBytes(codecs.encodeDelta(old, pageOf(7, [16, [1, 2]])), bytes(16, 2, 1, 2), "one change");
  // 127 has one byte; 128 = 0x80 0x01; 4095 = 0xff 0x1f
  sameBytes(codecs.encodeDelta(old, pageOf(7, [127, [1]])), bytes(127, 1, 1), "127");
  sameBytes(codecs.encodeDelta(old, pageOf(7, [128, [1]])), bytes(0x80, 1, 1, 1), "128");
  sameBytes(codecs.encodeDelta(old, pageOf(7, [4095, [1]])), bytes(0xff, 0x1f, 1, 1), "4095");
  // a change at the very beginning follows 0 that are the same; one byte between two runs parts them
  sameBytes(codecs.encodeDelta(old, pageOf(7, [0, [1]], [2, [3]])), bytes(0, 1, 1, 1, 1, 3), "two");
  sameBytes(codecs.encodeDelta(old, old), bytes(), "nothing has changed");
});

test("a delta that takes one byte more than there is room overflows, one that just fits does not", () => {
  const old = pageOf(0);
  // all 4096 differ: 0, then 4096 in two bytes, then the bytes
  assert.is(codecs.encodeDelta(old, pageOf(1)), null);
  assert.is(codecs.encodeDelta(old, pageOf(1), PAGE + 2), null);
  assert.is(codecs.encodeDelta(old, pageOf(1), PAGE + 3)?.length, PAGE + 3);
  const draws = new Draws(1);
  for (let round = 0; round < 200; round++) {
    const [before, page] = writtenPage(draws, PAGE);
    const size = encodeXbzrle(before, page).length;
    assert.is(codecs.encodeDelta(before, page, size)?.length, size);
    if (size > 0) assert.is(codecs.encodeDelta(before, page, size - 1), null);
  }
});

test("as QEMU does it: with less than two bytes left a page whose end has not changed is given up", () => {
  const old = pageOf(0);
  // each second byte of the first 2 * places takes 0 or 1, 1 and itself; `more` bytes lengthen the last run
  const page = (places: number, more: number, last = 0): Uint8Array => {
    const body = pageOf(0);
    for (let i = 0; i < places; i++) body[2 * i] = 1;
    body.fill(1, 2 * places - 1, 2 * places - 1 + more);
    body[PAGE - 1] = last;
    return body;
  };
  // places, more, the last byte (4 bytes: 2 of length for 1366 and more that are the same), bytes, sent?
  for (const [places, more, last, size, sent] of [
    [1364, 2, 0, 4094, true],
    [1365, 0, 0, 4095, false],
    [1365, 1, 0, 4096, false],
    [1363, 2, 1, 4095, true],
    [1364, 0, 1, 4096, true],
    [1364, 1, 1, 4097, false],
  ] as const) {
    const body = page(places, more, last);
    const full = encodeXbzrle(old, body);
    assert.is(full.length, size);
    sameBytes(codecs.encodeDeltaAsQemu(old, body), sent ? full : null, `${size} bytes`);
    sameBytes(encodeAsQemu(old, body), sent ? full : null, `${size} bytes, slowly`);
  }
  const draws = new Draws(3);
  for (let round = 0; round < 500; round++) {
    const [before, body] = writtenPage(draws, PAGE);
    sameBytes(codecs.encodeDeltaAsQemu(before, body), encodeAsQemu(before, body), `page ${round}`);
  }
});

test("byte for byte what the slow encoder makes, and back, at every length and alignment", () => {
  const draws = new Draws(2);
  for (let round = 0; round < 3000; round++) {
    const length = round % 3 === 0 ? draws.between(1, 70) : draws.oneOf([PAGE, 4095, 4097, 129, 16383]);
    const [old, page] = writtenPage(draws, length);
    const expected = encodeXbzrle(old, page);
    const misalign = draws.between(0, 15);
    sameBytes(codecs.encodeDelta(old, page, expected.length, misalign), expected, `delta of ${length}`);
    sameBytes(codecs.decodeDelta(expected, old, misalign), page, `page of ${length}`);
  }
});

test("damage: refused where the slow decoder refuses, and nothing is written outside the page", () => {
  const draws = new Draws(3);
  let refused = 0;
  for (let round = 0; round < 4000; round++) {
    const length = draws.oneOf([40, 300, PAGE]);
    const [old, page] = writtenPage(draws, length);
    let delta: Uint8Array = encodeXbzrle(old, page);
    const kind = draws.between(0, 3);
    if (kind === 0) delta = delta.slice(0, draws.between(0, delta.length));
    else if (kind === 1) delta = Uint8Array.from([...delta, ...draws.bytes(draws.between(1, 4))]);
    else if (kind === 2) delta = draws.bytes(draws.between(0, 40));
    else for (let k = draws.between(1, 3); k > 0; k--) delta[draws.between(0, delta.length)] = draws.word();
    const expected = decodeXbzrle(delta, old);
    if (expected === null) refused++;
    sameBytes(codecs.decodeDelta(delta, old), expected, `damaged delta of ${length}`);
  }
  assert.ok(refused > 1000 && refused < 3500, `${refused} of 4000 were refused`);
});

test("malformed: a run of nothing, a length of three bytes, a run past the page, missing bytes", () => {
  const old = pageOf(7);
  const refused: Readonly<Record<string, readonly number[]>> = {
    "a zero run alone": [5],
    "no bytes changed": [5, 0],
    "two runs that touch": [5, 1, 9, 0, 1, 9],
    "a length of three bytes": [0x80, 0x80, 1, 1, 9],
    "a length cut short": [0x80],
    "a run past the end": [0xff, 0x1f, 2, 9, 9],
    "a zero run past the end": [0x80, 0x20, 1, 9],
    "bytes that are missing": [0, 3, 9, 9],
  };
  for (const [what, values] of Object.entries(refused)) {
    assert.is(codecs.decodeDelta(bytes(...values), old), null, what);
  }
  sameBytes(codecs.decodeDelta(bytes(0xff, 0x1f, 1, 9), old), pageOf(7, [4095, [9]]), "the last byte");
});

// The recording's DELT chunks have the same format, written by the program that recorded it
// (docs/formats.md): 2451 of them with 95 bytes in the mean (meanDeltaBytes of what it told of itself). It
// lets two runs pass for one where few bytes lie between them; where it has not, the two encoders must agree
// on every byte.
test("the deltas of the recording of Redis: decoded to the recorded pages, and coded as recorded", () => {
  const path = new URL("../sim/traces/host-redis-small.mdt", import.meta.url).pathname;
  const source = fileSource(path);
  const trace = openMdt(source, path);
  const image = new Map<number, Uint8Array>();
  const totals = { deltas: 0, recorded: 0, coded: 0, equal: 0 };
  for (let k = 0; k < trace.chunks.length; k++) {
    const type = trace.chunks.type(k);
    if (type !== "PAGE" && type !== "DELT") continue;
    const { chunk, raw } = loadChunk(trace, k);
    const table = bodyTable(raw, chunk.items, trace.pages, null);
    for (let i = 0; i < chunk.items; i++) {
      const body = entryBody(table, i);
      const pfn = table.pfns[i]!;
      if (type === "PAGE") image.set(pfn, body.length === 0 ? new Uint8Array(PAGE) : Uint8Array.from(body));
      else image.set(pfn, compare(image.get(pfn) ?? new Uint8Array(PAGE), body, totals));
    }
  }
  source.close();
  assert.is(totals.deltas, 2451);
  assert.is(Math.round(totals.recorded / totals.deltas), 95);
  assert.ok(totals.equal > totals.deltas / 2, `${totals.equal} of ${totals.deltas} have maximal runs`);
  const more = totals.coded / totals.recorded;
  assert.ok(more >= 1 && more < 1.05, `maximal runs take ${more} of the recorded bytes`);
});

/** One recorded delta; returns the page that it makes. */
function compare(
  old: Uint8Array,
  delta: Uint8Array,
  totals: Record<"deltas" | "recorded" | "coded" | "equal", number>,
): Uint8Array {
  const page = decodeXbzrle(delta, old)!;
  sameBytes(codecs.decodeDelta(delta, old), page, "recorded delta");
  const coded = codecs.encodeDelta(old, page)!;
  totals.deltas++;
  totals.recorded += delta.length;
  totals.coded += coded.length;
  const longest = runsOf(old, page).reduce((sum, run) => sum + run.bytes.length, 0);
  const replaced = replacedBytes(delta);
  if (replaced === longest) {
    sameBytes(coded, delta, "recorded delta of maximal runs");
    totals.equal++;
  }
  return page;
}

/** Bytes that a delta replaces: what is left of it without its lengths. */
function replacedBytes(delta: Uint8Array): number {
  let sum = 0;
  for (let at = 0, pair = 0; at < delta.length; pair++) {
    let length = delta[at++]!;
    if (length > 127) length += 128 * delta[at++]! - 128;
    if (pair % 2 === 1) {
      sum += length;
      at += length;
    }
  }
  return sum;
}

test.run();
