// SPDX-License-Identifier: Apache-2.0
/** Recorded migrations of QEMU: the file of figures with the traces beside it, and what is wrong with one. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { packageRoot } from "../scenario/presets.ts";

const count = z.number().int().nonnegative();

const RUN = z.object({
  name: z.string().min(1),
  qemu: z.string(),
  workload: z.string(),
  guest_mem_mib: count.positive(),
  max_bandwidth: count.positive(),
  caps: z.array(z.string()),
  params: z.record(z.string(), z.union([z.number(), z.string()])),
  status: z.string(),
  total_ms: count.positive(),
  iterations: count,
  transferred_bytes: count.positive(),
  total_ram_bytes: count.positive(),
  multifd_bytes: count.default(0),
  precopy_bytes: count.default(0),
  postcopy_bytes: count.default(0),
  postcopy_requests: count.default(0),
  per_iteration: z.array(z.object({ iter: count, dur_s: z.number() })),
  /** What XBZRLE told of itself. */
  xbzrle: z
    .object({ pages: count, bytes: count, overflow: count, "cache-miss": count })
    .nullable()
    .default(null),
  /** Time in s and per cent of each change that was seen. */
  throttle_events: z.array(z.tuple([z.number(), z.number().nullable()])).default([]),
  trace_file: z.string().optional(),
});

const TRUTH = z.object({ schema: z.literal("qemu-migration-truth/1"), runs: z.array(RUN).min(1) });

/** One recorded migration. */
export type RecordedRun = z.infer<typeof RUN>;

/** Recorded migrations that the model can be asked about, and why others cannot be. */
export interface Truth {
  readonly runs: readonly (RecordedRun & { readonly tracePath: string })[];
  readonly leftOut: readonly string[];
}

/** Something is wrong with a file of recordings. */
export class TruthError extends Error {
  override name = "TruthError";
}

/** Capabilities and parameters that the model has. */
const CAPABILITIES: readonly string[] = ["auto-converge", "xbzrle", "multifd", "postcopy-ram"];
const PARAMETERS: readonly string[] = [
  "downtime-limit",
  "xbzrle-cache-size",
  "multifd-channels",
  "multifd-compression",
];
/** Of multifd; not qatzip, qpl, uadk. */
const COMPRESSIONS: readonly string[] = ["none", "zlib", "zstd"];
/** The loop is that of QEMU 8 and later. */
const OLDEST = 8;

/** Why a run cannot be asked about, null when it can. */
function unfit(run: RecordedRun, folder: string): string | null {
  if (Number.parseInt(run.qemu, 10) < OLDEST) return `QEMU ${run.qemu} has another loop`;
  if (run.status !== "completed") return `it is ${run.status}`;
  const capability = run.caps.find((name) => !CAPABILITIES.includes(name));
  if (capability !== undefined) return `${capability} is not modelled`;
  const parameter = Object.keys(run.params).find((name) => !PARAMETERS.includes(name));
  if (parameter !== undefined) return `${parameter} is not modelled`;
  const by = String(run.params["multifd-compression"] ?? "none");
  if (!COMPRESSIONS.includes(by)) return `multifd-compression ${by} is not modelled`;
  if (run.trace_file === undefined) return "it has no trace";
  return existsSync(join(folder, run.trace_file)) ? null : `${run.trace_file} is not beside the file`;
}

/**
 * Reads a file of recordings in the format of sim/published/qemu-truth.json.
 * @param folder where the traces are
 * @throws TruthError; what the file system says
 */
export function readTruth(file: string, folder: string = dirname(file)): Truth {
  let data: unknown;
  try {
    data = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new TruthError(`${file}: is not JSON; write qemu-migration-truth/1`);
  }
  const parsed = TRUTH.safeParse(data);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const key = issue!.path.length === 0 ? "" : ` ${issue!.path.join(".")}`;
    throw new TruthError(`${file}${key}: ${issue!.message}; write qemu-migration-truth/1`);
  }
  const leftOut: string[] = [];
  const runs = parsed.data.runs.flatMap((run) => {
    const reason = unfit(run, folder);
    if (reason === null) return [{ ...run, tracePath: join(folder, run.trace_file!) }];
    leftOut.push(`${run.name}: ${reason}`);
    return [];
  });
  return { runs, leftOut };
}

/** The recordings that are shipped. */
export function shippedTruth(): Truth {
  const root = packageRoot();
  return readTruth(join(root, "sim/published/qemu-truth.json"), join(root, "sim/traces/qemu"));
}
