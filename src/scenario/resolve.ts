// SPDX-License-Identifier: Apache-2.0
/** Scenario file, overrides and presets to one resolved scenario. Checks across keys stand in checks.ts. */

import { basename, dirname, extname, resolve } from "node:path";
import { checkAhead, fillAhead } from "./ahead.ts";
import { checkTenant, checkTenantTags, fillTenant } from "./around.ts";
import {
  checkAts,
  checkCompressor,
  checkContent,
  checkCrypto,
  checkGuest,
  checkLink,
  checkLoad,
  checkSide,
  checkWindow,
  convert,
} from "./checks.ts";
import { namedCipher, ownCipher } from "./ciphers.ts";
import { CODING_KEYS, checkCoding, fillCoding } from "./coding.ts";
import { checkDatagrams } from "./datagrams.ts";
import { checkDecrypt, checkDecryptCard, defers, fillDecrypt } from "./decrypt.ts";
import { checkDelta, fillDelta } from "./delta.ts";
import { checkDevices, fillDevices } from "./devices.ts";
import { checkEngine, namedCompressor, namedEngine, ownCompressor } from "./encoders.ts";
import { checkBreaks, checkFailing, fillAskAgain, fillFaults, fillSilence } from "./faults.ts";
import {
  type FramingKeys,
  fillCard,
  fillEthernet,
  fillFraming,
  fillHost,
  fillPcie,
  flatten,
  ticksPerByte,
  Values,
  valuesOf,
} from "./fill.ts";
import { fillServer, tracePlayed, withGuests } from "./guests.ts";
import { checkCores, checkGuests } from "./guests-checks.ts";
import { LINK_KEYS } from "./keys.ts";
import { applyOverrides, type Override, parseSet } from "./overrides.ts";
import { findFile } from "./paths.ts";
import { checkPause, fillPause } from "./pause.ts";
import { checkStages, fillPlacement } from "./placement.ts";
import { checkHosts, checkHostsCard, fillOnHosts } from "./placement-hosts.ts";
import { loadPreset, presetNameProblem } from "./presets.ts";
import { Problems, valueAt } from "./problems.ts";
import { checkReads } from "./reads.ts";
import { checkReplaced } from "./replaced.ts";
import { checkResidual, fillResidual } from "./residual.ts";
import { checkScan, checkScanTags, fillScan } from "./scan.ts";
import {
  DEFAULT_CARD,
  DEFAULT_HOST,
  knownKeysAt,
  OWN_ENGINE,
  SCENARIO_SCHEMA,
  type Scenario,
  scenarioSchema,
  sideSchema,
} from "./schema.ts";
import { namedCiphers } from "./sealing.ts";
import { checkPlacement, fillSoftware } from "./software.ts";
import { type Path, readSource, type Source } from "./source.ts";
import { checkStorageTags, fillStorage } from "./storage.ts";
import { checkThrottle, fillThrottle } from "./throttle.ts";
import { checkTracker, fillTracker } from "./tracker.ts";
import type { ResolvedGuest, ResolvedScenario, ResolvedSide } from "./types.ts";
import type { ResolvedLink } from "./types-link.ts";
import { parseDecimal, parseQuantity, printable, show, ticksOf, ticksPer, toRatio } from "./units.ts";
import { encrypts } from "./used.ts";

/** What may be laid over a scenario file. */
export interface LoadOptions {
  /** `--set` texts, "a.b=1", in order. */
  readonly sets?: readonly string[];
  /** Options of the command by dotted key, such as { content: "sized", seed: 7 }; they win over sets. */
  readonly overrides?: Readonly<Record<string, unknown>>;
  /** Whether the scenario may name files outside its project. */
  readonly allowOutside?: boolean;
}

/** A scenario ready to run. */
export interface LoadedScenario {
  readonly scenario: ResolvedScenario;
  /** Absolute path of the trace, links followed; null when the guest generates its writes. */
  readonly traceFile: string | null;
  /** `name` of the file, else the file's own name without its ending. */
  readonly name: string;
}

type Reference = string | { preset: string };
type Written = { host?: unknown; card?: unknown };

