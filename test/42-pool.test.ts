// SPDX-License-Identifier: Apache-2.0
// Worker threads: they give what the main thread gives, their errors arrive whole, and their death is
// survived.
import type { Worker, WorkerOptions } from "node:worker_threads";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  coreBytes,
  coreModule,
  differences,
  type Job,
  POOL_WORKERS_MAX,
  Pool,
  type Result,
  RunRefused,
  TraceError,
} from "../src/index.ts";
import { jobOf, redisOnce, tiny } from "./lib/jobs.ts";
import { generated, migrate, redis } from "./lib/migrate.ts";

/** A pool that shows its threads, and may do something to one as soon as it runs. */
class WatchedPool extends Pool {
  readonly threads: Worker[] = [];
  /** Errors that ended threads. */
  readonly faults: string[] = [];
  onOnline: (worker: Worker, index: number) => void = () => {};

  protected override start(entry: string | URL, options: WorkerOptions): Worker {
    const worker = super.start(entry, options);
    const index = this.threads.push(worker) - 1;
    worker.on("error", ({ message }) => this.faults.push(message));
    worker.on("online", () => this.onOnline(worker, index));
    return worker;
  }
}

/** Ends a pool whatever happens to the test. */
async function withPool<T>(workers: number, work: (pool: WatchedPool) => Promise<T>): Promise<T> {
  const pool = new WatchedPool(workers);
  try {
    return await work(pool);
  } finally {
    await pool.terminate();
  }
}

/** The error that a promise rejects with. */
async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    assert.instance(error, Error);
    return error as Error;
  }
  throw new Error("it was not rejected");
}

/** Half a minute of naive stepping: the 40 ms after the migration until the last acknowledgement. */
const endless = (): Job => ({ ...jobOf(tiny), core: coreModule("naive") });
const handles = (): string[] => process.getActiveResourcesInfo().filter((name) => /worker|port/i.test(name));

// ---- the same results ----

const results = suite("results");

const scenarios = [
  tiny,
  redisOnce,
  { guest: generated(300, 50_000), link: { rate: "10 Gbit/s" } },
  { guest: { ...redis, tile: 2 }, content: "sized" },
];

for (const workers of [1, 2]) {
  results(`the main thread's, with ${workers} at work`, async () => {
    await withPool(workers, async (pool) => {
      const twice = [...scenarios, ...scenarios.toReversed()];
      const found = await Promise.all(twice.map((scenario) => pool.run(jobOf(scenario))));
      assert.is(pool.threads.length, workers, `threads are used again ${pool.faults}`);
      const expected = scenarios.map((scenario) => migrate(scenario));
      for (const [i, result] of found.entries()) {
        const other = expected[i < scenarios.length ? i : twice.length - 1 - i]!;
        assert.is(result.fingerprint, other.fingerprint);
        assert.equal(differences(other, result), []);
      }
    });
  });
}

results("from the bytes of a core, with another quantum and other slices", async () => {
  const options = { core: coreBytes("instrumented"), quantumTicks: 1024n, sliceTicks: 10n ** 10n };
  const result = await withPool(1, (pool) => pool.run({ ...jobOf(redisOnce), ...options }));
  assert.equal(differences(migrate(redisOnce), result), []);
});

results.run();

// ---- errors ----

const errors = suite("errors");

