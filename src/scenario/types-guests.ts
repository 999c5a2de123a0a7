// SPDX-License-Identifier: Apache-2.0
/** Several guests of one server, as a resolved scenario has them. */

/** Which guest's round is next. */
export type Order = "fair" | "shortest-dirty-first" | "one-after-another";

/** There with `guests` alone. */
export interface ResolvedEvacuation {
  readonly order: Order;
}
