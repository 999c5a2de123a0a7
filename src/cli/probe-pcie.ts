// SPDX-License-Identifier: Apache-2.0
/** `dpusim probe pcie`: pcie-bench on the model. */
import { ATOMIC_BYTES, isAtomic } from "../atomics.ts";
import { Core, coreModule } from "../core.ts";
import { type PcieAnswer, type PcieProbe, pcieProbe } from "../probe/pcie.ts";
import { type PcieReport, pcieReport, pcieTable } from "../report/pcie.ts";
import { CARD_KEYS, LANES, MPS, TAGS_MAX } from "../scenario/keys.ts";
import { presetNameProblem } from "../scenario/presets.ts";
import { resolveSide } from "../scenario/resolve.ts";
import type { ResolvedSide } from "../scenario/types.ts";
import { printable, show } from "../scenario/units.ts";
import { InputError } from "./errors.ts";
import { bytesOf, oneOf, wholeOf } from "./options.ts";

export interface ProbePcieOptions {
  readonly host: string;
  readonly card: string;
  readonly op: PcieProbe["op"];
  readonly size: string;
  /** Without it as large as an operation, 8192 B at least. */
  readonly window?: string;
  readonly pattern: "random" | "sequential";
  readonly cache: PcieProbe["cache"];
  readonly numa: PcieProbe["numa"];
  readonly iommu: PcieProbe["iommu"];
  readonly measure: "bandwidth" | "latency";
  readonly link?: string;
  readonly mps?: string;
  readonly mrrs?: string;
  readonly tags?: string;
  readonly load?: string;
  readonly ats?: string;
  readonly relaxed?: boolean;
  readonly dll: PcieProbe["dll"];
  readonly jitter: "on" | "off";
  readonly operations?: string;
  readonly seed: string;
  readonly json?: boolean;
}

const SIZE_MAX = 2 ** 20;
/** Bytes of pcie-bench's window. */
const WINDOW = 8192;
const WINDOW_MAX = 2 ** 40;
const OPERATIONS_MAX = 10_000_000;
/** What a bandwidth is measured over, unless the number of operations is given. */
const BYTES = 40 * 2 ** 20;

/** `gen3x8`. @throws InputError */
function linkOf(text: string): { generation: number; lanes: number } {
  const [, generation, lanes] = /^gen([1-6])x(1|2|4|8|16)$/i.exec(text) ?? [];
  if (generation !== undefined) return { generation: Number(generation), lanes: Number(lanes) };
  const lanesThere = oneOf(LANES.map((n) => `x${n}`));
  throw new InputError(
    `--link ${printable(text)}: is no link; write e.g. gen3x8: gen1 to gen6, ${lanesThere}`,
  );
}

/** Bytes of a payload or a read request, of which there are few. @throws InputError */
function payloadOf(option: string, text: string): number {
  const bytes = bytesOf(option, text, MPS[0], MPS.at(-1)!);
  if ((MPS as readonly number[]).includes(bytes)) return bytes;
  throw new InputError(`--${option}: ${show(text)} is not possible; write ${oneOf(MPS)}`);
}

/** A preset by its name. @throws InputError */
function presetOf(kind: "host" | "card", name: string): string {
  const problem = presetNameProblem(kind, name);
  if (problem !== null) throw new InputError(`--${kind}: ${problem}`);
  return name;
}

/** Tags that the link can tell apart. @throws InputError */
function tagsOf(text: string, { generation, tags }: PcieProbe["side"]["pcie"]): number {
  const most = Math.min(TAGS_MAX[generation] ?? tags, CARD_KEYS["pcie.tags"]!.max!);
  return wholeOf("tags", text, 1, most);
}

/** The host and the card with what the options change. @throws InputError, ScenarioError */
function sideOf(options: ProbePcieOptions): PcieProbe["side"] {
  const both = {
    ...(options.link === undefined ? {} : linkOf(options.link)),
    ...(options.mps === undefined ? {} : { mps: payloadOf("mps", options.mps) }),
    ...(options.mrrs === undefined ? {} : { mrrs: payloadOf("mrrs", options.mrrs) }),
  };
  const ats = options.ats === undefined ? {} : { entries: wholeOf("ats", options.ats, 1, 1024) };
  const host = presetOf("host", options.host);
  const card = presetOf("card", options.card);
  const load = options.load === undefined ? {} : { load: wholeOf("load", options.load, 0, 950) };
  const sideWith = (tags: object): ResolvedSide => {
    const own = { preset: card, pcie: { ...both, ...tags }, ats };
    return resolveSide({ host: { preset: host, pcie: both, memory: load }, card: own }, "probe pcie");
  };
  const side = sideWith({});
  return options.tags === undefined ? side : sideWith({ tags: tagsOf(options.tags, side.pcie) });
}

