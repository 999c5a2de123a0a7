// SPDX-License-Identifier: Apache-2.0
/**
 * A card that scans a bitmap, slowly: sets of pages and one clock after the other, from docs/model.md
 * section 23. Given are the writes of the guest, when memory served a request, when answers came and room
 * was there; what each word held, each request and each page found is predicted.
 */

const PAGES_A_WORD = 64;
const WORD_BYTES = 8;

/** What happens to the marks, in order of time. */
export type Marking =
  | { what: "start" | "flush"; at: number }
  | { what: "write"; at: number; pfn: number }
  | { what: "read"; at: number; first: number; words: number }
  | { what: "swap" | "zero"; at: number; word: number };

type Taking = Extract<Marking, { word: number }>;

/** Marks and TLBs: what each write did, and each request of the card found. */
export class SlowMarks {
  readonly #marked = new Set<number>();
  /** Pages that a TLB holds as dirty: their writes leave no mark. */
  readonly #held = new Set<number>();
  readonly #pages: number;
  #tracking = false;
  readonly marks: boolean[] = [];
  /** Of each read, page numbers that were marked; of each swap or zero the same. */
  readonly reads: number[][] = [];
  readonly taken: number[][] = [];

  constructor(pages: number) {
    this.#pages = pages;
  }

  #of(word: number): number[] {
    return [...Array(PAGES_A_WORD).keys()]
      .map((bit) => word * PAGES_A_WORD + bit)
      .filter((pfn) => this.#marked.has(pfn));
  }

