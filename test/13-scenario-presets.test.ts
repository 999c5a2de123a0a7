// SPDX-License-Identifier: Apache-2.0
// Presets: every number has its source, the numbers are those described, host and card agree as they must.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { presetsCommand } from "../src/cli/presets.ts";
import { pcieTicksPerByte } from "../src/scenario/fill.ts";
import { KEY_TABLES } from "../src/scenario/keys.ts";
import { loadPlacement, loadPreset, packageRoot, parsePreset, presetNames } from "../src/scenario/presets.ts";
import { resolveSide } from "../src/scenario/resolve.ts";
import { parseSource } from "../src/scenario/source.ts";
import { linesOf, messageOf } from "./lib/scenario.ts";

test("every number of every preset has a kind and a source, and says what it measures", () => {
  for (const kind of ["card", "host", "link"] as const) {
    assert.ok(presetNames(kind).length > 0, kind);
    for (const name of presetNames(kind)) {
      const preset = loadPreset(kind, name);
      assert.equal(Object.keys(preset.values).sort(), Object.keys(KEY_TABLES[kind]).sort(), name);
      for (const [key, entry] of Object.entries(preset.values)) {
        assert.ok(["measured", "datasheet", "derived", "assumed"].includes(entry.kind), `${name} ${key}`);
        assert.ok(entry.source.length > 3, `${name} ${key}`);
        assert.ok(entry.kind !== "derived" || entry.note !== null, `${name} ${key}: how was it derived?`);
      }
    }
  }
});