/** The window, which holds an operation at least. @throws InputError */
function windowOf(text: string | undefined, size: number): number {
  if (text === undefined) return Math.max(WINDOW, size);
  const window = bytesOf("window", text, 1, WINDOW_MAX);
  if (window >= size) return window;
  throw new InputError(`--window: ${show(text)} is less than --size; write at least ${size} B`);
}

/** Translations need an IOMMU and tags. @throws InputError */
function checkAts(iommu: PcieProbe["iommu"], side: PcieProbe["side"]): void {
  const { requests } = side.card.ats;
  if (iommu === "off") throw new InputError("--ats: there is nothing to translate; write --iommu 4KiB too");
  if (side.pcie.tags > requests) return;
  throw new InputError(`--tags: translation requests take ${requests}; write at least ${requests + 1}`);
}

/**
 * Operations that count. A rate is counted between two ends; the ends of fewer operations than are under way
 * may lie together, whatever the rate is.
 * @throws InputError
 */
function operationsOf({ operations, measure }: ProbePcieOptions, size: number, depth: number): number {
  if (operations === undefined)
    return measure === "latency"
      ? 2000
      : Math.max(depth, Math.min(20_000, Math.max(64, Math.ceil(BYTES / size))));
  const asked = wholeOf("operations", operations, 1, OPERATIONS_MAX);
  if (asked >= depth) return asked;
  throw new InputError(`--operations: ${asked} are fewer than are under way; write at least ${depth}`);
}

/** Options that would change nothing. @throws InputError */
function checkEffects(options: ProbePcieOptions, side: PcieProbe["side"], window: number): void {
  const { op, iommu, cache } = options;
  const writes = op === "write" || op === "readwrite";
  if (options.relaxed === true && !writes)
    throw new InputError(`--relaxed: has no effect on --op ${op}; remove it, or write --op write`);
  if (options.relaxed === true && iommu === "off")
    throw new InputError("--relaxed: has no effect without translations; write --iommu 4KiB too");
  if (options.load === undefined) return;
  if (op === "write")
    throw new InputError("--load: has no effect on --op write; remove it, or write --op read");
  const { cacheBytes } = side.host.memory;
  if (cache === "cold" || window > cacheBytes) return;
  const more = `a --window above ${cacheBytes} B`;
  throw new InputError(`--load: has no effect on what is cached; write --cache cold, or ${more}`);
}

/**
 * Runs the command: a table, or the answer as JSON.
 * @param version of dpusim, for the JSON
 * @throws InputError, ScenarioError
 */
export function probePcieCommand(options: ProbePcieOptions, version: string): string {
  const size = bytesOf("size", options.size, 1, SIZE_MAX);
  if (isAtomic(options.op) && !ATOMIC_BYTES.includes(size))
    throw new InputError(`--size ${size}: AtomicOps are of 4 or 8 bytes; write --size 8`);
  const window = windowOf(options.window, size);
  const seed = wholeOf("seed", options.seed, 0, 2 ** 32 - 1);
  const side = sideOf(options);
  const ats = options.ats !== undefined;
  if (ats) checkAts(options.iommu, side);
  checkEffects(options, side, window);
  const latency = options.measure === "latency";
  const single = options.op === "readwrite" ? 2 : 1;
  const depth = latency ? single : Math.max(single, side.card.engine.workers);
  const operations = operationsOf(options, size, depth);
  const probe: PcieProbe = {
    side,
    op: options.op,
    size,
    window,
    random: options.pattern === "random",
    cache: options.cache,
    numa: options.numa,
    iommu: options.iommu,
    ats,
    link: { relaxed: options.relaxed === true },
    dll: options.dll,
    depth,
    jitter: options.jitter === "on",
    contention: options.load !== undefined,
    seed,
    warmUp: Math.max(4 * depth, latency ? 200 : 1000),
    operations,
  };
  const answer: PcieAnswer = pcieProbe(new Core(coreModule("lean")), probe);
  const { host, card, measure } = options;
  const report: PcieReport = pcieReport(probe, answer, { host, card, measure, version });
  return options.json === true ? `${JSON.stringify(report, null, 2)}\n` : pcieTable(report);
}
