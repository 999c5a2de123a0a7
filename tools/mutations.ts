// SPDX-License-Identifier: Apache-2.0
// One-line mistakes in the core, each of which a named invariant or test must notice: `npm run mutate`.
import type { Mutation } from "./mutate.ts";

/** In the order in which a page meets the mistakes. */
export const mutations: readonly Mutation[] = [];
