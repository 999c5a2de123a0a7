// SPDX-License-Identifier: Apache-2.0
// A card alone against a peer that is no card: Node's AES-GCM and a slow LZ4 decoder over the bytes of
// records (assembly/kernel/record), and scripts that answer them.
import { createCipheriv, createDecipheriv } from "node:crypto";
import * as abi from "../../assembly/abi.ts";
import type { Core } from "../../src/core.ts";
import { fillDeviceState } from "../../src/device-state.ts";
import { Feeder } from "../../src/feeder.ts";
import { wordsOf } from "../../src/given-sizes.ts";
import { decodeLz4Block } from "./reference/lz4-block.ts";
import { coreFor } from "./timeline.ts";

/** Kinds of record (assembly/kernel/jobs). */
export const KIND = { page: 1, zero: 2, device: 3, roundEnd: 4, placed: 5, resumed: 6 } as const;
/** Device state goes over link A, all else over B. */
const linkOf = (kind: number): number => (kind === KIND.device ? 0 : 1);

/** A record in the clear. */
export interface ScriptRecord {
  readonly kind: number;
  /** Page number, byte offset of device state, or a count of pages. */
  readonly at: number;
  /** Of a page; of a control record its round. */
  readonly version: number;
  readonly final: boolean;
  /** As it was before it was coded. */
  readonly payload: Uint8Array;
}

/** What a script is told of a record that came. */
export interface Came extends ScriptRecord {
  readonly link: number;
  readonly number: number;
  readonly nonce: bigint;
  readonly coded: boolean;
  readonly bytes: number;
}

/** A built board with one card, and the bytes of the other end. */
export class Alone {
  readonly core: Core;
  readonly side: 0 | 1;
  readonly pages: number;
  readonly deviceBytes: number;
  readonly #feeder: Feeder;
  readonly #sealed: boolean;
  readonly #numbers = [0, 0];
  readonly #out: ScriptRecord[] = [];

  constructor(text: string, side: 0 | 1, sets: string[] = []) {
    const { core, scenario, stream } = coreFor(text, sets, "lean");
    this.core = core;
    this.side = side;
    this.pages = stream.pages;
    this.deviceBytes = scenario.guest.deviceStateBytes;
    this.#sealed = scenario.encrypt.keyBits !== 0;
    if (Number(core.fn("buildAlone")(side)) !== 0) throw new Error("the board was not built");
    this.#feeder = new Feeder(core, stream.fork(), scenario, wordsOf(scenario));
    this.#feeder.loadImage();
    fillDeviceState(this.deviceState("deviceState"), scenario.seed);
    if (side === 0) this.#feeder.feed();
  }

  /** The source's device state, or what the destination has of it. */
  deviceState(name: "deviceState" | "devicePlace"): Uint8Array {
    const at = this.core.address(name);
    return this.core.u8.subarray(at, at + this.deviceBytes);
  }

  /** A page of the source's memory, or of the destination's. */
  page(name: "sourceImageAt" | "placedImageAt", pfn: number): Uint8Array {
    const at = this.core.address(name) + pfn * abi.PAGE_BYTES;
    return this.core.u8.subarray(at, at + abi.PAGE_BYTES);
  }

  version(name: "sourceVersionsAt" | "placedVersionsAt", pfn: number): number {
    return this.core.u32[(this.core.address(name) >>> 2) + pfn]!;
  }

