// SPDX-License-Identifier: Apache-2.0
// Writes of the guest's devices that are under way: which device, which page, how it will be known. Plain
// storage of card/functions, which makes them, and kernel/device-ring, which learns of them.
//
//   write, 32 bytes:   see the class; free writes are a list
//   device, 128 bytes: see the class; its writes that wait for their data are a ring of DEVICE_WRITES_MAX
import {
  C_DEVICE_STALL,
  DEVICES_MAX,
  DEVICE_WRITES_MAX,
  D_BYTES,
  D_COUNT,
  D_FETCH,
  D_FIRST,
  D_GAP_DEN,
  D_GAP_NUM,
  D_OUT,
  D_PAGES,
  D_RANDOM,
  D_SEED,
  G_DEVICES,
  L_QUIESCED,
  L_QUIESCING,
  U_FUNCTION,
} from "../abi";
import { note } from "./log";
import { g32 } from "./params";
import { mix } from "./random";
import { wake } from "./schedule";
import { booksClosed, count } from "./stats";
import { NEVER } from "./time";

/** How a write will be known: not at all, by a record, the overflow flag, a bit of the bitmap, a flush. */
export const BY_NOBODY: u32 = 0;
export const BY_RECORD: u32 = 1;
export const BY_FLAG: u32 = 2;
export const BY_BITMAP: u32 = 3;
/** On the link when tracking began: the driver reads from the card, which pushes it into memory. */
export const BY_FLUSH: u32 = 4;


@unmanaged
export class Write {
  dataAt: u64; // when its data is there
  number: u32; // of its device's writes, from 0
  pfn: u32;
  device: u32;
  how: u32;
  index: u32; // of its record
  left: u16; // landings to come
  put: u8; // 1: its data has been put
  recorded: u8; // 1: its record has been put, 2: behind its data
}


@unmanaged
export class Device {
  next: u64; // when it may begin its next write
  rest: u64; // of the division of its gap
  fetch: u64; // ticks from a write's beginning to its data
  stalled: u64; // since when it waits for a slot, NEVER when it does not
  landed: u64; // writes that have landed
  taken: u32;
  gapNum: u64;
  gapDen: u64;
  bytes: u32;
  first: u32;
  pages: u32;
  random: u32;
  seed: u32;
  most: u32;
  out: u32; // under way
  head: u32; // of those that wait for their data
  tail: u32;
}

const WRITES: u32 = 512; // DEVICES_MAX * DEVICE_WRITES_MAX
const PARAMS = memory.data(1024, 16); // DEVICES_MAX * D_COUNT * 8
const DEVICES = memory.data(1024, 16); // DEVICES_MAX * 128
const POOL = memory.data(16384, 16); // WRITES * 32
const FREE = memory.data(2048, 16);
const WAITING = memory.data(2048, 16);

if (DEVICES_MAX * DEVICE_WRITES_MAX != 512 || DEVICES_MAX * D_COUNT * 8 != 1024) ERROR("devices");
if (offsetof<Device>() > 128 || offsetof<Write>() > 32) ERROR("device records");

/** How many devices there are. */
export let devices: u32 = 0;
/** Writes under way. */
export let writesOut: u32 = 0;
/** True while the devices begin no write: the guest is being stopped, or the run has ended. */
export let quiesced: bool = false;
let freeCount: u32 = 0;

export function deviceParams(): usize {
  return PARAMS;
}

// @ts-ignore: decorator
@inline
export function device(index: u32): Device {
  return changetype<Device>(DEVICES + ((<usize>index) << 7));
}

// @ts-ignore: decorator
@inline
export function write(index: u32): Write {
  return changetype<Write>(POOL + ((<usize>index) << 5));
}

function param(index: u32, key: u32): u64 {
  return load<u64>(PARAMS + ((index * D_COUNT + key) << 3));
}

export function buildDeviceWrites(): void {
  devices = g32(G_DEVICES);
  writesOut = 0;
  quiesced = false;
  memory.fill(DEVICES, 0, 1024);
  memory.fill(POOL, 0, 16384);
  freeCount = WRITES;
  for (let i: u32 = 0; i < WRITES; i++) store<u32>(FREE + (i << 2), WRITES - 1 - i);
  for (let i: u32 = 0; i < devices; i++) {
    const d = device(i);
    d.gapNum = param(i, D_GAP_NUM);
    d.gapDen = param(i, D_GAP_DEN);
    d.bytes = <u32>param(i, D_BYTES);
    d.first = <u32>param(i, D_FIRST);
    d.pages = <u32>param(i, D_PAGES);
    d.random = <u32>param(i, D_RANDOM);
    d.seed = <u32>param(i, D_SEED);
    d.most = <u32>param(i, D_OUT);
    d.fetch = param(i, D_FETCH);
    d.stalled = NEVER;
    later(d, 0);
  }
}

/** The next write begins a gap after t at least. */
export function later(d: Device, t: u64): void {
  const ticks = d.gapNum + d.rest;
  d.next = t + ticks / d.gapDen;
  d.rest = ticks % d.gapDen;
}

/** The page of the n-th write of a device: in turn, or evenly at random. */
export function pageOfWrite(d: Device, n: u32): u32 {
  return d.first + (d.random != 0 ? <u32>((<u64>mix(d.seed, n) * d.pages) >> 32) : n % d.pages);
}

/** Begins the next write of a device; it waits for its data. */
export function takeWrite(index: u32, t: u64): u32 {
  const d = device(index);
  const at = load<u32>(FREE + (--freeCount << 2));
  const w = write(at);
  w.dataAt = t + d.fetch;
  w.number = d.taken++;
  w.pfn = pageOfWrite(d, w.number);
  w.device = index;
  w.how = BY_NOBODY;
  w.left = 1;
  w.put = 0;
  w.recorded = 0;
  d.out++;
  writesOut++;
  store<u32>(WAITING + ((index * DEVICE_WRITES_MAX + (d.tail++ & (DEVICE_WRITES_MAX - 1))) << 2), at);
  later(d, t);
  return at;
}

/** The write of a device that waits for its data longest. */
export function firstWaiting(index: u32): u32 {
  const d = device(index);
  return load<u32>(WAITING + ((index * DEVICE_WRITES_MAX + (d.head & (DEVICE_WRITES_MAX - 1))) << 2));
}

/** A part of a write has landed; true when it is over. */
export function partLanded(at: u32): bool {
  const w = write(at);
  if (--w.left != 0) return false;
  device(w.device).out--;
  writesOut--;
  w.how = BY_NOBODY;
  store<u32>(FREE + (freeCount++ << 2), at);
  return true;
}

/** A device that waited for a slot does so no more. */
export function endStall(d: Device, t: u64): void {
  if (d.stalled == NEVER) return;
  count(0, C_DEVICE_STALL, t - d.stalled);
  d.stalled = NEVER;
}

/** Devices that wait for a slot do so no more. */
export function endStalls(t: u64): void {
  for (let i: u32 = 0; i < devices; i++) endStall(device(i), t);
}

/** Devices begin no write from t on. */
export function quiesceDevices(t: u64): void {
  quiesced = true;
  if (devices == 0 || booksClosed) return;
  note(L_QUIESCING, t);
  wake(0, U_FUNCTION, t);
  endStalls(t);
  if (writesOut == 0) note(L_QUIESCED, t);
}

/** They do again, as the guest goes on. */
export function devicesGoOn(t: u64): void {
  if (devices == 0) return;
  quiesced = false;
  wake(0, U_FUNCTION, t);
}

/** Devices by 128 bytes; writes that have landed are the fifth number of each. */
export function devicesAt(): usize {
  return DEVICES;
}
