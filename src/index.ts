// SPDX-License-Identifier: Apache-2.0
/**
 * dpusim as a library: scenario and trace in, result out.
 *
 * ```ts
 * const { scenario, traceFile } = loadScenario("redis-100g.yaml");
 * const trace = openMdt(fileSource(traceFile), "redis.mdt");
 * const stream = guestStream(scenario, trace);
 * const origin = { version: "", build: "", trace: trace.sha256, traceHint: "redis.mdt" };
 * const result = simulate({ core: new Core(coreModule()), scenario, stream, origin });
 * ```
 */
export { Core, coreBytes, coreModule, type Variant } from "./core.ts";
export { POOL_WORKERS_MAX, Pool, PoolTerminated, WorkerDied } from "./pool/pool.ts";
export type { Answer, Failure, Job, WorkerApi } from "./pool/protocol.ts";
export { type LinkProbe, type LinkResult, linkProbe, probeLink } from "./probe/link.ts";
export { resultJson } from "./report/json.ts";
export { resultTable } from "./report/table.ts";
export { canonicalJson, hashJson } from "./result/canonical.ts";
export { type Difference, differences } from "./result/compare.ts";
export { isGood, isSound, type Origin } from "./result/make.ts";
export {
  type Invariant,
  type Migration,
  type Result,
  resultJsonSchema,
  resultSchema,
} from "./result/schema.ts";
export { type CatalogueEntry, type Count, type Distribution, statsCatalogue } from "./result/stats.ts";
export { type LoadedScenario, type LoadOptions, loadScenario, resolveSource } from "./scenario/resolve.ts";
export { scenarioJsonSchema } from "./scenario/schema.ts";
export { parseSource, ScenarioError } from "./scenario/source.ts";
export type { ResolvedScenario } from "./scenario/types.ts";
export {
  type Progress,
  RunRefused,
  type SimulateInput,
  SimulatorFault,
  simulate,
  simulation,
} from "./simulate.ts";
export { guestStream } from "./stream.ts";
export { TraceError } from "./trace/errors.ts";
export type { GuestStream } from "./trace/events.ts";
export { type TraceInfo, traceInfo } from "./trace/info.ts";
export { type MdtTrace, openMdt } from "./trace/mdt-reader.ts";
export { type ByteSource, bytesSource } from "./trace/source.ts";
export { fileSource } from "./trace/source-file.ts";
export { type Verification, verifyTrace } from "./trace/verify.ts";
