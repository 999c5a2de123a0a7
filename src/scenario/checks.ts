// SPDX-License-Identifier: Apache-2.0
/** Checks that concern several keys at once, or a key and its preset. Each adds its problems and returns. */
import { ticksPerByte, type Values } from "./fill.ts";
import { TAGS_MAX } from "./keys.ts";
import { type Movable, placeOf } from "./placement.ts";
import type { Problems } from "./problems.ts";
import { DEFAULT_BUFFER, OWN_ENGINE, SAMPLE_EVERY, type Scenario } from "./schema.ts";
import type { NamedCiphers } from "./sealing.ts";
import type { Path } from "./source.ts";
import { checkStorage } from "./storage.ts";
import { compare, formatQuantity, parseQuantity, show, ticksPer, toRatio, UnitError } from "./units.ts";

const PAGE_BYTES = 4096n;
/** Above this memory two images do not fit in the core; model.md of the project states the limit. */
const FULL_BYTES_MAX = 1536n * 1024n * 1024n;
/** Shortest match of the LZ4 block format. */
const MATCH_MIN = 4;
/** Two windows and some records more fit a ring of 2 GiB. */
const CARRIED_WINDOW_MAX = 1023 * 2 ** 20;

type Adds = Pick<Problems, "add">;

function pathOf(base: Path, key: string): Path {
  return [...base, ...key.split(".")];
}

/** Values that have no exact integer form. */
export function convert(values: Values, problems: Problems): void {
  for (const [key, message] of values.failures()) problems.add(pathOf(values.path, key), message);
}

/**
 * One server and its card: tags, buffers and credits that could never work.
 * @param ats whether the card asks for translations
 * @param probed a probe: other I/O alone, which has all tags and all of the completion buffer
 */
export function checkSide(
  side: { host: Values; card: Values },
  problems: Problems,
  { ats = false, probed = false } = {},
): void {
  const { host, card } = side;
  convert(host, problems);
  convert(card, problems);
  checkJitter(host, problems);
  const generation = card.whole("pcie.generation");
  const tagsMax = TAGS_MAX[generation] ?? 0;
  const tags = card.whole("pcie.tags");
  if (tags > tagsMax) {
    const what = `${tags} is more than PCIe Gen${generation} has; write at most ${tagsMax}`;
    problems.add(pathOf(card.path, "pcie.tags"), what);
  }
  const mrrs = Math.min(host.whole("pcie.mrrs"), card.whole("pcie.mrrs"));
  const mps = Math.min(host.whole("pcie.mps"), card.whole("pcie.mps"));
  for (const values of [host, card]) {
    const pd = values.whole("pcie.pdCredits");
    if (pd === 0 || pd * 16 >= mps) continue;
    const what = `${pd} do not admit one TLP of ${mps} B; write at least ${mps / 16}, or 0 for unlimited`;
    problems.add(pathOf(values.path, "pcie.pdCredits"), what);
  }
  checkReads(host, card, mrrs, { ats, probed }, problems);
  const replay = card.whole("pcie.replayBuffer");
  if (replay < mps + 24) {
    const what = `does not hold one TLP of ${mps} B; write at least ${mps + 24} B`;
    problems.add(pathOf(card.path, "pcie.replayBuffer"), what);
  }
}

/**
 * Tags and completion buffer of VSOCK (4 tags, an eighth), of descriptors (what they can have in flight, an
 * eighth), of translations, of data.
 */
/** Quantiles of a latency do not fall; without a most there is no jitter. */
function checkJitter(host: Values, problems: Problems): void {
  const ticks = (name: string): number => host.ticks(`memory.jitter${name}`);
  if (ticks("Max") === 0) return;
  const add = (name: string, what: string): void =>
    problems.add(pathOf(host.path, `memory.jitter${name}`), what);
  if (ticks("P5") > ticks("Min")) add("P5", "is more below the median than jitterMin; write less");
  const above = ["P95", "P99", "P999", "Max"] as const;
  for (const [i, name] of above.slice(1).entries())
    if (ticks(name) < ticks(above[i]!)) add(name, `is less than jitter${above[i]}; write no less`);
}

