// SPDX-License-Identifier: Apache-2.0
/**
 * Numbers of a card's own engines that are written where a preset stands in their place: nobody reads them,
 * so they are refused by name. What the card's preset says of them is no mistake. A destination that takes
 * the source's card takes what is written of it too.
 */
import type { Values } from "./fill.ts";
import type { Problems } from "./problems.ts";
import type { Scenario } from "./schema.ts";
import type { NamedCiphers } from "./sealing.ts";

/** Of the card whatever encodes: when the end of a page is seen (encoders.ts). */
const STAYS = "compressor.fillLatency";

/** What stands in the place of a card's engines. */
export interface Replacing {
  /** The preset of `compress`, null for the card's own encoders. */
  readonly encoder: Values | null;
  readonly ciphers: NamedCiphers;
}

function refuse(keys: readonly string[], card: Values, by: Values, problems: Problems): void {
  for (const key of keys) {
    if (key === STAYS) continue;
    const what = `has no effect beside ${by.path.join(".")}: ${by.preset}; remove it`;
    problems.add([...card.path, ...key.split(".")], what, "key");
  }
}

/** Refuses what is written of engines that a preset replaces. */
export function checkReplaced(
  scenario: Scenario,
  { encoder, ciphers }: Replacing,
  source: Values,
  destination: Values,
  problems: Problems,
): void {
  const of = (card: Values, group: string): string[] =>
    [...card.written()].filter((key) => key.startsWith(`${group}.`));
  if (encoder !== null) refuse(of(source, "compressor"), source, encoder, problems);
  const own = scenario.destination.card !== undefined;
  const crypto = of(source, "crypto");
  if (ciphers.source !== null && (own || ciphers.destination !== null))
    refuse(crypto, source, ciphers.source, problems);
  // --set of one number of the destination's card begins with all that is written of the source's
  const there = of(destination, "crypto").filter((key) => !crypto.includes(key));
  if (ciphers.destination !== null && own) refuse(there, destination, ciphers.destination, problems);
}