const PAGE_BYTES = 4096;
const DEFAULT_MIX = { zero: 30, text: 40, random: 30 };

/**
 * Finds the presets of a side; adds a problem and returns null when one is not there.
 * What a side does not say it inherits, and then its problems are those of the other side.
 */
function sideValues(
  written: Written,
  path: Path,
  problems: Problems,
  inherited: Written = {},
  inheritedPath: Path = path,
): { host: Values; card: Values } | null {
  const find = (kind: "host" | "card", fallback: string): Values | null => {
    const reference = (written[kind] ?? inherited[kind] ?? fallback) as Reference;
    const at = [...(written[kind] === undefined ? inheritedPath : path), kind];
    const name = typeof reference === "string" ? reference : reference.preset;
    const problem = presetNameProblem(kind, name);
    if (problem === null) return valuesOf(kind, reference, at);
    problems.add(typeof reference === "string" ? at : [...at, "preset"], problem);
    return null;
  };
  const host = find("host", DEFAULT_HOST);
  const card = find("card", DEFAULT_CARD);
  return host === null || card === null ? null : { host, card };
}

function fillSide(
  { host, card }: { host: Values; card: Values },
  cipher: Values | null,
  compressor = ownCompressor(card),
): ResolvedSide {
  const crypto = cipher === null ? ownCipher(card) : namedCipher(cipher);
  return { host: fillHost(host), card: fillCard(card, compressor, crypto), pcie: fillPcie(host, card) };
}

/** The source's card with the overrides of `compress`; a value given in both places is refused. */
function withCompress(scenario: Scenario, card: Values, problems: Problems): Values {
  if (scenario.compress === "off") return card;
  const { engine, ...all } = scenario.compress as { engine: string };
  const own = Object.fromEntries(Object.entries(all).filter(([key]) => !CODING_KEYS.includes(key)));
  if (engine !== OWN_ENGINE) {
    for (const key of Object.keys(own))
      problems.add(["compress", key], `is of the card's own encoder, not of ${engine}; remove it`);
    return card;
  }
  const overrides = new Map<string, unknown>();
  const written = scenario.source.card as Reference | undefined;
  const present = typeof written === "object" ? flatten(written) : new Map<string, unknown>();
  for (const [key, value] of flatten(own)) {
    const dotted = `compressor.${key}`;
    if (present.has(dotted))
      problems.add(["compress", key], `is also given as source.card.${dotted}; keep one`);
    overrides.set(dotted, value);
  }
  return card.with(overrides);
}

function linkValues(scenario: Scenario, problems: Problems): Values | null {
  const name = scenario.link.preset;
  const problem = presetNameProblem("link", name);
  if (problem !== null) {
    problems.add(["link", "preset"], problem);
    return null;
  }
  const written = scenario.link as Readonly<Record<string, unknown>>;
  const own = Object.keys(LINK_KEYS).filter((key) => written[key] !== undefined);
  return new Values(loadPreset("link", name), new Map(own.map((key) => [key, written[key]])), ["link"]);
}

function fillLink(scenario: Scenario, values: Values, destination: ResolvedSide): ResolvedLink {
  const { link } = scenario;
  const { window, rateCap, arbitration, weights } = link;
  const bytes = (value: unknown): number => Number(parseQuantity(value, "bytes").num);
  const loss = parseDecimal(link.loss);
  const slower = link.bottleneck === "none" ? null : ticksPerByte(parseQuantity(link.bottleneck, "rate"));
  const ethernet = fillEthernet(values);
  const framed = fillFraming(ethernet, link.framing as FramingKeys | undefined, link.transport === "udp");
  const filled = {
    ...ethernet,
    transport: link.transport as ResolvedLink["transport"],
    congestion: link.congestion as ResolvedLink["congestion"],
    streams: link.streams as number,
    loss: Number(loss.num) / Number(loss.den),
    jitterTicks: Number(ticksOf(parseQuantity(link.jitter, "time"))),
    bottleneckTicksPerByte: slower,
    bufferBytes: bytes(link.buffer),
    inFlightBytes: link.inFlight === "none" ? null : bytes(link.inFlight),
    windowGrowth: link.windowGrowth as ResolvedLink["windowGrowth"],
    retries: link.retries as number,
    ...framed,
    windowBytes:
      window === undefined
        ? destination.card.tcp.receiveWindowBytes
        : Number(parseQuantity(window, "bytes").num),
    rateCapTicksPerByte: rateCap === "none" ? null : ticksPerByte(parseQuantity(rateCap, "rate")),
    arbitration: arbitration as ResolvedLink["arbitration"],
    weights: weights === undefined ? { state: 1, pages: 1 } : (weights as ResolvedLink["weights"]),
  };
  return { ...filled, pause: fillPause(link.pause, filled) };
}