function checkReads(
  host: Values,
  card: Values,
  mrrs: number,
  { ats, probed }: { ats: boolean; probed: boolean },
  problems: Problems,
): void {
  const mps = Math.min(host.whole("pcie.mps"), card.whole("pcie.mps"));
  const rcb = host.whole("pcie.rcb");
  const batchBytes = card.whole("dma.descriptorBatch") * card.whole("dma.descriptorBytes");
  const batches = card.word("dma.ring") === "host" ? card.whole("dma.prefetchBatches") : 0;
  const translations = ats ? card.whole("ats.requests") : 0;
  const kept = 4 + batches * Math.ceil(batchBytes / mrrs) + translations;
  if (!probed && card.whole("pcie.tags") <= kept) {
    const others = ats ? "VSOCK, descriptors and translations" : "VSOCK and descriptors";
    const what = `leaves none for data: ${others} take ${kept}; write at least ${kept + 1}`;
    problems.add(pathOf(card.path, "pcie.tags"), what);
  }
  const forWhom = probed ? "for one read" : "in an eighth for one read or the descriptors";
  // of a probe's buffer nothing is kept, and a read that does not begin at a boundary takes a header more
  const bytes = probed ? mrrs : 8 * Math.max(mrrs, batches * batchBytes);
  if (card.whole("pcie.completionBuffer") < bytes) {
    const what = `is too small ${forWhom}; write at least ${bytes} B`;
    problems.add(pathOf(card.path, "pcie.completionBuffer"), what);
  }
  const headers = probed ? mrrs / rcb + 1 : 8 * Math.max(mrrs / rcb, batches * Math.ceil(batchBytes / rcb));
  if (card.whole("pcie.completionHeaders") < headers) {
    const what = `are too few ${forWhom}; write at least ${headers}`;
    problems.add(pathOf(card.path, "pcie.completionHeaders"), what);
  }
  // a read that does not begin at a boundary is answered in one more
  const combined = Math.min(mrrs, host.whole("pcie.combineAbove"));
  const [most, least] = [card.whole("engine.completions"), Math.max(combined / rcb, mrrs / mps) + 1];
  if (most !== 0 && most < least)
    problems.add(
      pathOf(card.path, "engine.completions"),
      `are too few for one read; write 0 or at least ${least}`,
    );
}

/** Keys that say how a trace is played, with the values that change nothing. */
const OF_A_TRACE = { tile: "1", speed: "1", atEnd: "idle", reads: "off" } as const;

function checkMix(mix: object | undefined, path: Path, problems: Adds): void {
  if (mix === undefined) return;
  const sum = Object.values(mix).reduce((total: number, part) => total + Number(part), 0);
  if (sum !== 100) problems.add(path, `zero, text and random add up to ${sum}; make it 100`);
}

function checkGenerate(scenario: Scenario, problems: Adds): void {
  const { generate } = scenario.guest;
  if (generate === undefined) return;
  const path = ["guest", "generate"];
  const memory = parseQuantity(generate.memory, "bytes").num;
  const workingSet = parseQuantity(generate.workingSet, "bytes").num;
  for (const [key, bytes] of Object.entries({ memory, workingSet })) {
    if (bytes % PAGE_BYTES === 0n) continue;
    problems.add([...path, key], "is no whole number of 4 KiB pages; write a multiple of 4 KiB");
  }
  if (workingSet > memory) {
    problems.add([...path, "workingSet"], `is larger than memory; write at most ${show(generate.memory)}`);
  }
  if (scenario.content === "full" && memory > FULL_BYTES_MAX) {
    problems.add([...path, "memory"], "is above 1536 MiB, the limit of content full; use content sized");
  }
  for (const [key, inert] of Object.entries(OF_A_TRACE)) {
    if (String(scenario.guest[key as keyof typeof OF_A_TRACE]) === inert) continue;
    problems.add(["guest", key], "has an effect on traces alone, and the guest generates; remove it", "key");
  }
  if (scenario.guest.mix !== undefined && generate.mix !== undefined) {
    problems.add(["guest", "mix"], "is also given in generate; keep one", "key");
  }
  checkMix(generate.mix, [...path, "mix"], problems);
  try {
    const rate = parseQuantity(generate.rate, "events");
    if (rate.num > 0n) toRatio(ticksPer(rate));
  } catch (error) {
    if (!(error instanceof UnitError)) throw error;
    problems.add([...path, "rate"], `${show(generate.rate)} ${error.message}`);
  }
}

