// SPDX-License-Identifier: Apache-2.0
/**
 * Suite `codec`: engine presets beside what was published of their engines, the LZ4 encoder beside a
 * prototype's table, and AES-GCM engines, measured on the core, beside the closed form.
 */
import { loadCompressor } from "../scenario/engines.ts";
import { presetNames } from "../scenario/presets.ts";
import {
  expectedClocks,
  type KeyBits,
  measuredBitRate,
  measuredBlockClocks,
  measuredClocks,
} from "./codec-ciphers.ts";
import { lossPercent, ofMachine, onTrace, ratioOver, refusedPercent } from "./codec-compressors.ts";
import { type PublishedRow, published, publishedTolerance } from "./published.ts";
import { type Point, point, type Suite } from "./types.ts";

const SUITE = "codec";
const megabytes = (bytesPerSecond: number | null): number => (bytesPerSecond ?? Number.NaN) / 1e6;

/** How each measure of the table is taken: of a preset or a machine, with an argument. */
const MEASURES: Readonly<Record<string, (of: string, argument: string) => number>> = {
  rate: (of) => megabytes(onTrace(of).bytesPerSecond),
  "engine-rate": (of) => megabytes(onTrace(of).bytesPerSecond) / loadCompressor(of).engines,
  loss: (of) => lossPercent(onTrace(of)),
  output: (of, ratio) => (megabytes(onTrace(of).bytesPerSecond) * 8) / 1000 / Number(ratio),
  refused: (of) => refusedPercent(of, false),
  "refused-noise": (of) => refusedPercent(of, true),
  "ratio-over": (of, other) => onTrace(of).ratio! / onTrace(other).ratio!,
  "machine-loss": (of) => lossPercent(ofMachine(of)),
  "machine-over": ratioOver,
  "machine-clocks": (of) => ofMachine(of).cycles!.mean,
  "block-clocks": (of, keyBits) => measuredBlockClocks(of, Number(keyBits) as KeyBits),
  "gcm-rate": (of, payload) => measuredBitRate(of, Number(payload)) / 1e9,
};

function publishedPoint(row: PublishedRow): Point {
  const { id, of, measure, argument, quantity, unit, expected, calibration, source } = row;
  const taken = MEASURES[measure!];
  if (taken === undefined) throw new RangeError(`sim/published/codec.csv: no measure ${measure}`);
  return point({
    suite: SUITE,
    id: id!,
    quantity: `${of}: ${quantity}`,
    expected: Number(expected),
    simulated: taken(of!, argument!),
    unit: unit!,
    tolerance: publishedTolerance(row),
    calibration: calibration === "yes",
    source: source!,
  });
}

/** Payloads: a marker, one byte, below and above a word, a frame, a page. */
const PAYLOADS = [0, 1, 64, 129, 1500, 4096];

/** Each cipher and key: the interval of records of some sizes, and the first record with its key. */
function* closedForm(): Generator<Point> {
  for (const name of presetNames("cipher")) {
    for (const keyBits of [128, 256] as const) {
      for (const payload of PAYLOADS) {
        const expected = expectedClocks(name, keyBits, payload);
        const simulated = measuredClocks(name, keyBits, payload);
        const common = {
          suite: SUITE,
          unit: "clocks",
          tolerance: { kind: "exact" } as const,
          source: "closed form, docs/model.md section 5",
        };
        yield point({
          ...common,
          id: `${name}-${keyBits}-${payload}`,
          quantity: `${name}: interval of records of ${payload} B, key of ${keyBits} bits`,
          expected: expected.interval,
          simulated: simulated.interval,
        });
        if (payload !== 4096) continue;
        yield point({
          ...common,
          id: `${name}-${keyBits}-first`,
          quantity: `${name}: the first record of 4096 B to its tag, key of ${keyBits} bits`,
          expected: expected.first,
          simulated: simulated.first,
        });
      }
    }
  }
}

export const codec: Suite = {
  name: SUITE,
  title: "compressors and ciphers: presets beside what was published, the closed form of AES-GCM",
  limits: [
    "Deflate, zstd, static Huffman codes and XP10 are not modelled: such engines have a given rate, and " +
      "sizes of a stand-in.",
    "The rates of Intel IAA and of BlueField-2 were not found: they are knobs, and no point stands for them.",
    "Queues, credits, page faults and compress-and-verify of IAA, QAT and NX are not modelled.",
    "Table A4 was measured on other pages with a prototype. Banks, ports, policies and windows of 8 and " +
      "16 come out within 1 %, one position a clock and a table of 1024 within 2 %, one match a window and " +
      "forwarding within 3 %. What a table of 256 or a cap of 16 costs depends on the pages and is only " +
      "reported; on script text (docs/lz4-hardware.md, section 9) both tables cost what A4 has for it " +
      "within 1 %.",
    "With frames of 64 B the model of macsec-100g seals 60 Gbit/s of payload: two records in one word are " +
      "not modelled.",
  ],
  *points() {
    for (const row of published(SUITE)) yield publishedPoint(row);
    yield* closedForm();
  },
};
