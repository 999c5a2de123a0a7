// SPDX-License-Identifier: Apache-2.0
// The page of the browser test: starts the project's worker and hands it what the test asks for.
import { wrap } from "comlink";
import type { Job, WorkerApi } from "../../../src/index.ts";

/** A job of which core and trace are still files on the server. */
export interface Asked {
  readonly coreUrl: string;
  readonly scenario: Job["scenario"];
  readonly traceUrl: string | null;
  readonly origin: Job["origin"];
  /** Whether the worker is given the bytes of the core instead of the compiled module. */
  readonly asBytes: boolean;
}

/** What the page answers: the result as JSON text, or the name and message of what the worker caught. */
export interface Shown {
  readonly json: string | null;
  readonly error: string | null;
}

async function bytesOf(url: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function jobOf(asked: Asked): Promise<Job> {
  const { coreUrl, scenario, traceUrl, origin, asBytes } = asked;
  const core = asBytes ? await bytesOf(coreUrl) : await WebAssembly.compileStreaming(fetch(coreUrl));
  const trace = traceUrl === null ? null : { name: traceUrl, bytes: await bytesOf(traceUrl) };
  return { core, scenario, trace, origin };
}

/** Runs jobs one after the other in one worker. */
async function runAll(list: readonly Asked[]): Promise<Shown[]> {
  const worker = new Worker("worker.js", { type: "module" });
  const died = new Promise<never>((_resolve, reject) => {
    worker.onerror = (event) => reject(new Error(`the worker failed: ${event.message}`));
  });
  const api = wrap<WorkerApi>(worker);
  const shown: Shown[] = [];
  try {
    for (const asked of list) {
      const answer = await Promise.race([api.run(await jobOf(asked)), died]);
      if ("failure" in answer) {
        shown.push({ json: null, error: `${answer.failure.name}: ${answer.failure.message}` });
      } else {
        shown.push({ json: JSON.stringify(answer.result), error: null });
      }
    }
  } finally {
    worker.terminate();
  }
  return shown;
}

Object.assign(globalThis, { runAll });
