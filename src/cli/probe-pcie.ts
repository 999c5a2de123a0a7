// SPDX-License-Identifier: Apache-2.0
/** `dpusim probe pcie`: pcie-bench on the model. */
import { ATOMIC_BYTES, isAtomic } from "../atomics.ts";
import { Core, coreModule } from "../core.ts";
import { type PcieAnswer, type PcieProbe, pcieProbe } from "../probe/pcie.ts";
import { type PcieReport, pcieReport, pcieTable } from "../report/pcie.ts";
import { resolveSide } from "../scenario/resolve.ts";
import { printable } from "../scenario/units.ts";
import { InputError } from "./errors.ts";
import { bytesOf, wholeOf } from "./options.ts";

export interface ProbePcieOptions {
  readonly host: string;
  readonly card: string;
  readonly op: PcieProbe["op"];
  readonly size: string;
  readonly window: string;
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
  readonly operations?: string;
  readonly seed: string;
  readonly json?: boolean;
}

const SIZE_MAX = 2 ** 20;
const WINDOW_MAX = 2 ** 40;
const OPERATIONS_MAX = 10_000_000;
/** What a bandwidth is measured over, unless the number of operations is given. */
const BYTES = 40 * 2 ** 20;

/** `gen3x8`. @throws InputError */
function linkOf(text: string): { generation: number; lanes: number } {
  const [, generation, lanes] = /^gen([1-6])x(1|2|4|8|16)$/i.exec(text) ?? [];
  if (generation !== undefined) return { generation: Number(generation), lanes: Number(lanes) };
  throw new InputError(`--link ${printable(text)}: is no link; write e.g. gen3x8, gen1 to gen6, x1 to x16`);
}

/** The host and the card with what the options change. @throws InputError, ScenarioError */
function sideOf(options: ProbePcieOptions): PcieProbe["side"] {
  const both = {
    ...(options.link === undefined ? {} : linkOf(options.link)),
    ...(options.mps === undefined ? {} : { mps: bytesOf("mps", options.mps, 128, 4096) }),
    ...(options.mrrs === undefined ? {} : { mrrs: bytesOf("mrrs", options.mrrs, 128, 4096) }),
  };
  const tags = options.tags === undefined ? {} : { tags: wholeOf("tags", options.tags, 1, 1024) };
  const ats = options.ats === undefined ? {} : { entries: wholeOf("ats", options.ats, 1, 1024) };
  const { host, card } = options;
  const load = options.load === undefined ? {} : { load: wholeOf("load", options.load, 0, 950) };
  const written = {
    host: { preset: host, pcie: both, memory: load },
    card: { preset: card, pcie: { ...both, ...tags }, ats },
  };
  return resolveSide(written, "probe pcie");
}

/** Translations need an IOMMU and tags. @throws InputError */
function checkAts(iommu: PcieProbe["iommu"], side: PcieProbe["side"]): void {
  const { requests } = side.card.ats;
  if (iommu === "off") throw new InputError("--ats: there is nothing to translate; write --iommu 4KiB too");
  if (side.pcie.tags > requests) return;
  throw new InputError(`--tags: translation requests take ${requests}; write at least ${requests + 1}`);
}

/** Runs the command: a table, or the answer as JSON. @throws InputError, ScenarioError */
export function probePcieCommand(options: ProbePcieOptions): string {
  const size = bytesOf("size", options.size, 1, SIZE_MAX);
  if (isAtomic(options.op) && !ATOMIC_BYTES.includes(size))
    throw new InputError(`--size ${size}: AtomicOps are of 4 or 8 bytes; write --size 8`);
  const window = bytesOf("window", options.window, size, WINDOW_MAX);
  const seed = wholeOf("seed", options.seed, 0, 2 ** 32 - 1);
  const side = sideOf(options);
  const ats = options.ats !== undefined;
  if (ats) checkAts(options.iommu, side);
  const latency = options.measure === "latency";
  const single = options.op === "readwrite" ? 2 : 1;
  const depth = latency ? single : Math.max(single, side.card.engine.workers);
  const usual = latency ? 2000 : Math.min(20_000, Math.max(64, Math.ceil(BYTES / size)));
  const asked = options.operations;
  const operations = asked === undefined ? usual : wholeOf("operations", asked, 1, OPERATIONS_MAX);
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
    jitter: true,
    contention: options.load !== undefined,
    seed,
    warmUp: Math.max(4 * depth, latency ? 200 : 1000),
    operations,
  };
  const answer: PcieAnswer = pcieProbe(new Core(coreModule("lean")), probe);
  const report: PcieReport = pcieReport(probe, answer, { host: options.host, card: options.card });
  return options.json === true ? `${JSON.stringify(report, null, 2)}\n` : pcieTable(report);
}
