// SPDX-License-Identifier: Apache-2.0
/**
 * The PCIe link of a card in a migration, slowly: what the migration's requesters put is known, what other
 * I/O of the card (dma-engine.ts) puts beside it is predicted with the link.
 */
import * as abi from "../../../assembly/abi.ts";
import { type Ended, Engine } from "./dma-engine.ts";
import type { Answer, PcieRun, Put } from "./packets.ts";
import { Link } from "./pcie.ts";
import { RootComplex } from "./root.ts";

/** A transaction of the migration, with the time of its put. */
export interface TimedPut extends Put {
  putAt: number;
}

export interface LinkRun extends PcieRun {
  /** What other I/O put into ports. */
  otherPuts: readonly Put[];
  /** Its operations, in the order in which their last packets were there. */
  ended: readonly Ended[];
  /** Translations that were looked up until the books closed. */
  lookups: RootComplex["lookups"];
}

/** Of the completion buffer, what other I/O has beside a migration. */
const EIGHTHS = 1;

/**
 * Predicts a side's link from its parameters (`S_` constants) and the migration's puts in their order.
 * @param booksAt when the books close, after which other I/O takes no operations
 */
export function predictPcie(
  p: readonly number[],
  side: number,
  puts: readonly TimedPut[],
  jitter: readonly number[],
  booksAt: number,
): LinkRun {
  const root = new RootComplex(p, jitter);
  const answers: Answer[] = [];
  const link: Link = new Link(
    p,
    root,
    {
      answered: (answer, order) => {
        answers.push(answer);
        engine?.happens(order, answer.at);
      },
      landed: (order, at) => engine?.lands(order, at),
    },
    side,
  );
  const engine = p[abi.S_TEN_KIND] === abi.TENANT_OFF ? null : new Engine(p, link, EIGHTHS, booksAt);
  let next = 0;
  let lookups = root.lookups;
  for (let t = 0; t < Infinity; ) {
    for (; next < puts.length && puts[next]!.putAt <= t; next++) link.put(puts[next]!);
    link.step(t);
    engine?.step(t);
    if (t <= booksAt) ({ lookups } = root);
    t = Math.min(link.nextTime(t), engine?.nextTime(t) ?? Infinity, puts[next]?.putAt ?? Infinity);
  }
  return { ...link.done, answers, otherPuts: engine?.puts ?? [], ended: engine?.ended ?? [], lookups };
}
