// SPDX-License-Identifier: Apache-2.0
/**
 * Simulations side by side in threads of Node. A thread that dies takes its job with it; the job is then
 * done once more in a new thread, and given up when that dies too.
 */
import { availableParallelism } from "node:os";
import { MessageChannel, type MessagePort, Worker, type WorkerOptions } from "node:worker_threads";
import { type Endpoint, type Remote, wrap } from "comlink";
import type { Result } from "../result/schema.ts";
import { RunRefused, SimulatorFault } from "../simulate.ts";
import { TraceError } from "../trace/errors.ts";
import type { Failure, Job, WorkerApi } from "./protocol.ts";

/** Most threads of a pool. */
export const POOL_WORKERS_MAX = 256;
/** Threads that may die under one job. */
const ATTEMPTS = 2;

/** A thread ended under a job, twice. `cause` is the thread's error where it had one. */
export class WorkerDied extends Error {
  override name = "WorkerDied";
}

/** The pool was terminated before the job was done. */
export class PoolTerminated extends Error {
  override name = "PoolTerminated";
}

/** A running thread. */
interface Thread {
  readonly worker: Worker;
  readonly port: MessagePort;
  readonly api: Remote<WorkerApi>;
  /** Rejects with WorkerDied when the thread is no more. */
  readonly death: Promise<never>;
  /** Settles when the thread and its port are closed. */
  readonly closed: Promise<void>;
}

/** A job that waits for a thread. */
interface Waiting {
  readonly job: Job;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

const KINDS: Readonly<Record<string, { readonly prototype: Error }>> = {
  RunRefused,
  SimulatorFault,
  TraceError,
  RangeError,
  TypeError,
};

/** The error that a worker caught: name, message, fields and stack are the worker's. */
function revive({ name, message, stack, fields }: Failure): Error {
  const error = new Error(message);
  const kind = KINDS[name];
  if (kind !== undefined) Object.setPrototypeOf(error, kind.prototype);
  Object.assign(error, fields, error.name === name ? {} : { name });
  if (stack !== null) error.stack = stack;
  return error;
}

/**
 * Where the worker's code is; started from the sources, a thread of Node 20 needs a loader of its own for
 * them.
 */
function entryOf(): { entry: string | URL; eval: boolean } {
  const fromSource = import.meta.url.endsWith(".ts");
  const entry = new URL(fromSource ? "./worker.ts" : "./worker.js", import.meta.url);
  if (!fromSource) return { entry, eval: false };
  const [loader, code] = [import.meta.resolve("tsx/esm/api"), entry.href].map((url) => JSON.stringify(url));
  return { entry: `import(${loader}).then((tsx) => (tsx.register(), import(${code})))`, eval: true };
}

/** Settles when a thread ends, with the error that ended it. */
function deathOf(worker: Worker): Promise<never> {
  const death = new Promise<never>((_resolve, reject) => {
    let cause: unknown;
    worker.on("error", (error) => {
      cause = error;
    });
    worker.on("exit", (code) => {
      const why = cause instanceof Error ? `: ${cause.message}` : "";
      reject(new WorkerDied(`a worker ended with code ${code}${why}`, { cause }));
    });
  });
  death.catch(() => {});
  return death;
}

/**
 * A pool of worker threads. Jobs are begun in the order in which they were given; threads are started when
 * they are needed and kept until `terminate`, which must be called: threads keep the process alive.
 */
export class Pool {
  /** Most threads at one time. */
  readonly workers: number;
  /** Threads that are not closed yet, dead ones among them. */
  readonly #threads = new Set<Thread>();
  readonly #dead = new WeakSet<Thread>();
  readonly #idle: Thread[] = [];
  readonly #waiting: Waiting[] = [];
  #running = 0;
  #terminated = false;

  /**
   * @param workers threads; the machine's processors unless given
   * @throws RangeError for a number that is no whole number from 1 to POOL_WORKERS_MAX
   */
  constructor(workers: number = Math.min(POOL_WORKERS_MAX, availableParallelism())) {
    if (!Number.isInteger(workers) || workers < 1 || workers > POOL_WORKERS_MAX) {
      throw new RangeError(`${workers} workers: a whole number from 1 to ${POOL_WORKERS_MAX}`);
    }
    this.workers = workers;
  }

  /**
   * Simulates in a thread.
   * @throws (rejects with) what `simulate` throws; WorkerDied; PoolTerminated; DataCloneError for a job that
   *   is not plain data
   */
  run(job: Job): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.#terminated) {
        reject(new PoolTerminated("the pool was terminated"));
        return;
      }
      this.#waiting.push({ job, resolve, reject });
      this.#next();
    });
  }

  /**
   * Ends every thread; jobs that are not done reject with PoolTerminated. Nothing is left open afterwards.
   */
  async terminate(): Promise<void> {
    this.#terminated = true;
    for (const { reject } of this.#waiting.splice(0)) reject(new PoolTerminated("the pool was terminated"));
    await Promise.all([...this.#threads].flatMap(({ worker, closed }) => [worker.terminate(), closed]));
  }

  /** Starts a thread of Node; a subclass may watch or limit it. */
  protected start(entry: string | URL, options: WorkerOptions): Worker {
    return new Worker(entry, options);
  }

  #next(): void {
    while (this.#running < this.workers) {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) return;
      this.#running++;
      this.#attempt(waiting.job, ATTEMPTS)
        .then(waiting.resolve, waiting.reject)
        .finally(() => {
          this.#running--;
          this.#next();
        });
    }
  }

  async #attempt(job: Job, attempts: number): Promise<Result> {
    const thread = this.#idle.pop() ?? this.#open();
    try {
      const answer = await Promise.race([thread.api.run(job), thread.death]);
      if ("failure" in answer) throw revive(answer.failure);
      return answer.result;
    } catch (error) {
      if (!(error instanceof WorkerDied)) throw error;
      if (this.#terminated) throw new PoolTerminated("the pool was terminated");
      if (attempts === 1) throw error;
      return await this.#attempt(job, attempts - 1);
    } finally {
      if (!this.#dead.has(thread)) this.#idle.push(thread);
    }
  }

  #open(): Thread {
    const { port1: port, port2 } = new MessageChannel();
    const { entry, eval: isCode } = entryOf();
    const worker = this.start(entry, { eval: isCode, workerData: { port: port2 }, transferList: [port2] });
    const closed = new Promise<void>((resolve) => port.once("close", resolve));
    const api = wrap<WorkerApi>(port as Endpoint);
    const thread: Thread = { worker, port, api, death: deathOf(worker), closed };
    this.#threads.add(thread);
    closed.then(() => this.#threads.delete(thread));
    thread.death.catch(() => {
      this.#dead.add(thread);
      const at = this.#idle.indexOf(thread);
      if (at >= 0) this.#idle.splice(at, 1);
      port.close();
    });
    return thread;
  }
}