  run(all: readonly Marking[]): this {
    for (const one of all) {
      if (one.what === "start") {
        this.#tracking = true;
        for (let pfn = 0; pfn < this.#pages; pfn++) this.#marked.add(pfn);
      } else if (one.what === "flush") this.#held.clear();
      else if (one.what === "write") this.#write(one.pfn);
      else if (one.what === "read") {
        const words = [...Array(one.words).keys()].map((i) => one.first + i);
        this.reads.push(words.flatMap((word) => this.#of(word)));
      } else this.#take(one as Taking);
    }
    return this;
  }

  #take({ word }: Taking): void {
    this.taken.push(this.#of(word));
    for (const pfn of this.#of(word)) this.#marked.delete(pfn);
  }

  #write(pfn: number): void {
    const marks = this.#tracking && !this.#held.has(pfn) && !this.#marked.has(pfn);
    if (this.#tracking && !this.#held.has(pfn)) {
      this.#held.add(pfn);
      this.#marked.add(pfn);
    }
    this.marks.push(marks);
  }
}

/** What a scanner is. */
export interface ScanShape {
  readonly words: number;
  /** Words a clock that are looked through. */
  readonly each: number;
  readonly mrrs: number;
  readonly rcb: number;
  readonly tags: number;
  readonly bufferBytes: number;
  readonly bufferHeaders: number;
  /** Words taken for one flush. */
  readonly batch: number;
  readonly flushes: boolean;
  readonly zeroes: boolean;
}

/** A pass over the bitmap. */
export interface Pass {
  readonly at: number;
  readonly counts: boolean;
  readonly last: boolean;
}

/** Something that the scanner does. */
export interface Did {
  readonly at: number;
  readonly what: "read" | "swap" | "zero" | "page" | "end";
  /** First word, or page; how many were found. */
  readonly n: number;
}

/** What is around it. */
export interface Around {
  edgeAfter(t: number): number;
  /** When the answer of the k-th read or swap of all is at the card. */
  answeredAt(k: number): number;
  /** Pages that the k-th request found marked. */
  pagesOf(k: number): readonly number[];
  /** Places of a port, of those found pages that wait, at an edge before it acts. */
  room(port: "read" | "posted", t: number): number;
  foundRoom(t: number, found: number): number;
  /** Whether it sees at t that a flush is over. */
  hears(t: number): boolean;
}

interface Batch {
  readonly words: { pages: number[] }[];
  open: number;
  stage: "fills" | "waits" | "gives";
}

interface Chunk {
  readonly first: number;
  readonly words: number;
  /** Pages that were marked, by word. */
  readonly pages: Map<number, number[]>;
}

const CHUNKS = 8;

/** The scanner of one pass. */
export class SlowScanner {
  readonly did: Did[] = [];
  readonly #shape: ScanShape;
  readonly #around: Around;
  readonly #out: { k: number; bytes: number; headers: number; done: (pages: readonly number[]) => void }[] =
    [];
  #requests = 0;
  #found = 0;
  #lastSwapAt = -1;
  /** Of the pass under way: words requested, chunks out or not looked through, what was found, clocks. */
  #asked = 0;
  #chunks = 0;
  #total = 0;
  #clock = 0;
  #ready: Chunk[] = [];
  #looks: { chunk: Chunk; begun: number; from: number } | null = null;
  /** The one that fills, and the other. */
  #batches: [Batch, Batch] = [newBatch(), newBatch()];

  constructor(shape: ScanShape, around: Around) {
    this.#shape = shape;
    this.#around = around;
  }

  /** Everything that it does in its passes. */
  run(passes: readonly Pass[]): Did[] {
    for (const pass of passes) this.#pass(pass);
    return this.did;
  }

  #pass(pass: Pass): void {
    this.#asked = this.#chunks = this.#total = this.#clock = 0;
    this.#batches = [newBatch(), newBatch()];
    for (let t = pass.at; ; t = this.#around.edgeAfter(t), this.#clock++) {
      this.#answers(t);
      this.#gives(t);
      if (!this.#looksThrough(pass, t)) this.#asks(t);
      this.#closes(pass);
      if (this.#over && this.#batches.every((one) => one.words.length === 0)) {
        this.did.push({ at: t, what: "end", n: this.#total });
        return;
      }
    }
  }

  /** Nothing will be taken any more. */
  get #over(): boolean {
    return this.#asked === this.#shape.words && this.#chunks === 0;
  }

  /** Pages of the batch that gives them, one a clock. */
  #gives(t: number): void {
    const [fills, other] = this.#batches;
    if (other.stage === "waits" && this.#around.hears(t)) other.stage = "gives";
    if (other.stage !== "gives" || this.#around.foundRoom(t, this.#found) <= 0) return;
    const pages = other.words[0]!.pages;
    this.did.push({ at: t, what: "page", n: pages.shift()! });
    this.#found++;
    this.#total++;
    if (pages.length === 0) other.words.shift();
    if (other.words.length === 0) this.#batches = [fills, newBatch()];
  }

  /** Looks through a chunk; true when that has taken the clock's transaction, or the chunk is done. */
  #looksThrough(pass: Pass, t: number): boolean {
    const { each, batch: most } = this.#shape;
    if (this.#looks === null && this.#ready.length > 0)
      this.#looks = { chunk: this.#ready.shift()!, begun: this.#clock, from: 0 };
    if (this.#looks === null) return false;
    const { chunk, begun, from } = this.#looks;
    const next = pass.counts ? chunk.words : nextMarked(chunk, from);
    const clocks = next === chunk.words ? Math.ceil(next / each) : Math.floor(next / each);
    if (this.#clock - begun < clocks || t <= this.#lastSwapAt) return false;
    if (next === chunk.words) {
      if (pass.counts) for (const marked of chunk.pages.values()) this.#total += marked.length;
      this.#looks = null;
      this.#chunks--;
      return true;
    }
    const [fills] = this.#batches;
    if (fills.words.length === most || !this.#takes(fills, chunk, next, t)) return false;
    this.#looks.from = next + 1;
    return true;
  }

  #asks(t: number): void {
    if (this.#asked === this.#shape.words || this.#chunks === CHUNKS) return;
    const words = Math.min(this.#shape.mrrs / WORD_BYTES, this.#shape.words - this.#asked);
    const chunk: Chunk = { first: this.#asked, words, pages: new Map() };
    const arrives = (pages: readonly number[]): void => {
      for (const pfn of pages) pagesIn(chunk, Math.floor(pfn / PAGES_A_WORD)).push(pfn);
      this.#ready.push(chunk);
    };
    if (!this.#requested("read", this.#asked, words * WORD_BYTES, t, arrives)) return;
    this.#asked += words;
    this.#chunks++;
  }

  /** A batch that is full, or the last, is closed when the one before is through. */
  #closes(pass: Pass): void {
    const [fills, other] = this.#batches;
    const full = fills.words.length === this.#shape.batch || (fills.words.length > 0 && this.#over);
    if (!full || fills.open > 0 || other.words.length > 0) return;
    fills.stage = this.#shape.flushes && !pass.last ? "waits" : "gives";
    this.#batches = [newBatch(), fills];
  }

  #answers(t: number): void {
    const due = this.#out
      .map((one) => ({ one, at: this.#around.answeredAt(one.k) }))
      .filter(({ at }) => at <= t)
      .sort((a, b) => a.at - b.at);
    for (const { one } of due) {
      this.#out.splice(this.#out.indexOf(one), 1);
      one.done(this.#around.pagesOf(one.k));
    }
  }

  /** A request that has tag, buffer and a place in the port. */
  #requested(
    what: "read" | "swap",
    word: number,
    bytes: number,
    t: number,
    done: (pages: readonly number[]) => void,
  ): boolean {
    const headers = Math.ceil(bytes / this.#shape.rcb);
    const sum = (of: (one: { bytes: number; headers: number }) => number): number =>
      this.#out.reduce((all, one) => all + of(one), 0);
    if (this.#out.length === this.#shape.tags) return false;
    if (sum((one) => one.bytes) + bytes > this.#shape.bufferBytes) return false;
    if (sum((one) => one.headers) + headers > this.#shape.bufferHeaders) return false;
    if (this.#around.room("read", t) === 0) return false;
    this.#out.push({ k: this.#requests++, bytes, headers, done });
    this.did.push({ at: t, what, n: word });
    return true;
  }

  #takes(batch: Batch, chunk: Chunk, at: number, t: number): boolean {
    const word = chunk.first + at;
    if (this.#shape.zeroes) {
      if (this.#around.room("posted", t) === 0) return false;
      batch.words.push({ pages: [...pagesIn(chunk, word)] });
      this.did.push({ at: t, what: "zero", n: word });
    } else {
      const entry: { pages: number[] } = { pages: [] };
      const done = (pages: readonly number[]): void => {
        entry.pages = [...pages];
        batch.open--;
      };
      if (!this.#requested("swap", word, WORD_BYTES, t, done)) return false;
      batch.words.push(entry);
      batch.open++;
    }
    this.#lastSwapAt = t;
    return true;
  }
}

const newBatch = (): Batch => ({ words: [], open: 0, stage: "fills" });

function pagesIn({ pages }: Chunk, word: number): number[] {
  if (!pages.has(word)) pages.set(word, []);
  return pages.get(word)!;
}

/** The next word with a mark, from one on; behind the last when there is none. */
function nextMarked(chunk: Chunk, from: number): number {
  let at = from;
  while (at < chunk.words && pagesIn(chunk, chunk.first + at).length === 0) at++;
  return at;
}
