// SPDX-License-Identifier: Apache-2.0
// A card alone against scripts that speak its records: a destination that keeps what comes and answers its
// rounds, and a source that sends a guest in two rounds.
import * as assert from "uvu/assert";
import * as abi from "../../../assembly/abi.ts";
import { Alone, type Came, KIND } from "../scripted.ts";
import { guestText } from "../timeline.ts";

const PAGE = abi.PAGE_BYTES;
const STATE = 20 * 1024;
const MEMORY = 128;

/** A small guest for a card alone. */
export const ALONE = guestText(`${MEMORY * 4} KiB`, {
  deviceState: "20 KiB",
  rate: "100000 /s",
  workingSet: "64 KiB",
});
export const STOP = ["migration.downtimeLimit=20 us", "migration.maxRounds=4", "migration.onTimeout=force"];
const EMPTY = new Uint8Array(0);

/** What a scripted destination has got of a card, and what it has answered. */
export interface Got {
  alone: Alone;
  came: Came[];
  memory: Map<number, Uint8Array>;
  device: Uint8Array;
  rounds: number;
}

/** The source's card beside a script that answers its rounds, or does not. */
export function sourceAlone(sets: string[] = [], answers = true): Got {
  const alone = new Alone(ALONE, 0, [...STOP, ...sets]);
  const got: Got = { alone, came: [], memory: new Map(), device: new Uint8Array(STATE), rounds: 0 };
  let [placed, base, state] = [0, 0, 0];
  let told: Came | null = null;
  let final = false;
  alone.run((record) => {
    got.came.push(record);
    const { kind, at, payload } = record;
    if (kind === KIND.page || kind === KIND.zero) {
      got.memory.set(at, kind === KIND.zero ? new Uint8Array(PAGE) : payload);
      placed++;
    } else if (kind === KIND.device) {
      got.device.set(payload, at);
      state += payload.length;
    } else if (kind === KIND.roundEnd) told = record;
    if (!answers) return;
    if (told !== null && placed - base === told.at) {
      alone.send({ kind: KIND.placed, at: told.at, version: told.version, final: false, payload: EMPTY });
      base = placed;
      final = told.final;
      told = null;
      got.rounds++;
    }
    if (final && state === STATE) {
      alone.send({ kind: KIND.resumed, at: 0, version: 0, final: false, payload: EMPTY });
      final = false;
    }
  });
  assert.is(Number(alone.core.global("brokenInvariant")), 0);
  return got;
}

/** Every page that the script has is the source's as the guest left it, and so is the device state. */
export function sameMemory({ alone, memory, device }: Got): void {
  assert.is(memory.size, MEMORY);
  for (const [pfn, bytes] of memory) assert.equal(bytes, alone.page("sourceImageAt", pfn), `page ${pfn}`);
  assert.equal(device, alone.deviceState("deviceState"));
}

interface Sent {
  alone: Alone;
  came: Came[];
}

/** The destination's card beside a script that sends it a guest in two rounds, `more` pages short or not. */
export function destinationAlone(sets: string[] = [], more = 0): Sent {
  const alone = new Alone(ALONE, 1, sets);
  const came: Came[] = [];
  const page = (pfn: number): void => {
    const payload = alone.page("sourceImageAt", pfn).slice();
    const zero = payload.every((byte) => byte === 0);
    const version = alone.version("sourceVersionsAt", pfn);
    alone.send({
      kind: zero ? KIND.zero : KIND.page,
      at: pfn,
      version,
      final: false,
      payload: zero ? EMPTY : payload,
    });
  };
  const roundEnd = (pages: number, version: number, final: boolean): void =>
    alone.send({ kind: KIND.roundEnd, at: pages + more, version, final, payload: EMPTY });
  for (let i = 0; i < MEMORY; i++) page((i * 37) % MEMORY);
  roundEnd(MEMORY, 1, false);
  alone.run((record) => {
    came.push(record);
    if (record.kind !== KIND.placed || record.version !== 1) return;
    for (let i = 0; i < 9; i++) page(i * 5);
    roundEnd(9, 2, true);
    const state = alone.deviceState("deviceState");
    for (let at = 0; at < STATE; at += PAGE)
      alone.send({ kind: KIND.device, at, version: 0, final: false, payload: state.slice(at, at + PAGE) });
  });
  return { alone, came };
}

/** The guest runs at the destination with all of its memory and device state; the script has heard of it. */
export function resumed({ alone, came }: Sent): void {
  assert.is(Number(alone.core.global("brokenInvariant")), 0);
  assert.equal(
    came.map(({ kind, version }) => [kind, version]),
    [
      [KIND.placed, 1],
      [KIND.placed, 2],
      [KIND.resumed, 0],
    ],
  );
  assert.ok(alone.core.logged(abi.L_RESUMED) > 0n);
  for (let pfn = 0; pfn < MEMORY; pfn++)
    assert.equal(alone.page("placedImageAt", pfn), alone.page("sourceImageAt", pfn), `page ${pfn}`);
  assert.equal(alone.deviceState("devicePlace"), alone.deviceState("deviceState"));
}

/** Both cards, each with a script. */
export function checkAlone(): void {
  sameMemory(sourceAlone());
  resumed(destinationAlone());
}