/** What of a side would do nothing. */
function checkIdle(scenario: Scenario, side: { host: Values; card: Values }, problems: Problems): void {
  checkLoad(scenario.internal.contention, side.host, problems);
  checkDatagrams(String(scenario.link.transport), side.card, problems);
}

function fillInternal({ internal }: Scenario): ResolvedScenario["internal"] {
  const { interrupts, scan, ...others } = internal;
  const rest = { ...others, ...fillScan(internal) };
  const own = rest as Omit<ResolvedScenario["internal"], "interrupts">;
  if (interrupts === "each") return { ...own, interrupts };
  const everyTicks = Number(ticksOf(parseQuantity(interrupts.every, "time")));
  return { ...own, interrupts: { everyTicks, after: Number(interrupts.after) } };
}

function fillGuest(scenario: Scenario): ResolvedGuest {
  const { guest } = scenario;
  const { generate } = guest;
  const bytes = (value: unknown): number => Number(parseQuantity(value, "bytes").num);
  const devices = fillDevices(guest.devices);
  const rate = generate === undefined ? null : parseQuantity(generate.rate, "events");
  return {
    writes: generate === undefined ? "trace" : "generate",
    generate:
      generate === undefined
        ? null
        : {
            memoryPages: bytes(generate.memory) / PAGE_BYTES,
            ticksPerWrite: rate === null || rate.num === 0n ? null : toRatio(ticksPer(rate)),
            workingSetPages: bytes(generate.workingSet) / PAGE_BYTES,
            pattern: generate.pattern as "uniform" | "hot" | "sequential" | "zipf",
          },
    mix: { ...((generate?.mix ?? guest.mix ?? DEFAULT_MIX) as ResolvedGuest["mix"]) },
    mixGiven: (generate?.mix ?? guest.mix) !== undefined,
    vcpus: guest.vcpus as number,
    deviceStateBytes: bytes(guest.deviceState),
    clock: guest.clock as ResolvedGuest["clock"],
    atEnd: guest.atEnd as ResolvedGuest["atEnd"],
    tile: guest.tile as number,
    speed: toRatio(parseDecimal(guest.speed)),
    ...(guest.reads === "off" ? {} : { reads: true as const }),
    ...(devices === undefined ? {} : { devices }),
    ...fillStorage(guest.storage),
  };
}

function fillMigration(scenario: Scenario): ResolvedScenario["migration"] {
  const { migration } = scenario;
  const ticks = (value: unknown): string => String(ticksOf(parseQuantity(value, "time")));
  return {
    downtimeLimitTicks: ticks(migration.downtimeLimit),
    maxRounds: migration.maxRounds as number,
    ...fillResidual(migration, defers(scenario)),
    timeoutTicks: migration.timeout === "none" ? null : ticks(migration.timeout),
    onTimeout: migration.onTimeout as "fail" | "force",
    retries: migration.retries as number,
    retryAfterTicks: ticks(migration.retryAfter),
    silenceTicks: fillSilence(migration.silence, scenario.faults),
    ...fillAskAgain(migration),
    ...fillThrottle(migration),
    startAtTicks: ticks(migration.startAt),
  };
}

function fillCompress(scenario: Scenario, engine: Values | null): ResolvedScenario["compress"] {
  const name = scenario.compress === "off" ? "off" : scenario.compress.engine;
  return { engine: name, ...fillCoding(scenario, engine) };
}

