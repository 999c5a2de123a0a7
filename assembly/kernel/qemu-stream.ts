// SPDX-License-Identifier: Apache-2.0
// QEMU's migration thread: what it is told and tells, and its stream's way through a buffer to the socket.
//
// Models: qemu-file.c. A page stays where it is and is a vector beside the header before it; the buffer is
//   given to the socket every 32 such pages (64 vectors), every 32 KiB of copied bytes (headers, and pages
//   that XBZRLE copies), and at the end of an iteration. A connection of finite rate takes bytes one after
//   another; the thread is blocked while more than `socket` bytes wait.
// Leaves out: TCP's congestion control, names of blocks in the stream.
// Numbers: QEMU 10.0 migration/qemu-file.c (MAX_IOV_SIZE, IO_BUF_SIZE).
import { QP_COUNT, QP_LINK_DEN, QP_LINK_NUM, QP_SOCKET_BYTES, QR_COUNT, QR_WORKED } from "../abi";
import { spanTicks } from "./time";

const PARAMS = memory.data(384, 16);
const READING = memory.data(256, 16);
if (QP_COUNT * 8 != 384 || QR_COUNT * 8 != 256) ERROR("blocks of QEMU's thread");

const BUFFER_PAGES: u32 = 32; // 64 vectors, two a page
const BUFFER_BYTES: u32 = 32768; // IO_BUF_SIZE
/** Of a page in the stream. */
export const HEADER: u32 = 8;

/** Bytes written by the thread. */
export let bytes: u64 = 0;
/** Of them given to the socket. */
export let left: u64 = 0;
/** Bytes given to the connection, by the thread and its channels. */
export let given: u64 = 0;
let bufferPages: u32 = 0;
let bufferBytes: u32 = 0;
let wireFree: u64 = 0;

/** Address of the parameters, u64 each. */
export function qemuParams(): usize {
  return PARAMS;
}

/** Address of the reading, u64 each. */
export function qemuReading(): usize {
  return READING;
}

// @ts-ignore: decorator
@inline
export function q(index: u32): u64 {
  return load<u64>(PARAMS + (index << 3));
}

// @ts-ignore: decorator
@inline
export function read(index: u32): u64 {
  return load<u64>(READING + (index << 3));
}

// @ts-ignore: decorator
@inline
export function tell(index: u32, value: u64): void {
  store<u64>(READING + (index << 3), value);
}

// @ts-ignore: decorator
@inline
export function tellMore(index: u32, value: u64): void {
  tell(index, read(index) + value);
}

/** The end of what takes `ticks` of a core from t on. */
// @ts-ignore: decorator
@inline
export function work(t: u64, ticks: u64): u64 {
  tellMore(QR_WORKED, ticks);
  return t + ticks;
}

export function buildStream(): void {
  memory.fill(READING, 0, 256);
  bytes = left = given = 0;
  bufferPages = bufferBytes = 0;
  wireFree = 0;
}

/** Bytes that stand in the stream and are not handled as they come: ends of sections, device state. */
export function put(n: u64): void {
  bytes += n;
}

/** A header and a page that stays where it is, written by t; returns when the thread may go on. */
export function putPage(t: u64, size: u32): u64 {
  bytes += HEADER + size;
  bufferBytes += HEADER;
  bufferPages++;
  return bufferPages == BUFFER_PAGES || bufferBytes >= BUFFER_BYTES ? flush(t) : t;
}

/** A header and the one byte of a zero page. */
export function putZero(t: u64): u64 {
  bytes += HEADER + 1;
  bufferBytes += HEADER + 1;
  return bufferBytes >= BUFFER_BYTES ? flush(t) : t;
}

/** A header with `n` copied bytes behind it; what is beyond a full buffer begins the next. */
export function putCopied(t: u64, n: u32): u64 {
  bytes += HEADER + n;
  bufferBytes += HEADER + n;
  return bufferBytes >= BUFFER_BYTES ? give(t, bufferBytes - BUFFER_BYTES) : t;
}

/** Gives the buffer to the socket at t; returns when it has taken it. */
export function flush(t: u64): u64 {
  return give(t, 0);
}

/** The same, but for `kept` bytes. */
function give(t: u64, kept: u32): u64 {
  const n = bytes - kept - left;
  left += n;
  bufferPages = 0;
  bufferBytes = kept;
  return sendOut(t, n);
}

/** The same beside channels, which a connection carries as well: the thread is not held up. */
export function flushBeside(t: u64): void {
  give(t, 0);
}

/** Whether all has been given away. */
export function holdsNothing(): bool {
  return bufferPages == 0 && bufferBytes == 0;
}

/** When the last byte that was given to the connection has left. */
export function wireIsFree(): u64 {
  return wireFree;
}

/** Bytes go to the connection at t; returns when no more than its socket's buffer waits. */
export function sendOut(t: u64, n: u64): u64 {
  given += n;
  const num = q(QP_LINK_NUM);
  if (num == 0) return t;
  wireFree = (wireFree > t ? wireFree : t) + spanTicks(n, num, q(QP_LINK_DEN));
  const waiting = spanTicks(q(QP_SOCKET_BYTES), num, q(QP_LINK_DEN));
  return wireFree > t + waiting ? wireFree - waiting : t;
}

/**
 * Bytes that a connection with a rate has carried by t, the one under way among them; of the time from then
 * until it is free it stands idle for `idle`.
 */
export function carried(t: u64, idle: u64): u64 {
  if (wireFree <= t + idle) return given;
  const unsent = ((wireFree - t - idle) * q(QP_LINK_DEN)) / q(QP_LINK_NUM);
  return given > unsent ? given - unsent : 0;
}
