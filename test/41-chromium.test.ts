// SPDX-License-Identifier: Apache-2.0
// The same wasm in a worker of a real browser gives the result that Node gives, to the last digit.
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { coreBytes, differences } from "../src/index.ts";
import { bundle, evaluateInChromium, serve } from "./lib/chromium.ts";
import { jobOf, origin, tiny } from "./lib/jobs.ts";
import { migrate, redis, traces } from "./lib/migrate.ts";
import type { Asked, Shown } from "./lib/page/page.ts";
import { peerTest } from "./lib/peer.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const trace = "host-redis-small.mdt";

const scenarios = {
  tiny: { ...tiny, content: "full" },
  "redis, 4 copies": { guest: { ...redis, tile: 4 }, content: "sized" },
  // 601 pages x 700 copies are 1643 MiB, which do not fit 4 GiB twice
  refused: { guest: { ...redis, tile: 700 }, content: "full" },
};

function askedOf(scenario: object, asBytes: boolean): Asked {
  const job = jobOf(scenario);
  return { coreUrl: "core.wasm", scenario: job.scenario, traceUrl: job.trace!.name, origin, asBytes };
}

/** Runs jobs on a page of their own; what the page complains of is a failure. */
async function inChromium(asked: readonly Asked[]): Promise<Shown[]> {
  const folder = mkdtempSync(join(tmpdir(), "dpusim-page-"));
  const mounts = { [`/${trace}`]: traces + trace, "/example.mdt": `${traces}example.mdt` };
  const served = await serve(folder, mounts);
  try {
    writeFileSync(join(folder, "core.wasm"), coreBytes());
    copyFileSync(here("lib/page/index.html"), join(folder, "index.html"));
    await bundle(here("lib/page/page.ts"), join(folder, "page.js"));
    await bundle(here("../src/pool/worker.ts"), join(folder, "worker.js"));
    const { result, errors } = await evaluateInChromium<readonly Asked[], Shown[]>(
      served.url,
      "(list) => runAll(list)",
      asked,
    );
    assert.equal(errors, []);
    return result;
  } finally {
    await served.close();
    rmSync(folder, { recursive: true });
  }
}

peerTest(test, ["chromium"], "a worker in Chromium gives what Node gives", async () => {
  const list = [
    askedOf(scenarios.tiny, false),
    askedOf(scenarios["redis, 4 copies"], false),
    askedOf(scenarios.tiny, true),
    askedOf(scenarios.refused, false),
  ];
  const [tinyShown, redisShown, again, refused] = (await inChromium(list)) as [Shown, Shown, Shown, Shown];
  for (const [shown, scenario] of [
    [tinyShown, scenarios.tiny],
    [redisShown, scenarios["redis, 4 copies"]],
    [again, scenarios.tiny],
  ] as const) {
    assert.is(shown.error, null);
    const browser = JSON.parse(shown.json!);
    const node = JSON.parse(JSON.stringify(migrate(scenario)));
    assert.is(browser.fingerprint, node.fingerprint);
    assert.equal(differences(browser, node), []);
  }
  assert.match(refused.error!, /^RunRefused: full carries every page twice/);
});

test.run();
