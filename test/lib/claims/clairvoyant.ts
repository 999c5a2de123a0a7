// SPDX-License-Identifier: Apache-2.0
// A migration that knew the future, against the slow count of every version.
import { isGood, type Result, type SimulateInput, simulate } from "../../../src/index.ts";
import { boundsHold } from "../../../src/result/bounds.ts";
import { inputOf, redis } from "../migrate.ts";
import { payloadOf, type Version, versionsOf, wireOf } from "../reference/clairvoyant.ts";
import { Codecs } from "../reference/codecs.ts";
import { encodeLz4Hardware } from "../reference/lz4-hardware.ts";
import { claim, same } from "./expect.ts";

const codecs = new Codecs();
const liblz4 = (body: Uint8Array): number => Math.min(4096, codecs.encode(body, 8192)!.length);

/** What the scenario's encoder makes of a page; only encoders of the core and liblz4. */
function sizeOf({ scenario }: SimulateInput): (body: Uint8Array) => number {
  const { bailMarginBytes: bailMargin, rated, ...lz } = scenario.sides.source.card.compressor;
  if (scenario.compress.engine === "off") return liblz4;
  const kept = (size: number): number => (size + bailMargin > 4096 ? 4096 : size);
  if (rated !== null) return (body) => kept(liblz4(body));
  const policy = { drop: 0, stall: 1, coalesce: 2 }[lz.policy];
  const flags = { policy, multi: Number(lz.multi), intraForward: Number(lz.intraForward), bailMargin };
  return (body) => encodeLz4Hardware(body, { ...lz, ...flags }).block?.length ?? 4096;
}

export interface Checked {
  readonly result: Result;
  readonly versions: readonly (readonly Version[])[];
}

/** Runs a scenario and compares with the slow count; all of these are TCP over IPv4 on Ethernet. */
export function checkClairvoyant(scenario: object, sets: readonly string[] = []): Checked {
  const input = inputOf(scenario, { sets });
  const result = simulate(input);
  const { bounds, migration: made, check } = result;
  claim("clairvoyant", isGood(result), JSON.stringify([made.reason, check]), "a good run");
  const { core, stream } = input;
  const { link, encrypt, delta, migration } = input.scenario;
  const at = core.address("sourceVersionsAt") >>> 2;
  const writes = Array.from({ length: stream.pages }, (_, pfn) => core.u32[at + pfn]!);
  const versions = versionsOf(stream.fork(), writes);
  const since = delta === "off" ? null : BigInt(migration.startAtTicks);
  const around = 16 + (encrypt.cipher === "off" ? 0 : 16) + link.tlsBytes;
  const payload = payloadOf(versions, sizeOf(input), since, around);
  const bytes = wireOf(payload, link.mtuBytes - 52, 90);
  same("clairvoyant: bytes", bounds.clairvoyantBytes, bytes);
  const [num, den] = link.ticksPerByte;
  const ns = ((bytes * num) / den + link.rttTicks / 2) / 1_024_000;
  const free = link.rateCapTicksPerByte === null && link.windowBytes >= payload;
  const off = Math.abs(bounds.clairvoyantNs! - ns);
  claim("clairvoyant: time", !free || off < 0.01, bounds.clairvoyantNs, `${ns} ns`);
  claim(
    "clairvoyant: the run's bytes",
    result.link.wireBytes >= bytes,
    result.link.wireBytes,
    `${bytes} or more`,
  );
  return { result, versions };
}

/** Pages that are freed, bases before and after the start, a guest that goes on at the destination. */
export function checkClairvoyants(): void {
  const slow = { link: { rate: "1 Gbit/s" }, compress: { engine: "lz4-sw" } };
  const guest = { ...redis, speed: 2000 };
  const late = { startAt: "1 ms", downtimeLimit: "1 ns", maxRounds: 8, onTimeout: "force" };
  checkClairvoyant({ guest, ...slow, migration: late, delta: { xbzrle: {} } });
  checkClairvoyant({ guest, ...slow, migration: { algorithm: "postcopy", residual: "after-resume" } });
}

/** A run that sent a byte less, or took less time, breaks the bound. */
export function checkBeaten(): void {
  const times = { link: 0, pcie: null, compress: null, encrypt: null, thread: null };
  const bounds = { ...times, clairvoyant: { bytes: 1000, ticks: 5000 } };
  same("clairvoyant: met", boundsHold(bounds, 5000n, 1000), true);
  same("clairvoyant: beaten by a byte", boundsHold(bounds, 5000n, 999), false);
  same("clairvoyant: beaten by a tick", boundsHold(bounds, 4999n, 1000), false);
  same("clairvoyant: none", boundsHold({ ...bounds, clairvoyant: null }, 0n, 0), true);
}
