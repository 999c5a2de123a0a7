// SPDX-License-Identifier: Apache-2.0
/**
 * A PCIe probe, slowly: the engine of dma-engine.ts with the link and root complex of pcie.ts and root.ts.
 * Written from docs/model.md sections 2, 3 and 14.
 *
 * Nothing changes between two of the times that the parts name, so all are looked at then and only then.
 */
import { type Ended, Engine } from "./dma-engine.ts";
import { Link } from "./pcie.ts";
import { RootComplex } from "./root.ts";

/** All of the completion buffer is the engine's. */
const EIGHTHS = 8;

/** A run until so many operations have ended. */
export interface ProbeRun {
  /** In the order in which they ended. */
  readonly ended: readonly Ended[];
  readonly link: Link["done"];
  readonly lookups: RootComplex["lookups"];
  readonly translations: Link["translations"];
  /** When the last thing was looked at. */
  readonly untilAt: number;
}

/** Predicts a probe from its parameters (`S_` constants) and quantiles of jitter. */
export function predictProbe(p: readonly number[], jitter: readonly number[], operations: number): ProbeRun {
  const root = new RootComplex(p, jitter);
  const link: Link = new Link(p, root, {
    answered: ({ at }, order) => engine.happens(order, at),
    landed: (order, at) => engine.lands(order, at),
  });
  const engine = new Engine(p, link, EIGHTHS);
  let t = 0;
  for (; ; t = Math.min(link.nextTime(t), engine.nextTime(t))) {
    if (t === Infinity) throw new Error("nothing is left to do");
    link.step(t);
    engine.step(t);
    if (engine.ended.length >= operations) break;
  }
  const { lookups } = root;
  return { ended: engine.ended, link: link.done, lookups, translations: link.translations, untilAt: t };
}
