// SPDX-License-Identifier: Apache-2.0
/**
 * Address translation services of a card, slowly: docs/model.md section 3. A page is found, or asked for
 * once; a request needs a tag, and the one that has waited longest has the next.
 */
import * as abi from "../../../assembly/abi.ts";

/** What waits until its page is translated. */
interface Transaction {
  readonly address: number;
  readyAt: number;
}

/** A page that has been asked for; it is there from a time on, Infinity when that is not known. */
export interface Translation {
  readonly address: number;
  thereAt: number;
  readonly waiting: { readonly transaction: Transaction; readonly readyAt: number }[];
}

/** Sends a request for a translation, no earlier than at a time. */
type Ask = (translation: Translation, readyAt: number) => void;

export class TranslationCache {
  readonly #entries: number;
  readonly #pageBytes: number;
  readonly #ask: Ask;
  /** The page used longest ago is first. */
  readonly #pages = new Map<number, Translation>();
  /** When tags at home were free, and requests that wait for one. */
  readonly #tagsFreeAt: number[];
  readonly #untagged: { readonly translation: Translation; readonly readyAt: number }[] = [];
  hits = 0;
  misses = 0;

  constructor(p: readonly number[], ask: Ask) {
    this.#entries = p[abi.S_ATS_ENTRIES]!;
    this.#pageBytes = 2 ** p[abi.S_IOMMU_PAGE_LOG]!;
    this.#tagsFreeAt = new Array(this.#entries === 0 ? 0 : p[abi.S_ATS_REQUESTS]!).fill(0);
    this.#ask = ask;
  }

  /** A transaction is put: it is ready when it was, and its page is there. */
  translate(transaction: Transaction): void {
    if (this.#entries === 0) return;
    const number = Math.floor(transaction.address / this.#pageBytes);
    const found = this.#pages.get(number);
    const page = found ?? { address: number * this.#pageBytes, thereAt: Infinity, waiting: [] };
    if (found === undefined) {
      this.misses++;
      if (this.#pages.size === this.#entries) this.#pages.delete([...this.#pages.keys()][0]!);
    } else {
      this.hits++;
    }
    this.#pages.delete(number);
    this.#pages.set(number, page);
    const { readyAt } = transaction;
    transaction.readyAt = Math.max(readyAt, page.thereAt);
    if (page.thereAt === Infinity) page.waiting.push({ transaction, readyAt });
    if (found === undefined) this.#untagged.push({ translation: page, readyAt });
    this.#sends();
  }

  /** An answer is there: its tag is free, and what has waited may go. */
  answered(translation: Translation, at: number): void {
    translation.thereAt = at;
    for (const { transaction, readyAt } of translation.waiting) transaction.readyAt = Math.max(readyAt, at);
    this.#tagsFreeAt.push(at);
    this.#sends();
  }

  #sends(): void {
    while (this.#tagsFreeAt.length > 0 && this.#untagged.length > 0) {
      const { translation, readyAt } = this.#untagged.shift()!;
      this.#ask(translation, Math.max(readyAt, this.#tagsFreeAt.shift()!));
    }
  }
}
