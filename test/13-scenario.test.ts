// SPDX-License-Identifier: Apache-2.0
// Scenarios: the shipped ones load, overrides win in their order, paths stay inside the project.
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "yaml";
import * as z from "zod";
import { schemaCommand } from "../src/cli/schema.ts";
import { type LoadOptions, loadScenario } from "../src/scenario/resolve.ts";
import { folder, HEAD, linesOf, messageOf, resolveText, scenarios } from "./lib/scenario.ts";

/** Shares below 1, as they are written; the core is given them by 2^32 (params). */
const SHARES = [".link.loss", ".link.lossBack"];

/** Every number in a value with its path. */
function numbersIn(value: unknown, path = ""): [string, number][] {
  if (typeof value === "number") return [[path, value]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => numbersIn(inner, `${path}.${key}`));
}

test("all shipped scenarios load, and resolve to plain integers but for shares", () => {
  const files = readdirSync(scenarios);
  assert.ok(files.length >= 7);
  for (const file of files) {
    const { scenario, traceFile, name } = loadScenario(join(scenarios, file));
    assert.ok(scenario.guest.writes === "generate" || traceFile?.endsWith(".mdt"), file);
    assert.ok(name.length > 0);
    assert.equal(JSON.parse(JSON.stringify(scenario)), scenario, `${file} is plain JSON`);
    for (const [path, number] of numbersIn(scenario))
      assert.ok(Number.isSafeInteger(number) || SHARES.includes(path), `${file} ${path}`);
  }
});

test("redis-100g resolves to what it says", () => {
  const { scenario } = loadScenario(join(scenarios, "redis-100g.yaml"));
  assert.equal(scenario.link.ticksPerByte, [81_920, 1]);
  assert.is(scenario.link.rttTicks, 20_000 * 1_024_000);
  assert.equal(
    [scenario.link.preambleBytes, scenario.link.gapBytes, scenario.link.fcsBytes, scenario.link.headerBytes],
    [8, 12, 4, 14],
  );
  assert.is(scenario.sides.source.pcie.ticksPerByte, 130_000);
  assert.equal(scenario.encrypt, { cipher: "aes-128-gcm", keyBits: 128, rounds: 10, decrypt: "eager" });
  const plain = loadScenario(join(scenarios, "redis-100g-plain.yaml")).scenario;
  assert.equal([plain.compress.engine, plain.encrypt.cipher, plain.encrypt.rounds], ["off", "off", 0]);
  const fast = loadScenario(join(scenarios, "redis-400g.yaml")).scenario;
  assert.equal([fast.sides.destination.pcie.generation, fast.link.ticksPerByte], [5, [20_480, 1]]);
});

test("the resolved scenario does not depend on where the file lies or what it is called", () => {
  const text = readFileSync(join(scenarios, "tiny.yaml"), "utf8").replace("../traces/", "");
  const trace = readFileSync(join(scenarios, "..", "traces", "example.mdt"), "latin1");
  const { path, done } = folder({ "other.yaml": text.replace("name: tiny", ""), "example.mdt": trace });
  const moved = loadScenario(join(path, "other.yaml"));
  assert.equal(moved.scenario, loadScenario(join(scenarios, "tiny.yaml")).scenario);
  assert.is(moved.name, "other");
  done();
});

test("a scenario may be JSON", () => {
  const json = JSON.stringify(parse(HEAD), null, "\t");
  assert.equal(resolveText(json), resolveText(HEAD));
});

test("precedence: preset, file, sets in order, options", () => {
  const ticks = (text: string, options: LoadOptions = {}): number =>
    resolveText(text, options).link.ticksPerByte[0];
  const file = `${HEAD}link: { rate: 50 Gbit/s }\n`;
  const sets = ["link.rate=200 Gbit/s", "link.rate=25Gbit/s"];
  assert.is(ticks(HEAD), 81_920);
  assert.is(ticks(file), 163_840);
  assert.is(ticks(file, { sets: sets.slice(0, 1) }), 40_960);
  assert.is(ticks(file, { sets }), 327_680);
  assert.is(ticks(file, { sets, overrides: { "link.rate": "400 Gbit/s" } }), 20_480);
  const options = { sets: ["content=sized", "seed=4"], overrides: { content: "sampled", seed: undefined } };
  const { content, seed } = resolveText(`${HEAD}sampleEvery: 8\n`, options);
  assert.equal([content, seed], [{ mode: "sampled", sampleEvery: 8 }, 4]);
});

test("a set reaches into a preset named by a word, on its own side", () => {
  const text = `${HEAD}source: { host: gen5-host, card: dpu-ref }\n`;
  const { sides } = resolveText(text, {
    sets: ["source.card.pcie.lanes=4", "destination.card.dma.ring=card"],
  });
  assert.equal([sides.source.pcie.lanes, sides.destination.pcie.lanes], [4, 4], "the destination inherits");
  assert.equal([sides.source.card.dma.ring, sides.destination.card.dma.ring], ["host", "card"]);
  assert.is(sides.destination.host.preset, "gen5-host");
  const own = resolveText(text, { sets: ["destination.card.pcie.lanes=2"] }).sides;
  assert.equal([own.source.pcie.lanes, own.destination.pcie.lanes], [16, 2]);
  const base = resolveText(text, { sets: ["compress.pws=8", "compress.engines=2"] }).sides;
  assert.equal([base.source.card.compressor.pws, base.source.card.compressor.engines], [8, 2]);
  assert.is(base.destination.card.compressor.pws, 16, "compress overrides the card that compresses");
});

