// SPDX-License-Identifier: Apache-2.0
// What is not home when both sides have drained: entries of queues, jobs, tags, credits, records. What a
// closed link or a card that was reset kept is written off by name.
import { I_CONSERVED, I_DEVICE_STATE, L_STATUS, STATUS_COMPLETED, STOP_DONE } from "./abi";
import { receiving } from "./card/framer";
import { placingOut } from "./host/placing";
import { settlePcie } from "./channel/pcie";
import { writesOut } from "./kernel/device-writes";
import { datagramsLeft } from "./kernel/datagrams";
import { deferredLeft } from "./kernel/deferred";
import { completionsOpen } from "./kernel/completion";
import { fifosLeft } from "./kernel/fifo";
import { jobsOut } from "./kernel/jobs";
import { deviceBefore, several } from "./kernel/guests";
import { logged } from "./kernel/log";
import { messagesOut } from "./kernel/message";
import { deviceBytes, devicePlace, deviceState } from "./kernel/pages";
import { poolsLeft } from "./kernel/pool";
import { requestersOut } from "./kernel/port";
import { progress } from "./kernel/progress";
import { residualLeft } from "./kernel/residual";
import { numbersOut } from "./kernel/record";
import { storeLeft } from "./kernel/record-store";
import { broken } from "./kernel/stats";
import { stream, streamsLeft } from "./kernel/stream";
import { linkClosed, recordsDropped } from "./kernel/trouble";
import { waysOut } from "./kernel/way";
import { unacknowledged } from "./board-net";

export function buildHome(): void {
  recordsWrittenOff = 0;
  bytesWrittenOff = 0;
  cardWrittenOff = 0;
}

/** The device state has been gathered as a whole, and no byte of it twice. */
export function deviceOnce(t: u64): void {
  const gathered = progress(1).device;
  const due: u64 = several ? deviceBefore : deviceBytes;
  if (gathered != due) broken(I_DEVICE_STATE, gathered, due, t);
}

/** Bytes of device state that differ. */
export function differingDevice(): u32 {
  let n: u32 = 0;
  const bytes = deviceBytes;
  for (let i: u32 = 0; i < bytes; i++) {
    if (load<u8>(deviceState() + i) != load<u8>(devicePlace() + i)) n++;
  }
  return n;
}

/** What a closed link kept: records, and bytes that were sent and not acknowledged. */
export let recordsWrittenOff: u32 = 0;
export let bytesWrittenOff: u32 = 0;
/** What a card that was reset held: entries of queues, jobs, SRAM, tags, messages. */
export let cardWrittenOff: u32 = 0;

/** What is not home, of both sides; `wasReset`: the destination's card was. */
export function whatIsOut(clock: u64, wasReset: bool): u32 {
  let n: u32 = 0;
  for (let side: u32 = 0; side < 2; side++) {
    settlePcie(side);
    const cards = fifosLeft(side) + poolsLeft(side) + jobsOut(side) + requestersOut(side);
    const all = cards + waysOut(side) + messagesOut(side) + datagramsLeft(side);
    if (side == 1 && wasReset) cardWrittenOff = all;
    else n += all;
  }
  n += writesOut + placingOut();
  const records = streamsLeft();
  const bytes = <u32>(unacknowledged(0) + unacknowledged(1));
  if (linkClosed) {
    // every record that was numbered has arrived, lies in a stream, or met a closed link
    recordsWrittenOff = records + recordsDropped - (wasReset ? receiving(1) : 0);
    bytesWrittenOff = bytes;
    n += numbersOut() - recordsWrittenOff;
  } else {
    recordsWrittenOff = recordsDropped;
    n += records + numbersOut() - recordsDropped + bytes;
  }
  // a round that failed is not told of to its end
  n += completionsOpen(0) + (logged(L_STATUS) == STATUS_COMPLETED ? completionsOpen(1) : 0);
  if (logged(L_STATUS) == STATUS_COMPLETED) n += residualLeft() + deferredLeft() + storeLeft();
  if (n != 0) broken(I_CONSERVED, n, 0, clock);
  if (logged(L_STATUS) == STATUS_COMPLETED) deviceOnce(clock);
  return n;
}
