// SPDX-License-Identifier: Apache-2.0
/** What a card's firmware works for datagrams that it recovers. */
import type { Values } from "./fill.ts";
import type { Problems } from "./problems.ts";

const KEYS = ["control.datagramAckCycles", "control.datagramAgainCycles"] as const;

/** With TCP there are none; a preset's costs are not asked about. */
export function checkDatagrams(transport: string, card: Values, problems: Problems): void {
  if (transport === "udp") return;
  for (const key of KEYS) {
    if (!card.written().has(key) || card.whole(key) === 0) continue;
    const what = "has no effect with TCP; write link: { transport: udp }, or 0 cycles";
    problems.add([...card.path, ...key.split(".")], what);
  }
}
