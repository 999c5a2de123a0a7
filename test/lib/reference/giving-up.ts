// SPDX-License-Identifier: Apache-2.0
// When a sender whose peer has never answered gives the link up (docs/model.md section 17), second by second.

/** Of TCP: seconds from the first segment; timeouts of 1 s, doubled up to 120 s. */
export function tcpGivesUp(retries: number): number {
  // what tcp_retries2 stands for: so many timeouts and one, doubled from 200 ms
  let patience = 0;
  for (let k = 0; k <= retries; k++) patience += Math.min(120, 0.2 * 2 ** k);
  let at = 1;
  for (let wait = 2; ; wait *= 2) {
    at += Math.min(120, wait);
    if (at - 1 >= patience - 1e-9) return at;
  }
}

/** Of the firmware's datagrams: every timeout is 100 ms, and one more than `retries` is too many. */
export function firmwareGivesUp(retries: number): number {
  return 0.1 * (retries + 1);
}
