// SPDX-License-Identifier: Apache-2.0
/** Numbers for people: grouped digits, times, sizes and rates in a unit that fits. */

/** Digits in groups of three: 38464 -> 38,464. */
export function grouped(n: number): string {
  return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** "1 vCPU", "4 vCPUs". */
export function amount(n: number, noun: string): string {
  return `${grouped(n)} ${noun}${n === 1 ? "" : "s"}`;
}

/** Milliseconds with three decimals, grouped. */
export function milliseconds(ns: number): string {
  const [whole, rest] = (ns / 1e6).toFixed(3).split(".");
  return `${grouped(Number(whole))}.${rest}`;
}

/** A duration in the largest unit in which it is at least 1. */
export function time(ns: number): string {
  for (const [unit, size] of [
    ["s", 1e9],
    ["ms", 1e6],
    ["us", 1e3],
  ] as const) {
    if (ns >= size) return `${Number((ns / size).toPrecision(4))} ${unit}`;
  }
  return `${Number(ns.toPrecision(4))} ns`;
}

/** Mebibytes with one decimal below 1000, none from there. */
export function mebibytes(bytes: number): string {
  const mib = bytes / 2 ** 20;
  return mib >= 1000 ? grouped(mib) : String(Number(mib.toFixed(mib >= 0.1 ? 1 : 3)));
}

/** A share as per cent with one decimal. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** A rate in bit/s with a decimal prefix. */
export function bitRate(bitsPerSecond: number): string {
  for (const [unit, size] of [
    ["Tbit/s", 1e12],
    ["Gbit/s", 1e9],
    ["Mbit/s", 1e6],
    ["kbit/s", 1e3],
  ] as const) {
    if (bitsPerSecond >= size) return `${Number((bitsPerSecond / size).toPrecision(4))} ${unit}`;
  }
  return `${Math.round(bitsPerSecond)} bit/s`;
}