  /** Runs to the end, or to `untilNs`: `script` is told every record that comes, and may send others. */
  run(script: (came: Came) => void, untilNs = 50_000_000): number {
    const until = BigInt(untilNs) * BigInt(abi.TICKS_PER_NS);
    for (let at = 0n; ; ) {
      this.#flush();
      const stop = Number(this.core.fn("runAlone")(at));
      if (stop === abi.STOP_INPUT) this.#feeder.feed();
      else if (stop === abi.STOP_PEER) for (const came of this.#take()) script(came);
      else if (stop === abi.STOP_UNTIL && at < until) at += 1000n * BigInt(abi.TICKS_PER_NS);
      else if (stop !== abi.STOP_DONE || this.#out.length === 0 || at >= until) return stop;
    }
  }

  send(record: ScriptRecord): void {
    this.#out.push(record);
  }

  /** Everything sent so far has left. */
  get sentAll(): boolean {
    return this.#out.length === 0;
  }

  #key(context: number): Buffer {
    const key = Buffer.alloc(16);
    for (let i = 0; i < 4; i++) key.writeUInt32LE(Number(this.core.fn("keyWord")(context, i)) >>> 0, 4 * i);
    return key;
  }

  #iv(context: number, nonce: bigint): Buffer {
    const iv = Buffer.alloc(12);
    iv.writeUInt32LE(context, 0);
    iv.writeBigUInt64LE(nonce, 4);
    return iv;
  }

  *#take(): Generator<Came> {
    for (const link of [0, 1]) {
      for (;;) {
        const total = Number(this.core.fn("peerTake")(link));
        if (total === 0) break;
        const at = this.core.address("peerRecord");
        yield this.#open(link, Buffer.from(this.core.u8.slice(at, at + total)));
      }
    }
  }

  /** Opens and decodes a record; throws when its tag does not fit. */
  #open(link: number, bytes: Buffer): Came {
    const header = bytes.subarray(0, 16);
    const n = header.readUInt16LE(8);
    const number = header.readUInt32LE(4);
    // a record that was made before the request has its nonce behind the header, and is sealed with that
    const stored = (header[10]! & 8) !== 0;
    const nonce = stored ? bytes.readBigUInt64LE(16) : BigInt(number);
    const from = stored ? 24 : 16;
    const authentic = Buffer.from(header);
    authentic.writeUInt32LE(Number(nonce & 0xffff_ffffn), 4);
    let payload = bytes.subarray(from, from + n);
    if (this.#sealed) {
      const context = this.side * 2 + link;
      const open = createDecipheriv("aes-128-gcm", this.#key(context), this.#iv(context, nonce));
      open.setAAD(authentic).setAuthTag(bytes.subarray(from + n, from + n + 16));
      payload = Buffer.concat([open.update(payload), open.final()]);
    }
    const coded = (header[10]! & 1) !== 0;
    return {
      link,
      number,
      nonce,
      coded,
      bytes: bytes.length,
      kind: header[11]!,
      at: header.readUInt32LE(0),
      version: header.readUInt32LE(12),
      final: (header[10]! & 2) !== 0,
      payload: coded ? decodeLz4Block(payload, abi.PAGE_BYTES)!.bytes : new Uint8Array(payload),
    };
  }

  /** Sends what the window takes, sealed and not coded. */
  #flush(): void {
    while (this.#out.length > 0) {
      const { kind, at, version, final, payload } = this.#out[0]!;
      const link = linkOf(kind);
      const number = this.#numbers[link]! + 1;
      const header = Buffer.alloc(16);
      header.writeUInt32LE(at, 0);
      header.writeUInt32LE(number, 4);
      header.writeUInt16LE(payload.length, 8);
      header[10] = final ? 2 : 0;
      header[11] = kind;
      header.writeUInt32LE(version, 12);
      let body = Buffer.from(payload);
      if (this.#sealed) {
        const context = (1 - this.side) * 2 + link;
        const seal = createCipheriv("aes-128-gcm", this.#key(context), this.#iv(context, BigInt(number)));
        seal.setAAD(header);
        body = Buffer.concat([seal.update(body), seal.final(), seal.getAuthTag()]);
      }
      const record = Buffer.concat([header, body]);
      this.core.u8.set(record, this.core.address("peerRecord"));
      if (!this.core.fn("peerPut")(link, record.length, BigInt(number))) return;
      this.#numbers[link] = number;
      this.#out.shift();
    }
  }
}
