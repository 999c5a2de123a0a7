// SPDX-License-Identifier: Apache-2.0
// VSOCK messages: slots of host memory that the driver fills (to the card) or offers (to the host), and the
// card's copies of messages it is working on. Contents of an address batch are held as a bitmap whatever its
// form on the wire; pages sent as messages keep their bytes in the slot.
//
//   message, 320 bytes: | kind | payload bytes | a | b | c u64 | d u64 | - | bits 256 B |
import { BATCH_PAGES, MESSAGE_BYTES_MAX, MESSAGE_SLOTS } from "../abi";
import { reserve } from "./memory";


@unmanaged
export class Message {
  kind: u32;
  bytes: u32; // payload on the wire, without the VSOCK header
  a: u32;
  b: u32;
  c: u64;
  d: u64;
  flags: u32;
  used: u32;
  sent: u64;
  then: u64; // the message that one interrupt tells of after this one, plus one
  began: u64; // when the card began to write it, where interrupts are held
}

const BITS_OFFSET: u32 = 64;
const MESSAGE: u32 = 320;
if (offsetof<Message>() != 64 || BATCH_PAGES != 2048) ERROR("message");

/** Of a page in a message of pages, where its bits would be: number, version, content word, bytes coded. */
export const PAGE_ENTRY: u32 = 16;

/** No message. */
// @ts-ignore: decorator
@lazy
export const NO_MESSAGE: Message = changetype<Message>(0);

/** Boxes: to the card, to the host, and the card's copies. */
export const TO_CARD: u32 = 0;
export const TO_HOST: u32 = 1;
export const ON_CARD: u32 = 2;

const BOX = memory.data(24, 8);
let bodies: usize = 0;

export function buildMessages(withBodies: bool): void {
  for (let i: u32 = 0; i < 6; i++) store<u32>(BOX + (i << 2), <u32>reserve(MESSAGE_SLOTS * MESSAGE));
  bodies = withBodies ? reserve(<u64>MESSAGE_SLOTS * MESSAGE_BYTES_MAX) : 0;
}

// @ts-ignore: decorator
@inline
export function message(side: u32, box: u32, slot: u32): Message {
  return changetype<Message>(<usize>load<u32>(BOX + ((side * 3 + box) << 2)) + slot * MESSAGE);
}

/** The dirty bits of an address batch. */
// @ts-ignore: decorator
@inline
export function bitsOf(m: Message): usize {
  return changetype<usize>(m) + BITS_OFFSET;
}

/** Room for the pages of a message to the card. */
// @ts-ignore: decorator
@inline
export function bodyOf(slot: u32): usize {
  return bodies + <usize>slot * MESSAGE_BYTES_MAX;
}

/** Takes a free slot of a box; MESSAGE_SLOTS when there is none. */
export function takeMessage(side: u32, box: u32, kind: u32): u32 {
  for (let i: u32 = 0; i < MESSAGE_SLOTS; i++) {
    const m = message(side, box, i);
    if (m.used != 0) continue;
    memory.fill(changetype<usize>(m), 0, MESSAGE);
    m.used = 1;
    m.kind = kind;
    return i;
  }
  return MESSAGE_SLOTS;
}

export function freeMessage(side: u32, box: u32, slot: u32): void {
  const m = message(side, box, slot);
  assert(m.used == 1, "message slot freed twice");
  m.used = 0;
}

/** Copies a message from one box to another. */
export function copyMessage(side: u32, from: u32, slot: u32, to: u32, other: u32): void {
  memory.copy(
    changetype<usize>(message(side, to, other)),
    changetype<usize>(message(side, from, slot)),
    MESSAGE,
  );
}

/** Slots in use in the boxes of a side. */
export function messagesOut(side: u32): u32 {
  let n: u32 = 0;
  for (let box: u32 = 0; box < 3; box++) {
    for (let i: u32 = 0; i < MESSAGE_SLOTS; i++) n += message(side, box, i).used;
  }
  return n;
}
