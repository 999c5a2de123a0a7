// SPDX-License-Identifier: Apache-2.0
/**
 * `placement: qemu`: what of a scenario a migration in software does not take. Each such key is refused, for
 * it would be ignored; so are the keys of its costs where cards migrate.
 */
import { flatten, type Values } from "./fill.ts";
import { LINK_KEYS } from "./keys.ts";
import type { Problems } from "./problems.ts";
import { type Scenario, scenarioSchema } from "./schema.ts";
import { COST_KEYS, type Costs, checkCosts, cyclesOf, timesOf } from "./software-costs.ts";
import { SOFTWARE_KEYS } from "./software-keys.ts";
import {
  checkNoSection,
  checkSection,
  fillSection,
  pageBytes,
  type SoftwareSection,
} from "./software-section.ts";
import type { ResolvedSoftware } from "./types-software.ts";
import { parseQuantity } from "./units.ts";
import { compresses, encrypts } from "./used.ts";

const SIDES = ["source", "destination"] as const;
const COSTS: readonly Costs[] = ["times", "cycles"];

/** Keys of a host that count, by side. */
const OF_HOST: Readonly<Record<(typeof SIDES)[number], readonly string[]>> = {
  source: [
    "cpu.clock",
    "tracker.writeFault",
    "tracker.scanWordCycles",
    "tracker.tlbFlush",
    "frontend.suspend",
    "qemu.setup",
    "qemu.wake",
    "qemu.socketBuffer",
  ],
  destination: ["frontend.resume", "frontend.deviceStatePerKiB"],
};

/** Keys of the source that count with dirty rings alone. */
const OF_RING: readonly string[] = ["tracker.logExit", "tracker.logEntry", "tracker.protectPage"];

/** Keys that count, of sections of which the others must keep their defaults. */
const OF_SECTION: Readonly<Record<"internal" | "link" | "migration", readonly string[]>> = {
  internal: [],
  link: ["preset", ...Object.keys(LINK_KEYS), "framing", "rateCap"],
  migration: ["downtimeLimit", "timeout", "startAt"],
};

/** Keys of a host that are written in a scenario. */
function writtenOf(scenario: Scenario, side: (typeof SIDES)[number]): string[] {
  const { host } = scenario[side];
  return typeof host === "object" ? [...flatten(host as object).keys()] : [];
}

function checkHosts(scenario: Scenario, problems: Problems): void {
  // a destination that names no host is as the source
  const both = scenario.destination.host === undefined;
  const costs = scenario.software.costs as Costs;
  for (const side of SIDES) {
    const ring = scenario.tracker.kind === "dirty-ring" ? OF_RING : [];
    const counts = (of: (typeof SIDES)[number], key: string): boolean =>
      OF_HOST[of].includes(key) ||
      COST_KEYS[of][costs].includes(key) ||
      (of === "source" && ring.includes(key));
    for (const key of writtenOf(scenario, side)) {
      if (counts(side, key) || (side === "source" && both && counts("destination", key))) continue;
      const unit = COSTS.find((one) => COST_KEYS[side][one].includes(key) && /^qemu/.test(key));
      if (unit !== undefined) {
        const what = `counts with software.costs: ${unit}; write that, or remove it`;
        problems.add([side, "host", ...key.split(".")], what, "key");
        continue;
      }
      problems.add([side, "host", ...key.split(".")], "has no effect with placement: qemu; remove it", "key");
    }
    if (scenario[side].card !== undefined)
      problems.add([side, "card"], "plays no part with placement: qemu; remove it", "key");
  }
}

/** Whole milliseconds, as QEMU takes its downtime limit. */
function isWholeMs(text: unknown): boolean {
  const { num, den } = parseQuantity(text, "time");
  return num > 0n && (num * 1000n) % den === 0n;
}

function checkParts(scenario: Scenario, problems: Problems): void {
  const { tracker, link, migration } = scenario;
  const need = (fits: boolean, path: readonly string[], what: string): void => {
    if (!fits) problems.add([...path], what);
  };
  need(!compresses(scenario), ["compress"], "is not done by placement: qemu; write compress: off");
  need(!encrypts(scenario), ["encrypt"], "is not done by placement: qemu; write encrypt: off");
  need(scenario.delta === "off", ["delta"], "is not done by placement: qemu; write delta: off");
  const known = tracker.kind !== "pml";
  need(known, ["tracker", "kind"], "is not known to placement: qemu; write write-protect, or bitmap");
  need(tracker.group === 1, ["tracker", "group"], "is not known to placement: qemu; write 1");
  need(tracker.start === "resident", ["tracker", "start"], "is not known to placement: qemu; write resident");
  const early = tracker.order === "clear-before-read";
  need(early, ["tracker", "order"], "is not known to placement: qemu; remove it");
  const alone = scenario.guest.devices.length === 0;
  need(alone, ["guest", "devices"], "are functions of a card, and placement: qemu has none; write []");
  // the thread itself looks at bytes for XBZRLE alone
  const deltas = scenario.software.xbzrle !== "off";
  const bodies = "carries bodies; with placement: qemu write sized, or software: { xbzrle: {} }";
  need(deltas || scenario.content === "sized", ["content"], bodies);
  need(scenario.tenant === "off", ["tenant"], "is I/O of a card, and placement: qemu has none; write off");
  const { storage } = scenario.guest;
  need(storage === undefined, ["guest", "storage"], "is an adapter of a card; write placement: huawei");
  need(scenario.faults.length === 0, ["faults"], "are not known to placement: qemu; remove them");
  const over = scenario.software.postcopy !== "off" && migration.timeout !== "none";
  need(
    !over,
    ["migration", "timeout"],
    "may pass when the guest is between the hosts; with postcopy write none",
  );
  need(scenario.guest.atEnd !== "fail", ["guest", "atEnd"], "fail needs placement: huawei; write idle");
  const tls = (link.framing as { tls?: unknown } | undefined)?.tls ?? "off";
  need(tls === "off", ["link", "framing", "tls"], "is of records of cards; with placement: qemu write off");
  need(
    isWholeMs(migration.downtimeLimit),
    ["migration", "downtimeLimit"],
    "QEMU takes whole milliseconds; write at least 1 ms",
  );
}

