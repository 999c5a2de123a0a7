// SPDX-License-Identifier: Apache-2.0
// One-line mistakes in the core, each of which a named invariant or claim must notice: `npm run mutate`.
import type { Mutation } from "./mutate.ts";
import { card } from "./mutations/card.ts";
import { codec } from "./mutations/codec.ts";
import { host } from "./mutations/host.ts";
import { kernel } from "./mutations/kernel.ts";
import { link } from "./mutations/link.ts";
import { pcie } from "./mutations/pcie.ts";

/** In the order in which a page meets the mistakes. */
export const mutations: readonly Mutation[] = [host, pcie, card, link, kernel, codec]
  .flat()
  .map(([test, file, name, find, replace, caughtBy]) => ({
    name,
    file: `assembly/${file}.ts`,
    find,
    replace,
    caughtBy,
    test,
  }));