errors("arrive with class, name, message and fields; the thread lives on", async () => {
  await withPool(1, async (pool) => {
    const refused = await rejection(pool.run(jobOf({ guest: { ...redis, tile: 700 } })));
    assert.instance(refused, RunRefused);
    assert.is(refused.name, "RunRefused");
    assert.is((refused as RunRefused).key, "content");
    assert.match(refused.message, /1644 MiB, at most 1536 MiB; use sized/);
    assert.match(refused.stack!, /simulate/, "the stack of the worker");

    const job = jobOf(tiny);
    const bytes = job.trace!.bytes.slice();
    // byte 0 of the magic
    bytes[0]! ^= 0xff;
    const broken = await rejection(pool.run({ ...job, trace: { name: "b.mdt", bytes } }));
    assert.instance(broken, TraceError);
    assert.equal([broken.name, (broken as TraceError).file], ["TraceError", "b.mdt"]);
    assert.match(broken.message, /^b\.mdt: offset 0: /);

    const noCore = await rejection(pool.run({ ...job, core: new Uint8Array(8) }));
    assert.is(noCore.name, "CompileError");
    const noTrace = await rejection(pool.run({ ...job, trace: null }));
    assert.instance(noTrace, RangeError);
    const noClone = await rejection(pool.run({ ...job, extra: () => 0 } as Job));
    assert.is(noClone.name, "DataCloneError");

    assert.is((await pool.run(job)).fingerprint, migrate(tiny).fingerprint);
    assert.is(pool.threads.length, 1, `${pool.faults}`);
  });
});

errors("a number of workers that cannot be is refused", () => {
  for (const workers of [0, -1, 1.5, Number.NaN, POOL_WORKERS_MAX + 1]) {
    assert.throws(
      () => new Pool(workers),
      (error: Error) => error instanceof RangeError,
    );
  }
  assert.ok(new Pool().workers >= 1);
});

errors.run();

// ---- deaths ----

const deaths = suite("deaths");

deaths("a job whose thread dies is done again in another", async () => {
  await withPool(1, async (pool) => {
    pool.onOnline = (worker, index) => {
      if (index === 0) void worker.terminate();
    };
    const result: Result = await pool.run(jobOf(redisOnce));
    assert.equal(differences(migrate(redisOnce), result), []);
    assert.is(pool.threads.length, 2, `${pool.faults}`);
  });
});

deaths("a job whose threads die twice in the middle of it is given up, the next is done", async () => {
  await withPool(2, async (pool) => {
    pool.onOnline = (worker, index) => {
      if (index < 2) setTimeout(() => void worker.terminate(), 1200);
    };
    const died = await rejection(pool.run(endless()));
    assert.is(died.name, "WorkerDied");
    assert.match(died.message, /ended with code 1/);
    assert.is(pool.threads.length, 2, `${pool.faults}`);
    assert.is((await pool.run(jobOf(tiny))).fingerprint, migrate(tiny).fingerprint);
    assert.is(pool.threads.length, 3);
  });
});

deaths("a thread that cannot start says why", async () => {
  class Lost extends Pool {
    protected override start(_entry: string | URL, options: WorkerOptions): Worker {
      return super.start("throw new Error('no such luck')", { ...options, eval: true });
    }
  }
  const pool = new Lost(1);
  const died = await rejection(pool.run(jobOf(tiny)));
  await pool.terminate();
  assert.is(died.name, "WorkerDied");
  assert.match(died.message, /no such luck/);
  assert.is((died.cause as Error).message, "no such luck");
});

deaths("an idle thread that died is not given work", async () => {
  await withPool(1, async (pool) => {
    await pool.run(jobOf(tiny));
    await pool.threads[0]!.terminate();
    assert.is((await pool.run(jobOf(tiny))).migration.status, "completed");
    assert.is(pool.threads.length, 2, `${pool.faults}`);
  });
});

deaths("terminate ends what runs and what waits, and leaves nothing open", async () => {
  const before = handles();
  const pool = new WatchedPool(2);
  const ends = [endless(), endless(), jobOf(tiny)].map((job) => rejection(pool.run(job)));
  await Promise.all(pool.threads.map((worker) => new Promise((resolve) => worker.on("online", resolve))));
  assert.ok(handles().length > before.length, "threads show among what is open");
  await pool.terminate();
  for (const end of ends) assert.is((await end).name, "PoolTerminated");
  assert.is((await rejection(pool.run(jobOf(tiny)))).name, "PoolTerminated");
  await pool.terminate();
  assert.equal(handles(), before);
  assert.is(pool.threads.length, 2, "nothing was started again");
});

deaths.run();
