// SPDX-License-Identifier: Apache-2.0
// A recorded migration of a guest with devices against the slow ones: each write, record, look and batch of
// marks, to the tick.
import * as abi from "../../assembly/abi.ts";
import { sameLists } from "./reference/compare.ts";
import { type DevicesSaid, type Did, type Given, SlowDevices } from "./reference/devices.ts";
import { deviceShapes } from "./reference/params-devices.ts";
import { writtenScenario } from "./reference/written.ts";
import { of, type Run } from "./timeline.ts";
import { collectionsOf } from "./tracked.ts";

const KINDS = ["none", "ring", "bits"] as const;
const ORDERS = ["after", "before", "before-freed"] as const;
const FULL = ["stall", "overflow", "spill", "fail"] as const;
const STORE_TICKS = abi.TICKS_PER_NS;
/** At one time landings come first, devices last. */
const RANK = { data: 0, record: 0, told: 0, start: 1, goOn: 1, look: 2, take: 2, quiesce: 3, freed: 4 };

const stepsOf = (run: Run, which: number) => of(run, abi.T_DEVICE, 0).filter((e) => e.which === which);

/** How long a look takes. */
function lookTicks(run: Run, { n, words, bits }: DevicesSaid["looks"][number]): number {
  const { global, sides } = run.params;
  const p = (key: number): number => sides[0][key]!;
  if (global[abi.G_DEVICE_TRACKER] === abi.DEVICES_RING)
    return p(abi.S_HOST_EXAMINE) + n * p(abi.S_HOST_RECORD) + words * p(abi.S_HOST_WORD);
  const read = global[abi.G_PAGES]! * p(abi.S_HOST_IOMMU_ENTRY) + bits * p(abi.S_HOST_IOMMU_CLEAR);
  return read + (bits > 0 ? p(abi.S_HOST_IOTLB_FLUSH) : 0);
}

function givenOf(run: Run): Given[] {
  const given: Given[] = [];
  const bits = run.params.global[abi.G_DEVICE_TRACKER] === abi.DEVICES_IOMMU;
  for (const { which, t: at, a, b: n, c } of of(run, abi.T_DEVICE, 0)) {
    if (which === abi.V_LANDED) given.push({ what: "data", at, device: c, n });
    if (which === abi.V_SEEN) given.push({ what: c < 512 ? "record" : "told", at, device: c % 256, n });
    if (which === abi.V_FREED) given.push({ what: "freed", at, index: n });
    const flushed = bits ? at + lookTicks(run, { n: 0, first: 0, kept: 0, words: 0, bits: a }) : null;
    if (which === abi.V_EXAMINED) given.push({ what: "look", at, flushed });
  }
  for (const { at, batch } of collectionsOf(run).collections) given.push({ what: "take", at, batch });
  const logged = (index: number): number => Number(run.core.logged(index));
  if (logged(abi.L_RECORDING) > 0) given.push({ what: "start", at: logged(abi.L_RECORDING) });
  if (logged(abi.L_QUIESCING) > 0) given.push({ what: "quiesce", at: logged(abi.L_QUIESCING) });
  const rank = ({ what }: Given): number => (RANK as Record<string, number>)[what]!;
  return given
    .map((g, i) => ({ g, i }))
    .sort((x, y) => x.g.at - y.g.at || rank(x.g) - rank(y.g) || x.i - y.i)
    .map(({ g }) => g);
}

function didOf(run: Run): Did[] {
  const names = { [abi.V_TAKEN]: "taken", [abi.V_PUT]: "put", [abi.V_RECORDED]: "recorded" } as const;
  return of(run, abi.T_DEVICE, 0)
    .filter(({ which }) => which in names)
    .map(({ which, t, a, b, c }) => {
      const what = names[which as keyof typeof names]!;
      return {
        at: t,
        what,
        device: c,
        n: what === "recorded" ? -1 : b,
        pfn: a,
        index: what === "recorded" ? b : null,
      };
    });
}

/** The doorbell of a look that gave slots back leaves when the look is over. */
function checkDoorbells(run: Run, looks: DevicesSaid["looks"]): void {
  const puts = of(run, abi.T_PUT, 0).filter(({ which }) => which === abi.PORT_DOORBELL);
  let told = 0;
  for (const [i, { t }] of stepsOf(run, abi.V_EXAMINED).entries()) {
    const look = looks[i]!;
    if (look.kept === told) continue;
    told = look.kept;
    const leaves = t + lookTicks(run, look) + STORE_TICKS;
    // after logs of the CPU's tracker have been brought in
    const late = run.params.global[abi.G_TRACKER_LOG]! > 0;
    if (!puts.some((put) => put.c === t && (late ? put.t >= leaves : put.t === leaves)))
      throw new Error(`look ${i} at ${t} gave slots back, no doorbell leaves at ${leaves}`);
  }
}

/** Throws where a run of scenario text and the slow devices differ; returns what these say. */
export function checkDevices(run: Run, text: string, sets: readonly string[]): DevicesSaid {
  const { global } = run.params;
  const shapes = deviceShapes(writtenScenario(text, sets));
  const slow = new SlowDevices(shapes, {
    kind: KINDS[global[abi.G_DEVICE_TRACKER]!]!,
    slots: global[abi.G_RECORD_SLOTS]!,
    order: ORDERS[global[abi.G_RECORD_ORDER]!]!,
    full: FULL[global[abi.G_RECORD_FULL]!]!,
  });
  const until = Number(run.core.logged(abi.L_BOOKS));
  const said = slow.run(givenOf(run), until);
  const expected = said.did.map((one) => (one.what === "recorded" ? { ...one, n: -1 } : one));
  sameLists(
    "a device's step",
    didOf(run).filter(({ at }) => at <= until),
    expected,
  );
  const looks = stepsOf(run, abi.V_EXAMINED).map(({ a, b, c }) => [a, b, c]);
  sameLists(
    "look",
    looks,
    said.looks.map(({ n, bits, first, kept }) => [n + bits, first, kept]),
  );
  if (global[abi.G_DEVICE_TRACKER] === abi.DEVICES_RING) checkDoorbells(run, said.looks);
  const { counters } = said;
  const rows: [number, number][] = [
    [abi.C_DEVICE_WRITES, counters.writes],
    [abi.C_DEVICE_RECORDS, counters.records],
    [abi.C_DEVICE_RING_HIGH, counters.high],
    [abi.C_DEVICE_STALL, counters.stall],
    [abi.C_DEVICE_OVERFLOWS, counters.overflows],
    [abi.C_DEVICE_EXAMINED, counters.examined],
  ];
  sameLists(
    "counter",
    rows.map(([at]) => [at, Number(run.core.counter(0, at))]),
    rows,
  );
  return said;
}
