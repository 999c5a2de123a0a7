// SPDX-License-Identifier: Apache-2.0
// What goes on around a migration: other I/O of a card, packets that arrive spoilt, links that go down, an
// IOMMU, transports that lose. Memory, device state and every invariant as ever; lean equals naive.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isGood, type Result } from "../src/index.ts";
import { generated, migrate, redis, stat } from "./lib/migrate.ts";

const HOT = { ...redis, tile: 2, speed: 400 };
const PCIE_DOWN = [{ at: "300 us", what: "pcie-down", for: "2 ms", side: "source" }];
const LINK_DOWN = [{ at: "1 ms", what: "link-down", for: "200 ms" }];
/** 1 % of the frames lost, packets of PCIe spoilt, the link down for 200 ms. */
const ROUGH = { internal: { bitErrorRate: 1e-7 }, faults: LINK_DOWN };

function good(scenario: object): Result {
  const result = migrate(scenario);
  assert.ok(isGood(result), JSON.stringify(result.check));
  assert.is(result.check.pagesDifferent, 0);
  return result;
}

test("TCP with 1 % loss, PCIe replays and a link that is down for 200 ms", () => {
  const result = good({ guest: HOT, ...ROUGH, link: { congestion: "cubic", loss: 0.01 } });
  assert.ok(result.migration.totalTimeNs > 200e6);
  assert.ok(stat(result, "source.pcie.down.replays") > 0);
});

test("UDP with 1 % loss, PCIe replays and a link that is down for 200 ms", () => {
  const result = good({ guest: HOT, ...ROUGH, link: { transport: "udp", loss: 0.01 } });
  assert.ok(result.migration.totalTimeNs > 200e6);
  assert.ok(stat(result, "source.pcie.down.replays") > 0);
});

test("other I/O takes its share, and all of it is done by the end", () => {
  const guest = generated(2000, 0);
  const plain = { guest, compress: "off", encrypt: "off", content: "sized" };
  const alone = good(plain);
  const tenant = { side: "source", op: "read", size: "4 KiB", workers: 16, tags: 32 };
  const both = good({ ...plain, tenant });
  assert.ok(stat(both, "source.card.tenant.operations") > 100);
  assert.is(stat(both, "destination.card.tenant.operations"), 0);
  assert.is(stat(both, "source.card.tenant.bytes"), 4096 * stat(both, "source.card.tenant.operations"));
  assert.ok(both.migration.totalTimeNs > 1.1 * alone.migration.totalTimeNs);
});

test("an IOMMU: fewer misses with large pages, and slower than none", () => {
  const guest = generated(4000, 0);
  const plain = { guest, compress: "off", encrypt: "off", content: "sized" };
  const small = good({ ...plain, internal: { iommu: "4KiB" } });
  const large = good({ ...plain, internal: { iommu: "2MiB" } });
  // each page is read once; descriptors and messages have pages of their own
  assert.ok(stat(small, "source.host.iommu.misses") >= 4000);
  assert.ok(stat(large, "source.host.iommu.misses") < 100);
  assert.ok(small.migration.totalTimeNs > good(plain).migration.totalTimeNs);
});

test("naive and lean agree with all of it on", () => {
  const scenario = {
    guest: generated(300, 100_000),
    content: "sized",
    internal: { iommu: "4KiB", jitter: "on", bitErrorRate: 1e-6, ecrc: "on" },
    tenant: { op: "readwrite", size: "1500 B", workers: 6 },
    link: { transport: "udp", loss: 0.01 },
    faults: [...PCIE_DOWN, { at: "100 us", what: "link-down", for: "1 ms" }],
  };
  const lean = migrate(scenario, { variant: "lean" });
  assert.ok(isGood(lean), JSON.stringify(lean.check));
  assert.is(migrate(scenario, { variant: "naive" }).fingerprint, lean.fingerprint);
  assert.is(migrate(scenario, { variant: "instrumented" }).fingerprint, lean.fingerprint);
});

test.run();
