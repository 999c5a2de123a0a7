// SPDX-License-Identifier: Apache-2.0
/**
 * Numbers of a card's own engines that are written where a preset stands in their place: nobody reads them,
 * so they are refused by name. What the card's preset says of them is no mistake. A destination that takes
 * the source's card takes what is written of it too, or a copy where an override changes it: so what both say
 * alike is refused where neither has a use for it.
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

function refuse(card: Values, group: string, by: Values, problems: Problems, ...besides: Values[]): void {
  for (const [key, value] of card.written()) {
    if (!key.startsWith(`${group}.`) || key === STAYS) continue;
    if (besides.some((other) => other.written().get(key) === value)) continue;
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
  if (encoder !== null) refuse(source, "compressor", encoder, problems);
  const own = scenario.destination.card !== undefined;
  const [seals, opens] = [ciphers.source, ciphers.destination];
  if (seals !== null) refuse(source, "crypto", seals, problems, ...(opens === null ? [destination] : []));
  if (opens !== null && own) refuse(destination, "crypto", opens, problems, source);
}
