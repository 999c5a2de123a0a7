// SPDX-License-Identifier: Apache-2.0
/** The part of params.ts that is about what goes on around a migration: docs/model.md, its last section. */
import * as abi from "../../../assembly/abi.ts";
import { type Put, putAll, ticks, whole } from "./params-pcie.ts";
import { type Preset, writtenAt } from "./written.ts";

const LINE_BYTES = 64;
const SIDES = ["source", "destination"];
const OPERATIONS: Readonly<Record<string, number>> = {
  read: abi.TENANT_READ,
  write: abi.TENANT_WRITE,
  readwrite: abi.TENANT_BOTH,
  // in the place of reads
  "fetch-add": abi.TENANT_READ,
  swap: abi.TENANT_READ,
  cas: abi.TENANT_READ,
};
const OPERANDS: Readonly<Record<string, number>> = { "fetch-add": 1, swap: 1, cas: 2 };

interface Fault {
  at: unknown;
  for?: unknown;
  what: string;
  side?: string;
  unit?: string;
  engines?: number;
  ram?: string;
  records?: number;
}

/** Times of the fault of a kind, 0 without. */
function faultParams(p: Put, scenario: object, what: string, side: string | undefined, at: number): void {
  const faults = (writtenAt(scenario, "faults") ?? []) as Fault[];
  const fault = faults.find((one) => one.what === what && one.side === side);
  p(at, fault === undefined ? 0 : ticks(fault.at));
  // without an end: further than any time
  p(at + 1, fault === undefined ? 0 : fault.for === undefined ? NEVER : ticks(fault.for));
}

/** Beyond 2.5 h, and no sum of two times overflows. */
const NEVER = 2 ** 63;

/** When the external link is down, when the migration is cancelled, and who notices that nobody answers. */
export function linkFault(p: Put, scenario: object): void {
  faultParams(p, scenario, "link-down", undefined, abi.G_NET_DOWN_AT);
  const faults = (writtenAt(scenario, "faults") ?? []) as Fault[];
  const cancel = faults.find(({ what }) => what === "cancel");
  const start = ticks(writtenAt(scenario, "migration.startAt") ?? "0 s");
  const at = cancel === undefined ? NEVER : ticks(cancel.at);
  p(abi.G_CANCEL_AT, at > start ? at : start + 1);
  const timeOf = (what: string): number => {
    const fault = faults.find((one) => one.what === what);
    return fault === undefined ? NEVER : ticks(fault.at);
  };
  p(abi.G_CORRUPT_AT, timeOf("corrupt"));
  p(abi.G_RESET_AT, Math.max(1, timeOf("reset")));
  const endless = faults.some(
    (one) => one.what === "reset" || (one.what === "link-down" && one.for === undefined),
  );
  const silence = writtenAt(scenario, "migration.silence") ?? (endless ? "30 s" : "none");
  p(abi.G_SILENCE, silence === "none" ? 0 : ticks(silence));
  p(abi.G_NET_RETRIES, whole(writtenAt(scenario, "link.retries") ?? 15));
  p(abi.G_CORRUPT_RECORDS, faults.find(({ what }) => what === "corrupt")?.records ?? 1);
  const again = writtenAt(scenario, "migration.onTagFailure") === "ask-again";
  p(abi.G_ASK_AGAIN, again ? whole(writtenAt(scenario, "migration.tagRetries") ?? 3) : 0);
  const restart = (side: string): Fault | undefined =>
    faults.find((one) => one.what === "firmware-restart" && one.side === side);
  for (const [index, side] of SIDES.entries()) {
    const fault = restart(side);
    p(abi.G_RESTART_AT + index, fault === undefined ? NEVER : ticks(fault.at));
    p(abi.G_RESTART_FOR + index, fault === undefined ? 0 : ticks(fault.for));
  }
  const stall = faults.find(({ what }) => what === "poll-stalls");
  p(abi.G_POLL_STALL_AT, stall === undefined ? 0 : ticks(stall.at));
  p(abi.G_POLL_STALL_FOR, stall === undefined ? 0 : ticks(stall.for));
  const [here, there] = SIDES.map((side) => (restart(side)?.ram === "lost" ? 1 : 0));
  p(abi.G_RESTART_LOST, here! + 2 * there!);
  const onDemand = writtenAt(scenario, "tracker.start") === "on-demand";
  p(abi.G_TRACKER_START, onDemand ? ticks(writtenAt(scenario, "tracker.startLatency") ?? "1 s") : 0);
}