/** QEMU counts a ring in whole MiB of pages. */
const RING_MIN = 256;

/** What dirty-limit and device pre-copy need, and what they do not go with. */
function checkCapabilities({ software, tracker, guest }: Scenario, problems: Problems): void {
  const { dirtyLimit: d, devicePrecopy: p } = software;
  const need = (fits: boolean, path: readonly string[], what: string): void => {
    if (!fits) problems.add([...path], what);
  };
  const after = software.postcopy !== "off";
  const rings = tracker.kind === "dirty-ring";
  need(!(rings && after), ["software", "postcopy"], "does not go with dirty rings here; write off");
  if (d !== "off") {
    need(rings, ["software", "dirtyLimit"], "needs dirty rings; write tracker: { kind: dirty-ring }");
    const enough = !rings || Number(tracker.ring) >= RING_MIN;
    need(enough, ["tracker", "ring"], "is counted in MiB by dirty-limit; write at least 256");
    const { num, den } = parseQuantity(d.period, "time");
    need((num * 1000n) % den === 0n, ["software", "dirtyLimit", "period"], "is whole ms; write e.g. 1000 ms");
  }
  if (p === "off") return;
  need(!after, ["software", "devicePrecopy"], "does not go with postcopy in QEMU; write off");
  const all = parseQuantity(guest.deviceState, "bytes");
  const ahead = parseQuantity(p.initial, "bytes");
  const fits = ahead.num * all.den <= all.num * ahead.den;
  need(fits, ["software", "devicePrecopy", "initial"], "is more than guest.deviceState; write less");
}

/** What placement qemu does not take. */
function checkQemu(scenario: Scenario, problems: Problems): void {
  const inert = scenarioSchema.pick({ internal: true, link: true, migration: true }).parse({});
  for (const [section, taken] of Object.entries(OF_SECTION)) {
    const written = scenario[section as keyof typeof OF_SECTION] as Readonly<Record<string, unknown>>;
    const usual = inert[section as keyof typeof OF_SECTION] as Readonly<Record<string, unknown>>;
    for (const [key, value] of Object.entries(written)) {
      if (taken.includes(key) || JSON.stringify(value) === JSON.stringify(usual[key])) continue;
      problems.add([section, key], "has no effect with placement: qemu; remove it", "key");
    }
  }
  checkParts(scenario, problems);
  checkSection(scenario.software, scenario.guest.generate !== undefined, problems);
  checkCosts(scenario.software, problems);
  checkCapabilities(scenario, problems);
  checkHosts(scenario, problems);
}

/** Keys that the placement has no use for. */
export function checkPlacement(scenario: Scenario, problems: Problems): void {
  if (scenario.placement === "qemu") {
    checkQemu(scenario, problems);
    return;
  }
  checkNoSection(scenario.software, problems);
  for (const side of SIDES) {
    for (const key of writtenOf(scenario, side)) {
      if (SOFTWARE_KEYS[key] === undefined) continue;
      const what = "has no effect where cards migrate; write placement: qemu, or remove it";
      problems.add([side, "host", ...key.split(".")], what, "key");
    }
  }
}

/** What the software costs; nothing where cards migrate. */
export function fillSoftware(
  placement: unknown,
  source: Values,
  destination: Values,
  section: SoftwareSection,
  rttTicks: number,
): { software?: ResolvedSoftware } {
  if (placement !== "qemu") return {};
  const { costs, multifd } = section;
  const deviceStatePerKibTicks = destination.ticks("frontend.deviceStatePerKiB");
  const zstd = multifd !== "off" && multifd.compression === "zstd";
  const cycles = costs === "times" ? null : cyclesOf(source, destination, pageBytes(multifd) ?? 0, zstd);
  return {
    software: {
      ...(cycles ?? timesOf(source, destination)),
      setupTicks: source.ticks("qemu.setup"),
      wakeTicks: source.ticks("qemu.wake"),
      socketBytes: source.whole("qemu.socketBuffer"),
      ...fillSection(section, { rttTicks, cycles, deviceStatePerKibTicks }),
    },
  };
}