test("a preset file with a key too few, too many, unsourced or out of range is refused", () => {
  const text = readFileSync(join(packageRoot(), "sim", "links", "ethernet-25g.yaml"), "utf8");
  const check = (from: string, to: string): readonly string[] => {
    assert.ok(text.includes(from), from);
    return linesOf(() => parsePreset("link", "ethernet-25g", parseSource(text.replace(from, to), "l.yaml")));
  };
  assert.equal(parsePreset("link", "ethernet-25g", parseSource(text, "l.yaml")).values.mtu?.value, 9000);
  assert.match(check("  rtt:", "  rttt:")[0] ?? "", /values\.rttt: unknown key; did you mean rtt\?$/);
  assert.match(check("  rtt:", "  rttt:")[1] ?? "", /values: rtt is missing$/);
  assert.match(check("value: 9000", "value: 99000")[0] ?? "", /99000 is out of range; write 576 to 9216$/);
  assert.match(check("kind: datasheet", "kind: guessed")[0] ?? "", /kind: guessed is not known here/);
  assert.match(check("    source: IEEE Std 802.3\n", "")[0] ?? "", /source: is missing/);
  assert.match(check("name: ethernet-25g", "name: other")[0] ?? "", /other differs from the file's name/);
});

test("dpu-ref is invented, and has the numbers of its description", () => {
  const card = loadPreset("card", "dpu-ref");
  assert.ok(Object.values(card.values).every((entry) => entry.kind === "assumed"));
  const { card: got, pcie } = resolveSide({ host: "gen5-host", card: "dpu-ref" }, "test");
  assert.equal(
    [pcie.generation, pcie.lanes, pcie.mpsBytes, pcie.mrrsBytes, pcie.tags],
    [5, 16, 256, 512, 256],
  );
  assert.equal([pcie.ticksPerByte, pcie.completionBufferBytes], [16_250, 64 * 1024]);
  assert.equal(got.ticksPerCycle, [1_024_000, 1]);
  assert.equal(got.control.ticksPerCycle, [2_048_000, 3]);
  const { dma, compressor, decompressor, crypto, control } = got;
  assert.equal(
    [dma.readQueues, dma.prefetchBatches, dma.descriptorBytes, dma.descriptorBatch],
    [2, 4, 16, 32],
  );
  assert.equal(
    [dma.stagingSramBytes, got.scanner.wordsPerCycle, got.zeroFilter.bytesPerCycle],
    [2 ** 20, 8, 64],
  );
  assert.equal([compressor.engines, compressor.pws, compressor.hashLog], [4, 16, 12]);
  assert.equal([compressor.banks, compressor.ports, compressor.policy], [32, 2, "drop"]);
  assert.equal([decompressor.engines, decompressor.bytesPerCycle], [4, 8]);
  assert.equal([crypto.engines, crypto.bitsPerCycle, crypto.keySlots, control.cores], [2, 512, 256, 4]);
  assert.equal(
    [control.addressBatchCycles, control.addressPageCycles, control.descriptorBatchCycles],
    [200, 20, 60],
  );
  assert.equal([control.pageRecordCycles, control.roundEndCycles, control.interruptCycles], [120, 400, 300]);
  assert.equal(got.tcp.receiveWindowBytes, 16 * 2 ** 20);
  // 100 GB/s: 1.024e15 / 1e11 = 10240 ticks per byte; 400 Gbit/s: 20480.
  assert.equal(
    [got.dram.ticksPerByte, got.port.ticksPerByte],
    [
      [10_240, 1],
      [20_480, 1],
    ],
  );
});

test("snb-e5-2630: link, engine and host parts of a 64 B read add up to the measured 558.0 ns", () => {
  const { host, pcie } = resolveSide({ host: "snb-e5-2630", card: "dpu-ref" }, "test");
  const linkNs = ((24 + 20 + 64) * pcie.ticksPerByte) / 1_024_000;
  const engineNs = 558.0 - 435.7;
  const totalNs = host.memory.readLatencyTicks / 1_024_000 + linkNs + engineNs;
  assert.ok(Math.abs(totalNs - 558.0) < 0.5, `${totalNs}`);
});

test("host and card agree on the lower generation, narrower width, smaller MPS and MRRS", () => {
  const sizes = fc.constantFrom(128, 256, 512, 1024, 2048, 4096);
  const end = fc.record({
    generation: fc.integer({ min: 1, max: 5 }),
    lanes: fc.constantFrom(1, 2, 4, 8, 16),
    mps: sizes,
    mrrs: sizes,
  });
  fc.assert(
    fc.property(end, end, (a, b) => {
      const { pcie } = resolveSide(
        { host: { preset: "snb-e5-2630", pcie: a }, card: { preset: "dpu-ref", pcie: b } },
        "test",
      );
      assert.is(pcie.generation, Math.min(a.generation, b.generation));
      assert.is(pcie.lanes, Math.min(a.lanes, b.lanes));
      assert.is(pcie.mpsBytes, Math.min(a.mps, b.mps));
      assert.is(pcie.mrrsBytes, Math.min(a.mrrs, b.mrrs));
      assert.is(pcie.ticksPerByte, pcieTicksPerByte(pcie.generation, pcie.lanes));
    }),
    { numRuns: 50 },
  );
  const many = { preset: "dpu-ref", pcie: { tags: 768 } };
  assert.is(resolveSide({ host: "gen5-host", card: many }, "test").pcie.tags, 768);
  assert.is(resolveSide({ host: "snb-e5-2630", card: many }, "test").pcie.tags, 256);
});

test("the huawei placement runs everything between addresses and placement on the cards", () => {
  const { stages } = loadPlacement("huawei");
  const onCard = Object.entries(stages).filter(([, stage]) => stage.at === "card");
  const expected = "read zero compress encrypt frame send receive decrypt decompress place";
  assert.is(onCard.map(([stage]) => stage).join(" "), expected);
});

test("presets: UNIT is that of VALUE, for every number of every preset", () => {
  let numbers = 0;
  for (const kind of ["card", "host", "link", "compressor", "cipher"] as const) {
    for (const name of presetNames(kind)) {
      const lines = presetsCommand(name).split("\n\n").join("\n").split("\n");
      for (const [key, { value }] of Object.entries(loadPreset(kind, name).values)) {
        const spec = KEY_TABLES[kind][key]!;
        const rows = lines.filter((line) => line.startsWith(`${key} `)).map((line) => line.split(/ {2,}/));
        // a card and an engine may have a name in common: one of the rows is the key's
        const told = rows.map(([, number, unit]) => `${number} ${unit}`);
        const zero = { bytes: "B", octets: "B", time: "s", cycles: "cycles" } as Record<string, string>;
        const bare =
          zero[spec.measure] ??
          (/PerMille|linkShare|memory\.(load|sus|con)/.test(key) ? "per mille" : "count");
        const word = spec.measure === "choice" ? `${value} -` : String(value);
        const wanted = /^[\d.]+$/.test(word)
          ? `${value} ${bare}`
          : word.replace(/^([\d.]+)(?=[A-Za-z])/, "$1 ");
        assert.ok(
          told.includes(wanted) || key.endsWith("cyclesPerRound"),
          `${name} ${key}: ${told}, not ${wanted}`,
        );
        numbers++;
      }
    }
  }
  assert.ok(numbers > 900, `${numbers} numbers`);
  assert.match(presetsCommand("nfp6000-e5"), /^engine\.start +69 +ns +derived /m);
  assert.match(presetsCommand("nfp6000-e5"), /^pcie\.linkShare +960 +per mille +derived /m);
  assert.match(presetsCommand("nfp6000-e5"), /^dma\.ring +host +- .* descriptor rings: host or card /m);
  assert.match(presetsCommand("nfp6000-e5"), /^crypto\.cyclesPerRound +0 +cycles /m);
});

test("presets prints every preset, and of one every key with kind and source", () => {
  const list = presetsCommand();
  for (const name of ["dpu-ref", "snb-e5-2630", "gen5-host", "ethernet-400g", "huawei"])
    assert.match(list, name);
  const card = presetsCommand("dpu-ref");
  for (const key of Object.keys(KEY_TABLES.card)) {
    assert.ok(
      card.split("\n").some((line) => line.startsWith(`${key} `) && line.includes("assumed")),
      key,
    );
  }
  assert.match(presetsCommand("huawei"), /\nread +card +pre-copy, stop-window +DMA pulls pages by address\n/);
  assert.match(
    messageOf(() => presetsCommand("dpu-rfe")),
    "did you mean dpu-ref?",
  );
});

test.run();
