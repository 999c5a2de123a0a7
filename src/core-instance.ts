// SPDX-License-Identifier: Apache-2.0
/**
 * An instance of the compiled core: the one user of the loader. Typed, unsigned, views renewed after the
 * memory may have moved. Opens no file, so that a browser can have it.
 */
import { instantiateSync } from "@assemblyscript/loader";
import * as abi from "../assembly/abi.ts";

/** Numbers and functions the wasm exports; u64 travel as BigInt. */
interface Exports extends Record<string, unknown> {
  memory: WebAssembly.Memory;
  globalParams(): number;
  sideParams(side: number): number;
  arenaTop(): number;
  build(): number;
  run(until: bigint): number;
  notHome(): number;
  clockNow(): bigint;
  inputGiven(): void;
  contentWord(page: number): number;
  scratch(): number;
  seriesWindow(): bigint;
}

/** One instance of the core: one simulation. */
export class Core {
  readonly #module: WebAssembly.Module;
  readonly #exports: Exports;
  #buffer: ArrayBuffer;
  #u8!: Uint8Array;
  #u32!: Uint32Array;
  #f64!: Float64Array;

  constructor(module: WebAssembly.Module) {
    this.#module = module;
    this.#exports = instantiateSync(module, {}).exports as unknown as Exports;
    this.#buffer = this.#exports.memory.buffer as ArrayBuffer;
    this.#renew();
  }

  /** Another instance, in which nothing has run yet. */
  fresh(): Core {
    return new Core(this.#module);
  }

  #renew(): void {
    this.#buffer = this.#exports.memory.buffer as ArrayBuffer;
    this.#u8 = new Uint8Array(this.#buffer);
    this.#u32 = new Uint32Array(this.#buffer);
    this.#f64 = new Float64Array(this.#buffer);
  }

  #fresh(): void {
    if (this.#buffer !== this.#exports.memory.buffer) this.#renew();
  }

  /** Memory as bytes. */
  get u8(): Uint8Array {
    this.#fresh();
    return this.#u8;
  }

  /** Memory as 32-bit words: index = address / 4. */
  get u32(): Uint32Array {
    this.#fresh();
    return this.#u32;
  }

  /** Memory as doubles: index = address / 8. */
  get f64(): Float64Array {
    this.#fresh();
    return this.#f64;
  }

  /** An exported function by name, for tests of one unit. Numbers go in and come out as they are. */
  fn(name: string): (...args: (number | bigint)[]) => number | bigint {
    const f = this.#exports[name];
    if (typeof f !== "function") throw new Error(`the core exports no ${name}`);
    return f as (...args: (number | bigint)[]) => number | bigint;
  }

  /** An exported address, unsigned. */
  address(name: string): number {
    return Number(this.fn(name)()) >>> 0;
  }

  /** Value of an exported global. */
  global(name: string): number | bigint {
    const g = this.#exports[name];
    if (!(g instanceof WebAssembly.Global)) throw new Error(`the core exports no global ${name}`);
    return g.value as number | bigint;
  }

  /** Writes a u64 at an address. */
  setU64(address: number, value: bigint): void {
    const u32 = this.u32;
    u32[address >>> 2] = Number(value & 0xffffffffn);
    u32[(address >>> 2) + 1] = Number(value >> 32n);
  }

  /** Reads a u64 at an address. */
  u64(address: number): bigint {
    const u32 = this.u32;
    return (BigInt(u32[(address >>> 2) + 1]!) << 32n) | BigInt(u32[address >>> 2]!);
  }

  /** Sets all parameters to 0: nothing is left of those of a run before. */
  clearParams(): void {
    this.u8.fill(0, this.address("globalParams"), this.address("globalParams") + abi.G_COUNT * 8);
    const sides = this.#exports.sideParams(0) >>> 0;
    this.u8.fill(0, sides, sides + 2 * abi.S_COUNT * 8);
    const storage = this.address("storageParams");
    this.u8.fill(0, storage, storage + abi.ST_COUNT * 8);
  }

  setGlobalParam(index: number, value: bigint | number): void {
    this.setU64(this.address("globalParams") + index * 8, BigInt(value));
  }

  setSideParam(side: number, index: number, value: bigint | number): void {
    this.setU64((this.#exports.sideParams(side) >>> 0) + index * 8, BigInt(value));
  }

  /**
   * Builds the board: 0, or 1 when 4 GiB do not hold it, 2 when the compressor's parameters are impossible.
   */
  build(): number {
    return this.#exports.build();
  }

  /** Runs until a time in ticks; returns a STOP_ constant of the ABI. */
  run(until: bigint): number {
    return this.#exports.run(until);
  }

  /** The rings are full enough to go on. */
  inputGiven(): void {
    this.#exports.inputGiven();
  }

  /** Content word of a page body. */
  contentWord(body: Uint8Array): number {
    const at = this.#exports.scratch() >>> 0;
    this.u8.set(body, at);
    return this.#exports.contentWord(at) >>> 0;
  }

  /** What is not home after the drain; 0 when everything is. */
  notHome(): number {
    return this.#exports.notHome() >>> 0;
  }

  /** Last time executed, in ticks. */
  clockNow(): bigint {
    return BigInt.asUintN(64, this.#exports.clockNow());
  }

  /** Log entry (L_ constants). */
  logged(index: number): bigint {
    return this.u64(this.address("logAt") + index * 8);
  }

  counter(side: number, index: number): number {
    return Number(this.u64(this.address("countersAt") + (side * abi.COUNTERS + index) * 8));
  }
}
