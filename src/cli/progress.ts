// SPDX-License-Identifier: Apache-2.0
/** How far long work is, on stderr: a bar on a terminal, a line every 10 s elsewhere. */
import type { Progress } from "../simulate.ts";

const LINE_EVERY_MS = 10_000;
const BAR_AFTER_MS = 300;

/** Shows progress until `end`. */
export interface Meter {
  show(at: Progress): void;
  end(): void;
}

function percent(at: Progress): number {
  return Math.min(99, Math.floor((100 * at.placedPages) / Math.max(1, at.expectedPages)));
}

function simulated(at: Progress): string {
  return `${(at.atNs / 1e6).toFixed(1)} ms simulated`;
}

/** Writes a line to stderr, of those that it is offered one every 10 s. */
export function reporter<T>(text: (at: T) => string): (at: T) => void {
  let lastMs = Date.now();
  return (at) => {
    if (Date.now() - lastMs < LINE_EVERY_MS) return;
    lastMs = Date.now();
    process.stderr.write(`dpusim: ${text(at)}\n`);
  };
}

function lines(): Meter {
  const startMs = Date.now();
  const show = reporter((at: Progress): string => {
    const seconds = (Date.now() - startMs) / 1000;
    const rate = Math.round(at.placedPages / seconds);
    const left = rate > 0 ? Math.ceil(Math.max(0, at.expectedPages - at.placedPages) / rate) : null;
    const until = left === null ? "" : `, about ${left} s left in this round`;
    return `${percent(at)} %, round ${at.round}, ${simulated(at)}, ${rate} pages/s${until}`;
  });
  return { show, end: () => {} };
}

async function bar(): Promise<Meter> {
  const { default: progress } = await import("cli-progress");
  const one = new progress.SingleBar({
    format: "{bar} {percentage} % · round {round} · {simulated} · {rate} pages/s · {eta_formatted} left",
    hideCursor: true,
    clearOnComplete: true,
    stream: process.stderr,
    barsize: 24,
    etaBuffer: 200,
  });
  const startMs = Date.now();
  let begun = false;
  const show = (at: Progress): void => {
    const spentMs = Date.now() - startMs;
    if (spentMs < BAR_AFTER_MS) return;
    const rate = Math.round((1000 * at.placedPages) / spentMs);
    const fields = { round: at.round, simulated: simulated(at), rate };
    if (!begun) one.start(at.expectedPages, at.placedPages, fields);
    begun = true;
    one.setTotal(Math.max(at.expectedPages, at.placedPages));
    one.update(at.placedPages, fields);
  };
  return { show, end: () => begun && one.stop() };
}

/** The meter that fits stderr. */
export async function meter(): Promise<Meter> {
  return process.stderr.isTTY ? bar() : lines();
}