test("a trace removes the generator, and the other way round, with the keys of a trace alone", () => {
  const traced = resolveText(HEAD, { sets: ["guest.trace=../traces/example.mdt"] });
  assert.equal([traced.guest.writes, traced.guest.generate], ["trace", null]);
  const text = `schema: dpusim.scenario/1\nguest: { trace: ../traces/example.mdt, tile: 4, speed: 2 }\n`;
  const sets = ["guest.generate={ memory: 8 MiB, rate: 0, workingSet: 4 KiB, pattern: zipf }"];
  const { writes, generate } = resolveText(text, { sets }).guest;
  assert.is(writes, "generate");
  assert.equal(generate, { memoryPages: 2048, ticksPerWrite: null, workingSetPages: 1, pattern: "zipf" });
  const tiled = (): unknown => resolveText(HEAD, { sets: ["guest.tile=4"] });
  assert.throws(tiled, /guest.tile: has an effect on traces alone/);
});

test("switches can be turned by a set", () => {
  const on = resolveText(`${HEAD}encrypt: off\n`, { sets: ["encrypt.cipher=aes-256-gcm"] });
  assert.equal([on.encrypt.keyBits, on.encrypt.rounds], [256, 14]);
  assert.is(resolveText(HEAD, { sets: ["compress=off"] }).compress.engine, "off");
});

test("a trace outside the scenario's project is refused unless that is allowed", () => {
  const text = (trace: string): string => `schema: dpusim.scenario/1\nguest: { trace: ${trace} }\n`;
  const { path, done } = folder({
    "project/package.json": "{}",
    "project/traces/in.mdt": "",
    "project/runs/in.yaml": text("../traces/in.mdt"),
    "project/runs/out.yaml": text("../../out.mdt"),
    "project/runs/link.yaml": text("link.mdt"),
    "project/runs/absent.yaml": text("../../../absent.mdt"),
    "project/runs/folder.yaml": text("../traces"),
    "project/runs/sibling.yaml": text("../../project-two/in.mdt"),
    "project-two/in.mdt": "",
    "bare/out.yaml": text("../out.mdt"),
    "out.mdt": "",
  });
  symlinkSync(join(path, "out.mdt"), join(path, "project", "runs", "link.mdt"));
  writeFileSync(join(path, "project", "runs", "absolute.yaml"), text(join(path, "out.mdt")));
  const load = (file: string, allowOutside = false) => loadScenario(join(path, file), { allowOutside });
  assert.ok(load("project/runs/in.yaml").traceFile?.endsWith(join("project", "traces", "in.mdt")));
  // as the file system does, a link to the folder is followed before ".."
  symlinkSync(join(path, "project", "runs"), join(path, "short"));
  assert.ok(load("short/in.yaml").traceFile?.endsWith(join("project", "traces", "in.mdt")));
  assert.match(linesOf(() => load("short/out.yaml"))[0] ?? "", "leaves the project");
  for (const file of ["runs/out", "runs/link", "runs/absolute", "runs/sibling"]) {
    const [line] = linesOf(() => load(`project/${file}.yaml`));
    assert.match(line ?? "", /leaves the project; move it inside or give --allow-outside$/, file);
    assert.ok(load(`project/${file}.yaml`, true).traceFile?.endsWith(".mdt"), file);
  }
  assert.match(linesOf(() => load("bare/out.yaml"))[0] ?? "", "leaves the project");
  assert.match(linesOf(() => load("project/runs/absent.yaml"))[0] ?? "", "leaves the project");
  assert.match(linesOf(() => load("project/runs/folder.yaml"))[0] ?? "", "is not a file; name a trace file");
  done();
});

test("the JSON Schema accepts the shipped scenarios and refuses what the scenario refuses", () => {
  const { oneOf, ...strict } = JSON.parse(schemaCommand("scenario"));
  assert.equal(oneOf, [{ required: ["guest"] }, { required: ["guests"] }]);
  // zod's reader knows no oneOf of requirements, and forgets beside one that no other key is allowed
  const schema = z.fromJSONSchema(strict);
  for (const file of readdirSync(scenarios)) {
    const result = schema.safeParse(parse(readFileSync(join(scenarios, file), "utf8")));
    assert.ok(result.success, `${file} ${result.error?.message}`);
  }
  for (const line of [
    "link: { rate: 100 }",
    "lnik: 1",
    "link: { rate: 3 parsec }",
    "delta: xbzrle",
    "faults: [1]",
  ]) {
    assert.not.ok(schema.safeParse(parse(`${HEAD}${line}`)).success, line);
  }
  assert.match(
    messageOf(() => schemaCommand("sweep")),
    "is not supported yet",
  );
  assert.match(
    messageOf(() => schemaCommand("scenaro")),
    "did you mean scenario?",
  );
});

test.run();
