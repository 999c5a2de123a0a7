// SPDX-License-Identifier: Apache-2.0
/**
 * A worker that simulates, the same in a thread of Node and in a browser. In Node it answers on the port
 * that it finds in its `workerData`, in a browser on its own global scope; there it is a module worker, and
 * `comlink.wrap<WorkerApi>` is the other end.
 */
import { type Endpoint, expose } from "comlink";
import { Core } from "../core-instance.ts";
import { simulate } from "../simulate.ts";
import { guestStream } from "../stream.ts";
import { openMdt } from "../trace/mdt-reader.ts";
import { bytesSource } from "../trace/source.ts";
import type { Answer, Failure, Job, WorkerApi } from "./protocol.ts";

function failureOf(thrown: unknown): Failure {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { name, message, stack = null } = error;
  const fields: Record<string, number | string> = {};
  for (const [key, value] of Object.entries(error)) {
    if (key === "name") continue;
    if (typeof value === "number" || typeof value === "string") fields[key] = value;
  }
  return { name, message, stack, fields };
}

/** Runs a job to its end. */
function run(job: Job): Answer {
  try {
    const { core, scenario, sliceTicks, quantumTicks } = job;
    const module =
      core instanceof Uint8Array ? new WebAssembly.Module(core as Uint8Array<ArrayBuffer>) : core;
    const trace = job.trace === null ? null : openMdt(bytesSource(job.trace.bytes), job.trace.name);
    const stream = guestStream(scenario, trace);
    const origin = { ...job.origin, trace: trace?.sha256 ?? null, traceHint: job.trace?.name ?? null };
    const options = {
      ...(sliceTicks === undefined ? {} : { sliceTicks }),
      ...(quantumTicks === undefined ? {} : { quantumTicks }),
    };
    return { result: simulate({ core: new Core(module), scenario, stream, origin, ...options }) };
  } catch (error) {
    return { failure: failureOf(error) };
  }
}

async function listen(): Promise<void> {
  const api: WorkerApi = { run };
  if (typeof process !== "object" || process.versions?.node === undefined) {
    expose(api);
    return;
  }
  const { workerData } = await import("node:worker_threads");
  expose(api, workerData.port as Endpoint);
}

await listen();