/** The guest: one source of writes, a mix that adds up, whole pages. */
export function checkGuest(scenario: Scenario, problems: Adds): void {
  const { trace, generate, mix } = scenario.guest;
  if (trace === undefined && generate === undefined) {
    problems.add(
      ["guest"],
      "has no writes; give trace: FILE or generate: { memory, rate, workingSet }",
      "key",
    );
  }
  if (trace !== undefined && generate !== undefined) {
    problems.add(["guest", "generate"], "stands beside trace; keep one of the two", "key");
  }
  checkMix(mix, ["guest", "mix"], problems);
  checkGenerate(scenario, problems);
  checkStorage(scenario.guest.storage, problems);
}

/** The link: no faster than the ports, weights only where they count, a cap that is exact. */
export function checkLink(
  scenario: Scenario,
  link: Values,
  source: Values,
  destination: Values,
  problems: Problems,
): void {
  for (const [side, card] of Object.entries({ source, destination })) {
    const port = card.exact("port.rate");
    if (compare(link.exact("rate"), port) <= 0) continue;
    const most = formatQuantity(port, "rate");
    problems.add(["link", "rate"], `is faster than the ${side} card's port; write at most ${most}`);
  }
  checkPath(scenario, link, problems);
  const { arbitration, weights, rateCap } = scenario.link;
  if (weights !== undefined && arbitration !== "weighted") {
    problems.add(["link", "weights"], "have no effect here; write arbitration: weighted", "key");
  }
  if (rateCap === "none") return;
  try {
    ticksPerByte(parseQuantity(rateCap, "rate"));
  } catch (error) {
    if (!(error instanceof UnitError)) throw error;
    problems.add(["link", "rateCap"], `${show(rateCap)} ${error.message}`);
  }
}

/** Keys of a path that may lose frames, with the values that change nothing. */
const OF_A_LOSSY_PATH = {
  loss: "0",
  jitter: "0",
  streams: "1",
  bottleneck: "none",
  pause: "off",
  inFlight: "none",
  windowGrowth: "fixed",
} as const;

/** What a path needs that may lose frames: congestion control, and a bottleneck that is one. */
function checkPath(scenario: Scenario, link: Values, problems: Problems): void {
  const { congestion, bottleneck, buffer, transport } = scenario.link;
  const recovers = congestion !== "none" || transport === "udp";
  if (congestion !== "none" && transport === "udp")
    problems.add(["link", "congestion"], "is not known to UDP; write none, or transport: tcp");
  for (const [key, inert] of Object.entries(OF_A_LOSSY_PATH)) {
    const written = scenario.link[key as keyof typeof OF_A_LOSSY_PATH];
    if (recovers || String(written) === inert) continue;
    problems.add(["link", key], "needs congestion control; write congestion: cubic, or reno");
  }
  if (bottleneck === "none") {
    if (recovers && scenario.link.pause !== "off")
      problems.add(["link", "pause"], "has no effect without a slower part; write bottleneck: RATE", "key");
    if (buffer === DEFAULT_BUFFER) return;
    problems.add(["link", "buffer"], "has no effect without a slower part; write bottleneck: RATE", "key");
    return;
  }
  const rate = link.exact("rate");
  if (compare(parseQuantity(bottleneck, "rate"), rate) >= 0) {
    const most = formatQuantity(rate, "rate");
    problems.add(["link", "bottleneck"], `is no slower than the link; write less than ${most}, or none`);
  }
  try {
    ticksPerByte(parseQuantity(bottleneck, "rate"));
  } catch (error) {
    if (!(error instanceof UnitError)) throw error;
    problems.add(["link", "bottleneck"], `${show(bottleneck)} ${error.message}`);
  }
}

/** One page in so many: of the content mode that carries so many. */
export function checkContent(scenario: Scenario, problems: Problems): void {
  if (scenario.content === "sampled" || scenario.sampleEvery === SAMPLE_EVERY) return;
  const what = `has no effect with content ${scenario.content}; write content: sampled, or remove it`;
  problems.add(["sampleEvery"], what, "key");
}