function fillEncrypt(scenario: Scenario): ResolvedScenario["encrypt"] {
  const cipher = scenario.encrypt === "off" ? "off" : scenario.encrypt.cipher;
  const [keyBits, rounds] =
    cipher === "aes-128-gcm" ? [128, 10] : cipher === "aes-256-gcm" ? [256, 14] : [0, 0];
  return { cipher: cipher as "off", keyBits, rounds, decrypt: fillDecrypt(scenario), ...fillAhead(scenario) };
}

function fillContent(scenario: Scenario): ResolvedScenario["content"] {
  const mode = scenario.content as ResolvedScenario["content"]["mode"];
  const sampleEvery = mode === "full" ? 1 : mode === "sized" ? 0 : (scenario.sampleEvery as number);
  return { mode, sampleEvery };
}

/** Whether a frame that is lost is sent again. */
function recovers({ link }: Scenario): boolean {
  return link.congestion !== "none" || link.transport === "udp";
}

/** What sections say, each against the others. */
function checkSections(scenario: Scenario, problems: Problems): void {
  checkReads(scenario, problems);
  checkContent(scenario, problems);
  checkTracker(scenario.tracker, problems);
  checkDevices(scenario.guest.devices, scenario.tracker, scenario.internal, problems);
  checkPlacement(scenario, problems);
  checkDelta(scenario, problems);
  checkDecrypt(scenario, problems);
  checkAhead(scenario, problems);
  checkResidual(scenario, scenarioSchema.shape.migration.parse({}), problems);
  checkTenant(scenario.tenant, problems);
  checkScan(scenario, problems);
  checkThrottle(scenario, problems);
}

/** What sections say against the numbers of hosts and cards. */
function checkSides(scenario: Scenario, sides: ResolvedScenario["sides"], problems: Problems): void {
  checkDecryptCard(scenario, sides.destination, problems);
  checkHostsCard(scenario, sides.destination, problems);
  checkTenantTags(scenario.tenant, sides, scenario.internal.ats, problems);
  checkFailing(scenario, sides, problems);
  checkCores(scenario, sides.source, problems);
  checkStorageTags(scenario, sides, problems);
  checkScanTags(scenario, sides.source, problems);
}

/**
 * Resolves parsed data that fits the schema.
 * @throws ScenarioError with every problem found
 */
function resolveScenario(scenario: Scenario, problems: Problems): ResolvedScenario {
  const source = sideValues(scenario.source, ["source"], problems);
  const destination = sideValues(scenario.destination, ["destination"], problems, scenario.source, [
    "source",
  ]);
  const link = linkValues(scenario, problems);
  problems.done();
  if (source === null || destination === null || link === null) throw new Error("presets without a problem");
  source.card = withCompress(scenario, source.card, problems);
  const engine = namedEngine(scenario, problems);
  const ciphers = namedCiphers(scenario, problems);
  const { iommu, ats } = scenario.internal;
  checkSide(source, problems, { ats: ats === "on" });
  checkSide(destination, problems, { ats: ats === "on" });
  checkAts(iommu, ats, problems);
  checkGuest(scenario, problems);
  checkLink(scenario, link, source.card, destination.card, problems);
  checkCompressor(scenario, source.card, problems);
  checkEngine(engine, scenario, destination.card, problems);
  checkCoding(scenario, engine, source.card, problems);
  for (const side of [source, destination]) checkIdle(scenario, side, problems);
  checkWindow(scenario, destination.card, problems);
  checkStages(scenario, engine, source.host, problems);
  const cards = checkHosts(scenario, engine, ciphers, destination.host, problems);
  checkSections(scenario, problems);
  checkBreaks(scenario, { recovers: recovers(scenario), sealed: encrypts(scenario) }, problems);
  checkCrypto(scenario, source.card, destination.card, cards, problems);
  checkReplaced(scenario, { encoder: engine, ciphers: cards }, source.card, destination.card, problems);
  convert(link, problems);
  problems.done();
  const encoders = engine === null ? ownCompressor(source.card) : namedCompressor(engine, source.card);
  const sides = {
    source: fillSide(source, cards.source, encoders),
    destination: fillSide(destination, cards.destination),
  };
  const filledLink = fillLink(scenario, link, sides.destination);
  checkSides(scenario, sides, problems);
  checkPause(filledLink, problems);
  problems.done();
  const placement = fillPlacement(scenario.placement);
  return {
    schema: "dpusim.scenario/1",
    ...fillServer(scenario, fillGuest),
    sides,
    internal: fillInternal(scenario),
    placement: { ...placement, ...fillOnHosts(scenario, engine, ciphers) },
    ...fillSoftware(placement.name, source.host, destination.host, scenario.software, filledLink.rttTicks),
    tracker: fillTracker(scenario.tracker),
    compress: fillCompress(scenario, engine),
    delta: fillDelta(scenario.delta),
    encrypt: fillEncrypt(scenario),
    link: filledLink,
    migration: fillMigration(scenario),
    tenant: fillTenant(scenario.tenant),
    firmware: "built-in",
    faults: fillFaults(scenario.faults),
    content: fillContent(scenario),
    seed: scenario.seed as number,
  };
}

