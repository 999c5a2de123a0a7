// SPDX-License-Identifier: Apache-2.0
// The bench stand of one unit: on a board that is built and has not run, a unit gets work as fast as it takes
// it, and what leaves it is taken away at once. What is measured is the unit as it is in a run.
import { Q_FRAME, Q_SEAL, U_SEAL } from "./abi";
import { stepSeal } from "./card/crypto";
import { lacks, pop, push, queue, ready } from "./kernel/fifo";
import { JOB_PAGE, freeJob, job, takeJob } from "./kernel/jobs";
import { setCurrent, setNow } from "./kernel/schedule";
import { edgeAfter, edgeAt } from "./kernel/time";

/**
 * Seals records of `bytes` payload bytes that are not carried, on side 0, from time 0 on, until `records`
 * have been taken away, and notes when each was. There are always more to seal.
 * @param every edges of the card clock between two looks of the framer; 1 takes everything away at once, more
 * takes one record a look
 * @param seenAt room for `records` times, u64 ticks
 */
export function probeSeal(records: u32, bytes: u32, every: u32, seenAt: usize): void {
  assert(every != 0, "the framer looks every so many edges");
  let given: u32 = 0;
  let taken: u32 = 0;
  let edges: u32 = 0;
  let t = edgeAt(0, 0);
  while (true) {
    setNow(t);
    setCurrent(0, U_SEAL);
    while (edges % every == 0 && ready(queue(0, Q_FRAME), t)) {
      freeJob(0, pop(queue(0, Q_FRAME)));
      store<u64>(seenAt + taken * 8, t);
      if (++taken == records) return;
      if (every != 1) break;
    }
    while (!lacks(queue(0, Q_SEAL), 1)) {
      const index = takeJob(0, JOB_PAGE);
      job(0, index).bytes = bytes;
      job(0, index).nonce = ++given;
      push(queue(0, Q_SEAL), index, t);
    }
    stepSeal(0, t);
    edges++;
    t = edgeAfter(0, t, 1);
  }
}