/** A card that translates needs somebody to ask. */
export function checkAts(iommu: string | number, ats: string | number, problems: Problems): void {
  if (ats === "off" || iommu !== "off") return;
  const what = "asks for translations, and there are none; write iommu: 4KiB, or ats: off";
  problems.add(["internal", "ats"], what);
}

/** The load of a host's memory: of reads that wait for it. */
export function checkLoad(contention: string | number, host: Values, problems: Problems): void {
  if (contention === "on" || host.whole("memory.load") === 0) return;
  const what = "has no effect with internal.contention off; write internal: { contention: on }, or 0";
  problems.add(pathOf(host.path, "memory.load"), what);
}

/** The window: carried bytes lie in rings of a send buffer and a receive window, each below 2 GiB. */
export function checkWindow(scenario: Scenario, destination: Values, problems: Problems): void {
  if (scenario.content === "sized" && scenario.delta === "off") return;
  const { window } = scenario.link;
  const bytes =
    window === undefined
      ? destination.whole("tcp.receiveWindow")
      : Number(parseQuantity(window, "bytes").num);
  if (bytes <= CARRIED_WINDOW_MAX) return;
  const path = window === undefined ? pathOf(destination.path, "tcp.receiveWindow") : ["link", "window"];
  const right = scenario.content === "sized" ? "use delta off" : "use content sized";
  problems.add(path, `is above 1023 MiB, the limit of content ${scenario.content}; ${right}`);
}

/** The source's compressor: what one of its keys leaves of another's range. */
export function checkCompressor(scenario: Scenario, card: Values, problems: Problems): void {
  const { compress } = scenario;
  if (compress === "off" || compress.engine !== OWN_ENGINE) return;
  const own = compress as Readonly<Record<string, unknown>>;
  const add = (key: string, what: string): void => {
    const path = own[key] === undefined ? pathOf(card.path, `compressor.${key}`) : ["compress", key];
    problems.add(path, what);
  };
  const value = (key: string): number => card.whole(`compressor.${key}`);
  const entries = 2 ** value("hashLog");
  if (value("banks") > entries) {
    const what = `${value("banks")} is more than the hash table has entries (hashLog ${value("hashLog")})`;
    add("banks", `${what}; write at most ${entries}`);
  }
  if (value("matchCap") > 0 && value("matchCap") < MATCH_MIN) {
    add(
      "matchCap",
      `${value("matchCap")} is shorter than any match of LZ4; write at least ${MATCH_MIN}, or 0`,
    );
  }
}

/** Engines that the scenario needs and a card lacks. */
export function checkCrypto(
  scenario: Scenario,
  source: Values,
  destination: Values,
  ciphers: NamedCiphers,
  problems: Problems,
): void {
  const need = (key: string, card: Values, engines: string, side: string, stage: Movable): void => {
    // what hosts do with pages, cards do with device state and control records; it is coded by cards alone
    const at = placeOf(scenario.placement, stage);
    const plain = stage.endsWith("compress") && placeOf(scenario.placement, "compress").startsWith("host");
    if (card.whole(engines) > 0 || at === "card-core" || (at !== "card" && plain)) return;
    problems.add([key], `the ${side} card has no engine for it (${engines} is 0); write ${key}: off`);
  };
  if (scenario.compress !== "off" && scenario.compress.engine !== "off") {
    if (scenario.compress.engine === OWN_ENGINE)
      need("compress", source, "compressor.engines", "source", "compress");
    need("compress", destination, "decompressor.engines", "destination", "decompress");
  }
  for (const card of [source, destination]) {
    const bits = card.whole("crypto.bitsPerCycle");
    if (card.whole("crypto.cyclesPerRound") === 0 || bits === 128) continue;
    const what = `is that of one block at a time, and the engine takes ${bits} bits; write 0`;
    problems.add(pathOf(card.path, "crypto.cyclesPerRound"), what);
  }
  if (scenario.encrypt !== "off" && scenario.encrypt.cipher !== "off") {
    if (ciphers.source === null) need("encrypt", source, "crypto.engines", "source", "encrypt");
    if (ciphers.destination === null)
      need("encrypt", destination, "crypto.engines", "destination", "decrypt");
  }
}