function overridesOf(options: LoadOptions): Override[] {
  const sets = (options.sets ?? []).map(parseSet);
  const own = Object.entries(options.overrides ?? {})
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ({ key, value, label: `--${key}` }));
  return [...sets, ...own];
}

/** A file of another format or version gets this one line: its keys are not judged by this one's. */
function checkFormat(data: unknown, problems: Problems): void {
  const written = valueAt(data, ["schema"]);
  if (typeof written !== "string" || written === SCENARIO_SCHEMA) return;
  const other = /^dpusim\.(\w+)\/(\d+)$/.exec(written);
  if (other === null) return;
  const later = other[1] === "scenario" ? "a version that this dpusim does not read" : "no scenario";
  problems.add(["schema"], `${show(written)} is ${later}; write ${SCENARIO_SCHEMA}`);
  problems.done();
}

/**
 * Resolves a source: the text of a scenario and where it lies.
 * @param source parsed text
 * @param folder what the paths in it are relative to
 * @param fallbackName the name of a scenario that gives none
 * @throws ScenarioError
 */
export function resolveSource(
  source: Source,
  folder: string,
  fallbackName: string,
  options: LoadOptions = {},
): LoadedScenario {
  const { data, origin } = applyOverrides(source.data, overridesOf(options));
  const place = (path: Path, what?: "key" | "value"): string => origin(path) ?? source.place(path, what);
  const problems = new Problems(data, place, knownKeysAt);
  checkFormat(data, problems);
  const parsed = problems.check(scenarioSchema.safeParse(withGuests(data)));
  checkGuests(parsed, data, problems);
  const scenario = resolveScenario(parsed, problems);
  let traceFile: string | null = null;
  const played = tracePlayed(parsed);
  if (played !== null) {
    const found = findFile(played.trace, folder, options.allowOutside ?? false);
    if ("problem" in found) problems.add(played.path, found.problem);
    else traceFile = found.file;
  }
  problems.done();
  return { scenario, traceFile, name: parsed.name ?? fallbackName };
}

/**
 * Reads a scenario file, lays overrides over it, and resolves it.
 * Precedence, weakest first: presets, the file, `--set` in order, options of the command.
 * @param path the file, as the user typed it; error lines begin with it
 * @throws ScenarioError with one line for each problem
 */
export function loadScenario(path: string, options: LoadOptions = {}): LoadedScenario {
  const name = printable(basename(path, extname(path)));
  return resolveSource(readSource(path), dirname(resolve(path)), name, options);
}

/**
 * A server and its card alone, for probes, whose other I/O has all tags and buffers: preset names, or
 * { preset: NAME, ...overrides }.
 * @param written for example { host: "snb-e5-2630", card: { preset: "dpu-ref", pcie: { tags: 32 } } }
 * @param label what error lines begin with
 * @throws ScenarioError
 */
export function resolveSide(written: { host?: unknown; card?: unknown }, label: string): ResolvedSide {
  const problems = new Problems(
    written,
    () => label,
    (path) => knownKeysAt(["source", ...path]),
  );
  const side = problems.check(sideSchema.safeParse(written));
  const values = sideValues(side, [], problems);
  problems.done();
  if (values === null) throw new Error("presets without a problem");
  checkSide(values, problems, { probed: true });
  problems.done();
  return fillSide(values, null);
}