/** Engines of a side that stop. */
function stopping(p: Put, scenario: object, side: number): void {
  const faults = (writtenAt(scenario, "faults") ?? []) as Fault[];
  const units = [
    ["compressor", "seal"],
    ["decompressor", "open"],
  ][side]!;
  for (const [i, at] of [abi.S_CODEC_FAIL_AT, abi.S_CIPHER_FAIL_AT].entries()) {
    const fault = faults.find((one) => one.what === "engine-fails" && one.unit === units[i]);
    p(at, fault === undefined ? NEVER : ticks(fault.at));
    p(at + 1, fault === undefined ? 0 : (fault.engines ?? 1));
  }
}

/** Of a side: spoilt packets, its PCIe link that goes down, and other I/O of its card. */
export function around(p: Put, scenario: object, side: number, card: Preset): void {
  // of a byte of 8 bits, of 2^48
  const rate = Number(writtenAt(scenario, "internal.bitErrorRate") ?? 0);
  p(abi.S_PCIE_ERRORS, Math.round(8 * rate * 2 ** 48));
  faultParams(p, scenario, "pcie-down", SIDES[side], abi.S_PCIE_DOWN_AT);
  stopping(p, scenario, side);
  const of = (key: string, otherwise: unknown): unknown => writtenAt(scenario, `tenant.${key}`) ?? otherwise;
  const where = of("side", "both");
  const off = (writtenAt(scenario, "tenant") ?? "off") === "off";
  if (off || (where !== "both" && where !== SIDES[side])) return;
  const bytes = whole(of("size", "4 KiB"));
  const stride = LINE_BYTES * Math.ceil(bytes / LINE_BYTES);
  p(abi.S_TEN_KIND, OPERATIONS[`${of("op", "read")}`]!);
  p(abi.S_TEN_ATOMIC, OPERANDS[`${of("op", "read")}`] ?? 0);
  p(abi.S_TEN_BYTES, bytes);
  p(abi.S_TEN_STRIDE, stride);
  p(abi.S_TEN_PLACES, Math.max(1, Math.floor(whole(of("window", "64 MiB")) / stride)));
  p(abi.S_TEN_RANDOM, 1);
  p(abi.S_TEN_DEPTH, whole(of("workers", 4)));
  // a KiB of an operation takes the card's memory so long; a part of a tick counts
  const memory = ticks(card("engine.memoryPerKiB"));
  p(abi.S_TEN_GAP, Math.max(ticks(of("every", "0 s")), Math.ceil((bytes * memory) / 1024)));
  p(abi.S_TEN_TAGS, whole(of("tags", 8)));
  p(abi.S_TEN_COPY_DEN, 1024);
  p(abi.S_TEN_BURST, whole(card("engine.burst")));
  p(abi.S_TEN_TAG_RINGS, whole(card("engine.tagRings")));
  p(abi.S_TEN_COMPLETIONS, whole(card("engine.completions")));
  putAll(p, card, ticks, [
    [abi.S_TEN_START, "engine.start"],
    [abi.S_TEN_ISSUE, "engine.issue"],
    [abi.S_TEN_TAG, "engine.tagHold"],
    [abi.S_TEN_COPY_NUM, "engine.copyPerKiB"],
    [abi.S_TEN_FLOOR, "engine.writeFloor"],
    [abi.S_TEN_BURST_GAP, "engine.burstGap"],
  ]);
}
